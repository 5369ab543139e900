package worker

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

// lease is a worker's hold on a job.
type lease struct {
	worker *Worker
	job    platform.Job
	// stop ends the grading with a cause.
	stop     context.CancelCauseFunc
	progress atomic.Pointer[string]
	again    chan struct{} // holds one wish to look at once
	kept     sync.WaitGroup
	over     context.CancelFunc
	gone     context.CancelCauseFunc // ends what writes for this lease
}

// hold keeps the lease of a job until release is called. since is when the claim began, by the monotonic clock. The context
// that it returns is done when the lease is lost; what the worker writes about the job is written under it.
func (w *Worker) hold(ctx context.Context, j platform.Job, since time.Time, stop context.CancelCauseFunc) (*lease, context.Context) {
	held, gone := context.WithCancelCause(context.WithoutCancel(ctx))
	beats, over := context.WithCancel(held)
	l := &lease{worker: w, job: j, stop: stop, again: make(chan struct{}, 1), over: over, gone: gone}
	w.mu.Lock()
	w.leases[j.ID] = l
	w.mu.Unlock()
	l.kept.Go(func() { l.keep(beats, since) })
	return l, held
}

// release ends the beats.
func (l *lease) release() {
	l.over()
	l.kept.Wait()
	l.gone(nil)
	w := l.worker
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.leases[l.job.ID] == l {
		delete(w.leases, l.job.ID)
	}
}

func (l *lease) say(line string) { l.progress.Store(&line) }

func (l *lease) lookAgain() {
	select {
	case l.again <- struct{}{}:
	default: // somebody has wished for it already
	}
}

// lose ends the grading and everything that would be written for it.
func (l *lease) lose() {
	l.stop(errLost)
	l.gone(errLost)
}

// keep beats until ctx is done or the lease is lost: to somebody else, or because the store could not be reached for as
// long as it lasts.
func (l *lease) keep(ctx context.Context, since time.Time) {
	w := l.worker
	ticker := time.NewTicker(w.opts.Beat)
	defer ticker.Stop()
	ends := since.Add(w.opts.Lease)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-l.again:
		}
		began := time.Now()
		cancel, err := l.beat(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			ends = began.Add(w.opts.Lease)
			if cancel {
				l.stop(errCancelled)
			}
		case platform.ErrorCode(err) == platform.Conflict, platform.ErrorCode(err) == platform.NotFound, !time.Now().Before(ends):
			w.log.InfoContext(ctx, "a lease is over, or lost", "job", string(l.job.ID), "error", err)
			l.lose()
			return
		default:
			w.log.WarnContext(ctx, "a beat failed", "job", string(l.job.ID), "error", err)
		}
	}
}

func (l *lease) beat(ctx context.Context) (cancel bool, err error) {
	w := l.worker
	ctx, end := context.WithTimeout(ctx, w.opts.Lease/3)
	defer end()
	line := ""
	if said := l.progress.Load(); said != nil {
		line = *said
	}
	err = w.opts.Store.Tx(ctx, func(tx *store.Tx) (err error) {
		cancel, err = tx.Heartbeat(ctx, l.job.Org, l.job.ID, l.job.Fence, w.opts.Lease, line)
		return err
	})
	return cancel, err
}
