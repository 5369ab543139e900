package main

import (
	"io/fs"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/forms"
	"github.com/assay-run/assay/internal/gradework"
	"github.com/assay-run/assay/internal/intake"
)

// TestBundledChallenges loads what the binary carries with the graders it carries, opens every solution and starter as a
// submission, and wants each solution to be a fixture, since one that nobody grades rots.
func TestBundledChallenges(t *testing.T) {
	t.Parallel()
	a := &app{env: func(string) (string, bool) { return "", false }}
	all, err := a.challenges()
	require.NoError(t, err)
	require.NotEmpty(t, all)
	for _, ch := range all {
		listed := map[string]bool{}
		for _, f := range ch.Fixtures {
			listed["solutions/"+f.Name] = true
			if f.Twin != "" {
				assert.True(t, listed["solutions/"+f.Twin], "%s: the twin of %s must be listed before it", ch.ID, f.Name)
			}
		}
		found, seen := 0, map[string]bool{}
		err := fs.WalkDir(ch.Files, ".", func(name string, _ fs.DirEntry, err error) error {
			isSolution := path.Base(name) == "assay.json" || path.Base(name) == forms.SolutionFile
			if err != nil || !isSolution || seen[path.Dir(name)] {
				return err
			}
			seen[path.Dir(name)] = true
			dir := t.TempDir()
			require.NoError(t, gradework.WriteSolution(ch.Files, path.Dir(name), dir))
			sub, err := intake.Open(t.Context(), dir, intake.Options{Challenge: ch.ID})
			if assert.NoError(t, err, name) {
				assert.NoError(t, sub.Close())
			}
			if strings.HasPrefix(name, "solutions/") {
				found++
				assert.True(t, listed[path.Dir(name)], "%s: %s is no fixture", ch.ID, path.Dir(name))
			}
			return nil
		})
		require.NoError(t, err)
		assert.Equal(t, len(ch.Fixtures), found, ch.ID)
	}
}

func TestCodesMatch(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		got, want []string
		ok        bool
	}{
		{"none", nil, nil, true},
		{"same", []string{"A", "B"}, []string{"B", "A"}, true},
		{"either", []string{"B"}, []string{"A|B"}, true},
		{"both", []string{"A", "B"}, []string{"A|B"}, true},
		{"missing", []string{"A"}, []string{"A", "B"}, false},
		{"one too many", []string{"A", "C"}, []string{"A"}, false},
		{"none of either", []string{"C"}, []string{"A|B"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.ok, codesMatch(tt.got, tt.want))
		})
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	ok := evidenceExit(0)
	ms, err := clockOf(ok, "warning\nbench-clock 1234.5\n")
	require.NoError(t, err)
	assert.InDelta(t, 1234.5, ms, 0)
	for _, stderr := range []string{"", "bench-clock ", "bench-clock x\n"} {
		_, err := clockOf(ok, stderr)
		assert.Error(t, err, stderr)
	}
	_, err = clockOf(evidenceExit(1), "bench-clock 1\n")
	assert.Error(t, err)
}

func evidenceExit(code int) evidence.Exit {
	return evidence.Exit{Status: evidence.Exited, Code: code}
}
