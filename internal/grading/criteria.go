package grading

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/internal/evidence"
)

// criterionState is a criterion, judged on an attempt.
type criterionState struct {
	c        *challenges.Criterion
	assessed bool
	why      string   // why not assessed
	value    *float64 // of the candidate, from the medians; nil when not measured
	ref      *float64
	score    float64 // 0…1
	weight   float64 // share of the whole after redistribution, 0…1
	findings []evidence.Finding

	// ratios are the candidate's values by pair, each over the median of the reference runs before and after it, both
	// raised to the floor. Empty for a criterion that does not compare with the reference.
	ratios []float64
	floor  float64
	noise  float64
	env    challenges.Env // for Score at drawn values
	eval   *challenges.Expression
}

// whyNoReference marks a criterion that cannot be judged by our own fault; the attempt is then invalid.
const whyNoReference = "Not assessed, because our own reference gave no figure to compare with."

// judgeCriteria judges every criterion and shares out the weights. The weight of what is not assessed goes to the
// others, in proportion: a program that gives wrong numbers is not also charged for how fast it gives them (§5.1).
func (e *evaluation) judgeCriteria() error {
	assessed := 0.0
	for i := range e.ch.Criteria {
		s, err := e.judgeCriterion(&e.ch.Criteria[i])
		if err != nil {
			return fmt.Errorf("judge criterion %s: %w", e.ch.Criteria[i].ID, err)
		}
		if s.assessed {
			assessed += s.c.Points
		}
		e.criteria = append(e.criteria, s)
	}
	for i := range e.criteria {
		if s := &e.criteria[i]; s.assessed && assessed > 0 {
			s.weight = s.c.Points / assessed
		}
	}
	return nil
}

func (e *evaluation) judgeCriterion(c *challenges.Criterion) (criterionState, error) {
	s := criterionState{c: c, eval: e.formulas.score[c.ID], floor: e.formulas.score[c.ID].Floor()}
	var err error
	if s.ref, err = number(e.formulas.value[c.ID], e.reference.env()); err != nil {
		return s, err
	}
	if gate := blockedBy(c.Needs, e.candidate.gates); gate != "" {
		s.why = fmt.Sprintf("Not assessed, because it means little after this: %s", e.gate(gate).Lost)
		return s, nil
	}
	s.assessed = true
	if s.value, err = number(e.formulas.value[c.ID], e.candidate.env()); err != nil {
		return s, err
	}
	s.env = e.candidate.env()
	s.env.Value, s.env.Reference = s.value, s.ref
	if s.value == nil {
		return s, nil // the candidate did not live to show it: no points
	}
	if c.Relative && s.ref == nil && !e.ev.Build.Failed {
		s.assessed = false
		s.why = whyNoReference
		return s, nil
	}
	if s.score, err = s.scoreAt(*s.value); err != nil {
		return s, err
	}
	if s.findings, err = e.criterionFindings(s); err != nil {
		return s, err
	}
	if c.Relative {
		s.noise = e.formulas.noise(c)
		if s.ratios, err = e.ratios(c, s.floor); err != nil {
			return s, err
		}
	}
	return s, nil
}

// scoreAt evaluates the criterion's score for another value of the candidate, 0…1.
func (s *criterionState) scoreAt(value float64) (float64, error) {
	env := s.env
	env.Value = &value
	score, err := number(s.eval, env)
	if err != nil || score == nil {
		return 0, err
	}
	return clamp(*score, 0, 1), nil
}

// criterionFindings evaluates the criterion's own reason codes.
func (e *evaluation) criterionFindings(s criterionState) ([]evidence.Finding, error) {
	var found []evidence.Finding
	for _, code := range slices.Sorted(maps.Keys(e.formulas.codes[s.c.ID])) {
		holds, err := e.formulas.codes[s.c.ID][code].EvalBool(s.env)
		var missing *challenges.NotMeasuredError
		if errors.As(err, &missing) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("code %s: %w", code, err)
		}
		if holds {
			found = append(found, evidence.Finding{
				Code: code, Scenario: first(e.formulas.scenariosOf(s.c)), Detail: s.figures(), AtSeconds: -1,
			})
		}
	}
	return found, nil
}

// ratios compares pair by pair: candidate run i lies between the reference runs i and i+1, so a machine that becomes
// slower during a session touches both sides alike.
func (e *evaluation) ratios(c *challenges.Criterion, floor float64) ([]float64, error) {
	value := e.formulas.value[c.ID]
	cand, ref := e.subjects[evidence.Candidate], e.subjects[evidence.Reference]
	var out []float64
	for pair := range e.pairsOf(c) {
		own, err := number(value, e.candidate.envOf(cand, pair))
		if err != nil {
			return nil, err
		}
		var neighbours []float64
		for _, p := range []int{pair, pair + 1} {
			v, err := number(value, e.reference.envOf(ref, p))
			if err != nil {
				return nil, err
			}
			if v != nil {
				neighbours = append(neighbours, *v)
			}
		}
		if own == nil || len(neighbours) == 0 {
			continue
		}
		if r, ok := ratio(*own, median(neighbours), floor); ok {
			out = append(out, r)
		}
	}
	return out, nil
}

// pairsOf is how many pairs speak about a criterion: the most that one of its scenarios has.
func (e *evaluation) pairsOf(c *challenges.Criterion) int {
	n := 0
	for _, id := range e.formulas.scenariosOf(c) {
		n = max(n, e.subjects[evidence.Candidate].pairs(id))
	}
	return n
}

// ratio of two positive figures, raised to the floor first; ok is false where it has no meaning.
func ratio(value, reference, floor float64) (r float64, ok bool) {
	value, reference = max(value, floor), max(reference, floor)
	if value <= 0 || reference <= 0 {
		return 0, false
	}
	return value / reference, true
}

// number evaluates an expression; nil means not measured.
func number(x *challenges.Expression, env challenges.Env) (*float64, error) {
	v, err := x.EvalNumber(env)
	var missing *challenges.NotMeasuredError
	switch {
	case errors.As(err, &missing):
		return nil, nil
	case err != nil:
		return nil, err
	case math.IsNaN(v) || math.IsInf(v, 0):
		return nil, nil
	}
	return &v, nil
}

func clamp(v, low, high float64) float64 { return max(low, min(high, v)) }

// round to a number of decimals, away from zero at a half. It keeps a report the same on machines whose last bits
// differ.
func round(v float64, decimals int) float64 {
	p := math.Pow10(decimals)
	return math.Round(v*p) / p
}

func first(s []string) string {
	if len(s) == 0 {
		return ""
	}
	return s[0]
}
