package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

// conclude writes what came of a try. ctx is the worker's, tried the try's and held the lease's. What nobody waits for any more
// is dropped. The error says why nothing was written; the lease then runs out and the job is given to another worker.
func (w *Worker) conclude(ctx, tried, held context.Context, l *lease, e ending) error {
	cause := context.Cause(tried)
	switch {
	case held.Err() != nil:
		return context.Cause(held)
	case errors.Is(cause, errCancelled):
		return w.cancelled(held, l)
	case e.err == nil && e.outcome.Invalid != "":
		return w.faulted(held, l, platform.FaultInvalid, e.outcome.Invalid)
	case e.err == nil:
		return w.finish(held, l, e.outcome)
	case ctx.Err() != nil:
		return w.release(held, l)
	case errors.Is(cause, errTooLong):
		return w.faulted(held, l, platform.FaultInfrastructure, fmt.Sprintf("%v (%s)", errTooLong, w.opts.Limit))
	default:
		return w.faulted(held, l, platform.FaultInfrastructure, e.err.Error())
	}
}

// Names and bounds of the files of a grading, in bytes.
const (
	reportName   = "report.json"
	evidenceName = "evidence.json.gz"
	maxReport    = 64 << 20
	maxEvidence  = 256 << 20
)

// fileKey is where a file of a try is kept. The fence is part of it, so two workers never write to the same place.
func fileKey(j platform.Job, fence int64, name string) string {
	return platform.BlobKey(j.Org, j.AttemptID, "gradings/"+string(j.ID)+"/"+strconv.FormatInt(fence, 10)+"/"+name)
}

// finish stores the files and then the verdict.
func (w *Worker) finish(ctx context.Context, l *lease, o Outcome) error {
	l.say("storing the report")
	r := o.Result
	var err error
	if r.Report, err = w.put(ctx, l, reportName, o.Report, maxReport); err == nil {
		r.Evidence, err = w.put(ctx, l, evidenceName, o.Evidence, maxEvidence)
	}
	if err != nil {
		return errors.Join(w.faulted(ctx, l, platform.FaultInfrastructure, err.Error()), w.removeFiles(ctx, l.job, l.job.Fence))
	}
	failed := w.write(ctx, l, patience, func(ctx context.Context, tx *store.Tx) error {
		f, err := tx.Finish(ctx, l.job.Org, l.job.ID, l.job.Fence, r)
		if err != nil {
			return err
		}
		j, err := tx.Job(ctx, l.job.Org, l.job.ID)
		if err != nil {
			return err
		}
		return w.opts.Ended(ctx, tx, j, &f.Result)
	})
	if failed == nil {
		return nil
	}
	return w.unfinished(ctx, l, failed)
}

// unfinished finds out what became of a verdict whose transaction has failed: the answer to a commit may be lost.
func (w *Worker) unfinished(ctx context.Context, l *lease, failed error) error {
	asking, end := context.WithTimeout(context.WithoutCancel(ctx), w.opts.Grace)
	defer end()
	var now platform.Job
	err := w.opts.Store.View(asking, func(tx *store.Tx) (err error) {
		now, err = tx.Job(asking, l.job.Org, l.job.ID)
		return err
	})
	ours := now.Fence == l.job.Fence
	switch {
	case platform.ErrorCode(err) == platform.NotFound: // erased, with everything that was graded
	case err != nil:
		return errors.Join(failed, err) // the files stay: they may belong to a verdict
	case ours && now.State == platform.JobGraded:
		return nil
	case ours && now.State == platform.JobRunning && now.CancelRequested:
		return errors.Join(w.cancelled(ctx, l), w.removeFiles(ctx, l.job, l.job.Fence))
	case ours && now.State == platform.JobRunning && platform.ErrorCode(failed) == platform.Invalid:
		return errors.Join(w.faulted(ctx, l, platform.FaultInfrastructure, failed.Error()), w.removeFiles(ctx, l.job, l.job.Fence))
	case ours && now.State == platform.JobRunning:
		return failed // whoever takes the job over removes the files
	}
	return errors.Join(failed, w.removeFiles(ctx, l.job, l.job.Fence))
}

func (w *Worker) put(ctx context.Context, l *lease, name, file string, most int64) (platform.Blob, error) {
	f, err := os.Open(file)
	if err != nil {
		return platform.Blob{}, fmt.Errorf("open %s: %w", name, err)
	}
	defer f.Close()
	b, err := w.opts.Blobs.Put(ctx, fileKey(l.job, l.job.Fence, name), f, most)
	if err != nil {
		return platform.Blob{}, fmt.Errorf("store %s: %w", name, err)
	}
	return b, nil
}

// removeFiles removes what a try has stored, if anything, also when ctx is done.
func (w *Worker) removeFiles(ctx context.Context, j platform.Job, fence int64) error {
	ctx, end := context.WithTimeout(context.WithoutCancel(ctx), w.opts.Grace)
	defer end()
	var errs []error
	for _, name := range []string{reportName, evidenceName} {
		if err := w.opts.Blobs.Delete(ctx, fileKey(j, fence, name)); err != nil {
			errs = append(errs, fmt.Errorf("remove %s of a try that gave no verdict: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func (w *Worker) faulted(ctx context.Context, l *lease, f platform.Fault, why string) error {
	return w.write(ctx, l, patience, func(ctx context.Context, tx *store.Tx) error {
		j, _, err := tx.Faulted(ctx, l.job.Org, l.job.ID, l.job.Fence, f, why)
		if err != nil {
			return err
		}
		w.log.WarnContext(ctx, "a grading could not be made", "job", string(j.ID), "challenge", j.ChallengeID, "try", j.Tries, "state", string(j.State), "error", why)
		return w.after(ctx, tx, j)
	})
}

func (w *Worker) cancelled(ctx context.Context, l *lease) error {
	return w.write(ctx, l, patience, func(ctx context.Context, tx *store.Tx) error {
		j, _, err := tx.Cancelled(ctx, l.job.Org, l.job.ID, l.job.Fence)
		if err != nil {
			return err
		}
		return w.after(ctx, tx, j)
	})
}

func (w *Worker) release(ctx context.Context, l *lease) error {
	return w.write(ctx, l, w.opts.Grace, func(ctx context.Context, tx *store.Tx) error {
		j, err := tx.Release(ctx, l.job.Org, l.job.ID, l.job.Fence)
		if err != nil {
			return err
		}
		return w.after(ctx, tx, j)
	})
}

// after does what follows from a job's new state: one that waits is made known, one that is over is told of.
func (w *Worker) after(ctx context.Context, tx *store.Tx, j platform.Job) error {
	if !j.State.Waiting() {
		return w.opts.Ended(ctx, tx, j, nil)
	}
	if err := w.opts.Queue.Enqueue(ctx, tx.SQL(), j); err != nil || j.State != platform.JobRetrying {
		return err
	}
	return w.opts.Again(ctx, tx, j)
}

// How a write is repeated that the database did not take.
const (
	firstPause = 50 * time.Millisecond
	longPause  = 5 * time.Second
	patience   = 5 * time.Minute // a database that is restarted is back by then
)

// write runs a transaction until it succeeds, is refused by the rules of the platform, or has no lease any more. Beats go on
// meanwhile. After a limit it is given up, so that a job whose end can never be written is tried again elsewhere.
func (w *Worker) write(ctx context.Context, l *lease, limit time.Duration, do func(context.Context, *store.Tx) error) error {
	ctx, end := context.WithTimeout(ctx, limit)
	defer end()
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		err := w.opts.Store.Tx(ctx, func(tx *store.Tx) error { return do(ctx, tx) })
		if err == nil || platform.ErrorCode(err) != platform.Internal {
			return err
		}
		w.log.WarnContext(ctx, "the end of a grading is written again", "job", string(l.job.ID), "error", err)
		again := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			again.Stop()
			return errors.Join(context.Cause(ctx), err)
		case <-again.C:
		}
	}
}
