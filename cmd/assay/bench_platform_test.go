package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform/scalebench"
)

// runBench runs a bench and reads its result.
func runBench(t *testing.T, into any, args ...string) string {
	t.Helper()
	result := filepath.Join(t.TempDir(), "result.json")
	var out bytes.Buffer
	var errs console // as the processes that a bench starts write there too
	code := run(t.Context(), append(append([]string{"bench"}, args...), "--json", result), environmentOf(), stdio{in: strings.NewReader(""), out: &out, err: &errs})
	require.Equal(t, 0, code, "%s%s", &out, errs.String())
	text, err := os.ReadFile(result)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, into))
	return out.String()
}

func TestBenchQueue(t *testing.T) {
	t.Parallel()
	var r scalebench.QueueReport
	out := runBench(t, &r, "queue", "--submissions", "40", "--organisations", "3", "--largest", "20", "--workers", "4", "--processes", "1", "--idle", "0s",
		"--least", "1ms", "--most", "3ms")
	assert.Equal(t, []int{43, 43}, []int{r.Drain.Graded, r.Drain.Tries}, "three come late")
	assert.Positive(t, r.EnqueuePerSecond)
	assert.Positive(t, r.Drain.WorkersMs)
	require.Len(t, r.Waits, 3)
	assert.Equal(t, []int{20, 20, 3}, []int{r.Waits[0].Jobs, r.Waits[1].Jobs, r.Waits[2].Jobs})
	assert.Contains(t, out, "SQLite, 40 submissions of 3 organisations")
}

func TestBenchPlatform(t *testing.T) {
	t.Parallel()
	var r scalebench.LoadReport
	out := runBench(t, &r, "platform", "--candidates", "12", "--streams", "4", "--length", "5s", "--poll", "500ms", "--look", "400ms", "--team", "2")
	n := map[string]int{}
	for _, k := range r.Kinds {
		assert.Zero(t, k.Errors, "%s: %v", k.Name, r.Problems)
		n[k.Name] = k.Requests
	}
	assert.Equal(t, []int{12, 4, 6, 6, 2}, []int{n["link"], n["stream"], n["upload, dry run"], n["upload, final"], n["sign-in"]})
	assert.GreaterOrEqual(t, n["page"], 8)
	assert.Positive(t, n["team: candidates"])
	assert.Equal(t, 12, r.Handed)
	assert.Positive(t, r.Events, "streams tell what becomes of a submission")
	assert.Positive(t, r.ServerCores)
	assert.Contains(t, out, "12 submissions handed in")
}

func TestBenchPlatformRefuses(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--length", "1h"}, {"--streams", "9", "--candidates", "8"}, {"--candidates", "70000"}} {
		code := run(t.Context(), append([]string{"bench", "platform"}, args...), environmentOf(), stdio{in: strings.NewReader(""), out: &bytes.Buffer{}, err: &bytes.Buffer{}})
		assert.NotEqual(t, 0, code, args)
	}
}
