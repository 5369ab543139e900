package exportstream

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/graders/heartbeat"
	"github.com/assay-run/assay/internal/evidence"
)

func codes(m evidence.Measures) []string {
	list := []string{}
	for _, f := range m.Findings {
		list = append(list, f.Code)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// lost are the cases that are lost, by name.
func lost(m evidence.Measures) map[string]string {
	list := map[string]string{}
	for _, c := range m.Cases {
		if !c.Right {
			list[c.Name] = c.Detail
		}
	}
	return list
}

func TestReadersScenario(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		faults faults
		codes  []string
		check  func(t *testing.T, m evidence.Measures)
	}{
		{"good", faults{}, []string{}, func(t *testing.T, m evidence.Measures) {
			assert.Empty(t, lost(m))
			assert.InDelta(t, 1, m.Values[metricBytes], 0)
			assert.InDelta(t, 1, m.Values[metricClosed], 0)
			assert.InDelta(t, 1, m.Values[metricBegan], 0)
			assert.Greater(t, m.Values[metricServed], 0.8)
			assert.Positive(t, m.Values[metricRate])
			assert.Positive(t, m.Values[heartbeat.MetricP99])
			assert.Positive(t, m.Values[metricStart])
			assert.Positive(t, m.Values[metricHeld])
			assert.Less(t, m.Values[metricHeld], 1e6, "what the kernel holds is not its own")
		}},
		{"quotes everything", faults{quotesAll: true}, []string{}, func(t *testing.T, m evidence.Measures) {
			assert.Empty(t, lost(m))
		}},
		{"hoards", faults{hoards: true}, []string{}, func(t *testing.T, m evidence.Measures) {
			assert.Greater(t, m.Values[metricHeld], 1e6)
			assert.InDelta(t, 1, m.Values[metricBegan], 0)
		}},
		{"collects", faults{collects: true}, []string{}, func(t *testing.T, m evidence.Measures) {
			assert.Greater(t, m.Values[metricHeld], 1e6)
		}},
		{"leaks", faults{leaks: true}, []string{codeSourceLeak}, func(t *testing.T, m evidence.Measures) {
			assert.InDelta(t, 0, m.Values[metricClosed], 0)
			assert.InDelta(t, 1, m.Values[metricBytes], 0)
			assert.Contains(t, lost(m)["leaves"], "still open")
		}},
		{"no quotation marks", faults{unquoted: true}, []string{codeWrongOutput}, func(t *testing.T, m evidence.Measures) {
			assert.Less(t, m.Values[metricBytes], 1.0)
			assert.Contains(t, lost(m)["export/fast"], "In row ")
		}},
		{"trickles", faults{trickles: true}, []string{}, func(t *testing.T, m evidence.Measures) {
			assert.Less(t, m.Values[metricServed], 0.7)
			assert.Less(t, m.Values[metricRate], float64(1<<20))
		}},
		{"cuts off", faults{cutsSlow: true}, []string{}, func(t *testing.T, m evidence.Measures) {
			assert.Less(t, m.Values[metricServed], 0.7)
		}},
		{"dies", faults{dies: true}, []string{codeCrash}, func(t *testing.T, m evidence.Measures) {
			assert.Contains(t, m.Findings[0].Detail, "It ended by itself")
			assert.NotContains(t, m.Values, metricRate)
			assert.NotContains(t, m.Values, metricHeld, "nothing taken is no merit")
			assert.NotContains(t, m.Values, metricClosed)
		}},
		{"never ready", faults{silent: true}, []string{codeHang}, func(t *testing.T, m evidence.Measures) {
			assert.Contains(t, m.Findings[0].Detail, "GET /healthz")
			assert.NotContains(t, m.Values, metricStart)
			assert.InDelta(t, 0, m.Values[metricBytes], 0)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := graded(t, kindReaders, tt.faults)
			assert.Equal(t, tt.codes, codes(m), "%v", m.Findings)
			tt.check(t, m)
		})
	}
}

func TestContractScenario(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		faults faults
		codes  []string
		check  func(t *testing.T, m evidence.Measures)
	}{
		{"good", faults{}, []string{}, func(t *testing.T, m evidence.Measures) {
			assert.Empty(t, lost(m))
			assert.InDelta(t, 1, m.Values[metricBytes], 0)
			assert.InDelta(t, 1, m.Values[metricClosed], 0)
			assert.InDelta(t, 1, m.Values[metricVisible], 0)
			leaves := 0
			for _, c := range m.Cases {
				if strings.HasPrefix(c.Name, "leaves/") {
					leaves++
				}
			}
			assert.Equal(t, 8, leaves, "every client that left has been judged: none leaves before its source was asked")
		}},
		{"quotes everything", faults{quotesAll: true}, []string{}, func(t *testing.T, m evidence.Measures) {
			assert.Empty(t, lost(m))
		}},
		{"ends as if all were well", faults{truncates: true}, []string{codeTruncation}, func(t *testing.T, m evidence.Measures) {
			assert.InDelta(t, 0.25, m.Values[metricVisible], 0.01, "only what the status says is seen")
			assert.InDelta(t, 1, m.Values[metricBytes], 0)
		}},
		{"hangs when the source fails", faults{hangs: true}, []string{codeHang}, func(t *testing.T, m evidence.Measures) {
			assert.InDelta(t, 0.25, m.Values[metricVisible], 0.01)
			assert.Contains(t, lost(m), "failure/cut-csv")
			assert.Contains(t, lost(m), "failure/nonsense")
		}},
		{"leaks", faults{leaks: true}, []string{codeSourceLeak}, func(t *testing.T, m evidence.Measures) {
			assert.Less(t, m.Values[metricClosed], 0.5)
			assert.InDelta(t, 1, m.Values[metricVisible], 0)
		}},
		{"notices only when it writes", faults{deaf: true}, []string{codeSourceLeak}, func(t *testing.T, m evidence.Measures) {
			assert.Contains(t, lost(m), "leaves/leaves-early-csv")
			assert.Contains(t, lost(m), "leaves/leaves-silent-ndjson")
			assert.NotContains(t, lost(m), "leaves/leaves-running-csv")
		}},
		{"no quotation marks", faults{unquoted: true}, []string{codeWrongOutput}, func(t *testing.T, m evidence.Measures) {
			assert.Contains(t, lost(m), "export/nasty-csv")
			assert.NotContains(t, lost(m), "export/nasty-ndjson")
		}},
		{"leaves out the last row", faults{shorts: true}, []string{codeWrongOutput}, func(t *testing.T, m evidence.Measures) {
			assert.Contains(t, lost(m), "export/small-ndjson")
			assert.NotContains(t, lost(m), "export/none-csv")
		}},
		{"no content type", faults{typeless: true}, []string{}, func(t *testing.T, m evidence.Measures) {
			assert.Contains(t, lost(m)["export/small-csv"], "expected text/csv")
		}},
		{"errors are no problem documents", faults{plain: true}, []string{}, func(t *testing.T, m evidence.Measures) {
			assert.Contains(t, lost(m)["request/rows-text"], "expected application/problem+json")
			assert.Contains(t, lost(m), "failure/refused")
		}},
		{"dies", faults{dies: true}, []string{codeCrash}, func(t *testing.T, m evidence.Measures) {
			assert.InDelta(t, 0, m.Values[metricVisible], 0)
			assert.Equal(t, notAsked, lost(m)["export/after"])
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := graded(t, kindContract, tt.faults)
			assert.Equal(t, tt.codes, codes(m), "%v", m.Findings)
			tt.check(t, m)
		})
	}
}

func TestDriveRefusesForeignParams(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", "{}", `{"seed":"AAAA"}`} {
		_, err := New().Drive(t.Context(), nil, []byte(raw))
		require.Error(t, err, raw)
	}
}
