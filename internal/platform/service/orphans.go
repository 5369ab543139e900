package service

import (
	"context"
	"errors"
	"fmt"
	"path"
	"sync"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

const (
	// orphanAge is when a file that no row names belongs to nobody: longer than any upload or grading lasts.
	orphanAge = 24 * time.Hour
	// orphanAttempts bounds the attempts that a round looks through, and orphanFiles what it removes of each.
	orphanAttempts = 20
	orphanFiles    = 1000
)

// orphans is how far the search is for files that no row names: what a crash leaves between storing a file and its row.
type orphans struct {
	mu     sync.Mutex
	behind store.Ref // the attempt that was looked through last; none: from the newest
}

// removeOrphans looks through the files of some attempts, others in the next round, and tells how many it has removed. Each
// submission and each try of a grading has a folder of its own: what lies beside a file that a row names is kept, and so is
// whatever is younger than orphanAge. Files of attempts that the database does not know are left alone: erasing has a list of its
// own, and what is left may be another installation's.
func (s *Service) removeOrphans(ctx context.Context, a Actor) (n int, err error) {
	if s.listFolder == nil || !s.orphans.mu.TryLock() {
		return 0, nil
	}
	defer s.orphans.mu.Unlock()
	refs, err := run(ctx, s, a, HouseKeep, func(w *work) ([]store.Ref, error) {
		return w.SystemAttempts(ctx, s.orphans.behind, orphanAttempts)
	})
	if err != nil {
		return 0, err
	}
	s.orphans.behind = store.Ref{}
	if len(refs) == orphanAttempts {
		s.orphans.behind = refs[len(refs)-1]
	}
	var failed []error
	for _, ref := range refs {
		removed, err := s.removeOrphansOf(ctx, a, ref)
		n += removed
		failed = append(failed, err)
	}
	return n, errors.Join(failed...)
}

// errEnough ends a walk.
var errEnough = errors.New("enough")

func (s *Service) removeOrphansOf(ctx context.Context, a Actor, ref store.Ref) (n int, err error) {
	kept, err := s.namedFolders(ctx, a, ref)
	if err != nil {
		return 0, err
	}
	var found []string
	before := s.now().Add(-orphanAge)
	err = s.listFolder(ctx, platform.BlobPrefix(ref.Org, ref.ID), func(key string, at time.Time) error {
		if at.Before(before) && !kept[path.Dir(key)] {
			found = append(found, key)
		}
		if len(found) == orphanFiles {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) || len(found) == 0 {
		return 0, err
	}
	// Rows are read once more after the files: what was stored a day ago has its row by now, or never gets one.
	if kept, err = s.namedFolders(ctx, a, ref); err != nil {
		return 0, err
	}
	for _, key := range found {
		if kept[path.Dir(key)] {
			continue
		}
		if err := s.blobs.Delete(ctx, key); err != nil {
			return n, fmt.Errorf("remove file of nobody: %w", err)
		}
		n++
	}
	return n, nil
}

// namedFolders are the folders of the files that rows of an attempt name.
func (s *Service) namedFolders(ctx context.Context, a Actor, ref store.Ref) (map[string]bool, error) {
	named, err := run(ctx, s, a, HouseKeep, func(w *work) ([]string, error) { return w.SystemNamedFiles(ctx, ref) })
	out := map[string]bool{}
	for _, key := range named {
		out[path.Dir(key)] = true
	}
	return out, err
}
