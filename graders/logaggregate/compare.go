package logaggregate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/assay-run/assay/graders/signs"
	"github.com/assay-run/assay/internal/evidence"
)

const (
	// unboundedBytes is from which growth on memory may depend on the size of the file. Programs with constant memory were
	// seen to differ by up to 14 MiB between a short and a long run, while V8 settles; in a container of 256 MiB by 4 MiB.
	unboundedBytes = 32 << 20
	// A run of fewer lines than settledLines may end before V8 and its allocator have settled, above all when the event loop never gets a
	// turn: a program that reads synchronously and keeps nothing was seen to grow by 32 MiB over 1.7 million lines, in two gradings of seven.
	settledLines     = 4_000_000
	unsettledAllowed = 16 << 20
	// risingShare is how much of that growth must still come between the second and the last sixth of the longer run. For a
	// program that keeps something of every line it is two thirds; one that has settled shows next to nothing.
	risingShare = 0.25
	// risingBuckets is how many points the curve needs to say that.
	risingBuckets = 60
)

// sized is a plain scenario with the memory of its run.
type sized struct {
	scenario string
	lines    int64
	peak     int64
	curve    *evidence.Series // of memory; nil when there is none
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
			list = append(list, sized{scenario, t.Files[0].Want.Lines, e.Usage.MemoryPeakBytes, e.Find(evidence.SeriesMemory)})
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
	allowed := int64(unboundedBytes)
	if large.lines < settledLines {
		allowed += unsettledAllowed
	}
	if bytes > allowed && rising(large.curve, risingShare*float64(bytes)) {
		m.Findings = []evidence.Finding{{
			Code: codeMemUnbounded, Scenario: large.scenario, Execution: mainExecution, AtSeconds: -1,
			Detail: fmt.Sprintf("It needed %s for %s lines and %s for %s lines: %.1f bytes more for each further line.",
				signs.Mebibytes(small.peak), signs.Number(small.lines), signs.Mebibytes(large.peak), signs.Number(large.lines), float64(bytes)/float64(lines)),
		}}
	}
	return m, true
}

// rising says whether a curve rises by more than an amount between its second and its last sixth. Without enough of a
// curve it cannot be ruled out.
func rising(curve *evidence.Series, by float64) bool {
	if curve == nil || len(curve.Min) < risingBuckets || len(curve.T) != len(curve.Min) {
		return true
	}
	begin, end := curve.T[0], curve.T[len(curve.T)-1]
	sixth := (end - begin) / 6
	return floor(curve, end-sixth, end)-floor(curve, begin+sixth, begin+2*sixth) > by
}

// floor is the median of the lower edge of a curve over some time: garbage comes and goes above it, and the few samples
// while the process ends do not matter.
func floor(curve *evidence.Series, from, to float64) float64 {
	var list []float64
	for i, t := range curve.T {
		if t >= from && t <= to {
			list = append(list, curve.Min[i])
		}
	}
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[len(list)/2]
}
