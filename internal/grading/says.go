package grading

import (
	"fmt"
	"strings"

	"github.com/assay-run/assay/internal/evidence"
)

const (
	// keptFrom is the share of a criterion's points from which on it counts as kept.
	keptFrom = 0.9
	// lossWorthSaying is how many points of 100 a criterion must cost to be called a risk.
	lossWorthSaying = 1.0
)

// kept says that the criterion brought all or nearly all of its points.
func (s *criterionState) kept() bool { return s.assessed && s.score >= keptFrom }

// lost says that it cost points that are worth a sentence.
func (s *criterionState) lost() bool { return s.assessed && !s.kept() && s.loss() >= lossWorthSaying }

// loss is what the criterion cost, in points of 100.
func (s *criterionState) loss() float64 { return 100 * s.weight * (1 - s.score) }

// plainRatio is value over reference as shown; nil where it has no meaning.
func (s *criterionState) plainRatio() *float64 {
	if s.value == nil || s.ref == nil || *s.value <= 0 || *s.ref <= 0 {
		return nil
	}
	r := *s.value / *s.ref
	return &r
}

// recruiter is the criterion's sentence for a reader who does not program.
func (s *criterionState) recruiter() string {
	switch {
	case s.kept():
		return s.fill(s.c.Says.Kept)
	case s.value == nil:
		return "This could not be seen, because the program did not get that far."
	default:
		return s.fill(s.c.Says.Lost)
	}
}

// engineer is the criterion's explanation with the figures behind it.
func (s *criterionState) engineer() string {
	if s.value == nil {
		return "Not measured: " + strings.TrimSuffix(s.c.Detail, ".") + "."
	}
	if s.kept() || s.c.Says.Why == "" {
		return s.figures()
	}
	return s.fill(s.c.Says.Why) + " " + s.figures()
}

// figures is the measured value beside the reference's.
func (s *criterionState) figures() string {
	switch {
	case s.value == nil:
		return ""
	case s.ref == nil:
		return fmt.Sprintf("Measured: %s.", FormatValue(*s.value, s.c.Unit))
	default:
		return fmt.Sprintf("Measured: %s; our reference: %s.",
			FormatValue(*s.value, s.c.Unit), FormatValue(*s.ref, s.c.Unit))
	}
}

// fill puts figures into a sentence of the challenge.
func (s *criterionState) fill(sentence string) string {
	show := func(v *float64, unit string) string {
		if v == nil {
			return "not measured"
		}
		return FormatValue(*v, unit)
	}
	return strings.NewReplacer(
		"{value}", show(s.value, s.c.Unit),
		"{reference}", show(s.ref, s.c.Unit),
		"{ratio}", show(s.plainRatio(), "ratio"),
	).Replace(sentence)
}

// buildFinding is what a failed build adds: the program was never started.
func buildFinding(b evidence.Build) evidence.Finding {
	return evidence.Finding{
		Code: evidence.CodeCrash, Execution: "build", Detail: buildSentence(b), AtSeconds: -1,
	}
}

// buildFindings are what a failed build is called: the program was never started, and which limit it reached, if it did.
func buildFindings(b evidence.Build) map[string][]evidence.Finding {
	found := map[string][]evidence.Finding{evidence.CodeCrash: {buildFinding(b)}}
	for _, step := range b.Steps {
		for _, hit := range step.Limits {
			code := limitCode(hit.Limit)
			found[code] = append(found[code], evidence.Finding{
				Code: code, Execution: "build", Detail: limitSentence(hit), AtSeconds: hit.AtSeconds,
			})
		}
	}
	return found
}

// buildSentence says which step of the build failed, and how.
func buildSentence(b evidence.Build) string {
	for _, step := range b.Steps {
		if step.Exit.OK() {
			continue
		}
		command := bounded(strings.Join(step.Argv, " "), 80)
		switch {
		case step.Exit.Status == evidence.Exited:
			return fmt.Sprintf("The build step \"%s\" ended with exit code %d.", command, step.Exit.Code)
		case step.Exit.Status == evidence.TimedOut:
			return fmt.Sprintf("The build step \"%s\" did not end within its time.", command)
		case step.Exit.Status == evidence.OOMKilled:
			return fmt.Sprintf("The build step \"%s\" ran out of memory.", command)
		case step.Exit.Status == evidence.DiskLimit:
			return fmt.Sprintf("The build step \"%s\" wrote more to disk than it may.", command)
		case step.Exit.Detail != "":
			return fmt.Sprintf("The build step \"%s\" failed: %s", command, bounded(step.Exit.Detail, 200))
		default:
			return fmt.Sprintf("The build step \"%s\" failed: %s.", command, exitStatus(step.Exit))
		}
	}
	if b.Reason != "" {
		return "The build failed: " + bounded(b.Reason, 200)
	}
	return "The build failed."
}

// bounded cuts text that a submission may have influenced, and shows that it is cut.
func bounded(s string, runes int) string {
	r := []rune(s)
	if len(r) <= runes {
		return s
	}
	return string(r[:runes]) + "…"
}
