package schemas

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Problem is one mistake in a document: where it is, what was found and what is allowed.
type Problem struct { //nolint:errname // it is a mistake in a document first, and an error only when it is returned alone
	File string
	Position
	Message string
}

// Error returns "file:line:column: message".
func (p Problem) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
}

// Problems are all mistakes of a document, in the order in which they stand there.
type Problems []Problem //nolint:errname // as Problem

// Error returns one line a problem, and says how many there are beyond the first 20.
func (p Problems) Error() string {
	lines := make([]string, 0, maxListed+1)
	for _, problem := range p[:min(len(p), maxListed)] {
		lines = append(lines, problem.Error())
	}
	if more := len(p) - maxListed; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "\n")
}

// Sort puts the problems into the order of the document.
func (p Problems) Sort() {
	slices.SortFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
}

// OrNil returns the problems as an error, sorted, and nil when there are none.
func (p Problems) OrNil() error {
	if len(p) == 0 {
		return nil
	}
	p.Sort()
	return p
}

// Bounds of a message.
const (
	maxListed  = 20
	maxQuoted  = 60
	maxChoices = 12
)

// Quote quotes text from a document for a message: control characters escaped, length bounded.
func Quote(text string) string {
	if utf8.RuneCountInString(text) > maxQuoted {
		text = string([]rune(text)[:maxQuoted]) + "…"
	}
	return strconv.Quote(text)
}

// Choices ends a message about an unknown name: what was probably meant, and what is allowed.
func Choices(found string, allowed []string) string {
	if len(allowed) == 0 {
		return ""
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(allowed)))
	list := strings.Join(sorted[:min(len(sorted), maxChoices)], ", ")
	if more := len(sorted) - maxChoices; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	if near := nearest(found, sorted); near != "" {
		return fmt.Sprintf("; did you mean %s? (allowed: %s)", near, list)
	}
	return "; allowed: " + list
}

// Nearest returns the name that is a small typing mistake away from found, or nothing.
func Nearest(found string, names []string) string { return nearest(found, names) }

// nearest returns the name that is a small typing mistake away from found, or nothing. Between very short names every
// other one is near.
func nearest(found string, names []string) string {
	if utf8.RuneCountInString(found) < 3 {
		return ""
	}
	best, bestDistance := "", max(1, min(3, (utf8.RuneCountInString(found)+2)/4))+1
	for _, name := range names {
		if d := distance(strings.ToLower(found), strings.ToLower(name)); d < bestDistance {
			best, bestDistance = name, d
		}
	}
	return best
}

// distance is the Damerau-Levenshtein distance of two names (optimal string alignment). Long names are cut: they are
// no typing mistakes.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	x, y = x[:min(len(x), maxQuoted)], y[:min(len(y), maxQuoted)]
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := range x {
		row[0] = i + 1
		for j := range y {
			change := 1
			if x[i] == y[j] {
				change = 0
			}
			row[j+1] = min(last[j]+change, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(y)]
}
