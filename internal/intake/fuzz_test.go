package intake

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whatever an archive is made of, it is taken in or refused; nothing is written outside its directory, nothing that is
// no file or directory comes to be, the limits hold, and a refused one leaves nothing behind.
func FuzzOpenArchive(f *testing.F) {
	seed := func(build func(testing.TB, []entry) []byte, entries []entry) {
		f.Add(build(f, entries))
	}
	for _, build := range []func(testing.TB, []entry) []byte{tarGz, zipped} {
		seed(build, good())
		seed(build, with(entry{name: "../evil", text: "x"}))
		seed(build, with(entry{name: "src/link", link: "/etc", mode: os.ModeSymlink}, entry{name: "src/link/passwd", text: "x"}))
		seed(build, []entry{{name: "top/package.json", text: `{"main": "a.js", "dependencies": {"a": "1"}}`}, {name: "top/a.js"}, {name: "top/node_modules/a/b.js"}})
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		limits := small()
		outer := t.TempDir()
		temp := filepath.Join(outer, "temp")
		require.NoError(t, os.Mkdir(temp, 0o700))
		path := filepath.Join(outer, "archive")
		require.NoError(t, os.WriteFile(path, data, 0o600))

		s, err := Open(t.Context(), path, Options{TempDir: temp, Limits: limits})
		if err != nil {
			var fault *Error
			require.ErrorAs(t, err, &fault)
		} else {
			checkCopy(t, s, limits)
			require.NoError(t, s.Close())
		}
		left, err := os.ReadDir(temp)
		require.NoError(t, err)
		assert.Empty(t, left)
		beside, err := os.ReadDir(outer)
		require.NoError(t, err)
		assert.Len(t, beside, 2, "nothing is written beside the directory")
	})
}

func checkCopy(t *testing.T, s *Submission, limits Limits) {
	t.Helper()
	var total int64
	count := 0
	require.NoError(t, filepath.WalkDir(s.Dir, func(path string, entry fs.DirEntry, err error) error {
		require.NoError(t, err)
		count++
		info, err := entry.Info()
		require.NoError(t, err)
		assert.True(t, info.IsDir() || info.Mode().IsRegular(), path)
		if info.Mode().IsRegular() {
			assert.LessOrEqual(t, info.Size(), limits.FileBytes)
			total += info.Size()
		}
		return nil
	}))
	assert.LessOrEqual(t, total, limits.TotalBytes)
	assert.LessOrEqual(t, count, limits.Entries+1)
}

func FuzzCleanName(f *testing.F) {
	for _, name := range []string{"a/b", "../a", "/a", "./a/", "a//b", `a\b`, "a\x00b", "C:a", "..", "a/../b"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		clean, err := cleanName(name, small())
		if err != nil || clean == "" {
			return
		}
		assert.True(t, filepath.IsLocal(clean), "%q", clean)
		again, err := cleanName(clean, small())
		require.NoError(t, err)
		assert.Equal(t, clean, again)
	})
}

func FuzzPlainWords(f *testing.F) {
	for _, command := range []string{"node a.js", `node 'a b' "c"`, "node a && b", "node '"} {
		f.Add(command)
	}
	f.Fuzz(func(t *testing.T, command string) {
		words, plain := plainWords(command)
		if !plain {
			return
		}
		for _, w := range words {
			if strings.Contains(w, "$") {
				assert.Contains(t, command, "'", "only between such quotes it is no variable")
			}
			assert.LessOrEqual(t, len(w), 3*len(command), "a broken byte becomes U+FFFD")
		}
	})
}

// FuzzManifest describes a submission by any assay.json and package.json. What is accepted can be started: a command of node or a package manager,
// its file within the submission, steps with a program, and no variable of the challenge's.
func FuzzManifest(f *testing.F) {
	f.Add(`{"challenge": "tiny", "start": ["node", "--title", "x", "src/a.mjs"], "build": [["npm", "ci"]], "env": {"A": "1"}}`, `{}`)
	f.Add(`{"challenge": "tiny"}`, `{"main": "src/a.mjs", "scripts": {"start": "node 'src/a.mjs'"}, "dependencies": {"a": "1"}}`)
	f.Add(`{"challenge": "tiny", "start": ["node", "../a.mjs"], "env": {"PORT": "1"}}`, `[]`)
	f.Add(``, `{"main": "/etc/passwd", "workspaces": []}`)
	f.Fuzz(func(t *testing.T, assay, pkg string) {
		dir := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(dir, "src"), 0o700))
		for name, text := range map[string]string{manifestFile: assay, packageFile: pkg, "src/a.mjs": ""} {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		}
		root, err := os.OpenRoot(dir)
		require.NoError(t, err)
		defer root.Close()
		m, notes, err := readManifest(root, "tiny")
		if err != nil {
			var fault *Error
			require.ErrorAs(t, err, &fault, "a fault of the submission, not of ours")
			assert.LessOrEqual(t, len(err.Error()), 64<<10)
			return
		}
		require.NotEmpty(t, m.Start)
		assert.Contains(t, []string{"node", "npm", "npx", "yarn", "pnpm"}, m.Start[0])
		if m.Start[0] == "node" {
			i := entryIndex(m.Start)
			require.Positive(t, i)
			assert.True(t, filepath.IsLocal(m.Start[i]), m.Start[i])
		}
		for _, step := range m.Build {
			require.NotEmpty(t, step)
			assert.NotEmpty(t, step[0])
		}
		for name := range m.Env {
			assert.False(t, reservedEnv(name), name)
		}
		for _, note := range notes {
			assert.NotContains(t, note, "\x00")
		}
	})
}
