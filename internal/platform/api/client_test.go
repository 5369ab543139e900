package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/client"
	"github.com/assay-run/assay/internal/platform/service/servicetest"
)

// dial makes the assay command's client of a server that answers like the real one. before may break a request; what it answers is
// sent instead.
func (r *rig) dial(token string, before func(http.ResponseWriter, *http.Request) (done bool)) *client.Client {
	r.t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if before == nil || !before(w, q) {
			r.handler.ServeHTTP(w, q)
		}
	}))
	r.t.Cleanup(server.Close)
	c, err := client.New(client.Options{Server: server.URL, Token: token, Transport: server.Client().Transport, Pause: func(context.Context, time.Duration) error { return nil }})
	require.NoError(r.t, err)
	return c
}

func (r *rig) upload(kind platform.SubmissionKind, key string, archive []byte) client.Upload {
	return client.Upload{
		Challenge: "one", Kind: kind, FileName: "my work.zip", Key: key, Bytes: int64(len(archive)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil },
	}
}

// The whole way of `assay submit`, against the API itself.
func TestTheClientSpeaksThisAPI(t *testing.T) {
	r := newRig(t)
	p := r.invited(r.owner, r.assessment(r.owner), "ann")
	c := r.dial(p.token, nil)
	before, err := c.Invitation(t.Context())
	require.NoError(t, err)
	require.Nil(t, before.Attempt)
	require.Equal(t, []any{"Acme", "Backend", 1, "one", 3, r.clock()}, []any{
		before.Organization, before.Assessment.Name, len(before.Assessment.Challenges), before.Assessment.Challenges[0].ID, before.Assessment.Challenges[0].Version, before.Now,
	})
	r.start(&p)
	running, err := c.Invitation(t.Context())
	require.NoError(t, err)
	require.Equal(t, platform.AttemptRunning, running.Attempt.State)
	require.Equal(t, r.clock().Add(time.Hour), *running.Attempt.EndsAt)

	refused, err := c.Submit(t.Context(), r.upload(platform.DryRun, "k0", []byte("no archive")))
	require.NoError(t, err)
	require.False(t, refused.Submission.Intake.Accepted)
	require.NotEmpty(t, refused.Submission.Intake.Problem)
	require.Nil(t, refused.Grading)

	dry, err := c.Submit(t.Context(), r.upload(platform.DryRun, "k1", servicetest.Archive(t, "try")))
	require.NoError(t, err)
	require.True(t, dry.Submission.Intake.Accepted)
	require.Equal(t, 2, dry.Submission.Intake.Files)
	require.Equal(t, []any{platform.JobQueued, dry.Submission.ID, false}, []any{dry.Grading.State, dry.Grading.SubmissionID, dry.Complete})
	result := r.grade(r.owner.Org(), dry.Grading.ID, 70)
	var told []platform.JobState
	end, err := c.Follow(t.Context(), dry.Grading.ID, func(g client.Grading) { told = append(told, g.State) })
	require.NoError(t, err)
	require.Equal(t, []any{true, []platform.JobState{platform.JobGraded}}, []any{end.Over, told})
	results, err := c.Results(t.Context())
	require.NoError(t, err)
	require.Len(t, results, 1)
	require.Equal(t, []any{result, dry.Submission.ID, platform.SeesReport, platform.Passed, 70.0, "It held.", true},
		[]any{results[0].ID, results[0].SubmissionID, results[0].Sees, results[0].Verdict, *results[0].Score, results[0].Headline, results[0].Report})
	var report bytes.Buffer
	require.NoError(t, c.Report(t.Context(), result, &report))
	require.JSONEq(t, `{"report":true}`, report.String())

	final, err := c.Submit(t.Context(), r.upload(platform.Final, "k2", servicetest.Archive(t, "done")))
	require.NoError(t, err)
	require.True(t, final.Complete)
}

// An answer that got lost is asked for again under the same key, and nothing is taken twice.
func TestTheClientsKeysAreTheAPIs(t *testing.T) {
	r := newRig(t)
	p := r.invited(r.owner, r.assessment(r.owner), "ann")
	r.start(&p)
	lost := 0
	c := r.dial(p.token, func(_ http.ResponseWriter, q *http.Request) bool {
		if lost++; lost > 2 {
			return false
		}
		r.handler.ServeHTTP(httptest.NewRecorder(), q) // it is done, and nobody hears of it
		panic(http.ErrAbortHandler)
	})
	out, err := c.Submit(t.Context(), r.upload(platform.Final, "k", servicetest.Archive(t, "x")))
	require.NoError(t, err)
	require.True(t, out.Complete, "also when the attempt is over by now")
	require.Equal(t, 3, lost)
	stands, err := c.Invitation(t.Context())
	require.NoError(t, err)
	require.Equal(t, platform.AttemptGrading, stands.Attempt.State)
	type handed struct{ Submissions []any }
	require.Len(t, get[handed](r, "/api/v1/candidate/invitation", p.token).Submissions, 1)

	_, err = c.Submit(t.Context(), r.upload(platform.Final, "k", servicetest.Archive(t, "y")))
	var problem *client.ProblemError
	require.ErrorAs(t, err, &problem)
	require.Equal(t, []any{http.StatusConflict, platform.Conflict}, []any{problem.Status, problem.Code})
}

// What the API refuses reaches whoever called as it was said.
func TestTheClientReadsTheAPIsProblems(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		name  string
		token string
		do    func(*client.Client) error
		code  platform.Code
		want  int
	}{
		{"nonsense", platform.NewToken(platform.InvitationToken), func(c *client.Client) error { _, err := c.Invitation(t.Context()); return err }, platform.Unauthorised, 401},
		{"a team's token", w.team, func(c *client.Client) error { _, err := c.Results(t.Context()); return err }, platform.Forbidden, 403},
		{"another's grading", w.bob.token, func(c *client.Client) error { _, err := c.Grading(t.Context(), w.ann.job); return err }, platform.NotFound, 404},
		{"another's report", w.bob.token, func(c *client.Client) error { return c.Report(t.Context(), w.ann.result, io.Discard) }, platform.NotFound, 404},
		{"not started", w.cyd.token, func(c *client.Client) error {
			_, err := c.Submit(t.Context(), w.upload(platform.DryRun, "k", servicetest.Archive(t, "x")))
			return err
		}, platform.Conflict, 409},
		{"over", w.ann.token, func(c *client.Client) error {
			_, err := c.Submit(t.Context(), client.Upload{Challenge: "one", Kind: platform.Final, Open: w.upload(platform.Final, "", servicetest.Archive(t, "x")).Open, Bytes: int64(len(servicetest.Archive(t, "x")))})
			return err
		}, platform.Gone, 410},
		{"too large", w.bob.token, func(c *client.Client) error {
			_, err := c.Submit(t.Context(), w.upload(platform.DryRun, "k", bytes.Repeat([]byte("x"), maxUpload+1)))
			return err
		}, platform.Invalid, 422},
	} {
		err := tt.do(w.dial(tt.token, nil))
		var p *client.ProblemError
		require.ErrorAs(t, err, &p, tt.name)
		require.Equal(t, []any{tt.code, tt.want}, []any{p.Code, p.Status}, tt.name)
		require.NotEmpty(t, p.Detail, tt.name)
		require.NotEmpty(t, p.RequestID, tt.name)
		require.Equal(t, p.Detail, p.Error(), tt.name)
		text, err := json.Marshal(p)
		require.NoError(t, err)
		require.Contains(t, string(text), `"type":"about:blank"`, tt.name)
	}
}
