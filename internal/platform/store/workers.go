package store

import (
	"context"
	"time"

	"github.com/assay-run/assay/internal/platform"
)

// SystemSeen keeps that a worker lives. A worker calls it when it begins, every few seconds, and when it begins to drain.
func (tx *Tx) SystemSeen(ctx context.Context, w platform.Worker) error {
	_, err := tx.exec(ctx, `INSERT INTO workers (id, name, version, slots, draining, started_at, last_seen) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, version = excluded.version, slots = excluded.slots, draining = excluded.draining,
			last_seen = excluded.last_seen`,
		w.ID, bounded(w.Name), bounded(w.Version), w.Slots, w.Draining, ms(tx.now), ms(tx.now))
	return failed("keep worker", err)
}

// SystemFirstWorker is the smallest id of the workers that were seen since a time; empty: none was.
func (tx *Tx) SystemFirstWorker(ctx context.Context, since time.Time) (id platform.ID, err error) {
	err = tx.sql.QueryRowContext(ctx, `SELECT COALESCE(MIN(id), '') FROM workers WHERE last_seen > $1`, ms(since)).Scan(&id)
	return id, failed("find first worker", err)
}

// SystemForgetWorkers removes workers that were not seen since a time and hold no job.
func (tx *Tx) SystemForgetWorkers(ctx context.Context, before time.Time) error {
	_, err := tx.exec(ctx, `DELETE FROM workers WHERE last_seen < $1
		AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.worker_id = workers.id AND j.state = 'running')`, ms(before))
	return failed("forget workers", err)
}

// Workers are all workers of the installation, by name. Of their jobs, an organisation sees its own; of the others only
// how many there are.
func (tx *Tx) Workers(ctx context.Context, org platform.OrgID) ([]platform.Worker, error) {
	out, err := all(ctx, tx, scanWorker, `SELECT w.id, w.name, w.version, w.slots, w.draining, w.started_at, w.last_seen,
		(SELECT COUNT(*) FROM jobs j WHERE j.worker_id = w.id AND j.state = 'running') FROM workers w ORDER BY w.name, w.id`)
	if err != nil {
		return nil, failed("list workers", err)
	}
	for i := range out {
		out[i].Jobs, err = all(ctx, tx, func(r row) (id platform.ID, err error) { return id, r.Scan(&id) },
			`SELECT id FROM jobs WHERE org_id = $1 AND worker_id = $2 AND state = 'running' ORDER BY started_at, id`, org, out[i].ID)
		if err != nil {
			return nil, failed("list jobs of worker", err)
		}
	}
	return out, nil
}

func scanWorker(r row) (platform.Worker, error) {
	w := platform.Worker{}
	return w, r.Scan(&w.ID, &w.Name, &w.Version, &w.Slots, &w.Draining, instant{&w.StartedAt}, instant{&w.LastSeen}, &w.Busy)
}
