package web_test

import (
	"bytes"
	"context"
	"database/sql"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/internal/grading"
	"github.com/assay-run/assay/internal/intake"
	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/auth"
	"github.com/assay-run/assay/internal/platform/blob"
	"github.com/assay-run/assay/internal/platform/pages"
	"github.com/assay-run/assay/internal/platform/seal"
	"github.com/assay-run/assay/internal/platform/service"
	"github.com/assay-run/assay/internal/platform/store"
	"github.com/assay-run/assay/internal/platform/web"
	"github.com/assay-run/assay/internal/platform/web/httpbase"
	"github.com/assay-run/assay/internal/platform/worker"
	"github.com/assay-run/assay/internal/report/reporttest"
)

// bench is the whole of a server but its listener, on a database of its own, with a clock that the test moves.
type bench struct {
	t       *testing.T
	service *service.Service
	store   *store.Store
	worker  *worker.Worker
	server  *httptest.Server
	ending  chan struct{}

	mu    sync.Mutex
	now   time.Time
	score float64 // of the next grading
	log   bytes.Buffer
}

func (b *bench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

// Write keeps the log.
func (b *bench) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.Write(p)
}

func (b *bench) logged() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.String()
}

// Grade implements worker.Grader: it finds what the script says, and writes a real report.
func (b *bench) Grade(_ context.Context, t worker.Task) (worker.Outcome, error) {
	b.mu.Lock()
	score := b.score
	b.mu.Unlock()
	t.Progress("second of three phases")
	if err := grading.WriteFiles(t.Dir, reporttest.Grading(), reporttest.Blocked()); err != nil {
		return worker.Outcome{}, err
	}
	out := worker.Outcome{
		Report: filepath.Join(t.Dir, "report.json"), Evidence: filepath.Join(t.Dir, grading.EvidenceFile),
		Result: platform.Result{
			ChallengeDigest: "sha256:x", Verdict: platform.Passed, Score: score, Low: score - 4, High: score + 4, PassMark: 60, Headline: "It held up.",
			Codes: []string{"LOOP_BLOCKED"},
			Criteria: []platform.CriterionResult{
				{ID: "right", Title: "Results are right", Skill: "correctness", Assessed: true, Score: score / 100, Low: score/100 - .04, High: score/100 + .04, Points: score * .6, MaxPoints: 60, Weight: 60},
				{ID: "free", Title: "The loop stays free", Skill: "event-loop", Assessed: true, Score: score / 100, Low: score/100 - .04, High: score/100 + .04, Points: score * .4, MaxPoints: 40, Weight: 40},
			},
		},
	}
	if score < 60 {
		out.Result.Verdict = platform.Below
	}
	return out, nil
}

// idle is a queue that nobody listens to: the test calls the worker's turns.
type idle struct{}

func (idle) Enqueue(context.Context, *sql.Tx, platform.Job) error     { return nil }
func (idle) Deliver(ctx context.Context, _ int, _ func() error) error { <-ctx.Done(); return nil }
func (idle) Replenish(context.Context) (int, error)                   { return 0, nil }
func (b *bench) grade(score float64) {
	b.t.Helper()
	b.mu.Lock()
	b.score = score
	b.mu.Unlock()
	require.NoError(b.t, b.worker.Turn(b.t.Context()))
}

const (
	password  = "correct horse battery"
	setUpCode = "the code on the console"
)

func testChallenges() []*challenges.Challenge {
	modes := map[string]challenges.Mode{"quick": {Title: "Practice run"}, "standard": {Title: "Official run", Official: true}}
	return []*challenges.Challenge{
		{ID: "one", Version: 3, Title: "The first challenge", Minutes: 60, Level: "mid", Summary: "Do it.", Modes: modes, Files: fstest.MapFS{
			"brief.md": {Data: []byte("# The first challenge\n\nRead *this*.\n\n## What it does\n\n```\nnode main.mjs\n```\n\n<script>alert(1)</script>\n\n" +
				"[a link](https://example.org/x) [another](javascript:alert(2)) <b onclick=\"alert(3)\">bold</b>\n\n| a |  |\n|--:|---|\n| 1 | 2 |\n\n|  |  |\n|---|---|\n| 3 | 4 |\n")},
			"starter/package.json": {Data: []byte(`{"name":"starter"}`)}, "starter/src/main.mjs": {Data: []byte("// begin\n")},
		}},
		{ID: "two", Version: 1, Title: "The second challenge", Minutes: 30, Level: "mid", Summary: "Do that.", Modes: modes, Files: fstest.MapFS{
			"brief.md": {Data: []byte("# Two\n\nText.\n")}, "starter/a.mjs": {Data: []byte("//\n")},
		}},
	}
}

func newBench(t *testing.T, change ...func(*web.Options)) *bench {
	t.Helper()
	b := &bench{t: t, now: time.Now().UTC().Truncate(time.Millisecond), ending: make(chan struct{})}
	var err error
	b.store, err = store.Open(t.Context(), store.Options{Address: filepath.Join(t.TempDir(), "assay.db"), Now: b.clock})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.store.Close()) })
	files, err := blob.OpenFiles(t.TempDir(), b.clock())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, files.Close()) })
	box, err := seal.New(bytes.Repeat([]byte{1}, seal.KeyBytes))
	require.NoError(t, err)
	passwords, err := auth.NewPasswords(auth.Cost{MemoryKiB: 64, Iterations: 1}, 2)
	require.NoError(t, err)
	limits := intake.DefaultLimits()
	limits.ArchiveBytes = 1 << 20
	b.service, err = service.New(service.Options{
		Store: b.store, Blobs: files, Passwords: passwords, Sealer: box, ResetKey: bytes.Repeat([]byte{2}, 32), SetUpToken: setUpCode,
		EraseFolder: func(ctx context.Context, prefix string) (int, error) { return blob.Erase(ctx, files, prefix) },
		Challenges:  testChallenges(), Now: b.clock, TempDir: t.TempDir(), Intake: limits,
	})
	require.NoError(t, err)
	log := slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}))
	b.worker, err = worker.New(worker.Options{Store: b.store, Queue: idle{}, Blobs: files, Grader: b, Log: log, Ended: b.service.GradingMoved})
	require.NoError(t, err)
	texts, err := pages.New()
	require.NoError(t, err)
	b.server = httptest.NewUnstartedServer(nil)
	address := "http://" + b.server.Listener.Addr().String()
	opts := web.Options{
		Service: b.service, Pages: texts, Sessions: auth.NewSessions(b.store.Sessions(), false), URL: address, NeedsCode: true, Now: b.clock,
		HTTP: httpbase.Options{Log: log, Burst: 1_000_000}, Ending: b.ending, NewsEvery: 5 * time.Millisecond,
		Cancelled: b.worker.LookAgain,
	}
	for _, c := range change {
		c(&opts)
	}
	site, err := web.New(opts)
	require.NoError(t, err)
	b.server.Config.Handler, err = site.Handler()
	require.NoError(t, err)
	b.server.Start()
	t.Cleanup(b.server.Close)
	return b
}

// browser is a browser without a script: it follows redirects, keeps cookies, and sends the forms that it is shown.
type browser struct {
	t    *testing.T
	base string
	http *http.Client
}

func (b *bench) browser() *browser {
	jar, err := cookiejar.New(nil)
	require.NoError(b.t, err)
	return &browser{t: b.t, base: b.server.URL, http: &http.Client{Jar: jar}}
}

// shown is an answer.
type shown struct {
	status int
	path   string // where the redirects led, with its query
	body   string
	header http.Header
}

func (c *browser) do(r *http.Request) shown {
	c.t.Helper()
	out, err := c.http.Do(r)
	require.NoError(c.t, err)
	defer out.Body.Close()
	body, err := io.ReadAll(out.Body)
	require.NoError(c.t, err)
	return shown{out.StatusCode, out.Request.URL.RequestURI(), string(body), out.Header}
}

func (c *browser) get(path string) shown {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.base+strings.TrimPrefix(path, c.base), nil)
	require.NoError(c.t, err)
	return c.do(r)
}

func (c *browser) post(path string, values url.Values) shown {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.base+path, strings.NewReader(values.Encode()))
	require.NoError(c.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", c.base)
	return c.do(r)
}

// field is a part of a form with a file.
type field struct{ name, file, value string }

func (c *browser) send(path string, parts ...field) shown {
	c.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for _, p := range parts {
		var w io.Writer
		var err error
		if p.file != "" {
			w, err = form.CreateFormFile(p.name, p.file)
		} else {
			w, err = form.CreateFormField(p.name)
		}
		require.NoError(c.t, err)
		_, err = io.WriteString(w, p.value)
		require.NoError(c.t, err)
	}
	require.NoError(c.t, form.Close())
	r, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.base+path, &body)
	require.NoError(c.t, err)
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("Origin", c.base)
	return c.do(r)
}

// form finds the form of a page that is sent to a path whose end is given, and what is filled in.
func (s shown) form(t *testing.T, end string) (action string, values url.Values) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(s.body))
	require.NoError(t, err)
	for n := range doc.Descendants() {
		if n.Data != "form" || attr(n, "method") != "post" || !strings.HasSuffix(attr(n, "action"), end) {
			continue
		}
		values = url.Values{}
		for in := range n.Descendants() {
			collect(in, values)
		}
		return attr(n, "action"), values
	}
	require.Fail(t, "no such form", "%s on %s:\n%s", end, s.path, s.body)
	return "", nil
}

// collect adds what a browser would send of an element.
func collect(n *html.Node, to url.Values) {
	name := attr(n, "name")
	switch {
	case name == "":
	case n.Data == "textarea":
		if n.FirstChild != nil {
			to.Set(name, n.FirstChild.Data)
		} else {
			to.Set(name, "")
		}
	case n.Data == "select":
		for o := range n.Descendants() {
			if o.Data == "option" && (!to.Has(name) || has(o, "selected")) {
				to.Set(name, attr(o, "value"))
			}
		}
	case n.Data == "input" && (attr(n, "type") == "checkbox" || attr(n, "type") == "radio"):
		if has(n, "checked") {
			to.Add(name, attr(n, "value"))
		}
	case n.Data == "input" && attr(n, "type") != "file":
		to.Set(name, attr(n, "value"))
	}
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, key string) bool {
	for _, a := range n.Attr {
		if a.Key == key {
			return true
		}
	}
	return false
}

// fill sends a form of a page with some fields changed; pairs are names and values.
func (c *browser) fill(on shown, end string, pairs ...string) shown {
	c.t.Helper()
	action, values := on.form(c.t, end)
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return c.post(action, values)
}

// ok requires that a page is there.
func (s shown) ok(t *testing.T) shown {
	t.Helper()
	require.Equal(t, http.StatusOK, s.status, "%s:\n%s", s.path, s.body)
	return s
}

// owner sets the installation up in a browser.
func (b *bench) owner() *browser {
	b.t.Helper()
	c := b.browser()
	page := c.get("/").ok(b.t)
	require.Equal(b.t, "/setup", page.path, "the first who comes is led to where it is set up")
	page = c.fill(page, "/setup", "code", setUpCode, "organisation", "Acme", "name", "Olga Owner", "email", "olga@acme.example", "password", password).ok(b.t)
	require.Equal(b.t, "/", page.path)
	return c
}

// signedIn sets the password of an account that has none yet, and signs in.
func (b *bench) signedIn(email string) *browser {
	b.t.Helper()
	ctx := b.t.Context()
	passwords, err := auth.NewPasswords(auth.Cost{MemoryKiB: 64, Iterations: 1}, 1)
	require.NoError(b.t, err)
	hash, err := passwords.Hash(ctx, password)
	require.NoError(b.t, err)
	require.NoError(b.t, b.store.Tx(ctx, func(tx *store.Tx) error {
		u, err := tx.UserByEmail(ctx, email)
		if err != nil {
			return err
		}
		return tx.SetPassword(ctx, u.ID, hash)
	}))
	c := b.browser()
	page := c.fill(c.get("/sign-in").ok(b.t), "/sign-in", "email", email, "password", password).ok(b.t)
	require.Equal(b.t, "/", page.path)
	return c
}

// stranger is the owner of another organisation.
func (b *bench) stranger() *browser {
	b.t.Helper()
	ctx := b.t.Context()
	require.NoError(b.t, b.store.Tx(ctx, func(tx *store.Tx) error {
		org, err := tx.CreateOrganization(ctx, "Elsewhere")
		if err != nil {
			return err
		}
		u, err := tx.CreateUser(ctx, platform.User{Name: "Eve", Email: "eve@elsewhere.example"})
		if err != nil {
			return err
		}
		return tx.AddMember(ctx, org.ID, u.ID, platform.Owner)
	}))
	return b.signedIn("eve@elsewhere.example")
}

// assessment makes an assessment of one challenge, and gives its path.
func (c *browser) assessment(pairs ...string) string {
	c.t.Helper()
	pairs = append([]string{"name", "Backend", "roleTitle", "Engineer", "use.one", "on", "timeLimit", "60", "passMark", "60"}, pairs...)
	page := c.fill(c.get("/assessments/new").ok(c.t), "/assessments/new", pairs...).ok(c.t)
	path, _, _ := strings.Cut(page.path, "?")
	return path
}

var orgOnPage = regexp.MustCompile(`name="org" value="(org_[0-9a-z]+)"`)

var linkOnPage = regexp.MustCompile(`http://[^<"\s]+/i/assay_inv_[A-Za-z0-9_-]+`)

// invited invites somebody to the assessment at a path, and gives the link.
func (c *browser) invited(assessment, name, email string) string {
	c.t.Helper()
	page := c.fill(c.get(assessment+"/invite").ok(c.t), "/invite", "name", name, "email", email).ok(c.t)
	link := linkOnPage.FindString(page.body)
	require.NotEmpty(c.t, link, page.body)
	return link
}

// begun is a candidate who has followed a link and started; base is the path of the own pages.
func (b *bench) begun(link string) (c *browser, base string) {
	b.t.Helper()
	c = b.browser()
	page := c.get(link).ok(b.t)
	page = c.fill(page, "/start", "consent", "on").ok(b.t)
	return c, page.path[:strings.Index(page.path, "/work")]
}

// handIn uploads to a task, in the order of the form's fields.
func (c *browser) handIn(task string, kind platform.SubmissionKind, body string) shown {
	c.t.Helper()
	parts := []field{{name: "kind", value: string(kind)}}
	if kind == platform.Final {
		parts = append(parts, field{name: "sure", value: "on"})
	}
	return c.send(task+"/submissions", append(parts, field{"archive", "work.zip", body})...)
}
