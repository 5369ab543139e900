package api

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/service"
)

// ownAssessment is what a candidate sees of an assessment.
type ownAssessment struct {
	Name             string              `json:"name"`
	RoleTitle        string              `json:"roleTitle,omitempty"`
	Message          string              `json:"message,omitempty"`
	Contact          string              `json:"contact,omitempty" doc:"Whom to ask."`
	Challenges       []ownChallenge      `json:"challenges" nullable:"false"`
	Deadline         *time.Time          `json:"deadline,omitempty"`
	TimeLimitSeconds int64               `json:"timeLimitSeconds,omitempty" doc:"With extra time; missing: none."`
	Attempts         int                 `json:"attempts"`
	PassMark         float64             `json:"passMark" doc:"Of the whole, 0 to 100."`
	Visible          platform.Visibility `json:"visible" enum:"nothing,outcome,score,report" doc:"What is shown of results."`
	RetentionDays    int                 `json:"retentionDays"`
}

// ownChallenge is one challenge of it.
type ownChallenge struct {
	ID      string   `json:"id"`
	Version int      `json:"version"`
	Title   string   `json:"title,omitempty" doc:"Missing for one that is no longer offered, like what follows."`
	Summary string   `json:"summary,omitempty"`
	Level   string   `json:"level,omitempty"`
	Minutes int      `json:"minutes,omitempty" doc:"About how long it takes."`
	Skills  []string `json:"skills" nullable:"false"`
}

func (a *API) toOwnChallenge(c platform.AssessmentChallenge) ownChallenge {
	out := ownChallenge{ID: c.ChallengeID, Version: c.Version, Skills: []string{}}
	if known, err := a.service.Challenge(c.ChallengeID); err == nil {
		out.Title, out.Summary, out.Level, out.Minutes, out.Skills = known.Title, known.Summary, known.Level, known.Minutes, append(out.Skills, known.Skills...)
	}
	return out
}

// ownInvitation is what a candidate sees of the invitation.
type ownInvitation struct {
	Organization string                   `json:"organization"`
	Candidate    string                   `json:"candidate,omitempty" doc:"Whom it is for."`
	State        platform.InvitationState `json:"state" enum:"pending,opened,started,completed,withdrawn,revoked,expired"`
	ExpiresAt    time.Time                `json:"expiresAt" doc:"The first attempt must begin before it."`
	Assessment   ownAssessment            `json:"assessment"`
	Consent      string                   `json:"consent" doc:"The version of the text that a start agrees to."`
	NextAttempt  int                      `json:"nextAttempt" doc:"The number to start; 0: none is left, or one runs."`
	Attempt      *ownAttempt              `json:"attempt,omitempty" doc:"The newest."`
	Submissions  []submission             `json:"submissions" nullable:"false" doc:"Of the newest attempt, the newest first, 50 at most."`
	Gradings     []grading                `json:"gradings" nullable:"false" doc:"Of them, the newest first, 50 at most."`
	Now          time.Time                `json:"now" doc:"The server's clock, by which all is decided."`
}

// ownAttempt is what a candidate sees of an attempt.
type ownAttempt struct {
	ID        platform.ID           `json:"id"`
	Number    int                   `json:"number"`
	State     platform.AttemptState `json:"state" enum:"running,grading,review,expired,withdrawn"`
	StartedAt time.Time             `json:"startedAt"`
	EndsAt    *time.Time            `json:"endsAt,omitempty" doc:"As known now; missing when nothing ends it."`
	Paused    bool                  `json:"paused" doc:"The clock stands, for a fault of ours."`
	Overall   *overall              `json:"overall,omitempty" doc:"As far as the team shows it."`
}

func (a *API) toOwn(o service.Own) ownInvitation {
	s := o.Assessment.Settings
	out := ownInvitation{
		Organization: o.Organization, Candidate: o.Candidate.Name, State: o.Invitation.StateAt(o.Now), ExpiresAt: o.Invitation.ExpiresAt, Consent: o.Consent, NextAttempt: o.NextAttempt,
		Submissions: each(o.Submissions, toSubmission), Gradings: each(o.Gradings, toGrading), Now: o.Now,
		Assessment: ownAssessment{
			Name: s.Name, RoleTitle: s.RoleTitle, Message: s.Message, Contact: s.Contact, Deadline: at(s.Deadline), Attempts: s.Attempts, Visible: s.Visible, RetentionDays: s.RetentionDays,
			TimeLimitSeconds: seconds(s.TimeLimit + s.TimeLimit*time.Duration(o.Invitation.ExtraPercent)/100),
			PassMark:         s.PassMark, Challenges: each(s.Challenges, a.toOwnChallenge),
		},
	}
	if t := o.Attempt; t != nil {
		out.Attempt = &ownAttempt{
			ID: t.ID, Number: t.Number, State: t.State, StartedAt: t.Clock.Started, EndsAt: at(o.EndsAt), Paused: o.Paused, Overall: toOverall(t.Overall),
		}
	}
	return out
}

const tagOwn = "For candidates"

func (a *API) own() {
	add(a, route{
		id: "look", method: http.MethodGet, path: "/candidate/invitation", use: service.CandidateLook, tag: tagOwn,
		summary: "See the invitation and how everything stands",
	}, func(ctx context.Context, actor service.Actor, _ *Nothing) (*Plain[ownInvitation], error) {
		out, err := a.service.LookOwn(ctx, actor)
		return &Plain[ownInvitation]{Body: a.toOwn(out)}, err
	})
	add(a, route{
		id: "open", method: http.MethodPut, path: "/candidate/invitation/opened", use: service.CandidateOpen, tag: tagOwn,
		summary: "Say that the link was followed, and see the invitation", detail: "The team sees it at the invitation.",
	}, func(ctx context.Context, actor service.Actor, _ *Nothing) (*Plain[ownInvitation], error) {
		out, err := a.service.OpenOwn(ctx, actor)
		return &Plain[ownInvitation]{Body: a.toOwn(out)}, err
	})
	add(a, route{
		id: "start", method: http.MethodPut, path: "/candidate/attempts/{number}", use: service.CandidateStart, tag: tagOwn,
		summary: "Start an attempt", detail: "The clock runs from there. Starting it again changes nothing.",
	}, func(ctx context.Context, actor service.Actor, in *struct {
		Number int `path:"number" minimum:"1" maximum:"100" doc:"nextAttempt of the invitation."`
		Body   struct {
			Consent string `json:"consent" maxLength:"50" doc:"The version of the text that the candidate has agreed to: consent of the invitation."`
		}
	}) (*Plain[ownInvitation], error) {
		out, err := a.service.Start(ctx, actor, in.Number, in.Body.Consent)
		return &Plain[ownInvitation]{Body: a.toOwn(out)}, err
	})
	add(a, route{
		id: "finish", method: http.MethodPost, path: "/candidate/finish", use: service.CandidateFinish, tag: tagOwn,
		summary: "Hand the attempt in before its time is up",
	}, func(ctx context.Context, actor service.Actor, in *Keyed) (*Done, error) {
		return onceDone(ctx, a, "finish", *in, Nothing{}, func(ctx context.Context) error {
			_, err := a.service.Finish(ctx, actor)
			return err
		})
	})
	add(a, route{
		id: "withdraw", method: http.MethodPost, path: "/candidate/withdraw", use: service.CandidateWithdraw, tag: tagOwn,
		summary: "Withdraw from the assessment", detail: "What was stored stays until its time is up, or until it is erased.",
	}, func(ctx context.Context, actor service.Actor, in *Keyed) (*Done, error) {
		return onceDone(ctx, a, "withdraw", *in, Nothing{}, func(ctx context.Context) error { return a.service.Withdraw(ctx, actor) })
	})
	add(a, route{
		id: "export-own-data", method: http.MethodGet, path: "/candidate/data", use: service.CandidateExport, tag: tagOwn,
		summary: "Download everything that is kept of the invitation", media: "application/json",
	}, func(ctx context.Context, actor service.Actor, _ *Nothing) (*File, error) {
		return a.written("application/json", "my-data.json", func(to io.Writer) error { return a.service.ExportOwn(ctx, actor, to) }), nil
	})
	add(a, route{
		id: "erase-own-data", method: http.MethodDelete, path: "/candidate/data", use: service.CandidateErase, tag: tagOwn,
		summary: "Erase the invitation and all that came of it", detail: "At once, and for good; also when the invitation has ended.",
	}, func(ctx context.Context, actor service.Actor, _ *Nothing) (*Nothing, error) {
		return &Nothing{}, a.service.EraseOwn(ctx, actor)
	})
}
