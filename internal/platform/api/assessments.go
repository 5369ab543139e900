package api

import (
	"context"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/service"
)

// challengeView is a challenge that assessments can be made of.
type challengeView struct {
	ID      string   `json:"id"`
	Version int      `json:"version"`
	Title   string   `json:"title"`
	Level   string   `json:"level"`
	Minutes int      `json:"minutes" doc:"About how long it takes."`
	Skills  []string `json:"skills" nullable:"false"`
	Modes   []string `json:"modes" nullable:"false" doc:"In which it can be graded."`
}

// challengeRef is one challenge of an assessment.
type challengeRef struct {
	ID      string  `json:"id" maxLength:"200"`
	Version int     `json:"version,omitempty" minimum:"0" doc:"The one that is offered, unless set."`
	Weight  float64 `json:"weight" doc:"Relative to the others."`
	Mode    string  `json:"mode,omitempty" maxLength:"50" doc:"That of the assessment, unless set."`
}

// settings are what a hiring team decides about an assessment.
type settings struct {
	Name             string              `json:"name"`
	RoleTitle        string              `json:"roleTitle,omitempty"`
	Message          string              `json:"message,omitempty" doc:"To the candidate; plain text."`
	Contact          string              `json:"contact,omitempty" doc:"Whom candidates may ask, e.g. an address; one line."`
	Mode             string              `json:"mode" doc:"Of the graders, e.g. standard."`
	Challenges       []challengeRef      `json:"challenges" nullable:"false"`
	Deadline         *time.Time          `json:"deadline,omitempty" doc:"Nobody works after it."`
	TimeLimitSeconds int64               `json:"timeLimitSeconds,omitempty" minimum:"0" maximum:"2592000" doc:"Of one attempt; 0: none."`
	Attempts         int                 `json:"attempts" doc:"Each candidate may start so many."`
	PassMark         float64             `json:"passMark" doc:"Of the whole, 0 to 100."`
	Visible          platform.Visibility `json:"visible" enum:"nothing,outcome,score,report" doc:"What candidates see of their results."`
	RetentionDays    int                 `json:"retentionDays" doc:"Personal data are erased so many days after an invitation is over."`
}

func (s settings) platform() platform.Settings {
	out := platform.Settings{
		Name: s.Name, RoleTitle: s.RoleTitle, Message: s.Message, Contact: s.Contact, Mode: s.Mode, TimeLimit: time.Duration(s.TimeLimitSeconds) * time.Second,
		Attempts: s.Attempts, PassMark: s.PassMark, Visible: s.Visible, RetentionDays: s.RetentionDays,
		Challenges: each(s.Challenges, func(c challengeRef) platform.AssessmentChallenge {
			return platform.AssessmentChallenge{ChallengeID: c.ID, Version: c.Version, Weight: c.Weight, Mode: c.Mode}
		}),
	}
	if s.Deadline != nil {
		out.Deadline = *s.Deadline
	}
	return out
}

func toSettings(s platform.Settings) settings {
	return settings{
		Name: s.Name, RoleTitle: s.RoleTitle, Message: s.Message, Contact: s.Contact, Mode: s.Mode, TimeLimitSeconds: seconds(s.TimeLimit),
		Attempts: s.Attempts, PassMark: s.PassMark, Visible: s.Visible, RetentionDays: s.RetentionDays, Deadline: at(s.Deadline),
		Challenges: each(s.Challenges, func(c platform.AssessmentChallenge) challengeRef {
			return challengeRef{ID: c.ChallengeID, Version: c.Version, Weight: c.Weight, Mode: c.Mode}
		}),
	}
}

// assessment is a set of challenges for a role.
type assessment struct {
	ID         platform.ID    `json:"id"`
	Version    int            `json:"version" doc:"Each change makes a new one; attempts keep theirs."`
	Settings   settings       `json:"settings"`
	CreatedAt  time.Time      `json:"createdAt"`
	UpdatedAt  time.Time      `json:"updatedAt"`
	ArchivedAt *time.Time     `json:"archivedAt,omitempty"`
	Candidates map[string]int `json:"candidates,omitempty" doc:"By stage; not in lists."`
}

func toAssessment(in platform.Assessment) assessment {
	return assessment{
		ID: in.ID, Version: in.Version, Settings: toSettings(in.Settings), CreatedAt: in.CreatedAt, UpdatedAt: in.UpdatedAt, ArchivedAt: at(in.ArchivedAt),
	}
}

func toChallenge(c *challenges.Challenge) challengeView {
	out := challengeView{ID: c.ID, Version: c.Version, Title: c.Title, Level: c.Level, Minutes: c.Minutes, Skills: c.Skills, Modes: []string{}}
	if out.Skills == nil {
		out.Skills = []string{}
	}
	for mode := range c.Modes {
		out.Modes = append(out.Modes, mode)
	}
	slices.Sort(out.Modes)
	return out
}

const tagAssessments = "Assessments"

func (a *API) assessments() {
	add(a, route{
		id: "list-challenges", method: http.MethodGet, path: "/challenges", use: service.ReadAssessments, tag: tagAssessments,
		summary: "List the challenges that assessments can be made of",
	}, func(context.Context, service.Actor, *Nothing) (*Plain[Page[challengeView]], error) {
		return &Plain[Page[challengeView]]{Body: Page[challengeView]{Items: each(a.service.Challenges(), toChallenge)}}, nil
	})
	add(a, route{
		id: "list-assessments", method: http.MethodGet, path: "/assessments", use: service.ReadAssessments, tag: tagAssessments,
		summary: "List assessments, the newest first", detail: "Their challenges are left out: read one to see them.",
	}, func(ctx context.Context, actor service.Actor, in *struct {
		Paging
		Archived bool `query:"archived" doc:"Those in the archive, instead of those in use."`
	}) (*Plain[Page[assessment]], error) {
		list, err := a.service.Assessments(ctx, actor, in.Archived, in.page())
		return paged(list, toAssessment), err
	})
	add(a, route{
		id: "create-assessment", method: http.MethodPost, path: "/assessments", use: service.CreateAssessment, tag: tagAssessments,
		summary: "Create an assessment", status: http.StatusCreated,
	}, func(ctx context.Context, actor service.Actor, in *struct {
		Keyed
		Body settings
	}) (*Answered[assessment], error) {
		return once(ctx, a, "create-assessment", in.Keyed, in, func(ctx context.Context) (assessment, error) {
			out, err := a.service.CreateAssessment(ctx, actor, in.Body.platform())
			return toAssessment(out), err
		})
	})
	a.oneAssessment()
}

func (a *API) oneAssessment() {
	add(a, route{
		id: "get-assessment", method: http.MethodGet, path: "/assessments/{id}", use: service.ReadAssessments, tag: tagAssessments,
		summary: "Read an assessment, with its candidates by stage", tagged: true,
	}, func(ctx context.Context, actor service.Actor, in *struct {
		ByID
		Known
	}) (*Tagged[assessment], error) {
		view, err := a.service.Assessment(ctx, actor, in.ID)
		if err != nil {
			return nil, err
		}
		out := toAssessment(view.Assessment)
		out.Candidates = map[string]int{}
		for stage, n := range view.Counts {
			out.Candidates[string(stage)] = n
		}
		return tagged(in.Known, out)
	})
	add(a, route{
		id: "change-assessment", method: http.MethodPut, path: "/assessments/{id}", use: service.ChangeAssessment, tag: tagAssessments,
		summary: "Change an assessment", detail: "basedOn is the version that the change was made from; when there is a newer one the answer is 409.",
	}, func(ctx context.Context, actor service.Actor, in *struct {
		ByID
		Body struct {
			BasedOn  int      `json:"basedOn" minimum:"1"`
			Settings settings `json:"settings"`
		}
	}) (*Plain[assessment], error) {
		out, err := a.service.ChangeAssessment(ctx, actor, in.ID, in.Body.BasedOn, in.Body.Settings.platform())
		return &Plain[assessment]{Body: toAssessment(out)}, err
	})
	for _, archive := range []bool{true, false} {
		r := route{
			id: "restore-assessment", method: http.MethodPost, path: "/assessments/{id}/restore", use: service.ArchiveAssessment, tag: tagAssessments,
			summary: "Take an assessment out of the archive",
		}
		if archive {
			r.id, r.path, r.summary = "archive-assessment", "/assessments/{id}/archive", "Put an assessment into the archive"
			r.detail = "It takes no new invitations. What has begun goes on."
		}
		add(a, r, func(ctx context.Context, actor service.Actor, in *struct {
			ByID
			Keyed
		}) (*Done, error) {
			return onceDone(ctx, a, r.id, in.Keyed, in, func(ctx context.Context) error {
				return a.service.ArchiveAssessment(ctx, actor, in.ID, archive)
			})
		})
	}
	add(a, route{
		id: "export-results", method: http.MethodGet, path: "/assessments/{id}/export", use: service.ExportResults, tag: tagAssessments,
		summary: "Export an assessment's candidates: all, or those that a list would have", media: "application/json,text/csv",
	}, func(ctx context.Context, actor service.Actor, in *struct {
		ByID
		Narrowing
		Format service.Format `query:"format" enum:"json,csv" doc:"json unless set."`
	}) (*File, error) {
		f, err := in.filter()
		if err != nil {
			return nil, err
		}
		format, media := service.JSON, "application/json"
		if in.Format == service.CSV {
			format, media = service.CSV, "text/csv; charset=utf-8"
		}
		return a.written(media, "results."+string(format), func(to io.Writer) error {
			return a.service.ExportResults(ctx, actor, in.ID, f, in.Sort, format, to)
		}), nil
	})
}
