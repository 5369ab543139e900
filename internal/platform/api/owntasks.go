package api

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/service"
)

// draft is the state of a candidate's work on one challenge.
type draft struct {
	ChallengeID string     `json:"challengeId"`
	Revision    int64      `json:"revision" doc:"The next save is based on it; 0: nothing was saved yet."`
	Body        string     `json:"body"`
	SavedAt     *time.Time `json:"savedAt,omitempty"`
}

func toDraft(d platform.Draft) draft {
	return draft{ChallengeID: d.ChallengeID, Revision: d.Revision, Body: d.Body, SavedAt: at(d.SavedAt)}
}

// OfChallenge names a challenge of the assessment.
type OfChallenge struct {
	Challenge string `path:"challenge" maxLength:"200" doc:"Its id."`
}

func (a *API) ownTasks() {
	add(a, route{
		id: "get-brief", method: http.MethodGet, path: "/candidate/challenges/{challenge}/brief", use: service.CandidateLook, tag: tagOwn,
		summary: "Download what is asked, once an attempt has begun", media: "text/markdown",
	}, func(ctx context.Context, actor service.Actor, in *OfChallenge) (*File, error) {
		c, err := a.service.OwnTask(ctx, actor, in.Challenge)
		if err != nil {
			return nil, err
		}
		text, err := service.Brief(c)
		if err != nil {
			return nil, err
		}
		return a.file(io.NopCloser(bytes.NewReader(text)), "text/markdown; charset=utf-8", c.ID+".md"), nil
	})
	add(a, route{
		id: "get-starter", method: http.MethodGet, path: "/candidate/challenges/{challenge}/starter", use: service.CandidateLook, tag: tagOwn,
		summary: "Download the files to begin with, the brief among them", detail: "An attempt must have begun.", media: "application/zip",
	}, func(ctx context.Context, actor service.Actor, in *OfChallenge) (*File, error) {
		files, err := a.service.OwnStarter(ctx, actor, in.Challenge)
		if err != nil {
			return nil, err
		}
		return a.written("application/zip", in.Challenge+".zip", func(to io.Writer) error { return service.WriteZip(to, in.Challenge, files) }), nil
	})
	add(a, route{
		id: "get-draft", method: http.MethodGet, path: "/candidate/drafts/{challenge}", use: service.CandidateLook, tag: tagOwn,
		summary: "Read what was saved of the work on a challenge",
	}, func(ctx context.Context, actor service.Actor, in *OfChallenge) (*Plain[draft], error) {
		out, err := a.service.OwnDraft(ctx, actor, in.Challenge)
		return &Plain[draft]{Body: toDraft(out)}, err
	})
	add(a, route{
		id: "save-draft", method: http.MethodPut, path: "/candidate/drafts/{challenge}", use: service.CandidateDraft, tag: tagOwn,
		summary: "Save the work on a challenge", detail: "It is not handed in by that. When a newer draft was saved meanwhile the answer is 409.",
	}, func(ctx context.Context, actor service.Actor, in *struct {
		OfChallenge
		Body struct {
			Revision int64  `json:"revision" minimum:"0" maximum:"9007199254740991" doc:"The one that this is based on; 0 for the first."`
			Body     string `json:"body" doc:"Text, 256 KiB at most."`
		}
	}) (*Plain[draft], error) {
		out, err := a.service.SaveDraft(ctx, actor, in.Challenge, in.Body.Revision, in.Body.Body)
		return &Plain[draft]{Body: toDraft(out)}, err
	})
}
