package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/assay-run/assay/internal/platform"
)

// Claim gives a worker the job whose turn it is, with a lease that Heartbeat keeps. It is nil when nothing waits. The
// order is explained at platform.QueueShare.
//
// Claims happen one after another, because each moves the queue's clock first. That makes the order exact, and it is
// cheap: a claim is a few look-ups in indexes for each organisation that waits, however much it has handed in, and a
// grading takes minutes.
func (tx *Tx) Claim(ctx context.Context, worker platform.ID, lease time.Duration) (*platform.Job, error) {
	any := false
	err := tx.sql.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM jobs WHERE `+waiting+` AND run_after <= $1)`, ms(tx.now)).Scan(&any)
	if err != nil || !any {
		return nil, failed("look into queue", err) // idle workers ask often, and move no clock
	}
	turn, err := tx.nextTurn(ctx)
	if err != nil {
		return nil, err
	}
	all, err := tx.contenders(ctx)
	if err != nil {
		return nil, err
	}
	var next *platform.QueueShare
	for i := range all {
		if next == nil || all[i].Before(*next) {
			next = &all[i]
		}
	}
	if next == nil {
		return nil, nil
	}
	j, err := scanJob(tx.sql.QueryRowContext(ctx, `SELECT `+jobColumns+` FROM jobs j WHERE j.org_id = $1 AND j.`+waiting+` AND j.run_after <= $2
		ORDER BY j.priority, j.lap, j.created_at, j.id LIMIT 1`+tx.forUpdate(), next.Org, ms(tx.now)))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil // it was cancelled at this moment; the worker asks again soon
	}
	if err != nil {
		return nil, failed("choose job", err)
	}
	return tx.give(ctx, j, worker, lease, turn)
}

// ClaimJob gives a worker one job, for a job engine that has chosen it. It is nil when the job does not wait (any more).
func (tx *Tx) ClaimJob(ctx context.Context, org platform.OrgID, id, worker platform.ID, lease time.Duration) (*platform.Job, error) {
	turn, err := tx.nextTurn(ctx)
	if err != nil {
		return nil, err
	}
	j, err := tx.job(ctx, tx.forUpdate(), org, id)
	if err != nil {
		return nil, err
	}
	if !j.State.Waiting() || j.RunAfter.After(tx.now) {
		return nil, nil
	}
	return tx.give(ctx, j, worker, lease, turn)
}

func (tx *Tx) nextTurn(ctx context.Context) (turn int64, err error) {
	err = tx.sql.QueryRowContext(ctx, `UPDATE queue_clock SET turn = turn + 1 WHERE id = 1 RETURNING turn`).Scan(&turn)
	return turn, failed("move clock of the queue", err)
}

func (tx *Tx) give(ctx context.Context, j platform.Job, worker platform.ID, lease time.Duration, turn int64) (*platform.Job, error) {
	j.Tries++
	j.Fence++
	j.WorkerID, j.LeaseUntil, j.StartedAt, j.Why = worker, tx.now.Add(lease), tx.now, ""
	if err := tx.moveJobAt(ctx, &j, platform.JobClaim, turn); err != nil {
		return nil, err
	}
	_, err := tx.exec(ctx, `INSERT INTO queue_turns (org_id, turn) VALUES ($1, $2) ON CONFLICT (org_id) DO UPDATE SET turn = excluded.turn`, j.Org, turn)
	return &j, failed("keep turn", err)
}

// contenders are the organisations that have a job which waits and may run now. Waiting is 1 in each. An organisation is found by
// skipping from one to the next in an index: counting would read every job that waits, and so would PostgreSQL for an EXISTS, as long
// as it has no statistics of a queue that has just been filled.
func (tx *Tx) contenders(ctx context.Context) ([]platform.QueueShare, error) {
	out, err := all(ctx, tx, func(r row) (platform.QueueShare, error) {
		s := platform.QueueShare{Waiting: 1}
		return s, r.Scan(&s.Org, &s.Running, &s.Turn)
	},
		`WITH RECURSIVE w (org_id) AS (
			SELECT (SELECT MIN(org_id) FROM jobs WHERE `+waiting+`)
			UNION ALL
			SELECT (SELECT MIN(org_id) FROM jobs WHERE `+waiting+` AND org_id > w.org_id) FROM w WHERE w.org_id IS NOT NULL
		)
		SELECT w.org_id, (SELECT COUNT(*) FROM jobs r WHERE r.org_id = w.org_id AND r.state = 'running'), COALESCE(t.turn, 0)
		FROM w LEFT JOIN queue_turns t ON t.org_id = w.org_id
		WHERE w.org_id IS NOT NULL AND (SELECT MIN(d.run_after) FROM jobs d WHERE d.org_id = w.org_id AND d.`+waiting+`) <= $1`, ms(tx.now))
	return out, failed("read queue", err)
}

// shares are the organisations that have jobs which wait and may run now, or run.
func (tx *Tx) shares(ctx context.Context) ([]platform.QueueShare, error) {
	out, err := all(ctx, tx, func(r row) (s platform.QueueShare, err error) {
		return s, r.Scan(&s.Org, &s.Running, &s.Waiting, &s.Turn)
	},
		`SELECT q.org_id, q.running, q.waiting, COALESCE(t.turn, 0) FROM (
			SELECT org_id, CAST(SUM(running) AS BIGINT) AS running, CAST(SUM(waiting) AS BIGINT) AS waiting FROM (
				SELECT org_id, COUNT(*) AS running, 0 AS waiting FROM jobs WHERE state = 'running' GROUP BY org_id
				UNION ALL
				SELECT org_id, 0, COUNT(*) FROM jobs WHERE `+waiting+` AND run_after <= $1 GROUP BY org_id
			) AS parts GROUP BY org_id
		) AS q LEFT JOIN queue_turns t ON t.org_id = q.org_id`, ms(tx.now))
	return out, failed("read queue", err)
}

// Place is where a job stands in the queue.
type Place struct {
	State platform.JobState
	// Ahead is how many gradings begin before it, if nothing new arrives. 0 for one that does not wait.
	Ahead int
	// NotBefore is set when it waits for a time, after a fault.
	NotBefore time.Time
	// Running is how many gradings run in the whole installation; Slots is how many could, in workers that were seen within
	// aliveWithin and do not drain.
	Running, Slots int
	Why            string
}

// aliveWithin is how long a worker may be silent and still counts.
const aliveWithin = time.Minute

// slots is how many gradings could run at once.
func (tx *Tx) slots(ctx context.Context) (n int, err error) {
	err = tx.sql.QueryRowContext(ctx, `SELECT CAST(COALESCE(SUM(slots), 0) AS BIGINT) FROM workers WHERE last_seen > $1 AND NOT draining`, ms(tx.now.Add(-aliveWithin))).Scan(&n)
	return n, failed("count slots", err)
}

// Place says where a job stands and why it waits.
func (tx *Tx) Place(ctx context.Context, org platform.OrgID, id platform.ID) (Place, error) {
	j, err := tx.Job(ctx, org, id)
	if err != nil {
		return Place{}, err
	}
	p := Place{State: j.State, Why: j.Why}
	if p.Slots, err = tx.slots(ctx); err != nil {
		return Place{}, err
	}
	shares, err := tx.shares(ctx)
	if err != nil {
		return Place{}, err
	}
	for _, s := range shares {
		p.Running += s.Running
	}
	if !j.State.Waiting() {
		return p, nil
	}
	if j.RunAfter.After(tx.now) {
		p.NotBefore = j.RunAfter
	}
	before := 0
	err = tx.sql.QueryRowContext(ctx, `SELECT COUNT(*) FROM jobs WHERE org_id = $1 AND `+waiting+` AND run_after <= $2
		AND (priority < $3 OR priority = $3 AND (lap < $4 OR lap = $4 AND (created_at < $5 OR created_at = $5 AND id < $6)))`,
		org, ms(tx.now), j.Kind.Priority(), j.Lap, ms(j.CreatedAt), j.ID).Scan(&before)
	if err != nil {
		return Place{}, failed("count jobs ahead", err)
	}
	p.Ahead = platform.Ahead(shares, org, before)
	return p, nil
}
