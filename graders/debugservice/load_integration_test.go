//go:build integration

package debugservice

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
)

// TestLoad puts the load on the service without causes and on four forms: in each of these more wait longer and fewer are answered, and none is
// answered otherwise.
func TestLoad(t *testing.T) {
	figures := func(causes []string) map[string]float64 {
		files, _, err := set(t).With(causes)
		require.NoError(t, err)
		e, f := driven(t, files, params{Kind: kindLoad, Rate: 100, OpenNs: 5 * time.Second, FullNs: 2 * time.Second})
		assert.Equal(t, f.Load.Due, f.Load.Good, "every answer fits into what a load reads")
		text, err := json.Marshal(truth{Kind: kindLoad, Answers: answers()})
		require.NoError(t, err)
		m, err := New().Measure(evidence.Run{Scenario: "load", Executions: []evidence.Execution{e}}, text)
		require.NoError(t, err)
		assert.Empty(t, m.Findings)
		assert.InDelta(t, 0, m.Values[metricWrong], 0)
		t.Logf("%v: wait p50 %.1f ms, p95 %.1f ms, %.0f a second, %.2f ms of CPU each", causes,
			m.Values[metricP50]/1e6, m.Values[metricP95]/1e6, m.Values[metricRate], m.Values[metricCPU]/1e6)
		return m.Values
	}
	good := figures(nil)
	for _, form := range []int{0, 85, 170, 255} {
		slow := figures(set(t).Causes(form))
		assert.Greater(t, slow[metricP95], 2*good[metricP95], "form %d", form)
		assert.Less(t, slow[metricRate], good[metricRate], "form %d", form)
	}
}
