package fileio

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-run/assay/graders/condition"
	"github.com/assay-run/assay/graders/signs"
)

// The ways to compare.
const (
	compareExact   = "exact"
	compareText    = "text"
	compareTokens  = "tokens"
	compareNumbers = "numbers"
	compareLines   = "lines"
	compareJSON    = "json"
	compareCheck   = "check"
)

// differ says in one sentence how an output differs from what is expected; "" when it is right.
func differ(r rules, input, output, expected string) string {
	tolerance := defaultTolerance
	if r.Tolerance != nil {
		tolerance = *r.Tolerance
	}
	switch r.Compare {
	case compareExact:
		if output == expected {
			return ""
		}
		if lost := firstLine(lines(output), lines(expected)); lost != "" {
			return lost
		}
		return "It differs in white space at the end of a line or of the output, which counts here."
	case compareTokens:
		return firstToken(strings.Fields(output), strings.Fields(expected), func(got, want string) bool { return got == want })
	case compareNumbers:
		return firstToken(strings.Fields(output), strings.Fields(expected), func(got, want string) bool { return sameToken(got, want, tolerance) })
	case compareLines:
		return unordered(lines(output), lines(expected))
	case compareJSON:
		return differJSON(output, expected, tolerance)
	case compareCheck:
		return check(r.Check, input, output, expected)
	default:
		return firstLine(lines(output), lines(expected))
	}
}

// lines splits a text. White space at the end of lines, empty lines at the end and the form of line ends do not count.
func lines(text string) []string {
	list := strings.Split(text, "\n")
	for i, line := range list {
		list[i] = strings.TrimRight(line, " \t\r\v\f")
	}
	for len(list) > 0 && list[len(list)-1] == "" {
		list = list[:len(list)-1]
	}
	return list
}

func firstLine(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("Line %s is %s, expected %s.", signs.Number(int64(i+1)), quoted(got[i]), quoted(want[i]))
		}
	}
	return counts("line", len(got), len(want))
}

func firstToken(got, want []string, same func(got, want string) bool) string {
	for i := range min(len(got), len(want)) {
		if !same(got[i], want[i]) {
			return fmt.Sprintf("Word %s is %s, expected %s.", signs.Number(int64(i+1)), quoted(got[i]), quoted(want[i]))
		}
	}
	return counts("word", len(got), len(want))
}

func counts(what string, got, want int) string {
	if got == want {
		return ""
	}
	if got == 0 {
		return "The output is empty."
	}
	return fmt.Sprintf("It has %s %ss, expected %s.", signs.Number(int64(got)), what, signs.Number(int64(want)))
}

// unordered compares lines as a multiset.
func unordered(got, want []string) string {
	slices.Sort(got)
	slices.Sort(want)
	for i := range want {
		if i >= len(got) || got[i] > want[i] {
			return fmt.Sprintf("The line %s is missing.", quoted(want[i]))
		}
		if got[i] < want[i] {
			return fmt.Sprintf("The line %s is not expected, or not as often.", quoted(got[i]))
		}
	}
	return counts("line", len(got), len(want))
}

// decimal is what counts as a number: what strconv takes beyond it (0x1p4, inf, 1_000) does not.
var decimal = regexp.MustCompile(`^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$`)

// sameToken compares words, as numbers where both are.
func sameToken(got, want string, tolerance float64) bool {
	if got == want {
		return true
	}
	if !decimal.MatchString(got) || !decimal.MatchString(want) {
		return false
	}
	a, errA := strconv.ParseFloat(got, 64)
	b, errB := strconv.ParseFloat(want, 64)
	return errA == nil && errB == nil && near(a, b, tolerance)
}

// near says whether got is within the tolerance of want, absolutely or relatively.
func near(got, want, tolerance float64) bool {
	return math.Abs(got-want) <= tolerance*max(1, math.Abs(want))
}

func differJSON(output, expected string, tolerance float64) string {
	got, err := decode(output)
	if err != nil {
		return "The output is not JSON: " + quoted(err.Error()) + "."
	}
	want, err := decode(expected)
	if err != nil {
		return "The expected output is not JSON."
	}
	return unequal("$", got, want, tolerance)
}

// decode reads one JSON value. Numbers keep their digits.
func decode(text string) (any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something after the value")
	}
	return v, nil
}

// unequal says where two JSON values differ; path is that of the value, as $.a[0].
func unequal(path string, got, want any, tolerance float64) string {
	switch want := want.(type) {
	case map[string]any:
		m, ok := got.(map[string]any)
		if !ok {
			break
		}
		for _, key := range sortedKeys(want) {
			value, there := m[key]
			if !there {
				return fmt.Sprintf("%s has no %s.", quotedPath(path), quoted(key))
			}
			if lost := unequal(path+"."+key, value, want[key], tolerance); lost != "" {
				return lost
			}
		}
		for _, key := range sortedKeys(m) {
			if _, there := want[key]; !there {
				return fmt.Sprintf("%s has %s, which is not expected.", quotedPath(path), quoted(key))
			}
		}
		return ""
	case []any:
		list, ok := got.([]any)
		if !ok {
			break
		}
		for i := range min(len(list), len(want)) {
			if lost := unequal(fmt.Sprintf("%s[%d]", path, i), list[i], want[i], tolerance); lost != "" {
				return lost
			}
		}
		if len(list) != len(want) {
			return fmt.Sprintf("%s has %d entries, expected %d.", quotedPath(path), len(list), len(want))
		}
		return ""
	case json.Number:
		if n, ok := got.(json.Number); ok && sameToken(n.String(), want.String(), tolerance) {
			return ""
		}
	default:
		if got == want {
			return ""
		}
	}
	return fmt.Sprintf("%s is %s, expected %s.", quotedPath(path), jsonText(got), jsonText(want))
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func jsonText(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return "something else"
	}
	return signs.Quotable(shorten(string(data)))
}

// check evaluates the author's expression.
func check(source, input, output, expected string) string {
	e, err := condition.Bool(source, checkEnv("", "", ""))
	if err != nil {
		return "The expression that decides cannot be read: " + err.Error() + "."
	}
	yes, why := e.Holds(checkEnv(input, output, expected))
	switch {
	case yes:
		return ""
	case why != "":
		return fmt.Sprintf("The output does not have the form that is asked for (%s); it begins with %s.", signs.Quotable(why), quoted(output))
	}
	return fmt.Sprintf("The check of the challenge does not accept the output, which begins with %s.", quoted(output))
}

// checkEnv is what an expression may name.
func checkEnv(input, output, expected string) map[string]any {
	return map[string]any{"input": input, "output": output, "expected": expected}
}

// uses says whether an expression names a variable, or could.
func uses(source, name string) bool { return strings.Contains(source, name) }

// shownRunes bounds what of an output is shown.
const shownRunes = 80

func shorten(text string) string {
	if runes := []rune(text); len(runes) > shownRunes {
		return string(runes[:shownRunes]) + "…"
	}
	return text
}

func quoted(text string) string { return strconv.Quote(signs.Quotable(shorten(text))) }

func quotedPath(path string) string { return signs.Quotable(shorten(path)) }
