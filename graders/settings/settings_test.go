package settings

import (
	"math"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/schemas"
)

func TestDecode(t *testing.T) {
	t.Parallel()
	schema := []byte(`{"type": "object", "additionalProperties": false, "required": ["size"], "properties": {
		"size": {"description": "a size", "type": "integer"}, "list": {"type": "array", "items": {"type": "string"}}}}`)
	var out struct {
		Size int      `json:"size"`
		List []string `json:"list"`
	}
	require.NoError(t, Decode("w", schema, map[string]any{"size": 3.0, "list": []any{"a"}}, &out))
	assert.Equal(t, 3, out.Size)
	assert.Equal(t, []string{"a"}, out.List)
	for want, with := range map[string]map[string]any{
		`has no "size": a size`: nil, `unknown key "sise"; did you mean size?`: {"sise": 3.0}, "size is": {"size": "x"}, "list[0] is": {"size": 1.0, "list": []any{1.0}},
	} {
		err := Decode("w", schema, with, &out)
		var problems schemas.Problems
		require.ErrorAs(t, err, &problems)
		assert.ErrorContains(t, err, want)
	}
	require.ErrorContains(t, Decode("w", []byte(`{"type": 5}`), nil, &out), "compile schema w.settings.json")
}

func TestError(t *testing.T) {
	t.Parallel()
	err := Wrong(At("steps", 2, "that"), "%d is wrong", 5)
	require.EqualError(t, err, "with.steps[2].that: 5 is wrong")
	var e *Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, []any{"steps", 2, "that"}, e.SettingPath())
	assert.Zero(t, e.SettingOffset())
}

func TestDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"": time.Hour, "2s": 2 * time.Second, "500ms": 500 * time.Millisecond, "-1s": time.Hour, "x": time.Hour} {
		assert.Equal(t, want, Duration(text, time.Hour), text)
	}
}

func TestReadFile(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{"a/b.txt": &fstest.MapFile{Data: make([]byte, 2048)}}
	data, err := ReadFile(files, "a/b.txt", 2048)
	require.NoError(t, err)
	assert.Len(t, data, 2048)
	_, err = ReadFile(files, "a/b.txt", 2047)
	require.ErrorContains(t, err, "a/b.txt is larger than 1 KiB")
	_, err = ReadFile(files, "a/c.txt", 1)
	require.ErrorContains(t, err, "there is no file a/c.txt in the challenge's folder")
	_, err = ReadFile(files, "a", 1)
	require.Error(t, err)
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for _, v := range []any{3, int64(3), uint64(3), 3.0} {
		assert.InDelta(t, 3, Number(v), 0)
		n, ok := Whole(v)
		assert.True(t, ok)
		assert.Equal(t, 3, n)
	}
	for _, v := range []any{nil, "3", true, 3.5, math.Inf(1), math.NaN(), 1e10} {
		_, ok := Whole(v)
		assert.False(t, ok, "%v", v)
	}
	assert.True(t, math.IsNaN(Number("3")))
}
