package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

// UploadGrace is how long an attempt that is over waits for uploads that began in time. A server ends a request that takes
// longer.
const UploadGrace = 5 * time.Minute

// keepBatch bounds what one round of housekeeping does of each kind.
const keepBatch = 100

// Kept says what a round of housekeeping has done.
type Kept struct {
	TimedOut, Erased int
	Orphans          int // files that no row names
	// More says that something is left for the next round, which should come soon.
	More bool
}

// HouseKeep ends attempts whose time is up, erases what has been kept for long enough, forgets expired keys and sessions, and
// looks for files that no row names. What fails for one does not stop the others; their errors are joined. Any number of servers may do it at once.
func (s *Service) HouseKeep(ctx context.Context, a Actor) (Kept, error) {
	var out Kept
	over, err := run(ctx, s, a, HouseKeep, func(w *work) ([]store.Ref, error) {
		return w.SystemAttemptsOver(ctx, w.Now().Add(-UploadGrace), keepBatch)
	})
	if err != nil {
		return out, err
	}
	var failed []error
	for _, ref := range over {
		if err := s.timeOut(ctx, ref); err != nil {
			failed = append(failed, err)
			continue
		}
		out.TimedOut++
	}
	due, err := run(ctx, s, a, HouseKeep, func(w *work) ([]store.Ref, error) { return w.SystemErasureDue(ctx, keepBatch) })
	if err != nil {
		return out, errors.Join(append(failed, err)...)
	}
	for _, ref := range due {
		if err := s.erase(ctx, ref); err != nil {
			failed = append(failed, err)
			continue
		}
		out.Erased++
	}
	out.More = len(over) == keepBatch || len(due) == keepBatch
	failed = append(failed, s.eraseFiles(ctx, a), s.do(ctx, a, HouseKeep, func(w *work) error { return w.SystemForget(ctx) }))
	if out.Erased > 0 {
		s.erased.Store(true)
	}
	failed = append(failed, s.scrub(ctx))
	out.Orphans, err = s.removeOrphans(ctx, a)
	failed = append(failed, err)
	return out, errors.Join(failed...)
}

// lateFiles is how long a worker may still put files into a folder that is erased: longer than any grading lasts.
const lateFiles = 6 * time.Hour

// scrub makes what was erased leave the database's own files too, when something was.
func (s *Service) scrub(ctx context.Context) error {
	if !s.erased.Swap(false) {
		return nil
	}
	done, err := s.store.Scrub(ctx)
	if !done {
		s.erased.Store(true)
	}
	return err
}

// eraseFiles empties the folders of what was erased. One leaves the list when it was found empty after nobody can write to
// it any more.
func (s *Service) eraseFiles(ctx context.Context, a Actor) error {
	due, err := run(ctx, s, a, HouseKeep, func(w *work) ([]store.BlobErasure, error) { return w.SystemBlobErasures(ctx, keepBatch) })
	if err != nil {
		return err
	}
	var failed []error
	for _, e := range due {
		n, err := s.eraseFolder(ctx, e.Prefix)
		if err != nil {
			failed = append(failed, fmt.Errorf("erase files: %w", err))
			continue
		}
		if n > 0 || s.now().Sub(e.DueAt) < lateFiles {
			continue
		}
		failed = append(failed, s.do(ctx, a, HouseKeep, func(w *work) error { return w.SystemBlobsErased(ctx, e.Prefix) }))
	}
	return errors.Join(failed...)
}

// timeOut ends one attempt. When all of it is graded already, it is told.
func (s *Service) timeOut(ctx context.Context, ref store.Ref) error {
	return s.do(ctx, SystemActor(ref.Org), HouseKeep, func(w *work) error {
		t, err := w.TimeOut(ctx, ref.Org, ref.ID)
		if err != nil || t.State != platform.AttemptReview {
			return err
		}
		return w.graded(ctx, t)
	})
}

// erase erases one invitation, and keeps that it was done.
func (s *Service) erase(ctx context.Context, ref store.Ref) error {
	return s.do(ctx, SystemActor(ref.Org), HouseKeep, func(w *work) error {
		if err := w.EraseInvitation(ctx, ref.Org, ref.ID); err != nil {
			return err
		}
		return w.Audit(ctx, ref.Org, platform.AuditEntry{Actor: w.actor.Identity(), Action: platform.ActionEraseDue, Subject: ref.ID})
	})
}
