package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// ParseJSON parses a JSON file. Duplicate keys, invalid UTF-8, more than one value, more than 32 levels and more than
// 1 MiB are refused; a byte order mark is tolerated, as editors on Windows write one. The error is of type Problems.
func ParseJSON(file string, data []byte) (*Document, error) {
	doc := newDocument(file)
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	p := jsonParser{doc: doc, data: data, decoder: json.NewDecoder(bytes.NewReader(data))}
	p.decoder.UseNumber()
	if len(data) > maxDocumentBytes {
		return nil, Problems{doc.Problem(Position{1, 1}, "the file has %d bytes; at most %d are read", len(data), maxDocumentBytes)}
	}
	if at := invalidUTF8(data); at >= 0 {
		return nil, Problems{doc.Problem(p.position(at), "the file is not UTF-8 text")}
	}
	value, err := p.value(nil)
	if err == nil {
		err = p.end()
	}
	if err != nil {
		return nil, Problems{p.problem(err)}
	}
	doc.Value = value
	return doc, nil
}

// jsonParser reads tokens and notes where they start.
type jsonParser struct {
	doc     *Document
	data    []byte
	decoder *json.Decoder
}

// token reads the next token and returns the offset of its first byte.
func (p *jsonParser) token() (json.Token, int, error) {
	start := p.next()
	token, err := p.decoder.Token()
	return token, start, err
}

// next returns the offset of the first byte of the next token.
func (p *jsonParser) next() int {
	at := int(p.decoder.InputOffset())
	for at < len(p.data) && bytes.IndexByte([]byte(" \t\r\n,:"), p.data[at]) >= 0 {
		at++
	}
	return at
}

func (p *jsonParser) value(path []any) (any, error) {
	token, start, err := p.token()
	if err != nil {
		return nil, err
	}
	p.doc.values[pointer(path)] = p.position(start)
	delim, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if len(path) >= maxDepth {
		return nil, p.doc.Problem(p.position(start), "nested deeper than %d levels", maxDepth)
	}
	if delim == '[' {
		return p.array(path)
	}
	return p.object(path)
}

func (p *jsonParser) array(path []any) (any, error) {
	out := []any{}
	for p.decoder.More() {
		v, err := p.value(child(path, len(out)))
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	_, _, err := p.token()
	return out, err
}

func (p *jsonParser) object(path []any) (any, error) {
	out := map[string]any{}
	for p.decoder.More() {
		token, start, err := p.token()
		if err != nil {
			return nil, err
		}
		key, ok := token.(string)
		if !ok {
			return nil, p.doc.Problem(p.position(start), "a key must be a string in double quotes")
		}
		at := child(path, key)
		if _, ok := out[key]; ok {
			first := p.doc.KeyAt(at...)
			return nil, p.doc.Problem(p.position(start), "key %s is there twice; it is first on line %d", Quote(key), first.Line)
		}
		p.doc.keys[pointer(at)] = p.position(start)
		if out[key], err = p.value(at); err != nil {
			return nil, err
		}
	}
	_, _, err := p.token()
	return out, err
}

// end refuses anything after the value.
func (p *jsonParser) end() error {
	start := p.next()
	switch _, err := p.decoder.Token(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	}
	return p.doc.Problem(p.position(start), "there is more after the end of the JSON value")
}

// problem gives an error of the decoder a position.
func (p *jsonParser) problem(err error) Problem {
	var own Problem
	if errors.As(err, &own) {
		return own
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return p.doc.Problem(p.position(p.next()), "not valid JSON: %s", syntax)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return p.doc.Problem(p.position(len(p.data)), "not valid JSON: the file ends too early")
	}
	return p.doc.Problem(p.position(p.next()), "not valid JSON: %s", fmt.Sprint(err))
}

func (p *jsonParser) position(offset int) Position { return positionOf(p.data, offset) }

// positionOf returns the line and column of a byte of a text.
func positionOf(data []byte, offset int) Position {
	before := data[:min(offset, len(data))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	return Position{Line: line, Column: column}
}

// invalidUTF8 returns the offset of the first byte that is not UTF-8, or -1.
func invalidUTF8(data []byte) int {
	for at := 0; at < len(data); {
		r, size := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && size <= 1 {
			return at
		}
		at += size
	}
	return -1
}
