package intake

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPack(t *testing.T) {
	t.Parallel()
	long := "src/" + strings.Repeat("a", 120) + "/" + strings.Repeat("b", 120) + ".mjs" // longer than a plain tar has room for
	for _, tt := range []struct {
		name  string
		files map[string]string
	}{
		{"plain", map[string]string{"assay.json": `{"challenge": "tiny", "start": ["node", "main.mjs"]}`, "main.mjs": "console.log(1);\n", "empty": ""}},
		{"names", map[string]string{"assay.json": `{"challenge": "tiny", "start": ["node", "main.mjs"]}`, "main.mjs": "", long: "x", "data/ü.txt": "é"}},
		{"one folder alone", map[string]string{"package.json": `{"scripts": {"start": "node src/main.mjs"}}`, "src/main.mjs": ""}},
		{"what a build installs", map[string]string{
			"package.json":      `{"scripts": {"start": "node main.mjs"}, "dependencies": {"left": "1.0.0"}}`,
			"package-lock.json": `{"name": "x", "lockfileVersion": 3, "packages": {"": {"dependencies": {"left": "1.0.0"}}}}`,
			"main.mjs":          "", "node_modules/left/index.js": "module.exports = 1", ".git/config": "secret",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, text := range tt.files {
				require.NoError(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755))
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
			}
			require.NoError(t, os.Mkdir(filepath.Join(dir, "spool"), 0o755))
			if _, there := tt.files["main.mjs"]; there {
				require.NoError(t, os.Chmod(filepath.Join(dir, "main.mjs"), 0o755))
			}
			first, err := Open(t.Context(), dir, Options{})
			require.NoError(t, err)
			defer first.Close()
			var packed, again bytes.Buffer
			require.NoError(t, first.Pack(t.Context(), &packed))
			require.NoError(t, first.Pack(t.Context(), &again))
			assert.True(t, bytes.Equal(packed.Bytes(), again.Bytes()), "the same bytes each time")

			archive := filepath.Join(t.TempDir(), "archive")
			require.NoError(t, os.WriteFile(archive, packed.Bytes(), 0o644))
			second, err := Open(t.Context(), archive, Options{})
			require.NoError(t, err)
			defer second.Close()
			assert.Equal(t, first.Digest, second.Digest)
			assert.Equal(t, first.Files, second.Files)
			assert.Equal(t, first.Manifest, second.Manifest)
			assert.DirExists(t, filepath.Join(second.Dir, "spool"), "a program may count on an empty folder")
			for _, f := range second.Files {
				assert.NotContains(t, f.Path, ".git")
				assert.NotContains(t, f.Path, "node_modules")
			}
		})
	}
}

func TestPackIsTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "assay.json"), []byte(`{"challenge": "tiny", "start": ["node", "assay.json"]}`), 0o644))
	s, err := Open(t.Context(), dir, Options{})
	require.NoError(t, err)
	defer s.Close()
	why := errors.New("changed my mind")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	require.ErrorIs(t, s.Pack(ctx, &bytes.Buffer{}), why)
	require.ErrorIs(t, s.Pack(t.Context(), brokenWriter{}), os.ErrClosed)
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, os.ErrClosed }
