package grading

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/assay-run/assay/internal/evidence"
)

const (
	maxEach      = 3 // strengths and risks each
	maxQuestions = 5
)

// summary writes the first screen from the sentences of the challenge. It says what a user would notice, compared with
// what; it never blames, and what was not seen is not claimed.
func (e *evaluation) summary(r *Report) Summary {
	s := Summary{Strengths: e.strengths(), Risks: e.risks(), Questions: e.questions()}
	switch {
	case r.Verdict == Invalid:
		s.Headline = "This grading could not be trusted, so nothing is charged."
		s.Text = join(r.Invalid, e.repeated(), "Please run it again on a quiet machine; the figures below are for whoever looks into it.")
		s.Strengths, s.Risks, s.Questions = []string{}, []string{}, []string{}
	case r.Verdict == Withheld:
		s.Headline = "The result is held back until a person has looked at it."
		s.Text = join(e.tamperSentence(),
			"That can have an innocent cause. Please read the finding and the code beside it before concluding anything.")
		s.Questions = append([]string{"Walk us through how your program measures or reports its own use of memory and time."},
			s.Questions[:min(len(s.Questions), maxQuestions-1)]...)
	case e.ev.Build.Failed:
		s.Headline = "The program could not be built, so it was never started."
		s.Text = join(buildSentence(e.ev.Build), "Its output is in this report. Nothing else was judged.")
		s.Strengths, s.Risks = []string{}, []string{"It does not build from a fresh copy of its files."}
		s.Questions = []string{"How do you make sure that a project builds on another machine than your own?"}
	case e.cap != nil:
		s.Headline = e.cap.Sentence
		s.Text = join(e.seen(), e.capSentence(), e.otherLoss(), e.kept())
	default:
		s.Headline, s.Text = e.plainSummary()
	}
	return s
}

const (
	// lossInHeadline is how many points of 100 a criterion must cost to stand in the headline of a pass.
	lossInHeadline = 5.0
	// longHeadline is from where on a headline is no longer one, in bytes.
	longHeadline = 160
)

// plainSummary is for a grading in which no gate failed: what was kept, but what was lost.
func (e *evaluation) plainSummary() (headline, text string) {
	lost, best := e.byLoss(), e.bestKept()
	switch {
	case len(lost) == 0 && best != nil:
		return "It does what was asked, about as well as our reference solution.", join(best.recruiter(), e.resultSentence())
	case len(lost) == 0:
		return "Nothing in it stands out.", e.resultSentence()
	case best == nil:
		return lost[0].recruiter(), join(e.resultSentence(), e.next(lost))
	}
	both := strings.TrimSuffix(best.recruiter(), ".") + ", but " + lowerFirst(lost[0].recruiter())
	switch {
	case lost[0].loss() >= lossInHeadline && len(both) <= longHeadline:
		return both, join(e.resultSentence(), e.next(lost))
	case e.standingScore() >= e.ch.PassMark:
		return best.recruiter(), join(lost[0].recruiter(), e.resultSentence())
	default:
		return lost[0].recruiter(), join(best.recruiter(), e.resultSentence())
	}
}

// next is the second largest loss.
func (e *evaluation) next(lost []*criterionState) string {
	if len(lost) < 2 {
		return ""
	}
	return lost[1].recruiter()
}

// lowerFirst continues a sentence; what begins with two capitals (MB, OOM) stays as it is.
func lowerFirst(s string) string {
	if len(s) < 2 || s[0] < 'A' || s[0] > 'Z' || s[1] >= 'A' && s[1] <= 'Z' {
		return s
	}
	return string(s[0]-'A'+'a') + s[1:]
}

// maxSeen bounds a finding's sentence on the first screen, in runes; it may quote the submission.
const maxSeen = 200

// seen is what was found behind the gate that capped the score, for a gate that asks for a code.
func (e *evaluation) seen() string {
	when := e.gate(e.cap.Gate).When
	for _, code := range slices.Sorted(maps.Keys(e.candidate.findings)) {
		for _, f := range e.candidate.findings[code] {
			if f.Detail != "" && strings.Contains(when, `"`+code+`"`) {
				return bounded(f.Detail, maxSeen)
			}
		}
	}
	return ""
}

// resultSentence is the score in words, and how sure it is.
func (e *evaluation) resultSentence() string {
	text := fmt.Sprintf("That makes %s of 100; the pass mark is %s.", points(e.score), points(e.ch.PassMark))
	if e.borderline() {
		text += " The runs do not decide on which side of a mark it lies, so the better side counts."
	}
	return text
}

// capSentence explains the cap: never a mysterious number.
func (e *evaluation) capSentence() string {
	if e.uncapped > e.cap.Points {
		return fmt.Sprintf("Because of this the score ends at %s of 100; everything else alone would have given %s.",
			points(e.cap.Points), points(e.uncapped))
	}
	return fmt.Sprintf("That makes %s of 100; because of this it could not have been more than %s.",
		points(e.score), points(e.cap.Points))
}

// otherLoss is the next thing to say after a failed gate: another failed gate, or what cost most.
func (e *evaluation) otherLoss() string {
	for _, g := range e.ch.Gates {
		if g.ID != e.cap.Gate && e.candidate.gates[g.ID].failed() {
			return g.Lost
		}
	}
	if lost := e.byLoss(); len(lost) > 0 && lost[0].value != nil {
		return lost[0].recruiter()
	}
	return ""
}

// kept is one good thing, so that nobody reads only what is wrong.
func (e *evaluation) kept() string {
	if best := e.bestKept(); best != nil {
		return best.recruiter()
	}
	return ""
}

func (e *evaluation) repeated() string {
	if n := len(e.ev.Attempts) - 1; n > 0 {
		return fmt.Sprintf("It was repeated %s.", count(n, "time"))
	}
	return ""
}

func (e *evaluation) tamperSentence() string {
	for _, f := range e.codes()[evidence.CodeTamper] {
		if f.Detail != "" {
			return f.Detail
		}
	}
	doc, _ := evidence.LookupCode(evidence.CodeTamper)
	return doc.Recruiter
}

// strengths are the kept criteria that weigh most.
func (e *evaluation) strengths() []string {
	kept := []*criterionState{}
	for i := range e.criteria {
		if c := &e.criteria[i]; c.kept() && c.recruiter() != "" {
			kept = append(kept, c)
		}
	}
	slices.SortStableFunc(kept, func(a, b *criterionState) int { return descending(a.weight, b.weight) })
	return sentences(kept, maxEach, (*criterionState).recruiter)
}

func (e *evaluation) bestKept() *criterionState {
	var best *criterionState
	for i := range e.criteria {
		if c := &e.criteria[i]; c.kept() && c.c.Says.Kept != "" && (best == nil || c.weight > best.weight) {
			best = c
		}
	}
	return best
}

// risks are the failed gates, then the criteria that cost most.
func (e *evaluation) risks() []string {
	all := []string{}
	for _, g := range e.ch.Gates {
		if e.candidate.gates[g.ID].failed() && len(all) < maxEach {
			all = append(all, g.Lost)
		}
	}
	return append(all, sentences(e.byLoss(), maxEach-len(all), (*criterionState).recruiter)...)
}

// questions come from what cost most. What was not assessed because of a failed gate has no figure to ask about.
func (e *evaluation) questions() []string {
	return sentences(e.byLoss(), maxQuestions, func(c *criterionState) string { return c.fill(c.c.Says.Ask) })
}

// byLoss are the criteria that lost points, those that cost most first.
func (e *evaluation) byLoss() []*criterionState {
	lost := []*criterionState{}
	for i := range e.criteria {
		if c := &e.criteria[i]; c.lost() {
			lost = append(lost, c)
		}
	}
	slices.SortStableFunc(lost, func(a, b *criterionState) int { return descending(a.loss(), b.loss()) })
	return lost
}

func descending(a, b float64) int {
	switch {
	case a > b:
		return -1
	case a < b:
		return 1
	default:
		return 0
	}
}

// sentences takes up to n different ones, never nil.
func sentences(from []*criterionState, n int, say func(*criterionState) string) []string {
	out := []string{}
	for _, c := range from {
		if text := say(c); text != "" && len(out) < n && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}

// join makes one text of the sentences that there are.
func join(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
}
