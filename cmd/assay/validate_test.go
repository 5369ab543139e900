package main

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStability(t *testing.T) {
	t.Parallel()
	of := func(name, verdict string, score float64, codes ...string) fixtureResult {
		return fixtureResult{Challenge: "c", Fixture: name, Verdict: verdict, Score: score, Codes: codes}
	}
	invalid := of("b", "fail", 40, "HANG")
	invalid.Again = 2
	s := summarise([]fixtureResult{
		of("a", "invalid", 20, "INVALID_RUN"), of("a", "pass", 90), of("b", "fail", 38, "HANG"),
		of("a", "pass", 94.5), invalid,
		of("a", "fail", 60, "SLOW"), of("b", "fail", 40, "CRASH"),
		of("c", "invalid", 100, "INVALID_RUN"),
	}, false)
	assert.Equal(t, stability{
		Gradings: 8, Solutions: 3, ChangedVerdicts: 1, ChangedCodes: 2, Invalid: 4, LargestSpread: 34.5, SpreadOf: "c/a",
	}, s)
	s.Neighbour = true
	assert.Equal(t, "8 gradings of 3 solutions beside a busy neighbour: 1 changed verdicts, 2 changed codes; "+
		"scores of one solution differ by 34.5 at most (c/a); 4 invalid gradings.", s.sentence())
}

func TestFlawedBeatsTheReference(t *testing.T) {
	t.Parallel()
	scores := map[string]float64{"reference": 90}
	for score, problems := range map[float64]int{80: 0, 90.9: 0, 92: 1} {
		r := fixtureResult{Kind: "flawed", Score: score}
		r.checkOrder(scores)
		assert.Len(t, r.Problems, problems, "%v", score)
	}
	r := fixtureResult{Kind: "alternative", Score: 99}
	r.checkOrder(scores)
	assert.Empty(t, r.Problems, "an honest solution may be better than ours")
}

func TestParity(t *testing.T) {
	t.Parallel()
	scores := map[string]float64{}
	for _, tt := range []struct {
		score    float64
		problems int
	}{{96, 0}, {94, 0}, {99, 0}, {92.5, 1}} {
		r := fixtureResult{Kind: "parity", Score: tt.score}
		r.checkParity(scores)
		assert.Len(t, r.Problems, tt.problems, "%v", tt.score)
	}
}

func TestOtherCores(t *testing.T) {
	t.Parallel()
	assert.Equal(t, []string{"0"}, otherCores(2, "1"))
	assert.Equal(t, []string{"0", "1", "4"}, otherCores(6, "2-3,5"))
	assert.Empty(t, otherCores(1, "0"))
}

func TestNeighbourEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.NoError(t, keepBusy(ctx, []string{"0"}))
	require.ErrorContains(t, keepBusy(ctx, []string{"x"}), `core "x" is no number`)
}
