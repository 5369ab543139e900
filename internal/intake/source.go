package intake

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/assay-run/assay/internal/evidence"
)

// Bounds of the text that is kept for the report.
const (
	maxSourceBytes  = 256 << 10
	maxSourcesBytes = 2 << 20
)

// sources lists the files of the submission, sorted by path, with the text that fits. node_modules is left out. Lock
// files come last when the room is shared out: nobody reads them.
func sources(t *tree) ([]evidence.SourceFile, error) {
	names := slices.DeleteFunc(slices.Collect(maps.Keys(t.files)), func(name string) bool {
		_, ok := modulesDir(name)
		return ok
	})
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(lockRank(a), lockRank(b)), strings.Compare(a, b))
	})
	out := make([]evidence.SourceFile, 0, len(names))
	room := int64(maxSourcesBytes)
	for _, name := range names {
		source, err := readSource(t, name, min(room, maxSourceBytes))
		if err != nil {
			return nil, err
		}
		room -= int64(len(source.Text))
		out = append(out, source)
	}
	slices.SortFunc(out, func(a, b evidence.SourceFile) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

func lockRank(name string) int {
	switch path.Base(name) {
	case "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock":
		return 1
	}
	return 0
}

// readSource reads up to limit bytes of a file as text.
func readSource(t *tree, name string, limit int64) (evidence.SourceFile, error) {
	out := evidence.SourceFile{Path: name, Bytes: t.files[name].bytes}
	f, err := t.root.Open(name)
	if err != nil {
		return out, fmt.Errorf("read source: %w", err)
	}
	defer f.Close() // only read
	data, err := io.ReadAll(io.LimitReader(f, maxSourceBytes))
	if err != nil {
		return out, fmt.Errorf("read source: %w", err)
	}
	whole := int64(len(data)) == out.Bytes
	if isBinary(data, whole) {
		out.Binary = true
		return out, nil
	}
	if int64(len(data)) > limit {
		data, whole = data[:limit], false
	}
	out.Text, out.Truncated = string(wholeRunes(data)), !whole
	return out, nil
}

// isBinary says whether data is no UTF-8 text. A character that is cut at the end of a part does not count.
func isBinary(data []byte, whole bool) bool {
	if !whole {
		data = wholeRunes(data)
	}
	return bytes.IndexByte(data, 0) >= 0 || !utf8.Valid(data)
}

// wholeRunes drops a character that is cut at the end.
func wholeRunes(data []byte) []byte {
	for i := len(data) - 1; i >= max(0, len(data)-utf8.UTFMax); i-- {
		if utf8.RuneStart(data[i]) {
			if !utf8.FullRune(data[i:]) {
				return data[:i]
			}
			break
		}
	}
	return data
}

// leftNote says what was not taken, or nothing.
func (t *tree) leftNote() string {
	if len(t.left) == 0 {
		return ""
	}
	return "Left out: " + strings.Join(slices.Sorted(maps.Keys(t.left)), ", ") + "."
}
