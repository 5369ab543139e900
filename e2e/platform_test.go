//go:build integration

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform/store/storetest"
)

// TestPlatformOnTheEngine is the platform as it is installed on several machines: a server, PostgreSQL, files that all share,
// and two workers in processes of their own, which grade on the engine. One is killed while it grades. Every candidate, who
// hands in with `assay submit`, gets the verdict of their own work, once.
func TestPlatformOnTheEngine(t *testing.T) {
	p := newPlace(t)
	work := t.TempDir()
	p.shell(work, "assay challenge new sums")
	p.env = append(p.env, "ASSAY_CHALLENGES="+filepath.Join(work, "sums"), "ASSAY_DATA_DIR="+t.TempDir(),
		"ASSAY_DATABASE="+storetest.Schema(t, os.Getenv("ASSAY_TEST_POSTGRES")), "ASSAY_SETUP_CODE=open-sesame")

	server := p.serve()
	team := server.setUp("open-sesame")
	var assessment struct{ ID string }
	team.ask(http.MethodPost, "/assessments", map[string]any{
		"name": "Sums", "mode": "quick", "attempts": 1, "passMark": 65, "visible": "report", "retentionDays": 30,
		"challenges": []map[string]any{{"id": "sums", "weight": 1}},
	}, &assessment)

	type candidate struct {
		solution string
		pass     bool
		submit   *process
		link     string
	}
	all := []*candidate{{solution: "reference", pass: true}, {solution: "flawed/forgets-negatives"}, {solution: "reference", pass: true}}
	for i, c := range all {
		var invited struct{ Token, Link string }
		team.ask(http.MethodPost, "/invitations", map[string]any{"assessmentId": assessment.ID, "invitee": map[string]any{"name": fmt.Sprint("Candidate ", i)}}, &invited)
		server.as(invited.Token).ask(http.MethodPut, "/candidate/attempts/1", map[string]any{"consent": "1"}, nil)
		c.link = filepath.Join(work, fmt.Sprint("link", i))
		require.NoError(t, os.WriteFile(c.link, []byte(invited.Link), 0o600))
	}

	first := p.worker("first")
	for _, c := range all {
		c.submit = p.start("submit", filepath.Join(work, "sums", "solutions", filepath.FromSlash(c.solution)), "--challenge", "sums", "--final", "--invitation-file", c.link)
	}
	first.running("candidate")
	second := p.worker("second")
	require.NoError(t, first.cmd.Process.Kill())

	for _, c := range all {
		code := c.submit.wait()
		t.Logf("%s:\n%s", c.solution, c.submit.text())
		assert.Equal(t, map[bool]int{true: 0, false: 1}[c.pass], code, c.solution)
	}
	var results struct {
		Items []struct {
			JobID   string
			Verdict string
		}
	}
	team.ask(http.MethodGet, "/results?assessment="+assessment.ID, nil, &results)
	verdicts := map[string]int{}
	for _, r := range results.Items {
		verdicts[r.Verdict]++
	}
	assert.Equal(t, map[string]int{"pass": 2, "fail": 1}, verdicts, "each was graded once")

	for _, a := range []*process{second, server.process} {
		require.NoError(t, a.cmd.Process.Signal(os.Interrupt))
		assert.Equal(t, 0, a.wait(), "%s", a.text())
	}
	assert.Contains(t, second.text(), "a job was taken from a silent worker")
	p.clean()
}

// start starts assay; what it says to people is kept.
func (p *place) start(args ...string) *process {
	p.t.Helper()
	a := &process{p: p, ended: make(chan struct{})}
	a.cmd, _, _ = p.command(args...)
	a.cmd.Stdout, a.cmd.Stderr = a, a
	require.NoError(p.t, a.cmd.Start())
	go func() {
		defer close(a.ended)
		_ = a.cmd.Wait()
	}()
	return a
}

// worker starts a worker and waits until it takes jobs.
func (p *place) worker(name string) *process {
	p.t.Helper()
	a := p.start("worker", "--name", name, "--slots", "1")
	a.says("a worker begins")
	return a
}

// installation is a server that runs, and somebody who asks it.
type installation struct {
	*process
	base  string
	token string
}

// serve starts a server without a worker of its own.
func (p *place) serve() *installation {
	p.t.Helper()
	p.env = append(p.env, "ASSAY_WORKER=off")
	a := p.start("serve", "--listen", "127.0.0.1:0")
	a.says("no worker in this process")
	base := regexp.MustCompile(`Assay is at (http://\S+)`).FindStringSubmatch(a.text())
	require.NotNil(p.t, base, "%s", a.text())
	return &installation{process: a, base: base[1]}
}

// as is the same server, asked with a token.
func (s *installation) as(token string) *installation {
	return &installation{process: s.process, base: s.base, token: token}
}

// setUp makes the owner and a token of the API, as people do in a browser.
func (s *installation) setUp(code string) *installation {
	t := s.p.t
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Jar: jar, Timeout: time.Minute}
	fill := func(path string, form url.Values) string {
		res, err := browser.PostForm(s.base+path, form)
		require.NoError(t, err)
		defer res.Body.Close()
		page, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, res.StatusCode, "%s", page)
		return string(page)
	}
	fill("/setup", url.Values{
		"code": {code}, "organisation": {"Acme"}, "name": {"Olga"}, "email": {"olga@acme.example"}, "password": {"correct horse battery"},
	})
	page := fill("/tokens", url.Values{"name": {"e2e"}, "scope": {"assessments:write", "assessments:read", "invitations:write", "results:read"}})
	token := regexp.MustCompile(`assay_api_[A-Za-z0-9_-]+`).FindString(page)
	require.NotEmpty(t, token, page)
	browser.CloseIdleConnections()
	return s.as(token)
}

// ask makes a request of the API and reads its answer.
func (s *installation) ask(method, path string, body, into any) {
	t := s.p.t
	t.Helper()
	var out bytes.Buffer
	if body != nil {
		require.NoError(t, json.NewEncoder(&out).Encode(body))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.base+"/api/v1"+path, &out)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+s.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Less(t, res.StatusCode, 300, "%s %s: %s", method, path, text)
	if into != nil {
		require.NoError(t, json.Unmarshal(text, into))
	}
}
