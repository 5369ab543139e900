package store

import (
	"context"
)

// SystemAttempts are attempts of all organisations, those with the largest ids first, from behind one; the zero Ref is before all.
func (tx *Tx) SystemAttempts(ctx context.Context, behind Ref, limit int) ([]Ref, error) {
	p := &params{}
	where := ""
	if behind != (Ref{}) {
		where = ` WHERE (org_id, id) < (` + p.add(behind.Org) + `, ` + p.add(behind.ID) + `)`
	}
	out, err := all(ctx, tx, scanRef, `SELECT org_id, id FROM attempts`+where+` ORDER BY org_id DESC, id DESC LIMIT `+p.add(int64(limit)), p.values...)
	return out, failed("list attempts", err)
}

// SystemNamedFiles are the keys of all files that rows of an attempt name.
func (tx *Tx) SystemNamedFiles(ctx context.Context, attempt Ref) ([]string, error) {
	out, err := all(ctx, tx, func(r row) (key string, err error) { return key, r.Scan(&key) },
		`SELECT archive_key FROM submissions WHERE org_id = $1 AND attempt_id = $2 AND archive_key <> ''
		UNION SELECT report_key FROM results WHERE org_id = $1 AND attempt_id = $2 AND report_key <> ''
		UNION SELECT evidence_key FROM results WHERE org_id = $1 AND attempt_id = $2 AND evidence_key <> ''`, attempt.Org, attempt.ID)
	return out, failed("list files of attempt", err)
}
