package runner

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestWalkStage(t *testing.T) {
	t.Parallel()
	outside, dir := t.TempDir(), t.TempDir()
	write := func(path, text string, mode os.FileMode) {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), mode))
	}
	write(filepath.Join(outside, "secret"), "secret", 0o600)
	write(filepath.Join(dir, "package.json"), "{}", 0o600)
	write(filepath.Join(dir, "bin", "run.sh"), "#!", 0o711)
	write(filepath.Join(dir, "bin", "setuid"), "x", 0o600)
	require.NoError(t, os.Chmod(filepath.Join(dir, "bin", "setuid"), 0o600|os.ModeSetuid))
	write(filepath.Join(dir, "empty"), "", 0o600)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "void"), 0o700))
	require.NoError(t, os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "link")))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "linked-dir")))
	require.NoError(t, unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600))

	var got []string
	err := WalkStage(t.Context(), dir, func(f StagedFile) error {
		line := f.Path + " " + f.Mode().String()
		if !f.Dir {
			text, err := io.ReadAll(f.Body)
			require.NoError(t, err)
			require.Len(t, text, int(f.Size))
			line += " " + string(text)
		}
		got = append(got, line)
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, []string{
		"bin -rwxr-xr-x", "bin/run.sh -rwxr-xr-x #!", "bin/setuid -rw-r--r-- x",
		"empty -rw-r--r-- ", "package.json -rw-r--r-- {}", "void -rwxr-xr-x",
	}, got)
}

func TestWalkStageFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, []byte("text"), 0o600))
	own := errors.New("visitor's own")
	none := func(StagedFile) error { return nil }
	for _, tt := range []struct {
		name  string
		dir   string
		visit func(StagedFile) error
		want  error
	}{
		{"no such directory", filepath.Join(dir, "no"), none, os.ErrNotExist},
		{"visitor fails", dir, func(StagedFile) error { return own }, own},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.ErrorIs(t, WalkStage(t.Context(), tt.dir, tt.visit), tt.want)
		})
	}
	require.ErrorContains(t, WalkStage(t.Context(), file, none), "not a directory")
	cancelled, cancel := context.WithCancelCause(t.Context())
	cancel(own)
	require.ErrorIs(t, WalkStage(cancelled, dir, none), own)
}

func TestExactReader(t *testing.T) {
	t.Parallel()
	got, err := io.ReadAll(&exactReader{r: strings.NewReader("longer than said"), left: 6})
	require.NoError(t, err)
	assert.Equal(t, "longer", string(got))
	_, err = io.ReadAll(&exactReader{r: strings.NewReader("short"), path: "a/b", left: 6})
	require.ErrorContains(t, err, "a/b: it became shorter")
}
