package httpcheck

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-run/assay/graders/condition"
	"github.com/assay-run/assay/graders/exchange"
	"github.com/assay-run/assay/graders/signs"
	"github.com/assay-run/assay/graders/stubs"
	"github.com/assay-run/assay/internal/schemas"
)

// Expect is what an answer must be.
type Expect struct {
	Status  any               `json:"status,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	JSON    any               `json:"json,omitempty"`
	Schema  any               `json:"schema,omitempty"`
	That    string            `json:"that,omitempty"`
	All     string            `json:"all,omitempty"`
}

// Wrong says in one sentence what is wrong with a complete answer; "" when nothing is. vars are the captured variables, calls what the
// upstreams had seen by then. What All asks of several answers is not looked at.
func (e *Expect) Wrong(a *exchange.Answer, vars map[string]any, calls map[string]stubs.Calls) string {
	if e == nil {
		if a.Status >= 500 {
			return fmt.Sprintf("Status %d.%s", a.Status, saying(a))
		}
		return ""
	}
	of := AnswerVars(a, vars, calls)
	for _, look := range []func() string{
		func() string { return e.status(a) },
		func() string { return e.headers(a, vars) },
		func() string { return e.json(of, vars) },
		func() string { return e.schema(a) },
		func() string { return e.that(of) },
	} {
		if lost := look(); lost != "" {
			return lost
		}
	}
	return ""
}

// saying quotes the body of an answer.
func saying(a *exchange.Answer) string {
	if a.Body == "" {
		return ""
	}
	return " It said " + quoted(a.Body) + "."
}

func (e *Expect) status(a *exchange.Answer) string {
	var allowed []any
	switch want := e.Status.(type) {
	case nil:
		return ""
	case []any:
		allowed = want
	default:
		allowed = []any{want}
	}
	var words []string
	for _, want := range allowed {
		switch want := want.(type) {
		case float64:
			if a.Status == int(want) {
				return ""
			}
			words = append(words, strconv.Itoa(int(want)))
		case string:
			if strings.HasPrefix(want, strconv.Itoa(a.Status/100)) {
				return ""
			}
			words = append(words, want)
		}
	}
	return fmt.Sprintf("Status %d, expected %s.%s", a.Status, strings.Join(words, " or "), saying(a))
}

func (e *Expect) headers(a *exchange.Answer, vars map[string]any) string {
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		got, there := a.Headers[name]
		if !there {
			got, there = a.Headers[http.CanonicalHeaderKey(name)]
		}
		if !there {
			return fmt.Sprintf("There is no header %s.", name)
		}
		if pattern, ok := regular(e.Headers[name]); ok {
			if re, err := regexp.Compile(pattern); err != nil || !re.MatchString(got) {
				return fmt.Sprintf("The header %s is %s, which does not match %s.", name, quoted(got), quoted(pattern))
			}
			continue
		}
		if want := Fill(e.Headers[name], vars); got != want {
			return fmt.Sprintf("The header %s is %s, expected %s.", name, quoted(got), quoted(want))
		}
	}
	return ""
}

// json says what of the expected JSON is not in the body.
func (e *Expect) json(of, vars map[string]any) string {
	if e.JSON == nil {
		return ""
	}
	if of["body"] == nil {
		return "The body is not JSON: " + quoted(fmt.Sprint(of["text"])) + "."
	}
	// Once through JSON, so that numbers are of one kind.
	var want any
	if err := json.Unmarshal([]byte(BodyText(FillValue(e.JSON, vars))), &want); err != nil {
		return "The expected body is not JSON."
	}
	return missing("the body", of["body"], want)
}

// missing says what of want is not in got: objects may have more keys, everything else must be equal.
func missing(where string, got, want any) string {
	switch want := want.(type) {
	case map[string]any:
		m, ok := got.(map[string]any)
		if !ok {
			break
		}
		for _, key := range slices.Sorted(maps.Keys(want)) {
			value, there := m[key]
			if !there {
				return fmt.Sprintf("%s has no %s.", upper(where), quoted(key))
			}
			if lost := missing(key+" in "+where, value, want[key]); lost != "" {
				return lost
			}
		}
		return ""
	case []any:
		list, ok := got.([]any)
		if !ok {
			break
		}
		if len(list) != len(want) {
			return fmt.Sprintf("%s has %d entries, expected %d.", upper(where), len(list), len(want))
		}
		for i := range want {
			if lost := missing(fmt.Sprintf("entry %d of %s", i+1, where), list[i], want[i]); lost != "" {
				return lost
			}
		}
		return ""
	default:
		if got == want {
			return ""
		}
	}
	return fmt.Sprintf("%s is %s, expected %s.", upper(where), short(BodyText(got)), short(BodyText(want)))
}

func upper(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

func (e *Expect) schema(a *exchange.Answer) string {
	schema, ok := e.Schema.(map[string]any)
	if !ok {
		return ""
	}
	compiled, err := CompileSchema(schema)
	if err != nil {
		return "The schema cannot be read."
	}
	doc, err := schemas.ParseJSON("body", []byte(a.Body))
	if err != nil {
		return "The body is not JSON: " + quoted(a.Body) + "."
	}
	if err := compiled.Check(doc); err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		_, message, _ := strings.Cut(first, ": ")
		return "The body does not have the form that is asked for: " + signs.Quotable(message) + "."
	}
	return ""
}

func (e *Expect) that(of map[string]any) string {
	if e.That == "" {
		return ""
	}
	c, err := condition.Bool(e.That, Shape(of))
	if err != nil {
		return "The condition cannot be read."
	}
	yes, why := c.Holds(of)
	switch {
	case yes:
		return ""
	case why != "":
		return fmt.Sprintf("%s does not hold (%s); the body is %s.", quoted(e.That), signs.Quotable(why), quoted(fmt.Sprint(of["text"])))
	}
	return fmt.Sprintf("%s does not hold; the body is %s.", quoted(e.That), quoted(fmt.Sprint(of["text"])))
}

// WrongTogether says what is wrong with several answers together; "" when nothing is.
func (e *Expect) WrongTogether(answers []*exchange.Answer, vars map[string]any, calls map[string]stubs.Calls) string {
	if e == nil || e.All == "" || len(answers) == 0 {
		return ""
	}
	list := []map[string]any{}
	for _, a := range answers {
		list = append(list, AnswerVars(a, nil, nil))
	}
	of := AnswerVars(answers[0], vars, calls)
	form := Shape(of)
	of["answers"], form["answers"] = list, list
	c, err := condition.Bool(e.All, form)
	if err != nil {
		return "The condition cannot be read."
	}
	if yes, why := c.Holds(of); !yes {
		if why != "" {
			why = " (" + signs.Quotable(why) + ")"
		}
		return fmt.Sprintf("Of %d answers together, %s does not hold%s.", len(answers), quoted(e.All), why)
	}
	return ""
}

// shownRunes bounds what of a submission's words is shown.
const shownRunes = 120

func short(text string) string {
	if runes := []rune(text); len(runes) > shownRunes {
		text = string(runes[:shownRunes]) + "…"
	}
	return signs.Quotable(text)
}

func quoted(text string) string { return strconv.Quote(short(text)) }
