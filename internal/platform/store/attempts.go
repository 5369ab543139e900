package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/assay-run/assay/internal/platform"
)

const attemptColumns = `t.org_id, t.id, t.invitation_id, t.candidate_id, t.assessment_id, t.assessment_version, t.number, t.state,
	t.started_at, t.limit_ms, t.extra_percent, t.deadline_at, t.consent_version, t.consent_at, t.ended_at,
	t.score, t.score_low, t.score_high, t.verdict, t.decision`

// scanAttempt reads an attempt whose clock lacks extensions and pauses.
func scanAttempt(r row) (platform.Attempt, error) {
	a := platform.Attempt{}
	fields, done := attemptFields(&a)
	err := r.Scan(fields...)
	done()
	return a, err
}

// attemptFields are where an attempt is read to; done completes it.
func attemptFields(a *platform.Attempt) (fields []any, done func()) {
	var score, low, high sql.NullFloat64
	var verdict platform.Verdict
	fields = []any{
		&a.Org, &a.ID, &a.InvitationID, &a.CandidateID, &a.AssessmentID, &a.AssessmentVersion, &a.Number, &a.State,
		instant{&a.Clock.Started}, span{&a.Clock.Limit}, &a.Clock.ExtraPercent, instant{&a.Clock.Deadline},
		&a.Consent.TextVersion, instant{&a.Consent.At}, instant{&a.EndedAt}, &score, &low, &high, &verdict, &a.Decision,
	}
	return fields, func() {
		if verdict != "" {
			a.Overall = &platform.Overall{Score: score.Float64, Low: low.Float64, High: high.Float64, Verdict: verdict}
		}
	}
}

// Attempt reads an attempt with all that its clock knows.
func (tx *Tx) Attempt(ctx context.Context, org platform.OrgID, id platform.ID) (platform.Attempt, error) {
	return tx.attempt(ctx, ``, org, id)
}

func (tx *Tx) attempt(ctx context.Context, lock string, org platform.OrgID, id platform.ID) (platform.Attempt, error) {
	a, err := scanAttempt(tx.sql.QueryRowContext(ctx, `SELECT `+attemptColumns+` FROM attempts t WHERE t.org_id = $1 AND t.id = $2`+lock, org, id))
	if err != nil {
		return platform.Attempt{}, found(err, "attempt")
	}
	a.Clock.Extensions, err = all(ctx, tx, scanExtension, `SELECT id, by_ms, reason, granted_by, created_at FROM attempt_extensions
		WHERE org_id = $1 AND attempt_id = $2 ORDER BY created_at, id`, org, id)
	if err != nil {
		return platform.Attempt{}, failed("list extensions", err)
	}
	a.Clock.Pauses, err = all(ctx, tx, scanPause, `SELECT id, from_at, to_at, why FROM attempt_pauses
		WHERE org_id = $1 AND attempt_id = $2 ORDER BY from_at, id`, org, id)
	return a, failed("list pauses", err)
}

func scanExtension(r row) (platform.Extension, error) {
	x := platform.Extension{}
	return x, r.Scan(&x.ID, span{&x.By}, &x.Reason, &x.GrantedBy, instant{&x.At})
}

func scanPause(r row) (platform.Pause, error) {
	p := platform.Pause{}
	return p, r.Scan(&p.ID, instant{&p.From}, instant{&p.To}, &p.Why)
}

// StartAttempt begins the n-th attempt of an invitation, n from 1; the clock runs from now. One that was begun already is
// returned as it is, so asking twice does no harm. begun says whether it was this call.
func (tx *Tx) StartAttempt(ctx context.Context, org platform.OrgID, invitation platform.ID, n int, consent string) (a platform.Attempt, begun bool, err error) {
	i, err := tx.invitation(ctx, tx.forUpdate(), org, invitation)
	if err != nil {
		return platform.Attempt{}, false, err
	}
	var there platform.ID
	err = tx.sql.QueryRowContext(ctx, `SELECT id FROM attempts WHERE org_id = $1 AND invitation_id = $2 AND number = $3`, org, invitation, n).Scan(&there)
	if err == nil {
		a, err := tx.Attempt(ctx, org, there)
		return a, false, err
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return platform.Attempt{}, false, failed("read attempt", err)
	}
	as, err := tx.Assessment(ctx, org, i.AssessmentID)
	if err != nil {
		return platform.Attempt{}, false, err
	}
	if err := tx.mayStart(ctx, i, as.Settings, n, consent); err != nil {
		return platform.Attempt{}, false, err
	}
	if err := tx.moveInvitation(ctx, &i, platform.InvitationStart); err != nil {
		return platform.Attempt{}, false, err
	}
	id := platform.NewID(platform.KindAttempt, tx.now)
	_, err = tx.exec(ctx, `INSERT INTO attempts (org_id, id, invitation_id, candidate_id, assessment_id, assessment_version, number, state,
		started_at, limit_ms, extra_percent, deadline_at, consent_version, consent_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		org, id, i.ID, i.CandidateID, as.ID, as.Version, n, platform.AttemptRunning,
		ms(tx.now), as.Settings.TimeLimit.Milliseconds(), i.ExtraPercent, orNull(as.Settings.Deadline), consent, ms(tx.now))
	if err != nil {
		return platform.Attempt{}, false, failed("write attempt", err)
	}
	_, err = tx.exec(ctx, `UPDATE invitations SET attempt_id = $3, attempts_used = attempts_used + 1, ended_at = NULL, erase_after = NULL
		WHERE org_id = $1 AND id = $2`, org, i.ID, id)
	if err != nil {
		return platform.Attempt{}, false, failed("write attempt", err)
	}
	if err := tx.wind(ctx, org, id); err != nil {
		return platform.Attempt{}, false, err
	}
	a, err = tx.Attempt(ctx, org, id)
	return a, true, err
}

func (tx *Tx) mayStart(ctx context.Context, i platform.Invitation, s platform.Settings, n int, consent string) error {
	if err := i.Usable(tx.now); err != nil {
		return err
	}
	var last int
	var running bool
	err := tx.sql.QueryRowContext(ctx, `SELECT COALESCE(MAX(number), 0), COUNT(CASE WHEN state = 'running' THEN 1 END) > 0
		FROM attempts WHERE org_id = $1 AND invitation_id = $2`, i.Org, i.ID).Scan(&last, &running)
	switch {
	case err != nil:
		return failed("list attempts", err)
	case consent == "":
		return platform.InvalidField("consent", "Please agree to how your data are used before you start.")
	case running:
		return platform.Errorf(platform.Conflict, "An attempt is running. Finish it before you start another.")
	case n != last+1:
		return platform.Errorf(platform.Conflict, "The next attempt is number %d, not %d.", last+1, n)
	case i.AttemptsUsed >= s.Attempts:
		return platform.Errorf(platform.Conflict, "All attempts of this invitation are used.")
	case !s.Deadline.IsZero() && !tx.now.Before(s.Deadline):
		return platform.Errorf(platform.Gone, "The deadline of this assessment is over.")
	}
	return nil
}

// wind computes the end of an attempt again after something of its clock has changed.
func (tx *Tx) wind(ctx context.Context, org platform.OrgID, id platform.ID) error {
	a, err := tx.Attempt(ctx, org, id)
	if err != nil {
		return err
	}
	var ends time.Time
	if !a.Clock.Paused(tx.now) {
		ends = a.Clock.Ends(tx.now)
	}
	_, err = tx.exec(ctx, `UPDATE attempts SET ends_at = $3 WHERE org_id = $1 AND id = $2`, org, id, orNull(ends))
	return failed("set end of attempt", err)
}

// moveAttempt does what an event does to an attempt that is locked.
func (tx *Tx) moveAttempt(ctx context.Context, a *platform.Attempt, e platform.AttemptEvent) error {
	to, err := a.State.On(e)
	if err != nil {
		return err
	}
	ended := a.EndedAt
	switch {
	case to == platform.AttemptRunning:
		ended = time.Time{}
	case ended.IsZero():
		ended = tx.now
	}
	a.State, a.EndedAt = to, ended
	_, err = tx.exec(ctx, `UPDATE attempts SET state = $3, ended_at = $4 WHERE org_id = $1 AND id = $2`, a.Org, a.ID, to, orNull(ended))
	return failed("change attempt", err)
}

// ExtendAttempt gives more time to an attempt that runs, or that ran out before anything was handed in. The end must then
// lie in the future.
func (tx *Tx) ExtendAttempt(ctx context.Context, org platform.OrgID, id platform.ID, x platform.Extension) (platform.Attempt, error) {
	if x.By <= 0 || x.By > platform.MaxTimeLimit {
		return platform.Attempt{}, platform.InvalidField("by", "An extension is longer than 0, and %d days at most.", platform.MaxTimeLimit/(24*time.Hour))
	}
	a, err := tx.lockWay(ctx, org, id)
	if err != nil {
		return platform.Attempt{}, err
	}
	reopened := a.State == platform.AttemptExpired
	if err := tx.moveAttempt(ctx, &a, platform.AttemptExtend); err != nil {
		return platform.Attempt{}, err
	}
	_, err = tx.exec(ctx, `INSERT INTO attempt_extensions (org_id, id, attempt_id, by_ms, reason, granted_by, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, org, platform.NewID(platform.KindExtension, tx.now), id, x.By.Milliseconds(), x.Reason, x.GrantedBy, ms(tx.now))
	if err != nil {
		return platform.Attempt{}, failed("write extension", err)
	}
	if err := tx.wind(ctx, org, id); err != nil {
		return platform.Attempt{}, err
	}
	if a, err = tx.Attempt(ctx, org, id); err != nil {
		return platform.Attempt{}, err
	}
	if a.Clock.Over(tx.now) {
		return platform.Attempt{}, platform.InvalidField("by", "The attempt would still be over. Give more time than has passed since its end.")
	}
	if reopened {
		err = tx.reopenInvitation(ctx, a)
	}
	return a, err
}

// lockWay locks an attempt, and before it its invitation: in this order always, so that two transactions cannot wait for
// each other.
func (tx *Tx) lockWay(ctx context.Context, org platform.OrgID, id platform.ID) (platform.Attempt, error) {
	a, err := tx.Attempt(ctx, org, id)
	if err != nil {
		return platform.Attempt{}, err
	}
	if _, err := tx.invitation(ctx, tx.forUpdate(), org, a.InvitationID); err != nil {
		return platform.Attempt{}, err
	}
	return tx.attempt(ctx, tx.forUpdate(), org, id)
}

func (tx *Tx) reopenInvitation(ctx context.Context, a platform.Attempt) error {
	i, err := tx.Invitation(ctx, a.Org, a.InvitationID)
	if err != nil {
		return err
	}
	if i.AttemptID != a.ID {
		return platform.Errorf(platform.Conflict, "There is a newer attempt; this one stays over.")
	}
	if err := tx.moveInvitation(ctx, &i, platform.InvitationReopen); err != nil {
		return err
	}
	_, err = tx.exec(ctx, `UPDATE invitations SET ended_at = NULL, erase_after = NULL WHERE org_id = $1 AND id = $2`, i.Org, i.ID)
	return failed("reopen invitation", err)
}

// PauseAttempt stops the clock of an attempt that runs, because something of ours is broken since from. A pause that lasts
// already is returned.
func (tx *Tx) PauseAttempt(ctx context.Context, org platform.OrgID, id platform.ID, from time.Time, why string) (platform.Pause, error) {
	a, err := tx.attempt(ctx, tx.forUpdate(), org, id)
	if err != nil {
		return platform.Pause{}, err
	}
	for _, p := range a.Clock.Pauses {
		if p.To.IsZero() {
			return p, nil
		}
	}
	if a.State != platform.AttemptRunning {
		return platform.Pause{}, platform.Errorf(platform.Conflict, "Only the clock of an attempt that runs can be stopped.")
	}
	p := platform.Pause{ID: platform.NewID(platform.KindPause, tx.now), From: wholeMs(from), Why: why}
	return p, tx.insertPause(ctx, a, p)
}

// CreditPause gives the time of a fault back that is over.
func (tx *Tx) CreditPause(ctx context.Context, org platform.OrgID, id platform.ID, from, to time.Time, why string) (platform.Pause, error) {
	if !from.Before(to) || to.After(tx.now) {
		return platform.Pause{}, platform.InvalidField("to", "A pause that is given back has begun and ended.")
	}
	a, err := tx.attempt(ctx, tx.forUpdate(), org, id)
	if err != nil {
		return platform.Pause{}, err
	}
	p := platform.Pause{ID: platform.NewID(platform.KindPause, tx.now), From: wholeMs(from), To: wholeMs(to), Why: why}
	return p, tx.insertPause(ctx, a, p)
}

func (tx *Tx) insertPause(ctx context.Context, a platform.Attempt, p platform.Pause) error {
	_, err := tx.exec(ctx, `INSERT INTO attempt_pauses (org_id, id, attempt_id, from_at, to_at, why) VALUES ($1, $2, $3, $4, $5, $6)`,
		a.Org, p.ID, a.ID, ms(p.From), orNull(p.To), p.Why)
	if err != nil {
		return failed("write pause", err)
	}
	return tx.wind(ctx, a.Org, a.ID)
}

// ResumeAttempt lets the clock of an attempt run again. One that runs is left alone.
func (tx *Tx) ResumeAttempt(ctx context.Context, org platform.OrgID, id platform.ID) error {
	if _, err := tx.attempt(ctx, tx.forUpdate(), org, id); err != nil {
		return err
	}
	_, err := tx.exec(ctx, `UPDATE attempt_pauses SET to_at = $3 WHERE org_id = $1 AND attempt_id = $2 AND to_at IS NULL`, org, id, ms(tx.now))
	if err != nil {
		return failed("end pause", err)
	}
	return tx.wind(ctx, org, id)
}
