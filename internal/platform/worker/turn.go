package worker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
	"github.com/assay-run/assay/internal/scratch"
)

// Turn claims the job whose turn it is and grades it; without one it does nothing. When ctx is done the grading is stopped and
// given back to the queue. An error says that the store could not be asked, or that nothing could be graded here until ctx was
// done; whatever happens to a job that was claimed is in the store.
func (w *Worker) Turn(ctx context.Context) error { return w.turn(ctx, ctx) }

// turn is Turn for a worker that claims nothing more when claiming is done.
func (w *Worker) turn(claiming, ctx context.Context) error {
	if err := w.awaitReady(claiming); err != nil {
		return err
	}
	since := time.Now()
	var j *platform.Job
	err := w.opts.Store.Tx(ctx, func(tx *store.Tx) (err error) {
		j, err = tx.Claim(ctx, w.id, w.opts.Lease)
		return err
	})
	if err != nil {
		return fmt.Errorf("claim grading: %w", err)
	}
	if j != nil {
		w.grade(ctx, *j, since)
	}
	return nil
}

// awaitReady waits until something can be graded here. Whoever waits keeps the token that it came with, so a worker that cannot
// grade holds up as many as it has slots, and those are made up for by the next sweep of any worker.
func (w *Worker) awaitReady(ctx context.Context) error {
	for said := false; ; said = true {
		err := w.opts.Ready(ctx)
		switch {
		case err == nil && said:
			w.log.InfoContext(ctx, "gradings are possible here again")
			return nil
		case err == nil:
			return nil
		case !said:
			w.log.WarnContext(ctx, "nothing can be graded here now; jobs are left to other workers", "error", err)
		}
		again := time.NewTimer(w.opts.ReadyEvery)
		select {
		case <-ctx.Done():
			again.Stop()
			return fmt.Errorf("wait until something can be graded: %w: %w", context.Cause(ctx), err)
		case <-again.C:
		}
	}
}

// ending is how a try ended.
type ending struct {
	outcome Outcome
	err     error
}

// grade makes one try of a job and writes what came of it.
func (w *Worker) grade(ctx context.Context, j platform.Job, since time.Time) {
	log := w.log.With("job", string(j.ID), "try", j.Tries)
	trying, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	l, held := w.hold(ctx, j, since, stop)
	defer l.release()
	limited, done := context.WithTimeoutCause(trying, w.opts.Limit, errTooLong)
	defer done()

	ended := make(chan ending, 1)
	dir, err := scratch.Make("", "grading")
	if err != nil {
		ended <- ending{err: err}
	} else {
		go func() { ended <- w.try(limited, l, dir.Path) }()
	}
	e, stuck := w.await(limited, ended)
	if stuck {
		log.ErrorContext(ctx, "a grading does not end though it was told to; its slot is kept until it does", "why", context.Cause(limited))
	}
	if err := w.conclude(ctx, limited, held, l, e); err != nil {
		log.ErrorContext(ctx, "the end of a grading was not written", "error", err)
	}
	if stuck {
		l.release()
		select {
		case <-ended:
		case <-ctx.Done(): // the process ends, and the grading with it; so does its folder, at the next sweep of scratch
			return
		}
	}
	if err := dir.Close(); err != nil {
		log.WarnContext(ctx, "a temporary folder stays until the next start", "error", err)
	}
}

// await waits for a try. One that was told to end has Options.Grace for it.
func (w *Worker) await(ctx context.Context, ended <-chan ending) (e ending, stuck bool) {
	select {
	case e := <-ended:
		return e, false
	case <-ctx.Done():
	}
	grace := time.NewTimer(w.opts.Grace)
	defer grace.Stop()
	select {
	case e := <-ended:
		return e, false
	case <-grace.C:
		return ending{err: context.Cause(ctx)}, true
	}
}

// try grades; a panic of the grader is an error of this try alone.
func (w *Worker) try(ctx context.Context, l *lease, dir string) (e ending) {
	defer func() {
		if p := recover(); p != nil {
			w.log.ErrorContext(ctx, "the grader panicked", "job", string(l.job.ID), "panic", p, "stack", string(debug.Stack()))
			e = ending{err: fmt.Errorf("the grader panicked: %v", p)}
		}
	}()
	l.say("fetching what was handed in")
	t, err := w.task(ctx, l.job, dir)
	if err != nil {
		return ending{err: err}
	}
	t.Progress = l.say
	outcome, err := w.opts.Grader.Grade(ctx, t)
	return ending{outcome, err}
}

// task fetches what a grading needs.
func (w *Worker) task(ctx context.Context, j platform.Job, dir string) (Task, error) {
	var s platform.Submission
	err := w.opts.Store.View(ctx, func(tx *store.Tx) (err error) {
		s, err = tx.Submission(ctx, j.Org, j.SubmissionID)
		return err
	})
	if err != nil {
		return Task{}, fmt.Errorf("read submission: %w", err)
	}
	for fence := int64(1); fence < j.Fence; fence++ { // whoever held it before may have left files behind, and died, and so those after them
		if err := w.removeFiles(ctx, j, fence); err != nil {
			return Task{}, err
		}
	}
	t := Task{
		Job: j.ID, ChallengeID: s.ChallengeID, ChallengeVersion: s.ChallengeVersion, Mode: j.Mode, Digest: s.Intake.Digest,
		Archive: filepath.Join(dir, path.Base(s.Archive.Key)), Dir: filepath.Join(dir, "out"),
	}
	if err := os.Mkdir(t.Dir, 0o700); err != nil {
		return Task{}, fmt.Errorf("make folder of the grading: %w", err)
	}
	if err := w.fetch(ctx, s.Archive, t.Archive); err != nil {
		return Task{}, fmt.Errorf("fetch submission: %w", err)
	}
	return t, nil
}

// fetch copies a blob to a file and checks that it is what was stored.
func (w *Worker) fetch(ctx context.Context, b platform.Blob, to string) (err error) {
	from, _, err := w.opts.Blobs.Open(ctx, b.Key)
	if err != nil {
		return err
	}
	defer from.Close()
	file, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(file, sum), io.LimitReader(from, b.Bytes+1))
	if err != nil {
		return err
	}
	if got := "sha256:" + hex.EncodeToString(sum.Sum(nil)); n != b.Bytes || got != b.Digest {
		return fmt.Errorf("the file is not what was handed in: %d bytes with %s, not %d with %s", n, got, b.Bytes, b.Digest)
	}
	return nil
}
