package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

const (
	maxSwept = 100 // jobs at once; the next sweep has the others
	// forgetAfter is how long a worker that has ended, or died, is shown.
	forgetAfter = 24 * time.Hour
)

// everySweep is how many of its sweeps a worker leaves to another one before it makes one nevertheless.
const everySweep = 20

// sweeps is the duty of a worker that runs: of those who live, one sweeps, for a sweep reads all that waits. Whoever begins
// sweeps too, and everybody now and then, in case that one cannot.
func (w *Worker) sweeps(ctx context.Context) func() error {
	left := 0
	return func() error {
		first := w.id
		err := w.opts.Store.View(ctx, func(tx *store.Tx) (err error) {
			first, err = tx.SystemFirstWorker(ctx, tx.Now().Add(-w.opts.Lease))
			return err
		})
		if err != nil {
			return err
		}
		if left--; left > 0 && first != "" && first < w.id {
			return nil
		}
		left = everySweep
		return w.Sweep(ctx)
	}
}

// Sweep takes jobs from workers that fell silent, removes what these have left in the blob store, and makes known what waits and was
// not heard of. Several at once do no harm.
func (w *Worker) Sweep(ctx context.Context) error {
	var lost []store.Ref
	err := w.opts.Store.View(ctx, func(tx *store.Tx) (err error) {
		lost, err = tx.SystemLost(ctx, maxSwept)
		return err
	})
	if err != nil {
		return err
	}
	var errs []error
	for _, ref := range lost {
		errs = append(errs, w.rescue(ctx, ref))
	}
	made, err := w.opts.Queue.Replenish(ctx)
	if err != nil {
		errs = append(errs, fmt.Errorf("replenish queue: %w", err))
	}
	if made > 0 {
		w.log.InfoContext(ctx, "jobs waited that no worker would have heard of", "jobs", made)
	}
	errs = append(errs, w.opts.Store.Tx(ctx, func(tx *store.Tx) error {
		return tx.SystemForgetWorkers(ctx, tx.Now().Add(-forgetAfter))
	}))
	return errors.Join(errs...)
}

func (w *Worker) rescue(ctx context.Context, ref store.Ref) error {
	var j platform.Job
	rescued := false
	err := w.opts.Store.Tx(ctx, func(tx *store.Tx) (err error) {
		if j, rescued, err = tx.Rescue(ctx, ref.Org, ref.ID); err != nil || !rescued {
			return err
		}
		return w.after(ctx, tx, j)
	})
	if err != nil {
		return fmt.Errorf("rescue grading: %w", err)
	}
	if !rescued {
		return nil
	}
	w.log.WarnContext(ctx, "a job was taken from a silent worker", "job", string(j.ID), "from", string(j.WorkerID), "state", string(j.State))
	// Its holder can write no verdict any more, so no verdict names these files.
	return w.removeFiles(ctx, j, j.Fence)
}
