package logaggregate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/assay-run/assay/internal/evidence"
)

// unboundedBytes is from which growth on memory depends on the size of the file. Programs with constant memory differ by
// up to about half of it between a short and a long run, because V8 takes time to settle (see the test with real programs).
const unboundedBytes = 32 << 20

// sized is a plain scenario with the memory of its run.
type sized struct {
	scenario string
	lines    int64
	peak     int64
}

// Compare implements graders.Grader: memory by size of the file, over the plain scenarios whose program ended by itself with
// code 0. Every larger file is compared with the smallest one.
func (*Grader) Compare(runs map[string]evidence.Run, truths map[string]json.RawMessage) (map[string]evidence.Measures, error) {
	var list []sized
	for scenario, run := range runs {
		var t truth
		if err := json.Unmarshal(truths[scenario], &t); err != nil {
			return nil, fmt.Errorf("read truth of %s: %w", scenario, err)
		}
		if t.Kind != kindPlain || len(t.Files) != 1 || t.Files[0].Want == nil || len(run.Executions) != 1 {
			continue
		}
		if e := &run.Executions[0]; e.Exit.OK() && e.Usage.MemoryPeakBytes > 0 {
			list = append(list, sized{scenario, t.Files[0].Want.Lines, e.Usage.MemoryPeakBytes})
		}
	}
	if len(list) < 2 {
		return nil, nil
	}
	slices.SortFunc(list, func(a, b sized) int {
		return cmp.Or(cmp.Compare(a.lines, b.lines), cmp.Compare(a.scenario, b.scenario))
	})
	out := map[string]evidence.Measures{}
	for _, s := range list[1:] {
		if m, ok := growth(list[0], s); ok {
			out[s.scenario] = m
		}
	}
	return out, nil
}

// growth compares a file with a smaller one.
func growth(small, large sized) (evidence.Measures, bool) {
	lines := large.lines - small.lines
	if lines <= 0 {
		return evidence.Measures{}, false
	}
	bytes := large.peak - small.peak
	m := evidence.Measures{Values: map[string]float64{
		metricMemGrowth:  float64(bytes),
		metricMemPerLine: float64(bytes) / float64(lines),
	}}
	if bytes > unboundedBytes {
		m.Findings = []evidence.Finding{{
			Code: codeMemUnbounded, Scenario: large.scenario, Execution: mainExecution, AtSeconds: -1,
			Detail: fmt.Sprintf("It needed %s for %s lines and %s for %s lines: %.1f bytes more for each further line.",
				mebibytes(small.peak), number(small.lines), mebibytes(large.peak), number(large.lines), float64(bytes)/float64(lines)),
		}}
	}
	return m, true
}
