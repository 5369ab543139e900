// Package worker grades what the platform's queue has: it claims a job from the store, keeps its lease while a Grader works
// on it, and writes what came of it.
//
// A verdict is written once. The store takes it from the holder of the newest lease alone, so a worker that was thought
// dead and comes back is refused. Files are stored before the transaction that names them, under a key of their own lease;
// what a crash leaves between the two is removed by whoever takes the job over. docs/jobs.md tells the whole story.
package worker

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

// Queue tells workers that there is work.
type Queue interface {
	// Enqueue makes known, in a transaction, that a job waits. The transaction may be run again.
	Enqueue(ctx context.Context, tx *sql.Tx, job platform.Job) error
	// Deliver calls turn whenever there may be work, for as many at once as there are slots, until ctx is done. It returns when
	// the turns that run have ended.
	Deliver(ctx context.Context, slots int, turn func() error) error
	// Replenish makes up for jobs that wait and that no worker would hear of, and tells how many there were.
	Replenish(ctx context.Context) (int, error)
}

// Blobs keep files. They are safe for use by several goroutines.
type Blobs interface {
	// Put stores what r gives, max bytes at most, whole or not at all. What was under the key is replaced.
	Put(ctx context.Context, key string, r io.Reader, max int64) (platform.Blob, error)
	// Open reads a file and tells its size in bytes; the caller closes it.
	Open(ctx context.Context, key string) (io.ReadCloser, int64, error)
	// Delete removes a file. Nothing there is fine.
	Delete(ctx context.Context, key string) error
}

// Options say what a worker works with. Store, Queue, Blobs, Grader and Log are needed; the rest has defaults.
type Options struct {
	Store  *store.Store
	Queue  Queue
	Blobs  Blobs
	Grader Grader
	Log    *slog.Logger
	// Name and Version are shown to people: of the machine, and of Assay.
	Name, Version string
	// Slots is how many gradings run at once; 1 unless set.
	Slots int
	// Lease is how long the worker may be silent before its jobs are given to others; 45 s unless set. Clocks of machines
	// may differ by a part of it.
	Lease time.Duration
	// Beat is how often the worker says that it lives, and asks whether to stop; a ninth of Lease unless set.
	Beat time.Duration
	// SweepEvery is how often it looks for jobs of dead workers, or sees that another worker does; 15 s unless set.
	SweepEvery time.Duration
	// Limit bounds one grading; 2 h unless set. One that takes longer is a fault of ours: a submission's own time is bounded
	// by its challenge.
	Limit time.Duration
	// Drain is how long a worker that was asked to end lets its gradings go on; 5 min unless set.
	Drain time.Duration
	// Grace is how long a grader may take to end when it is told to, before it is given up; 30 s unless set.
	Grace time.Duration
	// Ended hears of each job that is over, in the transaction that ends it; r is nil when there is no verdict. An error undoes
	// the transaction, which is then made again. Nil: nobody needs to hear.
	Ended func(ctx context.Context, tx *store.Tx, j platform.Job, r *platform.Result) error
	// Again hears of each job that is to be made again after a fault, in the transaction that says so. An error is treated as
	// Ended's. Nil: nobody needs to hear.
	Again func(ctx context.Context, tx *store.Tx, j platform.Job) error
	// Ready is asked before a job is claimed. As long as it fails none is, and jobs are left to other workers: one whose engine
	// is down would otherwise use up the tries of every job in the queue. Nil: always.
	Ready func(ctx context.Context) error
	// ReadyEvery is how often Ready is asked again after it has failed; 5 s unless set.
	ReadyEvery time.Duration
}

func (o Options) withDefaults() (Options, error) {
	if o.Store == nil || o.Queue == nil || o.Blobs == nil || o.Grader == nil || o.Log == nil {
		return o, errors.New("make worker: it needs store, queue, blobs, grader and log")
	}
	o.Slots = max(o.Slots, 1)
	for _, d := range []struct {
		value *time.Duration
		unset time.Duration
	}{
		{&o.Lease, 45 * time.Second}, {&o.SweepEvery, 15 * time.Second}, {&o.Limit, 2 * time.Hour}, {&o.Drain, 5 * time.Minute}, {&o.Grace, 30 * time.Second},
		{&o.ReadyEvery, 5 * time.Second},
	} {
		if *d.value <= 0 {
			*d.value = d.unset
		}
	}
	if o.Beat <= 0 {
		o.Beat = o.Lease / 9
	}
	if o.Ended == nil {
		o.Ended = func(context.Context, *store.Tx, platform.Job, *platform.Result) error { return nil }
	}
	if o.Again == nil {
		o.Again = func(context.Context, *store.Tx, platform.Job) error { return nil }
	}
	if o.Ready == nil {
		o.Ready = func(context.Context) error { return nil }
	}
	return o, nil
}

// Connections is how many connections to its database a worker with so many slots has use for: one for each slot, and two for
// beats, sweeps and the queue.
func Connections(slots int) int { return max(slots, 1) + 2 }

// Worker grades. It may be used by several goroutines.
type Worker struct {
	opts Options
	id   platform.ID
	log  *slog.Logger

	mu     sync.Mutex
	leases map[platform.ID]*lease // by job
}

// Why a grading is told to stop, as the cause of its context.
var (
	errCancelled = errors.New("cancelled by the candidate or the team")
	errLost      = errors.New("the lease was lost")
	errReleased  = errors.New("the worker shuts down")
	errTooLong   = errors.New("the grading took longer than any may")
)

// New makes a worker. Each has an id of its own, so a process that is started again is another worker.
func New(opts Options) (*Worker, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	id := platform.NewTimelessID(platform.KindWorker)
	return &Worker{opts: opts, id: id, log: opts.Log.With("worker", string(id)), leases: map[platform.ID]*lease{}}, nil
}

// ID is the worker's id in the store.
func (w *Worker) ID() platform.ID { return w.id }

// Run grades until ctx is done, then drains: it claims nothing more, and gradings that run may end within Options.Drain. When that is
// over, or hard is done, they are stopped and given back to the queue. It returns when all has ended; an error says that
// it could not begin, or that something would not end.
func (w *Worker) Run(ctx, hard context.Context) error {
	if err := w.seen(ctx, false); ctx.Err() != nil {
		return nil // told to end before it had begun
	} else if err != nil {
		return err
	}
	lasting := context.WithoutCancel(ctx)
	work, release := context.WithCancelCause(lasting)
	defer release(nil)
	beside, end := context.WithCancel(lasting)
	var all sync.WaitGroup
	all.Go(func() {
		w.every(beside, w.opts.Beat, func() error { return w.seen(beside, ctx.Err() != nil) })
	})
	all.Go(func() { w.every(beside, w.opts.SweepEvery, w.sweeps(beside)) })
	defer all.Wait()
	defer end()

	delivered := make(chan error, 1)
	all.Go(func() {
		delivered <- w.opts.Queue.Deliver(ctx, w.opts.Slots, func() error { return w.turn(ctx, work) })
	})
	select {
	case err := <-delivered:
		if ctx.Err() == nil {
			return errors.Join(errors.New("the queue has ended by itself"), err)
		}
		return err
	case <-ctx.Done():
	}
	if err := w.seen(beside, true); err != nil {
		w.log.WarnContext(beside, "cannot say that the worker drains", "error", err)
	}
	drained := time.NewTimer(w.opts.Drain)
	defer drained.Stop()
	select {
	case err := <-delivered:
		return err
	case <-drained.C:
	case <-hard.Done():
	}
	release(errReleased)
	return <-delivered
}

// every does something now and then, until ctx is done. What fails is tried again.
func (w *Worker) every(ctx context.Context, wait time.Duration, do func() error) {
	ticker := time.NewTicker(wait)
	defer ticker.Stop()
	for {
		if err := do(); err != nil && ctx.Err() == nil {
			w.log.WarnContext(ctx, "a worker's duty failed and is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (w *Worker) seen(ctx context.Context, draining bool) error {
	err := w.opts.Store.Tx(ctx, func(tx *store.Tx) error {
		return tx.SystemSeen(ctx, platform.Worker{
			ID: w.id, Name: w.opts.Name, Version: w.opts.Version, Slots: w.opts.Slots, Draining: draining,
		})
	})
	if err != nil {
		return fmt.Errorf("say that the worker lives: %w", err)
	}
	return nil
}

// LookAgain lets a grading ask at once whether it is to stop, if it runs here: whoever has just cancelled it need not wait for
// its next beat. Elsewhere, and when nothing was cancelled, it does nothing.
func (w *Worker) LookAgain(job platform.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if l := w.leases[job]; l != nil {
		l.lookAgain()
	}
}
