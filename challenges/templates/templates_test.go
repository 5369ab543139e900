package templates

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWrite(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"file-in-file-out", "http-load", "http-script", "stdin-stdout"}, Kinds())
	for _, kind := range Kinds() {
		dir := filepath.Join(t.TempDir(), "some", "thing")
		require.NoError(t, Write(kind, "some-thing", dir))
		require.ErrorIs(t, Write(kind, "some-thing", dir), ErrNotEmpty)
		files := 0
		require.NoError(t, filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			files++
			data, err := os.ReadFile(name)
			assert.NotContains(t, string(data), placeholder, name)
			if filepath.Base(name) == "assay.json" {
				assert.Contains(t, string(data), `"some-thing"`, name)
			}
			if strings.HasSuffix(name, ".md") {
				assert.Contains(t, string(data), "## How it is graded", name)
			}
			return err
		}))
		assert.Greater(t, files, 8, kind)
	}
	require.Error(t, Write("no-such-kind", "x", t.TempDir()))
}
