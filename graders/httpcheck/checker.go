package httpcheck

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/assay-run/assay/graders/condition"
	"github.com/assay-run/assay/graders/settings"
	"github.com/assay-run/assay/internal/schemas"
)

// maxSchema bounds the file of a schema.
const maxSchema = 256 << 10

// Checker collects mistakes in settings.
type Checker struct {
	errs []error
}

// Wrong notes a mistake in the setting at a path.
func (c *Checker) Wrong(at []any, format string, args ...any) {
	c.errs = append(c.errs, settings.Wrong(at, format, args...))
}

// Under is a longer path.
func Under(at []any, steps ...any) []any { return append(slices.Clip(at), steps...) }

// Err are all mistakes, nil when there are none.
func (c *Checker) Err() error { return errors.Join(c.errs...) }

// Failed says whether there are any.
func (c *Checker) Failed() bool { return len(c.errs) > 0 }

// Expect checks what is expected of an answer; names are the variables that are known.
func (c *Checker) Expect(e *Expect, at []any, names []string) {
	if e == nil {
		return
	}
	vars := c.Vars(names)
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		if pattern, ok := regular(e.Headers[name]); ok {
			if _, err := regexp.Compile(pattern); err != nil {
				c.Wrong(Under(at, "headers", name), "%s is not a regular expression: %v", schemas.Quote(pattern), err)
			}
			continue
		}
		c.Placeholders(e.Headers[name], Under(at, "headers", name), names)
	}
	c.Values(e.JSON, Under(at, "json"), names)
	c.Expression(condition.Bool, e.That, Under(at, "that"), vars)
	if e.All != "" {
		all := maps.Clone(vars)
		all["answers"] = []map[string]any{}
		c.Expression(condition.Bool, e.All, Under(at, "all"), all)
	}
	if inline, ok := e.Schema.(map[string]any); ok {
		if _, err := CompileSchema(inline); err != nil {
			c.Wrong(Under(at, "schema"), "%v", err)
		}
	}
}

// Expression checks that an expression can be compiled over variables of such types.
func (c *Checker) Expression(compile func(string, map[string]any) (*condition.Expression, error), source string, at []any, vars map[string]any) {
	if source == "" {
		return
	}
	for _, use := range headerUse.FindAllStringSubmatchIndex(source, -1) {
		offset, name := utf8.RuneCountInString(source[:use[2]]), source[use[4]:use[5]]
		quoted := source[use[4]-1] != '.'
		if wanted := strings.ToLower(name); wanted != name || !quoted && strings.Contains(name, "-") {
			c.errs = append(c.errs, &settings.Error{Path: at, Offset: offset, Message: fmt.Sprintf(
				"write headers[%q] in place of %s: names of headers have small letters here, and a hyphen is a minus outside of quotes",
				wanted, source[use[2]:use[1]])})
			return
		}
	}
	var syntax *condition.SyntaxError
	if _, err := compile(source, vars); errors.As(err, &syntax) {
		message := syntax.Message
		if _, unknown := vars[syntax.Unknown]; syntax.Unknown != "" && !unknown {
			message += "; a captured value is known in the steps below the one that captures it only"
		}
		c.errs = append(c.errs, &settings.Error{Path: at, Offset: syntax.Offset, Message: message})
	}
}

// headerUse is where an expression looks at a header of an answer or a call; a field of a body that is called headers is none.
var headerUse = regexp.MustCompile(`(?:^|[^\w.]|[^\w]\.)(headers(?:\[["']|\.)([A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*)(?:["']\])?)`)

// HeaderNames are the headers that an expression looks at, as HTTP writes them.
func HeaderNames(source string) []string {
	var names []string
	for _, use := range headerUse.FindAllStringSubmatch(source, -1) {
		names = append(names, http.CanonicalHeaderKey(use[2]))
	}
	return names
}

// Vars are the variables of an expression, with values of their types.
func (c *Checker) Vars(names []string) map[string]any {
	vars := AnswerVars(nil, nil, nil)
	for _, name := range names {
		vars[name] = any(nil)
	}
	return vars
}

// Placeholders refuses a {{name}} that nothing fills in.
func (c *Checker) Placeholders(text string, at []any, known []string) {
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		switch {
		case slices.Contains(known, m[1]):
		case m[1] == VarI:
			c.Wrong(at, "{{i}} counts the repetitions of a request: add times")
		case m[1] == VarRound:
			c.Wrong(at, "{{round}} counts rounds: it is known in the steps of rounds only")
		default:
			c.Wrong(at, "{{%s}} is not captured in a step above%s", m[1], schemas.Choices(m[1], known))
		}
	}
}

// Values does that for all texts of a JSON value.
func (c *Checker) Values(v any, at []any, known []string) {
	switch v := v.(type) {
	case string:
		c.Placeholders(v, at, known)
	case []any:
		for i, item := range v {
			c.Values(item, Under(at, i), known)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			c.Values(v[key], Under(at, key), known)
		}
	}
}

// ReadSchema reads a JSON Schema from the challenge's folder.
func ReadSchema(files fs.FS, name string) (map[string]any, error) {
	if !fs.ValidPath(name) {
		return nil, fmt.Errorf("%s is not a file of the challenge's folder; write it with / and without ..", schemas.Quote(name))
	}
	data, err := settings.ReadFile(files, name, maxSchema)
	if err != nil {
		return nil, err
	}
	var schema map[string]any
	if err := json.Unmarshal(data, &schema); err != nil {
		return nil, fmt.Errorf("%s is not JSON: %w", name, err)
	}
	if _, err := CompileSchema(schema); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return schema, nil
}

// CompileSchema compiles a JSON Schema for bodies.
func CompileSchema(schema map[string]any) (*schemas.Schema, error) {
	data, err := json.Marshal(schema)
	if err != nil {
		return nil, fmt.Errorf("write schema: %w", err)
	}
	compiled, err := schemas.Compile("answer.schema.json", data)
	if err != nil {
		line := strings.Join(strings.Fields(err.Error()), " ")
		return nil, errors.New(line)
	}
	return compiled, nil
}

// regular returns the regular expression of /…/.
func regular(text string) (string, bool) {
	if len(text) > 2 && strings.HasPrefix(text, "/") && strings.HasSuffix(text, "/") {
		return text[1 : len(text)-1], true
	}
	return "", false
}
