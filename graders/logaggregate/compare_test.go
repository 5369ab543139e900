package logaggregate

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
)

// ofSize is a run and a truth of a plain file with a number of lines, whose program had a peak of MiB.
func ofSize(t *testing.T, scenario string, lines, peak int64) (evidence.Run, json.RawMessage) {
	t.Helper()
	tr := plainTruth()
	tr.Files[0].Want.Lines = lines
	run := perfect(t, tr)
	run.Scenario = scenario
	run.Executions[0].Usage.MemoryPeakBytes = peak << 20
	return run, encode(t, tr)
}

// curve is memory over 10 s, in MiB.
func curve(at func(share float64) float64) []evidence.Series {
	s := evidence.Series{Name: evidence.SeriesMemory, Unit: "bytes"}
	for i := range 200 {
		v := at(float64(i)/199) * (1 << 20)
		s.T, s.Min, s.Max = append(s.T, float64(i)/20), append(s.Min, v), append(s.Max, v+8<<20)
	}
	return []evidence.Series{s}
}

func TestMemoryBySize(t *testing.T) {
	t.Parallel()
	linear := func(x float64) float64 { return 40 + 60*x }
	tests := []struct {
		name   string
		small  int64 // MiB
		large  int64
		series []evidence.Series
		change func(large *evidence.Run)
		growth any // MiB; nil when absent
		found  bool
	}{
		{"constant", 50, 55, nil, nil, 5.0, false},
		{"shrinks", 60, 50, nil, nil, -10.0, false},
		{"grows with the lines", 45, 100, curve(linear), nil, 55.0, true},
		{"grows, without a curve", 45, 100, nil, nil, 55.0, true},
		{"settles early", 45, 100, curve(func(x float64) float64 { return min(40+600*x, 90) }), nil, 55.0, false},
		{"one peak at the end", 45, 100, curve(func(x float64) float64 {
			if x > 0.95 {
				return 100
			}
			return 45
		}), nil, 55.0, false},
		{"array that grows by half", 45, 100, curve(func(x float64) float64 {
			size := 1.0
			for size < 60*x {
				size *= 1.5
			}
			return 40 + size
		}), nil, 55.0, true},
		{"falls at the very end", 45, 100, curve(func(x float64) float64 {
			if x > 0.99 {
				return 0
			}
			return linear(x)
		}), nil, 55.0, true},
		{"died", 45, 240, nil, func(large *evidence.Run) { large.Executions[0].Exit = evidence.Exit{Status: evidence.OOMKilled} }, nil, false},
		{"crashed", 45, 240, nil, func(large *evidence.Run) { large.Executions[0].Exit.Code = 1 }, nil, false},
		{"not sampled", 45, 0, nil, nil, nil, false},
		{"not run", 45, 50, nil, func(large *evidence.Run) { large.Executions = nil }, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			small, smallTruth := ofSize(t, "small", 400_000, tt.small)
			large, largeTruth := ofSize(t, "main", 6_800_000, tt.large)
			large.Executions[0].Series = tt.series
			if tt.change != nil {
				tt.change(&large)
			}
			anomalies := packTruth()
			got, err := New().Compare(
				map[string]evidence.Run{"small": small, "main": large, "anomalies": perfect(t, anomalies)},
				map[string]json.RawMessage{"small": smallTruth, "main": largeTruth, "anomalies": encode(t, anomalies)})
			require.NoError(t, err)
			if tt.growth == nil {
				assert.Empty(t, got)
				return
			}
			require.Len(t, got, 1)
			m := got["main"]
			assert.InDelta(t, tt.growth, m.Values[metricMemGrowth]/(1<<20), 0.001)
			assert.InDelta(t, tt.growth.(float64)*(1<<20)/6_400_000, m.Values[metricMemPerLine], 0.001)
			if !tt.found {
				assert.Empty(t, m.Findings)
				return
			}
			require.Equal(t, []string{codeMemUnbounded}, codes(m))
			assert.Equal(t, "main", m.Findings[0].Scenario)
			assert.Contains(t, m.Findings[0].Detail, "45 MiB for 400,000 lines and 100 MiB for 6,800,000 lines: 9.0 bytes more")
		})
	}
}

func TestEveryLargerFileIsComparedWithTheSmallest(t *testing.T) {
	t.Parallel()
	runs, truths := map[string]evidence.Run{}, map[string]json.RawMessage{}
	for scenario, size := range map[string][2]int64{"small": {1000, 40}, "medium": {2000, 45}, "main": {3000, 50}} {
		runs[scenario], truths[scenario] = ofSize(t, scenario, size[0], size[1])
	}
	got, err := New().Compare(runs, truths)
	require.NoError(t, err)
	require.Len(t, got, 2)
	assert.InDelta(t, 5<<20, got["medium"].Values[metricMemGrowth], 0)
	assert.InDelta(t, 10<<20, got["main"].Values[metricMemGrowth], 0)
}

func TestCompareSadPaths(t *testing.T) {
	t.Parallel()
	run, tr := ofSize(t, "main", 1000, 40)
	got, err := New().Compare(map[string]evidence.Run{"main": run}, map[string]json.RawMessage{"main": tr})
	require.NoError(t, err)
	assert.Empty(t, got, "one size says nothing")
	got, err = New().Compare(map[string]evidence.Run{"a": run, "b": run}, map[string]json.RawMessage{"a": tr, "b": tr})
	require.NoError(t, err)
	assert.Empty(t, got, "the same size says nothing")
	_, err = New().Compare(map[string]evidence.Run{"main": run}, nil)
	require.ErrorContains(t, err, "read truth of main")
}

// TestShortRunsHaveNotSettled: V8 may still be growing when a run of a few million lines ends.
func TestShortRunsHaveNotSettled(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		lines, peak int64
		found       bool
	}{
		{1_700_000, 80, false},
		{1_700_000, 100, true},
		{6_800_000, 80, true},
	} {
		small, smallTruth := ofSize(t, "small", 100_000, 45)
		large, largeTruth := ofSize(t, "main", tt.lines, tt.peak)
		large.Executions[0].Series = curve(func(x float64) float64 { return 40 + 40*x })
		got, err := New().Compare(map[string]evidence.Run{"small": small, "main": large}, map[string]json.RawMessage{"small": smallTruth, "main": largeTruth})
		require.NoError(t, err)
		assert.Equal(t, tt.found, len(got["main"].Findings) == 1, "%+v", tt)
	}
}
