package store

import (
	"context"
	"time"

	"github.com/assay-run/assay/internal/platform"
)

// MaxInvitees bounds the invitations made in one transaction.
const MaxInvitees = 1000

// Invite asks for invitations to one assessment.
type Invite struct {
	AssessmentID platform.ID
	Invitees     []platform.Invitee
	ExpiresAt    time.Time
	By           platform.ID
}

// InviteOutcome says what became of one invitee.
type InviteOutcome string

// The outcomes.
const (
	Invited        InviteOutcome = "invited"
	Renewed        InviteOutcome = "renewed"         // an invitation that had expired is open again, with a new token
	AlreadyInvited InviteOutcome = "already_invited" // nothing was changed
)

// InviteResult is an invitation that was asked for. Token is the secret of the link; it is not kept, and empty for somebody
// who was invited already.
type InviteResult struct {
	Outcome    InviteOutcome
	Invitation platform.Invitation
	Candidate  platform.Candidate
	Token      string
}

const invitationColumns = `i.org_id, i.id, i.assessment_id, i.candidate_id, i.state, i.extra_percent, i.expires_at, i.created_by,
	i.created_at, i.opened_at, i.ended_at, i.attempt_id, i.attempts_used, i.erase_after`

func invitationFields(i *platform.Invitation) []any {
	return []any{
		&i.Org, &i.ID, &i.AssessmentID, &i.CandidateID, &i.State, &i.ExtraPercent, instant{&i.ExpiresAt}, &i.CreatedBy,
		instant{&i.CreatedAt}, instant{&i.OpenedAt}, instant{&i.EndedAt}, optionalID{&i.AttemptID}, &i.AttemptsUsed, instant{&i.EraseAfter},
	}
}

func scanInvitation(r row) (platform.Invitation, error) {
	i := platform.Invitation{}
	return i, r.Scan(invitationFields(&i)...)
}

// maxInvitationDays is how far away the end of an invitation may be.
const maxInvitationDays = 366

func (tx *Tx) mayExpire(at time.Time) error {
	if !at.After(tx.now) || at.After(tx.now.AddDate(0, 0, maxInvitationDays)) {
		return platform.InvalidField("expiresAt", "An invitation expires in the future, within %d days.", maxInvitationDays)
	}
	return nil
}

// Invite makes invitations: all of them or, when one of the invitees is not valid, none. The results are in the order of
// the invitees.
func (tx *Tx) Invite(ctx context.Context, org platform.OrgID, in Invite) ([]InviteResult, error) {
	a, err := tx.Assessment(ctx, org, in.AssessmentID)
	if err != nil {
		return nil, err
	}
	switch {
	case !a.ArchivedAt.IsZero():
		return nil, platform.Errorf(platform.Conflict, "This assessment is in the archive. Take it out to invite to it.")
	case len(in.Invitees) == 0 || len(in.Invitees) > MaxInvitees:
		return nil, platform.InvalidField("invitees", "From 1 to %d people can be invited at a time.", MaxInvitees)
	}
	if err := tx.mayExpire(in.ExpiresAt); err != nil {
		return nil, err
	}
	for n, i := range in.Invitees {
		if err := i.Validate(); err != nil {
			return nil, platform.InvalidField("invitees", "Line %d: %s", n+1, platform.ErrorMessage(err))
		}
	}
	out := make([]InviteResult, len(in.Invitees))
	for n, i := range in.Invitees {
		if out[n], err = tx.inviteOne(ctx, a, in, i); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (tx *Tx) inviteOne(ctx context.Context, a platform.Assessment, in Invite, who platform.Invitee) (InviteResult, error) {
	c, err := tx.candidateFor(ctx, a.Org, who)
	if err != nil {
		return InviteResult{}, err
	}
	token := platform.NewToken(platform.InvitationToken)
	id := platform.NewID(platform.KindInvitation, tx.now)
	n, err := tx.exec(ctx, `INSERT INTO invitations (org_id, id, assessment_id, candidate_id, token_hash, state, extra_percent, expires_at,
		created_by, created_at, erase_after) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING`,
		a.Org, id, a.ID, c.ID, platform.HashToken(token), platform.InvitationPending, who.ExtraPercent, ms(in.ExpiresAt), in.By,
		ms(tx.now), ms(in.ExpiresAt.AddDate(0, 0, a.Settings.RetentionDays)))
	if err != nil {
		return InviteResult{}, failed("write invitation", err)
	}
	if n == 1 {
		i, err := tx.Invitation(ctx, a.Org, id)
		return InviteResult{Outcome: Invited, Invitation: i, Candidate: c, Token: token}, err
	}
	there, err := scanInvitation(tx.sql.QueryRowContext(ctx, `SELECT `+invitationColumns+` FROM invitations i WHERE i.org_id = $1
		AND i.assessment_id = $2 AND i.candidate_id = $3 AND i.state NOT IN ('withdrawn', 'revoked')`, a.Org, a.ID, c.ID))
	if err != nil {
		return InviteResult{}, failed("read invitation", err)
	}
	if there.StateAt(tx.now) != platform.InvitationExpired {
		return InviteResult{Outcome: AlreadyInvited, Invitation: there, Candidate: c}, nil
	}
	renewed, token, err := tx.RenewInvitation(ctx, a.Org, there.ID, in.ExpiresAt)
	return InviteResult{Outcome: Renewed, Invitation: renewed, Candidate: c, Token: token}, err
}

// Invitation reads an invitation.
func (tx *Tx) Invitation(ctx context.Context, org platform.OrgID, id platform.ID) (platform.Invitation, error) {
	return tx.invitation(ctx, ``, org, id)
}

func (tx *Tx) invitation(ctx context.Context, lock string, org platform.OrgID, id platform.ID) (platform.Invitation, error) {
	i, err := scanInvitation(tx.sql.QueryRowContext(ctx, `SELECT `+invitationColumns+` FROM invitations i WHERE i.org_id = $1 AND i.id = $2`+lock, org, id))
	if err != nil {
		return platform.Invitation{}, found(err, "invitation")
	}
	return i, nil
}

// InvitationByToken finds the invitation that a link belongs to, by the hash of its token, usable or not: ask
// Invitation.Usable.
func (tx *Tx) InvitationByToken(ctx context.Context, hash string) (platform.Invitation, error) {
	i, err := scanInvitation(tx.sql.QueryRowContext(ctx, `SELECT `+invitationColumns+` FROM invitations i WHERE i.token_hash = $1`, hash))
	if err != nil {
		return platform.Invitation{}, found(err, "invitation")
	}
	return i, nil
}

// OpenInvitation keeps that the link was followed.
func (tx *Tx) OpenInvitation(ctx context.Context, org platform.OrgID, id platform.ID) (platform.Invitation, error) {
	i, err := tx.invitation(ctx, tx.forUpdate(), org, id)
	if err != nil {
		return platform.Invitation{}, err
	}
	if err := i.Usable(tx.now); err != nil {
		return platform.Invitation{}, err
	}
	if err := tx.moveInvitation(ctx, &i, platform.InvitationOpen); err != nil {
		return platform.Invitation{}, err
	}
	if i.OpenedAt.IsZero() {
		i.OpenedAt = tx.now
		_, err = tx.exec(ctx, `UPDATE invitations SET opened_at = $3 WHERE org_id = $1 AND id = $2`, org, id, ms(tx.now))
	}
	return i, failed("open invitation", err)
}

// moveInvitation does what an event does to an invitation that is locked.
func (tx *Tx) moveInvitation(ctx context.Context, i *platform.Invitation, e platform.InvitationEvent) error {
	to, err := i.State.On(e)
	if err != nil {
		return err
	}
	if to == i.State {
		return nil
	}
	i.State = to
	_, err = tx.exec(ctx, `UPDATE invitations SET state = $3 WHERE org_id = $1 AND id = $2`, i.Org, i.ID, to)
	return failed("change invitation", err)
}

// RenewInvitation gives an invitation that nobody has begun a new token and a new end. The old link is dead.
func (tx *Tx) RenewInvitation(ctx context.Context, org platform.OrgID, id platform.ID, expires time.Time) (platform.Invitation, string, error) {
	i, err := tx.invitation(ctx, tx.forUpdate(), org, id)
	if err != nil {
		return platform.Invitation{}, "", err
	}
	if i.State != platform.InvitationPending && i.State != platform.InvitationOpened {
		return platform.Invitation{}, "", platform.Errorf(platform.Conflict, "An invitation that is %s cannot be renewed.", i.State)
	}
	if err := tx.mayExpire(expires); err != nil {
		return platform.Invitation{}, "", err
	}
	token := platform.NewToken(platform.InvitationToken)
	_, err = tx.exec(ctx, `UPDATE invitations SET token_hash = $3, expires_at = $4, erase_after = $4 + (SELECT v.retention_days * 86400000
		FROM assessment_versions v JOIN assessments a ON a.org_id = v.org_id AND a.id = v.assessment_id AND a.version = v.version
		WHERE v.org_id = $1 AND v.assessment_id = invitations.assessment_id) WHERE org_id = $1 AND id = $2`,
		org, id, platform.HashToken(token), ms(expires))
	if err != nil {
		return platform.Invitation{}, "", failed("renew invitation", err)
	}
	i, err = tx.Invitation(ctx, org, id)
	return i, token, err
}

// RevokeInvitation takes an invitation back. An attempt that runs ends as withdrawn, and its gradings are cancelled.
func (tx *Tx) RevokeInvitation(ctx context.Context, org platform.OrgID, id platform.ID) error {
	return tx.endInvitation(ctx, org, id, platform.InvitationRevoke)
}

// WithdrawInvitation is RevokeInvitation by the candidate. What was stored stays until EraseCandidate or its time.
func (tx *Tx) WithdrawInvitation(ctx context.Context, org platform.OrgID, id platform.ID) error {
	return tx.endInvitation(ctx, org, id, platform.InvitationWithdraw)
}

func (tx *Tx) endInvitation(ctx context.Context, org platform.OrgID, id platform.ID, e platform.InvitationEvent) error {
	i, err := tx.invitation(ctx, tx.forUpdate(), org, id)
	if err != nil {
		return err
	}
	if err := tx.moveInvitation(ctx, &i, e); err != nil {
		return err
	}
	if i.AttemptID != "" {
		a, err := tx.attempt(ctx, tx.forUpdate(), org, i.AttemptID)
		if err != nil {
			return err
		}
		if err := tx.cancelJobs(ctx, a); err != nil {
			return err
		}
		if err := tx.moveAttempt(ctx, &a, platform.AttemptWithdraw); err != nil {
			return err
		}
	}
	return tx.closeInvitation(ctx, i)
}

// closeInvitation keeps that an invitation has ended, and when its data go.
func (tx *Tx) closeInvitation(ctx context.Context, i platform.Invitation) error {
	a, err := tx.Assessment(ctx, i.Org, i.AssessmentID)
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, `UPDATE invitations SET ended_at = $3, erase_after = $4 WHERE org_id = $1 AND id = $2`,
		i.Org, i.ID, ms(tx.now), ms(tx.now.AddDate(0, 0, a.Settings.RetentionDays)))
	return failed("close invitation", err)
}

// SetExtraTime changes a candidate's extra time, in percent of the time limit, also of an attempt that runs.
func (tx *Tx) SetExtraTime(ctx context.Context, org platform.OrgID, id platform.ID, percent int) error {
	if percent < 0 || percent > platform.MaxExtraPercent {
		return platform.InvalidField("extraPercent", "Extra time is from 0 to %d percent.", platform.MaxExtraPercent)
	}
	i, err := tx.invitation(ctx, tx.forUpdate(), org, id)
	if err != nil {
		return err
	}
	if _, err := tx.exec(ctx, `UPDATE invitations SET extra_percent = $3 WHERE org_id = $1 AND id = $2`, org, id, percent); err != nil {
		return failed("set extra time", err)
	}
	if i.AttemptID == "" {
		return nil
	}
	_, err = tx.exec(ctx, `UPDATE attempts SET extra_percent = $3 WHERE org_id = $1 AND id = $2 AND state = 'running'`, org, i.AttemptID, percent)
	if err != nil {
		return failed("set extra time", err)
	}
	return tx.wind(ctx, org, i.AttemptID)
}

// GiveAttempt gives an attempt back that was charged, e.g. after a fault of ours.
func (tx *Tx) GiveAttempt(ctx context.Context, org platform.OrgID, id platform.ID) error {
	n, err := tx.exec(ctx, `UPDATE invitations SET attempts_used = CASE WHEN attempts_used > 0 THEN attempts_used - 1 ELSE 0 END
		WHERE org_id = $1 AND id = $2`, org, id)
	return changedOne(n, err, "invitation")
}

// Invitations are those of a candidate, the newest first.
func (tx *Tx) Invitations(ctx context.Context, org platform.OrgID, candidate platform.ID) ([]platform.Invitation, error) {
	out, err := all(ctx, tx, scanInvitation, `SELECT `+invitationColumns+` FROM invitations i WHERE i.org_id = $1 AND i.candidate_id = $2
		ORDER BY i.created_at DESC, i.id DESC`, org, candidate)
	return out, failed("list invitations", err)
}
