package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/intake"
	"github.com/assay-run/assay/internal/platform"
)

const testToken = platform.InvitationToken + "Abc-123_x"

// testPlatform is a server as `assay submit` sees it.
type testPlatform struct {
	t *testing.T
	// started says that there is an attempt. refuses is what intake says, state how the grading ends, result what is shown of
	// it, and report the report.
	started bool
	refuses string
	state   string
	result  map[string]any
	report  []byte

	mu       sync.Mutex
	requests []string
	digest   string // of what was handed in
}

func (p *testPlatform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	assert.NoError(p.t, err)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = append(p.requests, r.Method+" "+r.URL.Path)
	answer := func(status int, v any) {
		w.WriteHeader(status)
		assert.NoError(p.t, json.NewEncoder(w).Encode(v))
	}
	if r.Header.Get("Authorization") != "Bearer "+testToken {
		answer(401, map[string]any{"title": "Unauthorized", "detail": "This token is not valid.", "code": "unauthorised"})
		return
	}
	grading := map[string]any{"id": testJob, "submissionId": "sub_1", "state": "queued", "ahead": 1}
	switch r.URL.Path {
	case "/api/v1/candidate/invitation":
		out := map[string]any{"assessment": map[string]any{"name": "Backend", "challenges": []any{map[string]any{"id": "log-aggregate"}, map[string]any{"id": "other"}}}}
		if p.started {
			out["attempt"] = map[string]any{"number": 1, "state": "running"}
		}
		answer(200, out)
	case "/api/v1/candidate/submissions":
		p.requests[len(p.requests)-1] += " " + r.URL.Query().Get("kind") + " " + r.URL.Query().Get("challenge")
		p.digest = p.open(body)
		sub := map[string]any{"id": "sub_1", "intake": map[string]any{"accepted": p.refuses == "", "problem": p.refuses, "notes": []string{"Left out: .git."}}}
		if p.refuses != "" {
			grading = nil
		}
		answer(201, map[string]any{"submission": sub, "grading": grading})
	case "/api/v1/candidate/gradings/" + testJob:
		grading["state"], grading["over"], grading["why"] = p.state, true, "We could not grade this."
		answer(200, grading)
	case "/api/v1/candidate/results":
		answer(200, map[string]any{"items": []any{map[string]any{"id": "res_0", "submissionId": "sub_0"}, p.result}})
	case "/api/v1/candidate/results/res_1/report":
		_, _ = w.Write(p.report)
	default:
		answer(404, map[string]any{"title": "Not Found", "detail": "There is no " + r.URL.Path})
	}
}

// open takes an archive in as the server does.
func (p *testPlatform) open(archive []byte) string {
	name := filepath.Join(p.t.TempDir(), "archive")
	assert.NoError(p.t, os.WriteFile(name, archive, 0o600))
	sub, err := intake.Open(p.t.Context(), name, intake.Options{Challenge: "log-aggregate"})
	if !assert.NoError(p.t, err) {
		return ""
	}
	assert.NoError(p.t, sub.Close())
	return sub.Digest
}

const testJob = "job_01jdabcdefghjkmnpqrstvwxyz"

// submitting runs `assay submit` against a platform; "" of what stands for the link leaves it out.
func submitting(t *testing.T, p *testPlatform, link string, args ...string) (code int, out, errs string) {
	t.Helper()
	p.t = t
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	env := map[string]string{"NO_COLOR": "1"}
	if link != "" {
		env["ASSAY_INVITATION"] = strings.ReplaceAll(link, "SERVER", server.URL)
	}
	for i, arg := range args {
		args[i] = strings.ReplaceAll(arg, "SERVER", server.URL)
	}
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), append([]string{"submit"}, args...), func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		stdio{in: strings.NewReader(strings.ReplaceAll("SERVER/i/"+testToken+"\n", "SERVER", server.URL)), out: &stdout, err: &stderr})
	return code, stdout.String(), stderr.String()
}

// work is a submission on disk.
func work(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "assay.json"), []byte(`{"challenge": "log-aggregate", "start": ["node", "main.mjs"]}`), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.mjs"), []byte("console.log(1);\n"), 0o644))
	require.NoError(t, os.Mkdir(filepath.Join(dir, ".git"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".git", "config"), []byte("secret"), 0o644))
	return dir
}

const testLink = "SERVER/i/" + testToken

func TestSubmit(t *testing.T) {
	t.Parallel()
	score := func(verdict string, score float64) map[string]any {
		return map[string]any{"id": "res_1", "submissionId": "sub_1", "sees": "score", "verdict": verdict, "score": score, "low": score - 4, "high": score + 4, "headline": "It holds."}
	}
	for _, tt := range []struct {
		name   string
		p      *testPlatform
		args   []string
		code   int
		stdout string
		stderr string
	}{
		{"passes", &testPlatform{started: true, state: "graded", result: score("pass", 82)}, nil, 0, "pass, 82 of 100 (78–86)\n  It holds.\n", "a dry run of log-aggregate is handed in"},
		{"final", &testPlatform{started: true, state: "graded", result: score("fail", 40)}, []string{"--final"}, 1, "fail, 40 of 100", "your final submission of log-aggregate"},
		{"not shown", &testPlatform{started: true, state: "graded", result: map[string]any{"id": "res_1", "submissionId": "sub_1", "sees": "nothing"}}, nil, 0, "in another way", ""},
		{"a person looks", &testPlatform{started: true, state: "graded", result: map[string]any{"id": "res_1", "submissionId": "sub_1", "sees": "outcome", "verdict": "incomplete"}}, nil, 0, "A person looks at it", ""},
		{"our fault", &testPlatform{started: true, state: "failed"}, nil, 3, "", "Nothing was charged to you"},
		{"invalid", &testPlatform{started: true, state: "invalid"}, nil, 4, "", "We could not grade this."},
		{"cancelled", &testPlatform{started: true, state: "cancelled"}, nil, 1, "", "The grading is cancelled."},
		{"no wait", &testPlatform{started: true}, []string{"--no-wait"}, 0, "", "assay submit --follow " + testJob},
		{"refused at the door", &testPlatform{started: true, refuses: "the archive is too dense"}, nil, 2, "", "the server refuses it: the archive is too dense"},
		{"not started", &testPlatform{}, nil, 2, "", "you have not started yet"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := work(t)
			code, out, errs := submitting(t, tt.p, testLink, append([]string{dir}, tt.args...)...)
			assert.Equal(t, tt.code, code, errs)
			assert.Contains(t, out, tt.stdout)
			assert.Contains(t, errs, tt.stderr)
			assert.NotContains(t, out+errs, testToken, "the token is shown nowhere")
			if !tt.p.started {
				return
			}
			kind := "dry_run"
			if len(tt.args) > 0 && tt.args[0] == "--final" {
				kind = "final"
			}
			assert.Equal(t, "POST /api/v1/candidate/submissions "+kind+" log-aggregate", tt.p.requests[1])
			sub, err := intake.Open(t.Context(), dir, intake.Options{})
			require.NoError(t, err)
			defer sub.Close()
			assert.Equal(t, sub.Digest, tt.p.digest, "the server gets what intake takes here")
		})
	}
}

// A report that is shown is printed as that of assay run.
func TestSubmitShowsReport(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../internal/report/testdata/passing.json")
	require.NoError(t, err)
	p := &testPlatform{started: true, state: "graded", report: text, result: map[string]any{"id": "res_1", "submissionId": "sub_1", "sees": "report", "verdict": "pass", "report": true}}
	file := filepath.Join(t.TempDir(), "report.json")
	code, out, errs := submitting(t, p, testLink, work(t), "--report", file)
	assert.Equal(t, 0, code, errs)
	var rep struct{ Summary struct{ Headline string } }
	require.NoError(t, json.Unmarshal(text, &rep))
	assert.Contains(t, strings.Join(strings.Fields(out), " "), strings.Join(strings.Fields(rep.Summary.Headline), " "))
	kept, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(text), string(kept))
}

func TestSubmitFollows(t *testing.T) {
	t.Parallel()
	p := &testPlatform{started: true, state: "graded", result: map[string]any{"submissionId": "sub_1", "sees": "outcome", "verdict": "pass"}}
	code, out, errs := submitting(t, p, testLink, "--follow", testJob)
	assert.Equal(t, 0, code, errs)
	assert.Equal(t, "pass\n", out)
	assert.Equal(t, []string{"GET /api/v1/candidate/gradings/" + testJob, "GET /api/v1/candidate/results"}, p.requests)
}

func TestSubmitIsRefusedHere(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	for _, tt := range []struct {
		name   string
		link   string
		args   []string
		stderr string
		asked  int
	}{
		{"nothing", testLink, nil, "accepts 1 arg", 0},
		{"both", testLink, []string{"work", "--follow", testJob}, "takes no folder", 0},
		{"no grading", testLink, []string{"--follow", "sub_1"}, "not the id of a grading", 0},
		{"empty folder", testLink, []string{empty}, "no files", 0},
		{"no link", "hello", []string{work(t)}, "not the link of an invitation", 0},
		{"a token alone", testToken, []string{work(t)}, "add --server", 0},
		{"another server", testLink, []string{work(t), "--server", "https://assay.example"}, "not of https://assay.example", 0},
		{"in the clear", "http://assay.example/i/" + testToken, []string{work(t)}, "--plain-http", 0},
		{"no file", testLink, []string{work(t), "--invitation-file", filepath.Join(empty, "no")}, "--invitation-file", 0},
		{"another challenge", testLink, []string{work(t), "--challenge", "surge-pricing-cpu"}, "surge-pricing-cpu", 0},
		{"a wrong token", "SERVER/i/" + platform.InvitationToken + "wrong", []string{work(t)}, "This token is not valid.", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := &testPlatform{started: true}
			code, _, errs := submitting(t, p, tt.link, tt.args...)
			assert.Equal(t, exitUsage, code, errs)
			assert.Contains(t, errs, tt.stderr)
			assert.Len(t, p.requests, tt.asked)
		})
	}
}

// The link is taken from a file, or from what is typed or piped, where the environment has none.
func TestSubmitAsksForTheLink(t *testing.T) {
	t.Parallel()
	result := map[string]any{"submissionId": "sub_1", "sees": "outcome", "verdict": "pass"}
	code, out, errs := submitting(t, &testPlatform{started: true, state: "graded", result: result}, "", work(t))
	assert.Equal(t, []any{0, "pass\n"}, []any{code, out}, errs)

	file := filepath.Join(t.TempDir(), "link.txt")
	require.NoError(t, os.WriteFile(file, []byte("\n  "+testToken+"\n"), 0o600))
	code, out, errs = submitting(t, &testPlatform{started: true, state: "graded", result: result}, "", work(t), "--invitation-file", file, "--server", "SERVER")
	assert.Equal(t, []any{0, "pass\n"}, []any{code, out}, errs)
}

func TestReadInvitation(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]string{
		testToken:                              {"", testToken},
		"https://assay.example/i/" + testToken: {"https://assay.example", testToken},
		"https://assay.example/i/" + testToken + "?from=m": {"https://assay.example", testToken},
		"https://hr.example/assay/i/" + testToken + ".":    {"https://hr.example/assay", testToken},
	} {
		server, token, err := readInvitation(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, [2]string{server, token}, text)
	}
	for _, text := range []string{"", "https://assay.example/i/", "assay.example/i/" + testToken, "https://assay.example/x/" + testToken, "assay_api_x"} {
		_, _, err := readInvitation(text)
		assert.Error(t, err, text)
	}
}
