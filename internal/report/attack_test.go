package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	unsafe "github.com/yuin/goldmark/renderer/html"
	"golang.org/x/net/html"

	"github.com/assay-run/assay/internal/grading"
	"github.com/assay-run/assay/internal/report/reporttest"
)

func allReports() map[string]func() *grading.Report {
	return map[string]func() *grading.Report{"blocked": reporttest.Blocked, "oom": reporttest.OutOfMemory,
		"practice": reporttest.Practice, "invalid": reporttest.Invalid, "withheld": reporttest.Withheld, "diagnosed": reporttest.Diagnosed}
}

// poisoned calls check with every report and every attack in every text of it.
func poisoned(t *testing.T, makers map[string]func() *grading.Report,
	check func(t *testing.T, attack string, rep *grading.Report),
) {
	t.Helper()
	for i, attack := range reporttest.Attacks() {
		for name, maker := range makers {
			t.Run(fmt.Sprintf("%s/%d", name, i), func(t *testing.T) {
				t.Parallel()
				rep := maker()
				reporttest.Poison(rep, attack)
				check(t, attack, rep)
			})
		}
	}
}

func TestHTMLWithAttacks(t *testing.T) {
	t.Parallel()
	// These two have every part of the page.
	some := map[string]func() *grading.Report{"diagnosed": reporttest.Diagnosed, "oom": reporttest.OutOfMemory}
	poisoned(t, some, func(t *testing.T, attack string, rep *grading.Report) {
		ev := reporttest.DiagnosedGrading()
		ev.Attempts[0].Runs = ev.Attempts[0].Runs[:4] // enough for every part of the page
		reporttest.Poison(ev, attack)
		var b bytes.Buffer
		require.NoError(t, HTML(&b, rep, ev, Options{Recompute: attack}))
		assertInert(t, b.Bytes())
	})
}

// assertInert checks that a page has our two scripts and nothing else that could act, load or deceive.
func assertInert(t *testing.T, page []byte) {
	t.Helper()
	assert.True(t, safe(string(page)), "control or format characters in the page")
	root, err := html.Parse(bytes.NewReader(page))
	require.NoError(t, err)
	in, err := newInline()
	require.NoError(t, err)
	var scripts, styles []string
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "script":
			scripts = append(scripts, n.FirstChild.Data)
		case "style":
			styles = append(styles, n.FirstChild.Data)
		case "img", "iframe", "object", "embed", "form", "base", "template", "input", "button":
			t.Errorf("element %s in the page", n.Data)
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "src" || a.Key == "srcset" {
				t.Errorf("attribute %s in the page", a.Key)
			}
			if a.Key == "href" && !strings.HasPrefix(a.Val, "#") && a.Val != "data:," {
				t.Errorf("link to %s", a.Val)
			}
		}
	}
	require.Len(t, scripts, 2)
	assert.True(t, json.Valid([]byte(scripts[0])), "the data is JSON")
	assert.NotContains(t, scripts[0], "<")
	assert.Equal(t, string(in.Script), scripts[1])
	assert.Equal(t, []string{string(in.Style)}, styles)
}

func TestTerminalWithAttacks(t *testing.T) {
	t.Parallel()
	ours := regexp.MustCompile("\x1b\\[(?:[0-2]|31|36)m")
	poisoned(t, allReports(), func(t *testing.T, _ string, rep *grading.Report) {
		var plain, color bytes.Buffer
		require.NoError(t, Terminal(&plain, rep, 80, false))
		require.NoError(t, Terminal(&color, rep, 80, true))
		assert.True(t, safe(plain.String()))
		assert.Equal(t, plain.String(), ours.ReplaceAllString(color.String(), ""), "color only adds our styles")
	})
}

func TestMarkdownWithAttacks(t *testing.T) {
	t.Parallel()
	poisoned(t, allReports(), func(t *testing.T, _ string, rep *grading.Report) {
		var source, page bytes.Buffer
		require.NoError(t, Markdown(&source, rep))
		assert.True(t, safe(source.String()))
		md := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(unsafe.WithUnsafe()))
		require.NoError(t, md.Convert(source.Bytes(), &page))
		root, err := html.Parse(&page)
		require.NoError(t, err)
		ours := map[string]bool{"html": true, "head": true, "body": true, "h1": true, "h2": true, "p": true, "ul": true, "li": true,
			"strong": true, "blockquote": true, "table": true, "thead": true, "tbody": true, "tr": true, "th": true, "td": true, "br": true}
		for n := range root.Descendants() {
			switch n.Type {
			case html.ElementNode:
				assert.True(t, ours[n.Data], "element %s from text", n.Data)
			case html.CommentNode:
				assert.Equal(t, " ", n.Data)
			}
		}
	})
}

func TestCSVWithAttacks(t *testing.T) {
	t.Parallel()
	poisoned(t, allReports(), func(t *testing.T, _ string, rep *grading.Report) {
		var b bytes.Buffer
		require.NoError(t, CSV(&b, rep))
		rows, err := csv.NewReader(&b).ReadAll()
		require.NoError(t, err)
		require.Len(t, rows, len(rep.Criteria)+1)
		for _, row := range rows {
			for _, c := range row {
				assert.True(t, safe(c))
				if _, err := strconv.ParseFloat(c, 64); err == nil || c == "" {
					continue
				}
				assert.NotContains(t, "=+-@\t\r\n", c[:1], "cell %q", c)
			}
		}
	})
}

func TestJSONWithAttacks(t *testing.T) {
	t.Parallel()
	poisoned(t, allReports(), func(t *testing.T, attack string, rep *grading.Report) {
		var b bytes.Buffer
		require.NoError(t, JSON(&b, rep))
		var back grading.Report
		require.NoError(t, json.Unmarshal(b.Bytes(), &back))
		assert.Equal(t, string([]rune(attack)), back.Submission.Name, "the text as it was, invalid bytes replaced")
		assert.NotContains(t, b.String(), "</script")
	})
}
