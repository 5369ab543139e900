package report

import (
	"math"
	"strconv"
	"strings"

	"github.com/assay-run/assay/internal/grading"
)

// quantity writes v with its unit, in the same words as the sentences of the report.
func quantity(v float64, unit string) string {
	if !finite(v) {
		return "unknown"
	}
	return grading.FormatValue(v, unit)
}

// quantityPtr is quantity for a figure that may be missing.
func quantityPtr(v *float64, unit string) string {
	if v == nil {
		return ""
	}
	return quantity(*v, unit)
}

// ratioText keeps two decimals, which align in a column, as long as they mean something.
func ratioText(v *float64) string {
	if v == nil || !finite(*v) {
		return ""
	}
	if math.Abs(*v) >= 99.5 {
		return quantity(math.Round(*v), "count")
	}
	return strconv.FormatFloat(*v, 'f', 2, 64)
}

// significant writes three significant digits without trailing zeros; numbers from 1,000 keep their whole part.
func significant(v float64) string {
	if v == 0 {
		return "0"
	}
	places := 2 - int(math.Floor(math.Log10(math.Abs(v))))
	places = min(max(places, 0), 6)
	s := strconv.FormatFloat(v, 'f', places, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if s == "-0" {
		return "0"
	}
	return s
}

// points writes a score: whole when it is whole, else one decimal, so that 64.6 never looks like a pass at 65.
func points(v float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
}

// seconds writes a moment on a curve.
func seconds(v float64) string {
	if v >= 100 {
		return strconv.FormatFloat(v, 'f', 0, 64) + " s"
	}
	return strconv.FormatFloat(v, 'f', 1, 64) + " s"
}

// plural writes a number with its noun: "1 run", "3 runs".
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return quantity(float64(n), "count") + " " + many
}
