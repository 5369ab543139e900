package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/challenges"
)

func readValidation(t *testing.T, name string) validation {
	t.Helper()
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	var v validation
	require.NoError(t, json.Unmarshal(data, &v))
	return v
}

func TestValidationGoesOn(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "result.json")
	of := func(fixture string, run int, verdict string) fixtureResult {
		return fixtureResult{
			Challenge: "c", Digest: "sha256:1", Node: "24", Fixture: fixture, Kind: "reference", Mode: "quick", Run: run, OK: true,
			Codes: []string{}, Score: 90, Verdict: verdict, Seconds: 2,
		}
	}
	first, err := openValidation(validateOptions{json: name})
	require.NoError(t, err)
	require.NoFileExists(t, name, "nothing was graded yet")
	require.NoError(t, first.add(of("a", 1, "pass")))
	require.NoError(t, first.add(of("b", 1, "invalid")))
	assert.Len(t, readValidation(t, name).Results, 2, "there after each grading")

	next, err := openValidation(validateOptions{json: name, goOn: true})
	require.NoError(t, err)
	ch := &challenges.Challenge{ID: "c", Digest: "sha256:1"}
	got, ok := next.find(ch, "24", "quick", "a", 1)
	assert.True(t, ok)
	assert.Equal(t, of("a", 1, "pass"), got)
	for why, other := range map[string]struct {
		ch                  *challenges.Challenge
		node, mode, fixture string
		run                 int
	}{
		"another run":       {ch, "24", "quick", "a", 2},
		"another solution":  {ch, "24", "quick", "x", 1},
		"another mode":      {ch, "24", "standard", "a", 1},
		"another Node":      {ch, "22", "quick", "a", 1},
		"another challenge": {&challenges.Challenge{ID: "d", Digest: "sha256:1"}, "24", "quick", "a", 1},
		"it has changed":    {&challenges.Challenge{ID: "c", Digest: "sha256:2"}, "24", "quick", "a", 1},
		"it was invalid":    {ch, "24", "quick", "b", 1},
	} {
		_, ok := next.find(other.ch, other.node, other.mode, other.fixture, other.run)
		assert.False(t, ok, why)
	}
	require.NoError(t, next.add(of("b", 1, "pass")))
	require.NoError(t, next.add(of("a", 2, "fail")))
	v := readValidation(t, name)
	assert.Equal(t, []fixtureResult{of("a", 1, "pass"), of("b", 1, "pass"), of("a", 2, "fail")}, v.Results, "the invalid one is replaced")
	assert.Equal(t, 1, v.Summary.ChangedVerdicts)
	assert.Equal(t, assayVersion(), v.Assay)
	left := func() []string {
		names, err := filepath.Glob(filepath.Join(filepath.Dir(name), "*"))
		require.NoError(t, err)
		return names
	}
	assert.Equal(t, []string{name}, left())

	anew, err := openValidation(validateOptions{json: name})
	require.NoError(t, err)
	assert.Len(t, readValidation(t, name).Results, 3, "whoever forgets --continue has lost nothing")
	require.NoError(t, anew.add(of("x", 1, "pass")))
	require.NoError(t, anew.add(of("y", 1, "pass")))
	assert.Len(t, readValidation(t, name).Results, 2)
	assert.Len(t, readValidation(t, name+".old").Results, 3)
}

func TestValidationOfAnotherKind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(text string) string {
		name := filepath.Join(dir, "f.json")
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
		return name
	}
	for text, want := range map[string]string{
		"{}":           "is no result of assay validate",
		"[1, 2":        "is no result of assay validate",
		`{"schema":1}`: "is no result of assay validate",
		`{"schema":"assay.validation/1","assay":"v0.0.1"}`:                                              "made by Assay v0.0.1, this is",
		`{"schema":"assay.validation/1","assay":"` + assayVersion() + `","summary":{"neighbour":true}}`: "another --neighbour",
	} {
		name := file(text)
		_, err := openValidation(validateOptions{json: name, goOn: true})
		require.ErrorContains(t, err, want)
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		assert.Equal(t, text, string(data), "it is kept")
	}
	_, err := openValidation(validateOptions{goOn: true})
	require.ErrorContains(t, err, "--continue needs")
	_, err = openValidation(validateOptions{json: filepath.Join(dir, "none", "f.json")})
	require.ErrorContains(t, err, "write validation")
	f, err := openValidation(validateOptions{})
	require.NoError(t, err)
	require.NoError(t, f.add(fixtureResult{}), "no file, nothing to write")
}
