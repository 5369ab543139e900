package worker_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
	"github.com/assay-run/assay/internal/platform/worker"
	"github.com/assay-run/assay/internal/platform/worker/workertest"
)

func TestTurn(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	j := b.submit(b.candidate("ada"), platform.Final)
	var task worker.Task
	var handedIn string
	w := b.worker(&workertest.Grader{Script: func(t worker.Task, _ int) workertest.Step {
		task = t
		text, _ := os.ReadFile(t.Archive)
		handedIn = string(text)
		return workertest.Step{Score: 72}
	}})
	require.NoError(t, w.Turn(t.Context()))
	assert.Equal(t, "what was handed in", handedIn)
	assert.Equal(t, []any{j.ID, "log-aggregate", 3, "standard", "sha256:bb", "upload.tar.gz", 0},
		[]any{task.Job, task.ChallengeID, task.ChallengeVersion, task.Mode, task.Digest, filepath.Base(task.Archive), len(task.Seed)})
	assert.NoFileExists(t, task.Archive, "the folder is removed")

	assert.Equal(t, platform.JobGraded, b.job(j).State)
	results := b.results(j)
	require.Len(t, results, 1)
	assert.Equal(t, []any{platform.Passed, 72.0}, []any{results[0].Verdict, results[0].Score})
	assert.ElementsMatch(t, []string{results[0].Report.Key, results[0].Evidence.Key}, b.files())
	assert.Contains(t, b.read(results[0].Report.Key), "report.json of "+string(j.ID))
	require.Len(t, b.ended, 1)
	assert.Equal(t, []any{platform.JobGraded, results[0].ID}, []any{b.ended[0].job.State, b.ended[0].result.ID})
	require.NoError(t, w.Turn(t.Context()), "nothing waits")
	assert.Len(t, b.ended, 1)
}

func TestFaultsAreTriedAgain(t *testing.T) {
	t.Parallel()
	engine := errors.New("engine is down")
	for _, tt := range []struct {
		name string
		step workertest.Step
		end  platform.JobState
		why  string
	}{
		{"infrastructure", workertest.Step{Fault: engine}, platform.JobFailed, "engine is down"},
		{"invalid", workertest.Step{Invalid: "reference runs disagree"}, platform.JobInvalid, "reference runs disagree"},
		{"panic", workertest.Step{Panic: "index out of range"}, platform.JobFailed, "index out of range"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			j := b.submit(b.candidate("ada"), platform.Final)
			w := b.worker(scripted(tt.step))
			for n, backoff := range []time.Duration{15 * time.Second, time.Minute, 4 * time.Minute} {
				require.NoError(t, w.Turn(t.Context()))
				now := b.job(j)
				assert.Equal(t, []any{platform.JobRetrying, n + 1, b.Clock.Now().Add(backoff)}, []any{now.State, now.Tries, now.RunAfter})
				assert.Contains(t, now.Why, tt.why)
				assert.Equal(t, n+1, b.tokens("scheduled"), "each try has a token of its own, for later")
				b.Clock.Move(backoff - time.Millisecond)
				require.NoError(t, w.Turn(t.Context()))
				assert.Equal(t, n+1, b.job(j).Tries, "it is not time yet")
				b.Clock.Move(time.Millisecond)
			}
			assert.Empty(t, b.ended)
			require.NoError(t, w.Turn(t.Context()))
			assert.Equal(t, tt.end, b.job(j).State)
			require.Len(t, b.ended, 1)
			assert.Nil(t, b.ended[0].result, "and no verdict")
			assert.Empty(t, b.results(j))
			assert.Empty(t, b.files())
			assert.Equal(t, 3, b.tokens("scheduled"), "what was given up has no token")
		})
	}
}

func TestRetrySucceeds(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	j := b.submit(b.candidate("ada"), platform.Final)
	w := b.worker(&workertest.Grader{Script: func(_ worker.Task, n int) workertest.Step {
		if n == 1 {
			return workertest.Step{Fault: errors.New("disk full")}
		}
		return workertest.Step{Score: 50}
	}})
	require.NoError(t, w.Turn(t.Context()))
	b.Clock.Move(platform.Backoff(1))
	require.NoError(t, w.Turn(t.Context()))
	assert.Equal(t, platform.JobGraded, b.job(j).State)
	assert.Len(t, b.results(j), 1)
}

// A grading that is longer than any may be is our fault, not the submission's.
func TestLimit(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	j := b.submit(b.candidate("ada"), platform.Final)
	w := b.worker(scripted(workertest.Step{Until: make(chan struct{})}), func(o *worker.Options) { o.Limit = time.Millisecond })
	require.NoError(t, w.Turn(t.Context()))
	now := b.job(j)
	assert.Equal(t, platform.JobRetrying, now.State)
	assert.Contains(t, now.Why, "longer than any may")
}

func TestArchiveIsChecked(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.candidate("ada")
	j := b.submit(a, platform.Final)
	_, err := b.blobs.Put(t.Context(), platform.BlobKey(a.Org, a.ID, "upload.tar.gz"), strings.NewReader("what was tampered"), 100)
	require.NoError(t, err)
	require.NoError(t, b.worker(scripted(workertest.Step{Score: 100})).Turn(t.Context()))
	now := b.job(j)
	assert.Equal(t, platform.JobRetrying, now.State)
	assert.Contains(t, now.Why, "not what was handed in")
}

// fullBlobs takes no more files of a name.
type fullBlobs struct {
	worker.Blobs
	name string
}

func (f fullBlobs) Put(ctx context.Context, key string, r io.Reader, most int64) (platform.Blob, error) {
	if strings.HasSuffix(key, f.name) {
		return platform.Blob{}, errors.New("no space left")
	}
	return f.Blobs.Put(ctx, key, r, most)
}

func TestFilesAreNotStored(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	j := b.submit(b.candidate("ada"), platform.Final)
	w := b.worker(scripted(workertest.Step{Score: 100}), func(o *worker.Options) { o.Blobs = fullBlobs{b.blobs, "evidence.json.gz"} })
	require.NoError(t, w.Turn(t.Context()))
	now := b.job(j)
	assert.Equal(t, platform.JobRetrying, now.State)
	assert.Contains(t, now.Why, "no space left")
	assert.Empty(t, b.files(), "the report that was stored is gone again")
}

// A verdict that the database does not take is written again, and once.
func TestVerdictIsWrittenAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	j := b.submit(b.candidate("ada"), platform.Final)
	failures := 0
	w := b.worker(scripted(workertest.Step{Score: 61}), func(o *worker.Options) {
		o.Ended = func(context.Context, *store.Tx, platform.Job, *platform.Result) error {
			if failures++; failures <= 2 {
				return errors.New("connection reset")
			}
			return nil
		}
	})
	require.NoError(t, w.Turn(t.Context()))
	assert.Equal(t, 3, failures)
	assert.Equal(t, platform.JobGraded, b.job(j).State)
	assert.Len(t, b.results(j), 1)
	assert.Len(t, b.files(), 2)
}

// A grader that says nonsense has a fault of its own.
func TestVerdictIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	j := b.submit(b.candidate("ada"), platform.Final)
	require.NoError(t, b.worker(scripted(workertest.Step{Score: 1000})).Turn(t.Context()))
	assert.Equal(t, platform.JobRetrying, b.job(j).State)
	assert.Empty(t, b.files())
}

// Whoever wants to know hears of each job that waits to be made again, in the same transaction, and not of one that is put back.
func TestAgainIsTold(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	j := b.submit(b.candidate("ada"), platform.Final)
	var told []platform.Job
	w := b.worker(scripted(workertest.Step{Fault: errors.New("engine is down")}), func(o *worker.Options) {
		o.Again = func(_ context.Context, _ *store.Tx, j platform.Job) error {
			told = append(told, j)
			return nil
		}
	})
	for n := range platform.DefaultMaxTries {
		require.NoError(t, w.Turn(t.Context()))
		b.Clock.Move(platform.Backoff(n + 1))
	}
	assert.Equal(t, platform.JobFailed, b.job(j).State)
	require.Len(t, told, platform.DefaultMaxTries-1)
	for n, again := range told {
		assert.Equal(t, []any{j.ID, platform.JobRetrying, n + 1}, []any{again.ID, again.State, again.Tries})
	}
	assert.Len(t, b.ended, 1)
}

// A worker that cannot grade claims nothing, so it uses up nobody's tries.
func TestNotReady(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	j := b.submit(b.candidate("ada"), platform.Final)
	asked := 0
	w := b.worker(scripted(workertest.Step{Score: 80}), func(o *worker.Options) {
		o.ReadyEvery = time.Millisecond
		o.Ready = func(context.Context) error {
			if asked++; asked <= 2*platform.DefaultMaxTries {
				assert.Equal(t, []any{platform.JobQueued, 0}, []any{b.job(j).State, b.job(j).Tries})
				return errors.New("engine is down")
			}
			return nil
		}
	})
	require.NoError(t, w.Turn(t.Context()))
	assert.Equal(t, 2*platform.DefaultMaxTries+1, asked)
	assert.Equal(t, []any{platform.JobGraded, 1}, []any{b.job(j).State, b.job(j).Tries})
}

func TestNeverReady(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	j := b.submit(b.candidate("ada"), platform.Final)
	down, why := errors.New("engine is down"), errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	w := b.worker(scripted(workertest.Step{Score: 80}), func(o *worker.Options) {
		o.Ready = func(context.Context) error {
			cancel(why)
			return down
		}
	})
	err := w.Turn(ctx)
	require.ErrorIs(t, err, down)
	require.ErrorIs(t, err, why)
	assert.Equal(t, []any{platform.JobQueued, 0}, []any{b.job(j).State, b.job(j).Tries})
}

// A worker that drains waits for nothing that it has not claimed.
func TestDrainsThoughNotReady(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	j := b.submit(b.candidate("ada"), platform.Final)
	asked := make(chan struct{}, 1)
	w := b.worker(scripted(workertest.Step{Score: 80}), func(o *worker.Options) {
		o.ReadyEvery = time.Hour
		o.Ready = func(context.Context) error {
			asked <- struct{}{}
			return errors.New("engine is down")
		}
	})
	ctx, drain := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx, t.Context()) }()
	<-asked
	drain()
	select {
	case err := <-ended:
		require.NoError(t, err)
	case <-time.After(patience):
		t.Fatal("the worker does not end")
	}
	assert.Equal(t, []any{platform.JobQueued, 0}, []any{b.job(j).State, b.job(j).Tries})
}
