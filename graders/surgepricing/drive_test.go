package surgepricing

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

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

func lost(m evidence.Measures) []string {
	list := []string{}
	for _, c := range m.Cases {
		if !c.Right {
			list = append(list, c.Name+": "+c.Detail)
		}
	}
	return list
}

func TestRebuildScenario(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		faults faults
		codes  []string
		check  func(t *testing.T, m evidence.Measures)
	}{
		{"good", faults{}, []string{}, func(t *testing.T, m evidence.Measures) {
			assert.Empty(t, lost(m))
			assert.InDelta(t, 1, m.Values[metricCasesRight], 0)
			assert.InDelta(t, 0, m.Values[metricChecksums], 0)
			assert.InDelta(t, 0, m.Values[metricRefused], 0)
			assert.Positive(t, m.Values[heartbeat.MetricP99])
			assert.Positive(t, m.Values[metricQuoteP99])
			assert.Positive(t, m.Values[metricRebuildTime])
			assert.InDelta(t, 2e8, m.Values[metricCPU], 0)
			assert.Positive(t, m.Values[metricStart])
		}},
		{"blocks", faults{blocks: true}, []string{}, func(t *testing.T, m evidence.Measures) {
			assert.Empty(t, lost(m))
			assert.Greater(t, m.Values[heartbeat.MetricP99], 250e6, "five blocks of 300 ms one after the other")
			assert.Greater(t, m.Values[metricQuoteP99], 250e6)
		}},
		{"wrong checksum", faults{wrongSum: true}, []string{codeWrongOutput}, func(t *testing.T, m evidence.Measures) {
			assert.InDelta(t, 5, m.Values[metricChecksums], 0)
			assert.NotContains(t, m.Values, metricCPU)
		}},
		{"mixes two epochs", faults{mixed: true}, []string{codeWrongOutput}, func(t *testing.T, m evidence.Measures) {
			assert.Positive(t, m.Values[metricQuotesWrong])
			assert.InDelta(t, 0, m.Values[metricChecksums], 0)
		}},
		{"goes back", faults{goesBack: true}, []string{codeWrongOutput}, func(t *testing.T, m evidence.Measures) {
			assert.Contains(t, m.Findings[0].Detail, "after somebody had been told epoch")
		}},
		{"refuses", faults{refuses: true}, []string{}, func(t *testing.T, m evidence.Measures) {
			assert.InDelta(t, 5, m.Values[metricRefused], 0)
			assert.NotContains(t, m.Values, metricCPU)
		}},
		{"acknowledges early", faults{ackEarly: true}, []string{codeWrongOutput}, func(t *testing.T, m evidence.Measures) {
			assert.InDelta(t, 5, m.Values[metricChecksums], 0)
		}},
		{"dies", faults{dies: true}, []string{codeCrash}, func(t *testing.T, m evidence.Measures) {
			assert.Contains(t, m.Findings[0].Detail, "It ended by itself")
			assert.InDelta(t, 5, m.Values[metricRefused], 0)
		}},
		{"exits at once", faults{exits: true}, []string{codeCrash}, func(t *testing.T, m evidence.Measures) {
			assert.InDelta(t, 0, m.Values[heartbeat.MetricAnswered], 0)
			assert.NotContains(t, m.Values, metricStart)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := graded(t, kindRebuild, tt.faults, time.Minute)
			assert.Equal(t, tt.codes, codes(m), "%v", m.Findings)
			tt.check(t, m)
		})
	}
}

func TestBurstScenario(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		faults faults
		codes  []string
		check  func(t *testing.T, m evidence.Measures)
	}{
		{"good", faults{}, []string{}, func(t *testing.T, m evidence.Measures) {
			assert.Empty(t, lost(m))
			assert.InDelta(t, 1, m.Values[metricSurvived], 0)
			assert.InDelta(t, 1, m.Values[metricPolicy], 0)
		}},
		{"no limit", faults{noLimit: true}, []string{}, func(t *testing.T, m evidence.Measures) {
			assert.Less(t, m.Values[metricPolicy], 0.2)
			assert.InDelta(t, 1, m.Values[metricSurvived], 0)
		}},
		{"refuses all", faults{refuses: true}, []string{}, func(t *testing.T, m evidence.Measures) {
			assert.InDelta(t, 0, m.Values[metricPolicy], 0, "refusing is no merit when nothing is taken")
			assert.InDelta(t, 0, m.Values[metricSurvived], 0)
		}},
		{"a poisoned cell ends it", faults{poisonKill: true}, []string{codeHang}, func(t *testing.T, m evidence.Measures) {
			assert.InDelta(t, 0, m.Values[metricSurvived], 0)
		}},
		{"takes poisoned cells", faults{lenient: true}, []string{}, func(t *testing.T, m evidence.Measures) {
			assert.InDelta(t, 0, m.Values[metricQuotesWrong], 0, "quotes from a table that should not be are not wrong once more")
			assert.Equal(t, []string{"poison/poison-large: Status 200, expected 400.", "poison/poison-twice: Status 200, expected 400."}, lost(m))
		}},
		{"errors are no problem documents", faults{plainError: true}, []string{}, func(t *testing.T, m evidence.Measures) {
			assert.InDelta(t, 0, m.Values[metricPolicy], 0)
			assert.Less(t, m.Values[metricCasesRight], 0.9)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			limit := time.Minute
			if tt.faults.poisonKill {
				limit = 15 * time.Second // it waits for what never comes
			}
			m := graded(t, kindBurst, tt.faults, limit)
			assert.Equal(t, tt.codes, codes(m), "%v", m.Findings)
			tt.check(t, m)
		})
	}
}

func TestNeverReady(t *testing.T) {
	t.Parallel()
	m := graded(t, kindRebuild, faults{silent: true}, time.Minute)
	assert.Equal(t, []string{codeHang}, codes(m))
	assert.Contains(t, m.Findings[0].Detail, "GET /healthz")
}
