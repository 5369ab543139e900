package debugservice

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/forms"
)

// write says that bundled solutions and the starter are to be made from the forms anew.
var makeFixtures = flag.Bool("make-fixtures", false, "write starter and bundled solutions from the forms")

// fixture is a bundled solution: form 0 with some of its causes left, and files of its own.
type fixture struct {
	folder string
	left   []string
	own    []string
}

func fixtures() []fixture {
	all := []string{pbkdf2Sync, nPlusOne, serialAwaits, syncLogging}
	of := "solutions/"
	return []fixture{
		{folder: "starter", left: all},
		{folder: of + "ref-min", left: []string{pbkdf2Sync, serialAwaits}, own: []string{"diagnosis.json"}},
		{folder: of + "alternative", own: []string{"diagnosis.json", "src/lib/passwords.js", "src/lib/audit-log.js", "src/services/availability.js", "src/services/orders.js"}},
		{folder: of + "flawed/untouched", left: all},
		{folder: of + "flawed/cluster-only", left: all, own: []string{"src/main.js"}},
		{folder: of + "flawed/wrong-cache", own: []string{"diagnosis.json", "src/services/catalogue.js"}},
		{folder: of + "flawed/feature-removed", own: []string{"diagnosis.json", "src/plugins/audit.js"}},
		{folder: of + "flawed/all-codes-listed", own: []string{"diagnosis.json"}},
		{folder: of + "flawed/one-of-four", left: []string{pbkdf2Sync, serialAwaits, syncLogging}, own: []string{"diagnosis.json"}},
		{folder: of + "gaming/claims-another-form", left: all, own: []string{"assay.json", "diagnosis.json"}},
	}
}

// TestFixtures says that starter and solutions are what the forms make, but for the files that make them what they are.
func TestFixtures(t *testing.T) {
	t.Parallel()
	s, err := forms.Load(os.DirFS(challenge))
	require.NoError(t, err)
	number, ok := s.Number([]string{pbkdf2Sync, nPlusOne, serialAwaits, syncLogging})
	require.True(t, ok)
	require.Zero(t, number)
	for _, f := range fixtures() {
		t.Run(f.folder, func(t *testing.T) {
			t.Parallel()
			files, _, err := s.With(f.left)
			require.NoError(t, err)
			dir := filepath.Join(challenge, f.folder)
			for name, want := range files {
				path := filepath.Join(dir, name)
				if slices.Contains(f.own, name) {
					assert.FileExists(t, path)
					continue
				}
				if f.folder != "starter" && (name == "README.md" || strings.HasPrefix(name, "dev/")) {
					continue
				}
				if *makeFixtures {
					require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
					require.NoError(t, os.WriteFile(path, want, 0o600))
				}
				got, err := os.ReadFile(path)
				require.NoError(t, err)
				assert.Equal(t, string(want), string(got), name)
			}
		})
	}
}

// challenge is the folder of the challenge, seen from here.
const challenge = "../../challenges/debug-slow-service"
