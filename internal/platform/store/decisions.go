package store

import (
	"context"

	"github.com/assay-run/assay/internal/platform"
)

// maxReason bounds the reason of a decision, in bytes.
const maxReason = 10_000

// Decide keeps a decision on an attempt, with its reason. It supersedes earlier ones, which stay in the history.
func (tx *Tx) Decide(ctx context.Context, org platform.OrgID, d platform.Decision) (platform.Decision, error) {
	switch {
	case !d.Outcome.Valid():
		return platform.Decision{}, platform.InvalidField("outcome", "A decision is advance, reject or hold.")
	case d.Reason == "":
		return platform.Decision{}, platform.InvalidField("reason", "A decision needs a reason, so that it can be explained later.")
	case len(d.Reason) > maxReason || d.Reason != clean(d.Reason):
		return platform.Decision{}, platform.InvalidField("reason", "A reason is text of %d bytes at most.", maxReason)
	}
	a, err := tx.lockWay(ctx, org, d.AttemptID)
	if err != nil {
		return platform.Decision{}, err
	}
	if err := tx.moveAttempt(ctx, &a, platform.AttemptDecide); err != nil {
		return platform.Decision{}, err
	}
	d.ID, d.At = platform.NewID(platform.KindDecision, tx.now), tx.now
	_, err = tx.exec(ctx, `INSERT INTO decisions (org_id, id, attempt_id, outcome, reason, decided_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		org, d.ID, d.AttemptID, d.Outcome, d.Reason, d.DecidedBy, ms(d.At))
	if err != nil {
		return platform.Decision{}, failed("write decision", err)
	}
	_, err = tx.exec(ctx, `UPDATE attempts SET decision = $3 WHERE org_id = $1 AND id = $2`, org, d.AttemptID, d.Outcome)
	return d, failed("keep decision", err)
}

// Undecide takes the standing decision back; it stays in the history.
func (tx *Tx) Undecide(ctx context.Context, org platform.OrgID, attempt platform.ID) error {
	a, err := tx.lockWay(ctx, org, attempt)
	if err != nil {
		return err
	}
	if err := tx.moveAttempt(ctx, &a, platform.AttemptUndecide); err != nil {
		return err
	}
	_, err = tx.exec(ctx, `UPDATE attempts SET decision = '' WHERE org_id = $1 AND id = $2`, org, attempt)
	return failed("take decision back", err)
}

// Decisions are all decisions on an attempt, the newest first.
func (tx *Tx) Decisions(ctx context.Context, org platform.OrgID, attempt platform.ID) ([]platform.Decision, error) {
	if _, err := tx.Attempt(ctx, org, attempt); err != nil {
		return nil, err
	}
	out, err := all(ctx, tx, scanDecision, `SELECT id, attempt_id, outcome, reason, decided_by, created_at FROM decisions
		WHERE org_id = $1 AND attempt_id = $2 ORDER BY created_at DESC, id DESC`, org, attempt)
	return out, failed("list decisions", err)
}

func scanDecision(r row) (platform.Decision, error) {
	d := platform.Decision{}
	return d, r.Scan(&d.ID, &d.AttemptID, &d.Outcome, &d.Reason, &d.DecidedBy, instant{&d.At})
}
