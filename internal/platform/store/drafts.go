package store

import (
	"context"

	"github.com/assay-run/assay/internal/platform"
)

// maxRevision is more than anybody saves, and less than what overflows anywhere.
const maxRevision = 1 << 53

// SaveDraft keeps the state of a candidate's work on one challenge. d.Revision is the revision that it is based on, 0 for
// the first: when another tab was faster, the error is a Conflict. An attempt that is over takes none.
func (tx *Tx) SaveDraft(ctx context.Context, org platform.OrgID, d platform.Draft) (platform.Draft, error) {
	if len(d.Body) > platform.MaxDraftBytes || d.Body != clean(d.Body) {
		return platform.Draft{}, platform.InvalidField("body", "A draft is text of %d KiB at most.", platform.MaxDraftBytes>>10)
	}
	if d.Revision < 0 || d.Revision > maxRevision {
		return platform.Draft{}, platform.InvalidField("revision", "There is no such revision. Take that of the draft that was read.")
	}
	a, err := tx.attempt(ctx, tx.forUpdate(), org, d.AttemptID)
	if err != nil {
		return platform.Draft{}, err
	}
	if a.State != platform.AttemptRunning || a.Clock.Over(tx.now) {
		return platform.Draft{}, platform.Errorf(platform.Gone, "Time is up; drafts are closed.")
	}
	as, err := tx.AssessmentVersion(ctx, org, a.AssessmentID, a.AssessmentVersion)
	if err != nil {
		return platform.Draft{}, err
	}
	if _, ok := as.Settings.Challenge(d.ChallengeID); !ok {
		return platform.Draft{}, platform.Errorf(platform.NotFound, "There is no such challenge in this assessment.")
	}
	query := `UPDATE drafts SET revision = $4, body = $5, saved_at = $6 WHERE org_id = $1 AND attempt_id = $2 AND challenge_id = $3 AND revision = $4 - 1`
	if d.Revision == 0 {
		query = `INSERT INTO drafts (org_id, attempt_id, challenge_id, revision, body, saved_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`
	}
	n, err := tx.exec(ctx, query, org, d.AttemptID, d.ChallengeID, d.Revision+1, d.Body, ms(tx.now))
	if err != nil {
		return platform.Draft{}, failed("write draft", err)
	}
	if n == 0 {
		return platform.Draft{}, platform.Errorf(platform.Conflict, "A newer draft was saved elsewhere, in another tab perhaps. Load it before you go on.")
	}
	d.Revision, d.SavedAt = d.Revision+1, tx.now
	return d, nil
}

// Drafts are all drafts of an attempt.
func (tx *Tx) Drafts(ctx context.Context, org platform.OrgID, attempt platform.ID) ([]platform.Draft, error) {
	if _, err := tx.Attempt(ctx, org, attempt); err != nil {
		return nil, err
	}
	out, err := all(ctx, tx, scanDraft, `SELECT attempt_id, challenge_id, revision, body, saved_at FROM drafts
		WHERE org_id = $1 AND attempt_id = $2 ORDER BY challenge_id`, org, attempt)
	return out, failed("list drafts", err)
}

func scanDraft(r row) (platform.Draft, error) {
	d := platform.Draft{}
	return d, r.Scan(&d.AttemptID, &d.ChallengeID, &d.Revision, &d.Body, instant{&d.SavedAt})
}
