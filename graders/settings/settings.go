// Package settings reads "with:" of a scenario for workloads whose settings are described by a JSON Schema, and says of each mistake
// which setting it is in. The loader of challenges turns that into line and column.
package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path"
	"time"

	"github.com/assay-run/assay/internal/schemas"
)

// Error is a mistake in one setting.
type Error struct {
	Path    []any // below "with": keys (string) and indexes (int)
	Offset  int   // characters before the mistake in the text of the setting
	Message string
}

// Error names the setting and the mistake.
func (e *Error) Error() string {
	return schemas.PathName(append([]any{"with"}, e.Path...)) + ": " + e.Message
}

// SettingPath leads to the setting below "with".
func (e *Error) SettingPath() []any { return e.Path }

// SettingOffset is the number of characters before the mistake in the text of the setting.
func (e *Error) SettingOffset() int { return e.Offset }

// Wrong makes an Error about the setting at path.
func Wrong(path []any, format string, args ...any) error {
	return &Error{Path: path, Message: fmt.Sprintf(format, args...)}
}

// At makes a path: keys (string) and indexes (int).
func At(steps ...any) []any { return steps }

// Decode checks settings against their schema and fills out. The error of settings that do not fit is of type schemas.Problems.
func Decode(name string, schema []byte, with map[string]any, out any) error {
	if with == nil {
		with = map[string]any{}
	}
	data, err := json.Marshal(with)
	if err != nil {
		return fmt.Errorf("read settings of %s: %w", name, err)
	}
	doc, err := schemas.ParseJSON("with", data)
	if err != nil {
		return err
	}
	compiled, err := schemas.Compile(name+".settings.json", schema)
	if err != nil {
		return err
	}
	if err := compiled.Check(doc); err != nil {
		return err
	}
	return doc.Decode(out)
}

// Number is a setting that is a number, of whatever type its reader gave it; NaN for anything else.
func Number(v any) float64 {
	switch v := v.(type) {
	case int:
		return float64(v)
	case int64:
		return float64(v)
	case uint64:
		return float64(v)
	case float64:
		return v
	}
	return math.NaN()
}

// Whole is a setting that is a whole number of at most nine digits; ok is false for anything else.
func Whole(v any) (n int, ok bool) {
	f := Number(v)
	if f != math.Trunc(f) || !(math.Abs(f) < 1e9) {
		return 0, false
	}
	return int(f), true
}

// Duration reads a time such as 500ms, 2s or 1m; or is the default of an empty text.
func Duration(text string, or time.Duration) time.Duration {
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return d
	}
	return or // the schema lets no other text pass
}

// ReadFile reads a file of the challenge's folder, at most limit bytes.
func ReadFile(files fs.FS, name string, limit int64) (_ []byte, err error) {
	f, err := files.Open(path.Clean(name))
	if err != nil {
		return nil, fmt.Errorf("there is no file %s in the challenge's folder", name)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s is larger than %d KiB", name, limit>>10)
	}
	return data, nil
}
