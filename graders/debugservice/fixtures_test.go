package debugservice

import (
	"flag"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/forms"
)

// challenge is the folder of the challenge, seen from here.
const challenge = "../../challenges/debug-slow-service"

var makeStarter = flag.Bool("make-starter", false, "write the starter from the forms")

// TestStarter says that the starter is form 0, to the byte: a diagnosis is compared with the lines of it.
func TestStarter(t *testing.T) {
	t.Parallel()
	s, err := forms.Load(os.DirFS(challenge))
	require.NoError(t, err)
	number, ok := s.Number([]string{pbkdf2Sync, nPlusOne, serialAwaits, syncLogging})
	require.True(t, ok)
	require.Zero(t, number)
	want, _, err := s.Form(0)
	require.NoError(t, err)
	dir := filepath.Join(challenge, "starter")
	if *makeStarter {
		for name, data := range want {
			file := filepath.Join(dir, name)
			require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
			require.NoError(t, os.WriteFile(file, data, 0o600))
		}
	}
	got := map[string]string{}
	require.NoError(t, fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		got[name] = string(data)
		return err
	}))
	assert.Len(t, got, len(want))
	for name, text := range want {
		assert.Equal(t, string(text), got[name], name)
	}
}

// TestSolutions says that each bundled solution can be made, and that the files it has of its own make a difference.
func TestSolutions(t *testing.T) {
	t.Parallel()
	files := os.DirFS(challenge)
	found, err := fs.Glob(files, "solutions/*/"+forms.SolutionFile)
	require.NoError(t, err)
	deeper, err := fs.Glob(files, "solutions/*/*/"+forms.SolutionFile)
	require.NoError(t, err)
	found = append(found, deeper...)
	require.Len(t, found, 11)
	plain, _, err := set(t).With(nil)
	require.NoError(t, err)
	for _, name := range found {
		folder := path.Dir(name)
		made, err := forms.Solution(files, folder)
		require.NoError(t, err)
		require.Contains(t, made, "package.json", folder)
		require.NoError(t, fs.WalkDir(files, folder, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || path.Base(file) == forms.SolutionFile {
				return err
			}
			own, err := fs.ReadFile(files, file)
			assert.NotEqual(t, string(plain[file[len(folder)+1:]]), string(own), "%s is the reference's", file)
			return err
		}))
	}
}

func set(t *testing.T) *forms.Set {
	t.Helper()
	s, err := forms.Load(os.DirFS(challenge))
	require.NoError(t, err)
	return s
}
