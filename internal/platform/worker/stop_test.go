package worker_test

import (
	"context"
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

// held is a grader that tells when it begins and then waits for a signal, or to be told to end.
func held(s workertest.Step) (g *workertest.Grader, began chan platform.ID, goOn chan struct{}) {
	began, goOn = make(chan platform.ID, 100), make(chan struct{})
	s.Until = goOn
	g = scripted(s)
	g.Began = func(t worker.Task, _ int) { began <- t.Job }
	return g, began, goOn
}

func TestCancelWaiting(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	j := b.submit(b.candidate("ada"), platform.Final)
	b.cancel(j)
	require.NoError(t, b.worker(scripted(workertest.Step{Score: 100})).Turn(t.Context()), "its token finds nothing")
	assert.Equal(t, platform.JobCancelled, b.job(j).State)
	assert.Empty(t, b.results(j))
}

func TestCancelRunning(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		beat time.Duration
		look func(*worker.Worker, platform.Job)
	}{
		{"at the next beat", 5 * time.Millisecond, func(*worker.Worker, platform.Job) {}},
		{"at once, in the same process", time.Hour, func(w *worker.Worker, j platform.Job) { w.LookAgain(j.ID) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			j := b.submit(b.candidate("ada"), platform.Final)
			g, began, _ := held(workertest.Step{})
			w := b.worker(g, func(o *worker.Options) { o.Beat = tt.beat })
			over := b.turn(t.Context(), w)
			wait(t, began, "the grading begins")
			w.LookAgain(j.ID) // nobody has cancelled anything
			b.cancel(j)
			tt.look(w, j)
			wait(t, over, "the grading ends")
			now := b.job(j)
			assert.Equal(t, []any{platform.JobCancelled, "Cancelled by the candidate."}, []any{now.State, now.Why})
			require.Len(t, b.ended, 1)
			assert.Nil(t, b.ended[0].result)
		})
	}
}

// Whoever cancels when the verdict is found but not written gets no verdict.
func TestCancelAtTheEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	j := b.submit(b.candidate("ada"), platform.Final)
	g, began, goOn := held(workertest.Step{Score: 90})
	over := b.turn(t.Context(), b.worker(g))
	wait(t, began, "the grading begins")
	b.cancel(j)
	close(goOn)
	wait(t, over, "the grading ends")
	assert.Equal(t, platform.JobCancelled, b.job(j).State)
	assert.Empty(t, b.results(j))
	assert.Empty(t, b.files())
}

// A grader that does not listen keeps its slot, and nothing else.
func TestDeafGrader(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	j := b.submit(b.candidate("ada"), platform.Final)
	g, began, goOn := held(workertest.Step{Deaf: true, Score: 90})
	ended := make(chan struct{}, 1)
	w := b.worker(g, func(o *worker.Options) {
		o.Grace = time.Millisecond
		o.Ended = func(context.Context, *store.Tx, platform.Job, *platform.Result) error {
			ended <- struct{}{}
			return nil
		}
	})
	over := b.turn(t.Context(), w)
	wait(t, began, "the grading begins")
	b.cancel(j)
	w.LookAgain(j.ID)
	wait(t, ended, "the job is cancelled")
	select {
	case <-over:
		assert.Fail(t, "the slot was given away while the grading went on")
	default:
	}
	close(goOn)
	wait(t, over, "the slot is free")
	assert.Equal(t, platform.JobCancelled, b.job(j).State)
	assert.Empty(t, b.results(j))
	assert.Empty(t, b.files())
}

func TestRelease(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	j := b.submit(b.candidate("ada"), platform.Final)
	g, began, _ := held(workertest.Step{})
	ctx, end := context.WithCancel(t.Context())
	over := b.turn(ctx, b.worker(g))
	wait(t, began, "the grading begins")
	end()
	wait(t, over, "the grading is given back")
	now := b.job(j)
	assert.Equal(t, []any{platform.JobQueued, 0}, []any{now.State, now.Tries}, "no try is counted")
	assert.Equal(t, 2, b.tokens("available"), "and there is a token for the next worker")
	require.NoError(t, b.worker(scripted(workertest.Step{Score: 70})).Turn(t.Context()))
	assert.Len(t, b.results(j), 1)
}

// A worker that falls silent is fenced out, and its job is graded by another one.
func TestLostWorker(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	j := b.submit(b.candidate("ada"), platform.Final)
	g, began, goOn := held(workertest.Step{Score: 10})
	late := b.turn(t.Context(), b.worker(g))
	wait(t, began, "the grading begins")

	other := b.worker(scripted(workertest.Step{Score: 70}))
	b.Clock.Move(lease)
	require.NoError(t, other.Sweep(t.Context()))
	assert.Equal(t, platform.JobRunning, b.job(j).State, "its lease still holds")
	b.Clock.Move(time.Millisecond)
	before := b.tokens("available")
	require.NoError(t, other.Sweep(t.Context()))
	assert.Equal(t, platform.JobRetrying, b.job(j).State)
	assert.Equal(t, before+1, b.tokens("available"), "there is a token for whoever takes it over")
	require.NoError(t, other.Turn(t.Context()))
	assert.Equal(t, platform.JobGraded, b.job(j).State)

	close(goOn) // the late one comes back with another verdict
	wait(t, late, "the late worker ends")
	results := b.results(j)
	require.Len(t, results, 1)
	assert.InDelta(t, 70, results[0].Score, 0)
	assert.ElementsMatch(t, []string{results[0].Report.Key, results[0].Evidence.Key}, b.files(), "the late worker has removed its own files")
	assert.Len(t, b.ended, 1)
}

// A worker that learns that its job was given to another one stops.
func TestLostLeaseStopsTheGrading(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	j := b.submit(b.candidate("ada"), platform.Final)
	g, began, _ := held(workertest.Step{})
	w := b.worker(g)
	over := b.turn(t.Context(), w)
	wait(t, began, "the grading begins")
	b.Clock.Move(2 * lease)
	require.NoError(t, w.Sweep(t.Context()))
	w.LookAgain(j.ID)
	wait(t, over, "the grading ends")
	now := b.job(j)
	assert.Equal(t, []any{platform.JobRetrying, 1}, []any{now.State, now.Tries}, "it has written nothing more")
}

// What a worker has stored that died before it could write its verdict is removed with the rescue.
func TestFilesOfTheDead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		rescue func(*bench, *worker.Worker, platform.Job)
	}{
		{"by the sweep", func(b *bench, w *worker.Worker, _ platform.Job) { require.NoError(b.T, w.Sweep(b.T.Context())) }},
		{"by the next worker, when whoever swept died as well", func(b *bench, w *worker.Worker, j platform.Job) {
			b.Do(func(tx *store.Tx) error {
				_, _, err := tx.Rescue(b.T.Context(), j.Org, j.ID)
				return err
			})
			require.NoError(b.T, w.Turn(b.T.Context()))
		}},
		{"by the one after the next, when that one died before it could", func(b *bench, w *worker.Worker, j platform.Job) {
			rescue := func() {
				b.Do(func(tx *store.Tx) error {
					_, _, err := tx.Rescue(b.T.Context(), j.Org, j.ID)
					return err
				})
			}
			rescue()
			require.NotNil(b.T, b.Claim("wrk_dead_too"))
			b.Clock.Move(2 * lease)
			rescue()
			require.NoError(b.T, w.Turn(b.T.Context()))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			j := b.submit(b.candidate("ada"), platform.Final)
			require.NotNil(t, b.Claim("wrk_dead"))
			for _, name := range []string{"report.json", "evidence.json.gz"} {
				key := platform.BlobKey(j.Org, j.AttemptID, "gradings/"+string(j.ID)+"/1/"+name)
				_, err := b.blobs.Put(t.Context(), key, strings.NewReader("half a grading"), 100)
				require.NoError(t, err)
			}
			require.Len(t, b.files(), 2)
			w := b.worker(scripted(workertest.Step{Invalid: "noise"}))
			b.Clock.Move(2 * lease)
			tt.rescue(b, w, j)
			assert.Empty(t, b.files())
		})
	}
}
