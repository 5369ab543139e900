package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/client"
)

// server answers in order, and remembers what it was asked.
type server struct {
	mu      sync.Mutex
	answers []answer
	asked   []string // "GET /path?query KEY body"
	auth    []string
}

type answer struct {
	status int
	body   string
	header map[string]string
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("Idempotency-Key")+" "+string(body)))
	s.auth = append(s.auth, r.Header.Get("Authorization"))
	a := s.answers[0]
	if len(s.answers) > 1 {
		s.answers = s.answers[1:]
	}
	for k, v := range a.header {
		w.Header().Set(k, v)
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

// open starts a server and a client of it, whose pauses take no time and are told.
func open(t *testing.T, answers ...answer) (*client.Client, *server, *[]time.Duration) {
	t.Helper()
	s := &server{answers: answers}
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	pauses := &[]time.Duration{}
	c, err := client.New(client.Options{Server: web.URL + "/", Token: "assay_inv_x", Transport: web.Client().Transport, Pause: func(ctx context.Context, d time.Duration) error {
		*pauses = append(*pauses, d)
		return ctx.Err()
	}})
	require.NoError(t, err)
	return c, s, pauses
}

func upload() client.Upload {
	return client.Upload{
		Challenge: "log-aggregate", Kind: platform.DryRun, FileName: "my work.tar.gz", Key: "key-1", Bytes: 7,
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("archive")), nil },
	}
}

const taken = `{"submission": {"id": "sub_1", "challengeId": "log-aggregate", "intake": {"accepted": true, "files": 2, "notes": ["Left out: .git."]}},
	"grading": {"id": "job_1", "state": "queued", "ahead": 3}, "complete": false, "later": "is ignored"}`

func TestSubmit(t *testing.T) {
	t.Parallel()
	c, s, pauses := open(t, answer{status: 201, body: taken})
	out, err := c.Submit(t.Context(), upload())
	require.NoError(t, err)
	assert.Equal(t, []string{"POST /api/v1/candidate/submissions?challenge=log-aggregate&fileName=my+work.tar.gz&kind=dry_run key-1 archive"}, s.asked)
	assert.Equal(t, []string{"Bearer assay_inv_x"}, s.auth)
	assert.Equal(t, []any{platform.ID("sub_1"), true, []string{"Left out: .git."}, platform.ID("job_1"), 3, false},
		[]any{out.Submission.ID, out.Submission.Intake.Accepted, out.Submission.Intake.Notes, out.Grading.ID, out.Grading.Ahead, out.Complete})
	assert.Empty(t, *pauses)
}

// What may be over soon is sent again, whole and under the same key.
func TestSubmitAgain(t *testing.T) {
	t.Parallel()
	c, s, pauses := open(t,
		answer{status: 503, body: "a proxy's page"},
		answer{status: 429, body: `{"title": "Too Many Requests", "code": "rate_limited"}`, header: map[string]string{"Retry-After": "7"}},
		answer{status: 201, body: taken})
	_, err := c.Submit(t.Context(), upload())
	require.NoError(t, err)
	require.Len(t, s.asked, 3)
	for _, asked := range s.asked {
		assert.True(t, strings.HasSuffix(asked, "key-1 archive"), asked)
	}
	assert.Equal(t, []time.Duration{time.Second, 7 * time.Second}, *pauses)
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		last  answer
		says  string
		code  platform.Code
		asked int
	}{
		{"over", answer{status: 410, body: `{"title": "Gone", "detail": "This attempt is over.", "code": "gone", "status": 410}`}, "This attempt is over.", platform.Gone, 1},
		{"unknown token", answer{status: 401, body: `{"title": "Unauthorized", "detail": "This token is not valid.", "code": "unauthorised"}`}, "This token is not valid.", platform.Unauthorised, 1},
		{"broken", answer{status: 500, body: `{"title": "Internal", "detail": "Internal error.", "code": "internal", "requestId": "req_1"}`}, "Internal error. (req_1)", platform.Internal, 5},
		{"no server of ours", answer{status: 404, body: "<html>"}, "the server answers 404 Not Found", "", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, s, _ := open(t, tt.last)
			_, err := c.Submit(t.Context(), upload())
			var p *client.ProblemError
			require.ErrorAs(t, err, &p)
			assert.Equal(t, []any{tt.says, tt.code, tt.last.status}, []any{p.Error(), p.Code, p.Status})
			assert.Len(t, s.asked, tt.asked)
		})
	}
	c, s, _ := open(t, answer{status: 302, header: map[string]string{"Location": "https://elsewhere.example/"}})
	_, err := c.Invitation(t.Context())
	require.ErrorContains(t, err, "leads on to https://elsewhere.example/")
	assert.Len(t, s.asked, 1, "the token goes nowhere else")

	c, _, _ = open(t, answer{status: 200, body: "<html>"})
	_, err = c.Invitation(t.Context())
	require.ErrorContains(t, err, "see that it is an Assay server")
}

func TestServerIsAway(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.NotFoundHandler())
	web.Close()
	tries := 0
	c, err := client.New(client.Options{Server: web.URL, Token: "x", Pause: func(context.Context, time.Duration) error { tries++; return nil }})
	require.NoError(t, err)
	_, err = c.Invitation(t.Context())
	require.Error(t, err)
	assert.Equal(t, 4, tries)

	why := errors.New("changed my mind")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	_, err = c.Invitation(ctx)
	require.ErrorIs(t, err, why)
}

func TestFollow(t *testing.T) {
	t.Parallel()
	state := func(body string) answer { return answer{status: 200, body: body} }
	c, s, pauses := open(t,
		state(`{"id": "job_1", "state": "queued", "ahead": 2}`), state(`{"id": "job_1", "state": "queued", "ahead": 2}`),
		answer{status: 502}, // it is passing
		state(`{"id": "job_1", "state": "running", "progress": "run 1 of 9"}`), state(`{"id": "job_1", "state": "graded", "over": true}`))
	var told []platform.JobState
	end, err := c.Follow(t.Context(), "job_1", func(g client.Grading) { told = append(told, g.State) })
	require.NoError(t, err)
	assert.Equal(t, platform.JobGraded, end.State)
	assert.Equal(t, []platform.JobState{platform.JobQueued, platform.JobRunning, platform.JobGraded}, told, "what has not changed is not told again")
	assert.Equal(t, "GET /api/v1/candidate/gradings/job_1", s.asked[0])
	assert.Equal(t, []time.Duration{time.Second, 1500 * time.Millisecond, time.Second, time.Second}, *pauses, "more and more seldom, and soon again after a change")
}

func TestResults(t *testing.T) {
	t.Parallel()
	c, _, _ := open(t, answer{status: 200, body: `{"items": [{"id": "res_1", "submissionId": "sub_1", "sees": "report", "verdict": "pass", "score": 81.5, "report": true}]}`})
	out, err := c.Results(t.Context())
	require.NoError(t, err)
	require.Len(t, out, 1)
	require.NotNil(t, out[0].Score)
	assert.InDelta(t, 81.5, *out[0].Score, 0)

	c, s, _ := open(t, answer{status: 200, body: `{"schema": "assay.report/1"}`})
	var into strings.Builder
	require.NoError(t, c.Report(t.Context(), "res_1", &into))
	assert.JSONEq(t, `{"schema": "assay.report/1"}`, into.String())
	assert.Equal(t, []string{"GET /api/v1/candidate/results/res_1/report"}, s.asked)
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "assay.example", "ftp://assay.example", "https://", "https://me:secret@assay.example", "://"} {
		_, err := client.New(client.Options{Server: address})
		assert.Error(t, err, address)
	}
	for address, private := range map[string]bool{
		"https://assay.example": true, "http://assay.example": false, "http://127.0.0.1:8080": true, "http://[::1]:8080": true, "http://localhost": true,
		"http://localhost.example": false, "http://10.0.0.1": false,
	} {
		assert.Equal(t, private, client.Private(address), address)
	}
}
