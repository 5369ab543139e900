package resilienthome

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

// policy draws the delays before the first and the second retry, in milliseconds.
type policy func(rng *rand.Rand) (first, second float64)

func uniform(rng *rand.Rand, low, high float64) float64 { return low + (high-low)*rng.Float64() }

// The policies of docs/resilience-statistics.md.
var (
	// full is anything from nothing to a bound that doubles.
	full = func(base float64) policy {
		return func(rng *rand.Rand) (float64, float64) { return uniform(rng, 0, base), uniform(rng, 0, 2*base) }
	}
	// equal is half of the bound, and anything up to the other half.
	equal = func(base float64) policy {
		return func(rng *rand.Rand) (float64, float64) {
			return uniform(rng, base/2, base), uniform(rng, base, 2*base)
		}
	}
	// decorrelated draws from a range that grows with the delay before.
	decorrelated = func(base float64) policy {
		return func(rng *rand.Rand) (float64, float64) {
			first := uniform(rng, base, 3*base)
			return first, uniform(rng, base, 3*first)
		}
	}
	// around doubles, give or take a share.
	around = func(base, share float64) policy {
		return func(rng *rand.Rand) (float64, float64) {
			return base * uniform(rng, 1-share, 1+share), 2 * base * uniform(rng, 1-share, 1+share)
		}
	}
	// exponential doubles without chance, fixed does not even double.
	exponential = func(base float64) policy { return func(*rand.Rand) (float64, float64) { return base, 2 * base } }
	fixed       = func(base float64) policy { return func(*rand.Rand) (float64, float64) { return base, base } }
	atRandom    = func(most float64) policy {
		return func(rng *rand.Rand) (float64, float64) { return uniform(rng, 0, most), uniform(rng, 0, most) }
	}
)

// observed is a delay as it is seen at the service: timers of whole milliseconds, a loop that has other things to do for loop ms in the mean,
// and one gap in twenty that meets a pause of up to 20 ms.
func observed(rng *rand.Rand, delay, loop float64) int64 {
	ms := math.Ceil(delay) + 0.5 + loop*rng.ExpFloat64()
	if rng.Float64() < 0.05 {
		ms += uniform(rng, 0, 20)
	}
	return int64(1000 * ms)
}

// sample draws the gaps of one run.
func (p policy) sample(rng *rand.Rand, first, second int, loop float64) gaps {
	var g gaps
	for i := range first {
		a, b := p(rng)
		g.First = append(g.First, observed(rng, a, loop))
		if i < second {
			g.Second = append(g.Second, observed(rng, b, loop))
		}
	}
	return g
}

// trials is how often each policy is judged. The seed is fixed, so a rate that holds, holds always.
const trials = 4000

// rateOf is the share of trials of which something is true.
func rateOf(p policy, first, second int, loop float64, is func(gaps) bool) float64 {
	n := 0
	for i := range trials {
		if is(p.sample(rand.New(rand.NewPCG(uint64(i), 20)), first, second, loop)) {
			n++
		}
	}
	return float64(n) / trials
}

// TestNoJitterErrorRates asserts the rates that the document states. 40 gaps are the fewest that are judged; a run has 110 to 200.
func TestNoJitterErrorRates(t *testing.T) {
	t.Parallel()
	// The last gaps of a sample stand for those after common failures.
	const together = 50
	is := func(g gaps) bool { return noJitter(g.First[:len(g.First)-together], g.First[len(g.First)-together:]) }
	for _, tt := range []struct {
		name        string
		policy      policy
		gaps        int
		loop        float64
		least, most float64
	}{
		{"full, fewest gaps", full(80), 40, 2, 0, 0},
		{"full", full(80), 110, 2, 0, 0},
		{"equal, fewest gaps", equal(100), 40, 2, 0, 0.0005},
		{"equal", equal(100), 110, 2, 0, 0},
		{"decorrelated, fewest gaps", decorrelated(40), 40, 2, 0, 0},
		{"decorrelated", decorrelated(40), 110, 2, 0, 0},
		{"give or take 20 %, fewest gaps", around(100, 0.2), 40, 2, 0, 0.001},
		{"give or take 20 %", around(100, 0.2), 110, 2, 0, 0},
		{"give or take 10 %", around(100, 0.1), 110, 2, 0, 0.05},
		{"none, fewest gaps", exponential(80), 40, 2, 0.999, 1},
		{"none", exponential(80), 110, 2, 0.999, 1},
		{"none, short", fixed(50), 110, 4, 0.97, 1},
		{"none, long", fixed(200), 110, 4, 0.999, 1},
		// What a busy loop hides is not held against anybody.
		{"none, on a loop that is late by 10 ms", exponential(80), 110, 10, 0, 0.05},
		{"full, on a loop that is late by 10 ms", full(80), 110, 10, 0, 0},
		{"equal, on a loop that is late by 10 ms", equal(100), 110, 10, 0, 0.0005},
		{"too few", exponential(80), 39, 2, 0, 0},
		{"at once", fixed(0), 110, 2, 0, 0},
	} {
		rate := rateOf(tt.policy, tt.gaps+together, 0, tt.loop, is)
		assert.GreaterOrEqual(t, rate, tt.least, tt.name)
		assert.LessOrEqual(t, rate, tt.most, tt.name)
	}
}

func TestNoBackoffErrorRates(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name          string
		policy        policy
		first, second int
		least, most   float64
	}{
		{"full, fewest", full(80), 40, 20, 0, 0.001},
		{"full", full(80), 110, 30, 0, 0.0005},
		{"equal, fewest", equal(100), 40, 20, 0, 0},
		{"decorrelated, fewest", decorrelated(40), 40, 20, 0, 0.003},
		{"decorrelated", decorrelated(40), 110, 30, 0, 0.0005},
		{"doubling", exponential(80), 40, 20, 0, 0},
		{"fixed, fewest", fixed(50), 40, 20, 0.99, 1},
		{"fixed", fixed(100), 110, 30, 0.999, 1},
		{"at once", fixed(0), 110, 30, 0.99, 1},
		// Random without growth is not accused; it costs points.
		{"random, not growing", atRandom(100), 110, 30, 0, 0.06},
		{"too few", fixed(100), 110, 19, 0, 0},
	} {
		rate := rateOf(tt.policy, tt.first, tt.second, 2, noBackoff)
		assert.GreaterOrEqual(t, rate, tt.least, tt.name)
		assert.LessOrEqual(t, rate, tt.most, tt.name)
	}
}

// TestPointsOfHonestPolicies: how far chance moves the figures that points are given for.
func TestPointsOfHonestPolicies(t *testing.T) {
	t.Parallel()
	spreadOf := func(least float64) func(gaps) bool {
		return func(g gaps) bool { return relativeSpread(g.First) >= least }
	}
	growthOf := func(least float64) func(gaps) bool { return func(g gaps) bool { return growth(g) >= least } }
	for name, p := range map[string]policy{"full": full(80), "equal": equal(100), "decorrelated": decorrelated(40)} {
		assert.GreaterOrEqual(t, rateOf(p, 110, 30, 2, spreadOf(0.2)), 0.9, "all points for spread: %s", name)
		assert.GreaterOrEqual(t, rateOf(p, 110, 30, 2, growthOf(1.5)), 0.7, "all points for growth: %s", name)
		assert.GreaterOrEqual(t, rateOf(p, 110, 30, 2, growthOf(1.3)), 0.97, "more than half of them: %s", name)
	}
	assert.LessOrEqual(t, rateOf(exponential(80), 110, 30, 2, spreadOf(0.1)), 0.001)
	assert.LessOrEqual(t, rateOf(fixed(80), 110, 30, 2, growthOf(1.1)), 0.001)
}

// TestPeakAfterACommonFailure has 50 retries after three common failures: what a service sees of them at once, against the reference.
func TestPeakAfterACommonFailure(t *testing.T) {
	t.Parallel()
	of := func(p policy, seed uint64) float64 {
		return peak(p.sample(rand.New(rand.NewPCG(seed, 7)), 50, 0, 4).First)
	}
	rate := func(p policy, is func(ratio float64) bool) float64 {
		n := 0
		for i := range uint64(trials) {
			if is(of(p, i) / of(full(80), i+trials)) {
				n++
			}
		}
		return float64(n) / trials
	}
	within := func(r float64) bool { return r <= 2 }
	assert.GreaterOrEqual(t, rate(full(80), within), 0.999)
	assert.GreaterOrEqual(t, rate(decorrelated(40), within), 0.999)
	assert.GreaterOrEqual(t, rate(equal(100), within), 0.97)
	assert.LessOrEqual(t, rate(exponential(80), within), 0.001)
	assert.LessOrEqual(t, rate(fixed(50), within), 0.001)
}

// TestNoFalseAlarm judges what the reference and the alternative do, 200 runs of each.
func TestNoFalseAlarm(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]policy{"reference": full(80), "alternative": decorrelated(40)} {
		for i := range uint64(200) {
			rng := rand.New(rand.NewPCG(i, 99))
			g := p.sample(rng, 100+rng.IntN(80), 20+rng.IntN(30), 1+3*rng.Float64())
			var n tally
			for range 1000 {
				n.add(bounded(rng, 0.3+0.7*rng.Float64()))
			}
			assert.False(t, noJitter(g.First, g.First[:50]) || noBackoff(g) || n.storm(), "%s, run %d", name, i)
			assert.Positive(t, n.exhausted, "the test would see a storm")
		}
	}
}

// bounded are the calls of a page by a client that stops after three, of which each fails with a chance.
func bounded(rng *rand.Rand, failing float64) []attempt {
	var list []attempt
	for range mostTries {
		failed := rng.Float64() < failing
		list = append(list, attempt{failed: failed})
		if !failed {
			break
		}
	}
	return list
}

// TestStorm: a client without a bound goes on for as long as it has time. It needs 20 such pages, and no other page hides them.
func TestStorm(t *testing.T) {
	t.Parallel()
	failed := func(n int) []attempt {
		list := make([]attempt, n)
		for i := range list {
			list[i].failed = true
		}
		return list
	}
	fill := func(short, exhausted, beyond int) tally {
		var n tally
		for range short {
			n.add(failed(2))
		}
		for range exhausted {
			n.add(failed(3))
		}
		for range beyond {
			n.add(failed(9))
		}
		return n
	}
	assert.True(t, fill(1000, 0, 20).storm())
	assert.False(t, fill(0, 0, 19).storm(), "too few to be a habit")
	assert.False(t, fill(0, 100, 24).storm(), "a budget that is rarely exceeded")
	assert.True(t, fill(0, 75, 25).storm())
	var n tally
	n.add(append(failed(2), attempt{}, attempt{}))
	assert.Zero(t, n.exhausted, "the third call succeeded: a fourth one is no retry")
}

func TestGapsOfOnePage(t *testing.T) {
	t.Parallel()
	var g gaps
	g.add([]attempt{{0, 10, true}, {60, 70, true}, {170, 180, true}, {400, 410, true}})
	assert.Equal(t, gaps{First: []int64{50}, Second: []int64{100}}, g)
	g = gaps{}
	g.add([]attempt{{0, 10, false}, {60, 70, true}})
	g.add([]attempt{{0, 100, true}, {60, 70, true}}) // hedged
	g.add([]attempt{{0, -1, true}, {60, 70, true}})  // never ended
	g.add([]attempt{{0, 10, true}})
	assert.Empty(t, g.First)
}

func TestFiguresOfFew(t *testing.T) {
	t.Parallel()
	assert.InDelta(t, 5, quantileOf([]int64{5}, 0.9), 0)
	assert.InDelta(t, 2.5, quantileOf([]int64{1, 2, 3, 4}, 0.5), 0)
	assert.InDelta(t, 1, peak([]int64{5_000}), 0)
	assert.InDelta(t, 0.5, peak([]int64{0, 20_000, 25_000, 50_000}), 0)
	assert.InDelta(t, 5.5, middle([]int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 1000}), 0)
	assert.InDelta(t, 0, relativeSpread([]int64{5_000, 1, 9_000}), 0, "at once")
}
