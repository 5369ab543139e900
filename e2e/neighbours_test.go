//go:build integration

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/runner"
)

// outcome is what of a report must not depend on who else is on the machine.
type outcome struct {
	Verdict  string
	Score    float64
	Interval struct{ Low, High float64 }
	Codes    []struct{ Code string }
}

func readOutcome(t *testing.T, dir string) outcome {
	t.Helper()
	stored, err := os.ReadFile(filepath.Join(dir, "report.json"))
	require.NoError(t, err)
	var o outcome
	require.NoError(t, json.Unmarshal(stored, &o))
	return o
}

// hostileWithin is how long a grading of the hostile submission may hold its cores: far more than its time limits ask for would be a hold for ever.
const hostileWithin = 5 * time.Minute

// TestHostileNeighbour grades an honest submission while a hostile one is being graded by another process on the same machine. Each has cores of
// its own: where there are not enough for both, the second waits, says so, and is not kept waiting for ever. It is then graded as if alone.
func TestHostileNeighbour(t *testing.T) {
	alone, neighbour, beside := newPlace(t), newPlace(t), newPlace(t)
	beside.env = append(beside.env, "ASSAY_CACHE="+alone.cache)
	outs := t.TempDir()

	code, _, stderr := alone.graded("run", reference, "--mode", "quick", "--no-diagnosis", "--out", filepath.Join(outs, "alone"))
	require.Equal(t, 0, code, "%s", stderr)
	want := readOutcome(t, filepath.Join(outs, "alone"))

	hostile, _, hostileErr := neighbour.command("run", "testdata/neighbour", "--mode", "quick", "--no-diagnosis", "--out", filepath.Join(outs, "hostile"))
	require.NoError(t, hostile.Start())
	began, ended := time.Now(), make(chan error, 1)
	go func() { ended <- hostile.Wait() }()
	neighbour.waitForPod()

	code, _, stderr = beside.graded("run", reference, "--mode", "quick", "--no-diagnosis", "--out", filepath.Join(outs, "beside"))
	require.Equal(t, 0, code, "%s", stderr)
	got := readOutcome(t, filepath.Join(outs, "beside"))
	assert.Equal(t, want.Verdict, got.Verdict)
	assert.Equal(t, want.Codes, got.Codes)
	assert.Empty(t, got.Codes)
	assert.GreaterOrEqual(t, got.Score, want.Interval.Low, "%+v beside %+v", got, want)
	assert.LessOrEqual(t, got.Score, want.Interval.High, "%+v beside %+v", got, want)

	select {
	case err := <-ended:
		assert.Equal(t, 1, exitCode(t, err), "%s", hostileErr)
	case <-time.After(hostileWithin - time.Since(began)):
		require.Fail(t, "the hostile submission is still being graded")
	}
	slots, err := runner.NewSlots(t.TempDir())
	require.NoError(t, err)
	if slots.Count() == 1 {
		assert.Contains(t, stderr.String(), fmt.Sprintf("waiting for free cores; in use by process %d", hostile.Process.Pid))
	}
	assert.Equal(t, "fail", readOutcome(t, filepath.Join(outs, "hostile")).Verdict)
	for _, p := range []*place{alone, neighbour, beside} {
		assert.Empty(t, p.left())
	}
}

// TestHostileNeighbourOnTheSameCores takes from the two processes what tells them of each other, so that both measure on the same cores at once. The
// honest submission is then graded as it deserves, or the grading is found to be worth nothing; it never pays for its neighbour.
func TestHostileNeighbourOnTheSameCores(t *testing.T) {
	neighbour, beside := newPlace(t), newPlace(t)
	neighbour.env = append(neighbour.env, "TMPDIR="+t.TempDir())
	outs := t.TempDir()
	hostile, _, hostileErr := neighbour.command("run", "testdata/neighbour", "--mode", "quick", "--no-diagnosis", "--out", filepath.Join(outs, "hostile"))
	require.NoError(t, hostile.Start())
	neighbour.waitForPod()

	honest, _, _ := beside.command("run", reference, "--mode", "quick", "--no-diagnosis", "--out", filepath.Join(outs, "beside"))
	honest.Stderr = nil
	stderr, err := honest.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, honest.Start())
	invalid := ""
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		assert.NotContains(t, lines.Text(), "waiting for free cores", "they must not know of each other")
		if strings.HasPrefix(lines.Text(), "  invalid: ") && invalid == "" {
			invalid = lines.Text()
			require.NoError(t, honest.Process.Signal(os.Interrupt)) // a repeat would show nothing new
		}
	}
	code := exitCode(t, honest.Wait())
	if invalid == "" {
		require.Equal(t, 0, code)
		got := readOutcome(t, filepath.Join(outs, "beside"))
		assert.Equal(t, "pass", got.Verdict)
		assert.Empty(t, got.Codes)
		assert.GreaterOrEqual(t, got.Score, 90.0)
	} else {
		t.Log(invalid)
		require.Contains(t, []int{4, 130}, code)
		if code == 130 {
			assert.NoDirExists(t, filepath.Join(outs, "beside"))
		}
	}
	require.NoError(t, hostile.Process.Signal(os.Interrupt))
	assert.Contains(t, []int{1, 4, 130}, exitCode(t, hostile.Wait()), "%s", hostileErr)
	assert.Empty(t, append(beside.left(), neighbour.left()...))
}
