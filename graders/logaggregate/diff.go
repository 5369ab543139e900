package logaggregate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/assay-run/assay/graders/loggen"
	"github.com/assay-run/assay/graders/signs"
)

// difference is one part of a result that is wrong.
type difference struct {
	part   string
	detail string // e.g. "lines is 852,259, expected 854,284"
}

// compare lists what is wrong with a result, in the order of the contract.
func compare(got *result, want *loggen.Truth) []difference {
	var list []difference
	add := func(part, detail string) {
		if problem, ok := got.problems[part]; ok {
			detail = problem
		}
		if detail != "" {
			list = append(list, difference{part, detail})
		}
	}
	add(partLines, compareNumber(partLines, got.lines, want.Lines))
	add(partBad, compareNumber(partBad, got.bad, want.Bad))
	add(partServices, compareMaps(partServices, got.services, want.ByService, compareService))
	add(partHours, compareMaps(partHours, got.hours, want.ByHour, func(got, want int64) string {
		return fmt.Sprintf("is %s, expected %s", signs.Number(got), signs.Number(want))
	}))
	add(partSlowest, compareSlowest(got.slowest, want.Slowest))
	add(partCodePoints, compareNumber(partCodePoints, got.codePoints, want.MsgCodePoints))
	return list
}

func compareNumber(name string, got *int64, want int64) string {
	if got == nil || *got == want {
		return ""
	}
	return fmt.Sprintf("%s is %s, expected %s", name, signs.Number(*got), signs.Number(want))
}

// compareMaps describes the first key (in order) that differs, and how many more do.
func compareMaps[V comparable](name string, got, want map[string]V, describe func(got, want V) string) string {
	keys := map[string]bool{}
	for _, m := range []map[string]V{got, want} {
		for key := range m {
			g, ok := got[key]
			w, wanted := want[key]
			if !ok || !wanted || g != w {
				keys[key] = true
			}
		}
	}
	if len(keys) == 0 {
		return ""
	}
	first := slices.Min(slices.Collect(maps.Keys(keys)))
	detail := fmt.Sprintf("%s[%.40q] ", name, first)
	g, ok := got[first]
	w, wanted := want[first]
	switch {
	case !ok:
		detail += "is missing"
	case !wanted:
		detail += "should not be there"
	default:
		detail += describe(g, w)
	}
	if more := len(keys) - 1; more > 0 {
		detail += fmt.Sprintf(" (and %s more)", signs.Number(int64(more)))
	}
	return detail
}

// compareService names the figures that differ.
func compareService(got, want loggen.Service) string {
	var list []string
	for _, f := range []struct {
		name      string
		got, want int64
	}{
		{"count", got.Count, want.Count}, {"errors", got.Errors, want.Errors}, {"sumMs", got.SumMs, want.SumMs}, {"maxMs", got.MaxMs, want.MaxMs},
	} {
		if f.got != f.want {
			list = append(list, fmt.Sprintf("has %s %s, expected %s", f.name, signs.Number(f.got), signs.Number(f.want)))
		}
	}
	return strings.Join(list, ", ")
}

func compareSlowest(got, want []loggen.Slow) string {
	if slices.Equal(got, want) {
		return ""
	}
	sorted := func(list []loggen.Slow) []loggen.Slow {
		return slices.SortedFunc(slices.Values(list), func(a, b loggen.Slow) int {
			return cmp.Or(cmp.Compare(b.Ms, a.Ms), cmp.Compare(a.ID, b.ID))
		})
	}
	if slices.Equal(sorted(got), want) {
		return "slowest has the right entries in the wrong order"
	}
	if len(got) != len(want) {
		return fmt.Sprintf("slowest has %d entries, expected %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			return fmt.Sprintf("slowest entry %d is %.40q with %s ms, expected %.40q with %s ms", i+1, got[i].ID, signs.Number(got[i].Ms), want[i].ID, signs.Number(want[i].Ms))
		}
	}
	return ""
}
