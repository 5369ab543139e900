//go:build integration

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/grading"
)

// steppedClock returns the arguments with which Go builds a program whose wall clock somebody keeps setting: forward by a day, back by two, and
// right again, every second. The clock of the machine is not for a test to set, so time.Now itself is another one; the monotonic
// clock, files and other programs have their own.
func steppedClock(t *testing.T) []string {
	t.Helper()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	require.NoError(t, err)
	original := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	source, err := os.ReadFile(original)
	require.NoError(t, err)
	reads := regexp.MustCompile(`(?m)^\tsec, nsec, mono := \w+\(\)\n`)
	require.Len(t, reads.FindAll(source, -1), 1, "this Go reads the clock in another way")
	source = reads.ReplaceAll(source, []byte("$0\tsec += stepped(mono)\n"))
	source = append(source, `
func stepped(mono int64) int64 { return [...]int64{0, 86400, -86400}[(mono-startNano)/1e9%3] }
`...)
	dir := t.TempDir()
	changed, overlay := filepath.Join(dir, "time.go"), filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(changed, source, 0o644))
	require.NoError(t, os.WriteFile(overlay, marshal(t, map[string]any{"Replace": map[string]string{original: changed}}), 0o644))
	return []string{"-overlay", overlay}
}

// TestSteppedClock grades with a clock that is set all the time, on the host and in the driver: verdict, score and every figure are as without.
func TestSteppedClock(t *testing.T) {
	args := steppedClock(t)
	stepped := filepath.Join(t.TempDir(), "assay")
	goBuild(t, stepped, "../cmd/assay", args...)
	p := faultyPlace(t, nil)
	p.binary = stepped
	t.Run("grading", func(t *testing.T) {
		p := p.in(t)
		var a *process
		var began time.Time
		for range 3 { // as in graded: the machine was busy when one was invalid, which says nothing about the clock
			began = time.Now()
			a = p.begin(reference, "--mode", "quick")
			a.says("main, candidate")
			a.running("candidate")
			for _, other := range []string{stepped, binary} { // neither takes what belongs to a session that lives
				beside := *p
				beside.binary = other
				cmd, _, stderr := beside.command("clean")
				require.Equal(t, 0, exitCode(t, cmd.Run()), "%s", stderr)
			}
			if a.wait() != 4 {
				break
			}
			t.Logf("invalid, once more: %s", a.text())
		}
		require.Equal(t, 0, a.wait(), "%s", a.text())
		took := time.Since(began)
		ev, err := grading.ReadEvidence(filepath.Join(a.out, grading.EvidenceFile))
		require.NoError(t, err)
		assert.Empty(t, ev.Faults)
		lasted := ev.Finished.Sub(ev.Started)
		assert.Positive(t, lasted)
		assert.LessOrEqual(t, lasted, took)
		durations(t, ev, lasted)
		var rep struct {
			Verdict string
			Score   float64
		}
		stored, err := os.ReadFile(filepath.Join(a.out, "report.json"))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(stored, &rep))
		assert.Equal(t, "pass", rep.Verdict)
		assert.GreaterOrEqual(t, rep.Score, 90.0)
		p.nothingLeft()
	})
	t.Run("time limit", func(t *testing.T) {
		bench := newAttackBench(t, args...)
		hangs := newAttack("attacks/resource-never-ends")
		hangs.Seconds = 4
		limit := time.Duration(hangs.Seconds) * time.Second
		x := bench.run(t, hangs).Executions[0]
		assert.Equal(t, evidence.TimedOut, x.Exit.Status)
		assert.GreaterOrEqual(t, time.Duration(x.DurationNs), limit)
		assert.Less(t, time.Duration(x.DurationNs), limit+attackSlack)
	})
}

// durations checks that nothing in a grading took less than no time, or more than all of it.
func durations(t *testing.T, ev *evidence.Grading, whole time.Duration) {
	t.Helper()
	check := func(what string, ns int64) {
		assert.GreaterOrEqual(t, ns, int64(0), what)
		assert.LessOrEqual(t, ns, int64(whole), what)
	}
	require.NotEmpty(t, ev.Last().Runs)
	last := int64(-1)
	for _, run := range ev.Last().Runs {
		check("start of a run", run.StartedNs)
		assert.Greater(t, run.StartedNs, last, "runs begin one after the other")
		last = run.StartedNs
		for phase, ns := range run.PhaseNs {
			check(phase, ns)
		}
		require.NotEmpty(t, run.Executions)
		for _, x := range run.Executions {
			check("execution", x.DurationNs)
			assert.Positive(t, x.DurationNs)
			if x.Heartbeat != nil {
				check("latency", x.Heartbeat.MaxNs)
				check("pause", x.Heartbeat.OwnPausedNs)
			}
			for _, s := range x.Series {
				for i, at := range s.T {
					check(s.Name, int64(at*1e9))
					assert.False(t, i > 0 && at < s.T[i-1], "%s goes back in time", s.Name)
				}
			}
		}
	}
}
