package challenges

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/schemas"
)

// placed is a mistake in a setting.
type placed struct {
	path   []any
	offset int
}

func (p placed) Error() string      { return fmt.Sprintf("wrong at %v", p.path) }
func (p placed) SettingPath() []any { return p.path }
func (p placed) SettingOffset() int { return p.offset }

// kindsWith are the kinds of tiny with settings that have a schema, a check and files.
func kindsWith(check func(map[string]any) error, files func(map[string]any, fs.FS) ([]string, error)) Kinds {
	kinds := tinyKinds()
	k := kinds["lines"]
	k.Settings = []byte(`{"type": "object", "required": ["size"], "additionalProperties": false, "properties": {
		"size": {"description": "a size such as 1MiB", "type": "string"}, "lines": {"type": "integer", "maximum": 100},
		"steps": {"type": "array", "items": {"properties": {"that": {"type": "string"}}}}}}`)
	k.Check, k.Files = check, files
	kinds["lines"] = k
	return kinds
}

// TestSettingsOfAScenario hold in all its modes, and a mode replaces some of them.
func TestSettingsOfAScenario(t *testing.T) {
	t.Parallel()
	files := replaced(t, "measured: true\n", "measured: true\n    with: {size: 2MiB, steps: [{that: a}]}\n")
	ch, err := Load(files, "tiny", kindsWith(nil, nil))
	require.NoError(t, err)
	steps := []any{map[string]any{"that": "a"}}
	assert.Equal(t, map[string]any{"size": "1MiB", "lines": 10.0, "steps": steps}, ch.Scenarios[0].Modes["quick"].With)
	assert.Equal(t, map[string]any{"size": "1GiB", "steps": steps}, ch.Scenarios[0].Modes["standard"].With)
	assert.Equal(t, map[string]any{"size": "4KiB"}, ch.Scenarios[1].Modes["standard"].With)
}

// TestSettingsHavePlaces finds mistakes where they stand: in the mode, or in the scenario, and once.
func TestSettingsHavePlaces(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, old, with string
		check           func(map[string]any) error
		files           func(map[string]any, fs.FS) ([]string, error)
		want            []string
	}{
		{name: "schema, mode", old: "lines: 10}", with: "lines: 1000}", want: []string{"tiny/challenge.yaml:24:65: with.lines is 1000; at most 100 is allowed"}},
		{name: "schema, unknown", old: "lines: 10}", with: "line: 10}", want: []string{`tiny/challenge.yaml:24:58: unknown key "line"; did you mean lines? (allowed: lines, size, steps)`}},
		{name: "schema, missing", old: "with: {size: 1MiB, lines: 10}", with: "with: {lines: 10}", want: []string{`tiny/challenge.yaml:24:45: with has no "size": a size such as 1MiB`}},
		{name: "schema, nothing there", old: ", with: {size: 4KiB}", with: "", want: []string{`tiny/challenge.yaml:30:17: with has no "size": a size such as 1MiB`}},
		{
			name: "schema, scenario, once", old: "measured: true\n", with: "measured: true\n    with: {steps: [{that: 1}]}\n",
			want: []string{`tiny/challenge.yaml:23:27: with.steps[0].that is 1 (a number) instead of text: put it in quotes, "1"`},
		},
		{
			name: "check, at a character", old: "measured: true\n", with: "measured: true\n    with:\n      steps:\n        - that: abc def\n",
			check: func(with map[string]any) error {
				if with["steps"] == nil {
					return nil
				}
				return errors.Join(placed{[]any{"steps", 0, "that"}, 4}, placed{[]any{"steps"}, 0})
			},
			want: []string{"tiny/challenge.yaml:25:9: wrong at [steps]", "tiny/challenge.yaml:25:21: wrong at [steps 0 that]"},
		},
		{
			name: "check, by the name of the key", old: "lines: 10}", with: "lines: 11}",
			check: func(with map[string]any) error {
				if with["lines"] == 11.0 {
					return errors.New("with.lines: eleven is unlucky")
				}
				return nil
			},
			want: []string{"tiny/challenge.yaml:24:65: workload lines does not accept these settings: with.lines: eleven is unlucky"},
		},
		{
			name: "files", old: "lines: 10}", with: "lines: 11}",
			files: func(with map[string]any, files fs.FS) ([]string, error) {
				if _, err := fs.Stat(files, "cases"); err != nil && with["lines"] == 11.0 {
					return nil, placed{[]any{"size"}, 0}
				}
				return nil, nil
			},
			want: []string{"tiny/challenge.yaml:24:52: wrong at [size]"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(replaced(t, tt.old, tt.with), "tiny", kindsWith(tt.check, tt.files))
			var problems schemas.Problems
			require.ErrorAs(t, err, &problems)
			assert.Equal(t, tt.want, strings.Split(problems.Error(), "\n"))
		})
	}
}

// TestFilesOfSettingsAreInTheDigest says that what decides is what was named, and nothing else.
func TestFilesOfSettingsAreInTheDigest(t *testing.T) {
	t.Parallel()
	kinds := kindsWith(nil, func(map[string]any, fs.FS) ([]string, error) {
		return []string{"starter/main.mjs", "starter/main.mjs"}, nil
	})
	plain, err := Load(replaced(t, "tiny", "tiny"), "tiny", tinyKinds())
	require.NoError(t, err)
	files := replaced(t, "tiny", "tiny")
	var name string
	for path := range files {
		if strings.HasPrefix(path, "tiny/starter/") {
			name = path
		}
	}
	require.NotEmpty(t, name)
	k := kinds["lines"]
	k.Files = func(map[string]any, fs.FS) ([]string, error) {
		return []string{strings.TrimPrefix(name, "tiny/"), strings.TrimPrefix(name, "tiny/")}, nil
	}
	kinds["lines"] = k
	used, err := Load(files, "tiny", kinds)
	require.NoError(t, err)
	assert.Equal(t, []string{strings.TrimPrefix(name, "tiny/")}, used.Used)
	assert.NotEqual(t, plain.Digest, used.Digest)
	files[name].Data = append(files[name].Data, ' ')
	changed, err := Load(files, "tiny", kinds)
	require.NoError(t, err)
	assert.NotEqual(t, used.Digest, changed.Digest)
}
