package logaggregate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/graders/loggen"
	"github.com/assay-run/assay/internal/workload"
)

// prepared is a scenario ready to run, released at the end of its test.
type prepared struct{ graders.Prepared }

func preparation(cache string, with map[string]any, timeout time.Duration) graders.Preparation {
	return graders.Preparation{Scenario: "main", With: with, Seed: bytes.Repeat([]byte{7}, 32), CacheDir: cache, Timeout: timeout}
}

// prepareFor makes the data of a scenario.
func prepareFor(t *testing.T, cache string, with map[string]any, timeout time.Duration) prepared {
	t.Helper()
	p, err := New().Prepare(t.Context(), preparation(cache, with, timeout))
	require.NoError(t, err)
	t.Cleanup(p.Release)
	return prepared{p}
}

func TestPreparePlain(t *testing.T) {
	t.Parallel()
	cache := t.TempDir()
	p := prepareFor(t, cache, map[string]any{"kind": "plain", "size": "256KiB"}, time.Minute)
	require.Len(t, p.Files, 1)
	f, err := os.Open(p.Files[0])
	require.NoError(t, err)
	defer f.Close()
	want, err := loggen.Oracle(t.Context(), f)
	require.NoError(t, err)

	var known truth
	require.NoError(t, json.Unmarshal(p.Truth, &known))
	require.Len(t, known.Files, 1)
	known.Files[0].Want.BadKinds = nil
	assert.Equal(t, want, *known.Files[0].Want)
	assert.Equal(t, want.Bytes, p.Bytes)
	assert.Equal(t, filepath.Dir(p.Files[0]), p.DataDir)
}

func TestPrepareGzip(t *testing.T) {
	t.Parallel()
	p := prepareFor(t, t.TempDir(), map[string]any{"kind": "gzip", "size": 300_000}, time.Minute)
	require.Len(t, p.Files, 1)
	assert.True(t, strings.HasSuffix(p.Files[0], ".log.gz"))
	var got params
	require.NoError(t, json.Unmarshal(p.Params, &got))
	assert.InDelta(t, 300_000, got.Files[0].Bytes, 5000)
	assert.Less(t, got.Files[0].Disk, got.Files[0].Bytes/2)
	assert.InDelta(t, heartbeatHz, got.Hz, 0)
	assert.Equal(t, time.Minute, got.TimeoutNs)
}

// checkPack checks the description of a prepared anomaly pack.
func checkPack(t *testing.T, p prepared) {
	t.Helper()
	var got params
	require.NoError(t, json.Unmarshal(p.Params, &got))
	var known truth
	require.NoError(t, json.Unmarshal(p.Truth, &known))
	require.Len(t, got.Files, len(known.Files))
	assert.Zero(t, got.Hz)
	var given, written []string
	for i := range got.Files {
		given = append(given, got.Files[i].Case)
		written = append(written, known.Files[i].ID)
		assert.FileExists(t, filepath.Join(p.DataDir, got.Files[i].File))
		assert.NotContains(t, got.Files[i].File, got.Files[i].Case, "the name of the file tells what is in it")
	}
	assert.ElementsMatch(t, given, written)
	assert.NotEqual(t, given, written, "the order of the files is the same for everybody")
}

func TestPrepareUsesTheCache(t *testing.T) {
	t.Parallel()
	cache := t.TempDir()
	with := map[string]any{"kind": "plain", "size": "64KiB"}
	first := prepareFor(t, cache, with, time.Minute)
	info, err := os.Stat(first.Files[0])
	require.NoError(t, err)
	again := prepareFor(t, cache, with, 2*time.Minute)
	assert.Equal(t, first.Files, again.Files)
	same, err := os.Stat(again.Files[0])
	require.NoError(t, err)
	assert.True(t, os.SameFile(info, same))
	assert.Equal(t, info.ModTime(), same.ModTime())

	other := preparation(cache, with, time.Minute)
	other.Seed = bytes.Repeat([]byte{8}, 32)
	p, err := New().Prepare(t.Context(), other)
	require.NoError(t, err)
	defer p.Release()
	assert.NotEqual(t, first.Files, p.Files)
}

// TestNothingToldThatASubmissionMayNotKnow looks at what is mounted and at what goes to the driver.
func TestNothingToldThatASubmissionMayNotKnow(t *testing.T) {
	t.Parallel()
	p := prepareFor(t, t.TempDir(), map[string]any{"kind": "plain", "size": "64KiB"}, time.Minute)
	list, err := os.ReadDir(p.DataDir)
	require.NoError(t, err)
	assert.Len(t, list, 1)
	for _, word := range []string{"want", "byService", "slowest", "seed"} {
		assert.NotContains(t, string(p.Params), word)
	}
}

func TestPrepareSadPaths(t *testing.T) {
	t.Parallel()
	_, err := New().Prepare(t.Context(), preparation(t.TempDir(), map[string]any{"kind": "zip"}, 0))
	require.ErrorContains(t, err, "with.kind")

	cause := errors.New("not now")
	ctx, cancel := context.WithCancelCause(t.Context())
	pr := preparation(t.TempDir(), map[string]any{"kind": "plain", "size": "32MiB"}, 0)
	pr.Report = func(p workload.Progress) {
		assert.Positive(t, p.Done)
		assert.LessOrEqual(t, p.Done, p.Total)
		cancel(cause)
	}
	_, err = New().Prepare(ctx, pr)
	require.ErrorIs(t, err, cause)
	for _, dir := range []string{"data", "truth"} {
		list, err := os.ReadDir(filepath.Join(pr.CacheDir, dir))
		require.NoError(t, err)
		assert.Empty(t, list, "left behind in %s", dir)
	}

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = New().Prepare(t.Context(), preparation(file, map[string]any{"kind": "plain", "size": "64KiB"}, 0))
	require.ErrorContains(t, err, "make cache directory")
}
