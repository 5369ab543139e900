//go:build integration

package main

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/browsertest"
	"github.com/assay-run/assay/internal/grading"
	"github.com/assay-run/assay/internal/platform/worker"
	"github.com/assay-run/assay/internal/platform/worker/workertest"
	"github.com/assay-run/assay/internal/report/reporttest"
)

// stage is a server with one slot whose gradings begin and end when the test says so, and a browser that looks at it.
type stage struct {
	t    *testing.T
	dir  string // of the installation's data
	base string
	code string // for setting up
	b    *browsertest.Browser
	look browsertest.Look

	begun chan running

	mu     sync.Mutex
	report *grading.Report // of the gradings that begin
	all    []running       // that have begun
}

// running is a grading that waits for its end.
type running struct {
	task worker.Task
	over chan struct{}
	once *sync.Once
}

func (r running) end() { r.once.Do(func() { close(r.over) }) }

func newStage(t *testing.T, look browsertest.Look) *stage {
	s := &stage{t: t, dir: t.TempDir(), look: look, begun: make(chan running, 100), report: reporttest.Passing()}
	out, base, end := serving(t, s.dir, 1, &workertest.Grader{Script: s.script})
	t.Cleanup(end)
	t.Cleanup(s.endAll)
	s.base, s.code, s.b = base, setUpCode(t, out), browsertest.Start(t)
	return s
}

// script is called by one goroutine at a time.
func (s *stage) script(task worker.Task, _ int) workertest.Step {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := running{task, make(chan struct{}), &sync.Once{}}
	s.all = append(s.all, r)
	s.begun <- r
	return workertest.Step{Until: r.over, Report: s.report, Evidence: reporttest.Grading()}
}

// endAll lets every grading end that still waits, for a server that ends lets them.
func (s *stage) endAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.all {
		r.end()
	}
}

// next says what the gradings that begin from now on find.
func (s *stage) next(r *grading.Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report = r
}

// grading waits until a grading runs.
func (s *stage) grading() running {
	s.t.Helper()
	select {
	case r := <-s.begun:
		return r
	case <-time.After(time.Minute):
		require.Fail(s.t, "no grading begins")
		return running{}
	}
}

// tab is a window of somebody who has not been here yet.
func (s *stage) tab() *browsertest.Tab {
	s.t.Helper()
	p := s.b.Tab(s.t, s.base)
	p.See(s.look)
	return p
}

// quiet checks that a tab has had no error and no violation of the policy, and has asked nobody else. A browser also notes that a
// page came with the status of an error: those that the test has led to are named.
func (s *stage) quiet(p *browsertest.Tab, statuses ...string) {
	s.t.Helper()
	var found []string
	for _, problem := range p.Problems() {
		expected := false
		for _, status := range statuses {
			expected = expected || strings.HasPrefix(problem, "error: Failed to load resource: the server responded with a status of "+status+" ")
		}
		if !expected {
			found = append(found, problem)
		}
	}
	assert.Empty(s.t, found)
}

// owner sets the installation up and is its owner.
func (s *stage) owner(organisation, name string) *browsertest.Tab {
	s.t.Helper()
	p := s.tab()
	p.Open(s.base + "/")
	p.Text("Set up Assay")
	p.Fill("#f-code", s.code)
	p.Fill("#f-organisation", organisation)
	p.Fill("#f-name", name)
	p.Fill("#f-email", "olga@acme.example")
	p.Fill("#f-password", "correct horse battery")
	p.Follow("button", "Create organisation")
	p.Text("No assessment yet")
	return p
}

// assessment makes an assessment of one challenge and gives its address.
func (s *stage) assessment(p *browsertest.Tab, name, role, message string) string {
	s.t.Helper()
	p.Open(s.base + "/")
	p.Follow("a", "New assessment")
	p.Fill("#f-name", name)
	p.Fill("#f-roleTitle", role)
	p.Click(`[id="f-use.log-aggregate"]`, "")
	p.Choose("#f-mode", "quick") // the seed of a practice run is known to the script
	p.Fill("#f-timeLimit", "75")
	p.Fill("#f-passMark", "65")
	p.Click("#f-visible-report", "")
	p.Fill("#f-message", message)
	p.Follow("button", "Save")
	p.Text("Nobody is here yet")
	address, _, _ := strings.Cut(browsertest.Eval[string](p, `location.href`), "?")
	return address
}

// invited invites somebody by hand and gives the link that the page shows.
func (s *stage) invited(p *browsertest.Tab, assessment, name, email string) string {
	s.t.Helper()
	p.Open(assessment)
	p.Follow("a", "Invite candidates")
	p.Fill("#f-name", name)
	p.Fill("#f-email", email)
	p.Follow(`form[action$="/invite"] button`, "Invite")
	p.Text("One candidate was invited")
	return browsertest.Eval[string](p, `document.querySelector('#link-0').textContent`)
}

// mailTo waits for a mail to an address and gives its header and its text.
func (s *stage) mailTo(email string) (mail.Header, string) {
	s.t.Helper()
	var header mail.Header
	var text string
	require.Eventually(s.t, func() bool {
		files, err := filepath.Glob(filepath.Join(s.dir, "outbox", "*.eml"))
		require.NoError(s.t, err)
		for _, name := range files {
			raw, err := os.ReadFile(name)
			require.NoError(s.t, err)
			msg, err := mail.ReadMessage(bytes.NewReader(raw))
			require.NoError(s.t, err, "%s", raw)
			to, err := msg.Header.AddressList("To")
			require.NoError(s.t, err)
			if len(to) == 1 && to[0].Address == email {
				header, text = msg.Header, decoded(s.t, msg)
				return true
			}
		}
		return false
	}, time.Minute, 20*time.Millisecond, "a mail to %s", email)
	return header, text
}

// decoded is the text of a mail that has one part.
func decoded(t *testing.T, msg *mail.Message) string {
	t.Helper()
	kind, _, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	require.NoError(t, err)
	require.Equal(t, "text/plain", kind)
	body := io.Reader(msg.Body)
	switch strings.ToLower(msg.Header.Get("Content-Transfer-Encoding")) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	text, err := io.ReadAll(body)
	require.NoError(t, err)
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}

// started is a candidate who has followed a link, agreed and begun; the tab is on the page of the task.
func (s *stage) started(link string) *browsertest.Tab {
	s.t.Helper()
	p := s.tab()
	p.Open(link)
	p.Click("#f-consent", "")
	p.Follow("button", "Start")
	p.Text("Read the whole brief")
	return p
}

// upload hands a file in on the page of a task, for a dry run or for good. Where that leads to is for the caller to wait for.
func upload(p *browsertest.Tab, final bool, file string) {
	if final {
		p.Click("#f-sure", "")
		p.Attach("#f-finalArchive", file)
		p.Click("button", "Hand in for good")
		return
	}
	p.Attach("#f-archive", file)
	p.Click("button", "Start dry run")
}

// archiveOf writes a zip with files, by name.
func archiveOf(t *testing.T, name string, files map[string]string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	f, err := os.Create(file)
	require.NoError(t, err)
	z := zip.NewWriter(f)
	for path, text := range files {
		w, err := z.Create(path)
		require.NoError(t, err)
		_, err = io.WriteString(w, text)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	require.NoError(t, f.Close())
	return file
}

// workFiles are those of a submission that intake accepts; text makes it differ from others.
func workFiles(text string) map[string]string {
	return map[string]string{"assay.json": `{"challenge": "log-aggregate", "start": ["node", "main.mjs"]}`, "main.mjs": "// " + text + "\n"}
}

// stay marks a page; stayed says whether it is still that one, and nobody has loaded it again.
func stay(p *browsertest.Tab) { browsertest.Eval[any](p, `window.stayed = true; null`) }

func stayed(p *browsertest.Tab) bool { return browsertest.Eval[bool](p, `window.stayed === true`) }
