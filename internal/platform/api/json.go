package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// maxDepth bounds how deep values of a request are in each other; ours are not deeper than 5.
const maxDepth = 32

// format is how bodies are read and written: JSON that says one thing.
func format() huma.Format {
	return huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: func(data []byte, v any) error {
		if err := plainJSON(data); err != nil {
			return err
		}
		return json.Unmarshal(data, v)
	}}
}

// plainJSON refuses what two readers could take for two things: a name twice in an object, also in other letters, as
// encoding/json does not tell these apart; text that is not UTF-8; and what is deeper than anything of ours. The errors are told, so
// they quote nothing.
func plainJSON(data []byte) error {
	if !utf8.Valid(data) {
		return errors.New("the body is not text in UTF-8")
	}
	type level struct {
		names map[string]bool // of an object; nil in a list
		value bool            // a value comes next, and no name
	}
	var in []level
	reader := json.NewDecoder(bytes.NewReader(data))
	reader.UseNumber()
	for {
		token, err := reader.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errors.New("the body is not JSON")
		}
		at := len(in) - 1
		switch t := token.(type) {
		case json.Delim:
			if t == '}' || t == ']' {
				in = in[:at]
				continue
			}
			if at >= 0 {
				in[at].value = false
			}
			if len(in) == maxDepth {
				return errors.New("the body has too many values in each other")
			}
			next := level{}
			if t == '{' {
				next.names = map[string]bool{}
			}
			in = append(in, next)
			continue
		case string:
			if at >= 0 && in[at].names != nil && !in[at].value {
				name := strings.ToLower(t)
				if in[at].names[name] {
					return errors.New("the body has a name twice in one object")
				}
				in[at].names[name], in[at].value = true, true
				continue
			}
		}
		if at >= 0 {
			in[at].value = false
		}
	}
}
