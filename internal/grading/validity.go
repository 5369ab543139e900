package grading

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/assay-run/assay/internal/evidence"
)

// Bounds of the session protocol (catalogue §2): beyond them an attempt says nothing about the submission.
const (
	// maxReferenceRatio is how far the reference may differ from itself, either way: 0.8 to 1.25.
	maxReferenceRatio = 1.25
	// maxSway is how many points of 100 a disagreement of the reference with itself may decide.
	maxSway = 1.0
	// maxDrift is how much the speed of the core may change within an attempt.
	maxDrift = 0.10
)

// invalidity says in one sentence why the attempt cannot be trusted; "" when it can. Only what we brought ourselves
// (reference, control, machine) can make an attempt invalid: nothing that a submission does.
func (e *evaluation) invalidity() string {
	if e.attempt.Invalid != "" {
		return e.attempt.Invalid
	}
	if e.ev.Build.Failed {
		return "" // nothing ran that could have gone wrong
	}
	if sentence := e.controlPasses(); sentence != "" {
		return sentence
	}
	return e.unsteady()
}

// unsteady is invalidity without the control, which runs last.
func (e *evaluation) unsteady() string {
	for _, check := range []func() string{e.harnessLate, e.referenceFails, e.referenceDiffers, e.coreDrifts} {
		if sentence := check(); sentence != "" {
			return sentence
		}
	}
	return ""
}

func (e *evaluation) referenceFails() string {
	for _, g := range e.ch.Gates {
		if e.reference.gates[g.ID].failed() {
			return fmt.Sprintf("Our own reference solution failed the gate %q in this session, so something was wrong with "+
				"the machine or the harness.", g.Title)
		}
	}
	for _, c := range e.criteria {
		if c.c.Relative && c.ref == nil {
			return fmt.Sprintf("Our own reference solution gave no figure for %q, so there is nothing to compare with.", c.c.Title)
		}
	}
	return ""
}

func (e *evaluation) controlPasses() string {
	if len(e.ch.Control.Codes) == 0 {
		return ""
	}
	if failed, codes := e.control(); !failed {
		got := "none"
		if len(codes) > 0 {
			got = strings.Join(codes, ", ")
		}
		return fmt.Sprintf("The known bad solution did not fail as it must: expected %s, got %s. The harness would not have "+
			"noticed that fault in a submission either.", strings.Join(e.ch.Control.Codes, " or "), got)
	}
	return ""
}

// control returns the codes of the negative control, sorted, and whether one of those that it must get is among them.
func (e *evaluation) control() (failed bool, codes []string) {
	found := e.subjects[evidence.Control].findings()
	codes = slices.Sorted(maps.Keys(found))
	// A control may also be caught by a criterion (LOOP_BLOCKED is one), which the session's reference is needed for.
	control := *e
	control.candidate = standing{medians: e.subjects[evidence.Control].medians(), findings: found}
	for i := range e.ch.Criteria {
		state, err := control.judgeCriterion(&e.ch.Criteria[i])
		if err != nil {
			continue // the same expression has been evaluated for the candidate, where its error is returned
		}
		for _, f := range state.findings {
			codes = append(codes, f.Code)
		}
	}
	slices.Sort(codes)
	codes = slices.Compact(codes)
	for _, want := range e.ch.Control.Codes {
		failed = failed || slices.Contains(codes, want)
	}
	return failed, codes
}

// referenceDiffers says that the reference disagrees with itself beyond the bounds in a criterion where that could have
// decided something about this submission.
//
// The protocol of catalogue §2 discards a session for any disagreement. That would discard most sessions on a shared
// machine for a heartbeat of 9 or 15 ms, although the submission's own of 2 s, or of 12 ms, scores the same against
// either. So a disagreement counts only when the two halves of the reference runs, each taken alone, give the submission
// scores more than maxSway apart, or other reason codes.
func (e *evaluation) referenceDiffers() string {
	for _, d := range e.disagreements() {
		if d.ratio > maxReferenceRatio && e.decides(d) {
			return fmt.Sprintf("Our own reference solution differed from itself by a factor of %.2f in %q (allowed: %.2f), "+
				"so the machine was not steady enough to compare anything.", d.ratio, d.criterion.c.Title, maxReferenceRatio)
		}
	}
	return ""
}

// disagreement is how far the reference differs from itself in one criterion.
type disagreement struct {
	criterion *criterionState
	// early and late are the medians of the first and of the second half of its runs.
	early, late float64
	ratio       float64 // of the two, at least 1
}

// disagreements are those of all criteria that compare with the reference, the largest first. Two runs are compared
// directly, and of many runs a single odd one does no more harm than it does to the score. The floors of the criteria
// apply: a heartbeat of 3 ms and one of 5 ms are the same where everything below 10 ms is.
func (e *evaluation) disagreements() []disagreement {
	ref := e.subjects[evidence.Reference]
	var all []disagreement
	for i := range e.criteria {
		c := &e.criteria[i]
		if !c.c.Relative {
			continue
		}
		runs := 0
		for _, id := range e.formulas.scenariosOf(c.c) {
			runs = max(runs, ref.pairs(id))
		}
		var values []float64
		for pair := range runs {
			v, err := number(e.formulas.value[c.c.ID], e.reference.envOf(ref, pair))
			if err == nil && v != nil {
				values = append(values, *v)
			}
		}
		if len(values) < 2 {
			continue
		}
		half := len(values) / 2
		d := disagreement{criterion: c, early: median(values[:half]), late: median(values[len(values)-half:])}
		var ok bool
		if d.ratio, ok = ratio(d.late, d.early, e.formulas.score[c.c.ID].Floor()); ok {
			d.ratio = max(d.ratio, 1/d.ratio)
			all = append(all, d)
		}
	}
	slices.SortStableFunc(all, func(a, b disagreement) int { return cmp.Compare(b.ratio, a.ratio) })
	return all
}

// decides says whether the submission would have been judged otherwise by one half of the reference runs than by the other.
func (e *evaluation) decides(d disagreement) bool {
	s := d.criterion
	if !s.assessed || s.value == nil {
		return false
	}
	var scores []float64
	var codes []int
	for _, reference := range []float64{d.early, d.late} {
		half := *s
		half.env.Reference = &reference
		score, err := half.scoreAt(*s.value)
		found, ferr := e.criterionFindings(half)
		if err != nil || ferr != nil {
			return true
		}
		scores, codes = append(scores, score), append(codes, len(found))
	}
	return 100*s.weight*math.Abs(scores[0]-scores[1]) > maxSway || codes[0] != codes[1]
}

// referenceRatio is the largest ratio of the reference with itself, at least 1, and the title of its criterion.
func (e *evaluation) referenceRatio() (worst float64, title string) {
	if all := e.disagreements(); len(all) > 0 && all[0].ratio > 1 {
		return all[0].ratio, all[0].criterion.c.Title
	}
	return 1, ""
}

func (e *evaluation) coreDrifts() string {
	drift := calibrationDrift(e.attempt.CalibrationNs)
	if drift <= maxDrift {
		return ""
	}
	return fmt.Sprintf("The speed of the core changed by %s during the session (allowed: %s), so runs could not be compared.",
		FormatValue(drift, "share"), FormatValue(maxDrift, "share"))
}

// calibrationDrift is how much longer the slowest timing of the calibration loop took than the fastest, as a share.
func calibrationDrift(ns []int64) float64 {
	if len(ns) < 2 {
		return 0
	}
	fastest := slices.Min(ns)
	if fastest <= 0 {
		return math.MaxFloat64 // a loop that takes no time was not timed
	}
	return float64(slices.Max(ns))/float64(fastest) - 1
}

// noise gathers how steady machine and harness were.
func (e *evaluation) noise() Noise {
	worst, metric := e.referenceRatio()
	n := Noise{
		ReferenceRatio:   round(worst, 3),
		ReferenceMetric:  metric,
		CalibrationDrift: round(calibrationDrift(e.attempt.CalibrationNs), 4),
		ControlCodes:     []string{},
		Repeats:          max(0, len(e.ev.Attempts)-1),
		Faults:           len(e.ev.Faults),
		ExtraPairs:       e.attempt.ExtraPairs,
	}
	failed, codes := e.control()
	n.ControlFailed, n.ControlCodes = failed, append(n.ControlCodes, codes...)
	for _, run := range e.attempt.Runs {
		if run.Role != evidence.Candidate {
			continue
		}
		for _, x := range run.Executions {
			if x.DurationNs > 0 {
				n.RunDelayShare = max(n.RunDelayShare, float64(x.Usage.RunDelayNs)/float64(x.DurationNs))
			}
			n.ThrottledNs += x.Usage.ThrottledNs
			n.StealNs += x.Usage.StealNs
			if x.DurationNs > 0 {
				n.PressureShare = max(n.PressureShare, min(float64(x.Usage.PressureNs)/float64(x.DurationNs), 1))
			}
			if x.Heartbeat != nil {
				n.StolenNs += x.Heartbeat.StolenNs
			}
		}
	}
	n.RunDelayShare, n.PressureShare = round(n.RunDelayShare, 4), round(n.PressureShare, 4)
	if checks := e.attempt.Harness; len(checks) > 0 {
		best := bestCheck(checks)
		n.HarnessP99Ns, n.HarnessMaxNs = best.P99Ns, best.MaxNs
	}
	return n
}
