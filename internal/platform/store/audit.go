package store

import (
	"context"

	"github.com/assay-run/assay/internal/platform"
)

// Audit adds a line to an organisation's log: who saw or did what. Lines are never changed.
func (tx *Tx) Audit(ctx context.Context, org platform.OrgID, e platform.AuditEntry) error {
	_, err := tx.exec(ctx, `INSERT INTO audit_log (org_id, id, at, actor_kind, actor_id, action, subject, detail, request_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		org, platform.NewID(platform.KindAudit, tx.now), ms(tx.now), e.Actor.Kind, e.Actor.ID, e.Action, e.Subject, bounded(e.Detail), bounded(e.RequestID))
	return failed("write audit log", err)
}

// AuditLog lists the log, the newest first, of one subject unless that is empty.
func (tx *Tx) AuditLog(ctx context.Context, org platform.OrgID, subject platform.ID, ask platform.Page) (platform.List[platform.AuditEntry], error) {
	p := &params{values: []any{org}}
	query := `SELECT org_id, id, at, actor_kind, actor_id, action, subject, detail, request_id FROM audit_log WHERE org_id = $1`
	if subject != "" {
		query += ` AND subject = ` + p.add(subject)
	}
	where, tail, err := p.older(ask, "at", "id")
	if err != nil {
		return platform.List[platform.AuditEntry]{}, err
	}
	items, err := all(ctx, tx, scanAudit, query+where+tail, p.values...)
	return page(items, ask, func(e platform.AuditEntry) platform.Mark { return platform.Mark{At: e.At, ID: e.ID} }), failed("list audit log", err)
}

func scanAudit(r row) (platform.AuditEntry, error) {
	e := platform.AuditEntry{}
	return e, r.Scan(&e.Org, &e.ID, instant{&e.At}, &e.Actor.Kind, &e.Actor.ID, &e.Action, &e.Subject, &e.Detail, &e.RequestID)
}
