package api

import (
	"context"
	"net/http"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/service"
)

// handedIn is what became of an upload.
type handedIn struct {
	Submission submission `json:"submission" doc:"Look at intake.accepted: what was refused at the door is not graded, and costs nothing."`
	Grading    *grading   `json:"grading,omitempty" doc:"Missing when it was refused."`
	Complete   bool       `json:"complete" doc:"It was the last final submission, and the attempt is handed in."`
}

// ownResult is a result as far as its candidate may see it.
type ownResult struct {
	ID           platform.ID             `json:"id"`
	SubmissionID platform.ID             `json:"submissionId"`
	ChallengeID  string                  `json:"challengeId"`
	Kind         platform.SubmissionKind `json:"kind" enum:"dry_run,final"`
	Sees         platform.Visibility     `json:"sees" enum:"nothing,outcome,score,report"`
	Verdict      platform.Verdict        `json:"verdict,omitempty" enum:"pass,fail,incomplete" doc:"incomplete: a person looks at it first."`
	Score        *float64                `json:"score,omitempty"`
	Low          *float64                `json:"low,omitempty"`
	High         *float64                `json:"high,omitempty"`
	Headline     string                  `json:"headline,omitempty"`
	Report       bool                    `json:"report" doc:"The whole report can be read."`
}

func toOwnResult(r service.OwnResult) ownResult {
	out := ownResult{
		ID: r.ID, SubmissionID: r.SubmissionID, ChallengeID: r.ChallengeID, Kind: r.Kind, Sees: r.Sees, Verdict: r.Verdict, Headline: r.Headline, Report: r.Report,
	}
	if r.Sees == platform.SeesScore || r.Sees == platform.SeesReport {
		out.Score, out.Low, out.High = &r.Score, &r.Low, &r.High
	}
	return out
}

func (a *API) ownWork() {
	add(a, route{
		id: "submit", method: http.MethodPost, path: "/candidate/submissions", use: service.CandidateSubmit, tag: tagOwn, status: http.StatusCreated,
		takes: "application/octet-stream", most: a.service.MaxUploadBytes(), what: "The archive: .tar.gz, .tar or .zip.",
		summary: "Hand in: a dry run, or final",
		detail: "The body is the archive. It is checked at once; what the check refuses is answered 201 too, with the reason in intake. " +
			"An upload that began in time is in time. With an Idempotency-Key the same archive is taken once.",
	}, func(ctx context.Context, actor service.Actor, in *struct {
		Keyed
		Challenge string                  `query:"challenge" required:"true" maxLength:"200" doc:"Its id."`
		Kind      platform.SubmissionKind `query:"kind" required:"true" enum:"dry_run,final"`
		FileName  string                  `query:"fileName" maxLength:"255" doc:"For messages alone."`
	}) (*Plain[handedIn], error) {
		out, err := a.service.Submit(ctx, actor, service.Upload{
			ChallengeID: in.Challenge, Kind: in.Kind, FileName: in.FileName, Body: bodyOf(ctx), ReceivedAt: a.now(), Key: in.Key,
		})
		if err != nil {
			return nil, err
		}
		answer := handedIn{Submission: toSubmission(out.Submission), Complete: out.Complete}
		if out.Job != nil {
			// Where it stands, as its candidate sees it.
			now, err := a.service.OwnGrading(ctx, actor, out.Job.ID)
			if err != nil {
				return nil, err
			}
			g := toGrading(now)
			answer.Grading = &g
		}
		return &Plain[handedIn]{Body: answer}, nil
	})
	add(a, route{
		id: "get-own-grading", method: http.MethodGet, path: "/candidate/gradings/{id}", use: service.CandidateLook, tag: tagOwn,
		summary: "See how a grading stands", tagged: true,
	}, func(ctx context.Context, actor service.Actor, in *struct {
		ByID
		Known
	}) (*Tagged[grading], error) {
		out, err := a.service.OwnGrading(ctx, actor, in.ID)
		if err != nil {
			return nil, err
		}
		return tagged(in.Known, toGrading(out))
	})
	add(a, route{
		id: "cancel-dry-run", method: http.MethodPost, path: "/candidate/gradings/{id}/cancel", use: service.CandidateCancel, tag: tagOwn,
		summary: "Cancel a dry run", detail: "A final submission cannot be taken back.",
	}, func(ctx context.Context, actor service.Actor, in *struct {
		ByID
		Keyed
	}) (*Answered[grading], error) {
		return once(ctx, a, "cancel-dry-run", in.Keyed, in, func(ctx context.Context) (grading, error) {
			out, err := a.service.CancelDryRun(ctx, actor, in.ID)
			return toJob(out), err
		})
	})
}

func (a *API) ownResults() {
	add(a, route{
		id: "list-own-results", method: http.MethodGet, path: "/candidate/results", use: service.CandidateLook, tag: tagOwn,
		summary: "See the own results, as far as the team allows", detail: "Final ones once all are graded.",
	}, func(ctx context.Context, actor service.Actor, _ *Nothing) (*Plain[Page[ownResult]], error) {
		all, err := a.service.OwnResults(ctx, actor)
		return &Plain[Page[ownResult]]{Body: Page[ownResult]{Items: each(all, toOwnResult)}}, err
	})
	add(a, route{
		id: "get-own-report", method: http.MethodGet, path: "/candidate/results/{id}/report", use: service.CandidateReport, tag: tagOwn,
		summary: "Download the own report, when the team shows it", media: "application/json",
	}, func(ctx context.Context, actor service.Actor, in *ByID) (*File, error) {
		f, err := a.service.OwnReport(ctx, actor, in.ID)
		if err != nil {
			return nil, err
		}
		return a.file(f, "application/json", "report.json"), nil
	})
}
