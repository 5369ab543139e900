package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/assay-run/assay/internal/platform"
)

// Restored is what SystemRestored has done.
type Restored struct {
	Queued   int // gradings that ran when the backup was made
	Credited int // attempts whose candidates got the time since then back
}

// fencesApart is how far a restored grading's fence is from that of a worker which still works for what was before.
const fencesApart = 1_000_000

// SystemRestored makes rows that were as at madeAt fit to go on now. What ran then is queued again and costs no try; no worker of
// then can write to it. The time since then is given back to whoever had a running clock, and every organisation's log says what
// was done.
func (tx *Tx) SystemRestored(ctx context.Context, madeAt time.Time) (Restored, error) {
	out := Restored{}
	jobs, err := all(ctx, tx, scanJob, `SELECT `+jobColumns+` FROM jobs j WHERE j.state = 'running' ORDER BY j.org_id, j.id`+tx.forUpdate())
	if err != nil {
		return out, failed("list running jobs", err)
	}
	for i := range jobs {
		jobs[i].Tries = max(0, jobs[i].Tries-1)
		jobs[i].WorkerID = ""
		if err := tx.moveJob(ctx, &jobs[i], platform.JobRelease); err != nil {
			return out, err
		}
		out.Queued++
	}
	if _, err := tx.exec(ctx, `UPDATE jobs SET fence = fence + $1 WHERE `+waiting, fencesApart); err != nil {
		return out, failed("part fences", err)
	}
	if out.Credited, err = tx.creditSince(ctx, madeAt); err != nil {
		return out, err
	}
	orgs, err := all(ctx, tx, func(r row) (id platform.OrgID, err error) { return id, r.Scan(&id) }, `SELECT id FROM organizations ORDER BY id`)
	if err != nil {
		return out, failed("list organisations", err)
	}
	detail, err := json.Marshal(map[string]string{"madeAt": madeAt.UTC().Format(time.RFC3339)})
	if err != nil {
		return out, failed("encode detail of audit log", err)
	}
	for _, org := range orgs {
		err := tx.Audit(ctx, org, platform.AuditEntry{
			Actor: platform.Actor{Kind: platform.ActorSystem}, Action: platform.ActionRestore, Subject: platform.ID(org), Detail: string(detail),
		})
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

// creditSince gives the time since then back to attempts that ran.
func (tx *Tx) creditSince(ctx context.Context, then time.Time) (n int, err error) {
	then = wholeMs(then)
	if !then.Before(tx.now) {
		return 0, nil
	}
	refs, err := all(ctx, tx, scanRef, `SELECT org_id, id FROM attempts WHERE state = 'running' ORDER BY org_id, id`)
	if err != nil {
		return 0, failed("list attempts that run", err)
	}
	for _, ref := range refs {
		a, err := tx.Attempt(ctx, ref.Org, ref.ID)
		if err != nil {
			return n, err
		}
		if a.Clock.Paused(tx.now) || a.Clock.Over(then) {
			continue
		}
		if _, err := tx.CreditPause(ctx, ref.Org, ref.ID, then, tx.now, "The platform was restored from a backup."); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// SystemErasures are the erasures that the audit log knows of since a time, the oldest first.
func (tx *Tx) SystemErasures(ctx context.Context, since time.Time) ([]platform.Erasure, error) {
	p := &params{values: []any{ms(since)}}
	entries, err := all(ctx, tx, scanAudit, `SELECT org_id, id, at, actor_kind, actor_id, action, subject, detail, request_id FROM audit_log
		WHERE at >= $1 AND action IN `+in(p, platform.ErasingActions())+` ORDER BY at, id`, p.values...)
	if err != nil {
		return nil, failed("list erasures", err)
	}
	out := []platform.Erasure{}
	for _, e := range entries {
		if erased, ok := e.Erasure(); ok {
			out = append(out, erased)
		}
	}
	return out, nil
}

// SystemEraseAgain erases what was erased before and has come back, and keeps that it did. done is false when it is not there.
func (tx *Tx) SystemEraseAgain(ctx context.Context, e platform.Erasure) (done bool, err error) {
	subject := e.Candidate
	if subject != "" {
		err = tx.EraseCandidate(ctx, e.Org, subject)
	} else {
		subject = e.Invitation
		err = tx.EraseInvitation(ctx, e.Org, subject)
	}
	if platform.ErrorCode(err) == platform.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, tx.Audit(ctx, e.Org, platform.AuditEntry{
		Actor: platform.Actor{Kind: platform.ActorSystem}, Action: platform.ActionEraseAgain, Subject: subject,
	})
}
