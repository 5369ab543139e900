package scalebench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/blob"
	"github.com/assay-run/assay/internal/platform/queue"
	"github.com/assay-run/assay/internal/platform/service"
	"github.com/assay-run/assay/internal/platform/store"
	"github.com/assay-run/assay/internal/platform/worker"
	"github.com/assay-run/assay/internal/platform/worker/workertest"
)

// WorkerOptions are those of a process of scripted workers.
type WorkerOptions struct {
	Address string // of the database
	Blobs   string // folder of the files
	// Clients is how many workers there are, each with connections of its own as if it were a process; Slots is how many gradings
	// each makes at once.
	Clients, Slots int
	// Least and Most bound how long a grading takes, drawn evenly.
	Least, Most time.Duration
	Log         *slog.Logger
}

// RunWorkers grades by script until ctx is done.
func RunWorkers(ctx context.Context, o WorkerOptions) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make([]error, o.Clients)
	var all sync.WaitGroup
	for i := range o.Clients {
		all.Go(func() {
			defer cancel()
			// They would not all start in the same millisecond.
			select {
			case <-time.After(time.Duration(i) * 20 * time.Millisecond):
			case <-ctx.Done():
				return
			}
			failed[i] = o.client(ctx, i)
		})
	}
	all.Wait()
	return errors.Join(failed...)
}

// client is one worker, opened as `assay worker` opens one.
func (o WorkerOptions) client(ctx context.Context, n int) (err error) {
	s, err := store.Open(ctx, store.Options{Address: o.Address, MaxConns: worker.Connections(o.Slots)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	q, err := queue.Open(ctx, queue.Options{Store: s, Log: o.Log})
	if err != nil {
		return err
	}
	blobs, err := blob.OpenFiles(o.Blobs, time.Now())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, blobs.Close()) }()
	w, err := worker.New(worker.Options{
		Store: s, Queue: q, Blobs: blobs, Log: o.Log, Name: fmt.Sprint("bench-", n), Version: "bench", Slots: o.Slots, Drain: time.Minute,
		Ended: service.GradingMoved, Again: func(ctx context.Context, tx *store.Tx, j platform.Job) error {
			return service.GradingMoved(ctx, tx, j, nil)
		},
		Grader: Scripted(o.Least, o.Most),
	})
	if err != nil {
		return err
	}
	return w.Run(ctx, context.WithoutCancel(ctx))
}

// Scripted is a grader that takes a time drawn between two, and finds that every submission has passed.
func Scripted(least, most time.Duration) worker.Grader {
	return &workertest.Grader{Script: func(worker.Task, int) workertest.Step {
		return workertest.Step{Takes: least + rand.N(max(1, most-least)), Score: 75} // #nosec G404 -- no secret
	}}
}
