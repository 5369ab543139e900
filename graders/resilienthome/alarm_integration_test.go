//go:build integration

package resilienthome

import (
	"encoding/binary"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The 200 runs of docs/resilience-statistics.md, with a Node.js 24 first on the PATH since the alternative is TypeScript:
//
//	go test -tags integration -run TestRecordedRuns -timeout 30m ./graders/resilienthome -alarm-runs 100 -alarm-solutions reference,alternative -alarm-width 4
var (
	alarmRuns      = flag.Int("alarm-runs", 2, "how often each good solution goes through the outages")
	alarmSolutions = flag.String("alarm-solutions", "reference", "the good solutions")
	alarmWidth     = flag.Int("alarm-width", 2, "runs at the same time")
	alarmFrom      = flag.Uint64("alarm-from", 0, "number of the first seed")
)

// TestRecordedRuns drives good solutions through outages, each time with another seed: none gets a code. Runs are beside each other, which makes the
// loop of each later than it would be in a grading.
func TestRecordedRuns(t *testing.T) {
	type figures struct {
		Solution string
		Seed     uint64
		Codes    []string
		Values   map[string]float64
	}
	var mu sync.Mutex
	var all []figures
	turn := make(chan struct{}, *alarmWidth)
	var wg sync.WaitGroup
	for _, name := range strings.Split(*alarmSolutions, ",") {
		pod := installed(t, name)
		for i := range *alarmRuns {
			turn <- struct{}{}
			wg.Go(func() {
				defer func() { <-turn }()
				seed := *alarmFrom + uint64(i) //nolint:gosec // a count
				m, err := driven(t, pod, binary.BigEndian.AppendUint64(make([]byte, 24), seed), map[string]any{"kind": "outages"})
				if !assert.NoError(t, err, "%s, seed %d", name, seed) {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				all = append(all, figures{name, seed, codes(m), m.Values})
				assert.Empty(t, codes(m), "%s, seed %d: %+v", name, seed, m.Findings)
			})
		}
	}
	wg.Wait()
	for _, f := range all {
		text, err := json.Marshal(f)
		require.NoError(t, err)
		t.Logf("%s", text)
	}
	assert.Len(t, all, *alarmRuns*len(strings.Split(*alarmSolutions, ",")))
}

// installed is a solution in a folder of the test, with its packages.
func installed(t *testing.T, name string) hostPod {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "app")
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join(solutions, name))))
	text, err := os.ReadFile(filepath.Join(dir, "assay.json"))
	require.NoError(t, err)
	var manifest struct {
		Start []string
		Build [][]string
	}
	require.NoError(t, json.Unmarshal(text, &manifest))
	for _, step := range manifest.Build {
		cmd := exec.CommandContext(t.Context(), step[0], step[1:]...) //nolint:gosec // of a solution of ours
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	return hostPod{dir, manifest.Start}
}
