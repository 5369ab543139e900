// Package report writes a grading.Report for people and for programs.
//
// Every writer is a function of its arguments: the same report gives the same bytes. Nothing of a submission is
// trusted: each writer first makes every string safe to look at (see Visible) and then escapes it for its own format.
package report

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/assay-run/assay/internal/grading"
)

// verdictWord is the outcome in a few plain words.
func verdictWord(rep *grading.Report) string {
	switch rep.Verdict {
	case grading.Pass:
		return "Passed"
	case grading.Fail:
		return "Below the pass mark"
	case grading.Withheld:
		return "Score withheld"
	case grading.Invalid:
		return "No verdict"
	default:
		return string(rep.Verdict)
	}
}

// scored says whether the score may be shown: a withheld or invalid grading has figures, but no number to quote.
func scored(rep *grading.Report) bool {
	return rep.Verdict == grading.Pass || rep.Verdict == grading.Fail
}

// notices are the things a reader must know before the score, most important first.
func notices(rep *grading.Report) []string {
	var out []string
	switch rep.Verdict {
	case grading.Invalid:
		why := sentence(rep.Invalid)
		if strings.Contains(rep.Summary.Text, strings.TrimSpace(why)) {
			why = "" // the summary says it
		}
		out = append(out, "This grading is invalid: it could not be trusted, even after repeats. Nothing is charged to the "+
			"candidate. "+why+"Repeat it when the machine is quiet.")
	case grading.Withheld:
		out = append(out, "The score is withheld: the evidence contradicts itself in a way that tampering would explain. "+
			"This is not a verdict. A person must read the findings and the submission before anything is decided.")
	}
	if !rep.Official {
		out = append(out, "Practice run, not an official score. It uses smaller work and fewer runs, so it proves less.")
	}
	if !rep.Environment.Sandboxed {
		out = append(out, "Not sandboxed: the submission ran as a plain process of this machine, so other programs could "+
			"disturb the figures.")
	}
	if rep.Borderline && scored(rep) {
		out = append(out, "Borderline: after extra runs the interval still crosses a band edge. The candidate was given the "+
			"better side.")
	}
	return out
}

// keepInMind are the notes that notices has not said already: a grading repeats in its notes what its fields say.
func keepInMind(rep *grading.Report) []string {
	var out []string
	for _, n := range rep.Notes {
		if !strings.HasPrefix(n, "This is practice") && !strings.HasPrefix(n, "Not sandboxed") {
			out = append(out, n)
		}
	}
	return out
}

// sentence ends s with a full stop and a space; an empty s stays empty.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return ""
	}
	if !strings.ContainsAny(s[len(s)-1:], ".!?") {
		s += "."
	}
	return s + " "
}

// capSentence tells what a failed gate did to the score; empty when none did, or when the summary tells it.
func capSentence(rep *grading.Report) string {
	if rep.Cap == nil {
		return ""
	}
	if rep.Cap.Sentence == rep.Summary.Headline && rep.Summary.Text != "" {
		return "" // the summary already says it
	}
	if rep.Cap.Uncapped > rep.Cap.Points {
		return fmt.Sprintf("%sSo the score ends at %s; the criteria alone would have given %s.", sentence(rep.Cap.Sentence),
			points(rep.Cap.Points), points(rep.Cap.Uncapped))
	}
	return fmt.Sprintf("%sSo the score could not have been above %s.", sentence(rep.Cap.Sentence), points(rep.Cap.Points))
}

// runKind is "Official run" or "Practice run" with the mode's name.
func runKind(rep *grading.Report) string {
	kind := "Practice run"
	if rep.Official {
		kind = "Official run"
	}
	if rep.Mode == "" {
		return kind
	}
	return kind + ", " + rep.Mode + " mode"
}

// day is a date as people write it, in UTC so that a report reads the same everywhere.
func day(t time.Time) string {
	if t.IsZero() {
		return "date unknown"
	}
	return t.UTC().Format("2 January 2006")
}

// interval is the score's interval in whole points, rounded outwards so that it never looks surer than it is.
func interval(i grading.Interval) string {
	return fmt.Sprintf("%s–%s", points(math.Floor(i.Low)), points(math.Ceil(i.High)))
}

// likely tells where the score would fall again; an interval of no width is what a cap leaves.
func likely(rep *grading.Report) string {
	low, high := points(math.Floor(rep.Interval.Low)), points(math.Ceil(rep.Interval.High))
	if low == high {
		return "likely " + low + " again"
	}
	return "likely between " + low + " and " + high
}

// bandWord is the band as a phrase; "below junior" reads well alone, the others need a noun.
func bandWord(rep *grading.Report) string {
	if rep.Band == "" || !scored(rep) {
		return ""
	}
	if strings.HasSuffix(rep.Band, "-like") {
		return rep.Band + " work on this challenge"
	}
	return rep.Band + " on this challenge"
}
