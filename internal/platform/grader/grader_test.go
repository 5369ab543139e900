package grader_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/grading"
	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/grader"
	"github.com/assay-run/assay/internal/platform/grader/gradertest"
	"github.com/assay-run/assay/internal/platform/worker"
	"github.com/assay-run/assay/runner"
)

// The clock of the highlighter of reports ends by itself a while after its last use.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/dlclark/regexp2/v2.runClock"))
}

func TestGrade(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		mode     string
		exact    float64
		verdict  platform.Verdict
		official bool
		codes    []string
	}{
		{"quick", 1, platform.Passed, false, nil},
		{"standard", 1, platform.Passed, true, nil},
		{"quick", 0, platform.Below, false, []string{"WRONG_OUTPUT"}},
	} {
		t.Run(fmt.Sprint(tt.mode, tt.exact), func(t *testing.T) {
			t.Parallel()
			m := gradertest.NewMachine(t)
			m.Exact[evidence.Candidate] = tt.exact
			task := m.Task(func(t *worker.Task) { t.Mode = tt.mode })
			out, err := m.Grader().Grade(t.Context(), task)
			require.NoError(t, err)
			require.Empty(t, out.Invalid)
			m.RequireClean()
			nodes, closed := m.Opened()
			assert.Equal(t, 1, closed)
			assert.Equal(t, []string{"24"}, nodes, "the challenge's version of Node")

			assert.Equal(t, []string{filepath.Join(task.Dir, "report.json"), filepath.Join(task.Dir, "evidence.json.gz")}, []string{out.Report, out.Evidence})
			again, err := grading.Recompute(out.Report, m.Challenge, gradertest.Kinds())
			require.NoError(t, err)
			assert.True(t, again.Same, "the files are those of assay run")

			rep, r := again.Report, out.Result
			assert.Equal(t, []any{tt.verdict, tt.official, tt.mode, rep.Score, rep.Band, rep.Summary.Headline, rep.Challenge.Digest, 60.0},
				[]any{r.Verdict, r.Official, r.Mode, r.Score, r.Band, r.Headline, r.ChallengeDigest, r.PassMark})
			assert.LessOrEqual(t, r.Low, r.Score)
			assert.GreaterOrEqual(t, r.High, r.Score)
			assert.Equal(t, tt.codes, r.Codes)
			require.Len(t, r.Criteria, 2)
			memory := r.Criteria[0]
			assert.Equal(t, []any{"memory", "memory-streams", 40.0, 40.0, "bytes", true}, []any{memory.ID, memory.Skill, memory.Points, memory.MaxPoints, memory.Unit, memory.Assessed})
			require.NotNil(t, memory.Value)
			assert.InDelta(t, 80<<20, *memory.Value, 0)
			assert.InDelta(t, 60*tt.exact, r.Criteria[1].Points, 0)
			r.Report = platform.Blob{Key: "k", Digest: "d"} // the worker's
			require.NoError(t, r.Validate())
		})
	}
}

// Each try has data of its own, and an official one cannot be told which.
func TestSeeds(t *testing.T) {
	t.Parallel()
	m := gradertest.NewMachine(t)
	g := m.Grader()
	asked := make([]byte, 32)
	seedOf := func(mode string, seed []byte) string {
		out, err := g.Grade(t.Context(), m.Task(func(t *worker.Task) { t.Mode, t.Seed = mode, seed }))
		require.NoError(t, err)
		rep, err := grading.ReadReport(out.Report)
		require.NoError(t, err)
		return rep.Seed.Value
	}
	const zeros = "0000000000000000000000000000000000000000000000000000000000000000"
	first, second := seedOf("quick", nil), seedOf("quick", nil)
	assert.NotEqual(t, first, second)
	assert.NotEqual(t, zeros, first)
	assert.Equal(t, zeros, seedOf("quick", asked))
	assert.NotEqual(t, zeros, seedOf("standard", asked))
}

func TestInvalid(t *testing.T) {
	t.Parallel()
	m := gradertest.NewMachine(t)
	m.Exact[evidence.Control] = 1 // the known bad solution passes
	task := m.Task()
	out, err := m.Grader().Grade(t.Context(), task)
	require.NoError(t, err)
	assert.Contains(t, out.Invalid, "known bad solution did not fail")
	assert.Empty(t, out.Report)
	entries, err := os.ReadDir(task.Dir)
	require.NoError(t, err)
	assert.Empty(t, entries)
	m.RequireClean()
}

func TestFaults(t *testing.T) {
	t.Parallel()
	opening := func(err error) func(*gradertest.Machine) {
		return func(m *gradertest.Machine) { m.OpenError = fmt.Errorf("open: %w", err) }
	}
	asking := func(change func(*worker.Task)) func(*gradertest.Machine, *worker.Task) {
		return func(_ *gradertest.Machine, t *worker.Task) { change(t) }
	}
	for _, tt := range []struct {
		name   string
		change func(*gradertest.Machine)
		task   func(*gradertest.Machine, *worker.Task)
		kind   grader.FaultKind
		says   string
	}{
		{"engine down", func(m *gradertest.Machine) { m.Engine.SetDown(true) }, nil, grader.FaultEngine, "assay doctor"},
		{"driver", opening(runner.ErrDriver), nil, grader.FaultEngine, "driver failed"},
		{"image missing", opening(runner.ErrImageMissing), nil, grader.FaultMissing, "assay setup"},
		{"no services", opening(runner.ErrNoServices), nil, grader.FaultMissing, "no services"},
		{"disk full", opening(syscall.ENOSPC), nil, grader.FaultDisk, "Make room"},
		{"engine's disk full", opening(runner.ErrEngineFull), nil, grader.FaultDisk, "Make room"},
		{"meddled", opening(runner.ErrMeddled), nil, grader.FaultMeddled, "docker events"},
		{"unknown", opening(errors.New("a surprise")), nil, grader.FaultOther, "a surprise"},
		{"no such challenge", nil, asking(func(t *worker.Task) { t.ChallengeID = "other" }), grader.FaultChallenge, `no challenge "other"`},
		{"another version", nil, asking(func(t *worker.Task) { t.ChallengeVersion = 2 }), grader.FaultChallenge, "version 3 of tiny, not 2"},
		{"no such mode", nil, asking(func(t *worker.Task) { t.Mode = "full" }), grader.FaultChallenge, `no mode "full"`},
		{"other files", nil, asking(func(t *worker.Task) { t.Digest = "sha256:00" }), grader.FaultRefused, "same version of assay"},
		{"refused", nil, func(m *gradertest.Machine, t *worker.Task) {
			t.Archive = m.Archive(map[string]string{"../main.mjs": ""})
		}, grader.FaultRefused, "only names within the submission"},
		{"of another challenge", nil, func(m *gradertest.Machine, t *worker.Task) {
			t.Archive = m.Archive(map[string]string{"assay.json": `{"challenge": "other", "start": ["node", "main.mjs"]}`, "main.mjs": ""})
		}, grader.FaultRefused, "other"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := gradertest.NewMachine(t)
			task := m.Task()
			if tt.change != nil {
				tt.change(m)
			}
			if tt.task != nil {
				tt.task(m, &task)
			}
			_, err := m.Grader().Grade(t.Context(), task)
			var fault *grader.FaultError
			require.ErrorAs(t, err, &fault)
			assert.Equal(t, tt.kind, fault.Kind)
			assert.Contains(t, err.Error(), tt.says)
			m.RequireClean()
		})
	}
}

func TestToldToEnd(t *testing.T) {
	t.Parallel()
	m := gradertest.NewMachine(t)
	m.Hang = true
	why := errors.New("cancelled by the candidate")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-m.Running
		cancel(why)
	}()
	_, err := m.Grader().Grade(ctx, m.Task())
	require.ErrorIs(t, err, why)
	var fault *grader.FaultError
	assert.NotErrorAs(t, err, &fault, "nobody's fault")
	_, closed := m.Opened()
	assert.Equal(t, 1, closed)
	m.RequireClean()
}

// Gradings of several slots share nothing that one could break for another. The machine may have cores for one only; the other
// then waits for them.
func TestSideBySide(t *testing.T) {
	t.Parallel()
	m := gradertest.NewMachine(t)
	g := m.Grader()
	errs := make(chan error, 3)
	for range cap(errs) {
		task := m.Task()
		go func() {
			out, err := g.Grade(t.Context(), task)
			if err == nil && out.Result.Verdict != platform.Passed {
				err = fmt.Errorf("verdict %s, %s", out.Result.Verdict, out.Invalid)
			}
			errs <- err
		}()
	}
	for range cap(errs) {
		require.NoError(t, <-errs)
	}
	m.RequireClean()
}
