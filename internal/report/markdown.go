package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/grading"
)

// Markdown writes the report for a pull request, a ticket or a wiki (GitHub flavour): the first page, the points, the
// gates and what was found. Text of a submission cannot become markup, a link, an image or a mention.
func Markdown(w io.Writer, rep *grading.Report) error {
	rep = clean(rep)
	var b strings.Builder
	mdFirst(&b, rep)
	mdList(&b, "Strengths", rep.Summary.Strengths)
	mdList(&b, "Risks", rep.Summary.Risks)
	mdList(&b, "Ask in the interview", rep.Summary.Questions)
	mdPoints(&b, rep)
	mdGates(&b, rep)
	mdCodes(&b, rep)
	mdDiagnosis(&b, rep.Diagnosis)
	mdCases(&b, rep)
	mdList(&b, "Keep in mind", keepInMind(rep))
	mdSure(&b, rep)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write Markdown report: %w", err)
	}
	return nil
}

func mdFirst(b *strings.Builder, rep *grading.Report) {
	name := rep.Challenge.Title
	if name == "" {
		name = "Grading"
	}
	fmt.Fprintf(b, "# %s\n\n", md(name))
	fmt.Fprintf(b, "%s · %s · submission %s", md(runKind(rep)), day(rep.Started), md(rep.Submission.Name))
	if s := about(rep); s != "" {
		fmt.Fprintf(b, " · %s", md(s))
	}
	b.WriteString("\n\n")
	for _, n := range notices(rep) {
		fmt.Fprintf(b, "> %s\n\n", md(n))
	}
	if scored(rep) {
		fmt.Fprintf(b, "**%s of 100** (%s, pass mark %s): **%s**", points(rep.Score), likely(rep),
			points(rep.PassMark), verdictWord(rep))
		if band := bandWord(rep); band != "" {
			fmt.Fprintf(b, ", %s", md(band))
		}
		b.WriteString("\n\n")
	} else {
		fmt.Fprintf(b, "**%s**\n\n", verdictWord(rep))
	}
	for _, s := range []string{capSentence(rep), rep.Summary.Headline, rep.Summary.Text} {
		if s != "" {
			fmt.Fprintf(b, "%s\n\n", md(s))
		}
	}
}

func mdPoints(b *strings.Builder, rep *grading.Report) {
	if len(rep.Criteria) == 0 {
		return
	}
	b.WriteString("## Where the points went\n\n| Criterion | This submission | Reference | Ratio | Points |\n|:--|--:|--:|--:|--:|\n")
	for _, c := range rep.Criteria {
		title := md(c.Title)
		if c.Recruiter != "" {
			title += "<br>" + md(c.Recruiter)
		}
		if len(c.Codes) > 0 {
			title += "<br>" + md(strings.Join(c.Codes, " "))
		}
		if !c.Assessed {
			fmt.Fprintf(b, "| %s | not assessed: %s | | | – |\n", title, md(because(c.Why)))
			continue
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s / %s |\n", title, md(quantityPtr(c.Value, c.Unit)),
			md(quantityPtr(c.Reference, c.Unit)), ratioText(c.Ratio), points(c.Points), points(c.MaxPoints))
	}
	if scored(rep) { // a sum would be the number that is not given
		got, of := total(rep.Criteria)
		fmt.Fprintf(b, "| **Together** | | | | **%s / %s** |\n", got, of)
	}
	b.WriteString("\n")
}

func mdGates(b *strings.Builder, rep *grading.Report) {
	var lines []string
	for _, g := range rep.Gates {
		lines = append(lines, fmt.Sprintf("%s: %s", g.Title, gateResult(g)))
	}
	mdList(b, "What must hold", lines)
}

// gateResult is the outcome of a gate in words.
func gateResult(g grading.GateResult) string {
	switch {
	case g.Passed:
		return "holds"
	case g.Judged:
		return "failed. " + g.Sentence
	default:
		return "not judged. " + g.Sentence
	}
}

func mdCodes(b *strings.Builder, rep *grading.Report) {
	if len(rep.Codes) == 0 {
		return
	}
	b.WriteString("## What was found\n\n")
	for _, c := range rep.Codes {
		fmt.Fprintf(b, "**%s**: %s %s\n\n", md(c.Code), md(c.Recruiter), md(c.Engineer))
		for _, f := range c.Findings {
			fmt.Fprintf(b, "- %s (%s)\n", md(f.Detail), md(scenarioTitle(rep, f.Scenario)))
		}
		if len(c.Findings) > 0 {
			b.WriteString("\n")
		}
	}
}

func mdDiagnosis(b *strings.Builder, d *grading.DiagnosisReport) {
	if d == nil {
		return
	}
	lead, stalls, sites := diagnosisLines(d)
	fmt.Fprintf(b, "## %s\n\n%s\n\n", diagnosisTitle(d), md(diagnosisAbout))
	for _, s := range lead {
		fmt.Fprintf(b, "%s\n\n", md(s))
	}
	for _, s := range stalls {
		fmt.Fprintf(b, "- %s\n", md(s))
	}
	if len(stalls) > 0 && len(sites) > 0 {
		b.WriteString("\n")
	}
	for _, s := range sites {
		fmt.Fprintf(b, "- %s\n", md(s))
	}
	if len(stalls)+len(sites) > 0 {
		b.WriteString("\n")
	}
}

func mdCases(b *strings.Builder, rep *grading.Report) {
	var lines []string
	for _, s := range rep.Cases {
		for _, c := range s.Cases {
			if !c.Right {
				lines = append(lines, fmt.Sprintf("%s: %s. %s", s.Title, caseTitle(c), c.Detail))
			}
		}
	}
	mdList(b, "Checks that were wrong", lines)
}

func caseTitle(c evidence.Case) string {
	if c.Title != "" {
		return c.Title
	}
	return c.Name
}

func mdSure(b *strings.Builder, rep *grading.Report) {
	b.WriteString("## How sure we are\n\n")
	for _, f := range facts(rep, "assay report report.json") {
		fmt.Fprintf(b, "- %s: %s", md(f.Term), md(f.Text))
		if f.Code != "" {
			fmt.Fprintf(b, " %s", md(f.Code))
		}
		b.WriteString("\n")
	}
}

func mdList(b *strings.Builder, title string, items []string) {
	if len(items) == 0 {
		return
	}
	fmt.Fprintf(b, "## %s\n\n", title)
	for _, s := range items {
		fmt.Fprintf(b, "- %s\n", md(s))
	}
	b.WriteString("\n")
}

// md escapes text for one line of Markdown: markup and HTML by backslash or entity, bare links and mentions by breaking
// the character that makes them one.
func md(s string) string {
	s = strings.Join(strings.Fields(s), " ") // a leading tab would begin a code block
	var b strings.Builder
	for i, r := range s {
		switch {
		case strings.ContainsRune("\\`*_[]|~$", r), i == 0 && strings.ContainsRune("#+-=", r):
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '&':
			b.WriteString("&amp;")
		case r == '@' && i+1 < len(s) && s[i+1] != ' ':
			b.WriteString("&#64;<!-- -->") // a renderer would still find a mention in the text after decoding
		case r == ':' && strings.HasPrefix(s[i:], "://"):
			b.WriteString(":<!-- -->") // no bare link
		case r == '.' && strings.HasSuffix(strings.ToLower(s[:i]), "www"):
			b.WriteString(".<!-- -->")
		case r == '.' && i > 0 && isDigits(s[:i]) && strings.HasPrefix(s[i+1:], " "):
			b.WriteString("\\.") // no ordered list
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }
