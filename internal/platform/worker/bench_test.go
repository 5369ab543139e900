package worker_test

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/blob"
	"github.com/assay-run/assay/internal/platform/queue"
	"github.com/assay-run/assay/internal/platform/store"
	"github.com/assay-run/assay/internal/platform/store/storetest"
	"github.com/assay-run/assay/internal/platform/worker"
	"github.com/assay-run/assay/internal/platform/worker/workertest"
)

// lease is that of workers here, by the clock of the store, which stands until it is moved.
const lease = time.Minute

// patience bounds what a test waits for; nothing here should take so long.
const patience = 30 * time.Second

// bench is a platform around a scripted grader.
type bench struct {
	*storetest.World
	queue *queue.Queue
	blobs *blob.Files

	mu    sync.Mutex
	ended []ended // in order
}

type ended struct {
	job    platform.Job
	result *platform.Result
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{}
	b.World = storetest.NewWorld(t, func(t *testing.T, now func() time.Time) *store.Store {
		s, err := store.Open(t.Context(), store.Options{Address: filepath.Join(t.TempDir(), "assay.db"), Now: now})
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, s.Close()) })
		return s
	})
	var err error
	b.queue, err = queue.Open(t.Context(), queue.Options{Store: b.Store, Log: slog.New(slog.DiscardHandler), Poll: 5 * time.Millisecond, Now: b.Clock.Now})
	require.NoError(t, err)
	b.blobs, err = blob.OpenFiles(t.TempDir(), b.Clock.Now())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, b.blobs.Close()) })
	return b
}

// worker makes a worker whose beats and sweeps come only when a test asks for them.
func (b *bench) worker(g worker.Grader, change ...func(*worker.Options)) *worker.Worker {
	b.T.Helper()
	opts := worker.Options{
		Store: b.Store, Queue: b.queue, Blobs: b.blobs, Grader: g, Log: slog.New(slog.DiscardHandler), Name: "test", Version: "1",
		Lease: lease, Beat: time.Hour, SweepEvery: time.Hour, Grace: patience, Drain: patience,
		Ended: func(_ context.Context, _ *store.Tx, j platform.Job, r *platform.Result) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.ended = append(b.ended, ended{j, r})
			return nil
		},
	}
	for _, c := range change {
		c(&opts)
	}
	w, err := worker.New(opts)
	require.NoError(b.T, err)
	return w
}

// scripted is a grader that does the same every time.
func scripted(s workertest.Step) *workertest.Grader {
	return &workertest.Grader{Script: func(worker.Task, int) workertest.Step { return s }}
}

// submit hands something in, in one transaction with its token.
func (b *bench) submit(a platform.Attempt, kind platform.SubmissionKind) platform.Job {
	b.T.Helper()
	return b.submitMany(a, kind, 1)[0]
}

func (b *bench) submitMany(a platform.Attempt, kind platform.SubmissionKind, n int) []platform.Job {
	b.T.Helper()
	in := b.Upload(a, "log-aggregate", kind)
	in.ReceivedAt = a.Clock.Started
	var err error
	in.Archive, err = b.blobs.Put(b.T.Context(), in.Archive.Key, strings.NewReader("what was handed in"), 1<<20)
	require.NoError(b.T, err)
	var out []platform.Job
	b.Do(func(tx *store.Tx) error {
		out = nil
		for range n {
			handed, err := tx.Submit(b.T.Context(), a.Org, in)
			if err != nil {
				return err
			}
			if err := b.queue.Enqueue(b.T.Context(), tx.SQL(), *handed.Job); err != nil {
				return err
			}
			out = append(out, *handed.Job)
		}
		return nil
	})
	return out
}

// candidate is somebody who works on an assessment of the first organisation.
func (b *bench) candidate(name string) platform.Attempt {
	b.T.Helper()
	return b.Working(b.Assessment(storetest.Settings()), name)
}

func (b *bench) job(j platform.Job) platform.Job {
	b.T.Helper()
	b.Do(func(tx *store.Tx) (err error) {
		j, err = tx.Job(b.T.Context(), j.Org, j.ID)
		return err
	})
	return j
}

func (b *bench) cancel(j platform.Job) {
	b.T.Helper()
	b.Do(func(tx *store.Tx) error {
		_, _, err := tx.CancelJob(b.T.Context(), j.Org, j.ID, "Cancelled by the candidate.")
		return err
	})
}

// results are all of a submission, also those that no longer count.
func (b *bench) results(j platform.Job) []platform.Result {
	b.T.Helper()
	var list platform.List[platform.Result]
	b.Do(func(tx *store.Tx) (err error) {
		list, err = tx.Results(b.T.Context(), j.Org, store.ResultFilter{SubmissionID: j.SubmissionID, Superseded: true}, platform.Page{})
		return err
	})
	return list.Items
}

// files are the keys of what gradings have stored.
func (b *bench) files() []string {
	b.T.Helper()
	var keys []string
	require.NoError(b.T, b.blobs.Walk(b.T.Context(), "", func(i blob.Info) error {
		if strings.Contains(i.Key, "/gradings/") {
			keys = append(keys, i.Key)
		}
		return nil
	}))
	return keys
}

func (b *bench) read(key string) string {
	b.T.Helper()
	f, _, err := b.blobs.Open(b.T.Context(), key)
	require.NoError(b.T, err)
	defer f.Close()
	text, err := io.ReadAll(f)
	require.NoError(b.T, err)
	return string(text)
}

// tokens counts River's jobs in a state.
func (b *bench) tokens(state string) (n int) {
	b.T.Helper()
	b.Do(func(tx *store.Tx) error {
		return tx.SQL().QueryRowContext(b.T.Context(), `SELECT COUNT(*) FROM river_job WHERE state = $1`, state).Scan(&n)
	})
	return n
}

// turn lets a worker take a turn beside the test; the result is closed when it is over.
func (b *bench) turn(ctx context.Context, w *worker.Worker) <-chan struct{} {
	over := make(chan struct{})
	go func() {
		defer close(over)
		assert.NoError(b.T, w.Turn(ctx))
	}()
	return over
}

// wait waits for a signal.
func wait[V any](t *testing.T, c <-chan V, what string) (v V) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		require.Fail(t, "waited in vain", what)
	}
	return v
}
