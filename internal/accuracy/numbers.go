package accuracy

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// Quantile is the smallest value that has at least the share q of all values at or below it (nearest rank); for a median of an
// even number, the mean of the two in the middle. It is not a number when there are no values.
func Quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if q == 0.5 && n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[min(n-1, max(0, int(math.Ceil(q*float64(n)))-1))]
}

// Spread is a list of figures in three.
type Spread struct {
	N      int     `json:"n"`
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
}

// SpreadOf sums up a list, which may be empty.
func SpreadOf(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	return Spread{N: len(values), Min: slices.Min(values), Median: Quantile(values, 0.5), Max: slices.Max(values)}
}

// Table is a head and rows of as many cells.
type Table struct {
	Head []string
	Rows [][]string
}

// Add appends a row; numbers are written as they are given.
func (t *Table) Add(cells ...string) { t.Rows = append(t.Rows, cells) }

// String is the table in Markdown, aligned for reading as it stands: words to the left, everything after the first column
// that looks like a figure to the right.
func (t *Table) String() string {
	widths := make([]int, len(t.Head))
	figures := make([]bool, len(t.Head))
	for i, h := range t.Head {
		widths[i] = max(3, utf8.RuneCountInString(h))
		figures[i] = len(t.Rows) > 0
		for _, row := range t.Rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
			figures[i] = figures[i] && (row[i] == "" || strings.ContainsAny(row[i][:1], "0123456789+-") || row[i] == "–")
		}
	}
	var b strings.Builder
	line := func(cells []string) {
		for i, c := range cells {
			gap := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c))
			if figures[i] {
				c = gap + c
			} else {
				c += gap
			}
			b.WriteString("| " + c + " ")
		}
		b.WriteString("|\n")
	}
	line(t.Head)
	for i, w := range widths {
		rule := strings.Repeat("-", w+2)
		if figures[i] {
			rule = rule[:w+1] + ":"
		}
		b.WriteString("|" + rule)
	}
	b.WriteString("|\n")
	for _, row := range t.Rows {
		line(row)
	}
	return b.String()
}

func digits(v float64, n int) string {
	if math.IsNaN(v) {
		return "–"
	}
	return fmt.Sprintf("%.*f", n, v)
}

func signed(v float64, n int) string {
	if math.IsNaN(v) {
		return "–"
	}
	return fmt.Sprintf("%+.*f", n, v)
}

// share is a part of a whole, like "7 of 10".
func share(part, whole int) string {
	if whole == 0 {
		return "–"
	}
	return fmt.Sprintf("%d of %d", part, whole)
}
