package api

import (
	"context"
	"net/http"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/service"
)

// submission is something that was handed in for one challenge.
type submission struct {
	ID               platform.ID             `json:"id"`
	AttemptID        platform.ID             `json:"attemptId"`
	ChallengeID      string                  `json:"challengeId"`
	ChallengeVersion int                     `json:"challengeVersion"`
	Kind             platform.SubmissionKind `json:"kind" enum:"dry_run,final"`
	Intake           intakeView              `json:"intake"`
	Bytes            int64                   `json:"bytes" doc:"Of the archive; 0 when it was refused."`
	ReceivedAt       time.Time               `json:"receivedAt" doc:"When its first byte came."`
}

// intakeView is what the check at the door found.
type intakeView struct {
	Accepted bool     `json:"accepted"`
	Digest   string   `json:"digest,omitempty" doc:"Of the unpacked files, as in the report."`
	Files    int      `json:"files"`
	Problem  string   `json:"problem,omitempty" doc:"Why it was refused."`
	Notes    []string `json:"notes" nullable:"false" doc:"What was decided or left out."`
}

func toSubmission(s platform.Submission) submission {
	return submission{
		ID: s.ID, AttemptID: s.AttemptID, ChallengeID: s.ChallengeID, ChallengeVersion: s.ChallengeVersion, Kind: s.Kind, Bytes: s.Archive.Bytes,
		ReceivedAt: s.ReceivedAt, Intake: intakeView{
			Accepted: s.Intake.Accepted, Digest: s.Intake.Digest, Files: s.Intake.Files, Problem: s.Intake.Problem, Notes: append([]string{}, s.Intake.Notes...),
		},
	}
}

// grading is one grading of one submission: a job.
type grading struct {
	ID           platform.ID       `json:"id"`
	SubmissionID platform.ID       `json:"submissionId"`
	AttemptID    platform.ID       `json:"attemptId"`
	ChallengeID  string            `json:"challengeId"`
	Kind         platform.JobKind  `json:"kind" enum:"final,regrade,dry_run"`
	Mode         string            `json:"mode"`
	State        platform.JobState `json:"state" enum:"queued,running,retrying,graded,invalid,failed,cancelled"`
	Over         bool              `json:"over" doc:"Nothing more happens to it."`
	Why          string            `json:"why,omitempty" doc:"Why it waits or has ended."`
	Progress     string            `json:"progress,omitempty" doc:"What the worker is at."`
	Ahead        int               `json:"ahead" doc:"How many gradings begin before it, if nothing new arrives."`
	NotBefore    *time.Time        `json:"notBefore,omitempty" doc:"It waits for this time, after a fault."`
	Tries        int               `json:"tries"`
	CreatedAt    time.Time         `json:"createdAt"`
	StartedAt    *time.Time        `json:"startedAt,omitempty"`
	FinishedAt   *time.Time        `json:"finishedAt,omitempty"`
}

func toGrading(g service.OwnGrading) grading {
	out := toJob(g.Job)
	out.Ahead, out.NotBefore = g.Place.Ahead, at(g.Place.NotBefore)
	if g.Place.Why != "" {
		out.Why = g.Place.Why
	}
	return out
}

func toJob(j platform.Job) grading {
	return grading{
		ID: j.ID, SubmissionID: j.SubmissionID, AttemptID: j.AttemptID, ChallengeID: j.ChallengeID, Kind: j.Kind, Mode: j.Mode, State: j.State,
		Over: j.State.Over(), Why: j.Why, Progress: j.Progress, Tries: j.Tries, CreatedAt: j.CreatedAt, StartedAt: at(j.StartedAt), FinishedAt: at(j.FinishedAt),
	}
}

const (
	tagSubmissions = "Submissions"
	tagGradings    = "Gradings"
)

func (a *API) submissions() {
	add(a, route{
		id: "get-submission", method: http.MethodGet, path: "/submissions/{id}", use: service.ReadResults, tag: tagSubmissions,
		summary: "Read what was handed in, without its bytes", tagged: true,
	}, func(ctx context.Context, actor service.Actor, in *struct {
		ByID
		Known
	}) (*Tagged[submission], error) {
		out, err := a.service.Submission(ctx, actor, in.ID)
		if err != nil {
			return nil, err
		}
		return tagged(in.Known, toSubmission(out))
	})
	add(a, route{
		id: "get-archive", method: http.MethodGet, path: "/submissions/{id}/archive", use: service.ViewSubmission, tag: tagSubmissions,
		summary: "Download what was handed in", detail: "That it was looked at is in the audit log.", media: "application/octet-stream",
	}, func(ctx context.Context, actor service.Actor, in *ByID) (*File, error) {
		sub, f, err := a.service.Archive(ctx, actor, in.ID)
		if err != nil {
			return nil, err
		}
		return a.file(f, "application/octet-stream", string(sub.ID)), nil
	})
	add(a, route{
		id: "regrade", method: http.MethodPost, path: "/submissions/{id}/regrade", use: service.Regrade, tag: tagSubmissions, status: http.StatusAccepted,
		summary: "Grade a final submission again, on a fresh seed", detail: "The newest result is the one that counts.",
	}, func(ctx context.Context, actor service.Actor, in *struct {
		ByID
		Keyed
	}) (*Answered[grading], error) {
		return once(ctx, a, "regrade", in.Keyed, in, func(ctx context.Context) (grading, error) {
			out, err := a.service.Regrade(ctx, actor, in.ID)
			return toJob(out), err
		})
	})
}

func (a *API) gradings() {
	add(a, route{
		id: "get-grading", method: http.MethodGet, path: "/gradings/{id}", use: service.ReadResults, tag: tagGradings,
		summary: "See how a grading stands", tagged: true,
	}, func(ctx context.Context, actor service.Actor, in *struct {
		ByID
		Known
	}) (*Tagged[grading], error) {
		out, err := a.service.Grading(ctx, actor, in.ID)
		if err != nil {
			return nil, err
		}
		return tagged(in.Known, toGrading(out))
	})
	add(a, route{
		id: "cancel-grading", method: http.MethodPost, path: "/gradings/{id}/cancel", use: service.CancelGrading, tag: tagGradings,
		summary: "Cancel a grading", detail: "One that waits leaves the queue; the worker of one that runs is asked to stop.",
	}, func(ctx context.Context, actor service.Actor, in *struct {
		ByID
		Keyed
	}) (*Answered[grading], error) {
		return once(ctx, a, "cancel-grading", in.Keyed, in, func(ctx context.Context) (grading, error) {
			out, err := a.service.CancelGrading(ctx, actor, in.ID)
			return toJob(out), err
		})
	})
}
