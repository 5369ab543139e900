package store

import (
	"context"

	"github.com/assay-run/assay/internal/platform"
)

// Standing is how the whole queue stood at a moment, for telling many people their place.
type Standing struct {
	running, slots int
	shares         []platform.QueueShare
	// before is how many jobs of the same organisation come before each job that could be claimed.
	before map[platform.ID]int
}

// SystemStanding reads how the queue stands. It reads every job that waits: Place is cheaper for one job, and dearer for a dozen.
func (tx *Tx) SystemStanding(ctx context.Context) (*Standing, error) {
	out := &Standing{before: map[platform.ID]int{}}
	var err error
	if out.slots, err = tx.slots(ctx); err != nil {
		return nil, err
	}
	if out.shares, err = tx.shares(ctx); err != nil {
		return nil, err
	}
	for _, s := range out.shares {
		out.running += s.Running
	}
	// The order is that of the index jobs_waiting.
	refs, err := all(ctx, tx, scanRef, `SELECT org_id, id FROM jobs WHERE `+waiting+` AND run_after <= $1
		ORDER BY org_id, priority, lap, created_at, id`, ms(tx.now))
	if err != nil {
		return nil, failed("list jobs that wait", err)
	}
	n := 0
	for i, ref := range refs {
		if i > 0 && refs[i-1].Org != ref.Org {
			n = 0
		}
		out.before[ref.ID] = n
		n++
	}
	return out, nil
}

// Place says where a job stood that waits; ok is false for one that could not be claimed then.
func (s *Standing) Place(j platform.Job) (p Place, ok bool) {
	before, ok := s.before[j.ID]
	if !ok {
		return Place{}, false
	}
	return Place{
		State: j.State, Why: j.Why, Running: s.running, Slots: s.slots, Ahead: platform.Ahead(s.shares, j.Org, before),
	}, true
}
