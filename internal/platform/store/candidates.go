package store

import (
	"context"
	"strings"

	"github.com/assay-run/assay/internal/platform"
)

const candidateColumns = `c.org_id, c.id, c.name, c.email, c.external_ref, c.created_at`

func candidateFields(c *platform.Candidate) []any {
	return []any{&c.Org, &c.ID, &c.Name, &c.Email, &c.ExternalRef, instant{&c.CreatedAt}}
}

func scanCandidate(r row) (platform.Candidate, error) {
	c := platform.Candidate{}
	return c, r.Scan(candidateFields(&c)...)
}

// Candidate reads a candidate.
func (tx *Tx) Candidate(ctx context.Context, org platform.OrgID, id platform.ID) (platform.Candidate, error) {
	c, err := scanCandidate(tx.sql.QueryRowContext(ctx, `SELECT `+candidateColumns+` FROM candidates c WHERE c.org_id = $1 AND c.id = $2`, org, id))
	if err != nil {
		return platform.Candidate{}, found(err, "candidate")
	}
	return c, nil
}

// UpdateCandidate corrects name, address and reference.
func (tx *Tx) UpdateCandidate(ctx context.Context, org platform.OrgID, id platform.ID, to platform.Invitee) error {
	if err := to.Validate(); err != nil {
		return err
	}
	n, err := tx.exec(ctx, `UPDATE candidates SET name = $3, email = $4, email_key = NULLIF($5, ''), external_ref = $6, name_key = $7
		WHERE org_id = $1 AND id = $2`,
		org, id, strings.TrimSpace(to.Name), to.Email, platform.NormalEmail(to.Email), to.ExternalRef, nameKey(to))
	if broken(err) == uniqueConstraint {
		return platform.Errorf(platform.Conflict, "Another candidate has this address.")
	}
	return changedOne(n, err, "candidate")
}

// candidateFor finds the candidate with an address, or makes one. Whoever has no address is always new. A name that is
// known already stays; one that was missing is filled in.
func (tx *Tx) candidateFor(ctx context.Context, org platform.OrgID, i platform.Invitee) (platform.Candidate, error) {
	c, err := scanCandidate(tx.sql.QueryRowContext(ctx, `INSERT INTO candidates AS c (org_id, id, name, email, email_key, external_ref, created_at, name_key)
		VALUES ($1, $2, $3, $4, NULLIF($5, ''), $6, $7, $8)
		ON CONFLICT (org_id, email_key) DO UPDATE SET
			name = CASE WHEN c.name = '' THEN excluded.name ELSE c.name END,
			name_key = CASE WHEN c.name = '' THEN excluded.name_key ELSE c.name_key END,
			external_ref = CASE WHEN excluded.external_ref = '' THEN c.external_ref ELSE excluded.external_ref END
		RETURNING org_id, id, name, email, external_ref, created_at`,
		org, platform.NewID(platform.KindCandidate, tx.now), strings.TrimSpace(i.Name), strings.TrimSpace(i.Email),
		platform.NormalEmail(i.Email), i.ExternalRef, ms(tx.now), nameKey(i)))
	return c, failed("write candidate", err)
}

// nameKey is what a candidate is sorted by, and found by together with the address. Databases differ in which letters they
// can put into lower case.
func nameKey(i platform.Invitee) string {
	if name := strings.TrimSpace(i.Name); name != "" {
		return strings.ToLower(name)
	}
	return platform.NormalEmail(i.Email)
}
