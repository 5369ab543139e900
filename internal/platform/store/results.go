package store

import (
	"context"
	"database/sql"

	"github.com/assay-run/assay/internal/platform"
)

const resultColumns = `r.org_id, r.id, r.job_id, r.submission_id, r.attempt_id, r.candidate_id, r.assessment_id, r.assessment_version,
	r.challenge_id, r.challenge_version, r.challenge_digest, r.kind, r.mode, r.official, r.verdict, r.score, r.score_low, r.score_high,
	r.pass_mark, r.band, r.borderline, r.headline, r.report_key, r.report_digest, r.report_bytes, r.evidence_key, r.evidence_digest,
	r.evidence_bytes, r.standing, r.graded_at`

func scanResult(r row) (platform.Result, error) {
	out := platform.Result{}
	return out, r.Scan(&out.Org, &out.ID, &out.JobID, &out.SubmissionID, &out.AttemptID, &out.CandidateID, &out.AssessmentID, &out.AssessmentVersion,
		&out.ChallengeID, &out.ChallengeVersion, &out.ChallengeDigest, &out.Kind, &out.Mode, &out.Official, &out.Verdict, &out.Score, &out.Low, &out.High,
		&out.PassMark, &out.Band, &out.Borderline, &out.Headline, &out.Report.Key, &out.Report.Digest, &out.Report.Bytes, &out.Evidence.Key,
		&out.Evidence.Digest, &out.Evidence.Bytes, &out.Standing, instant{&out.GradedAt})
}

// Finished is what a verdict has changed.
type Finished struct {
	Result platform.Result
	// Settled says that this was the last grading that the attempt waited for; it is then to be reviewed.
	Settled bool
}

// Finish ends a job with its verdict. Only the holder of the newest lease may: anybody else gets a Conflict error, and
// what they have put into the blob store is theirs to remove. Of r, what names the job's submission is filled in here. The
// new result is the one that counts for the submission.
func (tx *Tx) Finish(ctx context.Context, org platform.OrgID, id platform.ID, fence int64, r platform.Result) (Finished, error) {
	if err := r.Validate(); err != nil {
		return Finished{}, err
	}
	j, a, err := tx.held(ctx, org, id, fence)
	if err != nil {
		return Finished{}, err
	}
	if j.CancelRequested {
		return Finished{}, platform.Errorf(platform.Conflict, "This grading was cancelled.")
	}
	s, err := tx.Submission(ctx, org, j.SubmissionID)
	if err != nil {
		return Finished{}, err
	}
	j.Why = ""
	if err := tx.moveJob(ctx, &j, platform.JobFinish); err != nil {
		return Finished{}, err
	}
	r.ID, r.Org, r.JobID, r.SubmissionID, r.AttemptID, r.CandidateID = platform.NewID(platform.KindResult, tx.now), org, j.ID, s.ID, a.ID, a.CandidateID
	r.AssessmentID, r.AssessmentVersion, r.ChallengeID, r.ChallengeVersion = a.AssessmentID, a.AssessmentVersion, s.ChallengeID, s.ChallengeVersion
	r.Kind, r.Mode, r.Standing, r.GradedAt = s.Kind, j.Mode, true, tx.now
	if err := tx.insertResult(ctx, r); err != nil {
		return Finished{}, err
	}
	settled, err := tx.settle(ctx, a)
	if err != nil {
		return Finished{}, err
	}
	r, err = tx.Result(ctx, org, r.ID)
	return Finished{Result: r, Settled: settled}, err
}

func (tx *Tx) insertResult(ctx context.Context, r platform.Result) error {
	_, err := tx.exec(ctx, `UPDATE results SET standing = FALSE WHERE org_id = $1 AND submission_id = $2 AND standing`, r.Org, r.SubmissionID)
	if err != nil {
		return failed("supersede result", err)
	}
	_, err = tx.exec(ctx, `INSERT INTO results (org_id, id, job_id, submission_id, attempt_id, candidate_id, assessment_id, assessment_version,
		challenge_id, challenge_version, challenge_digest, kind, mode, official, verdict, score, score_low, score_high, pass_mark, band, borderline,
		headline, report_key, report_digest, report_bytes, evidence_key, evidence_digest, evidence_bytes, standing, graded_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30)`,
		r.Org, r.ID, r.JobID, r.SubmissionID, r.AttemptID, r.CandidateID, r.AssessmentID, r.AssessmentVersion, r.ChallengeID, r.ChallengeVersion,
		r.ChallengeDigest, r.Kind, r.Mode, r.Official, r.Verdict, r.Score, r.Low, r.High, r.PassMark, r.Band, r.Borderline, bounded(r.Headline),
		r.Report.Key, r.Report.Digest, r.Report.Bytes, r.Evidence.Key, r.Evidence.Digest, r.Evidence.Bytes, r.Standing, ms(r.GradedAt))
	if err != nil {
		return failed("write result", err)
	}
	for i, c := range r.Criteria {
		_, err := tx.exec(ctx, `INSERT INTO result_criteria (org_id, result_id, position, criterion, title, skill, assessed, score, score_low, score_high,
			weight, points, max_points, value, reference, unit) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
			r.Org, r.ID, i, bounded(c.ID), bounded(c.Title), c.Skill, c.Assessed, c.Score, c.Low, c.High, c.Weight, c.Points, c.MaxPoints,
			orNullFloat(c.Value), orNullFloat(c.Reference), c.Unit)
		if err != nil {
			return failed("write criterion", err)
		}
	}
	for _, code := range r.Codes {
		_, err := tx.exec(ctx, `INSERT INTO result_codes (org_id, result_id, code) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, r.Org, r.ID, bounded(code))
		if err != nil {
			return failed("write code", err)
		}
	}
	return nil
}

func orNullFloat(f *float64) sql.NullFloat64 {
	if f == nil {
		return sql.NullFloat64{}
	}
	return sql.NullFloat64{Float64: *f, Valid: true}
}

// settle computes the verdict on an attempt when none of its final submissions waits for a grading any more, and lets it
// be reviewed. The attempt is locked. It is false while something is missing, or when the candidate still works.
func (tx *Tx) settle(ctx context.Context, a platform.Attempt) (bool, error) {
	a, err := tx.Attempt(ctx, a.Org, a.ID)
	if err != nil {
		return false, err
	}
	if a.State != platform.AttemptGrading {
		return false, nil
	}
	busy := false
	err = tx.sql.QueryRowContext(ctx, `SELECT COUNT(*) > 0 FROM jobs WHERE org_id = $1 AND attempt_id = $2 AND kind IN ('final', 'regrade')
		AND state IN ('queued', 'retrying', 'running')`, a.Org, a.ID).Scan(&busy)
	if err != nil || busy {
		return false, failed("look for jobs", err)
	}
	overall, err := tx.overall(ctx, a)
	if err != nil {
		return false, err
	}
	_, err = tx.exec(ctx, `UPDATE attempts SET score = $3, score_low = $4, score_high = $5, verdict = $6 WHERE org_id = $1 AND id = $2`,
		a.Org, a.ID, overall.Score, overall.Low, overall.High, overall.Verdict)
	if err != nil {
		return false, failed("write verdict on attempt", err)
	}
	return true, tx.moveAttempt(ctx, &a, platform.AttemptSettle)
}

func (tx *Tx) overall(ctx context.Context, a platform.Attempt) (platform.Overall, error) {
	as, err := tx.AssessmentVersion(ctx, a.Org, a.AssessmentID, a.AssessmentVersion)
	if err != nil {
		return platform.Overall{}, err
	}
	parts, err := all(ctx, tx, func(r row) (p platform.Part, err error) {
		return p, r.Scan(&p.Weight, &p.Verdict, &p.Score, &p.Low, &p.High)
	},
		`SELECT c.weight, CASE WHEN s.id IS NULL THEN '' ELSE COALESCE(r.verdict, 'incomplete') END,
			COALESCE(r.score, 0), COALESCE(r.score_low, 0), COALESCE(r.score_high, 0)
		FROM assessment_challenges c
		LEFT JOIN submissions s ON s.org_id = c.org_id AND s.attempt_id = $4 AND s.challenge_id = c.challenge_id AND s.kind = 'final' AND s.accepted
		LEFT JOIN results r ON r.org_id = s.org_id AND r.submission_id = s.id AND r.standing
		WHERE c.org_id = $1 AND c.assessment_id = $2 AND c.version = $3 ORDER BY c.position`, a.Org, a.AssessmentID, a.AssessmentVersion, a.ID)
	if err != nil {
		return platform.Overall{}, failed("list results of attempt", err)
	}
	return platform.Combine(parts, as.Settings.PassMark), nil
}

// Result reads a result with its criteria and codes.
func (tx *Tx) Result(ctx context.Context, org platform.OrgID, id platform.ID) (platform.Result, error) {
	r, err := scanResult(tx.sql.QueryRowContext(ctx, `SELECT `+resultColumns+` FROM results r WHERE r.org_id = $1 AND r.id = $2`, org, id))
	if err != nil {
		return platform.Result{}, found(err, "result")
	}
	return r, tx.complete(ctx, &r)
}

// complete reads criteria and codes of a result.
func (tx *Tx) complete(ctx context.Context, r *platform.Result) (err error) {
	r.Criteria, err = all(ctx, tx, scanCriterion, `SELECT `+criterionColumns+` FROM result_criteria k WHERE k.org_id = $1 AND k.result_id = $2 ORDER BY k.position`, r.Org, r.ID)
	if err != nil {
		return failed("list criteria", err)
	}
	r.Codes, err = all(ctx, tx, func(r row) (code string, err error) { return code, r.Scan(&code) },
		`SELECT code FROM result_codes WHERE org_id = $1 AND result_id = $2 ORDER BY code`, r.Org, r.ID)
	return failed("list codes", err)
}

const criterionColumns = `k.criterion, k.title, k.skill, k.assessed, k.score, k.score_low, k.score_high, k.weight, k.points, k.max_points,
	k.value, k.reference, k.unit`

func criterionFields(c *platform.CriterionResult) []any {
	return []any{
		&c.ID, &c.Title, &c.Skill, &c.Assessed, &c.Score, &c.Low, &c.High, &c.Weight, &c.Points, &c.MaxPoints, &c.Value, &c.Reference, &c.Unit,
	}
}

func scanCriterion(r row) (platform.CriterionResult, error) {
	c := platform.CriterionResult{}
	return c, r.Scan(criterionFields(&c)...)
}

// ResultFilter narrows a list of results. Empty fields narrow nothing; superseded results are left out unless asked for.
type ResultFilter struct {
	AssessmentID platform.ID
	AttemptID    platform.ID
	SubmissionID platform.ID
	ChallengeID  string
	Kind         platform.SubmissionKind
	Verdict      platform.Verdict
	Code         string
	MinScore     *float64
	Superseded   bool
}

// Results lists results, the newest first, with their codes and criteria.
func (tx *Tx) Results(ctx context.Context, org platform.OrgID, f ResultFilter, ask platform.Page) (platform.List[platform.Result], error) {
	p := &params{values: []any{org}}
	query := `SELECT ` + resultColumns + ` FROM results r WHERE r.org_id = $1`
	for _, equal := range []struct{ column, value string }{
		{"r.assessment_id", string(f.AssessmentID)}, {"r.attempt_id", string(f.AttemptID)}, {"r.submission_id", string(f.SubmissionID)},
		{"r.challenge_id", f.ChallengeID}, {"r.kind", string(f.Kind)}, {"r.verdict", string(f.Verdict)},
	} {
		if equal.value != "" {
			query += ` AND ` + equal.column + ` = ` + p.add(equal.value)
		}
	}
	if f.Code != "" {
		query += ` AND EXISTS (SELECT 1 FROM result_codes k WHERE k.org_id = r.org_id AND k.result_id = r.id AND k.code = ` + p.add(f.Code) + `)`
	}
	if f.MinScore != nil {
		query += ` AND r.score >= ` + p.add(*f.MinScore)
	}
	if !f.Superseded {
		query += ` AND r.standing`
	}
	where, tail, err := p.older(ask, "r.graded_at", "r.id")
	if err != nil {
		return platform.List[platform.Result]{}, err
	}
	items, err := all(ctx, tx, scanResult, query+where+tail, p.values...)
	if err != nil {
		return platform.List[platform.Result]{}, failed("list results", err)
	}
	out := page(items, ask, func(r platform.Result) platform.Mark { return platform.Mark{At: r.GradedAt, ID: r.ID} })
	for i := range out.Items {
		if err := tx.complete(ctx, &out.Items[i]); err != nil {
			return platform.List[platform.Result]{}, err
		}
	}
	return out, nil
}

// MaxCompared bounds the attempts that are put side by side.
const MaxCompared = 20

// Compare puts final submissions for one version of a challenge side by side, criterion by criterion. Results of other
// versions are left out: their criteria are not the same.
func (tx *Tx) Compare(ctx context.Context, org platform.OrgID, challenge string, version int, attempts []platform.ID) ([]platform.ComparisonRow, error) {
	if len(attempts) == 0 || len(attempts) > MaxCompared {
		return nil, platform.InvalidField("attempts", "From 1 to %d attempts can be compared.", MaxCompared)
	}
	p := &params{values: []any{org, challenge, version}}
	rows, err := all(ctx, tx, scanComparison, `SELECT r.attempt_id, r.candidate_id, r.id, r.verdict, k.position, `+criterionColumns+`
		FROM results r JOIN result_criteria k ON k.org_id = r.org_id AND k.result_id = r.id
		WHERE r.org_id = $1 AND r.challenge_id = $2 AND r.challenge_version = $3 AND r.kind = 'final' AND r.standing AND r.attempt_id IN `+
		in(p, attempts)+` ORDER BY r.attempt_id, k.position`, p.values...)
	return rows, failed("compare results", err)
}

func scanComparison(r row) (platform.ComparisonRow, error) {
	c := platform.ComparisonRow{}
	return c, r.Scan(append([]any{&c.AttemptID, &c.CandidateID, &c.ResultID, &c.Verdict, &c.Position}, criterionFields(&c.Criterion)...)...)
}
