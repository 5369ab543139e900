package grading

import (
	"crypto/sha256"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

const (
	// draws is how often the grading is drawn again. 5 % of it are 25 draws, so a bound is good to about a tenth of a
	// standard deviation; more would cost time and only look more precise.
	draws = 500
	// enoughPairs is the number of pairs from which on the runs themselves say how much they differ.
	enoughPairs = 3
	// tail is what lies outside on either side of a 90 % interval.
	tail = 0.05
)

// interval is where the score would likely fall again, and the same for each criterion's score.
type interval struct {
	low, high float64 // 0…100, capped
	method    string
	criteria  [][2]float64 // 0…1, in the order of the criteria
}

// drawInterval draws the grading again many times and takes the middle 90 %.
//
// Only criteria that compare with the reference vary. Their ratios are drawn on the logarithmic scale: from three pairs
// on by a bootstrap (the median of pairs drawn with replacement, the same pairs for every criterion, since they ran
// together), else from a normal distribution with the documented noise of the metrics. The same distribution stands in
// where the pairs happen to agree better than that noise, so that luck does not pass for precision (§5.4).
//
// The draws come from the grading's own seed: the same evidence gives the same interval, bit for bit.
func (e *evaluation) drawInterval() error {
	seed := sha256.Sum256([]byte("interval\x00" + e.ev.Challenge.ID + "\x00" + e.ev.Seed.Value))
	rng := rand.New(rand.NewChaCha8(seed))
	totals := make([]float64, draws)
	scores := make([][]float64, len(e.criteria))
	for i := range scores {
		scores[i] = make([]float64, draws)
	}
	known := make([]map[float64]float64, len(e.criteria))
	for i := range known {
		known[i] = map[float64]float64{}
	}
	for d := range draws {
		picks := make([]float64, e.mostPairs())
		for i := range picks {
			picks[i] = rng.Float64()
		}
		for i := range e.criteria {
			c := &e.criteria[i]
			gauss := rng.NormFloat64() // drawn for every criterion, so that none shifts the others' draws
			score, err := c.draw(picks, gauss, known[i])
			if err != nil {
				return fmt.Errorf("draw criterion %s: %w", c.c.ID, err)
			}
			scores[i][d] = score
			totals[d] += 100 * c.weight * score
		}
		totals[d] = e.capped(totals[d])
	}
	e.interval.low, e.interval.high = middle(totals, e.score)
	for i := range e.criteria {
		low, high := middle(scores[i], e.criteria[i].score)
		e.interval.criteria = append(e.interval.criteria, [2]float64{low, high})
	}
	e.interval.method = e.method()
	e.straddle = e.straddles()
	return nil
}

// draw is the criterion's score in one drawing: picks choose among its pairs, gauss is a standard normal number. A
// bootstrap meets the same few medians again and again, so their scores are kept in known.
func (s *criterionState) draw(picks []float64, gauss float64, known map[float64]float64) (float64, error) {
	n := len(s.ratios)
	if n == 0 || s.value == nil || s.ref == nil {
		return s.score, nil
	}
	point, ok := ratio(*s.value, *s.ref, s.floor)
	if !ok {
		return s.score, nil
	}
	if !s.bootstrapped() {
		// The candidate's median of n runs varies, and so does the reference's of n+1.
		spread := s.noise * math.Sqrt(1/float64(n)+1/float64(n+1))
		return s.scoreAt(max(*s.ref, s.floor) * point * math.Exp(spread*gauss))
	}
	drawn := make([]float64, n)
	for i := range drawn {
		drawn[i] = math.Log(s.ratios[int(picks[i]*float64(n))])
	}
	logRatio := median(drawn)
	if score, ok := known[logRatio]; ok {
		return score, nil
	}
	score, err := s.scoreAt(max(*s.ref, s.floor) * math.Exp(logRatio))
	known[logRatio] = score
	return score, err
}

// bootstrapped says whether the pairs themselves tell how much the ratio varies.
func (s *criterionState) bootstrapped() bool {
	if len(s.ratios) < enoughPairs {
		return false
	}
	var sum, squares float64
	for _, r := range s.ratios {
		sum += math.Log(r)
	}
	mean := sum / float64(len(s.ratios))
	for _, r := range s.ratios {
		d := math.Log(r) - mean
		squares += d * d
	}
	return math.Sqrt(squares/float64(len(s.ratios)-1)) >= s.noise
}

func (e *evaluation) mostPairs() int {
	n := 0
	for i := range e.criteria {
		n = max(n, len(e.criteria[i].ratios))
	}
	return n
}

// method says in one sentence how the interval was found.
func (e *evaluation) method() string {
	pairs, least := 0, math.MaxInt
	for i := range e.criteria {
		if n := len(e.criteria[i].ratios); n > 0 {
			pairs, least = max(pairs, n), min(least, n)
		}
	}
	switch {
	case pairs == 0:
		return "Nothing that was compared with the reference varies, so the score has no spread."
	case pairs < enoughPairs:
		return fmt.Sprintf("90 %% interval from %s and the documented noise of each metric; fewer than %d pairs cannot "+
			"tell their own spread.", count(pairs, "paired run"), enoughPairs)
	case least < enoughPairs:
		return fmt.Sprintf("90 %% interval by bootstrap over up to %d paired runs; the documented noise of a metric where "+
			"it has fewer than %d pairs or they agree better than that.", pairs, enoughPairs)
	default:
		return fmt.Sprintf("90 %% interval by bootstrap over %d paired runs; the documented noise of a metric where they "+
			"agree better than that.", pairs)
	}
}

// middle returns the bounds of the middle 90 % of vs, widened where needed to hold the point itself. It sorts vs.
func middle(vs []float64, point float64) (low, high float64) {
	slices.Sort(vs)
	last := float64(len(vs) - 1)
	low, high = vs[int(tail*last)], vs[int(math.Ceil((1-tail)*last))]
	return min(low, point), max(high, point)
}
