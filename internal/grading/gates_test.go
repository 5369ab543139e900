package grading

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/internal/evidence"
)

func TestJudgeGates(t *testing.T) {
	t.Parallel()
	passed, failed := gateState{judged: true, passed: true}, gateState{judged: true}
	blocked := func(by string) gateState { return gateState{blocker: by} }
	// c needs b, which needs a; they stand in the wrong order on purpose.
	gates := []challenges.Gate{
		{ID: "c", When: "main.c < 1", Needs: []string{"b"}},
		{ID: "b", When: "main.b < 1", Needs: []string{"a"}},
		{ID: "a", When: `main.a < 1 or code("CRASH")`},
	}
	tests := []struct {
		name    string
		metrics map[string]float64
		codes   map[string]bool
		want    map[string]gateState
	}{
		{"all pass", map[string]float64{"a": 1, "b": 1, "c": 1}, nil, map[string]gateState{"a": passed, "b": passed, "c": passed}},
		{"the last fails", map[string]float64{"a": 1, "b": 1, "c": 0}, nil, map[string]gateState{"a": passed, "b": passed, "c": failed}},
		{"the middle fails", map[string]float64{"a": 1, "b": 0, "c": 1}, nil, map[string]gateState{"a": passed, "b": failed, "c": blocked("b")}},
		{"the first fails", map[string]float64{"a": 0, "b": 0, "c": 1}, nil, map[string]gateState{"a": failed, "b": blocked("a"), "c": blocked("a")}},
		{"by its code", map[string]float64{"a": 1, "b": 1, "c": 1}, map[string]bool{"CRASH": true}, map[string]gateState{"a": failed, "b": blocked("a"), "c": blocked("a")}},
		{"a missing figure fails", map[string]float64{"a": 1, "c": 1}, nil, map[string]gateState{"a": passed, "b": failed, "c": blocked("b")}},
		{"nothing is measured", nil, nil, map[string]gateState{"a": failed, "b": blocked("a"), "c": blocked("a")}},
	}
	docs := []evidence.MetricDoc{{Name: "a"}, {Name: "b"}, {Name: "c"}}
	when := map[string]*challenges.Expression{}
	for _, g := range gates {
		x, err := challenges.CompileBool(g.When, challenges.Scope{Scenarios: map[string][]evidence.MetricDoc{"main": docs}})
		require.NoError(t, err)
		when[g.ID] = x
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			env := challenges.Env{Metrics: map[string]map[string]float64{"main": tt.metrics}, Codes: tt.codes}
			got, err := judgeGates(gates, when, env)
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestGateCaps(t *testing.T) {
	t.Parallel()
	assert.InDelta(t, 40, gateCap("core"), 0)
	assert.InDelta(t, 25, gateCap("safety"), 0)
}
