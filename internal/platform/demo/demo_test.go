package demo_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/grading"
	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/auth"
	"github.com/assay-run/assay/internal/platform/blob"
	"github.com/assay-run/assay/internal/platform/demo"
	"github.com/assay-run/assay/internal/platform/grader/gradertest"
	"github.com/assay-run/assay/internal/platform/queue"
	"github.com/assay-run/assay/internal/platform/seal"
	"github.com/assay-run/assay/internal/platform/service"
	"github.com/assay-run/assay/internal/platform/store"
	"github.com/assay-run/assay/internal/platform/worker"
	"github.com/assay-run/assay/internal/platform/worker/workertest"
)

// The clock of the highlighter of reports ends by itself a while after its last use.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/dlclark/regexp2/v2.runClock"))
}

// installation is a fresh one with a worker.
func installation(t *testing.T, ch *challenges.Challenge, g worker.Grader) demo.Options {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	s, err := store.Open(t.Context(), store.Options{Address: filepath.Join(t.TempDir(), "assay.db")})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	q, err := queue.Open(t.Context(), queue.Options{Store: s, Log: log, Poll: 5 * time.Millisecond})
	require.NoError(t, err)
	files, err := blob.OpenFiles(t.TempDir(), time.Now())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, files.Close()) })
	passwords, err := auth.NewPasswords(auth.Cost{MemoryKiB: 64, Iterations: 1}, 1)
	require.NoError(t, err)
	box, err := seal.New(make([]byte, seal.KeyBytes))
	require.NoError(t, err)
	svc, err := service.New(service.Options{
		Store: s, Blobs: files, Queue: q, Challenges: []*challenges.Challenge{ch}, Passwords: passwords, Sealer: box, ResetKey: make([]byte, 32),
		EraseFolder: func(ctx context.Context, prefix string) (int, error) { return blob.Erase(ctx, files, prefix) },
	})
	require.NoError(t, err)
	w, err := worker.New(worker.Options{Store: s, Queue: q, Blobs: files, Grader: g, Log: log, Name: "demo", Ended: service.GradingMoved})
	require.NoError(t, err)
	return demo.Options{
		Service: svc, Store: s, Worker: w, Progress: func(string) {},
		Owner:   service.FirstOwner{Organization: "Demo", Name: "Demo Owner", Email: "owner@demo.example", Password: "a long enough password"},
		Entries: []demo.Entry{{Challenge: ch, Fixture: "reference"}, {Challenge: ch, Fixture: "flawed/wrong"}},
	}
}

func TestFill(t *testing.T) {
	t.Parallel()
	m := gradertest.NewMachine(t)
	n := 0
	o := installation(t, m.Challenge, &workertest.Grader{Script: func(worker.Task, int) workertest.Step {
		n++
		return workertest.Step{Score: []float64{90, 20}[n%2]}
	}})
	require.NoError(t, demo.Fill(t.Context(), o))

	session, err := o.Service.SignIn(t.Context(), "test", o.Owner.Email, o.Owner.Password)
	require.NoError(t, err)
	owner, err := o.Service.UserActor(t.Context(), session)
	require.NoError(t, err)
	list, err := o.Service.Assessments(t.Context(), owner, false, platform.Page{})
	require.NoError(t, err)
	require.Len(t, list.Items, 1)
	rows, err := o.Service.Candidates(t.Context(), owner, list.Items[0].ID, platform.OverviewFilter{}, platform.ByName, platform.Page{})
	require.NoError(t, err)
	assert.Len(t, rows.Items, len(o.Entries)+2, "one has begun, and one was only invited")
	results, err := o.Service.Results(t.Context(), owner, store.ResultFilter{}, platform.Page{})
	require.NoError(t, err)
	require.Len(t, results.Items, 2)
	decided := map[platform.Outcome]platform.Verdict{}
	for _, r := range results.Items {
		view, err := o.Service.Attempt(t.Context(), owner, r.AttemptID)
		require.NoError(t, err)
		decided[view.Attempt.Decision] = r.Verdict
		assert.Equal(t, platform.AttemptDecided, view.Attempt.State)
	}
	assert.Equal(t, map[platform.Outcome]platform.Verdict{platform.Advance: platform.Passed, platform.Reject: platform.Below}, decided)

	err = demo.Fill(t.Context(), o)
	require.Equal(t, platform.Conflict, platform.ErrorCode(err), "%v: what is there is left alone", err)
}

// The whole way of a submission, but for the runs: handed in, queued, claimed, fetched, graded, stored, and read again.
func TestFillByGradings(t *testing.T) {
	t.Parallel()
	m := gradertest.NewMachine(t)
	o := installation(t, m.Challenge, m.Grader())
	require.NoError(t, demo.Fill(t.Context(), o))
	m.RequireClean()
	session, err := o.Service.SignIn(t.Context(), "test", o.Owner.Email, o.Owner.Password)
	require.NoError(t, err)
	owner, err := o.Service.UserActor(t.Context(), session)
	require.NoError(t, err)
	results, err := o.Service.Results(t.Context(), owner, store.ResultFilter{}, platform.Page{})
	require.NoError(t, err)
	require.Len(t, results.Items, 2)
	for _, r := range results.Items {
		assert.Equal(t, []any{platform.Passed, 100.0, "quick", 3, m.Challenge.Digest}, []any{r.Verdict, r.Score, r.Mode, r.ChallengeVersion, r.ChallengeDigest})
		_, f, err := o.Service.Report(t.Context(), owner, r.ID)
		require.NoError(t, err)
		name := filepath.Join(t.TempDir(), "report.json")
		text, err := io.ReadAll(f)
		require.NoError(t, errors.Join(err, f.Close()))
		require.NoError(t, os.WriteFile(name, text, 0o600))
		rep, err := grading.ReadReport(name)
		require.NoError(t, err)
		assert.Equal(t, []any{grading.Pass, 100.0}, []any{rep.Verdict, rep.Score})
		assert.Equal(t, "submission", rep.Submission.Name, "nothing of how the candidate calls it")
	}
}

func TestFillIsTold(t *testing.T) {
	t.Parallel()
	m := gradertest.NewMachine(t)
	began := make(chan struct{}, 1)
	o := installation(t, m.Challenge, &workertest.Grader{
		Script: func(worker.Task, int) workertest.Step { return workertest.Step{Until: make(chan struct{})} },
		Began:  func(worker.Task, int) { began <- struct{}{} },
	})
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-began
		cancel(why)
	}()
	require.ErrorIs(t, demo.Fill(ctx, o), why)
}

// Stored gradings are those that were made, or none.
func TestStored(t *testing.T) {
	t.Parallel()
	m := gradertest.NewMachine(t)
	m.Exact[evidence.Candidate] = 0.5
	dir := t.TempDir()
	made := m.Task(func(t *worker.Task) { t.Dir = filepath.Join(dir, "tiny", "reference", "1") })
	out, err := m.Grader().Grade(t.Context(), made)
	require.NoError(t, err)

	all := []*challenges.Challenge{m.Challenge}
	stored, err := demo.OpenStored(dir, all, gradertest.Kinds())
	require.NoError(t, err)
	rep, err := grading.ReadReport(out.Report)
	require.NoError(t, err)
	task := m.Task(func(t *worker.Task) { t.Digest = rep.Submission.Digest })
	assert.True(t, stored.Has("tiny", "quick", task.Digest))
	assert.False(t, stored.Has("tiny", "standard", task.Digest))
	again, err := stored.Grade(t.Context(), task)
	require.NoError(t, err)
	assert.Equal(t, out.Result, again.Result)
	for _, pair := range [][2]string{{out.Report, again.Report}, {out.Evidence, again.Evidence}} {
		want, err := os.ReadFile(pair[0])
		require.NoError(t, err)
		got, err := os.ReadFile(pair[1])
		require.NoError(t, err)
		assert.Equal(t, string(want), string(got), filepath.Base(pair[0]))
	}
	_, err = stored.Grade(t.Context(), m.Task(func(t *worker.Task) { t.Digest = "sha256:00" }))
	require.ErrorContains(t, err, "no stored grading")

	text, err := os.ReadFile(out.Report)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(out.Report, append(text, '\n'), 0o644))
	_, err = demo.OpenStored(dir, all, gradertest.Kinds())
	require.ErrorContains(t, err, "does not give this report")
	_, err = demo.OpenStored(t.TempDir(), all, gradertest.Kinds())
	require.ErrorContains(t, err, "there is none")
}
