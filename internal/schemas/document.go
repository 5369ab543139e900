package schemas

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
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

	root *place
	name string // of the whole value in messages
}

// wholeFile is what messages call the value of a file.
const wholeFile = "the file"

// place is where a value stands. Places form the same tree as the values.
type place struct {
	value  Position
	key    *Position // of the key before it; nil in a list
	text   *Position // of the first character, when the file has the text as it is
	fields map[string]*place
	items  []*place
}

// field returns the place of a new field.
func (p *place) field(name string, key Position) *place {
	if p.fields == nil {
		p.fields = map[string]*place{}
	}
	p.fields[name] = &place{key: &key}
	return p.fields[name]
}

// item returns the place of a new item.
func (p *place) item() *place {
	p.items = append(p.items, &place{})
	return p.items[len(p.items)-1]
}

func newDocument(file string) *Document {
	return &Document{File: file, root: &place{value: Position{1, 1}}, name: wholeFile}
}

// find returns the place of the value at path and true, or that of the nearest one around it and false.
func (d *Document) find(path []any) (*place, bool) {
	at := d.root
	for _, step := range path {
		var next *place
		switch step := step.(type) {
		case string:
			next = at.fields[step]
		case int:
			if step >= 0 && step < len(at.items) {
				next = at.items[step]
			}
		}
		if next == nil {
			return at, false
		}
		at = next
	}
	return at, true
}

// At returns where the value at path stands. Steps are keys (string) and indexes (int). A value that is not there has
// the position of the nearest one around it.
func (d *Document) At(path ...any) Position {
	at, _ := d.find(path)
	return at.value
}

// KeyAt returns where the key of the value at path stands, or the value itself where it has none.
func (d *Document) KeyAt(path ...any) Position {
	at, ok := d.find(path)
	if !ok || at.key == nil {
		return at.value
	}
	return *at.key
}

// TextAt returns where one character of the text at path stands, counted from 0. Where the file writes the text in
// another way (folded, with escapes) it is the start of the text.
func (d *Document) TextAt(character int, path ...any) Position {
	at, ok := d.find(path)
	if !ok || at.text == nil {
		return at.value
	}
	return Position{Line: at.text.Line, Column: at.text.Column + character}
}

// Has says whether the document has a value at path.
func (d *Document) Has(path ...any) bool {
	_, ok := d.find(path)
	return ok
}

// Merged returns the mappings at some paths as one document, called name in messages: a key of a later one replaces that of an
// earlier one, and each keeps its place. A path that is not there adds nothing; the whole has the place of the last one that is, or of
// what is around it.
func (d *Document) Merged(name string, paths ...[]any) *Document {
	values := map[string]any{}
	root := &place{fields: map[string]*place{}}
	for _, path := range paths {
		at, ok := d.find(path)
		root.value, root.key = at.value, at.key
		fields, isMap := lookup(d.Value, path).(map[string]any)
		if !ok || !isMap {
			continue
		}
		maps.Copy(values, fields)
		maps.Copy(root.fields, at.fields)
	}
	return &Document{File: d.File, Value: values, root: root, name: name}
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

// child returns path with one more step, in memory of its own.
func child(path []any, step any) []any {
	return append(slices.Clip(path), step)
}
