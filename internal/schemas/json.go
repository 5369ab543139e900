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
	p := jsonParser{doc: doc, data: data, decoder: json.NewDecoder(bytes.NewReader(data)), at: Position{1, 1}}
	p.decoder.UseNumber()
	if len(data) > maxDocumentBytes {
		return nil, Problems{doc.Problem(Position{1, 1}, "the file has %d bytes; at most %d are read", len(data), maxDocumentBytes)}
	}
	if at := invalidUTF8(data); at >= 0 {
		return nil, Problems{doc.Problem(p.position(at), "the file is not UTF-8 text")}
	}
	value, err := p.value(doc.root, 0)
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
	// seen is the offset of the last position asked for, and at that position: tokens come in order, so that each
	// byte is counted once.
	seen int
	at   Position
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

func (p *jsonParser) value(at *place, depth int) (any, error) {
	token, start, err := p.token()
	if err != nil {
		return nil, err
	}
	at.value = p.position(start)
	delim, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if depth >= maxDepth {
		return nil, p.doc.Problem(at.value, "nested deeper than %d levels", maxDepth)
	}
	if delim == '[' {
		return p.array(at, depth)
	}
	return p.object(at, depth)
}

func (p *jsonParser) array(at *place, depth int) (any, error) {
	out := []any{}
	for p.decoder.More() {
		v, err := p.value(at.item(), depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	_, _, err := p.token()
	return out, err
}

func (p *jsonParser) object(at *place, depth int) (any, error) {
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
		if first := at.fields[key]; first != nil {
			return nil, p.doc.Problem(p.position(start), "key %s is there twice; it is first on line %d", Quote(key), first.key.Line)
		}
		if out[key], err = p.value(at.field(key, p.position(start)), depth+1); err != nil {
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

// position returns the line and column of a byte.
func (p *jsonParser) position(offset int) Position {
	offset = min(offset, len(p.data))
	if offset < p.seen {
		return positionOf(p.data, offset)
	}
	p.at = advance(p.at, p.data[p.seen:offset])
	p.seen = offset
	return p.at
}

// positionOf returns the line and column of a byte of a text.
func positionOf(data []byte, offset int) Position {
	return advance(Position{1, 1}, data[:offset])
}

// advance returns the position behind text that begins at p.
func advance(p Position, text []byte) Position {
	if last := bytes.LastIndexByte(text, '\n'); last >= 0 {
		p.Line += bytes.Count(text, []byte("\n"))
		p.Column = 1
		text = text[last+1:]
	}
	p.Column += utf8.RuneCount(text)
	return p
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
