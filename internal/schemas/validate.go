package schemas

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// Schema is a compiled JSON Schema (draft 2020-12). It is immutable.
type Schema struct {
	compiled *jsonschema.Schema
	raw      any
}

// Compile compiles a JSON Schema. References to other documents are refused. Names of keys are better restricted by
// patternProperties than by propertyNames: the library gives errors of the latter no reliable place.
func Compile(name string, data []byte) (*Schema, error) {
	raw, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("parse schema %s: %w", name, err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.UseLoader(jsonschema.SchemeURLLoader{})
	location := "schema:///" + name
	if err := compiler.AddResource(location, raw); err != nil {
		return nil, fmt.Errorf("add schema %s: %w", name, err)
	}
	compiled, err := compiler.Compile(location)
	if err != nil {
		return nil, fmt.Errorf("compile schema %s: %w", name, err)
	}
	return &Schema{compiled: compiled, raw: raw}, nil
}

// Check validates a document. Its error is of type Problems.
func (s *Schema) Check(doc *Document) error {
	err := s.compiled.Validate(doc.Value)
	if err == nil {
		return nil
	}
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return Problems{doc.Problem(doc.At(), "%s", err)}
	}
	r := reader{schema: s, doc: doc, seen: map[Position]bool{}}
	r.read(invalid)
	return r.problems.OrNil()
}

// reader turns validation errors into sentences.
type reader struct {
	schema   *Schema
	doc      *Document
	problems Problems
	seen     map[Position]bool
}

// read visits the leaves of the tree of errors: the inner ones only say that a leaf failed.
func (r *reader) read(e *jsonschema.ValidationError) {
	if len(e.Causes) > 0 {
		for _, cause := range e.Causes {
			r.read(cause)
		}
		return
	}
	path := steps(r.doc.Value, e.InstanceLocation)
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		r.unknownKeys(e, path, k.Properties)
	case *kind.Required:
		for _, name := range k.Missing {
			at := r.doc.At(path...)
			r.problems = append(r.problems, r.doc.Problem(at, "%s has no %s%s", r.doc.pathName(path), Quote(name), r.meaning(e, name)))
		}
	default:
		at := r.doc.At(path...)
		if !r.seen[at] { // one mistake often breaks several rules; the first says enough
			r.seen[at] = true
			r.problems = append(r.problems, r.doc.Problem(at, "%s %s", r.doc.pathName(path), r.sentence(e, path)))
		}
	}
}

func (r *reader) unknownKeys(e *jsonschema.ValidationError, path []any, keys []string) {
	choices := func(key string) string { return Choices(key, r.properties(e)) }
	if d := r.description(e.SchemaURL); len(r.properties(e)) == 0 && d != "" {
		choices = func(string) string { return "; expected " + d }
	}
	for _, key := range slices.Sorted(slices.Values(keys)) {
		at := r.doc.KeyAt(child(path, key)...)
		r.problems = append(r.problems, r.doc.Problem(at, "unknown key %s%s", Quote(key), choices(key)))
	}
}

// sentence says what was found and what is allowed.
func (r *reader) sentence(e *jsonschema.ValidationError, path []any) string {
	found := show(lookup(r.doc.Value, path))
	expected := ""
	if d := r.description(e.SchemaURL); d != "" {
		expected = "; expected " + d
	}
	switch k := e.ErrorKind.(type) {
	case *kind.Type:
		hint := ""
		if slices.Contains(k.Want, "string") && (k.Got == "number" || k.Got == "boolean" || k.Got == "integer") {
			hint = r.asText(e, found)
		}
		if k.Got == "array" || k.Got == "object" || k.Got == "null" {
			return fmt.Sprintf("is %s instead of %s%s", article(k.Got), article(k.Want...), expected)
		}
		return fmt.Sprintf("is %s (%s) instead of %s%s%s", found, article(k.Got), article(k.Want...), hint, expected)
	case *kind.Enum:
		allowed := make([]string, 0, len(k.Want))
		for _, w := range k.Want {
			allowed = append(allowed, strings.Trim(show(w), `"`))
		}
		if slices.Contains(allowed, found) {
			return fmt.Sprintf("is %s: put it in quotes, \"%s\"", found, found)
		}
		return fmt.Sprintf("is %s%s", found, Choices(strings.Trim(found, `"`), allowed))
	case *kind.Const:
		return fmt.Sprintf("is %s; it must be %s", found, show(k.Want))
	case *kind.Pattern:
		if expected == "" {
			expected = "; it must match " + k.Want
		}
		return fmt.Sprintf("is %s%s", found, expected)
	case *kind.Minimum:
		return fmt.Sprintf("is %s; at least %s is allowed", found, k.Want.RatString())
	case *kind.Maximum:
		return fmt.Sprintf("is %s; at most %s is allowed", found, k.Want.RatString())
	case *kind.ExclusiveMinimum:
		return fmt.Sprintf("is %s; more than %s is needed", found, k.Want.RatString())
	case *kind.MinLength:
		return fmt.Sprintf("is %s; at least %d characters are needed%s", found, k.Want, expected)
	case *kind.MaxLength:
		return fmt.Sprintf("has %d characters; at most %d are allowed", k.Got, k.Want)
	case *kind.MinItems:
		return fmt.Sprintf("has %d entries; at least %d are needed%s", k.Got, k.Want, expected)
	case *kind.MaxItems:
		return fmt.Sprintf("has %d entries; at most %d are allowed", k.Got, k.Want)
	case *kind.MinProperties:
		return fmt.Sprintf("has %d keys; at least %d are needed%s", k.Got, k.Want, expected)
	case *kind.MaxProperties:
		return fmt.Sprintf("has %d keys; at most %d are allowed", k.Got, k.Want)
	case *kind.UniqueItems:
		return fmt.Sprintf("has the same entry at %d and %d", k.Duplicates[0]+1, k.Duplicates[1]+1)
	default:
		return fmt.Sprintf("is %s, which the schema does not allow%s", found, expected)
	}
}

// asText says how to write a number or a truth value where text is asked for: with a unit where one is missing, else in quotes.
func (r *reader) asText(e *jsonschema.ValidationError, found string) string {
	source, _ := field(r.at(e.SchemaURL), "pattern").(string)
	pattern, err := regexp.Compile(source)
	switch {
	case source == "" || err != nil || pattern.MatchString(found):
		return fmt.Sprintf(": put it in quotes, \"%s\"", found)
	case pattern.MatchString(found + "s"):
		return fmt.Sprintf(": add a unit, %ss", found)
	case pattern.MatchString(found + "MiB"):
		return fmt.Sprintf(": add a unit, %sMiB", found)
	}
	return ""
}

// description is what the schema says of a value, e.g. "a size such as 256MiB".
func (r *reader) description(url string) string {
	text, _ := field(r.at(url), "description").(string)
	return strings.TrimSuffix(text, ".")
}

// meaning explains a missing key by its description.
func (r *reader) meaning(e *jsonschema.ValidationError, name string) string {
	property := field(field(r.at(e.SchemaURL), "properties"), name)
	for range maxDepth {
		if text, ok := field(property, "description").(string); ok {
			return ": " + strings.TrimSuffix(text, ".")
		}
		ref, ok := field(property, "$ref").(string)
		if !ok {
			break
		}
		property = r.at(ref)
	}
	return ""
}

func (r *reader) properties(e *jsonschema.ValidationError) []string {
	properties, _ := field(r.at(e.SchemaURL), "properties").(map[string]any)
	return slices.Collect(maps.Keys(properties))
}

// at finds the part of the schema that a URL's fragment points to.
func (r *reader) at(url string) any {
	_, fragment, _ := strings.Cut(url, "#")
	at := r.schema.raw
	for _, step := range strings.Split(strings.TrimPrefix(fragment, "/"), "/") {
		if step == "" {
			continue
		}
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		if list, ok := at.([]any); ok {
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(list) {
				return nil
			}
			at = list[i]
			continue
		}
		at = field(at, step)
	}
	return at
}

func field(v any, name string) any {
	m, _ := v.(map[string]any)
	return m[name]
}
