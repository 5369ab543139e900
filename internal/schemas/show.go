package schemas

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// steps turns the library's path into one with indexes as numbers, by what the value is.
func steps(value any, location []string) []any {
	path := make([]any, 0, len(location))
	for _, token := range location {
		switch v := value.(type) {
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(v) {
				return path
			}
			path, value = append(path, i), v[i]
		case map[string]any:
			path, value = append(path, token), v[token]
		default:
			return path
		}
	}
	return path
}

func lookup(value any, path []any) any {
	for _, step := range path {
		switch v := value.(type) {
		case []any:
			i, ok := step.(int)
			if !ok || i < 0 || i >= len(v) {
				return nil
			}
			value = v[i]
		case map[string]any:
			name, _ := step.(string)
			value = v[name]
		default:
			return nil
		}
	}
	return value
}

// pathName is a path as people read it, e.g. scenarios[0].id. That of a part of a file begins with the part's name.
func (d *Document) pathName(path []any) string {
	if len(path) > 0 && d.name != wholeFile {
		return PathName(append([]any{d.name}, path...))
	}
	if len(path) == 0 {
		return d.name
	}
	return PathName(path)
}

// PathName writes a path of keys (string) and indexes (int) as people read it, e.g. scenarios[0].id.
func PathName(path []any) string {
	var b strings.Builder
	for i, step := range path {
		switch step := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", step)
		case string:
			if step == "" {
				b.WriteString(`[""]`)
				continue
			}
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(strings.Trim(Quote(step), `"`))
		}
	}
	return b.String()
}

// show prints a value for a message, bounded.
func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "empty"
	case string:
		return Quote(v)
	case bool:
		return strconv.FormatBool(v)
	case json.Number:
		return v.String()
	case []any:
		return fmt.Sprintf("a list of %d", len(v))
	case map[string]any:
		return fmt.Sprintf("a mapping of %d", len(v))
	default:
		return fmt.Sprint(v)
	}
}

// article names JSON types in words.
func article(types ...string) string {
	words := map[string]string{
		"string": "text", "number": "a number", "integer": "a whole number", "boolean": "true or false",
		"array": "a list", "object": "a mapping", "null": "nothing",
	}
	out := make([]string, 0, len(types))
	for _, t := range types {
		if w, ok := words[t]; ok {
			t = w
		}
		out = append(out, t)
	}
	return strings.Join(out, " or ")
}
