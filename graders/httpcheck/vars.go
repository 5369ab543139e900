package httpcheck

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/assay-run/assay/graders/condition"
	"github.com/assay-run/assay/graders/exchange"
	"github.com/assay-run/assay/graders/stubs"
)

// Variables that are always there.
const (
	VarRun   = "run"   // a text of 8 letters and digits that is new in every grading
	VarI     = "i"     // number of the repetition, from 1
	VarRound = "round" // number of the round, from 1
)

// Reserved says that a name has a meaning of its own.
func Reserved(name string) bool {
	return slices.Contains([]string{VarRun, VarI, VarRound, "status", "headers", "body", "text", "ms", "calls", "answers", "true", "false", "nil", "in", "not", "and", "or", "let", "if", "else"}, name)
}

// placeholder is {{name}} in texts.
var placeholder = regexp.MustCompile(`\{\{ *([A-Za-z][A-Za-z0-9]*) *\}\}`)

// maxVariable bounds what of a captured text goes into a request.
const maxVariable = 2000

// asText is a value in a text: texts as they are, everything else as JSON.
func asText(v any) string {
	text, ok := v.(string)
	if !ok {
		data, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		text = string(data)
	}
	return text[:min(len(text), maxVariable)]
}

// Fill replaces placeholders in a text.
func Fill(text string, vars map[string]any) string {
	return placeholder.ReplaceAllStringFunc(text, func(m string) string {
		return asText(vars[placeholder.FindStringSubmatch(m)[1]])
	})
}

// FillValue replaces placeholders in all texts of a JSON value. A text that is one placeholder and nothing else becomes the value itself.
func FillValue(v any, vars map[string]any) any {
	switch v := v.(type) {
	case string:
		if m := placeholder.FindStringSubmatch(v); m != nil && m[0] == v {
			return vars[m[1]]
		}
		return Fill(v, vars)
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = FillValue(item, vars)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			out[key] = FillValue(item, vars)
		}
		return out
	}
	return v
}

// Target makes a captured value harmless in a request line: what may not be there is percent-encoded.
func Target(path string) string {
	var b strings.Builder
	for i := range len(path) {
		if c := path[i]; c <= ' ' || c >= 0x7f {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	if !strings.HasPrefix(b.String(), "/") {
		return "/" + b.String()
	}
	return b.String()
}

// HeaderText makes a captured value harmless in a header.
func HeaderText(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, text)
}

// BodyText is a JSON value as it is sent; unlike asText it is whole.
func BodyText(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(data)
}

// AnswerVars are the variables of an answer with those captured before; nil for the shape alone.
func AnswerVars(a *exchange.Answer, captured map[string]any, calls map[string]stubs.Calls) map[string]any {
	vars := map[string]any{"status": 0, "headers": map[string]string{}, "body": any(nil), "text": "", "ms": 0.0, "calls": callVars(calls)}
	for name, value := range captured {
		vars[name] = value
	}
	if a == nil {
		return vars
	}
	vars["status"], vars["text"], vars["ms"] = a.Status, a.Body, (a.Got-a.Sent)*1e3
	headers := map[string]string{}
	for name, value := range a.Headers {
		headers[strings.ToLower(name)] = value
	}
	vars["headers"] = headers
	var body any
	if json.Unmarshal([]byte(a.Body), &body) == nil {
		vars["body"] = body
	}
	return vars
}

// callVars are the calls to upstreams for expressions: calls.PAYMENT_URL is a list.
func callVars(calls map[string]stubs.Calls) map[string][]map[string]any {
	out := map[string][]map[string]any{}
	for name, c := range calls {
		list := []map[string]any{}
		for _, call := range c.Seen {
			headers := map[string]string{}
			for k, v := range call.Header {
				headers[strings.ToLower(k)] = v
			}
			var body any
			_ = json.Unmarshal([]byte(call.Body), &body) // nil for what is no JSON
			list = append(list, map[string]any{
				"method": call.Method, "path": call.Path, "headers": headers, "body": body, "text": call.Body, "status": call.Status, "at": call.At,
			})
		}
		out[name] = list
	}
	return out
}

// Shape are the same variables for the compiler: what comes from a submission may be of any type.
func Shape(vars map[string]any) map[string]any {
	out := AnswerVars(nil, nil, nil)
	for name := range vars {
		if _, fixed := out[name]; !fixed {
			out[name] = nil
		}
	}
	return out
}

// Evaluate takes a value from an answer; nil when there is none.
func Evaluate(source string, vars map[string]any) any {
	e, err := condition.Value(source, Shape(vars))
	if err != nil {
		return nil // it was checked
	}
	v, _ := e.Get(vars)
	return v
}
