package pages

import (
	"bytes"
	"flag"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

// go test ./internal/platform/pages -run TestWritePages -args -pages FOLDER
var folder = flag.String("pages", "", "where TestWritePages puts the pages, to be looked at")

func render(t *testing.T, p *Pages, name Name, model any) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, p.Render(&b, name, model), "%s", name)
	return b.String()
}

func TestWritePages(t *testing.T) {
	p, err := New()
	require.NoError(t, err)
	dir := *folder
	if dir == "" {
		dir = t.TempDir()
	}
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "assets"), 0o755))
	for _, a := range p.Assets() {
		require.NoError(t, os.WriteFile(filepath.Join(dir, a.Path), a.Bytes, 0o644))
	}
	written := map[string]bool{}
	for _, v := range demo() {
		file := strings.TrimSuffix(string(v.page)+"-"+v.label, "-") + ".html"
		require.False(t, written[file], file)
		written[file] = true
		s := strings.ReplaceAll(render(t, p, v.page, v.model), `"/assets/`, `"assets/`)
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(s), 0o644))
	}
	for name := range models() {
		assert.True(t, slices.ContainsFunc(demo(), func(v variant) bool { return v.page == name }), "no demo of %s", name)
	}
}

// every renders each page with an empty, a typical and a hostile model.
func every(t *testing.T, check func(t *testing.T, kind string, doc *html.Node)) {
	t.Helper()
	p, err := New()
	require.NoError(t, err)
	look := func(kind string, name Name, model any) {
		t.Run(string(name)+" "+kind, func(t *testing.T) {
			s := render(t, p, name, model)
			balanced(t, s)
			doc, err := html.Parse(strings.NewReader(s))
			require.NoError(t, err)
			check(t, kind, doc)
		})
	}
	for name, model := range empty() {
		look("empty", name, model)
	}
	for _, v := range demo() {
		look("typical "+v.label, v.page, v.model)
		look("hostile "+v.label, v.page, hostile(v.model))
	}
}

// empty is the least that each model may be: enumerations hold a value, everything else is zero.
func empty() map[Name]any {
	out := models()
	for _, v := range demo() {
		switch m := v.model.(type) {
		case Candidate:
			out[v.page] = Candidate{Stage: m.Stage}
		case Invitation:
			out[v.page] = Invitation{Visible: m.Visible}
		case Result:
			out[v.page] = Result{State: m.State}
		}
	}
	return out
}

const (
	markup = `"><script>alert(1)</script><img src=x onerror=alert(1)> ' {{.}} javascript:alert(1)`
	bidi   = "\u202eevil\u2066\u200f\u0000\u001b[31m"
)

// hostile replaces every plain string of a model, one different from the other.
func hostile(model any) any {
	v := reflect.New(reflect.TypeOf(model)).Elem()
	v.Set(reflect.ValueOf(model))
	n := 0
	poison(v, &n)
	return v.Interface()
}

func poison(v reflect.Value, n *int) {
	switch v.Kind() {
	case reflect.String:
		if v.Type() == reflect.TypeFor[string]() {
			*n++
			v.SetString(strconv.Itoa(*n) + markup + bidi + strings.Repeat("W", 300))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			// What is not anybody's text: a query that handlers make.
			if f := v.Type().Field(i); f.IsExported() && f.Name != "More" && f.Type != reflect.TypeFor[time.Time]() {
				poison(v.Field(i), n)
			}
		}
	case reflect.Pointer:
		if !v.IsNil() && v.Type() != reflect.TypeFor[*time.Location]() {
			fresh := reflect.New(v.Type().Elem())
			fresh.Elem().Set(v.Elem())
			poison(fresh.Elem(), n)
			v.Set(fresh)
		}
	case reflect.Slice:
		fresh := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(fresh, v)
		for i := range fresh.Len() {
			poison(fresh.Index(i), n)
		}
		if !v.IsNil() {
			v.Set(fresh)
		}
	case reflect.Map:
		fresh := reflect.MakeMap(v.Type())
		for it := v.MapRange(); it.Next(); {
			value := reflect.New(v.Type().Elem()).Elem()
			value.Set(it.Value())
			poison(value, n)
			fresh.SetMapIndex(it.Key(), value)
		}
		v.Set(fresh)
	}
}

// balanced checks that every element is closed where it should be: the parser would mend it without a word.
func balanced(t *testing.T, s string) {
	t.Helper()
	void := []string{"meta", "link", "input", "img", "br", "hr"}
	var open []string
	z := html.NewTokenizer(strings.NewReader(s))
	for {
		switch z.Next() {
		case html.ErrorToken:
			require.ErrorIs(t, z.Err(), io.EOF)
			assert.Empty(t, open, "left open")
			return
		case html.StartTagToken:
			if name, _ := z.TagName(); !slices.Contains(void, string(name)) {
				open = append(open, string(name))
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			require.NotEmpty(t, open, "</%s> closes nothing", name)
			require.Equal(t, open[len(open)-1], string(name), "inside %v", open)
			open = open[:len(open)-1]
		}
	}
}

func TestEveryPageIsWellFormedAndLabelled(t *testing.T) {
	t.Parallel()
	every(t, func(t *testing.T, _ string, doc *html.Node) {
		ids, labels := map[string]int{}, map[string]bool{}
		headings, mains, level := 0, 0, 0
		for n := range doc.Descendants() {
			if id := attr(n, "id"); id != "" {
				ids[id]++
			}
			switch n.Data {
			case "label":
				labels[attr(n, "for")] = true
				assert.NotEmpty(t, strings.TrimSpace(textOf(n)), "label")
			case "h1":
				headings++
			case "main":
				mains++
			}
			if n.Type == html.ElementNode && regexp.MustCompile(`^h[1-6]$`).MatchString(n.Data) {
				now := int(n.Data[1] - '0')
				assert.LessOrEqual(t, now, level+1, "heading %q skips a level", textOf(n))
				level = now
				assert.NotEmpty(t, strings.TrimSpace(textOf(n)), n.Data)
			}
		}
		assert.Equal(t, 1, headings, "h1")
		assert.Equal(t, 1, mains, "main")
		for id, times := range ids {
			assert.Equal(t, 1, times, "id %s", id)
		}
		for n := range doc.Descendants() {
			assertElement(t, n, ids, labels)
		}
	})
}

func assertElement(t *testing.T, n *html.Node, ids map[string]int, labels map[string]bool) {
	t.Helper()
	if n.Type != html.ElementNode {
		return
	}
	for _, a := range n.Attr {
		assert.False(t, strings.HasPrefix(a.Key, "on"), "inline handler %s", a.Key)
		assert.NotEqual(t, "style", a.Key, "inline style")
		switch a.Key {
		case "href", "src", "action":
			assert.False(t, strings.HasPrefix(strings.ToLower(a.Val), "javascript:"), a.Val)
			assert.Regexp(t, `^([/?#]|$)`, a.Val, "only the own server is asked")
			assert.NotRegexp(t, `^//`, a.Val)
		case "aria-labelledby", "aria-describedby", "data-copy":
			if a.Key == "data-copy" || !strings.Contains(a.Val, "alert(1)") { // an id with spaces is two names
				for _, id := range strings.Fields(a.Val) {
					assert.Equal(t, 1, ids[id], "%s refers to %s", a.Key, id)
				}
			}
		}
	}
	switch n.Data {
	case "style":
		assert.Fail(t, "inline style")
	case "script":
		assert.NotEmpty(t, attr(n, "src"), "inline script")
		assert.Nil(t, n.FirstChild)
	case "img":
		assert.Fail(t, "an image that nobody put there")
	case "input", "select", "textarea":
		if attr(n, "type") != "hidden" {
			assert.NotEmpty(t, attr(n, "id"))
			assert.True(t, labels[attr(n, "id")], "no label for %s", attr(n, "name"))
		}
	case "a", "button":
		assert.NotEmpty(t, strings.TrimSpace(textOf(n)), "%s without text", n.Data)
		if href := attr(n, "href"); strings.HasPrefix(href, "#") {
			assert.Equal(t, 1, ids[href[1:]], "link to %s", href)
		} else if n.Data == "a" {
			assert.NotEmpty(t, href, "link to nowhere: %s", textOf(n))
		}
	}
}

// TestTextsOfOthersAreHarmless finds what reorders or controls anywhere but in what people typed into a form.
func TestTextsOfOthersAreHarmless(t *testing.T) {
	t.Parallel()
	every(t, func(t *testing.T, kind string, doc *html.Node) {
		seen := false
		for n := range doc.Descendants() {
			if n.Type == html.TextNode && n.Parent.Data != "textarea" {
				seen = seen || strings.Contains(n.Data, "alert(1)")
				assert.False(t, strings.ContainsAny(n.Data, bidi[:3]+"\u2066\u200f\u001b"), "text %.80q", n.Data)
			}
			for _, a := range n.Attr {
				if a.Key == "aria-label" || a.Key == "title" || a.Key == "data-label" {
					assert.False(t, strings.ContainsAny(a.Val, bidi[:3]+"\u2066\u200f\u001b"), "%s %.80q", a.Key, a.Val)
				}
			}
		}
		if strings.HasPrefix(kind, "hostile") {
			assert.True(t, seen, "the poison is on the page, as text")
		}
	})
}

func TestEveryErrorIsLinkedToItsField(t *testing.T) {
	t.Parallel()
	p, err := New()
	require.NoError(t, err)
	for name, fields := range map[Name][]string{
		PageSetup: {"code", "organisation", "name", "email", "password"}, PageSignIn: {"email", "password"},
		PageAssessmentForm: {"name", "roleTitle", "challenges", "timeLimit", "deadline", "attempts", "passMark", "visible", "message", "retentionDays", "weight.log-aggregate", "mode"},
		PageInvite:         {"name", "email", "externalRef", "extraPercent", "csv"}, PagePeople: {"name", "email", "role", "organisation", "retentionDays"},
		PageTokens: {"name", "scope", "expires"}, PageWebhooks: {"url", "event"}, PageInvitation: {"consent"},
		PageWork: {"archive", "finalArchive", "sure", "body"}, PageWithdraw: {"sure", "erase"}, PageAssessment: {"q", "min"},
	} {
		i := slices.IndexFunc(demo(), func(v variant) bool { return v.page == name })
		m := reflect.New(reflect.TypeOf(demo()[i].model)).Elem()
		m.Set(reflect.ValueOf(demo()[i].model))
		form := Form{Values: map[string]string{"use.log-aggregate": "on"}, Errors: map[string]string{}, Order: fields}
		for _, f := range fields {
			form.Errors[f] = "Wrong: " + f
		}
		if name == PageAssessment {
			m.FieldByName("Filter").Set(reflect.ValueOf(CandidateFilter{form}))
		} else {
			m.FieldByName("Form").Set(reflect.ValueOf(form))
		}
		doc, err := html.Parse(strings.NewReader(render(t, p, name, m.Interface())))
		require.NoError(t, err)
		ids, links := map[string]bool{}, []string{}
		for n := range doc.Descendants() {
			ids[attr(n, "id")] = true
			if n.Data == "a" && strings.HasPrefix(attr(n, "href"), "#f-") {
				links = append(links, attr(n, "href")[1:])
			}
		}
		require.Len(t, links, len(fields), "%s", name)
		for i, f := range fields {
			assert.Equal(t, "f-"+f, links[i], "in the order of the page")
			assert.True(t, ids[links[i]], "%s: no field %s", name, f)
		}
	}
}

func TestPasswordsAreNotSentBack(t *testing.T) {
	t.Parallel()
	p, err := New()
	require.NoError(t, err)
	s := render(t, p, PageSignIn, SignIn{Passwords: true, Form: Form{Values: map[string]string{"email": "a@example.org", "password": "hunter2hunter2"}}})
	assert.Contains(t, s, "a@example.org")
	assert.NotContains(t, s, "hunter2")
}

func TestWithheldAndUnfinishedHaveNoNumber(t *testing.T) {
	t.Parallel()
	p, err := New()
	require.NoError(t, err)
	s := render(t, p, PageCandidate, Candidate{Stage: "review", Verdict: "withheld"})
	assert.Contains(t, s, "tampering")
	assert.NotContains(t, s, "<svg")
}

func TestRenderRefuses(t *testing.T) {
	t.Parallel()
	p, err := New()
	require.NoError(t, err)
	var b bytes.Buffer
	assert.ErrorContains(t, p.Render(&b, "nowhere", Home{}), "no such page")
	assert.ErrorContains(t, p.Render(&b, PageHome, Audit{}), "the model is pages.Audit, not pages.Home")
	assert.ErrorContains(t, p.Render(&b, PageCandidate, Candidate{Stage: "made up"}), "no such text")
	assert.Zero(t, b.Len(), "nothing of a broken page goes out")
}

func TestNavigationFollowsTheRole(t *testing.T) {
	t.Parallel()
	p, err := New()
	require.NoError(t, err)
	f := team(SectionHome)
	f.Role = "reviewer"
	s := render(t, p, PageHome, Home{Frame: f})
	assert.NotContains(t, s, `href="/audit"`)
	assert.NotContains(t, s, `href="/assessments/new"`)
	s = render(t, p, PageHome, Home{Frame: team(SectionHome)})
	assert.Contains(t, s, `href="/audit"`)
	assert.Contains(t, s, `href="/assessments/new"`)
}

// TestTokensAreThoseOfTheReport keeps the colours of the two pages the same.
func TestTokensAreThoseOfTheReport(t *testing.T) {
	t.Parallel()
	read := func(name string) map[string][]string {
		raw, err := os.ReadFile(name)
		require.NoError(t, err)
		out := map[string][]string{}
		for _, m := range regexp.MustCompile(`(?m)^\s+(--[a-z-]+): (.*);$`).FindAllStringSubmatch(string(raw), -1) {
			out[m[1]] = append(out[m[1]], m[2])
		}
		return out
	}
	ours, theirs := read("assets/assay.css"), read("../../report/assets/report.css")
	require.Len(t, theirs["--accent"], 2, "light and dark")
	for _, name := range []string{"--ink", "--soft", "--faint", "--line", "--paper", "--wash", "--accent", "--accent-wash", "--bad", "--note", "--sans", "--mono"} {
		assert.Equal(t, theirs[name], ours[name], name)
	}
}

func TestEveryTextIsUsed(t *testing.T) {
	t.Parallel()
	p, err := New()
	require.NoError(t, err)
	var source strings.Builder
	for _, glob := range []string{"templates/*.gohtml", "templates/base/*.gohtml", "*.go"} {
		names, err := fs.Glob(os.DirFS("."), glob)
		require.NoError(t, err)
		for _, n := range names {
			raw, err := os.ReadFile(n)
			require.NoError(t, err)
			source.Write(raw)
		}
	}
	// Keys that are put together from a state or the name of a field.
	made := regexp.MustCompile(`^(role|state|job|kind|sort|queue|outcome|visible|timeline|event|send|actor|error|nav|field|audit|invitation\.sees|result\.lead|result\.verdict|scope|did|tool)\.`)
	for key := range p.texts.texts {
		if !made.MatchString(key) {
			assert.Regexp(t, `["=]`+regexp.QuoteMeta(key)+`"`, source.String(), "text %s is shown nowhere", key)
		}
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

func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}
