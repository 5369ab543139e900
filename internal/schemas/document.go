package schemas

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Bounds of a document.
const (
	maxDocumentBytes = 1 << 20
	maxDepth         = 32
)

// Position is a place in a file. Lines and columns are counted from 1, columns in characters.
type Position struct {
	Line, Column int
}

// Document is a parsed YAML or JSON file that remembers where each of its values stands.
type Document struct {
	// File is the name that problems are reported with.
	File string
	// Value holds map[string]any, []any, string, bool, nil and json.Number.
	Value any

	values map[string]Position
	keys   map[string]Position
	texts  map[string]Position // of the first character, for texts that stand in the file as they are
}

func newDocument(file string) *Document {
	return &Document{File: file, values: map[string]Position{}, keys: map[string]Position{}, texts: map[string]Position{}}
}

// At returns where the value at path stands. Steps are keys (string) and indexes (int). A value that is not there has
// the position of the nearest one around it.
func (d *Document) At(path ...any) Position {
	for n := len(path); n >= 0; n-- {
		if p, ok := d.values[pointer(path[:n])]; ok {
			return p
		}
	}
	return Position{Line: 1, Column: 1}
}

// KeyAt returns where the key of the value at path stands, or the value itself where it has none.
func (d *Document) KeyAt(path ...any) Position {
	if p, ok := d.keys[pointer(path)]; ok {
		return p
	}
	return d.At(path...)
}

// TextAt returns where one character of the text at path stands, counted from 0. Where the file writes the text in
// another way (folded, with escapes) it is the start of the text.
func (d *Document) TextAt(character int, path ...any) Position {
	at, ok := d.texts[pointer(path)]
	if !ok {
		return d.At(path...)
	}
	at.Column += character
	return at
}

// Has says whether the document has a value at path.
func (d *Document) Has(path ...any) bool {
	_, ok := d.values[pointer(path)]
	return ok
}

// Problem makes a problem at a place of the document.
func (d *Document) Problem(at Position, format string, args ...any) Problem {
	return Problem{File: d.File, Position: at, Message: fmt.Sprintf(format, args...)}
}

// Decode fills out from the document by its json tags. Keys that out does not know are refused; numbers in untyped
// places become float64.
func (d *Document) Decode(out any) error {
	data, err := json.Marshal(d.Value)
	if err != nil {
		return fmt.Errorf("decode %s: %w", d.File, err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(out); err != nil {
		return fmt.Errorf("decode %s: %w", d.File, err)
	}
	return nil
}

// pointer joins steps to a JSON pointer (RFC 6901).
func pointer(path []any) string {
	var b strings.Builder
	for _, step := range path {
		b.WriteByte('/')
		switch step := step.(type) {
		case string:
			b.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(step))
		case int:
			b.WriteString(strconv.Itoa(step))
		default:
			fmt.Fprintf(&b, "%v", step)
		}
	}
	return b.String()
}

// child returns path with one more step, in memory of its own.
func child(path []any, step any) []any {
	return append(slices.Clip(path), step)
}
