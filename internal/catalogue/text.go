package catalogue

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Widths of a page on a terminal, in columns.
const (
	minWidth = 50
	maxWidth = 100
)

// Text writes the page of a challenge for a terminal of some columns. brief says whether the whole brief follows.
func Text(w io.Writer, p Page, width int, brief bool) error {
	t := text{width: min(max(width, minWidth), maxWidth)}
	t.line("%s", p.Title)
	t.para("", p.Summary)
	t.line("")
	t.pair("challenge", fmt.Sprintf("%s, version %d", p.ID, p.Version))
	t.pair("level", p.Level)
	t.pair("time", fmt.Sprintf("%d minutes", p.Minutes))
	t.pair("skills", strings.Join(p.Skills, ", "))
	t.pair("node", p.Node)
	t.pair("limits", strings.Join(p.Limits.words(), ", "))
	t.pair("passes", fmt.Sprintf("from %g points", p.PassMark))

	t.line("\nWhat points are given for")
	for _, c := range p.Criteria {
		t.line("  %3g  %s (%s)", c.Points, c.Title, c.Skill)
		t.para("       ", c.measured())
	}
	if len(p.Gates) > 0 {
		t.line("\nWhat caps the score when it does not hold")
		for _, g := range p.Gates {
			t.line("  %3d  %s", g.Cap, g.Title)
		}
	}
	t.line("\nWhat is done to a submission")
	for _, s := range p.Scenarios {
		t.para("  ", fmt.Sprintf("%s: %s", s.Title, s.when()))
	}
	t.line("\nHow long a grading takes")
	for _, m := range p.Modes {
		t.para("  ", fmt.Sprintf("%s: %s, %s", m.Name, m.Title, m.took()))
		for _, note := range m.Notes {
			t.para("    ", note)
		}
	}
	t.para("  ", aboutRuns)
	if brief {
		t.line("\nThe brief\n")
		for line := range strings.Lines(p.Brief) {
			t.line("  %s", strings.TrimRight(line, "\r\n"))
		}
	}
	t.line("\nBegin with `assay start %s DIR`.", p.ID)
	if _, err := io.WriteString(w, t.b.String()); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

// text is a page in the making.
type text struct {
	b     strings.Builder
	width int
}

func (t *text) line(format string, args ...any) {
	t.b.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " ") + "\n")
}

func (t *text) pair(name, value string) {
	const column = 12
	lead := fmt.Sprintf("%-*s", column, name)
	t.wrap(lead, strings.Repeat(" ", column), value)
}

func (t *text) para(indent, words string) { t.wrap(indent, indent, words) }

// wrap writes words in lines of the width; lead begins the first, indent all others.
func (t *text) wrap(lead, indent, words string) {
	line, empty := lead, true
	for _, word := range strings.Fields(words) {
		if !empty && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > t.width {
			t.line("%s", line)
			line, empty = indent, true
		}
		if !empty {
			line += " "
		}
		line += word
		empty = false
	}
	t.line("%s", line)
}
