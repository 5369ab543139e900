package grading

import (
	"fmt"
	"maps"
	"slices"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/internal/evidence"
)

// evaluation is an attempt, judged: what Judge turns into a report, and what a session looks at to decide whether an
// attempt is valid and whether more pairs are needed. It is a pure function of challenge and evidence.
type evaluation struct {
	ch      *challenges.Challenge
	mode    challenges.Mode
	attempt *evidence.Attempt
	ev      *evidence.Grading

	formulas  *formulas
	subjects  measured
	candidate standing
	reference standing

	criteria []criterionState
	uncapped float64 // 0…100, from the criteria alone
	cap      *Cap
	score    float64 // 0…100
	interval interval
	straddle bool // a band edge lies within the interval
}

// standing is one role's position: its numbers, its findings, and how it fares at the gates.
type standing struct {
	medians  map[string]map[string]float64
	findings map[string][]evidence.Finding // by code
	gates    map[string]gateState
}

func (s standing) env() challenges.Env {
	codes := map[string]bool{}
	for code := range s.findings {
		codes[code] = true
	}
	return challenges.Env{Metrics: s.medians, Codes: codes}
}

// envOf is env with the numbers of one pair.
func (s standing) envOf(sub subject, pair int) challenges.Env {
	env := s.env()
	env.Metrics = sub.ofPair(pair, s.medians)
	return env
}

// evaluate judges one attempt of a grading.
func evaluate(
	ch *challenges.Challenge, kinds map[string]graders.Grader, ev *evidence.Grading, attempt *evidence.Attempt,
) (*evaluation, error) {
	e, err := score(ch, kinds, ev, attempt)
	if err != nil {
		return nil, err
	}
	if err := e.drawInterval(); err != nil {
		return nil, err
	}
	return e, nil
}

// score is evaluate without the interval.
func score(
	ch *challenges.Challenge, kinds map[string]graders.Grader, ev *evidence.Grading, attempt *evidence.Attempt,
) (*evaluation, error) {
	mode, ok := ch.Modes[ev.Mode]
	if !ok {
		return nil, fmt.Errorf("judge evidence: challenge %s has no mode %q", ch.ID, ev.Mode)
	}
	if ev.Challenge.ID != ch.ID {
		return nil, fmt.Errorf("judge evidence: it is of challenge %q, not of %q", ev.Challenge.ID, ch.ID)
	}
	f, err := compileFormulas(ch, kinds)
	if err != nil {
		return nil, err
	}
	e := &evaluation{ch: ch, mode: mode, attempt: attempt, ev: ev, formulas: f}
	if err := e.measure(kinds); err != nil {
		return nil, err
	}
	if err := e.judgeCriteria(); err != nil {
		return nil, err
	}
	e.total()
	return e, nil
}

// measure lets the graders read the runs and judges the gates for candidate and reference.
func (e *evaluation) measure(kinds map[string]graders.Grader) (err error) {
	if e.ev.Build.Failed {
		// Nothing was started: there is nothing for a grader to read, and no gate says more than the build does.
		e.subjects = measured{}
		e.candidate.findings = buildFindings(e.ev.Build)
		return nil
	}
	if e.subjects, err = measureAttempt(e.ch, kinds, e.attempt, e.ev.Submission.Files); err != nil {
		return err
	}
	if e.candidate, err = e.stand(evidence.Candidate); err != nil {
		return err
	}
	e.reference, err = e.stand(evidence.Reference)
	return err
}

// stand judges the gates for one role.
func (e *evaluation) stand(role evidence.Role) (standing, error) {
	sub := e.subjects[role]
	s := standing{medians: sub.medians(), findings: sub.findings()}
	gates, err := judgeGates(e.ch.Gates, e.formulas.when, s.env())
	if err != nil {
		return standing{}, fmt.Errorf("judge gates of the %s: %w", role, err)
	}
	s.gates = gates
	return s, nil
}

// total adds the criteria up and applies the cap of the gates.
func (e *evaluation) total() {
	for _, c := range e.criteria {
		e.uncapped += 100 * c.weight * c.score
	}
	e.uncapped = clamp(e.uncapped, 0, 100)
	e.cap = e.findCap()
	e.score = e.capped(e.uncapped)
}

func (e *evaluation) capped(score float64) float64 {
	if e.cap != nil {
		return min(score, e.cap.Points)
	}
	return score
}

// findCap returns the lowest cap of the failed gates, the first of them in the challenge's order; nil when none failed.
// A cap is reported also when the criteria alone stay below it: its sentence explains what weighs most.
func (e *evaluation) findCap() *Cap {
	var lowest *Cap
	for _, g := range e.ch.Gates {
		points := gateCap(g.Kind)
		if e.candidate.gates[g.ID].failed() && (lowest == nil || points < lowest.Points) {
			lowest = &Cap{Points: points, Gate: g.ID, Sentence: g.Lost, Uncapped: round(e.uncapped, 1)}
		}
	}
	return lowest
}

// codes lists the reason codes of the candidate with what was seen: findings of the graders, of the criteria, and
// the codes of failed gates, which may have no finding of their own.
func (e *evaluation) codes() map[string][]evidence.Finding {
	out := maps.Clone(e.candidate.findings)
	for _, c := range e.criteria {
		for _, f := range c.findings {
			out[f.Code] = append(slices.Clone(out[f.Code]), f)
		}
	}
	for _, g := range e.ch.Gates {
		if _, ok := out[g.Code]; !ok && g.Code != "" && e.candidate.gates[g.ID].failed() {
			out[g.Code] = nil
		}
	}
	return out
}

// tampered says whether two independent measurements contradict each other.
func (e *evaluation) tampered() bool {
	for code := range e.codes() {
		if doc, ok := evidence.LookupCode(code); ok && doc.Kind == evidence.TamperCode {
			return true
		}
	}
	return false
}
