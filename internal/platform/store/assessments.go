package store

import (
	"context"

	"github.com/assay-run/assay/internal/platform"
)

const assessmentColumns = `a.org_id, a.id, a.created_by, a.created_at, a.archived_at, v.version, v.created_at,
	v.name, v.role_title, v.message, v.mode, v.deadline_at, v.time_limit_ms, v.attempts, v.pass_mark, v.visible, v.retention_days, v.contact`

const assessmentTables = ` FROM assessments a JOIN assessment_versions v ON v.org_id = a.org_id AND v.assessment_id = a.id `

func scanAssessment(r row) (platform.Assessment, error) {
	a := platform.Assessment{}
	s := &a.Settings
	err := r.Scan(&a.Org, &a.ID, &a.CreatedBy, instant{&a.CreatedAt}, instant{&a.ArchivedAt}, &a.Version, instant{&a.UpdatedAt},
		&s.Name, &s.RoleTitle, &s.Message, &s.Mode, instant{&s.Deadline}, span{&s.TimeLimit}, &s.Attempts, &s.PassMark, &s.Visible, &s.RetentionDays, &s.Contact)
	return a, err
}

// CreateAssessment makes an assessment, at version 1.
func (tx *Tx) CreateAssessment(ctx context.Context, org platform.OrgID, by platform.ID, s platform.Settings) (platform.Assessment, error) {
	if err := s.Validate(); err != nil {
		return platform.Assessment{}, err
	}
	id := platform.NewID(platform.KindAssessment, tx.now)
	_, err := tx.exec(ctx, `INSERT INTO assessments (org_id, id, version, created_by, created_at) VALUES ($1, $2, 1, $3, $4)`,
		org, id, by, ms(tx.now))
	if err != nil {
		return platform.Assessment{}, failed("create assessment", err)
	}
	if err := tx.insertVersion(ctx, org, id, 1, by, s); err != nil {
		return platform.Assessment{}, err
	}
	return tx.Assessment(ctx, org, id)
}

func (tx *Tx) insertVersion(ctx context.Context, org platform.OrgID, id platform.ID, version int, by platform.ID, s platform.Settings) error {
	_, err := tx.exec(ctx, `INSERT INTO assessment_versions (org_id, assessment_id, version, name, role_title, message, mode,
		deadline_at, time_limit_ms, attempts, pass_mark, visible, retention_days, created_by, created_at, contact)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
		org, id, version, s.Name, s.RoleTitle, s.Message, s.Mode, orNull(s.Deadline), s.TimeLimit.Milliseconds(), s.Attempts,
		s.PassMark, s.Visible, s.RetentionDays, by, ms(tx.now), s.Contact)
	if err != nil {
		return failed("write version of assessment", err)
	}
	for i, c := range s.Challenges {
		_, err := tx.exec(ctx, `INSERT INTO assessment_challenges (org_id, assessment_id, version, position, challenge_id, challenge_version, weight, mode)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, org, id, version, i, c.ChallengeID, c.Version, c.Weight, c.Mode)
		if err != nil {
			return failed("write challenge of assessment", err)
		}
	}
	return nil
}

// UpdateAssessment makes a new version. based is the version that the change was made from: when it is not the newest any
// more, somebody else was faster, and the error is a Conflict. Attempts that have begun keep their version.
func (tx *Tx) UpdateAssessment(ctx context.Context, org platform.OrgID, id platform.ID, based int, by platform.ID, s platform.Settings) (platform.Assessment, error) {
	if err := s.Validate(); err != nil {
		return platform.Assessment{}, err
	}
	n, err := tx.exec(ctx, `UPDATE assessments SET version = version + 1 WHERE org_id = $1 AND id = $2 AND version = $3`, org, id, based)
	if err != nil {
		return platform.Assessment{}, failed("change assessment", err)
	}
	if n == 0 {
		if _, err := tx.Assessment(ctx, org, id); err != nil {
			return platform.Assessment{}, err
		}
		return platform.Assessment{}, platform.Errorf(platform.Conflict, "Somebody has changed this assessment meanwhile. Look at it again and repeat your change.")
	}
	if err := tx.insertVersion(ctx, org, id, based+1, by, s); err != nil {
		return platform.Assessment{}, err
	}
	return tx.Assessment(ctx, org, id)
}

// ArchiveAssessment takes an assessment out of the lists, so that it takes no new invitations, or puts it back. What has
// begun goes on.
func (tx *Tx) ArchiveAssessment(ctx context.Context, org platform.OrgID, id platform.ID, archived bool) error {
	query := `UPDATE assessments SET archived_at = NULL WHERE org_id = $1 AND id = $2`
	args := []any{org, id}
	if archived {
		query = `UPDATE assessments SET archived_at = COALESCE(archived_at, $3) WHERE org_id = $1 AND id = $2`
		args = append(args, ms(tx.now))
	}
	n, err := tx.exec(ctx, query, args...)
	return changedOne(n, err, "assessment")
}

// Assessment reads an assessment at its newest version.
func (tx *Tx) Assessment(ctx context.Context, org platform.OrgID, id platform.ID) (platform.Assessment, error) {
	return tx.assessment(ctx, `a.org_id = $1 AND a.id = $2 AND v.version = a.version`, org, id)
}

// AssessmentVersion reads an assessment as it was at a version, e.g. that of an attempt.
func (tx *Tx) AssessmentVersion(ctx context.Context, org platform.OrgID, id platform.ID, version int) (platform.Assessment, error) {
	return tx.assessment(ctx, `a.org_id = $1 AND a.id = $2 AND v.version = $3`, org, id, version)
}

func (tx *Tx) assessment(ctx context.Context, where string, args ...any) (platform.Assessment, error) {
	a, err := scanAssessment(tx.sql.QueryRowContext(ctx, `SELECT `+assessmentColumns+assessmentTables+`WHERE `+where, args...))
	if err != nil {
		return platform.Assessment{}, found(err, "assessment")
	}
	a.Settings.Challenges, err = all(ctx, tx, scanAssessmentChallenge, `SELECT challenge_id, challenge_version, weight, mode
		FROM assessment_challenges WHERE org_id = $1 AND assessment_id = $2 AND version = $3 ORDER BY position`, a.Org, a.ID, a.Version)
	return a, failed("list challenges of assessment", err)
}

func scanAssessmentChallenge(r row) (platform.AssessmentChallenge, error) {
	c := platform.AssessmentChallenge{}
	err := r.Scan(&c.ChallengeID, &c.Version, &c.Weight, &c.Mode)
	return c, err
}

// Assessments lists an organisation's assessments, the newest first, either those in use or those in the archive. The
// list leaves the challenges out.
func (tx *Tx) Assessments(ctx context.Context, org platform.OrgID, archived bool, ask platform.Page) (platform.List[platform.Assessment], error) {
	p := &params{values: []any{org}}
	where, tail, err := p.older(ask, "a.created_at", "a.id")
	if err != nil {
		return platform.List[platform.Assessment]{}, err
	}
	in := ` AND a.archived_at IS NULL`
	if archived {
		in = ` AND a.archived_at IS NOT NULL`
	}
	items, err := all(ctx, tx, scanAssessment, `SELECT `+assessmentColumns+assessmentTables+
		`WHERE a.org_id = $1 AND v.version = a.version`+in+where+tail, p.values...)
	return page(items, ask, func(a platform.Assessment) platform.Mark { return platform.Mark{At: a.CreatedAt, ID: a.ID} }),
		failed("list assessments", err)
}
