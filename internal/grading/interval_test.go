package grading

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-run/assay/internal/evidence"
)

// evaluated judges a story down to the evaluation.
func evaluated(t require.TestingT, s story) *evaluation {
	ev := s.grading()
	e, err := evaluate(testChallenge(), fakeKinds(), ev, &ev.Attempts[0])
	require.NoError(t, err)
	return e
}

// scored is the score of a candidate that is the same in every run, without the interval, which takes most of the time.
func scored(t require.TestingT, f figures) float64 {
	ev := story{candidate: always(f)}.grading()
	e, err := score(testChallenge(), fakeKinds(), ev, &ev.Attempts[0])
	require.NoError(t, err)
	return e.score
}

func TestIntervalMethods(t *testing.T) {
	t.Parallel()
	spread := func(_ string, pair int) figures {
		return with(func(f *figures) { f.speedMB = []float64{40, 50, 70}[pair] })
	}
	tests := []struct {
		name  string
		story story
		want  string
		wide  bool
	}{
		{"one pair", story{mode: "quick", candidate: always(with(func(f *figures) { f.speedMB = 50 }))},
			"from 1 paired run and the documented noise", true},
		{"three pairs that differ", story{candidate: spread}, "bootstrap over 3 paired runs", true},
		{"three pairs that agree by luck", story{candidate: always(with(func(f *figures) { f.speedMB = 50 }))},
			"bootstrap over 3 paired runs", true},
		{"full points do not vary", story{}, "bootstrap over 3 paired runs", false},
		{"nothing compared", story{candidate: always(died(evidence.Exited, "CRASH", "x"))}, "has no spread", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := evaluated(t, tt.story)
			assert.Contains(t, e.interval.method, tt.want)
			assert.True(t, strings.HasSuffix(e.interval.method, "."))
			if tt.wide {
				assert.Less(t, e.interval.low, e.score)
				assert.Greater(t, e.interval.high, e.score)
				assert.Less(t, e.interval.high-e.interval.low, 20.0, "only 20 points vary")
			} else {
				assert.InDelta(t, e.interval.low, e.interval.high, 0.5)
			}
		})
	}
}

func TestIntervalOfUnequalPairsComesFromTheRunsOfTheCriterion(t *testing.T) {
	t.Parallel()
	ch := testChallenge()
	ch.Criteria[1].Value = "small.mem.peak" // two pairs only, where main has three
	ev := story{candidate: always(with(func(f *figures) { f.memMB = 150 }))}.grading()
	e, err := evaluate(ch, fakeKinds(), ev, &ev.Attempts[0])
	require.NoError(t, err)
	assert.Len(t, e.criteria[1].ratios, 2)
	assert.Len(t, e.criteria[2].ratios, 3)
	assert.Contains(t, e.interval.method, "up to 3 paired runs")
}

func TestRatiosUseTheNeighbouringReferences(t *testing.T) {
	t.Parallel()
	// The machine gets slower from run to run, for both alike: the ratio of each pair stays near 1.
	speed := []float64{100, 90, 80, 70}
	fade := func(_ string, pair int) figures { return with(func(f *figures) { f.speedMB = speed[pair] }) }
	between := func(_ string, pair int) figures {
		return with(func(f *figures) {
			if pair < 3 {
				f.speedMB = (speed[pair] + speed[pair+1]) / 2
			}
		})
	}
	e := evaluated(t, story{reference: fade, candidate: between})
	require.Len(t, e.criteria[2].ratios, 3)
	for _, r := range e.criteria[2].ratios {
		assert.InDelta(t, 1, r, 1e-9)
	}
}

func TestBorderlineGetsTheBetterSide(t *testing.T) {
	t.Parallel()
	// Exactness 40 of 40, responsive 10, speed 0, memory just so that 65 lies within the noise.
	near := with(func(f *figures) { f.speedMB, f.memMB = 10, 80*2.0 })
	r := story{candidate: always(near)}.judge(t)
	require.Less(t, r.Score, 65.0)
	require.Less(t, r.Interval.Low, 65.0)
	require.GreaterOrEqual(t, r.Interval.High, 65.0)
	assert.True(t, r.Borderline)
	assert.Equal(t, Pass, r.Verdict)
	assert.Equal(t, "mid-like", r.Band)
	assert.Contains(t, r.Summary.Text, "the better side counts")

	practice := story{mode: "quick", candidate: always(near)}.judge(t)
	assert.False(t, practice.Borderline, "practice adds no pairs and decides nothing")
	assert.Equal(t, Fail, practice.Verdict)
}

func TestACapLeavesNoEdgeAboveIt(t *testing.T) {
	t.Parallel()
	r := story{candidate: always(with(func(f *figures) { f.sold, f.speedMB = 101, 50 }))}.judge(t)
	assert.InDelta(t, 25, r.Score, 0)
	assert.False(t, r.Borderline)
	assert.Equal(t, "junior-like", r.Band)
}

func TestBands(t *testing.T) {
	t.Parallel()
	for score, want := range map[float64]string{
		0: "below junior", 24.9: "below junior", 25: "junior-like", 49.9: "junior-like", 50: "mid-like",
		74.9: "mid-like", 75: "senior-like", 100: "senior-like",
	} {
		assert.Equal(t, want, bandName(score), "%v", score)
	}
}

// anyFigures draws a run that lived.
func anyFigures(t *rapid.T, label string) figures {
	return figures{
		exact:   rapid.SampledFrom([]float64{0, 0.5, 0.99, 1}).Draw(t, label+" exact"),
		memMB:   rapid.Float64Range(10, 400).Draw(t, label+" memory"),
		speedMB: rapid.Float64Range(1, 300).Draw(t, label+" speed"),
		hbMs:    rapid.Float64Range(0.5, 5000).Draw(t, label+" heartbeat"),
		sold:    rapid.Float64Range(0, 200).Draw(t, label+" sold"),
		exit:    evidence.Exit{Status: evidence.Exited},
	}
}

// someStories are examples of three different runs each. A judgement costs some ms, so properties of whole reports are
// checked on a handful of examples, those of scores alone on many.
func someStories() []story {
	example := rapid.Custom(func(t *rapid.T) []figures {
		return []figures{anyFigures(t, "0"), anyFigures(t, "1"), anyFigures(t, "2")}
	})
	var stories []story
	for seed := range 12 {
		runs := example.Example(seed)
		stories = append(stories, story{candidate: func(_ string, pair int) figures { return runs[pair] }})
	}
	return stories
}

func TestJudgeIsDeterministic(t *testing.T) {
	t.Parallel()
	for _, s := range someStories() {
		first, err := MarshalReport(s.judge(t))
		require.NoError(t, err)
		again, err := MarshalReport(s.judge(t))
		require.NoError(t, err)
		require.Equal(t, string(first), string(again))
	}
}

func TestScoreStaysWithinItsBounds(t *testing.T) {
	t.Parallel()
	for _, s := range someStories() {
		r := s.judge(t)
		require.GreaterOrEqual(t, r.Interval.Low, 0.0)
		require.LessOrEqual(t, r.Interval.Low, r.Score)
		require.LessOrEqual(t, r.Score, r.Interval.High)
		require.LessOrEqual(t, r.Interval.High, 100.0)
		if r.Cap != nil {
			require.LessOrEqual(t, r.Interval.High, r.Cap.Points)
		}
		for _, c := range r.Criteria {
			require.True(t, c.Low <= c.Score && c.Score <= c.High, c.ID)
		}
	}
}

// Improving one figure never lowers the score, as long as it opens no gate: a gate that is passed makes criteria count
// that were not assessed before, and what they show may be bad.
func TestImprovingAFigureNeverLowersTheScore(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := anyFigures(t, "candidate")
		better := f
		switch rapid.IntRange(0, 2).Draw(t, "which") {
		case 0:
			better.memMB *= rapid.Float64Range(0.1, 1).Draw(t, "memory")
		case 1:
			better.speedMB *= rapid.Float64Range(1, 10).Draw(t, "speed")
		default:
			better.hbMs *= rapid.Float64Range(0.1, 1).Draw(t, "heartbeat")
		}
		require.GreaterOrEqual(t, scored(t, better), scored(t, f))
	})
}

// Passing the gate on exactness itself never lowers the score either, in a challenge whose weights are sound: what is
// exact earns its own points.
func TestOpeningAGateKeepsTheScoreWhereTheOtherCriteriaDo(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		wrong := anyFigures(t, "candidate")
		wrong.exact = rapid.Float64Range(0, 0.99).Draw(t, "exact")
		right := wrong
		right.exact = 1
		require.GreaterOrEqual(t, scored(t, right), scored(t, wrong))
	})
}
