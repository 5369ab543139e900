package api

import (
	"context"
	"net/http"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/service"
	"github.com/assay-run/assay/internal/platform/store"
)

// invitee is somebody to be invited.
type invitee struct {
	Name         string `json:"name,omitempty"`
	Email        string `json:"email,omitempty"`
	ExternalRef  string `json:"externalRef,omitempty" doc:"Of your own system."`
	ExtraPercent int    `json:"extraPercent,omitempty" doc:"Extra time, in percent of the time limit."`
}

func (i invitee) platform() platform.Invitee {
	return platform.Invitee{Name: i.Name, Email: i.Email, ExternalRef: i.ExternalRef, ExtraPercent: i.ExtraPercent}
}

// candidate is a person who was invited.
type candidate struct {
	ID          platform.ID `json:"id"`
	Name        string      `json:"name,omitempty"`
	Email       string      `json:"email,omitempty"`
	ExternalRef string      `json:"externalRef,omitempty"`
	CreatedAt   time.Time   `json:"createdAt"`
}

func toCandidate(c platform.Candidate) candidate {
	return candidate{ID: c.ID, Name: c.Name, Email: c.Email, ExternalRef: c.ExternalRef, CreatedAt: c.CreatedAt}
}

// invitation gives one candidate the attempts of one assessment.
type invitation struct {
	ID           platform.ID              `json:"id"`
	AssessmentID platform.ID              `json:"assessmentId"`
	CandidateID  platform.ID              `json:"candidateId"`
	State        platform.InvitationState `json:"state" enum:"pending,opened,started,completed,withdrawn,revoked,expired"`
	ExtraPercent int                      `json:"extraPercent"`
	ExpiresAt    time.Time                `json:"expiresAt" doc:"The first attempt must begin before it."`
	CreatedAt    time.Time                `json:"createdAt"`
	OpenedAt     *time.Time               `json:"openedAt,omitempty"`
	EndedAt      *time.Time               `json:"endedAt,omitempty"`
	AttemptID    platform.ID              `json:"attemptId,omitempty" doc:"The newest."`
	AttemptsUsed int                      `json:"attemptsUsed"`
}

func (a *API) toInvitation(i platform.Invitation) invitation {
	return invitation{
		ID: i.ID, AssessmentID: i.AssessmentID, CandidateID: i.CandidateID, State: i.StateAt(a.now()), ExtraPercent: i.ExtraPercent, ExpiresAt: i.ExpiresAt,
		CreatedAt: i.CreatedAt, OpenedAt: at(i.OpenedAt), EndedAt: at(i.EndedAt), AttemptID: i.AttemptID, AttemptsUsed: i.AttemptsUsed,
	}
}

// invited says what became of one invitee.
type invited struct {
	Outcome      store.InviteOutcome `json:"outcome" enum:"invited,renewed,already_invited"`
	InvitationID platform.ID         `json:"invitationId"`
	CandidateID  platform.ID         `json:"candidateId"`
	ExpiresAt    time.Time           `json:"expiresAt"`
	Token        string              `json:"token,omitempty" doc:"Shown once; missing for somebody who was invited already."`
	Link         string              `json:"link,omitempty" doc:"The page that the token opens."`
}

func (a *API) toInvited(r store.InviteResult) invited {
	out := invited{Outcome: r.Outcome, InvitationID: r.Invitation.ID, CandidateID: r.Candidate.ID, ExpiresAt: r.Invitation.ExpiresAt, Token: r.Token}
	if r.Token != "" {
		out.Link = a.link(r.Token)
	}
	return out
}

// invitedList holds one outcome for each invitee, in their order.
type invitedList struct {
	Items []invited `json:"items" nullable:"false"`
}

const tagInvitations = "Invitations"

func (a *API) invitations() {
	add(a, route{
		id: "invite", method: http.MethodPost, path: "/invitations", use: service.Invite, tag: tagInvitations, status: http.StatusCreated,
		summary: "Invite one person", detail: "Somebody with this address who was invited already is left alone.",
	}, func(ctx context.Context, actor service.Actor, in *struct {
		Keyed
		Body struct {
			AssessmentID platform.ID `json:"assessmentId" maxLength:"64"`
			Invitee      invitee     `json:"invitee"`
			ExpiresAt    *time.Time  `json:"expiresAt,omitempty" doc:"In 14 days, unless set; within 366 days."`
			ByMail       bool        `json:"byMail,omitempty" doc:"Mail the link."`
		}
	}) (*Answered[invited], error) {
		return once(ctx, a, "invite", in.Keyed, in, func(ctx context.Context) (invited, error) {
			out, err := a.invite(ctx, actor, service.NewInvitations{
				AssessmentID: in.Body.AssessmentID, Invitees: []platform.Invitee{in.Body.Invitee.platform()}, ExpiresAt: orZero(in.Body.ExpiresAt), ByMail: in.Body.ByMail,
			})
			if err != nil {
				return invited{}, err
			}
			return out[0], nil
		})
	})
	add(a, route{
		id: "invite-many", method: http.MethodPost, path: "/invitations/bulk", use: service.Invite, tag: tagInvitations, status: http.StatusCreated,
		summary: "Invite up to 100 people", detail: "All, or nobody when one of them is not valid.",
	}, func(ctx context.Context, actor service.Actor, in *struct {
		Keyed
		Body struct {
			AssessmentID platform.ID `json:"assessmentId" maxLength:"64"`
			Invitees     []invitee   `json:"invitees" minItems:"1" maxItems:"100" nullable:"false"`
			ExpiresAt    *time.Time  `json:"expiresAt,omitempty" doc:"In 14 days, unless set; within 366 days."`
			ByMail       bool        `json:"byMail,omitempty" doc:"Mail the links."`
		}
	}) (*Answered[invitedList], error) {
		return once(ctx, a, "invite-many", in.Keyed, in, func(ctx context.Context) (invitedList, error) {
			out, err := a.invite(ctx, actor, service.NewInvitations{
				AssessmentID: in.Body.AssessmentID, Invitees: each(in.Body.Invitees, invitee.platform), ExpiresAt: orZero(in.Body.ExpiresAt), ByMail: in.Body.ByMail,
			})
			return invitedList{Items: out}, err
		})
	})
	a.inviteList()
	add(a, route{
		id: "get-invitation", method: http.MethodGet, path: "/invitations/{id}", use: service.ReadInvitations, tag: tagInvitations,
		summary: "Read an invitation and whom it is for", tagged: true,
	}, func(ctx context.Context, actor service.Actor, in *struct {
		ByID
		Known
	}) (*Tagged[invitationWithCandidate], error) {
		view, err := a.service.Invitation(ctx, actor, in.ID)
		if err != nil {
			return nil, err
		}
		return tagged(in.Known, invitationWithCandidate{Invitation: a.toInvitation(view.Invitation), Candidate: toCandidate(view.Candidate)})
	})
	a.oneInvitation()
}

func (a *API) inviteList() {
	add(a, route{
		id: "invite-list", method: http.MethodPost, path: "/invitations/csv", use: service.Invite, tag: tagInvitations, status: http.StatusCreated,
		summary: "Invite the people of a CSV list, up to 1000", takes: "text/csv", most: service.MaxListBytes,
		detail: "All, or nobody when a line is not right: then errors has what is wrong, by line.",
		what:   "UTF-8, 1 MiB at most. The first line names the columns, in any order: name, email, reference, extra_percent. They are separated by commas, semicolons or tabs.",
	}, func(ctx context.Context, actor service.Actor, in *struct {
		Keyed
		AssessmentID platform.ID `query:"assessmentId" required:"true" maxLength:"64"`
		ExpiresAt    time.Time   `query:"expiresAt" doc:"In 14 days, unless set; within 366 days."`
		ByMail       bool        `query:"byMail" doc:"Mail the links."`
	}) (*Answered[invitedList], error) {
		people, err := service.ReadList(bodyOf(ctx)) // before the transaction, which may be run again
		if err != nil {
			return nil, err
		}
		ask := service.NewInvitations{AssessmentID: in.AssessmentID, Invitees: people, ExpiresAt: in.ExpiresAt, ByMail: in.ByMail}
		return once(ctx, a, "invite-list", in.Keyed, ask, func(ctx context.Context) (invitedList, error) {
			out, err := a.invite(ctx, actor, ask)
			return invitedList{Items: out}, err
		})
	})
}

// invitationWithCandidate is an invitation and whom it is for.
type invitationWithCandidate struct {
	Invitation invitation `json:"invitation"`
	Candidate  candidate  `json:"candidate"`
}

func (a *API) invite(ctx context.Context, actor service.Actor, in service.NewInvitations) ([]invited, error) {
	out, err := a.service.Invite(ctx, actor, in)
	if err != nil {
		return nil, err
	}
	return each(out, a.toInvited), nil
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

func (a *API) oneInvitation() {
	type onlyID struct {
		ByID
		Keyed
	}
	add(a, route{
		id: "resend-invitation", method: http.MethodPost, path: "/invitations/{id}/resend", use: service.ResendInvitation, tag: tagInvitations,
		summary: "Give an invitation that nobody has begun a new link", detail: "The old link is dead.",
	}, func(ctx context.Context, actor service.Actor, in *struct {
		ByID
		Keyed
		Body struct {
			ExpiresAt *time.Time `json:"expiresAt,omitempty" doc:"In 14 days, unless set; within 366 days."`
			ByMail    bool       `json:"byMail,omitempty" doc:"Mail the link."`
		}
	}) (*Answered[invited], error) {
		return once(ctx, a, "resend-invitation", in.Keyed, in, func(ctx context.Context) (invited, error) {
			out, err := a.service.ResendInvitation(ctx, actor, in.ID, orZero(in.Body.ExpiresAt), in.Body.ByMail)
			return a.toInvited(out), err
		})
	})
	add(a, route{
		id: "revoke-invitation", method: http.MethodPost, path: "/invitations/{id}/revoke", use: service.RevokeInvitation, tag: tagInvitations,
		summary: "Take an invitation back", detail: "An attempt that runs ends, and its gradings are cancelled.",
	}, func(ctx context.Context, actor service.Actor, in *onlyID) (*Done, error) {
		return onceDone(ctx, a, "revoke-invitation", in.Keyed, in, func(ctx context.Context) error {
			return a.service.RevokeInvitation(ctx, actor, in.ID)
		})
	})
	add(a, route{
		id: "give-attempt", method: http.MethodPost, path: "/invitations/{id}/give-attempt", use: service.GiveAttempt, tag: tagInvitations,
		summary: "Give an attempt back that was charged",
	}, func(ctx context.Context, actor service.Actor, in *onlyID) (*Done, error) {
		return onceDone(ctx, a, "give-attempt", in.Keyed, in, func(ctx context.Context) error {
			return a.service.GiveAttempt(ctx, actor, in.ID)
		})
	})
	add(a, route{
		id: "set-extra-time", method: http.MethodPut, path: "/invitations/{id}/extra-time", use: service.SetExtraTime, tag: tagInvitations,
		summary: "Set a candidate's extra time", detail: "Also of an attempt that runs.",
	}, func(ctx context.Context, actor service.Actor, in *struct {
		ByID
		Body struct {
			Percent int `json:"percent" doc:"Of the time limit."`
		}
	}) (*Nothing, error) {
		return &Nothing{}, a.service.SetExtraTime(ctx, actor, in.ID, in.Body.Percent)
	})
}
