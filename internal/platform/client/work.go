package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/assay-run/assay/internal/platform"
)

// Invitation is how everything stands for a candidate.
type Invitation struct {
	Organization string `json:"organization"`
	Assessment   struct {
		Name       string `json:"name"`
		Challenges []struct {
			ID      string `json:"id"`
			Version int    `json:"version"`
		} `json:"challenges"`
	} `json:"assessment"`
	Attempt *struct {
		Number int                   `json:"number"`
		State  platform.AttemptState `json:"state"`
		EndsAt *time.Time            `json:"endsAt"`
		Paused bool                  `json:"paused"`
	} `json:"attempt"`
	Now time.Time `json:"now"`
}

// Submission is something that was handed in.
type Submission struct {
	ID          platform.ID `json:"id"`
	ChallengeID string      `json:"challengeId"`
	Intake      struct {
		Accepted bool     `json:"accepted"`
		Digest   string   `json:"digest"`
		Files    int      `json:"files"`
		Problem  string   `json:"problem"`
		Notes    []string `json:"notes"`
	} `json:"intake"`
}

// Grading is how a grading stands.
type Grading struct {
	ID           platform.ID       `json:"id"`
	SubmissionID platform.ID       `json:"submissionId"`
	State        platform.JobState `json:"state"`
	Over         bool              `json:"over"`
	Why          string            `json:"why"`
	Progress     string            `json:"progress"`
	Ahead        int               `json:"ahead"`
}

// HandedIn is what became of an upload.
type HandedIn struct {
	Submission Submission `json:"submission"`
	Grading    *Grading   `json:"grading"` // nil when intake has refused it
	Complete   bool       `json:"complete"`
}

// Result is a result as far as its candidate may see it.
type Result struct {
	ID           platform.ID         `json:"id"`
	SubmissionID platform.ID         `json:"submissionId"`
	Sees         platform.Visibility `json:"sees"`
	Verdict      platform.Verdict    `json:"verdict"`
	Score        *float64            `json:"score"`
	Low          *float64            `json:"low"`
	High         *float64            `json:"high"`
	Headline     string              `json:"headline"`
	Report       bool                `json:"report"` // the whole one can be read
}

// Invitation asks how everything stands.
func (c *Client) Invitation(ctx context.Context) (Invitation, error) {
	return ask[Invitation](ctx, c, request{method: http.MethodGet, path: "/candidate/invitation"})
}

// Upload is a submission on its way.
type Upload struct {
	Challenge string
	Kind      platform.SubmissionKind
	FileName  string
	// Key is an idempotency key: however often the upload has to be sent, it is taken once.
	Key   string
	Bytes int64
	// Open opens the archive, once for each time that it is sent.
	Open func() (io.ReadCloser, error)
}

// Submit hands in. What intake refuses is no error: see HandedIn.Submission.Intake.
func (c *Client) Submit(ctx context.Context, up Upload) (HandedIn, error) {
	return ask[HandedIn](ctx, c, request{
		method: http.MethodPost, path: "/candidate/submissions", key: up.Key, body: up.Open, bytes: up.Bytes, within: uploadWithin,
		query: url.Values{"challenge": {up.Challenge}, "kind": {string(up.Kind)}, "fileName": {up.FileName}},
	})
}

// Grading asks how a grading stands.
func (c *Client) Grading(ctx context.Context, id platform.ID) (Grading, error) {
	return ask[Grading](ctx, c, request{method: http.MethodGet, path: "/candidate/gradings/" + url.PathEscape(string(id))})
}

// Results are those of the newest attempt, as far as the team shows them.
func (c *Client) Results(ctx context.Context) ([]Result, error) {
	out, err := ask[struct {
		Items []Result `json:"items"`
	}](ctx, c, request{method: http.MethodGet, path: "/candidate/results"})
	return out.Items, err
}

// Report writes the report of a result.
func (c *Client) Report(ctx context.Context, result platform.ID, to io.Writer) error {
	return c.send(ctx, request{
		method: http.MethodGet, path: "/candidate/results/" + url.PathEscape(string(result)) + "/report", within: uploadWithin,
		read: func(body io.Reader) error {
			n, err := io.Copy(to, io.LimitReader(body, maxReport+1))
			if err == nil && n > maxReport {
				err = fmt.Errorf("the report has more than %d bytes", maxReport)
			}
			if err != nil {
				return fmt.Errorf("read report: %w", err)
			}
			return nil
		},
	})
}

// How often a grading is looked at: soon after something has changed, then more and more seldom.
const (
	lookFirst  = time.Second
	lookSeldom = 15 * time.Second
)

// Follow looks at a grading until it is over. tell hears how it stands, whenever that has changed.
func (c *Client) Follow(ctx context.Context, id platform.ID, tell func(Grading)) (Grading, error) {
	wait := lookFirst
	var before Grading
	for {
		now, err := c.Grading(ctx, id)
		if err != nil {
			return before, err
		}
		if now != before {
			tell(now)
			wait = lookFirst
		}
		if now.Over {
			return now, nil
		}
		before = now
		if err := c.pause(ctx, wait); err != nil {
			return before, err
		}
		wait = min(wait*3/2, lookSeldom)
	}
}
