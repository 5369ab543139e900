package resilienthome

import (
	"cmp"
	"math"
	"slices"
)

// The statistics of retries. docs/resilience-statistics.md has the models behind them, with sample sizes and error rates; the tests simulate
// both. Times are microseconds.

const (
	// enoughGaps is from how many gaps on something is said about their spread, enoughSecond about their growth.
	enoughGaps   = 40
	enoughSecond = 20
	// enoughTogether is from how many retries after common failures on something is said about their peak.
	enoughTogether = 25
	// atOnce is the gap up to which a retry comes at once: what a busy loop takes, no delay that anybody chose.
	atOnce = 10_000
	// noSpread is the relative spread below which delays are not randomised. Up to smallSpread they are not when, besides, crowd of those who
	// failed together came back within 10 ms.
	noSpread    = 0.06
	smallSpread = 0.12
	crowd       = 0.75
	// grown is how much longer than the typical first delay a second one must be to have grown, and grownShare the share of second delays up to
	// which there is no growth.
	grown      = 1.15
	grownShare = 0.25
	// trimmed is the share of the smallest, and of the largest, gaps that a mean leaves out.
	trimmed = 0.1
	// bin is the width of the peak after a common failure.
	bin = 10_000
	// mostTries is how many calls a request may cost a service, the first one included.
	mostTries = 3
	// stormShare and stormLeast are how many requests must have cost more for a storm, of those whose first three calls had all failed.
	stormShare = 0.2
	stormLeast = 20
)

// gaps are the times between a failed call and the next one for the same request.
type gaps struct {
	First, Second []int64
}

// attempt is one call for a request.
type attempt struct {
	arrived, ended int64
	failed         bool
}

// add takes the gaps of one request, whose calls are given in the order of arrival. A call that comes before the one before it has failed is no
// retry (it hedges, say), and ends what can be told.
func (g *gaps) add(list []attempt) {
	for i := 1; i < len(list) && i <= 2; i++ {
		before := list[i-1]
		if !before.failed || before.ended < 0 || list[i].arrived < before.ended {
			return
		}
		gap := list[i].arrived - before.ended
		if i == 1 {
			g.First = append(g.First, gap)
		} else {
			g.Second = append(g.Second, gap)
		}
	}
}

// quantileOf is the quantile of sorted values by linear interpolation.
func quantileOf(sorted []int64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	low := int(math.Floor(at))
	high := min(low+1, len(sorted)-1)
	return float64(sorted[low]) + (at-float64(low))*float64(sorted[high]-sorted[low])
}

// relativeSpread is a coefficient of variation that a few late timers do not move: (Q3 - Q1) / (1.349 · median), which is the plain one for normal
// values. Retries that come at once have none: what spreads them is the machine.
func relativeSpread(list []int64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	median := quantileOf(sorted, 0.5)
	if median <= atOnce {
		return 0
	}
	return (quantileOf(sorted, 0.75) - quantileOf(sorted, 0.25)) / (1.349 * median)
}

// middle is the mean without the smallest and the largest tenth: steadier than a median, and a few late timers do not move it.
func middle(list []int64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	cut := int(trimmed * float64(len(sorted)))
	sorted = sorted[cut : len(sorted)-cut]
	sum := 0.0
	for _, v := range sorted {
		sum += float64(v)
	}
	return sum / float64(len(sorted))
}

// growth is how much longer the second gap is than the first, in the middle. What comes at once does not grow.
func growth(g gaps) float64 {
	first, second := middle(g.First), middle(g.Second)
	if second <= atOnce {
		return 1
	}
	return second / max(first, 1)
}

// peak is the largest share of moments that lie within 10 ms of each other.
func peak(list []int64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	most, from := 0, 0
	for to := range sorted {
		for sorted[to]-sorted[from] > bin {
			from++
		}
		most = max(most, to-from+1)
	}
	return float64(most) / float64(len(sorted))
}

// noJitter says that delays are not randomised: there are enough gaps, they are delays at all, and they hardly differ, or little and those who
// failed together came back together.
func noJitter(first, together []int64) bool {
	if len(first) < enoughGaps {
		return false
	}
	spread := relativeSpread(first)
	if spread == 0 { // at once
		return false
	}
	return spread < noSpread || spread < smallSpread && len(together) >= enoughTogether && peak(together) >= crowd
}

// noBackoff says that delays do not grow: hardly any second one is longer than a first one usually is.
func noBackoff(g gaps) bool {
	if len(g.First) < enoughGaps || len(g.Second) < enoughSecond {
		return false
	}
	bound := max(grown*quantileOf(slices.Sorted(slices.Values(g.First)), 0.5), atOnce)
	longer := 0
	for _, v := range g.Second {
		if float64(v) > bound {
			longer++
		}
	}
	return float64(longer) <= grownShare*float64(len(g.Second))
}

// tally counts requests whose first calls, as many as they may cost, had all failed, and those of them that cost more.
type tally struct{ exhausted, beyond int }

func (t *tally) add(list []attempt) {
	if len(list) < mostTries {
		return
	}
	for _, a := range list[:mostTries] {
		if !a.failed {
			return
		}
	}
	t.exhausted++
	if len(list) > mostTries {
		t.beyond++
	}
}

// storm says that requests cost more calls than they may, as a habit.
func (t tally) storm() bool {
	return t.beyond >= stormLeast && float64(t.beyond) >= stormShare*float64(t.exhausted)
}

// byArrival sorts attempts.
func byArrival(list []attempt) {
	slices.SortStableFunc(list, func(a, b attempt) int { return cmp.Compare(a.arrived, b.arrived) })
}
