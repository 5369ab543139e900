package schemas

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const sampleYAML = `# a comment
name: tiny
list:
  - first
  - {a: 1, b: 2.5}
nested:
  text: "with 'quotes'"
  folded: >-
    two
    lines
  "odd/key": ~
  no: false
`

func TestParseYAML(t *testing.T) {
	t.Parallel()
	doc, err := ParseYAML("s.yaml", []byte(sampleYAML))
	require.NoError(t, err)
	assert.Equal(t, map[string]any{
		"name": "tiny",
		"list": []any{"first", map[string]any{"a": json.Number("1"), "b": json.Number("2.5")}},
		"nested": map[string]any{
			"text": "with 'quotes'", "folded": "two lines", "odd/key": nil, "no": false,
		},
	}, doc.Value)

	assert.Equal(t, Position{2, 1}, doc.At(), "a mapping is where its first key is")
	assert.Equal(t, Position{2, 7}, doc.At("name"))
	assert.Equal(t, Position{2, 1}, doc.KeyAt("name"))
	assert.Equal(t, Position{4, 5}, doc.At("list", 0))
	assert.Equal(t, Position{5, 5}, doc.At("list", 1))
	assert.Equal(t, Position{5, 15}, doc.At("list", 1, "b"))
	assert.Equal(t, Position{5, 12}, doc.KeyAt("list", 1, "b"))
	assert.Equal(t, Position{11, 14}, doc.At("nested", "odd/key"))
	assert.Equal(t, Position{7, 3}, doc.At("nested", "nowhere", 3), "what is not there is where its surroundings are")
	assert.Equal(t, Position{2, 9}, doc.TextAt(2, "name"))
	assert.Equal(t, Position{7, 14}, doc.TextAt(4, "nested", "text"), "behind the opening quote")
	assert.Equal(t, doc.At("nested", "folded"), doc.TextAt(5, "nested", "folded"), "a folded text has no places of its own")
	assert.True(t, doc.Has("list", 1))
	assert.False(t, doc.Has("list", 2))
}

func TestParseYAMLWithWindowsLineEnds(t *testing.T) {
	t.Parallel()
	doc, err := ParseYAML("s.yaml", []byte(strings.ReplaceAll(sampleYAML, "\n", "\r\n")))
	require.NoError(t, err)
	unix, err := ParseYAML("s.yaml", []byte(sampleYAML))
	require.NoError(t, err)
	assert.Equal(t, unix, doc)
}

func TestParseYAMLRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"":                   "s.yaml:1:1: the file is empty",
		"a: b\n  \x00c":      "s.yaml:2:3: the control character U+0000 is not allowed",
		"a: b\rc: d":         "s.yaml:1:5: the control character U+000D is not allowed",
		"a: b\r\nc: [\r\n":   "",
		"# only a comment\n": "s.yaml:1:1: the file is empty",
		"a: 1\na: 2\n":       `s.yaml:2:1: not valid YAML: mapping key "a" already defined at [1:1]`,
		"a: &x 1\nb: *x\n":   "s.yaml:1:4: anchors and aliases are not allowed; write the value out",
		"a: *x\n":            "s.yaml:1:4: anchors and aliases are not allowed; write the value out",
		"a:\n  <<: {b: 1}\n": "s.yaml:2:3: merges are not allowed; write the values out",
		"a: !!int 1\n":       "s.yaml:1:4: tags are not allowed; write the plain value",
		"1: a\n":             "s.yaml:1:1: a key must be text; put 1 in quotes",
		"true: a\n":          "s.yaml:1:1: a key must be text; put true in quotes",
		"a: .inf\n":          "s.yaml:1:4: .inf is not a number that is allowed",
		"a: .nan\n":          "s.yaml:1:4: .nan is not a number that is allowed",
		"a: [1, 2\n":         "",
		"a: 1\n---\nb: 2\n":  "s.yaml:3:1: a second YAML document; only one is allowed",
		"a: \xff\n":          "s.yaml:1:1: the file is not UTF-8 text",
		strings.Repeat("[", 40) + strings.Repeat("]", 40): "s.yaml:1:34: nested deeper than 32 levels",
	}
	for text, want := range tests {
		_, err := ParseYAML("s.yaml", []byte(text))
		var problems Problems
		require.ErrorAs(t, err, &problems, "%q", text)
		if want != "" {
			require.EqualError(t, err, want, "%q", text)
		}
	}
	_, err := ParseYAML("s.yaml", bytes.Repeat([]byte("#"), maxDocumentBytes+1))
	require.EqualError(t, err, "s.yaml:1:1: the file has 1048577 bytes; at most 1048576 are read")
}

func TestParseJSON(t *testing.T) {
	t.Parallel()
	doc, err := ParseJSON("s.json", []byte("\xef\xbb\xbf{\n \"é\": [1, {\"b\": null}],\n\t\"a\": \"\\u0041\"}\n"))
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"é": []any{json.Number("1"), map[string]any{"b": nil}}, "a": "A"}, doc.Value)
	assert.Equal(t, Position{1, 1}, doc.At())
	assert.Equal(t, Position{2, 7}, doc.At("é"), "columns are characters")
	assert.Equal(t, Position{2, 17}, doc.At("é", 1, "b"))
	assert.Equal(t, Position{3, 2}, doc.KeyAt("a"))
	assert.Equal(t, Position{3, 7}, doc.At("a"))
}

func TestParseJSONRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"":                           "s.json:1:1: not valid JSON: the file ends too early",
		"{":                          "s.json:1:2: not valid JSON: the file ends too early",
		"[1,]":                       "s.json:1:4: not valid JSON: invalid character ']' looking for beginning of value",
		"{\"a\": 01}":                "",
		"{'a': 1}":                   "s.json:1:2: not valid JSON: invalid character '\\''",
		"{\"a\"\n 1}":                "",
		"[1] [2]":                    "s.json:1:5: there is more after the end of the JSON value",
		"[1] x":                      "",
		"\"\xff\"":                   "s.json:1:2: the file is not UTF-8 text",
		"{\"a\":1,\n\"a\":2}":        `s.json:2:1: key "a" is there twice; it is first on line 1`,
		strings.Repeat("[", 100_000): "s.json:1:33: nested deeper than 32 levels",
	}
	for text, want := range tests {
		_, err := ParseJSON("s.json", []byte(text))
		var problems Problems
		require.ErrorAs(t, err, &problems, "%q", text)
		if want != "" {
			require.EqualError(t, err, want, "%q", text)
		}
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	doc, err := ParseYAML("s.yaml", []byte("n: 3\nwith: {size: 1MiB, lines: 10}\n"))
	require.NoError(t, err)
	var out struct {
		N    int            `json:"n"`
		With map[string]any `json:"with"`
	}
	require.NoError(t, doc.Decode(&out))
	assert.Equal(t, 3, out.N)
	assert.Equal(t, map[string]any{"size": "1MiB", "lines": 10.0}, out.With)

	var less struct {
		N int `json:"n"`
	}
	require.ErrorContains(t, doc.Decode(&less), `decode s.yaml: json: unknown field "with"`)
}

func checkPlaces(t *testing.T, p *place, lines int) {
	t.Helper()
	at := p.value
	assert.True(t, at.Line >= 1 && at.Line <= lines && at.Column >= 1, "%v of %d lines", at, lines)
	for _, inner := range p.fields {
		checkPlaces(t, inner, lines)
	}
	for _, inner := range p.items {
		checkPlaces(t, inner, lines)
	}
}

// Long keys and long lines do not make a small file slow: positions are found in one pass.
func TestParseJSONIsLinear(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("k", 250_000)
	text := `{"` + key + `": [` + strings.Repeat("1,", 250_000) + `1]}`
	doc, err := ParseJSON("s.json", []byte(text))
	require.NoError(t, err)
	assert.Equal(t, Position{1, len(text) - 2}, doc.At(key, 250_000))
}

func TestManyProblemsAreBounded(t *testing.T) {
	t.Parallel()
	text := "{"
	for i := range 1000 {
		text += fmt.Sprintf("\"key%d\": 1,", i)
	}
	doc, err := ParseJSON("s.json", []byte(text+`"x": 1}`))
	require.NoError(t, err)
	schema, err := Load(Assay)
	require.NoError(t, err)
	lines := strings.Split(schema.Check(doc).Error(), "\n")
	assert.Len(t, lines, 21)
	assert.Equal(t, "and 982 more", lines[20])
}

// A document that JSON takes is the same document for YAML, and every value has a place in the text.
func FuzzParse(f *testing.F) {
	f.Add([]byte(sampleYAML))
	f.Add([]byte(`{"a": [1, {"b": "c"}], "d": null}`))
	f.Add([]byte("a: |\n  b\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, parse := range []func(string, []byte) (*Document, error){ParseJSON, ParseYAML} {
			doc, err := parse("f", data)
			if err != nil {
				var problems Problems
				require.ErrorAs(t, err, &problems)
				continue
			}
			lines := bytes.Count(data, []byte("\n")) + 1
			checkPlaces(t, doc.root, lines)
		}
	})
}
