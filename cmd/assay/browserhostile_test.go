//go:build integration

package main

import (
	"fmt"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/browsertest"
	"github.com/assay-run/assay/internal/grading"
	"github.com/assay-run/assay/internal/report/reporttest"
)

// markup would run if it were not text. It has the marks that end attributes, elements, templates and mail headers.
const markup = `"><script>pwned=1</script><img src=x onerror=pwned=2> '{{.}} javascript:pwned=3 <boss@evil.example>,`

// hostileReport has texts of a submission's choice everywhere; what names and identifies things of ours stays.
func hostileReport(attack string) *grading.Report {
	r := reporttest.Diagnosed()
	kept := *r
	reporttest.Poison(r, attack)
	r.Schema = kept.Schema
	return r
}

// Nothing that others have typed, packed or printed acts on a page, breaks its layout, or gets into a mail's header.
func TestHostileTextsInABrowser(t *testing.T) {
	t.Parallel()
	s := newStage(t, browsertest.Look{Width: 320})
	team := s.owner("Acme"+markup, "Olga"+markup)
	assessment := s.assessment(team, "Backend"+markup, strings.Repeat("Unbreakable", 8)+markup, markup+"\n\n\nBcc: x@evil.example\nhttps://evil.example/i/assay_inv_x")
	links := map[string]string{"Ann": s.invited(team, assessment, "Ann"+markup, "ann@x.example")}
	s.hostileMail()
	s.hostileList(team, assessment)
	links["Bob"] = s.invited(team, assessment, strings.Repeat("W", 190), "bob@x.example")

	ann := s.tab()
	ann.Open(links["Ann"])
	s.harmless(ann)
	ann = s.started(links["Ann"])
	task := browsertest.Eval[string](ann, `location.href`)
	ann.Fill("#f-body", markup)
	ann.Text("Saved")
	s.hostileUploads(ann)
	reports := s.hostileReports(ann, task)
	bob := s.started(links["Bob"])
	bob.Leave(func() { upload(bob, true, archiveOf(t, "bob.zip", workFiles("Bob's"))) })
	s.grading().end()
	bob.Text("You are done")
	s.harmless(bob)

	team.Open(assessment)
	s.harmless(team)
	for _, id := range browsertest.Eval[[]string](team, `[...document.querySelectorAll('input[name=attempt]')].map(n => n.id)`) {
		team.Click(`[id="`+id+`"]`, "")
	}
	team.Follow("button", "Compare chosen")
	s.harmless(team)
	team.Open(assessment)
	team.Follow("a", "Ann")
	s.harmless(team)
	team.Click("#f-outcome-hold", "")
	team.Fill("#f-reason", markup)
	team.Follow("button", "Record decision")
	s.harmless(team)
	reports = append(reports, browsertest.Eval[[]string](team, `[...document.querySelectorAll('a[href$="/report"]')].map(n => n.href)`)...)
	for _, path := range []string{"/", "/audit", "/workers", "/people"} {
		team.Open(s.base + path)
		s.harmless(team)
	}
	for i, address := range reports {
		p := team
		if strings.Contains(address, "/my/") {
			p = ann
		}
		p.Open(address)
		browsertest.Eval[any](p, browsertest.OpenAll+"; null")
		require.Greater(t, browsertest.Eval[int](p, `document.querySelectorAll('section').length`), 1, "report %d is there", i)
		s.harmless(p)
	}
}

// harmless checks that nothing on the page has acted, nothing was asked of others, and that it is no wider than its window.
func (s *stage) harmless(p *browsertest.Tab) {
	t := s.t
	t.Helper()
	where := browsertest.Eval[string](p, `location.pathname`)
	assert.Equal(t, "undefined", browsertest.Eval[string](p, `typeof window.pwned`), where)
	assert.Zero(t, browsertest.Eval[int](p, `document.querySelectorAll('img, iframe, object, embed, script:not([src])').length
		- (self.origin === 'null' ? document.querySelectorAll('script:not([src])').length : 0)`), "%s: elements that nobody of us has put there", where)
	assert.Empty(t, p.Overflow(), where)
	assert.Zero(t, browsertest.Eval[int](p, `(document.body.innerText.match(/[\u202a-\u202e\u2066-\u2069\u0000-\u0008\u000e-\u001f]/g) ?? []).length`), "%s: signs that turn or control text", where)
	s.quiet(p, "422")
}

// hostileMail looks at the mail to Ann: her name and the assessment's are in it as text, and its headers are ours.
func (s *stage) hostileMail() {
	t := s.t
	t.Helper()
	header, text := s.mailTo("ann@x.example")
	to, err := header.AddressList("To")
	require.NoError(t, err)
	require.Len(t, to, 1)
	assert.Equal(t, "ann@x.example", to[0].Address)
	from, err := header.AddressList("From")
	require.NoError(t, err)
	require.Len(t, from, 1)
	assert.Equal(t, "assay@localhost", from[0].Address)
	for _, name := range []string{"Bcc", "Cc", "Reply-To"} {
		assert.Empty(t, header.Get(name), name)
	}
	assert.NotContains(t, header.Get("Subject"), "\n")
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "https://evil.example") || strings.HasPrefix(line, "Bcc") {
			assert.Fail(t, "a line of the team passes for one of ours", line)
		}
	}
	// Nothing else was sent to anybody.
	files, err := filepath.Glob(filepath.Join(s.dir, "outbox", "*.eml"))
	require.NoError(t, err)
	for _, name := range files {
		raw, err := os.Open(name)
		require.NoError(t, err)
		msg, err := mail.ReadMessage(raw)
		require.NoError(t, err)
		require.NoError(t, raw.Close())
		to, err := msg.Header.AddressList("To")
		require.NoError(t, err)
		assert.NotContains(t, fmt.Sprint(to), "evil.example>")
	}
}

// hostileList uploads names with line breaks and signs that turn text: nobody is invited.
func (s *stage) hostileList(team *browsertest.Tab, assessment string) {
	t := s.t
	t.Helper()
	list := filepath.Join(t.TempDir(), `"><img src=x onerror=pwned=4>.csv`)
	require.NoError(t, os.WriteFile(list, []byte("name,email\n\"Eve\r\nBcc: x@evil.example\",eve@x.example\nMal\u202elory,mallory@x.example\n"+
		"Trent,\"trent@x.example\r\nBcc: x@evil.example\"\n<script>pwned=5</script>,\"a@x.example,b@evil.example\"\n"), 0o600))
	team.Open(assessment + "/invite")
	team.Attach("#f-csv", list)
	team.Follow("button", "Check and invite")
	team.Text("4 lines of the file need mending", "Nobody was invited.")
	s.harmless(team)
}

// hostileUploads hands in archives whose own names and whose files' names are markup, turn text or break lines.
func (s *stage) hostileUploads(p *browsertest.Tab) {
	t := s.t
	t.Helper()
	wrong := filepath.Join(t.TempDir(), `"><img src=x onerror=pwned=6>`+"\u202e"+`.zip`)
	require.NoError(t, os.WriteFile(wrong, []byte("no archive"), 0o600))
	upload(p, false, wrong)
	p.Text("One thing needs mending")
	s.harmless(p)
	task := browsertest.Eval[string](p, `location.href.split('?')[0]`)
	answers := map[bool]int{}
	for _, name := range []string{markup, "a\u202egnp.mjs", "a\nBcc: b.mjs", "../../" + markup, strings.Repeat("W", 200)} {
		p.Open(task)
		files := workFiles("hostile")
		files["src/"+name] = "export {};\n"
		upload(p, false, archiveOf(t, "work.zip", files))
		// It is refused or taken: both must be a page that says so.
		p.Until(`document.querySelector('.problems') !== null || document.querySelector('.notice') !== null && document.readyState === 'complete'`, "there is an answer")
		taken := browsertest.Eval[bool](p, `document.querySelector('.notice') !== null`)
		answers[taken]++
		s.harmless(p)
		if taken {
			s.grading().end()
		}
	}
	require.Positive(t, answers[true], "something is taken")
	require.Positive(t, answers[false], "something is refused")
}

// hostileReports has gradings whose every text is an attack: one dry run, and the final one. It gives the reports' addresses.
func (s *stage) hostileReports(p *browsertest.Tab, task string) (addresses []string) {
	t := s.t
	t.Helper()
	s.next(hostileReport(strings.Join(reporttest.Attacks(), " ") + markup))
	p.Open(task)
	p.Leave(func() { upload(p, false, archiveOf(t, "ann.zip", workFiles("Ann's"))) })
	s.grading().end()
	p.Text("alert(1)")
	s.harmless(p)
	collect := func() {
		addresses = append(addresses, browsertest.Eval[[]string](p, `[...document.querySelectorAll('a[href$="/report"]')].map(n => n.href)`)...)
	}
	collect()
	p.Leave(func() { upload(p, true, archiveOf(t, "final.zip", workFiles("Ann's last"))) })
	s.grading().end()
	p.Text("You are done", "alert(1)")
	s.harmless(p)
	collect()
	require.GreaterOrEqual(t, len(addresses), 2)
	return addresses
}
