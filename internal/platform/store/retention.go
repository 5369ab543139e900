package store

import (
	"context"
	"time"

	"github.com/assay-run/assay/internal/platform"
)

// SystemErasureDue are invitations whose data are to be erased, those that are due the longest first. Each is to be handed
// to EraseInvitation, in a transaction of its own.
func (tx *Tx) SystemErasureDue(ctx context.Context, limit int) ([]Ref, error) {
	out, err := all(ctx, tx, scanRef, `SELECT org_id, id FROM invitations WHERE erase_after IS NOT NULL AND erase_after <= $1 ORDER BY erase_after, id LIMIT $2`,
		ms(tx.now), int64(limit))
	return out, failed("list what is to be erased", err)
}

// EraseInvitation removes an invitation with all that came of it, and the candidate when this was the last invitation. Its
// files are put on the list of SystemBlobErasures. What stays are figures that lead to nobody: see Statistics.
func (tx *Tx) EraseInvitation(ctx context.Context, org platform.OrgID, id platform.ID) error {
	i, err := tx.invitation(ctx, tx.forUpdate(), org, id)
	if err != nil {
		return err
	}
	if err := tx.eraseOne(ctx, i); err != nil {
		return err
	}
	_, err = tx.exec(ctx, `DELETE FROM candidates WHERE org_id = $1 AND id = $2
		AND NOT EXISTS (SELECT 1 FROM invitations i WHERE i.org_id = $1 AND i.candidate_id = $2)`, org, i.CandidateID)
	return failed("erase candidate", err)
}

// EraseCandidate removes a candidate with all invitations and all that came of them, now.
func (tx *Tx) EraseCandidate(ctx context.Context, org platform.OrgID, id platform.ID) error {
	if _, err := tx.Candidate(ctx, org, id); err != nil {
		return err
	}
	invitations, err := all(ctx, tx, scanInvitation, `SELECT `+invitationColumns+` FROM invitations i WHERE i.org_id = $1 AND i.candidate_id = $2
		ORDER BY i.id`+tx.forUpdate(), org, id)
	if err != nil {
		return failed("list invitations", err)
	}
	for _, i := range invitations {
		if err := tx.eraseOne(ctx, i); err != nil {
			return err
		}
	}
	n, err := tx.exec(ctx, `DELETE FROM candidates WHERE org_id = $1 AND id = $2`, org, id)
	return changedOne(n, err, "candidate")
}

// eraseOne erases an invitation that is locked. A worker that grades one of its submissions finds no job to write to.
func (tx *Tx) eraseOne(ctx context.Context, i platform.Invitation) error {
	attempts, err := all(ctx, tx, func(r row) (id platform.ID, err error) { return id, r.Scan(&id) },
		`SELECT id FROM attempts WHERE org_id = $1 AND invitation_id = $2 ORDER BY id`+tx.forUpdate(), i.Org, i.ID)
	if err != nil {
		return failed("list attempts", err)
	}
	for _, a := range attempts {
		if err := tx.keepStatistics(ctx, i.Org, a); err != nil {
			return err
		}
		_, err := tx.exec(ctx, `INSERT INTO blob_erasures (prefix, due_at) VALUES ($1, $2) ON CONFLICT DO NOTHING`, platform.BlobPrefix(i.Org, a), ms(tx.now))
		if err != nil {
			return failed("list files to erase", err)
		}
	}
	// The keys of requests that the candidate sent, which hold what the sender has chosen.
	_, err = tx.exec(ctx, `DELETE FROM idempotency_keys WHERE org_id = $1 AND (scope LIKE $2 OR scope LIKE $3)`,
		i.Org, "submission:"+string(i.ID)+":%", string(platform.ActorCandidate)+":"+string(i.CandidateID)+":%")
	if err != nil {
		return failed("erase keys of requests", err)
	}
	_, err = tx.exec(ctx, `DELETE FROM invitations WHERE org_id = $1 AND id = $2`, i.Org, i.ID)
	return failed("erase invitation", err)
}

// keepStatistics copies the figures of an attempt's final results to where nothing leads back.
func (tx *Tx) keepStatistics(ctx context.Context, org platform.OrgID, attempt platform.ID) error {
	results, err := all(ctx, tx, scanResult, `SELECT `+resultColumns+` FROM results r WHERE r.org_id = $1 AND r.attempt_id = $2 AND r.kind = 'final' AND r.standing
		ORDER BY r.id`, org, attempt)
	if err != nil {
		return failed("list results of attempt", err)
	}
	for _, r := range results {
		id := platform.NewTimelessID(platform.KindStatistic)
		_, err := tx.exec(ctx, `INSERT INTO statistics (org_id, id, assessment_id, assessment_version, challenge_id, challenge_version, mode, month, verdict, score, band)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			org, id, r.AssessmentID, r.AssessmentVersion, r.ChallengeID, r.ChallengeVersion, r.Mode, r.GradedAt.Format("2006-01"), r.Verdict, r.Score, r.Band)
		if err != nil {
			return failed("write statistics", err)
		}
		_, err = tx.exec(ctx, `INSERT INTO statistic_criteria (org_id, statistic_id, criterion, skill, points, max_points)
			SELECT org_id, $3, criterion, skill, points, max_points FROM result_criteria WHERE org_id = $1 AND result_id = $2 AND assessed ON CONFLICT DO NOTHING`,
			org, r.ID, id)
		if err != nil {
			return failed("write statistics of criteria", err)
		}
	}
	return nil
}

// BlobErasure is a folder of the blob store that must go.
type BlobErasure struct {
	Prefix string
	DueAt  time.Time
}

// SystemBlobErasures are the folders that must go from the blob store, the oldest first. A worker may have been writing
// while the rows were erased, so a folder is emptied until it was found empty after the longest grading could have ended.
func (tx *Tx) SystemBlobErasures(ctx context.Context, limit int) ([]BlobErasure, error) {
	out, err := all(ctx, tx, func(r row) (b BlobErasure, err error) { return b, r.Scan(&b.Prefix, instant{&b.DueAt}) },
		`SELECT prefix, due_at FROM blob_erasures ORDER BY due_at, prefix LIMIT $1`, int64(limit))
	return out, failed("list files to erase", err)
}

// SystemBlobsErased takes a folder off that list.
func (tx *Tx) SystemBlobsErased(ctx context.Context, prefix string) error {
	_, err := tx.exec(ctx, `DELETE FROM blob_erasures WHERE prefix = $1`, prefix)
	return failed("forget files that are erased", err)
}

// Statistic is what is left of an erased result.
type Statistic struct {
	AssessmentID      platform.ID
	AssessmentVersion int
	ChallengeID       string
	ChallengeVersion  int
	Mode              string
	Month             string // "2026-11"
	Verdict           platform.Verdict
	Score             float64
	Band              string
}

// Statistics are what is left of the erased results of one version of a challenge.
func (tx *Tx) Statistics(ctx context.Context, org platform.OrgID, challenge string, version int) ([]Statistic, error) {
	out, err := all(ctx, tx, scanStatistic, `SELECT assessment_id, assessment_version, challenge_id, challenge_version, mode, month, verdict, score, band
		FROM statistics WHERE org_id = $1 AND challenge_id = $2 AND challenge_version = $3 ORDER BY id`, org, challenge, version)
	return out, failed("list statistics", err)
}

func scanStatistic(r row) (Statistic, error) {
	s := Statistic{}
	return s, r.Scan(&s.AssessmentID, &s.AssessmentVersion, &s.ChallengeID, &s.ChallengeVersion, &s.Mode, &s.Month, &s.Verdict, &s.Score, &s.Band)
}
