package catalogue

import (
	"fmt"
	"io"
	"strings"

	"github.com/assay-run/assay/internal/evidence"
)

// codeKinds say what the codes of a kind are, in the order in which they are shown.
var codeKinds = []struct {
	kind  evidence.CodeKind
	title string
}{
	{evidence.FaultCode, "A weakness of the submission"},
	{evidence.TamperCode, "What a submission reports contradicts what was measured; the verdict is withheld"},
	{evidence.InvalidCode, "The grading cannot be trusted, by no fault of the submission"},
}

// Codes is docs/codes.md: every reason code, and the skills that criteria may name.
func Codes(codes []evidence.CodeDoc, skills []string) string {
	var b strings.Builder
	b.WriteString(generated)
	b.WriteString("# Reason codes and skills\n\n`assay codes` prints this list. A challenge names codes in `control`, in `fixtures`, in `code` of a gate or of a step, and in `codes` of a\n" +
		"criterion. The list is closed: when none fits exactly, take the one whose sentence describes what went wrong, or `WRONG_OUTPUT`. A code\n" +
		"explains a score; it never changes one by itself.\n")
	for _, k := range codeKinds {
		fmt.Fprintf(&b, "\n## %s\n\n| code | meaning |\n|---|---|\n", k.title)
		for _, c := range codes {
			if c.Kind == k.kind {
				fmt.Fprintf(&b, "| `%s` | %s |\n", c.Code, cell(c.Engineer))
			}
		}
	}
	b.WriteString("\n## Skills\n\nThe skills of `skills` and of a criterion's `skill`: `" + strings.Join(skills, "`, `") + "`.\n")
	return b.String()
}

// CodesText writes the same for a terminal of a width in characters.
func CodesText(w io.Writer, codes []evidence.CodeDoc, skills []string, width int) error {
	t := text{width: min(max(width, minWidth), maxWidth)}
	for _, k := range codeKinds {
		t.line("%s", k.title)
		for _, c := range codes {
			if c.Kind == k.kind {
				t.line("  %s", c.Code)
				t.para("      ", c.Engineer)
			}
		}
		t.line("")
	}
	t.line("Skills")
	t.para("  ", strings.Join(skills, ", "))
	if _, err := io.WriteString(w, t.b.String()); err != nil {
		return fmt.Errorf("write codes: %w", err)
	}
	return nil
}
