package resilienthome

import (
	"net/http"
	"time"

	"github.com/assay-run/assay/graders/upstream"
)

// The services, by the name that they have in the log.
const (
	profiles = "profile"
	recs     = "recs"
	tests    = "ab"
)

// services are all of them, in the order of their numbers in facts.
var services = [...]string{profiles, recs, tests}

// The phases of the outages, in order.
const (
	phaseWarm       = "warm"        // all is well
	phaseErrors     = "errors"      // 30 % of the calls to recs fail with 500
	phaseTogether   = "together"    // now and then all calls to recs that are under way fail at once
	phaseHang       = "hang"        // recs begins answers and does not end them, then takes calls and never answers
	phaseRetryAfter = "retry-after" // profile answers 503 and asks to be left alone
	phaseGarbage    = "garbage"     // ab answers 200 with half a document
	phaseDead       = "dead"        // recs resets every connection
	phaseRecovery   = "recovery"    // recs is back; some plays are cut after they have been taken
)

const (
	// rate is how many requests there are a second.
	rate = 150
	// retryAfter is what profile asks for, in seconds.
	retryAfter = 2
	// errorShare is the share of calls that fail in phaseErrors.
	errorShare = 0.3
	// cutShare is the share of plays that are cut in phaseRecovery.
	cutShare = 0.2
	// quickest and spread are how long a healthy service takes.
	quickest = 5 * time.Millisecond
	spread   = 15 * time.Millisecond
	// togetherEvery is how far apart the common failures are, togetherHeld how long calls are held for one.
	togetherEvery = 700 * time.Millisecond
	togetherHeld  = 150 * time.Millisecond
)

// phase is a part of the run.
type phase struct {
	Name     string
	From, To time.Duration // since the start of the schedule
	Plays    float64       // share of requests that are POSTs
}

// plan is what happens when.
type plan struct {
	Phases   []phase
	Together []time.Duration // when all calls to recs fail at once
}

// newPlan lays the phases out. Those that must show a breaker at work, or the way back, have a part that does not grow with the scale. Below 1,
// which only tests use, all is shorter.
func newPlan(scale float64) plan {
	var p plan
	at := time.Duration(0)
	add := func(name string, fixed, scaled, plays float64) {
		d := time.Duration((fixed*min(scale, 1) + scaled*scale) * float64(time.Second)).Round(time.Millisecond)
		p.Phases = append(p.Phases, phase{Name: name, From: at, To: at + d, Plays: plays})
		at += d
	}
	add(phaseWarm, 1, 1, 0.1)
	add(phaseErrors, 0, 4, 0)
	add(phaseTogether, 0.1, 3*togetherEvery.Seconds(), 0)
	add(phaseHang, 1.5, 2, 0.1)
	add(phaseRetryAfter, 1, 1, 0)
	add(phaseGarbage, 3, 1, 0)
	add(phaseDead, 3.5, 2, 0.1)
	add(phaseRecovery, 5.5, 0.5, 0.3)
	together := p.phase(phaseTogether)
	for t := together.From + togetherEvery; t <= together.To; t += togetherEvery {
		p.Together = append(p.Together, t)
	}
	return p
}

// phase finds a phase by name.
func (p plan) phase(name string) phase {
	for _, f := range p.Phases {
		if f.Name == name {
			return f
		}
	}
	return phase{}
}

// at is the phase of a moment; its name is empty after the end.
func (p plan) at(t time.Duration) phase {
	for _, f := range p.Phases {
		if t >= f.From && t < f.To {
			return f
		}
	}
	return phase{}
}

func (p plan) length() time.Duration { return p.Phases[len(p.Phases)-1].To }

// healthy is the answer of a service that is well.
func healthy() upstream.Reply { return upstream.Reply{Latency: quickest, Spread: spread} }

// broken is a quick answer with an error.
func broken(status int) upstream.Reply {
	return upstream.Reply{Latency: quickest, Spread: spread, Status: status, Body: []byte(`{"error":"out of order"}`)}
}

// rules are what a service does in the outages, for a schedule that begins at a time of the log.
func (p plan) rules(service string, begin time.Duration) []upstream.Rule {
	in := func(name string, reply upstream.Reply) upstream.Rule {
		f := p.phase(name)
		return upstream.Rule{Name: name, From: begin + f.From, To: begin + f.To, Reply: reply}
	}
	switch service {
	case recs:
		errors := in(phaseErrors, broken(http.StatusInternalServerError))
		errors.Share = errorShare
		list := []upstream.Rule{errors}
		for _, t := range p.Together {
			held := broken(http.StatusInternalServerError)
			held.Latency, held.Spread, held.NotBefore = 0, 0, begin+t
			list = append(list, upstream.Rule{Name: phaseTogether, From: begin + t - togetherHeld, To: begin + t, Reply: held})
		}
		midway, hang := in(phaseHang, upstream.Reply{Fault: upstream.HangMidway, Latency: quickest}), in(phaseHang, upstream.Reply{Fault: upstream.Hang})
		midway.To = (2*midway.From + midway.To) / 3
		return append(list, midway, hang, in(phaseDead, upstream.Reply{Fault: upstream.ResetBeforeBody, Latency: quickest}))
	case tests:
		return []upstream.Rule{in(phaseGarbage, upstream.Reply{Latency: quickest, Spread: spread, Body: []byte(`{"experiments":{"layout":"wi`)})}
	}
	busy := broken(http.StatusServiceUnavailable)
	busy.Header = http.Header{"Retry-After": {"2"}}
	refusing := in(phaseRetryAfter, busy)
	refusing.Path = "/profile/"
	cut := in(phaseRecovery, upstream.Reply{Fault: upstream.ResetAfterBody, Latency: quickest})
	cut.Path, cut.Share = "/plays", cutShare
	return []upstream.Rule{refusing, cut}
}
