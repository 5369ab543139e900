package resilienthome

import (
	"slices"

	"github.com/assay-run/assay/internal/evidence"
)

// codes are the reason codes of a run, sorted.
func codes(m evidence.Measures) []string {
	list := []string{}
	for _, f := range m.Findings {
		list = append(list, f.Code)
	}
	slices.Sort(list)
	return slices.Compact(list)
}
