package store

import (
	"context"
	"slices"

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

// subjectQueries find what ids of a kind are about. Each is given the organisation and the ids.
func subjectQueries() map[platform.Kind]string {
	const person = `SELECT x.id, COALESCE(NULLIF(c.name, ''), NULLIF(c.email, ''), c.external_ref), `
	of := func(table, invitation string) string {
		return person + invitation + ` FROM ` + table + ` x JOIN candidates c ON c.org_id = x.org_id AND c.id = x.candidate_id WHERE x.org_id = $1 AND x.id IN `
	}
	const ofAttempt = `(SELECT t.invitation_id FROM attempts t WHERE t.org_id = x.org_id AND t.id = x.attempt_id)`
	return map[platform.Kind]string{
		platform.KindCandidate: person + `COALESCE((SELECT i.id FROM invitations i WHERE i.org_id = x.org_id AND i.candidate_id = x.id
			ORDER BY i.created_at DESC, i.id DESC LIMIT 1), '') FROM candidates x JOIN candidates c ON c.org_id = x.org_id AND c.id = x.id WHERE x.org_id = $1 AND x.id IN `,
		platform.KindInvitation: of("invitations", "x.id"),
		platform.KindAttempt:    of("attempts", "x.invitation_id"),
		platform.KindSubmission: of("submissions", ofAttempt),
		platform.KindJob:        of("jobs", ofAttempt),
		platform.KindResult:     of("results", ofAttempt),
		platform.KindAssessment: `SELECT x.id, v.name, '' FROM assessments x JOIN assessment_versions v ON v.org_id = x.org_id AND v.assessment_id = x.id
			AND v.version = x.version WHERE x.org_id = $1 AND x.id IN `,
	}
}

// Subjects says what ids are about, as far as that is still there.
func (tx *Tx) Subjects(ctx context.Context, org platform.OrgID, ids []platform.ID) ([]platform.Subject, error) {
	var out []platform.Subject
	for kind, query := range subjectQueries() {
		var asked []platform.ID
		for _, id := range ids {
			if id.Is(kind) && !slices.Contains(asked, id) {
				asked = append(asked, id)
			}
		}
		if len(asked) == 0 {
			continue
		}
		p := &params{values: []any{org}}
		found, err := all(ctx, tx, scanSubject, query+in(p, asked), p.values...)
		if err != nil {
			return nil, failed("name subjects", err)
		}
		out = append(out, found...)
	}
	return out, nil
}

func scanSubject(r row) (platform.Subject, error) {
	s := platform.Subject{}
	return s, r.Scan(&s.ID, &s.Name, &s.Invitation)
}

func scanAudit(r row) (platform.AuditEntry, error) {
	e := platform.AuditEntry{}
	return e, r.Scan(&e.Org, &e.ID, instant{&e.At}, &e.Actor.Kind, &e.Actor.ID, &e.Action, &e.Subject, &e.Detail, &e.RequestID)
}
