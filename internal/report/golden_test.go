package report

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/assay-run/assay/internal/grading"
	"github.com/assay-run/assay/internal/report/reporttest"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the test with -update to make it")
	assert.Equal(t, string(want), string(got))
}

func TestGolden(t *testing.T) {
	t.Parallel()
	reports := map[string]func() *grading.Report{
		"blocked": reporttest.Blocked, "passing": reporttest.Passing, "oom": reporttest.OutOfMemory, "practice": reporttest.Practice,
		"invalid": reporttest.Invalid, "withheld": reporttest.Withheld, "empty": reporttest.Empty, "diagnosed": reporttest.Diagnosed,
	}
	writers := map[string]func(io.Writer, *grading.Report) error{
		"txt":    func(w io.Writer, r *grading.Report) error { return Terminal(w, r, 80, false) },
		"narrow": func(w io.Writer, r *grading.Report) error { return Terminal(w, r, 44, false) },
		"ansi":   func(w io.Writer, r *grading.Report) error { return Terminal(w, r, 80, true) },
		"md":     Markdown,
		"csv":    CSV,
		"json":   JSON,
	}
	for name, maker := range reports {
		for kind, write := range writers {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				rep := maker()
				var b bytes.Buffer
				require.NoError(t, write(&b, rep))
				golden(t, name+"."+kind, b.Bytes())
				assert.Equal(t, maker(), rep, "a writer never changes the report")
			})
		}
	}
}

// TestGoldenHTML pins the outline of the pages: landmarks, headings, tables and what a screen reader would read of them.
// How it looks is for eyes, and for the browser test.
func TestGoldenHTML(t *testing.T) {
	t.Parallel()
	best := 97.0
	tests := []struct {
		name     string
		rep      *grading.Report
		evidence bool
		opts     Options
	}{
		{"blocked", reporttest.Blocked(), true, Options{ReferenceScore: &best, Recompute: "assay report gradings/7f3a/report.json"}},
		{"oom", reporttest.OutOfMemory(), true, Options{}},
		{"diagnosed", reporttest.Diagnosed(), true, Options{}},
		{"practice", reporttest.Practice(), false, Options{}},
		{"invalid", reporttest.Invalid(), false, Options{}},
		{"withheld", reporttest.Withheld(), true, Options{}},
		{"empty", reporttest.Empty(), false, Options{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ev := reporttest.Grading()
			switch tt.name {
			case "oom":
				ev = reporttest.OutOfMemoryGrading()
			case "diagnosed":
				ev = reporttest.DiagnosedGrading()
			}
			if !tt.evidence {
				ev = nil
			}
			var b bytes.Buffer
			require.NoError(t, HTML(&b, tt.rep, ev, tt.opts))
			golden(t, tt.name+".outline", outline(t, b.Bytes()))
		})
	}
}

// outline lists the elements that carry meaning, indented by depth, with their text.
func outline(t *testing.T, page []byte) []byte {
	t.Helper()
	root, err := html.Parse(bytes.NewReader(page))
	require.NoError(t, err)
	var b bytes.Buffer
	depth := 0
	boxes := strings.Fields("main header nav section table figure details select dl")
	leaves := strings.Fields("h1 h2 h3 h4 summary tr p li figcaption option pre dt dd")
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		skip := map[string]bool{"script": true, "style": true, "path": true, "rect": true, "line": true, "circle": true}
		if n.Type == html.ElementNode && skip[n.Data] {
			return
		}
		leaf := n.Type == html.ElementNode && slices.Contains(leaves, n.Data)
		shown := leaf || n.Type == html.ElementNode && slices.Contains(boxes, n.Data)
		if shown {
			fmt.Fprintf(&b, "%s%s", strings.Repeat("  ", depth), n.Data)
			if leaf {
				fmt.Fprintf(&b, ": %s", strings.Join(strings.Fields(text(n)), " "))
			}
			b.WriteByte('\n')
			depth++
		}
		if !leaf {
			for c := range n.ChildNodes() {
				walk(c)
			}
		}
		if shown {
			depth--
		}
	}
	walk(root)
	return b.Bytes()
}

// text is what an element says; cells are kept apart.
func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		switch {
		case d.Type == html.TextNode:
			b.WriteString(d.Data)
		case d.Data == "td" || d.Data == "th" || d.Data == "span" || d.Data == "p":
			b.WriteString(" | ")
		}
	}
	return strings.Trim(strings.Join(strings.Fields(b.String()), " "), "| ")
}
