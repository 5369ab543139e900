package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/rivo/uniseg"

	"github.com/assay-run/assay/internal/grading"
)

// Widths of the terminal report, in columns.
const (
	minWidth = 40
	maxWidth = 100 // longer lines are hard to read
	barWidth = 20
)

// Terminal writes a calm summary for a screen of the given width in columns: the score, the headline, the points, what
// was found, and what to do next. color adds ANSI styles; without it the text has no escape sequence at all. Control
// sequences in text of the submission are shown as symbols, never sent.
func Terminal(w io.Writer, rep *grading.Report, width int, color bool) error {
	return writeTerminal(w, &terminal{rep: clean(rep), width: min(max(width, minWidth), maxWidth), color: color})
}

// TerminalAway is Terminal for a report whose files are on the page of an invitation.
func TerminalAway(w io.Writer, rep *grading.Report, width int, color bool) error {
	return writeTerminal(w, &terminal{rep: clean(rep), width: min(max(width, minWidth), maxWidth), color: color, away: true})
}

func writeTerminal(w io.Writer, t *terminal) error {
	t.first()
	t.points()
	t.gates()
	t.codes()
	t.diagnosis()
	t.list("Ask in the interview", t.rep.Summary.Questions)
	t.list("Keep in mind", keepInMind(t.rep))
	t.next()
	if _, err := io.WriteString(w, t.b.String()); err != nil {
		return fmt.Errorf("write terminal report: %w", err)
	}
	return nil
}

type terminal struct {
	b     strings.Builder
	rep   *grading.Report
	width int
	color bool
	away  bool // its files are on a server
}

// style is an ANSI style.
type style string

const (
	bold   style = "1"
	soft   style = "2"
	accent style = "36"
	bad    style = "31"
)

func (t *terminal) paint(s style, text string) string {
	if !t.color || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// para writes text wrapped to the width, every line indented and styled.
func (t *terminal) para(indent int, s style, text string) {
	for _, line := range wrap(text, t.width-indent) {
		t.b.WriteString(strings.Repeat(" ", indent))
		if s == "" {
			t.b.WriteString(line)
		} else {
			t.b.WriteString(t.paint(s, line))
		}
		t.b.WriteByte('\n')
	}
}

func (t *terminal) blank() { t.b.WriteByte('\n') }

func (t *terminal) first() {
	title := t.rep.Challenge.Title
	if title == "" {
		title = "Grading"
	}
	t.para(0, bold, title)
	line := fmt.Sprintf("%s · %s", runKind(t.rep), day(t.rep.Started))
	if t.rep.Submission.Name != "" {
		line += " · " + t.rep.Submission.Name
	}
	t.para(0, soft, line)
	t.blank()
	for _, n := range notices(t.rep) {
		t.para(0, bad, n)
		t.blank()
	}
	if scored(t.rep) {
		word := accent
		if t.rep.Verdict == grading.Fail {
			word = bold
		}
		fmt.Fprintf(&t.b, "%s of 100   %s\n", t.paint(bold, points(t.rep.Score)), t.paint(word, verdictWord(t.rep)))
		line := fmt.Sprintf("%s, pass mark %s", likely(t.rep), points(t.rep.PassMark))
		if band := bandWord(t.rep); band != "" {
			line += ", " + band
		}
		t.para(0, soft, line)
		t.scale()
	} else {
		t.para(0, bold, verdictWord(t.rep))
	}
	t.blank()
	if s := capSentence(t.rep); s != "" {
		t.para(0, bad, s)
		t.blank()
	}
	t.para(0, bold, t.rep.Summary.Headline)
	t.para(0, "", t.rep.Summary.Text)
	t.list("Strengths", t.rep.Summary.Strengths)
	t.list("Risks", t.rep.Summary.Risks)
}

// scale draws the score on a line: the interval thick, the score as a dot, the pass mark as a stroke.
func (t *terminal) scale() {
	n := min(t.width, 72)
	at := func(v float64) int { return min(max(int(v/100*float64(n-1)+0.5), 0), n-1) }
	line := []rune(strings.Repeat("─", n))
	for i := at(t.rep.Interval.Low); i <= at(t.rep.Interval.High); i++ {
		line[i] = '━'
	}
	line[at(t.rep.PassMark)] = '┼'
	line[at(t.rep.Score)] = '●'
	fmt.Fprintf(&t.b, "%s\n", t.paint(accent, string(line)))
}

func (t *terminal) points() {
	if len(t.rep.Criteria) == 0 {
		return
	}
	t.heading("Where the points went")
	for _, c := range t.rep.Criteria {
		t.criterion(c)
	}
	if !scored(t.rep) {
		return // a sum would be the number that is not given
	}
	got, of := total(t.rep.Criteria)
	label := "together"
	if t.rep.Cap != nil {
		label = "together, before the cap"
	}
	fmt.Fprintf(&t.b, "%s %s\n", t.paint(bold, pad(got+" / "+of, 11)), label)
}

func (t *terminal) criterion(c grading.CriterionResult) {
	if !c.Assessed {
		why := "not assessed"
		if c.Why != "" {
			why += ": " + because(c.Why)
		}
		t.b.WriteString(t.paint(soft, pad("–", 11)) + " ")
		t.rest(12, c.Title)
		t.para(12, soft, why)
		return
	}
	t.b.WriteString(pad(points(c.Points)+" / "+points(c.MaxPoints), 11) + " ")
	t.rest(12, c.Title)
	filled := min(max(int(c.Score*barWidth+0.5), 0), barWidth)
	bar := t.paint(accent, strings.Repeat("█", filled)) + t.paint(soft, strings.Repeat("░", barWidth-filled))
	var figures []string
	if v := quantityPtr(c.Value, c.Unit); v != "" {
		figures = append(figures, v)
	}
	if v := quantityPtr(c.Reference, c.Unit); v != "" {
		figures = append(figures, "reference "+v)
	}
	fmt.Fprintf(&t.b, "%s%s", strings.Repeat(" ", 12), bar)
	if line := strings.Join(figures, ", "); 12+barWidth+2+uniseg.StringWidth(line) <= t.width {
		fmt.Fprintf(&t.b, "  %s\n", t.paint(soft, line))
	} else {
		t.blank()
		t.para(12, soft, line)
	}
	if len(c.Codes) > 0 {
		t.para(12, bad, strings.Join(c.Codes, " "))
	}
}

// rest writes text from the current column on and wraps it below itself.
func (t *terminal) rest(column int, text string) {
	for i, line := range wrap(text, t.width-column) {
		if i > 0 {
			t.b.WriteString(strings.Repeat(" ", column))
		}
		t.b.WriteString(line + "\n")
	}
}

func (t *terminal) gates() {
	var failed []grading.GateResult
	for _, g := range t.rep.Gates {
		if !g.Passed {
			failed = append(failed, g)
		}
	}
	if len(failed) == 0 {
		return
	}
	t.heading("What must hold, and does not")
	for _, g := range failed {
		t.para(2, "", g.Title+": "+gateResult(g))
	}
}

func (t *terminal) codes() {
	if len(t.rep.Codes) == 0 {
		return
	}
	t.heading("What was found")
	for _, c := range t.rep.Codes {
		t.para(2, bad, c.Code)
		t.para(4, "", c.Recruiter)
		t.para(4, soft, c.Engineer)
		for _, f := range c.Findings {
			t.b.WriteString("    · ")
			t.rest(6, f.Detail)
		}
	}
}

func (t *terminal) diagnosis() {
	if t.rep.Diagnosis == nil {
		return
	}
	t.heading(diagnosisTitle(t.rep.Diagnosis) + " (not scored)")
	lead, stalls, sites := diagnosisLines(t.rep.Diagnosis)
	for _, s := range lead {
		t.para(2, soft, s)
	}
	for i, s := range stalls {
		fmt.Fprintf(&t.b, "  %d ", i+1)
		t.rest(4, s)
	}
	for _, s := range sites {
		t.b.WriteString("  · ")
		t.rest(4, s)
	}
}

func (t *terminal) list(title string, items []string) {
	if len(items) == 0 {
		return
	}
	t.heading(title)
	for _, s := range items {
		t.b.WriteString("  · ")
		t.rest(4, s)
	}
}

func (t *terminal) heading(s string) {
	t.blank()
	t.para(0, bold, s)
}

// next says where to look and what to do.
func (t *terminal) next() {
	t.heading("Next")
	step := "Open report.html for the curves, every run and the files."
	if t.away {
		step = "The page of your invitation has the curves, every run and the files."
	} else if t.rep.Evidence.File != "" {
		step += " The raw evidence is in " + t.rep.Evidence.File + "."
	}
	t.para(2, "", step)
	switch {
	case t.rep.Verdict == grading.Withheld:
		t.para(2, "", "Let a person read the findings before anything is decided.")
	case t.rep.Verdict == grading.Invalid:
		t.para(2, "", "Run the grading again when the machine is quiet.")
	case len(t.rep.Codes) > 0:
		t.para(2, "", "Fix what was found first; the largest loss of points is the best place to start.")
	case !t.rep.Official:
		t.para(2, "", "A practice run proves less: use the standard mode for an official score.")
	}
}
