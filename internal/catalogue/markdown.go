package catalogue

import (
	"fmt"
	"strings"
)

// generated is the first line of every generated file.
const generated = "<!-- Made by `make docs` from the code; changes here are lost. -->\n\n"

// Markdown is the page of a challenge in docs/challenges.
func Markdown(p Page) string {
	var b strings.Builder
	b.WriteString(generated)
	fmt.Fprintf(&b, "# %s\n\n%s\n\n", p.Title, p.Summary)
	fmt.Fprintf(&b, "`%s`, version %d · %s · %d minutes · Node %s · passes from %g points · %s\n\n", p.ID, p.Version, p.Level, p.Minutes, p.Node, p.PassMark, strings.Join(p.Skills, ", "))
	fmt.Fprintf(&b, "```sh\nassay start %s work    # brief and starter into the folder work\nassay run work          # practise\n```\n\n", p.ID)

	b.WriteString("## What points are given for\n\n| points | criterion | skill | what is measured |\n|---:|---|---|---|\n")
	for _, c := range p.Criteria {
		fmt.Fprintf(&b, "| %g | %s | %s | %s |\n", c.Points, cell(c.Title), c.Skill, cell(c.measured()))
	}
	if len(p.Gates) > 0 {
		b.WriteString("\nWhen one of these does not hold, the score is capped:\n\n| gate | at | when it does not hold |\n|---|---:|---|\n")
		for _, g := range p.Gates {
			fmt.Fprintf(&b, "| %s | %d | %s |\n", cell(g.Title), g.Cap, cell(g.Lost))
		}
	}
	b.WriteString("\n## What is done to a submission\n\n| scenario | work | modes |\n|---|---|---|\n")
	for _, s := range p.Scenarios {
		fmt.Fprintf(&b, "| %s | `%s` | %s |\n", cell(s.Title), s.Workload, s.when())
	}
	b.WriteString("\n| mode | what it is | a grading |\n|---|---|---|\n")
	for _, m := range p.Modes {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", m.Name, cell(m.Title), m.took())
	}
	b.WriteString("\n" + aboutRuns + "\n")
	for _, m := range p.Modes {
		for _, note := range m.Notes {
			fmt.Fprintf(&b, "\n`%s`: %s\n", m.Name, note)
		}
	}
	fmt.Fprintf(&b, "\nLimits of a submission: %s.\n", strings.Join(p.Limits.words(), ", "))
	b.WriteString("\n## The brief\n\n" + demote(p.Brief))
	return b.String()
}

// Index is the list of all challenges in docs/challenges.
func Index(pages []Page) string {
	var b strings.Builder
	b.WriteString(generated)
	b.WriteString("# Challenges\n\n`assay list` shows them, `assay show ID` says more. [authoring.md](../authoring.md) says how to write one.\n\n")
	b.WriteString("| challenge | level | minutes | skills | what it asks for |\n|---|---|---:|---|---|\n")
	for _, p := range pages {
		fmt.Fprintf(&b, "| [%s](%s.md) | %s | %d | %s | %s |\n", cell(p.Title), p.ID, p.Level, p.Minutes, strings.Join(p.Skills, ", "), cell(p.Summary))
	}
	return b.String()
}

// cell makes text fit into a table.
func cell(text string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ").Replace(text)
}

// demote puts the headings of a text two levels down, outside of code.
func demote(text string) string {
	var out []string
	code := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, "```") {
			code = !code
		}
		if !code && strings.HasPrefix(line, "#") {
			line = "##" + line
		}
		out = append(out, line)
	}
	return strings.TrimRight(strings.Join(out, "\n"), "\n") + "\n"
}
