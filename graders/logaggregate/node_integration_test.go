//go:build integration

package logaggregate

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
)

const solutions = "../../challenges/log-aggregate/solutions"

// nodeRun drives a bundled solution on the Node of this machine.
func nodeRun(t *testing.T, p prepared, entry string) evidence.Run {
	t.Helper()
	argv := []string{"node", "--max-old-space-size=190", filepath.Join(solutions, entry)}
	pod := newHostPod(t, p.DataDir, argv...)
	e, err := New().Drive(t.Context(), pod, p.Params)
	require.NoError(t, err)
	return evidence.Run{Scenario: "main", Executions: e}
}

func TestTry(t *testing.T) {
	cache := t.TempDir()
	entries := []string{"reference/src/main.mjs", "ref-min/src/main.mjs", "flawed/split-no-boundary/src/main.mjs", "flawed/utf8-per-chunk/src/main.mjs", "flawed/readsync-loop/src/main.mjs", "flawed/accumulate-one-number-per-line/src/main.mjs", "flawed/sync-parse-error-crash/src/main.mjs", "flawed/no-oversize-limit/src/main.mjs", "flawed/readline-accumulate/src/main.mjs"}
	for _, with := range []map[string]any{{"kind": "plain", "size": "16MiB"}, {"kind": "plain", "size": "256MiB"}, {"kind": "gzip", "size": "32MiB"}, {"kind": "anomalies"}} {
		p := prepareFor(t, cache, with, 2*time.Minute)
		for _, entry := range entries {
			begin := time.Now()
			run := nodeRun(t, p, entry)
			m, err := New().Measure(run, p.Truth)
			require.NoError(t, err)
			t.Logf("%v %s %.1fs exact=%v cases=%.3f mem=%.0f MiB thr=%.0f MB/s hb p50 %.2f p99 %.2f max %.2f answered %.3f mono %v", with, entry, time.Since(begin).Seconds(),
				m.Values[metricExact], m.Values[metricCasesRight], m.Values[metricMemPeak]/(1<<20), m.Values[metricThroughput]/1e6, m.Values[metricHBP50]/1e6, m.Values[metricHBP99]/1e6, m.Values[metricHBMax]/1e6, m.Values[metricHBAnswered], m.Values[metricMonotonic])
			for _, c := range m.Cases {
				if !c.Right {
					t.Logf("    lost %s: %.200s", c.Name, c.Detail)
				}
			}
			for _, f := range m.Findings {
				t.Logf("    %s %s: %.200s", f.Code, f.Execution, f.Detail)
			}
		}
	}
}
