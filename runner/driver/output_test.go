package driver

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
)

func TestReadOutput(t *testing.T) {
	t.Parallel()
	outside := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(outside, []byte("secret"), 0o600))
	for name, tc := range map[string]struct {
		make func(t *testing.T, dir string) // result.json
		want evidence.FileState
		text string
	}{
		"fine":      {content("hello"), evidence.FileOK, "hello"},
		"at limit":  {content("0123456789"), evidence.FileOK, "0123456789"},
		"empty":     {content(""), evidence.FileOK, ""},
		"not UTF-8": {content("a\xffb"), evidence.FileOK, "a\uFFFDb"},
		"missing":   {func(*testing.T, string) {}, evidence.FileMissing, ""},
		"too large": {content("0123456789x"), evidence.FileTooLarge, ""},
		"sparse": {func(t *testing.T, dir string) {
			content("")(t, dir)
			require.NoError(t, os.Truncate(filepath.Join(dir, "result.json"), 1<<40))
		}, evidence.FileTooLarge, ""},
		"link to outside": {link(outside), evidence.FileNotRegular, ""},
		"link to inside": {func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "other"), []byte("x"), 0o600))
			link("other")(t, dir)
		}, evidence.FileNotRegular, ""},
		"dangling link": {link("nowhere"), evidence.FileNotRegular, ""},
		"endless":       {link("/dev/zero"), evidence.FileNotRegular, ""},
		"directory": {func(t *testing.T, dir string) {
			require.NoError(t, os.Mkdir(filepath.Join(dir, "result.json"), 0o700))
		}, evidence.FileNotRegular, ""},
		"pipe that nobody writes": {func(t *testing.T, dir string) {
			require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "result.json"), 0o600))
		}, evidence.FileNotRegular, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			tc.make(t, dir)
			got := readOutput(dir, "result.json", 10)
			assert.Equal(t, tc.want, got.State, got.Detail)
			assert.Equal(t, tc.text, got.Content)
		})
	}
}

func content(s string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "result.json"), []byte(s), 0o600))
	}
}

func link(to string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		require.NoError(t, os.Symlink(to, filepath.Join(dir, "result.json")))
	}
}

func TestReadOutputStaysInside(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "out")
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(dir), "truth"), []byte("x"), 0o600))
	require.NoError(t, os.Symlink("..", filepath.Join(dir, "up")))
	for _, name := range []string{"../truth", "/etc/passwd", "up/truth", "", "."} {
		got := readOutput(dir, name, 100)
		assert.NotEqual(t, evidence.FileOK, got.State, name)
		assert.Empty(t, got.Content, name)
		assert.NotContains(t, got.Detail, dir)
	}
	assert.Equal(t, evidence.FileUnreadable, readOutput(filepath.Join(dir, "none"), "x", 1).State)
}

func TestClearOutput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kept := filepath.Join(t.TempDir(), "kept")
	require.NoError(t, os.WriteFile(kept, nil, 0o600))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "shut", "deep"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "shut", "deep", "f"), nil, 0o600))
	require.NoError(t, os.Chmod(filepath.Join(dir, "shut", "deep"), 0))
	require.NoError(t, os.Chmod(filepath.Join(dir, "shut"), 0))
	require.NoError(t, os.Symlink(filepath.Dir(kept), filepath.Join(dir, "link")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, strings.Repeat("n", 200)), nil, 0))
	require.NoError(t, clearOutput(dir))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left)
	assert.FileExists(t, kept, "a link is removed, not what it shows")
	assert.Error(t, clearOutput(filepath.Join(dir, "none")))
}
