package web_test

import (
	"archive/zip"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/service/servicetest"
)

var submissionReport = regexp.MustCompile(`/submissions/sub_[0-9a-z]+/report`)

// The whole way of both sides, as a browser without a script goes it.
func TestTheWholeWay(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	team := b.owner()
	assessment := team.assessment("message", "We are glad.\nRobin", "contact", "hiring@acme.example", "visible", "report")
	require.Contains(t, team.get(assessment).body, "Backend")
	link := team.invited(assessment, "Ann Example", "ann@x.example")

	ann := b.browser()
	page := ann.get(link).ok(t)
	require.Regexp(t, `^/my/inv_[0-9a-z]{26}$`, page.path, "the token does not stay in the address")
	require.Contains(t, page.body, "Ann Example")
	require.Contains(t, page.body, "We are glad.")
	require.Contains(t, page.body, "Questions: hiring@acme.example.")
	again := ann.fill(page, "/start")
	require.Equal(t, http.StatusUnprocessableEntity, again.status)
	require.Contains(t, again.body, `href="#f-consent"`)
	page = ann.fill(page, "/start", "consent", "on").ok(t)
	require.Regexp(t, `/work/one$`, page.path)
	require.Contains(t, page.body, "The first challenge")
	require.Contains(t, page.body, "hiring@acme.example", "whom to ask while it runs")
	task := page.path

	page = ann.fill(page, "/draft", "body", "I would spill to disk.").ok(t)
	require.Contains(t, page.body, "I would spill to disk.")

	refused := ann.handIn(task, platform.DryRun, "no archive")
	require.Equal(t, http.StatusUnprocessableEntity, refused.status)
	require.Contains(t, refused.body, "neither a directory nor an archive")
	require.NotContains(t, refused.body, "assay-upload-", "where it lies on the server is nobody's business")

	page = ann.handIn(task, platform.DryRun, string(servicetest.Archive(t, "try"))).ok(t)
	require.Equal(t, task+"?done=handedin", page.path)
	require.Contains(t, page.body, "/cancel")
	b.grade(48)
	page = ann.get(task).ok(t)
	require.Contains(t, page.body, "It held up.")
	report := ann.get(submissionReport.FindString(page.body))
	require.True(t, strings.HasPrefix(report.path, "/sign-in"), "a candidate is not of the team")
	own := regexp.MustCompile(`/my/[a-z0-9_]+/submissions/sub_[0-9a-z]+/report`).FindString(page.body)
	report = ann.get(own).ok(t)
	requireSandbox(t, report)

	page = ann.handIn(task, platform.Final, string(servicetest.Archive(t, "done"))).ok(t)
	require.Regexp(t, `/result$`, page.path)
	require.Contains(t, page.body, "hiring@acme.example")
	b.pass(time.Minute)
	b.grade(82)
	page = ann.get(page.path).ok(t)
	require.Contains(t, page.body, "82")
	requireSandbox(t, ann.get(regexp.MustCompile(`/my/[a-z0-9_]+/submissions/sub_[0-9a-z]+/report`).FindString(page.body)).ok(t))

	bob, bobs := b.begun(team.invited(assessment, "Bob Example", "bob@x.example"))
	bob.handIn(bobs+"/work/one", platform.Final, string(servicetest.Archive(t, "bob's"))).ok(t)
	b.grade(55)

	b.review(team, assessment)
}

// review is what the team does with two candidates who are graded.
func (b *bench) review(team *browser, assessment string) {
	t := b.t
	t.Helper()
	list := team.get(assessment + "?sort=score").ok(t)
	require.Less(t, strings.Index(list.body, "Ann Example"), strings.Index(list.body, "Bob Example"), "the better one first")
	none := team.get(assessment + "?min=70").ok(t)
	require.Contains(t, none.body, "Ann Example")
	require.NotContains(t, none.body, "Bob Example")
	attempts := regexp.MustCompile(`value="(att_[0-9a-z]+)"`).FindAllStringSubmatch(list.body, -1)
	require.Len(t, attempts, 2)
	compared := team.get(assessment + "/compare?attempt=" + attempts[0][1] + "&attempt=" + attempts[1][1]).ok(t)
	require.Contains(t, compared.body, "The loop stays free")
	require.Contains(t, compared.body, "event loop")
	require.Contains(t, compared.body, "Clear difference")

	candidate := regexp.MustCompile(`/candidates/inv_[0-9a-z]+`).FindString(list.body)
	page := team.get(candidate).ok(t)
	require.Contains(t, page.body, "ann@x.example")
	requireSandbox(t, team.get(submissionReport.FindString(page.body)).ok(t))
	again := team.fill(page, "/decide", "outcome", "advance")
	require.Equal(t, http.StatusUnprocessableEntity, again.status)
	require.Contains(t, again.body, `href="#f-reason"`)
	page = team.fill(page, "/decide", "outcome", "advance", "reason", "Clear and calm.").ok(t)
	require.Contains(t, page.body, "Clear and calm.")
	require.Contains(t, page.body, "Olga Owner")

	page = team.fill(page, "/regrade").ok(t)
	require.Equal(t, candidate+"?done=regraded", page.path)
	b.grade(80)

	table := team.get(assessment + "/export/csv").ok(t)
	require.Equal(t, `attachment; filename="candidates.csv"`, table.header.Get("Content-Disposition"))
	rows, err := csv.NewReader(strings.NewReader(table.body)).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 3)
	var exported []struct {
		Name  string
		Score float64
	}
	require.NoError(t, json.Unmarshal([]byte(team.get(assessment+"/export/json").ok(t).body), &exported))
	require.Len(t, exported, 2)

	log := team.get("/audit?action=decide").ok(t)
	require.Contains(t, log.body, "attempt.decide")
	require.Contains(t, log.body, "<bdi>Ann Example</bdi></a>", "whom it was about, not an id alone")
	require.NotContains(t, log.body, "report.view")
	require.NotContains(t, b.logged(), "ann@x.example", "the server's log knows no candidate")
	require.NotContains(t, b.logged(), "assay_inv_")
}

// requireSandbox requires that a report is a document of its own origin that may do nothing but draw.
func requireSandbox(t *testing.T, s shown) {
	t.Helper()
	policies := s.header.Values("Content-Security-Policy")
	require.Len(t, policies, 1)
	require.True(t, strings.HasPrefix(policies[0], "sandbox allow-scripts;"), policies[0])
	require.NotContains(t, policies[0], "allow-same-origin")
	require.Contains(t, policies[0], "default-src 'none'")
	require.NotContains(t, policies[0], "unsafe-inline")
	require.Contains(t, s.body, "<!doctype html>")
}

func TestDownloads(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	team := b.owner()
	c, base := b.begun(team.invited(team.assessment(), "Ann", "ann@x.example"))
	page := c.get(base + "/work/one").ok(t)
	require.Contains(t, page.body, "<h3>What it does</h3>")
	require.NotContains(t, page.body, "alert(")
	require.NotContains(t, page.body, "javascript:")
	require.NotContains(t, page.body, "onclick")
	require.Contains(t, page.body, `<a href="https://example.org/x" rel="nofollow noreferrer">a link</a>`)
	require.Contains(t, page.body, `<pre tabindex="0"><code>node main.mjs`)
	require.Regexp(t, `<th align="right">a</th>\s*<td></td>`, page.body, "a column without a name has no heading")
	require.Equal(t, 1, strings.Count(page.body, "<thead>"), "nor has a table of such")
	brief := c.get(base + "/work/one/brief").ok(t)
	require.Contains(t, brief.body, "# The first challenge")
	require.Contains(t, brief.header.Get("Content-Disposition"), "attachment")
	starter := c.get(base + "/work/one/starter").ok(t)
	z, err := zip.NewReader(strings.NewReader(starter.body), int64(len(starter.body)))
	require.NoError(t, err)
	var names []string
	for _, f := range z.File {
		names = append(names, f.Name)
	}
	require.Equal(t, []string{"one/BRIEF.md", "one/package.json", "one/src/main.mjs"}, names)
	require.Equal(t, http.StatusNotFound, c.get(base+"/work/two/starter").status, "it is not in this assessment")
	require.Equal(t, http.StatusNotFound, c.get(base+"/work/..%2fone/brief").status)
	require.Equal(t, http.StatusNotFound, c.get(base+"/assay/..%2f..%2fetc%2fpasswd").status)

	var own struct{ Candidate struct{ Email string } }
	require.NoError(t, json.Unmarshal([]byte(c.get(base+"/data").ok(t).body), &own))
	require.Equal(t, "ann@x.example", own.Candidate.Email)
}

func TestNotesFromTwoWindows(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	team := b.owner()
	c, base := b.begun(team.invited(team.assessment(), "Ann", "ann@x.example"))
	first := c.get(base + "/work/one").ok(t)
	c.fill(first, "/draft", "body", "from the other window").ok(t)
	both := c.fill(first, "/draft", "body", "mine")
	require.Equal(t, http.StatusConflict, both.status)
	require.Contains(t, both.body, "from the other window")
	_, values := both.form(t, "/draft")
	require.Equal(t, "mine", values.Get("body"), "what was typed is not lost")
	saved := c.fill(both, "/draft").ok(t)
	require.Contains(t, saved.body, "mine")
	require.NotContains(t, saved.body, "from the other window")
}

func TestUploadsThatAreRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	team := b.owner()
	c, base := b.begun(team.invited(team.assessment(), "Ann", "ann@x.example"))
	task := base + "/work/one"
	for _, tt := range []struct {
		name  string
		parts []field
		want  int
		field string
	}{
		{"no file", []field{{name: "kind", value: "dry_run"}}, 422, "archive"},
		{"no archive", []field{{name: "kind", value: "dry_run"}, {"archive", "x.zip", "hello"}}, 422, "archive"},
		{"not sure", []field{{name: "kind", value: "final"}, {"archive", "x.zip", string(servicetest.Archive(t, "x"))}}, 422, "sure"},
		{"sure too late", []field{{name: "kind", value: "final"}, {"archive", "x.zip", string(servicetest.Archive(t, "x"))}, {name: "sure", value: "on"}}, 422, "sure"},
		{"no archive, final", []field{{name: "kind", value: "final"}, {name: "sure", value: "on"}, {"archive", "x.zip", "hello"}}, 422, "finalArchive"},
		{"no such kind", []field{{name: "kind", value: "exam"}, {"archive", "x.zip", string(servicetest.Archive(t, "x"))}}, 422, "archive"},
		{"too large", []field{{name: "kind", value: "dry_run"}, {"archive", "x.zip", strings.Repeat("x", 1<<20+1)}}, 422, "archive"},
		{"a long field", []field{{name: "kind", value: strings.Repeat("x", 5000)}}, 422, ""},
	} {
		got := c.send(task+"/submissions", tt.parts...)
		require.Equal(t, tt.want, got.status, tt.name)
		if tt.field != "" {
			require.Contains(t, got.body, `href="#f-`+tt.field+`"`, tt.name)
		}
		require.NotContains(t, got.body, "assay-upload-", "%s: where files are on the server is nobody's business", tt.name)
	}
	require.Equal(t, http.StatusUnprocessableEntity, c.post(task+"/submissions", nil).status, "a form without files")
	require.Equal(t, task, c.get(task+"/submissions").path, "whoever loads the page again is led back")
	c.handIn(task, platform.Final, string(servicetest.Archive(t, "a refused one does not stand in the way"))).ok(t)
}

func TestWithdrawAndErase(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	team := b.owner()
	link := team.invited(team.assessment(), "Ann", "ann@x.example")
	c, base := b.begun(link)
	page := c.get(base + "/withdraw").ok(t)
	require.Equal(t, http.StatusUnprocessableEntity, c.fill(page, "/withdraw").status)
	c.fill(page, "/withdraw", "sure", "on").ok(t)
	require.Equal(t, http.StatusGone, c.get(base).status)
	page = c.get(base + "/withdraw").ok(t)
	bye := c.fill(page, "/withdraw", "erase", "on").ok(t)
	require.Contains(t, bye.body, "Everything is erased")
	require.Equal(t, http.StatusNotFound, c.get(base).status, "the cookie is gone")
	require.Equal(t, http.StatusNotFound, c.get(link).status, "and so is the invitation")
}

func TestMoreTimeIsTold(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	team := b.owner()
	assessment := team.assessment()
	_, base := b.begun(team.invited(assessment, "Ann", "ann@x.example"))
	candidate := "/candidates/" + strings.TrimPrefix(base, "/my/")
	page := team.get(candidate).ok(t)
	wrong := team.fill(page, "/extend", "minutes", "many", "extendReason", "a fire alarm")
	require.Equal(t, http.StatusUnprocessableEntity, wrong.status)
	require.Contains(t, wrong.body, `href="#f-minutes"`)
	page = team.fill(page, "/extend", "minutes", "30", "extendReason", "a fire alarm").ok(t)
	require.Contains(t, page.body, "a fire alarm")
}
