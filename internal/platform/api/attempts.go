package api

import (
	"context"
	"io"
	"math"
	"net/http"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/service"
)

// overall is the verdict on a whole attempt.
type overall struct {
	Verdict platform.Verdict `json:"verdict" enum:"pass,fail,withheld,incomplete"`
	Score   float64          `json:"score" doc:"0 to 100."`
	Low     float64          `json:"low" doc:"The low end of where the score would likely fall again."`
	High    float64          `json:"high" doc:"The high end."`
}

func toOverall(o *platform.Overall) *overall {
	if o == nil {
		return nil
	}
	return &overall{Verdict: o.Verdict, Score: o.Score, Low: o.Low, High: o.High}
}

// candidateRow is one invitation in an assessment's list.
type candidateRow struct {
	Invitation  invitation     `json:"invitation"`
	Candidate   candidate      `json:"candidate"`
	Stage       platform.Stage `json:"stage" enum:"pending,opened,running,grading,review,decided,expired,withdrawn,revoked"`
	EndsAt      *time.Time     `json:"endsAt,omitempty"`
	JobsWaiting int            `json:"gradingsWaiting"`
	JobsRunning int            `json:"gradingsRunning"`
	HandedInAt  *time.Time     `json:"handedInAt,omitempty"`
	Headline    string         `json:"headline,omitempty"`
	Overall     *overall       `json:"overall,omitempty"`
	Decision    string         `json:"decision,omitempty"`
}

func (a *API) toRow(r platform.OverviewRow) candidateRow {
	out := candidateRow{
		Invitation: a.toInvitation(r.Invitation), Candidate: toCandidate(r.Candidate), Stage: r.Stage, EndsAt: at(r.EndsAt),
		JobsWaiting: r.JobsWaiting, JobsRunning: r.JobsRunning, HandedInAt: at(r.HandedInAt), Headline: r.Headline,
	}
	if r.Attempt != nil {
		out.Overall, out.Decision = toOverall(r.Attempt.Overall), string(r.Attempt.Decision)
	}
	return out
}

const tagCandidates = "Candidates"

// Narrowing is which candidates a list has, and in what order.
type Narrowing struct {
	Sort     platform.OverviewSort `query:"sort" enum:"invited,name,score,handedIn" doc:"invited, the newest first, unless set. By score the best come first."`
	Stages   []platform.Stage      `query:"stage" doc:"Those at one of these stages, separated by commas."`
	Verdict  platform.Verdict      `query:"verdict" enum:"pass,fail,withheld,incomplete"`
	Decision platform.Outcome      `query:"decision" enum:"advance,reject,hold"`
	Search   string                `query:"search" maxLength:"200" doc:"Part of name, address or reference."`
	MinScore float64               `query:"minScore" minimum:"0" maximum:"100" doc:"Those with a score of at least this."`
}

func (n Narrowing) filter() (platform.OverviewFilter, error) {
	score, err := atLeast(n.MinScore)
	return platform.OverviewFilter{Stages: n.Stages, Verdict: n.Verdict, Decision: n.Decision, Search: n.Search, MinScore: score}, err
}

func (a *API) candidates() {
	add(a, route{
		id: "list-candidates", method: http.MethodGet, path: "/assessments/{id}/candidates", use: service.ReadResults, tag: tagCandidates,
		summary: "List an assessment's candidates: where each stands, with figures once there are some",
		detail:  "When the row that a cursor names is gone the answer is 410: begin anew.",
	}, func(ctx context.Context, actor service.Actor, in *struct {
		ByID
		Paging
		Narrowing
	}) (*Plain[Page[candidateRow]], error) {
		f, err := in.filter()
		if err != nil {
			return nil, err
		}
		list, err := a.service.Candidates(ctx, actor, in.ID, f, in.Sort, in.page())
		return paged(list, a.toRow), err
	})
	add(a, route{
		id: "change-candidate", method: http.MethodPut, path: "/candidates/{id}", use: service.ChangeCandidate, tag: tagCandidates,
		summary: "Correct a candidate's name, address and reference",
	}, func(ctx context.Context, actor service.Actor, in *struct {
		ByID
		Body struct {
			Name        string `json:"name,omitempty"`
			Email       string `json:"email,omitempty"`
			ExternalRef string `json:"externalRef,omitempty"`
		}
	}) (*Nothing, error) {
		to := platform.Invitee{Name: in.Body.Name, Email: in.Body.Email, ExternalRef: in.Body.ExternalRef}
		return &Nothing{}, a.service.ChangeCandidate(ctx, actor, in.ID, to)
	})
	add(a, route{
		id: "export-candidate", method: http.MethodGet, path: "/candidates/{id}/data", use: service.ExportCandidate, tag: tagCandidates,
		summary: "Download everything that is kept of a candidate", detail: "That it was looked at is in the audit log.", media: "application/json",
	}, func(ctx context.Context, actor service.Actor, in *ByID) (*File, error) {
		return a.written("application/json", "candidate.json", func(to io.Writer) error { return a.service.ExportCandidate(ctx, actor, in.ID, to) }), nil
	})
	add(a, route{
		id: "erase-candidate", method: http.MethodDelete, path: "/candidates/{id}", use: service.EraseCandidate, tag: tagCandidates,
		summary: "Erase a candidate with all that came of their invitations", detail: "At once, and for good.",
	}, func(ctx context.Context, actor service.Actor, in *ByID) (*Nothing, error) {
		return &Nothing{}, a.service.EraseCandidate(ctx, actor, in.ID)
	})
}

// atLeast is a bound that narrows nothing when it is 0. What is no number passes every comparison of the document.
func atLeast(score float64) (*float64, error) {
	switch {
	case math.IsNaN(score):
		return nil, platform.InvalidField("minScore", "A score is from 0 to 100.")
	case score == 0:
		return nil, nil
	}
	return &score, nil
}

// attempt is one go of a candidate at an assessment.
type attempt struct {
	ID                platform.ID           `json:"id"`
	InvitationID      platform.ID           `json:"invitationId"`
	CandidateID       platform.ID           `json:"candidateId"`
	AssessmentID      platform.ID           `json:"assessmentId"`
	AssessmentVersion int                   `json:"assessmentVersion"`
	Number            int                   `json:"number"`
	State             platform.AttemptState `json:"state" enum:"running,grading,review,decided,expired,withdrawn"`
	StartedAt         time.Time             `json:"startedAt"`
	EndsAt            *time.Time            `json:"endsAt,omitempty" doc:"As known now; missing when nothing ends it."`
	Paused            bool                  `json:"paused" doc:"The clock stands, for a fault of ours."`
	EndedAt           *time.Time            `json:"endedAt,omitempty"`
	Overall           *overall              `json:"overall,omitempty" doc:"Once everything is graded."`
	Decision          string                `json:"decision,omitempty" enum:"advance,reject,hold"`
}

func (a *API) toAttempt(t platform.Attempt) attempt {
	now := a.now()
	return attempt{
		ID: t.ID, InvitationID: t.InvitationID, CandidateID: t.CandidateID, AssessmentID: t.AssessmentID, AssessmentVersion: t.AssessmentVersion,
		Number: t.Number, State: t.State, StartedAt: t.Clock.Started, EndsAt: at(t.Clock.Ends(now)), Paused: t.Clock.Paused(now), EndedAt: at(t.EndedAt),
		Overall: toOverall(t.Overall), Decision: string(t.Decision),
	}
}

// decision is a decision on an attempt.
type decision struct {
	ID        platform.ID      `json:"id"`
	Outcome   platform.Outcome `json:"outcome" enum:"advance,reject,hold"`
	Reason    string           `json:"reason"`
	DecidedBy platform.ID      `json:"decidedBy" doc:"A user, or the token that was shown."`
	At        time.Time        `json:"at"`
}

func toDecision(d platform.Decision) decision {
	return decision{ID: d.ID, Outcome: d.Outcome, Reason: d.Reason, DecidedBy: d.DecidedBy, At: d.At}
}

// attemptView is everything about an attempt.
type attemptView struct {
	Attempt     attempt      `json:"attempt"`
	Candidate   candidate    `json:"candidate"`
	Submissions []submission `json:"submissions" nullable:"false"`
	Gradings    []grading    `json:"gradings" nullable:"false"`
	Results     []result     `json:"results" nullable:"false" doc:"Those that count, dry runs included."`
	Decisions   []decision   `json:"decisions" nullable:"false"`
}

const tagAttempts = "Attempts"

func (a *API) attempts() {
	add(a, route{
		id: "get-attempt", method: http.MethodGet, path: "/attempts/{id}", use: service.ReadResults, tag: tagAttempts,
		summary: "Read an attempt with what was handed in and what came of it", detail: "The newest 200 of each.", tagged: true,
	}, func(ctx context.Context, actor service.Actor, in *struct {
		ByID
		Known
	}) (*Tagged[attemptView], error) {
		v, err := a.service.Attempt(ctx, actor, in.ID)
		if err != nil {
			return nil, err
		}
		return tagged(in.Known, attemptView{
			Attempt: a.toAttempt(v.Attempt), Candidate: toCandidate(v.Candidate), Submissions: each(v.Submissions, toSubmission),
			Gradings: each(v.Gradings, toGrading), Results: each(v.Results, toResult), Decisions: each(v.Decisions, toDecision),
		})
	})
	add(a, route{
		id: "extend-attempt", method: http.MethodPost, path: "/attempts/{id}/extensions", use: service.ExtendAttempt, tag: tagAttempts,
		summary: "Give more time", detail: "The candidate sees it at once. An attempt that has run out before anything was handed in goes on.", status: http.StatusCreated,
	}, func(ctx context.Context, actor service.Actor, in *struct {
		ByID
		Keyed
		Body struct {
			Seconds int64  `json:"seconds" minimum:"1" maximum:"2592000"`
			Reason  string `json:"reason,omitempty"`
		}
	}) (*Answered[attempt], error) {
		return once(ctx, a, "extend-attempt", in.Keyed, in, func(ctx context.Context) (attempt, error) {
			out, err := a.service.ExtendAttempt(ctx, actor, in.ID, time.Duration(in.Body.Seconds)*time.Second, in.Body.Reason)
			return a.toAttempt(out), err
		})
	})
	add(a, route{
		id: "decide", method: http.MethodPost, path: "/attempts/{id}/decisions", use: service.Decide, tag: tagAttempts,
		summary: "Decide on an attempt", detail: "It supersedes earlier decisions, which stay in the history.", status: http.StatusCreated,
	}, func(ctx context.Context, actor service.Actor, in *struct {
		ByID
		Keyed
		Body struct {
			Outcome platform.Outcome `json:"outcome" enum:"advance,reject,hold"`
			Reason  string           `json:"reason"`
		}
	}) (*Answered[decision], error) {
		return once(ctx, a, "decide", in.Keyed, in, func(ctx context.Context) (decision, error) {
			out, err := a.service.Decide(ctx, actor, in.ID, in.Body.Outcome, in.Body.Reason)
			return toDecision(out), err
		})
	})
	add(a, route{
		id: "undecide", method: http.MethodDelete, path: "/attempts/{id}/decision", use: service.Undecide, tag: tagAttempts,
		summary: "Take the standing decision back", detail: "It stays in the history.",
	}, func(ctx context.Context, actor service.Actor, in *ByID) (*Nothing, error) {
		return &Nothing{}, a.service.Undecide(ctx, actor, in.ID)
	})
}
