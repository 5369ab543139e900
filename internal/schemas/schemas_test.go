package schemas

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	require.NoError(t, Validate(Assay, []byte(`{"challenge": "log-aggregate", "start": ["node", "main.mjs"]}`)))

	err := Validate(Assay, []byte("{\n  \"chalenje\": \"x\",\n  \"start\": 7\n}"))
	var problems Problems
	require.ErrorAs(t, err, &problems)
	assert.Equal(t, []string{
		`assay.json:1:1: the file has no "challenge": the id of the challenge that this submission answers, such as "log-aggregate"`,
		`assay.json:2:3: unknown key "chalenje"; did you mean challenge? (allowed: $schema, build, challenge, env, form, node, start)`,
		`assay.json:3:12: start is 7 (a number) instead of a list; expected a command as a list of words, such as ["node", "src/main.mjs"]; no shell reads it`,
	}, strings.Split(err.Error(), "\n"))

	err = Validate("essay", []byte(`{}`))
	require.ErrorContains(t, err, `there is no schema "essay"; did you mean assay? (allowed: assay`)
	require.NotErrorAs(t, err, &problems)
}

// Whatever is published can be compiled, says what it is, and has an address of its own.
func TestPublishedSchemas(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	require.Contains(t, names(), Assay)
	for _, name := range names() {
		data, err := Source(name)
		require.NoError(t, err)
		var top struct {
			ID    string `json:"$id"`
			Draft string `json:"$schema"`
			Title string `json:"title"`
		}
		require.NoError(t, json.Unmarshal(data, &top), name)
		assert.NotEmpty(t, top.ID, name)
		assert.Equal(t, "https://json-schema.org/draft/2020-12/schema", top.Draft, name)
		assert.NotEmpty(t, top.Title, name)
		assert.False(t, seen[top.ID], "%s has an address of another", name)
		seen[top.ID] = true
		_, err = Load(name)
		require.NoError(t, err)
	}
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"not JSON":        `{`,
		"not a schema":    `{"type": "mapping"}`,
		"from elsewhere":  `{"$ref": "https://assay.example/other.json"}`,
		"from the disk":   `{"$ref": "file:///etc/passwd"}`,
		"broken pattern":  `{"pattern": "("}`,
		"unknown pointer": `{"$ref": "#/$defs/none"}`,
	} {
		_, err := Compile("test", []byte(text))
		require.Error(t, err, name)
	}
}

func TestSentences(t *testing.T) {
	t.Parallel()
	const schema = `{
	  "type": "object",
	  "properties": {
	    "n": {"type": "integer", "minimum": 2, "maximum": 4},
	    "x": {"exclusiveMinimum": 1},
	    "s": {"type": "string", "minLength": 2, "maxLength": 3},
	    "p": {"pattern": "^a+$"},
	    "d": {"pattern": "^a+$", "description": "some a"},
	    "l": {"type": "array", "minItems": 1, "maxItems": 2, "uniqueItems": true, "items": {"type": "string"}},
	    "m": {"type": "object", "minProperties": 1, "maxProperties": 1},
	    "c": {"const": 3},
	    "e": {"enum": ["red", "green", 5]},
	    "b": {"type": ["boolean", "null"]},
	    "f": false,
	    "a/b": {"type": "object", "properties": {"~": {"type": "null"}}}
	  }
	}`
	compiled, err := Compile("test", []byte(schema))
	require.NoError(t, err)
	tests := map[string]string{
		`{"n": 1}`:             `t.json:1:7: n is 1; at least 2 is allowed`,
		`{"n": 5}`:             `t.json:1:7: n is 5; at most 4 is allowed`,
		`{"n": 2.5}`:           `t.json:1:7: n is 2.5 (a number) instead of a whole number`,
		`{"n": null}`:          `t.json:1:7: n is nothing instead of a whole number`,
		`{"x": 1}`:             `t.json:1:7: x is 1; more than 1 is needed`,
		`{"s": "a"}`:           `t.json:1:7: s is "a"; at least 2 characters are needed`,
		`{"s": "abcd"}`:        `t.json:1:7: s has 4 characters; at most 3 are allowed`,
		`{"s": true}`:          `t.json:1:7: s is true (true or false) instead of text: put it in quotes, "true"`,
		`{"p": "b"}`:           `t.json:1:7: p is "b"; it must match ^a+$`,
		`{"d": "b"}`:           `t.json:1:7: d is "b"; expected some a`,
		`{"l": []}`:            `t.json:1:7: l has 0 entries; at least 1 are needed`,
		`{"l": ["a","b","c"]}`: `t.json:1:7: l has 3 entries; at most 2 are allowed`,
		`{"l": ["a", "a"]}`:    `t.json:1:7: l has the same entry at 1 and 2`,
		`{"l": ["a", {}]}`:     `t.json:1:13: l[1] is a mapping instead of text`,
		`{"m": {}}`:            `t.json:1:7: m has 0 keys; at least 1 are needed`,
		`{"m": {"a":1,"b":2}}`: `t.json:1:7: m has 2 keys; at most 1 are allowed`,
		`{"c": 4}`:             `t.json:1:7: c is 4; it must be 3`,
		`{"e": "gren"}`:        `t.json:1:7: e is "gren"; did you mean green? (allowed: 5, green, red)`,
		`{"e": "blue"}`:        `t.json:1:7: e is "blue"; allowed: 5, green, red`,
		`{"b": "yes"}`:         `t.json:1:7: b is "yes" (text) instead of nothing or true or false`,
		`{"f": 1}`:             `t.json:1:7: f is 1, which the schema does not allow`,
		`{"a/b": {"~": 1}}`:    `t.json:1:15: a/b.~ is 1 (a number) instead of nothing`,
		`[1]`:                  `t.json:1:1: the file is a list instead of a mapping`,
	}
	for text, want := range tests {
		doc, err := ParseJSON("t.json", []byte(text))
		require.NoError(t, err)
		require.EqualError(t, compiled.Check(doc), want, text)
	}
}

func TestChoices(t *testing.T) {
	t.Parallel()
	assert.Empty(t, Choices("x", nil))
	assert.Equal(t, "; allowed: a, b", Choices("xxxxxx", []string{"b", "a", "b"}))
	assert.Equal(t, "; did you mean passMark? (allowed: passMark)", Choices("pasmark", []string{"passMark"}))
	assert.Equal(t, "; allowed: STATE_LOST", Choices("RACE_LOST", []string{"STATE_LOST"}), "another word, not a slip")
	many := strings.Fields("a b c d e f g h i j k l m n")
	assert.Equal(t, "; allowed: a, b, c, d, e, f, g, h, i, j, k, l and 2 more", Choices("longer", many))
	assert.LessOrEqual(t, len(Quote(strings.Repeat("\x1b", 1000))), 4*maxQuoted+8)
}

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"ratoi", "ratio", 1}, {"abc", "xyz", 3}, {"kitten", "sitting", 3}, {"né", "ne", 1}} {
		assert.Equal(t, tt.want, distance(tt.a, tt.b), "%q %q", tt.a, tt.b)
		assert.Equal(t, tt.want, distance(tt.b, tt.a), "%q %q", tt.b, tt.a)
	}
}
