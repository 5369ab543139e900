//go:build integration

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/browsertest"
	"github.com/assay-run/assay/internal/report/reporttest"
)

// A candidate who has no mouse: from the link to the report, with Tab, Space and Enter. What a file chooser of the system does is
// done for them, once its field has the focus.
func TestTheWayByKeyboard(t *testing.T) {
	t.Parallel()
	s := newStage(t, browsertest.Look{Width: 1280})
	team := s.owner("Acme", "Olga Owner")
	link := s.invited(team, s.assessment(team, "Backend engineer", "Engineer", "We are glad."), "Ann Example", "ann@x.example")
	work := archiveOf(t, "ann.zip", workFiles("Ann's"))
	p := s.tab()
	p.Open(link)
	assert.Empty(t, p.FocusProblems(), "the invitation")
	p.TabTo("a.skip", "Skip to the content")
	p.Press(kb.Enter)
	p.Until(`document.activeElement?.id === 'main'`, "the content has the focus")
	p.TabTo("#f-consent", "I agree")
	p.Press(" ")
	p.TabTo("button", "Start")
	p.Leave(func() { p.Press(kb.Enter) })
	p.Text("Time left for all tasks")
	task := browsertest.Eval[string](p, `location.href`)
	assert.Empty(t, p.FocusProblems(), "the task")

	p.TabTo("summary", "Read the whole brief")
	p.Press(kb.Enter)
	p.Until(`document.querySelector('.brief').open`, "the brief is open")
	assert.Empty(t, p.FocusProblems(), "the task with its brief")
	p.TabTo("a", "Download starter")
	name, _ := p.Download(func() { p.Press(kb.Enter) })
	assert.Equal(t, "log-aggregate.zip", name)
	wrong := filepath.Join(t.TempDir(), "notes.zip")
	require.NoError(t, os.WriteFile(wrong, []byte("I will do it tomorrow."), 0o600))
	p.TabTo("#f-archive", "")
	p.Do(chromedp.SetUploadFiles(chromedp.CSS("#f-archive"), []string{wrong}))
	p.TabTo("button", "Start dry run")
	p.Press(kb.Enter)
	p.Until(`document.activeElement?.matches('.problems') === true`, "what is wrong has the focus")
	p.TabTo(".problems a", "notes.zip")
	p.Press(kb.Enter)
	p.Until(`document.activeElement?.id === 'f-archive'`, "the problem leads to its field")
	p.Do(chromedp.SetUploadFiles(chromedp.CSS("#f-archive"), []string{work}))
	p.TabTo("button", "Start dry run")
	p.Leave(func() { p.Press(kb.Enter) })
	g := s.grading()
	p.Text("step 1")
	p.TabTo("button", "Cancel")
	g.end()
	p.Text("Read the report")
	p.TabTo("a", "Read the report")
	p.Leave(func() { p.Press(kb.Enter) })
	s.readReport(p, passes)
	assert.Empty(t, p.FocusProblems(), "the report")

	p.Open(task)
	p.TabTo("#f-sure", "This is final")
	p.Press(" ")
	p.TabTo("#f-finalArchive", "")
	p.Do(chromedp.SetUploadFiles(chromedp.CSS("#f-finalArchive"), []string{work}))
	p.TabTo("button", "Hand in for good")
	p.Leave(func() { p.Press(kb.Enter) })
	s.grading().end()
	p.Text("88 of 100")
	assert.Empty(t, p.FocusProblems(), "the result")
	s.quiet(p, "422")
}

// The pages with what really stands in them, the briefs of all challenges among it: no violation, nothing wider than a phone, every
// stop of Tab seen.
func TestRealPagesAreAccessible(t *testing.T) {
	t.Parallel()
	s := newStage(t, browsertest.Look{Width: 1280})
	team := s.owner("Acme", "Olga Owner")
	team.Follow("a", "New assessment")
	team.Fill("#f-name", "All of them")
	for _, id := range browsertest.Eval[[]string](team, `[...document.querySelectorAll('input[name^="use."]')].map(n => n.id)`) {
		team.Click(`[id="`+id+`"]`, "")
	}
	team.Choose("#f-mode", "quick")
	team.Click("#f-visible-report", "")
	team.Follow("button", "Save")
	assessment := browsertest.Eval[string](team, `location.href.split('?')[0]`)
	ann := s.started(s.invited(team, assessment, "Ann Example", "ann@x.example"))
	tasks := browsertest.Eval[[]string](ann, `[...document.querySelectorAll('.tasknav a')].map(n => n.href)`)
	require.GreaterOrEqual(t, len(tasks), 6)
	s.next(reporttest.Blocked())
	ann.Open(s.base + browsertest.Eval[string](ann, `[...document.querySelectorAll('.tasknav a')].find(n => n.href.endsWith('/log-aggregate')).getAttribute('href')`))
	ann.Leave(func() { upload(ann, false, archiveOf(t, "ann.zip", workFiles("Ann's"))) })
	s.grading().end()
	ann.Text(fails)
	team.Open(assessment)
	team.Follow("a", "Ann Example")
	candidate := browsertest.Eval[string](team, `location.href`)
	report := browsertest.Eval[string](team, `[...document.querySelectorAll('a')].find(n => n.href.endsWith('/report')).href`)

	addresses := []string{assessment, assessment + "/edit", assessment + "/invite", candidate, report}
	for _, path := range []string{"/", "/assessments/new", "/people", "/tokens", "/webhooks", "/audit", "/workers"} {
		addresses = append(addresses, s.base+path)
	}
	for _, width := range []int64{1280, 390} {
		look := browsertest.Look{Width: width, Dark: width < 1000}
		s.seen(ann, look, tasks)
		s.seen(team, look, addresses)
	}
}

// seen looks at pages.
func (s *stage) seen(p *browsertest.Tab, look browsertest.Look, addresses []string) {
	s.t.Helper()
	p.See(look)
	for _, address := range addresses {
		p.Open(address)
		assert.Empty(s.t, p.Violations(), "%s, %+v", address, look)
		assert.Empty(s.t, p.Overflow(), "%s, %+v", address, look)
		assert.Empty(s.t, p.FocusProblems(), "%s, %+v", address, look)
		s.quiet(p)
	}
}
