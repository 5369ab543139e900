package resilienthome

import (
	"fmt"

	"github.com/assay-run/assay/graders/service"
	"github.com/assay-run/assay/graders/signs"
	"github.com/assay-run/assay/internal/evidence"
)

// How many of something there must be for it to be a habit and not an accident.
const (
	fewest       = 10  // of anything
	habit        = 0.1 // share of answers
	fallShare    = 0.3 // share of pages that fail in an outage
	oftenHung    = 0.2 // share of pages without an answer
	breakerShare = 0.5 // calls in an outage, of the normal number
	heldShare    = 0.5 // unanswered calls that are held
	heldLeast    = 20  // and how many of them
)

// findings are the reason codes of a run.
func (r *run) findings(m *evidence.Measures) []evidence.Finding {
	var list []evidence.Finding
	add := func(code, detail string, at float64) {
		list = append(list, evidence.Finding{Code: code, Scenario: r.scenario, Execution: execution, Detail: detail, AtSeconds: at})
	}
	death := r.death()
	if death.Code != "" {
		add(death.Code, death.Detail, float64(r.exec.DurationNs)/1e9)
	}
	if r.facts.ReadyNs >= 0 {
		if r.truth.Kind == kindContract {
			r.contractFindings(add)
		} else if death.Code == "" {
			r.pageFindings(add)
			r.playFindings(add)
			r.retryFindings(m, add)
			r.outageFindings(m, add)
		}
	}
	if !r.facts.Ended && r.facts.ReadyNs >= 0 {
		if reason, at, ok := signs.Contradiction(r.exec); ok {
			add(codeTamper, reason, at)
		}
	}
	return list
}

// adder takes one finding; the moment is negative when it has none.
type adder func(code, detail string, at float64)

// contractFindings are those that single requests show.
func (r *run) contractFindings(add adder) {
	failed, swallowed, twice, hung := "", "", "", ""
	fails, hangs := 0, 0
	for _, c := range contractCases() {
		a := r.facts.Cases[c.ID]
		if a == nil {
			continue
		}
		optional := len(c.want.status) == 1 && c.want.status[0] == 200 && len(c.Replies) > 0 && !c.Once
		switch {
		case a.Error == "" && optional && a.Status >= 500:
			fails++
			failed = c.Title
		case a.Error == "" && c.want.status[0] == 502 && a.Status < 400 && a.Status > 0:
			swallowed = c.Title
		case a.Error != "" && a.Ms >= float64(clientWithin.Milliseconds()):
			hangs++
			hung = c.Title
		}
		if c.want.calls == 1 && a.Calls > 1 {
			twice = c.Title
		}
	}
	if fails >= 2 {
		add(codeNoFallback, fmt.Sprintf("In %d cases the failure of an optional service failed the whole page, as in %q.", fails, failed), -1)
	}
	if swallowed != "" {
		add(codeErrorSwallowed, fmt.Sprintf("An answer said that all is well, though it was not: %q.", swallowed), -1)
	}
	if twice != "" {
		add(codeRetryUnsafe, fmt.Sprintf("A play was passed on more than once: %q.", twice), -1)
	}
	if hangs >= 2 {
		add(codeHang, fmt.Sprintf("In %d cases there was no answer within %.0f s, as in %q.", hangs, clientWithin.Seconds(), hung), -1)
	}
}

// pageFindings are about what clients were answered.
func (r *run) pageFindings(add adder) {
	p := &r.pages
	if p.hung >= fewest && float64(p.hung) >= oftenHung*float64(p.hungDue) {
		add(codeHang, fmt.Sprintf("While one service did not answer, %d of %d pages had no answer within %.0f s.", p.hung, p.hungDue, clientWithin.Seconds()), r.sinceStart(phaseHang))
	}
	// In both outages: a machine that stands still for a while makes pages fail in one.
	if p.outages[phaseHang].falls() && p.outages[phaseDead].falls() {
		add(codeNoFallback, fmt.Sprintf("%s of %s pages failed while only optional services did.", signs.Number(int64(p.refused)), signs.Number(int64(p.due))), r.sinceStart(phaseDead))
	}
	if p.swallowed >= fewest {
		add(codeErrorSwallowed, fmt.Sprintf("%d pages came without the profile of their user, as if all were well.", p.swallowed), r.sinceStart(phaseRetryAfter))
	}
	if p.badErrors >= fewest && float64(p.badErrors) >= habit*float64(p.errors) {
		add(codeBadErrors, fmt.Sprintf("%d of %d errors were not application/problem+json with status 502, 503 or 504.", p.badErrors, p.errors), r.sinceStart(phaseRetryAfter))
	}
	if p.madeUp >= fewest && float64(p.madeUp) >= habit*float64(p.due) {
		add(codeWrongOutput, fmt.Sprintf("%d of %d pages are not what the services had answered. %s", p.madeUp, p.due, p.firstWrong), -1)
	}
	if p.stale >= fewest {
		add(codeStaleRead, fmt.Sprintf("%d pages had recommendations from before the request, without saying so or older than 60 s.", p.stale), -1)
	}
}

// playFindings are about what must be done once.
func (r *run) playFindings(add adder) {
	p := &r.plays
	if p.repeated > 0 {
		add(codeRetryUnsafe, fmt.Sprintf("%d of %d plays reached the service more than once: %s.", p.repeated, p.due, p.first), r.sinceStart(phaseRecovery))
	}
	if p.effects > 0 {
		add(codeDuplicateEffect, fmt.Sprintf("%d plays were counted more than once: the service had taken them before the connection broke.", p.effects), r.sinceStart(phaseRecovery))
	}
	if p.lost > 0 {
		add(codeLostEffect, fmt.Sprintf("%d of %d plays were answered as done and never passed on.", p.lost, p.due), -1)
	}
	if n := p.swallowed; n > 0 {
		add(codeErrorSwallowed, fmt.Sprintf("%d plays were answered as done, though the service had not said so.", n), r.sinceStart(phaseRecovery))
	}
}

// retryFindings are about how often it asks again, and when. The tests are those of docs/resilience-statistics.md.
func (r *run) retryFindings(m *evidence.Measures, add adder) {
	n := &r.retry
	if n.tries.storm() {
		add(codeRetryStorm, fmt.Sprintf("One page cost a failing service up to %d calls. Of %d pages whose first %d calls had failed, %d went on.",
			n.most, n.tries.exhausted, mostTries, n.tries.beyond), r.sinceStart(phaseErrors))
		return // how it waits between them is beside the point
	}
	if m.Values[metricRetried] < fewRetries {
		return
	}
	if noJitter(n.gaps.First, n.together) {
		add(codeNoJitter, fmt.Sprintf("%d retries came %.0f ms after the failure, half of them within %.1f %% of that.",
			len(n.gaps.First), m.Values[metricGapFirst]/1e6, 67*relativeSpread(n.gaps.First)), r.sinceStart(phaseErrors))
	}
	if noBackoff(n.gaps) {
		add(codeNoBackoff, fmt.Sprintf("The second retry came %.0f ms after a failure, the first one %.0f ms.", m.Values[metricGapSecond]/1e6, m.Values[metricGapFirst]/1e6), r.sinceStart(phaseErrors))
	}
}

// outageFindings are about a service that is down.
func (r *run) outageFindings(m *evidence.Measures, add adder) {
	if v := m.Values[metricOutageCalls]; v >= breakerShare && !r.retry.tries.storm() {
		add(codeNoBreaker, fmt.Sprintf("Three seconds after a service had died it was still called %.2f times for each page.", v), r.sinceStart(phaseDead))
	}
	held, all := r.held(r.plan.phase(phaseHang))
	answered := r.pages.hung < fewest || float64(r.pages.hung) < oftenHung*float64(r.pages.hungDue)
	if answered && held >= heldLeast && float64(held) >= heldShare*float64(all) {
		add(codeLeak, fmt.Sprintf("Of %d calls that were never answered %d were held for more than %.1f s, after their pages had been sent; %d connections were open at a time.",
			all, held, heldFor.Seconds(), r.facts.Open[phaseHang][recs]), r.sinceStart(phaseHang))
	}
}

// death says how the service ended, when it ended before it was told to, or lost a process to its memory limit.
func (r *run) death() signs.Death {
	return service.Death(r.exec, r.facts.Ended, r.facts.ReadyNs, contractMemory)
}

// sinceStart is when a phase began, since the start of the process.
func (r *run) sinceStart(name string) float64 {
	return r.plan.phase(name).From.Seconds() + float64(r.facts.BeginNs)/1e9
}
