package latency

import (
	"cmp"
	"slices"
	"time"

	"github.com/assay-run/assay/internal/workload"
)

const (
	// atLeast is the lateness of a sender from which on it counts as not running. What is shorter is timer noise.
	atLeast = 5 * time.Millisecond
	// most is the share of a run that pauses may take to be forgiven. A submission that could keep this process from
	// running would hide its own stalls, and a machine that does so all the time measures nothing.
	most = 0.1
	// noticed is how long after a pause an answer that came during it may be noticed.
	noticed = 2 * time.Millisecond
)

// pause is a time in which somebody did not run: for a sender, something was due, and was noticed only at its end.
type pause struct{ from, to time.Duration }

// Pauses are the times in which the machine kept a sender of ours, or the submission, from running. The zero value is ready to use; it is not safe for concurrent use.
type Pauses struct {
	own, stolen []pause // each ascending and apart from each other
}

// Late records that the sender noticed at now what was due before. Calls must come in the order of due.
func (l *Pauses) Late(due, now time.Duration) {
	if now-due < atLeast {
		return
	}
	if n := len(l.own); n > 0 && due <= l.own[n-1].to {
		l.own[n-1].to = max(l.own[n-1].to, now)
		return
	}
	l.own = append(l.own, pause{due, now})
}

// Steal records the times that the machine took from the submission. start is that of the schedule.
func (l *Pauses) Steal(list []workload.Pause, start time.Time) {
	for _, p := range list {
		if to := p.To.Sub(start); to > 0 {
			l.stolen = append(l.stolen, pause{max(p.From.Sub(start), 0), to})
		}
	}
}

// Forgiven is what is taken out of latencies: nothing when it is more than a tenth of the time until end.
func (l *Pauses) Forgiven(end time.Duration) Forgiveness {
	if float64(length(joined(l.own, l.stolen))) > most*float64(end) {
		return Forgiveness{}
	}
	return Forgiveness{own: l.own, stolen: l.stolen}
}

// Forgiveness are the pauses of our own sender and the times stolen from the submission.
type Forgiveness struct{ own, stolen []pause }

// Own is how long our sender did not run in all.
func (f Forgiveness) Own() time.Duration { return length(f.own) }

// Stolen is how long the submission was kept from running in all.
func (f Forgiveness) Stolen() time.Duration { return length(f.stolen) }

// Without takes from the latency of a request what pauses added to it. Time stolen from the submission always did. A pause of
// ours did when the request was due in it, or its answer came in it or at its end: between the two, what we were doing made no
// difference. Calls must come in the order of due.
func (f *Forgiveness) Without(due, latency time.Duration) time.Duration {
	got := due + latency
	// Those that are over are over for later requests too.
	f.own, f.stolen = after(f.own, due), after(f.stolen, due)
	var own []pause
	for _, p := range f.own {
		if p.from >= got {
			break
		}
		if p.from <= due || p.to+noticed >= got {
			own = append(own, p)
		}
	}
	corrected := latency
	for _, p := range joined(own, before(f.stolen, got)) {
		corrected -= max(min(p.to, got)-max(p.from, due), 0)
	}
	return max(corrected, 1)
}

func length(list []pause) (sum time.Duration) {
	for _, p := range list {
		sum += p.to - p.from
	}
	return sum
}

// joined is the union of two lists, ascending and apart from each other.
func joined(a, b []pause) []pause {
	all := slices.Concat(a, b)
	slices.SortFunc(all, func(x, y pause) int { return cmp.Compare(x.from, y.from) })
	var out []pause
	for _, p := range all {
		if n := len(out); n > 0 && p.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, p.to)
			continue
		}
		out = append(out, p)
	}
	return out
}

func after(list []pause, t time.Duration) []pause {
	for len(list) > 0 && list[0].to <= t {
		list = list[1:]
	}
	return list
}

func before(list []pause, t time.Duration) []pause {
	n := 0
	for n < len(list) && list[n].from < t {
		n++
	}
	return list[:n]
}
