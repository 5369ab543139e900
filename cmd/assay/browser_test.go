//go:build integration

package main

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/browsertest"
	"github.com/assay-run/assay/internal/report/reporttest"
)

// Texts of reporttest's reports.
const (
	passes = "The numbers are right, memory stays flat, and it answers while it works."
	fails  = "The numbers are right, but nobody gets an answer while it counts."
)

// The whole way of a hiring team and three candidates, in Chromium at the width of a desk, against a server that differs from a
// real one in its grader alone: it writes reports that were made before.
func TestTheWayInABrowser(t *testing.T) {
	t.Parallel()
	s := newStage(t, browsertest.Look{Width: 1280})
	team := s.owner("Acme", "Olga Owner")
	assessment := s.assessment(team, "Backend engineer", "Engineer", "We are glad.\nOlga")
	link := s.invited(team, assessment, "Ann Example", "ann@x.example")
	links := s.invitedByList(team, assessment)
	header, text := s.mailTo("ann@x.example")
	assert.Contains(t, header.Get("Subject"), "Acme")
	assert.Contains(t, text, link+"\n", "the mail has the link of the page")

	ann := s.started(link)
	work := s.downloads(ann)
	s.refusedUpload(ann)
	s.dryRun(ann, work)
	s.moreTime(team, assessment, ann)
	anns := s.finals(team, assessment, ann, work, links["Bob"])
	s.review(team, assessment, anns)
	s.withdrawn(links["Cleo"])
	s.quiet(team, "422")
	s.quiet(ann, "422")
}

// invitedByList uploads two lists, of which the first has a mistake, and gives the links by name.
func (s *stage) invitedByList(team *browsertest.Tab, assessment string) map[string]string {
	t := s.t
	t.Helper()
	team.Open(assessment + "/invite")
	list := filepath.Join(t.TempDir(), "people.csv")
	give := func(body string) {
		require.NoError(t, os.WriteFile(list, []byte(body), 0o600))
		team.Attach("#f-csv", list)
		team.Follow("button", "Check and invite")
	}
	give("name,email\nBob,bob@x.example\nCleo,nowhere\n")
	team.Text("One line of the file needs mending", "2 lines were read. Nobody was invited.")
	give("name,email,extra_percent\nBob,bob@x.example,\nCleo,cleo@x.example,25\n")
	team.Text("2 candidates were invited")
	out := map[string]string{}
	for _, line := range browsertest.Eval[[][2]string](team, `[...document.querySelectorAll('.made li')].map(l => [l.querySelector('b').textContent, l.querySelector('code').textContent])`) {
		out[line[0]] = line[1]
	}
	require.Len(t, out, 2)
	return out
}

// downloads takes brief and starter; the starter is what is handed in later.
func (s *stage) downloads(p *browsertest.Tab) (work string) {
	t := s.t
	t.Helper()
	name, brief := p.Download(func() { p.Click("a", "Download brief") })
	assert.Equal(t, "log-aggregate.md", name)
	assert.Contains(t, string(brief), "# ")
	name, starter := p.Download(func() { p.Click("a", "Download starter") })
	require.Equal(t, "log-aggregate.zip", name)
	z, err := zip.NewReader(bytes.NewReader(starter), int64(len(starter)))
	require.NoError(t, err)
	var names []string
	for _, f := range z.File {
		names = append(names, f.Name)
	}
	assert.Contains(t, names, "log-aggregate/assay.json")
	assert.Contains(t, names, "log-aggregate/BRIEF.md")
	work = filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(work, starter, 0o600))
	return work
}

// refusedUpload sends what is no archive.
func (s *stage) refusedUpload(p *browsertest.Tab) {
	s.t.Helper()
	wrong := filepath.Join(s.t.TempDir(), "notes.zip")
	require.NoError(s.t, os.WriteFile(wrong, []byte("I will do it tomorrow."), 0o600))
	upload(p, false, wrong)
	p.Text("One thing needs mending", `"notes.zip": it is neither a directory nor an archive`)
	p.Until(`document.querySelector('.problems a')?.getAttribute('href') === '#f-archive'`, "the problem leads to its field")
	p.Text("Nothing was counted. Mend it and send it again.")
}

// dryRun hands a dry run in and watches it, without ever loading the page again, until its report is there, and reads that.
func (s *stage) dryRun(p *browsertest.Tab, work string) {
	t := s.t
	t.Helper()
	s.next(reporttest.Blocked())
	p.Leave(func() { upload(p, false, work) })
	p.Text("It was received.")
	stay(p)
	g := s.grading()
	p.Text("being graded", "step 1")
	g.end()
	p.Text(fails, "Read the report")
	require.True(t, stayed(p), "the news came without loading the page again")
	task := browsertest.Eval[string](p, `location.href`)
	p.Follow("a", "Read the report")
	s.readReport(p, fails)
	p.Open(task)
}

// readReport looks at the page of a report: it is drawn, it has the files, and it is nobody's: no cookie, no origin.
func (s *stage) readReport(p *browsertest.Tab, headline string) {
	t := s.t
	t.Helper()
	p.Text(headline)
	assert.Equal(t, "null", browsertest.Eval[string](p, `self.origin`))
	assert.Equal(t, "SecurityError", browsertest.Eval[string](p, `(() => { try { return document.cookie } catch (e) { return e.name } })()`))
	if !s.look.NoScript {
		assert.Equal(t, 6, browsertest.Eval[int](p, `document.querySelectorAll('.uplot canvas').length`), "the curves of the first scenario are drawn")
	}
	for _, f := range reporttest.Grading().Submission.Files {
		assert.True(t, browsertest.Eval[bool](p, fmt.Sprintf(`document.body.textContent.includes(%q)`, f.Path)), "the file %s stands beside the evidence", f.Path)
	}
}

// moreTime gives half an hour more; the candidate sees it on the page that is open.
func (s *stage) moreTime(team *browsertest.Tab, assessment string, ann *browsertest.Tab) {
	t := s.t
	t.Helper()
	ann.Until(`/^1 h 1[0-4] min$/.test(document.querySelector('.clock .left').textContent)`, "the clock runs from 75 minutes")
	stay(ann)
	team.Open(assessment)
	team.Follow("a", "Ann Example")
	team.Fill("#f-minutes", "30")
	team.Fill("#f-extendReason", "A fire alarm")
	team.Follow("button", "Give more time")
	team.Text("The candidate has more time, and sees it at once.", "30 min: A fire alarm")
	ann.Until(`/^1 h 4[0-4] min$/.test(document.querySelector('.clock .left').textContent)`, "the clock of the page that is open has the extension")
	require.True(t, stayed(ann))
}

// finals hands in for two candidates. The team sees one being graded and the other in the queue, and both see their results come.
// first is the grading of Ann's.
func (s *stage) finals(team *browsertest.Tab, assessment string, ann *browsertest.Tab, work, bobs string) (first running) {
	t := s.t
	t.Helper()
	s.next(reporttest.Passing())
	ann.Leave(func() { upload(ann, true, work) })
	ann.Text("Being graded")
	stay(ann)
	first = s.grading()
	ann.Text("step 1")

	s.next(reporttest.Blocked())
	bob := s.started(bobs)
	bob.Leave(func() { upload(bob, true, archiveOf(t, "bob.zip", workFiles("Bob's"))) })
	bob.Text("Being graded", "in the queue", "Next in the queue")

	team.Open(assessment)
	const row = `[...document.querySelectorAll('#list tbody tr')].find(r => r.textContent.includes(%q))?.textContent.replace(/\s+/g, ' ') ?? ''`
	assert.Contains(t, browsertest.Eval[string](team, fmt.Sprintf(row, "Ann Example")), "0 of 1 challenge graded")
	assert.Contains(t, browsertest.Eval[string](team, fmt.Sprintf(row, "Bob")), "Next in the queue")
	assert.Contains(t, browsertest.Eval[string](team, fmt.Sprintf(row, "Cleo")), "invited")
	team.Follow("nav a", "Workers")
	team.Text("1 of 1 busy", "Ann Example", "step 1")

	first.end()
	ann.Text("You are done", "88 of 100", "You reached the pass mark.")
	require.True(t, stayed(ann), "the result came without loading the page again")
	ann.Follow("a", "Read the report")
	s.readReport(ann, passes)
	s.grading().end()
	bob.Text("You are done", "You did not reach the pass mark.")
	s.quiet(bob)
	return first
}

// review is what the team does with two candidates who are graded.
func (s *stage) review(team *browsertest.Tab, assessment string, anns running) {
	t := s.t
	t.Helper()
	team.Open(assessment)
	stay(team)
	const names = `[...document.querySelectorAll('#list tbody th')].map(n => n.textContent.match(/Ann|Bob|Cleo/)?.[0]).join(' ')`
	team.Choose("#f-sort", "score")
	team.Until(names+` === 'Ann Bob Cleo'`, "the best comes first")
	team.Fill("#f-min", "70")
	team.Click("button", "Apply")
	team.Until(names+` === 'Ann'`, "what is below is left out")
	require.True(t, stayed(team), "the list alone was changed")
	assert.Contains(t, browsertest.Eval[string](team, `location.search`), "min=70")
	team.Follow("a", "Show all")

	s.compared(team)
	team.Open(assessment)
	team.Follow("a", "Ann Example")
	candidate := browsertest.Eval[string](team, `location.href`)
	team.Follow("a.button", "Report")
	s.readReport(team, passes)
	team.Open(candidate)
	s.regraded(team, anns)

	team.Click("#f-outcome-advance", "")
	team.Fill("#f-reason", "Exact, and it goes on answering.")
	team.Follow("button", "Record decision")
	team.Text("The decision is recorded.", "“Exact, and it goes on answering.”", "Olga Owner")
	s.exported(team, assessment)
}

// compared puts the two who are graded side by side.
func (s *stage) compared(team *browsertest.Tab) {
	t := s.t
	t.Helper()
	for _, id := range browsertest.Eval[[]string](team, `[...document.querySelectorAll('input[name=attempt]')].map(n => n.id)`) {
		team.Click(`[id="`+id+`"]`, "")
	}
	team.Follow("button", "Compare chosen")
	team.Text("Side by side", "Clear difference", "Intervals overlap", "It answers while it works")
	assert.Equal(t, []string{"Ann Example", "Bob"}, browsertest.Eval[[]string](team, `[...document.querySelector('.sides').querySelectorAll('thead th')].map(n => n.textContent).sort()`))
	assert.True(t, browsertest.Eval[bool](team, `[...document.querySelector('.sides').querySelectorAll('.scale .range')].every(r => r.getBoundingClientRect().width > 0)`), "the intervals are drawn")
}

// regraded orders a regrade on the page of a candidate; the newer result counts.
func (s *stage) regraded(team *browsertest.Tab, first running) {
	t := s.t
	t.Helper()
	better := reporttest.Passing()
	better.Score, better.Interval.Low, better.Interval.High = 93, 90, 96
	s.next(better)
	team.Follow("button", "Regrade")
	team.Text("The submission is graded again.")
	g := s.grading()
	assert.NotEqual(t, first.task.Job, g.task.Job)
	assert.Equal(t, first.task.Digest, g.task.Digest, "it is the same submission")
	assert.Nil(t, g.task.Seed, "the grader draws a fresh one")
	g.end()
	s.reloadUntil(team, "93 of 100")
}

// reloadUntil loads a page again until it says something, for pages that do not change by themselves.
func (s *stage) reloadUntil(p *browsertest.Tab, words string) {
	s.t.Helper()
	for range 200 {
		p.Do(chromedp.Reload())
		if browsertest.Eval[bool](p, fmt.Sprintf(`document.body.innerText.replace(/\s+/g, ' ').includes(%q)`, words)) {
			return
		}
	}
	p.Text(words) // says what is there instead
}

// exported takes the results along, as a table and as data.
func (s *stage) exported(team *browsertest.Tab, assessment string) {
	t := s.t
	t.Helper()
	team.Open(assessment)
	name, body := team.Download(func() { team.Click("a", "CSV") })
	assert.Equal(t, "candidates.csv", name)
	rows, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
	require.NoError(t, err)
	assert.Len(t, rows, 4, "three candidates and the names of the columns")
	assert.Contains(t, string(body), "Ann Example")
	name, body = team.Download(func() { team.Click("a", "JSON") })
	assert.Equal(t, "candidates.json", name)
	var people []map[string]any
	require.NoError(t, json.Unmarshal(body, &people))
	assert.Len(t, people, 3)
	assert.Contains(t, string(body), `"advance"`)
}

// withdrawn is a candidate who looks, withdraws and has everything erased.
func (s *stage) withdrawn(link string) {
	t := s.t
	t.Helper()
	p := s.tab()
	p.Open(link)
	p.Text("Hello Cleo", "Your extra time of 25 % is in it.")
	p.Follow("a", "Withdraw or erase my data")
	p.Click("#f-sure", "")
	p.Click("#f-erase", "")
	p.Follow("button", "Withdraw")
	p.Text("Everything is erased")
	p.Open(link)
	p.Text("There is nothing here")
	s.quiet(p, "404")
}

// The essential paths of both sides on a phone that runs no script.
func TestTheWayWithoutScripts(t *testing.T) {
	t.Parallel()
	s := newStage(t, browsertest.Look{Width: 390, NoScript: true, Touch: true})
	team := s.owner("Acme", "Olga Owner")
	assessment := s.assessment(team, "Backend engineer", "Engineer", "We are glad.")
	ann := s.started(s.invited(team, assessment, "Ann Example", "ann@x.example"))
	task := browsertest.Eval[string](ann, `location.href`)

	wrong := filepath.Join(t.TempDir(), "notes.zip")
	require.NoError(t, os.WriteFile(wrong, []byte("I will do it tomorrow."), 0o600))
	ann.Leave(func() { upload(ann, false, wrong) })
	ann.Text("One thing needs mending", "Nothing was counted.")
	work := archiveOf(t, "ann.zip", workFiles("Ann's"))
	s.next(reporttest.Blocked())
	ann.Leave(func() { upload(ann, false, work) })
	ann.Text("It was received.")
	g := s.grading()
	ann.Follow("a", "Look for news")
	ann.Text("being graded")
	g.end()
	s.reloadUntil(ann, fails)
	ann.Follow("a", "Read the report")
	s.readReport(ann, fails)

	ann.Open(task)
	s.next(reporttest.Passing())
	ann.Leave(func() { upload(ann, true, work) })
	ann.Text("Being graded")
	g = s.grading()
	ann.Follow("a", "Look for news")
	g.end()
	s.reloadUntil(ann, "88 of 100")
	ann.Follow("a", "Read the report")
	s.readReport(ann, passes)

	bob := s.started(s.invited(team, assessment, "Bob", "bob@x.example"))
	s.next(reporttest.Blocked())
	bob.Leave(func() { upload(bob, true, archiveOf(t, "bob.zip", workFiles("Bob's"))) })
	s.grading().end()
	s.reloadUntil(bob, "You did not reach the pass mark.")

	team.Open(assessment)
	team.Choose("#f-sort", "score")
	team.Follow("button", "Apply")
	assert.Less(t, strings.Index(browsertest.Eval[string](team, `document.body.innerText`), "Ann Example"),
		strings.Index(browsertest.Eval[string](team, `document.body.innerText`), "Bob"), "the best comes first")
	s.compared(team)
	team.Open(assessment)
	team.Follow("a", "Ann Example")
	candidate := browsertest.Eval[string](team, `location.href`)
	team.Follow("a.button", "Report")
	s.readReport(team, passes)
	team.Open(candidate)
	team.Click("#f-outcome-hold", "")
	team.Fill("#f-reason", "A second look.")
	team.Follow("button", "Record decision")
	team.Text("The decision is recorded.", "“A second look.”")

	cleo := s.invited(team, assessment, "Cleo", "cleo@x.example")
	p := s.tab()
	p.Open(cleo)
	p.Follow("a", "Withdraw or erase my data")
	p.Click("#f-sure", "")
	p.Follow("button", "Withdraw")
	p.Text("You have withdrawn")
	for _, p := range []*browsertest.Tab{team, ann, bob, p} {
		s.quiet(p, "422")
	}
}
