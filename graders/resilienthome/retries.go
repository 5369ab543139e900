package resilienthome

import (
	"slices"
	"time"

	"github.com/assay-run/assay/internal/evidence"
)

// The breaker has breakerWithin to open; retries in breakerWithin of an outage still count for gaps.
const (
	breakerWithin = 3 * time.Second
	// heldFor is from when on an unanswered call is held too long: the budget, and half of it again.
	heldFor = 1200 * time.Millisecond
	// announced is how long after the first 503 calls may still come that were under way.
	announced = 250 * time.Millisecond
	// almost is what a client's clock may be before ours at the end of a pause.
	almost = 50 * time.Millisecond
)

// retryCount is what the calls to recs show about retries.
type retryCount struct {
	pages, calls, failed int     // in phaseErrors
	firstFailed, retried int     // in phaseErrors: pages whose first call failed, and those of them with another call
	gaps                 gaps    // in phaseErrors and before a breaker had to open
	together             []int64 // first retries after common failures, since that failure
	tries                tally   // in phaseErrors and before a breaker had to open
	most                 int
}

// index finds the number of services.
func index(service string) int64 { return int64(slices.Index(services[:], service)) }

// perPage are the calls to recs for each page of a user who came once, in the order of arrival. Pages whose request was written twice are left
// out: their calls may be of two requests.
func (r *run) perPage() map[int64][]attempt {
	c, q := &r.facts.Calls, &r.facts.Requests
	pages := map[int64][]attempt{}
	for i := range c.len() {
		n := c.Request[i]
		if n < 0 || c.Service[i] != index(recs) || q.Kind[n] != isUnique || q.Twice[n] == 1 {
			continue
		}
		failed := ends[c.How[i]] == "reset" || c.Status[i] >= 500 || ends[c.How[i]] == "gone"
		pages[n] = append(pages[n], attempt{arrived: c.Arrived[i], ended: c.Ended[i], failed: failed})
	}
	for _, list := range pages {
		byArrival(list)
	}
	return pages
}

// countRetries looks at the calls to recs page by page.
func (r *run) countRetries() {
	c, q := &r.facts.Calls, &r.facts.Requests
	in := func(f phase, t int64) bool {
		at := time.Duration(t) * time.Microsecond
		return at >= f.From && at < f.To
	}
	faulty, dead := r.plan.phase(phaseErrors), r.plan.phase(phaseDead)
	early := dead
	early.To = min(dead.From+breakerWithin, dead.To)
	n := &r.retry
	for i := range c.len() {
		if c.Service[i] == index(recs) && in(faulty, c.Arrived[i]) {
			n.calls++
			if c.Status[i] >= 500 {
				n.failed++
			}
		}
	}
	for i := range q.len() {
		if q.Kind[i] != isPlay && in(faulty, q.Intended[i]) {
			n.pages++
		}
	}
	pages := r.perPage()
	for _, i := range sortedKeys(pages) {
		list := pages[i]
		n.most = max(n.most, len(list))
		first := list[0].arrived
		if in(faulty, first) || in(early, first) {
			n.tries.add(list)
			n.gaps.add(list)
		}
		if in(faulty, first) && list[0].failed {
			n.firstFailed++
			if len(list) > 1 {
				n.retried++
			}
		}
		for _, t := range r.plan.Together {
			// The calls that were held for this failure.
			at := t.Microseconds()
			if len(list) > 1 && list[0].failed && first >= at-togetherHeld.Microseconds() && first < at && list[0].ended >= at && list[1].arrived >= list[0].ended {
				n.together = append(n.together, list[1].arrived-at)
			}
		}
	}
}

func sortedKeys(m map[int64][]attempt) []int64 {
	list := make([]int64, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}

// fewRetries is the share of failures that must be retried for anything to be said about how.
const fewRetries = 0.2

// uses says whether recs is asked for pages at all, while all is well. What is never called cannot be called too often.
func (r *run) uses() bool {
	warm := r.plan.phase(phaseWarm)
	return r.retry.pages > 0 && r.retry.calls > 0 && 2*r.callsIn(recs, warm.From, warm.To) >= r.pagesIn(warm.From, warm.To)
}

// retries are the figures about asking again.
func (r *run) retries(m *evidence.Measures) {
	n := &r.retry
	if !r.uses() { // who does not ask does not ask again
		m.Values[metricGrowth], m.Values[metricSpread], m.Values[metricPeak] = 0, 0, 1
		return
	}
	// What failed is a matter of chance: count as if exactly 30 % had.
	beyond := float64(n.calls - n.pages)
	if n.failed > 0 && beyond > 0 {
		beyond *= errorShare / (float64(n.failed) / float64(n.calls))
	}
	m.Values[metricAmplification] = (float64(n.pages) + max(beyond, float64(-n.pages))) / float64(n.pages)
	m.Values[metricTries] = float64(n.most)
	if n.firstFailed == 0 {
		return
	}
	m.Values[metricRetried] = float64(n.retried) / float64(n.firstFailed)
	if m.Values[metricRetried] < fewRetries {
		m.Values[metricGrowth], m.Values[metricSpread], m.Values[metricPeak] = 0, 0, 1
		return
	}
	if len(n.gaps.First) >= enoughGaps {
		m.Values[metricGapFirst] = middle(n.gaps.First) * 1e3
		m.Values[metricSpread] = relativeSpread(n.gaps.First)
		if len(n.gaps.Second) >= enoughSecond {
			m.Values[metricGapSecond] = middle(n.gaps.Second) * 1e3
			m.Values[metricGrowth] = growth(n.gaps)
		}
	}
	if len(n.together) >= enoughTogether {
		m.Values[metricPeak] = peak(n.together)
	}
}

// outage are the figures about a service that is down, and back.
func (r *run) outage(m *evidence.Measures) {
	if r.facts.ReadyNs < 0 {
		return
	}
	dead, back := r.plan.phase(phaseDead), r.plan.phase(phaseRecovery)
	from := dead.From + breakerWithin
	if r.uses() {
		m.Values[metricOutageCalls] = part(float64(r.callsIn(recs, from, dead.To)), float64(r.pagesIn(from, dead.To)))
	}
	if share, ok := r.early(); ok {
		m.Values[metricEarly] = share
	}
	m.Values[metricRecovery] = float64(r.recovery(back))
	hang := r.plan.phase(phaseHang)
	m.Values[metricSockets] = float64(r.facts.Open[phaseHang][recs])
	if held, all := r.held(hang); all > 0 {
		m.Values[metricHeld] = float64(held) / float64(all)
	}
}

// callsIn counts calls to a service, plays left out.
func (r *run) callsIn(service string, from, to time.Duration) int {
	c, n := &r.facts.Calls, 0
	for i := range c.len() {
		at := time.Duration(c.Arrived[i]) * time.Microsecond
		if c.Service[i] == index(service) && c.Play[i] == 0 && at >= from && at < to {
			n++
		}
	}
	return n
}

// pagesIn counts pages that were due.
func (r *run) pagesIn(from, to time.Duration) int {
	q, n := &r.facts.Requests, 0
	for i := range q.len() {
		at := time.Duration(q.Intended[i]) * time.Microsecond
		if q.Kind[i] != isPlay && at >= from && at < to {
			n++
		}
	}
	return n
}

// early is the share of calls to profile in the times for which it had asked to be left alone; ok is false when it never had.
func (r *run) early() (share float64, ok bool) {
	c := &r.facts.Calls
	calls, pages := 0, 0
	until := time.Duration(-1)
	for i := range c.len() {
		if c.Service[i] != index(profiles) || c.Play[i] == 1 || c.Status[i] != 503 || c.Ended[i] < 0 {
			continue
		}
		ended := time.Duration(c.Ended[i]) * time.Microsecond
		if ended < until { // it asked again while it was to be left alone; that call is counted below
			continue
		}
		from := ended + announced
		until = ended + retryAfter*time.Second - almost
		calls += r.callsIn(profiles, from, until)
		pages += r.pagesIn(from, until)
	}
	return part(float64(calls), float64(pages)), until >= 0
}

// recovery is from the moment that recs was well again to its first good answer.
func (r *run) recovery(back phase) time.Duration {
	c := &r.facts.Calls
	first := back.To - back.From + time.Second
	for i := range c.len() {
		at := time.Duration(c.Arrived[i]) * time.Microsecond
		if c.Service[i] == index(recs) && at >= back.From && c.Status[i] == 200 && c.Ended[i] >= 0 {
			first = min(first, time.Duration(c.Ended[i])*time.Microsecond-back.From)
		}
	}
	return max(first, 0)
}

// held counts unanswered calls that were not given up in time, of those that came long enough before the end of the run.
func (r *run) held(hang phase) (held, all int) {
	c := &r.facts.Calls
	for i := range c.len() {
		at := time.Duration(c.Arrived[i]) * time.Microsecond
		if c.Service[i] != index(recs) || at < hang.From || at >= hang.To {
			continue
		}
		all++
		if c.Ended[i] < 0 || time.Duration(c.Ended[i])*time.Microsecond-at > heldFor {
			held++
		}
	}
	return held, all
}
