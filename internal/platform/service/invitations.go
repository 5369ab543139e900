package service

import (
	"context"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

// Names of the mails that the service asks for.
const (
	MailInvitation  = "invitation"
	MailSetPassword = "set-password"
)

// DefaultInvitationDays is how long an invitation can be begun unless something else is said.
const DefaultInvitationDays = 14

// NewInvitations ask for invitations to one assessment.
type NewInvitations struct {
	AssessmentID platform.ID
	Invitees     []platform.Invitee
	ExpiresAt    time.Time // zero: in DefaultInvitationDays
	// ByMail sends the link to those with an address. Otherwise it is handed over in another way.
	ByMail bool
}

// Invite invites people: all, or nobody when one of them is not valid. Somebody who was invited already is left alone. The
// tokens in the answer are shown once.
func (s *Service) Invite(ctx context.Context, a Actor, in NewInvitations) ([]store.InviteResult, error) {
	return run(ctx, s, a, Invite, func(w *work) ([]store.InviteResult, error) { return s.invite(ctx, w, in) })
}

func (s *Service) invite(ctx context.Context, w *work, in NewInvitations) ([]store.InviteResult, error) {
	for _, i := range in.Invitees {
		if err := checkInvitee(i); err != nil {
			return nil, err
		}
	}
	if in.ExpiresAt.IsZero() {
		in.ExpiresAt = w.Now().AddDate(0, 0, DefaultInvitationDays)
	}
	out, err := w.Invite(ctx, w.org, store.Invite{AssessmentID: in.AssessmentID, Invitees: in.Invitees, ExpiresAt: in.ExpiresAt, By: w.by()})
	if err != nil {
		return nil, err
	}
	made := 0
	for _, r := range out {
		if r.Outcome == store.AlreadyInvited {
			continue
		}
		made++
		if in.ByMail {
			if err := s.mailInvitation(ctx, w, r.Invitation, r.Candidate, r.Token); err != nil {
				return nil, err
			}
		}
		err := w.tell(ctx, platform.EventInvited, r.Candidate.ID, map[string]any{"invitationId": r.Invitation.ID, "assessmentId": in.AssessmentID})
		if err != nil {
			return nil, err
		}
	}
	w.about(in.AssessmentID, map[string]int{"invited": made, "asked": len(out)})
	return out, nil
}

func checkInvitee(i platform.Invitee) error {
	if err := i.Validate(); err != nil {
		return err
	}
	for _, f := range []struct{ field, text string }{{"name", i.Name}, {"email", i.Email}, {"externalRef", i.ExternalRef}} {
		if err := checkLine(f.field, f.text, 254); err != nil {
			return err
		}
	}
	return nil
}

// mailInvitation puts the link into the outbox, sealed. Whoever has no address gets none.
func (s *Service) mailInvitation(ctx context.Context, w *work, i platform.Invitation, c platform.Candidate, token string) error {
	if c.Email == "" {
		return nil
	}
	_, err := w.QueueMail(ctx, w.org, platform.Mail{
		Template: MailInvitation, CandidateID: c.ID, InvitationID: i.ID, Sealed: s.sealer.Seal([]byte(token), MailInvitation),
	})
	return err
}

// RevokeInvitation takes an invitation back. An attempt that runs ends, and its gradings are cancelled.
func (s *Service) RevokeInvitation(ctx context.Context, a Actor, id platform.ID) error {
	return s.do(ctx, a, RevokeInvitation, func(w *work) error {
		w.about(id, nil)
		return w.RevokeInvitation(ctx, w.org, id)
	})
}

// ResendInvitation gives an invitation that nobody has begun a new link and a new end, zero: in DefaultInvitationDays. The
// old link is dead. It is mailed when there is an address and byMail is set.
func (s *Service) ResendInvitation(ctx context.Context, a Actor, id platform.ID, expires time.Time, byMail bool) (store.InviteResult, error) {
	return run(ctx, s, a, ResendInvitation, func(w *work) (store.InviteResult, error) {
		if expires.IsZero() {
			expires = w.Now().AddDate(0, 0, DefaultInvitationDays)
		}
		w.about(id, nil)
		i, token, err := w.RenewInvitation(ctx, w.org, id, expires)
		if err != nil {
			return store.InviteResult{}, err
		}
		c, err := w.Candidate(ctx, w.org, i.CandidateID)
		if err == nil && byMail {
			err = s.mailInvitation(ctx, w, i, c, token)
		}
		return store.InviteResult{Outcome: store.Renewed, Invitation: i, Candidate: c, Token: token}, err
	})
}

// ExtendAttempt gives more time; the candidate sees it with the next look at the clock.
func (s *Service) ExtendAttempt(ctx context.Context, a Actor, id platform.ID, by time.Duration, reason string) (platform.Attempt, error) {
	return run(ctx, s, a, ExtendAttempt, func(w *work) (platform.Attempt, error) {
		if err := checkText("reason", reason, maxReasonRunes); err != nil {
			return platform.Attempt{}, err
		}
		w.about(id, map[string]float64{"seconds": by.Seconds()})
		return w.ExtendAttempt(ctx, w.org, id, platform.Extension{By: by, Reason: reason, GrantedBy: w.by()})
	})
}

// SetExtraTime changes a candidate's extra time, in percent of the limit, also of an attempt that runs.
func (s *Service) SetExtraTime(ctx context.Context, a Actor, invitation platform.ID, percent int) error {
	return s.do(ctx, a, SetExtraTime, func(w *work) error {
		w.about(invitation, nil) // how much is nobody's business who reads the log
		return w.SetExtraTime(ctx, w.org, invitation, percent)
	})
}

// GiveAttempt gives an attempt back that was charged.
func (s *Service) GiveAttempt(ctx context.Context, a Actor, invitation platform.ID) error {
	return s.do(ctx, a, GiveAttempt, func(w *work) error {
		w.about(invitation, nil)
		return w.GiveAttempt(ctx, w.org, invitation)
	})
}

// ChangeCandidate corrects name, address and reference.
func (s *Service) ChangeCandidate(ctx context.Context, a Actor, id platform.ID, to platform.Invitee) error {
	return s.do(ctx, a, ChangeCandidate, func(w *work) error {
		if err := checkInvitee(to); err != nil {
			return err
		}
		w.about(id, nil)
		return w.UpdateCandidate(ctx, w.org, id, to)
	})
}

// InvitationView is an invitation with whom it is for.
type InvitationView struct {
	Invitation platform.Invitation
	Candidate  platform.Candidate
}

// Invitation reads an invitation.
func (s *Service) Invitation(ctx context.Context, a Actor, id platform.ID) (InvitationView, error) {
	return run(ctx, s, a, ReadInvitations, func(w *work) (out InvitationView, err error) {
		if out.Invitation, err = w.Invitation(ctx, w.org, id); err != nil {
			return out, err
		}
		out.Candidate, err = w.Candidate(ctx, w.org, out.Invitation.CandidateID)
		return out, err
	})
}

// Candidates lists an assessment's candidates: where each stands, with figures once there are some.
func (s *Service) Candidates(ctx context.Context, a Actor, assessment platform.ID, f platform.OverviewFilter, sort platform.OverviewSort, ask platform.Page) (platform.List[platform.OverviewRow], error) {
	return run(ctx, s, a, ReadResults, func(w *work) (platform.List[platform.OverviewRow], error) {
		return w.Overview(ctx, w.org, assessment, f, sort, ask)
	})
}
