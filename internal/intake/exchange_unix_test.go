//go:build unix

package intake

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A FIFO has no end and no beginning; reading one would wait for ever.
func TestFIFOInADirectory(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"pipe", "assay.json", "package.json"} {
		dir := lay(t, []entry{{name: "a.mjs", text: "1"}})
		require.NoError(t, syscall.Mkfifo(filepath.Join(dir, name), 0o600))
		assert.Equal(t, `"`+name+`": it is a FIFO; only files and directories are taken; replace it by what it stands for`, refused(t, dir))
	}
}

// Between seeing a file and opening it, somebody may put another thing in its place. Nothing but the file that was seen
// is read.
func TestExchangedWhileRead(t *testing.T) {
	t.Parallel()
	exchanges := map[string]func(path string) error{
		"by a link within":  func(path string) error { return os.Symlink("other", path) },
		"by a link outside": func(path string) error { return os.Symlink("/etc/passwd", path) },
		"by a FIFO":         func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"by a directory":    func(path string) error { return os.Mkdir(path, 0o755) },
		"by another file":   func(path string) error { return os.WriteFile(path, []byte("longer"), 0o600) },
		"by nothing":        func(string) error { return nil },
	}
	for name, exchange := range exchanges {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := lay(t, []entry{{name: "file", text: "1"}, {name: "other", text: "2"}})
			source, err := os.OpenRoot(dir)
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, source.Close()) })
			copied, err := os.OpenRoot(t.TempDir())
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, copied.Close()) })
			into := newTree(copied, small())
			d := directory{source: source, into: into}
			infos, err := d.list(t.Context(), ".")
			require.NoError(t, err)

			path := filepath.Join(dir, "file")
			// The old file lives on under another name, so that its inode is not given to the new one.
			require.NoError(t, os.Rename(path, path+".old"))
			require.NoError(t, exchange(path))

			err = d.entry(t.Context(), "file", infos[0])
			var fault *Error
			require.ErrorAs(t, err, &fault)
			assert.Empty(t, into.files)
			_, err = copied.Stat("file")
			assert.ErrorIs(t, err, fs.ErrNotExist)
		})
	}
}
