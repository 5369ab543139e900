package intake

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
)

func open(t *testing.T, path string) *Submission {
	t.Helper()
	s, err := Open(t.Context(), path, Options{TempDir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

// A submission is the same whichever way it comes in.
func TestDirectoryAndArchivesAreTheSame(t *testing.T) {
	t.Parallel()
	entries := with(
		entry{name: "bin/", mode: os.ModeDir | 0o755},
		entry{name: "bin/run", text: "#!/bin/sh\n", mode: 0o755},
		entry{name: "data.bin", text: "a\x00b"},
		entry{name: ".git/HEAD", text: "ref"},
		entry{name: "src/.DS_Store", text: "x"},
		entry{name: "src/._main.mjs", text: "x"},
	)
	var nested []entry
	for _, e := range entries {
		e.name = "work-1a2b3c/" + e.name
		nested = append(nested, e)
	}
	mac := append([]entry{{name: "__MACOSX/work-1a2b3c/._assay.json", text: "x"}}, nested...)
	want := []evidence.SourceFile{
		{Path: "assay.json", Bytes: 56, Text: `{"challenge": "tiny", "start": ["node", "src/main.mjs"]}`},
		{Path: "bin/run", Bytes: 10, Text: "#!/bin/sh\n"},
		{Path: "data.bin", Bytes: 3, Binary: true},
		{Path: "src/main.mjs", Bytes: 21, Text: "console.log('hello')\n"},
	}
	paths := map[string]string{
		"directory":     lay(t, entries),
		"tar.gz":        save(t, "work.tar.gz", tarGz(t, entries)),
		"zip":           save(t, "work.zip", zipped(t, entries)),
		"wrong ending":  save(t, "work.zip", tarGz(t, entries)),
		"folder in tgz": save(t, "work.tgz", tarGz(t, nested)),
		"folder in zip": save(t, "work.zip", zipped(t, nested)),
		"of a Mac":      save(t, "work.zip", zipped(t, mac)),
		"dot names":     save(t, "work.tar.gz", tarGz(t, dotted(entries))),
	}
	digest := open(t, paths["directory"]).Digest
	for name, path := range paths {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, path)
			assert.Equal(t, want, s.Files)
			assert.Equal(t, digest, s.Digest)
			assert.Equal(t, Manifest{Challenge: "tiny", Start: []string{"node", "src/main.mjs"}}, s.Manifest)
			require.Len(t, s.Notes, 1)
			assert.Contains(t, s.Notes[0], "Left out: .DS_Store, ._* files of macOS, .git")
			text, err := os.ReadFile(filepath.Join(s.Dir, "src", "main.mjs"))
			require.NoError(t, err)
			assert.Equal(t, "console.log('hello')\n", string(text))
			info, err := os.Stat(filepath.Join(s.Dir, "bin", "run"))
			require.NoError(t, err)
			assert.Equal(t, os.FileMode(0o755), info.Mode().Perm())
			assert.NoDirExists(t, filepath.Join(s.Dir, ".git"))
		})
	}
}

// dotted writes names as "tar -c ." does.
func dotted(entries []entry) []entry {
	out := []entry{{name: "./", mode: os.ModeDir | 0o755}}
	for _, e := range entries {
		e.name = "./" + e.name
		out = append(out, e)
	}
	return out
}

func TestDigestKnowsNameModeAndContent(t *testing.T) {
	t.Parallel()
	base := open(t, lay(t, with(entry{name: "a", text: "1"}))).Digest
	assert.Regexp(t, "^sha256:[0-9a-f]{64}$", base)
	for name, changed := range map[string]entry{
		"name":    {name: "b", text: "1"},
		"mode":    {name: "a", text: "1", mode: 0o755},
		"content": {name: "a", text: "2"},
	} {
		assert.NotEqual(t, base, open(t, lay(t, with(changed))).Digest, name)
	}
}

func TestNodeModules(t *testing.T) {
	t.Parallel()
	modules := []entry{
		{name: "node_modules/a/index.js", text: "1"},
		{name: "node_modules/.bin/a", link: "../a/index.js", mode: os.ModeSymlink},
		{name: "a.mjs", text: "1"},
	}
	built := append([]entry{{name: "assay.json", text: `{"challenge": "tiny", "start": ["node", "a.mjs"], "build": [["npm", "ci"]]}`}}, modules...)
	kept := append([]entry{{name: "assay.json", text: `{"challenge": "tiny", "start": ["node", "a.mjs"]}`}}, modules...)
	withoutLink := append([]entry{built[0]}, modules[0], modules[2])

	t.Run("a build makes it", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{lay(t, built), save(t, "work.tar.gz", tarGz(t, withoutLink))} {
			s := open(t, path)
			assert.NoDirExists(t, filepath.Join(s.Dir, "node_modules"))
			assert.Equal(t, []string{"Left out: node_modules (the build installs it)."}, s.Notes)
			assert.Len(t, s.Files, 2)
		}
	})
	t.Run("dependencies without a build", func(t *testing.T) {
		t.Parallel()
		entries := append([]entry{{name: "package.json", text: `{"main": "a.mjs", "dependencies": {"a": "1"}}`}}, modules...)
		assert.NoDirExists(t, filepath.Join(open(t, lay(t, entries)).Dir, "node_modules"))
	})
	t.Run("nothing makes it", func(t *testing.T) {
		t.Parallel()
		s := open(t, lay(t, kept))
		assert.FileExists(t, filepath.Join(s.Dir, "node_modules", "a", "index.js"))
		assert.NoDirExists(t, filepath.Join(s.Dir, "node_modules", ".bin"))
		assert.Len(t, s.Files, 2, "it is not shown in the report")
		assert.Equal(t, []string{"Left out: node_modules/.bin."}, s.Notes)
	})
}

func TestTypeScriptEntry(t *testing.T) {
	t.Parallel()
	s := open(t, lay(t, []entry{
		{name: "assay.json", text: `{"challenge": "tiny", "start": ["node", "--enable-source-maps", "src/main.ts"]}`},
		{name: "src/main.ts", text: "const n: number = 1\n"},
	}))
	assert.Equal(t, []string{"node", "--enable-source-maps", "src/main.ts"}, s.Manifest.Start)
	assert.Empty(t, s.Notes)
}

func TestTextIsBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", maxSourceBytes) // after one more byte, the bound falls into a character
	entries := with(entry{name: "a.txt", text: "x" + long}, entry{name: "package-lock.json", text: long[:maxSourceBytes]})
	for _, name := range []string{"b", "c", "d", "e", "f", "z"} {
		entries = append(entries, entry{name: name, text: strings.Repeat("x", maxSourceBytes)})
	}
	s := open(t, lay(t, entries))
	total := 0
	files := map[string]evidence.SourceFile{}
	for _, f := range s.Files {
		assert.LessOrEqual(t, len(f.Text), maxSourceBytes)
		assert.True(t, utf8.ValidString(f.Text), "no character is cut")
		assert.Equal(t, int64(len(f.Text)) != f.Bytes, f.Truncated, f.Path)
		total += len(f.Text)
		files[f.Path] = f
	}
	assert.LessOrEqual(t, total, maxSourcesBytes)
	assert.Len(t, files["a.txt"].Text, maxSourceBytes-1)
	assert.False(t, files["z"].Truncated)
	assert.True(t, files["package-lock.json"].Truncated, "lock files come last")
}

func TestTheOriginalIsNotTouched(t *testing.T) {
	t.Parallel()
	dir := lay(t, good())
	s, err := Open(t.Context(), dir, Options{TempDir: t.TempDir()})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(s.Dir, "src", "main.mjs"), []byte("changed"), 0o600))
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "closing twice is harmless")
	assert.NoDirExists(t, s.Dir)
	text, err := os.ReadFile(filepath.Join(dir, "src", "main.mjs"))
	require.NoError(t, err)
	assert.Equal(t, "console.log('hello')\n", string(text))
}

func TestTrailingBytesAreIgnored(t *testing.T) {
	t.Parallel()
	data := append(tarGz(t, good()), strings.Repeat("garbage", 100)...)
	assert.Len(t, open(t, save(t, "work.tar.gz", data)).Files, 2)
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	stop := errors.New("stopped by a test")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stop)
	for _, path := range []string{lay(t, good()), save(t, "w.tar.gz", tarGz(t, good())), save(t, "w.zip", zipped(t, good()))} {
		temp := t.TempDir()
		_, err := Open(ctx, path, Options{TempDir: temp})
		require.ErrorIs(t, err, stop)
		var fault *Error
		require.NotErrorAs(t, err, &fault, "that is not the submission's fault")
		left, err := os.ReadDir(temp)
		require.NoError(t, err)
		assert.Empty(t, left)
	}
}

func TestOurOwnFaultsAreNotTheirs(t *testing.T) {
	t.Parallel()
	_, err := Open(t.Context(), lay(t, good()), Options{TempDir: filepath.Join(t.TempDir(), "missing")})
	require.ErrorIs(t, err, os.ErrNotExist)
	var fault *Error
	require.NotErrorAs(t, err, &fault)
}

func TestNames(t *testing.T) {
	t.Parallel()
	sep := string(filepath.Separator)
	for path, want := range map[string]string{
		"work.tar.gz": "work", "a" + sep + "b.tgz": "b", "c.zip": "c", "dir": "dir", "dir" + sep: "dir", ".zip": ".zip",
	} {
		assert.Equal(t, want, baseName(path))
	}
	here, err := os.Getwd()
	require.NoError(t, err)
	assert.Equal(t, filepath.Base(here), baseName("."))
	assert.Equal(t, "given", openNamed(t, "given").Name)
}

func openNamed(t *testing.T, name string) *Submission {
	t.Helper()
	s, err := Open(t.Context(), lay(t, good()), Options{Name: name, TempDir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

func TestEvidence(t *testing.T) {
	t.Parallel()
	s := open(t, lay(t, good()))
	assert.Equal(t, evidence.Submission{Name: s.Name, Digest: s.Digest, Start: s.Manifest.Start, Files: s.Files}, s.Evidence())
}

func TestUnreadable(t *testing.T) {
	t.Parallel()
	loop := filepath.Join(t.TempDir(), "loop")
	require.NoError(t, os.Symlink("loop", loop))
	_, err := Open(t.Context(), loop, Options{TempDir: t.TempDir()})
	var fault *Error
	require.ErrorAs(t, err, &fault)
	assert.Equal(t, "there is no such file or directory", fault.Rule)
}
