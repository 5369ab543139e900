package api

import (
	"context"
	"net/http"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/service"
	"github.com/assay-run/assay/internal/platform/store"
)

// result is the verdict on one submission.
type result struct {
	ID               platform.ID             `json:"id"`
	GradingID        platform.ID             `json:"gradingId"`
	SubmissionID     platform.ID             `json:"submissionId"`
	AttemptID        platform.ID             `json:"attemptId"`
	CandidateID      platform.ID             `json:"candidateId"`
	AssessmentID     platform.ID             `json:"assessmentId"`
	ChallengeID      string                  `json:"challengeId"`
	ChallengeVersion int                     `json:"challengeVersion"`
	ChallengeDigest  string                  `json:"challengeDigest" doc:"Over every file that decides a grading: only results with the same one can be compared."`
	Kind             platform.SubmissionKind `json:"kind" enum:"dry_run,final"`
	Mode             string                  `json:"mode"`
	Official         bool                    `json:"official"`
	Verdict          platform.Verdict        `json:"verdict" enum:"pass,fail,withheld"`
	Score            float64                 `json:"score" doc:"0 to 100."`
	Low              float64                 `json:"low" doc:"The low end of where the score would likely fall again."`
	High             float64                 `json:"high" doc:"The high end."`
	PassMark         float64                 `json:"passMark"`
	Band             string                  `json:"band,omitempty"`
	Borderline       bool                    `json:"borderline" doc:"The interval holds the pass mark."`
	Headline         string                  `json:"headline"`
	Codes            []string                `json:"codes" nullable:"false" doc:"Reason codes."`
	Criteria         []criterion             `json:"criteria" nullable:"false"`
	Standing         bool                    `json:"standing" doc:"It is the one that counts: the newest of its submission."`
	GradedAt         time.Time               `json:"gradedAt"`
}

// criterion is what one criterion gave.
type criterion struct {
	ID        string   `json:"id"`
	Title     string   `json:"title"`
	Skill     string   `json:"skill"`
	Assessed  bool     `json:"assessed"`
	Score     float64  `json:"score" doc:"0 to 1."`
	Low       float64  `json:"low"`
	High      float64  `json:"high"`
	Points    float64  `json:"points"`
	MaxPoints float64  `json:"maxPoints"`
	Value     *float64 `json:"value,omitempty" doc:"Missing when it was not measured."`
	Reference *float64 `json:"reference,omitempty" doc:"What the reference solution had in the same grading."`
	Unit      string   `json:"unit,omitempty"`
}

func toCriterion(c platform.CriterionResult) criterion {
	return criterion{
		ID: c.ID, Title: c.Title, Skill: c.Skill, Assessed: c.Assessed, Score: c.Score, Low: c.Low, High: c.High, Points: c.Points, MaxPoints: c.MaxPoints,
		Value: c.Value, Reference: c.Reference, Unit: c.Unit,
	}
}

func toResult(r platform.Result) result {
	return result{
		ID: r.ID, GradingID: r.JobID, SubmissionID: r.SubmissionID, AttemptID: r.AttemptID, CandidateID: r.CandidateID, AssessmentID: r.AssessmentID,
		ChallengeID: r.ChallengeID, ChallengeVersion: r.ChallengeVersion, ChallengeDigest: r.ChallengeDigest, Kind: r.Kind, Mode: r.Mode, Official: r.Official,
		Verdict: r.Verdict, Score: r.Score, Low: r.Low, High: r.High, PassMark: r.PassMark, Band: r.Band, Borderline: r.Borderline, Headline: r.Headline,
		Codes: append([]string{}, r.Codes...), Criteria: each(r.Criteria, toCriterion), Standing: r.Standing, GradedAt: r.GradedAt,
	}
}

// comparison puts candidates side by side on one version of a challenge.
type comparison struct {
	ChallengeID string     `json:"challengeId"`
	Version     int        `json:"version"`
	Columns     []compared `json:"columns" nullable:"false" doc:"In the order that was asked for; those without a result on this version are left out."`
}

// compared is one candidate in a comparison.
type compared struct {
	AttemptID platform.ID      `json:"attemptId"`
	Candidate candidate        `json:"candidate"`
	ResultID  platform.ID      `json:"resultId"`
	Verdict   platform.Verdict `json:"verdict" enum:"pass,fail,withheld"`
	Criteria  []criterion      `json:"criteria" nullable:"false"`
	Skills    []skillPoints    `json:"skills" nullable:"false"`
}

// skillPoints is what the criteria of one skill gave.
type skillPoints struct {
	Skill     string  `json:"skill"`
	Points    float64 `json:"points"`
	MaxPoints float64 `json:"maxPoints"`
}

func toCompared(c service.ComparedAttempt) compared {
	return compared{
		AttemptID: c.AttemptID, Candidate: toCandidate(c.Candidate), ResultID: c.ResultID, Verdict: c.Verdict, Criteria: each(c.Criteria, toCriterion),
		Skills: each(c.Skills, func(s platform.SkillPoints) skillPoints { return skillPoints(s) }),
	}
}

const tagResults = "Results"

func (a *API) results() {
	add(a, route{
		id: "list-results", method: http.MethodGet, path: "/results", use: service.ReadResults, tag: tagResults,
		summary: "List results, the newest first", detail: "For an order by score, list the candidates of an assessment.",
	}, func(ctx context.Context, actor service.Actor, in *struct {
		Paging
		AssessmentID platform.ID             `query:"assessmentId" maxLength:"64"`
		AttemptID    platform.ID             `query:"attemptId" maxLength:"64"`
		SubmissionID platform.ID             `query:"submissionId" maxLength:"64"`
		ChallengeID  string                  `query:"challengeId" maxLength:"200"`
		Kind         platform.SubmissionKind `query:"kind" enum:"dry_run,final"`
		Verdict      platform.Verdict        `query:"verdict" enum:"pass,fail,withheld"`
		Code         string                  `query:"code" maxLength:"100" doc:"Those with this reason code."`
		MinScore     float64                 `query:"minScore" minimum:"0" maximum:"100"`
		Superseded   bool                    `query:"superseded" doc:"Also those that count no longer."`
	}) (*Plain[Page[result]], error) {
		score, err := atLeast(in.MinScore)
		if err != nil {
			return nil, err
		}
		list, err := a.service.Results(ctx, actor, store.ResultFilter{
			AssessmentID: in.AssessmentID, AttemptID: in.AttemptID, SubmissionID: in.SubmissionID, ChallengeID: in.ChallengeID, Kind: in.Kind,
			Verdict: in.Verdict, Code: in.Code, MinScore: score, Superseded: in.Superseded,
		}, in.page())
		return paged(list, toResult), err
	})
	add(a, route{
		id: "get-result", method: http.MethodGet, path: "/results/{id}", use: service.ReadResults, tag: tagResults, summary: "Read a result", tagged: true,
	}, func(ctx context.Context, actor service.Actor, in *struct {
		ByID
		Known
	}) (*Tagged[result], error) {
		out, err := a.service.Result(ctx, actor, in.ID)
		if err != nil {
			return nil, err
		}
		return tagged(in.Known, toResult(out))
	})
	add(a, route{
		id: "get-report", method: http.MethodGet, path: "/results/{id}/report", use: service.ViewReport, tag: tagResults,
		summary: "Download the whole report", detail: "That it was looked at is in the audit log.", media: "application/json",
	}, func(ctx context.Context, actor service.Actor, in *ByID) (*File, error) {
		r, f, err := a.service.Report(ctx, actor, in.ID)
		if err != nil {
			return nil, err
		}
		return a.file(f, "application/json", string(r.ID)+".json"), nil
	})
	add(a, route{
		id: "get-evidence", method: http.MethodGet, path: "/results/{id}/evidence", use: service.ViewReport, tag: tagResults,
		summary: "Download what was measured", detail: "JSON in gzip. That it was looked at is in the audit log.", media: "application/gzip",
	}, func(ctx context.Context, actor service.Actor, in *ByID) (*File, error) {
		r, f, err := a.service.Evidence(ctx, actor, in.ID)
		if err != nil {
			return nil, err
		}
		return a.file(f, "application/gzip", string(r.ID)+"-evidence.json.gz"), nil
	})
	add(a, route{
		id: "compare", method: http.MethodGet, path: "/comparisons", use: service.CompareCandidates, tag: tagResults,
		summary: "Put candidates side by side on one version of a challenge", detail: "That it was looked at is in the audit log.",
	}, func(ctx context.Context, actor service.Actor, in *struct {
		ChallengeID string        `query:"challengeId" required:"true" maxLength:"200"`
		Version     int           `query:"version" required:"true" minimum:"1"`
		Attempts    []platform.ID `query:"attempts" required:"true" minItems:"1" maxItems:"50" doc:"Separated by commas."`
	}) (*Plain[comparison], error) {
		out, err := a.service.Compare(ctx, actor, in.ChallengeID, in.Version, in.Attempts)
		return &Plain[comparison]{Body: comparison{ChallengeID: out.ChallengeID, Version: out.Version, Columns: each(out.Columns, toCompared)}}, err
	})
}
