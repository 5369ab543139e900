//go:build integration

package e2e

import (
	"bytes"
	"encoding/csv"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/report"
	"github.com/assay-run/assay/internal/report/reporttest"
)

// reportsAreInert puts what reached the evidence of an execution wherever a report shows text, and looks for what could act.
func reportsAreInert(t *testing.T, x evidence.Execution) {
	t.Helper()
	texts := strings.Split(x.Stdout.Text, "\n")
	require.Contains(t, x.Stdout.Text, "<script>", "it reaches the evidence as it was written")
	require.Contains(t, x.Stderr.Text, "\x1b]0;owned", "it reaches the evidence as it was written")
	texts = append(texts, x.Stdout.Text, x.Stderr.Text, x.Output.Content)
	for _, text := range texts {
		rep, ev := reporttest.Diagnosed(), reporttest.DiagnosedGrading()
		reporttest.Poison(rep, text)
		ev.Attempts[0].Runs = ev.Attempts[0].Runs[:4]
		reporttest.Poison(ev, text)
		shown := &ev.Attempts[0].Runs[1].Executions[0]
		shown.Stdout, shown.Stderr, shown.Output = x.Stdout, x.Stderr, x.Output
		var page, table, terminal, source bytes.Buffer
		require.NoError(t, report.HTML(&page, rep, ev, report.Options{}))
		require.NoError(t, report.CSV(&table, rep))
		require.NoError(t, report.Terminal(&terminal, rep, 80, false))
		require.NoError(t, report.Markdown(&source, rep))
		inertPage(t, page.Bytes())
		inertCells(t, table.Bytes())
		for _, out := range []string{page.String(), terminal.String(), source.String()} {
			assert.NotContains(t, out, "\x1b")
			assert.Equal(t, -1, strings.IndexFunc(out, func(r rune) bool {
				return unicode.Is(unicode.Cc, r) && r != '\n' && r != '\t' || r == '\u202e' || r == '\u2066'
			}), "control characters")
		}
	}
}

// inertPage checks that a page has our own scripts alone, and nothing that loads.
func inertPage(t *testing.T, page []byte) {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(page))
	require.NoError(t, err)
	scripts := 0
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "script":
			scripts++
		case "img", "iframe", "object", "embed", "form", "base", "template", "input", "button":
			t.Errorf("element %s in the page", n.Data)
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "src" || a.Key == "http-equiv" && a.Val == "refresh" {
				t.Errorf("attribute %s=%q in the page", a.Key, a.Val)
			}
			if a.Key == "href" && !strings.HasPrefix(a.Val, "#") && a.Val != "data:," {
				t.Errorf("link to %s", a.Val)
			}
		}
	}
	assert.Equal(t, 2, scripts, "our own")
}

// inertCells checks that no cell of a table is a formula.
func inertCells(t *testing.T, table []byte) {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(table)).ReadAll()
	require.NoError(t, err)
	require.Greater(t, len(rows), 1)
	for _, row := range rows {
		for _, cell := range row {
			if _, err := strconv.ParseFloat(cell, 64); err != nil && cell != "" {
				assert.NotContains(t, "=+-@\t\r\n", cell[:1], "cell %q", cell)
			}
		}
	}
}
