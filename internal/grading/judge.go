package grading

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/internal/evidence"
)

const (
	// maxFindings bounds what a report keeps of one code; the rest is in the evidence.
	maxFindings = 20
	// maxCases bounds the checks of one scenario in a report.
	maxCases = 500
)

// Judge makes a report of evidence. It is pure: the same challenge and evidence give the same report, bit for bit. The
// last attempt is judged. Evidence stays to be filled in by WriteFiles.
//
// An invalid grading keeps its score and criteria, for whoever looks into it, but its verdict charges nobody. The same
// holds for one that is withheld.
//
// The error means that challenge, graders and evidence do not belong together.
func Judge(ch *challenges.Challenge, kinds map[string]graders.Grader, ev *evidence.Grading) (*Report, error) {
	if ev.Schema != evidence.Schema {
		return nil, fmt.Errorf("judge evidence: it has schema %q, this version of Assay reads %q", ev.Schema, evidence.Schema)
	}
	attempt := ev.Last()
	e, err := evaluate(ch, kinds, ev, &attempt)
	if err != nil {
		return nil, err
	}
	invalid := e.invalidity()
	r := &Report{
		Schema: ReportSchema, ID: ev.ID, Mode: ev.Mode, Official: e.mode.Official,
		Started: ev.Started, Finished: ev.Finished,
		Challenge: ReportChallenge{
			ID: ev.Challenge.ID, Version: ev.Challenge.Version, Title: ev.Challenge.Title,
			Level: ev.Challenge.Level, Minutes: ev.Challenge.Minutes, Digest: ev.Challenge.Digest,
		},
		Submission: ReportSubmission{
			Name: ev.Submission.Name, Digest: ev.Submission.Digest,
			Start: ev.Submission.Start, Notes: ev.Submission.Notes,
		},
		Verdict: e.verdict(invalid), Score: round(e.score, 1), PassMark: ch.PassMark,
		Interval: Interval{
			Low: round(e.interval.low, 1), High: round(e.interval.high, 1), Method: e.interval.method,
		},
		Band: bandName(e.standingScore()), Borderline: e.borderline(), Invalid: invalid, Cap: e.cap,
		Codes: e.reportCodes(invalid), Gates: e.gateResults(), Criteria: e.criterionResults(),
		Cases: e.cases(), Runs: e.runs(), Noise: e.noise(), Notes: e.notes(),
		Environment: ev.Environment, Seed: ev.Seed, Diagnosis: diagnosisReport(ev.Diagnosis),
	}
	r.Summary = e.summary(r)
	return r, nil
}

// reportCodes are the candidate's codes with their sentences, sorted by code.
func (e *evaluation) reportCodes(invalid string) []Code {
	found := e.codes()
	if invalid != "" {
		found[evidence.CodeInvalidRun] = []evidence.Finding{{Code: evidence.CodeInvalidRun, Detail: invalid, AtSeconds: -1}}
	}
	codes := []Code{}
	for _, code := range slices.Sorted(maps.Keys(found)) {
		c := Code{Code: code, Findings: distinct(found[code])}
		if doc, ok := evidence.LookupCode(code); ok {
			c.Engineer, c.Recruiter = doc.Engineer, doc.Recruiter
		}
		codes = append(codes, c)
	}
	return codes
}

// distinct keeps one of the findings that say the same of the same execution, in their order.
func distinct(found []evidence.Finding) []evidence.Finding {
	type key struct{ scenario, execution, detail string }
	seen := map[key]bool{}
	var out []evidence.Finding
	for _, f := range found {
		k := key{f.Scenario, f.Execution, f.Detail}
		if !seen[k] && len(out) < maxFindings {
			seen[k] = true
			out = append(out, f)
		}
	}
	return out
}

func (e *evaluation) gateResults() []GateResult {
	results := []GateResult{}
	for _, g := range e.ch.Gates {
		state := e.candidate.gates[g.ID]
		r := GateResult{ID: g.ID, Title: g.Title, Kind: g.Kind, Judged: state.judged, Passed: state.judged && state.passed}
		switch {
		case e.ev.Build.Failed:
			r.Sentence = "Not judged, because the program could not be built."
		case !state.judged:
			r.Sentence = "Not judged, because it means little after this: " + e.gate(state.blocker).Lost
		case !state.passed:
			r.Code, r.Sentence = g.Code, g.Lost
		}
		results = append(results, r)
	}
	return results
}

func (e *evaluation) gate(id string) challenges.Gate {
	for _, g := range e.ch.Gates {
		if g.ID == id {
			return g
		}
	}
	return challenges.Gate{}
}

func (e *evaluation) criterionResults() []CriterionResult {
	results := []CriterionResult{}
	for i, s := range e.criteria {
		low, high := e.interval.criteria[i][0], e.interval.criteria[i][1]
		r := CriterionResult{
			ID: s.c.ID, Title: s.c.Title, Detail: s.c.Detail, Skill: s.c.Skill, Unit: s.c.Unit,
			Assessed: s.assessed, Why: s.why, Reference: s.ref,
		}
		if s.assessed {
			r.Value, r.Ratio = s.value, s.plainRatio()
			r.Score, r.Low, r.High = round(s.score, 4), round(low, 4), round(high, 4)
			r.Weight, r.MaxPoints = round(s.weight, 6), round(100*s.weight, 2)
			r.Points = round(100*s.weight*s.score, 2)
			r.Recruiter, r.Engineer = s.recruiter(), s.engineer()
			for _, f := range s.findings {
				r.Codes = append(r.Codes, f.Code)
			}
			if s.lost() {
				r.Ask = s.fill(s.c.Says.Ask)
			}
		}
		results = append(results, r)
	}
	return results
}

// cases are the yes-or-no checks of each scenario, from the candidate's first run of it: the run that a reader can
// follow in the evidence.
func (e *evaluation) cases() []ScenarioCases {
	all := []ScenarioCases{}
	for _, sc := range e.ch.Scenarios {
		samples := e.subjects[evidence.Candidate][sc.ID]
		if len(samples) == 0 || len(samples[0].cases) == 0 {
			continue
		}
		cases := samples[0].cases
		all = append(all, ScenarioCases{
			Scenario: sc.ID, Title: sc.Title, Cases: slices.Clone(cases[:min(len(cases), maxCases)]),
		})
	}
	return all
}

// runs are in the order in which they ran.
func (e *evaluation) runs() []RunSummary {
	values := map[*evidence.Run]map[string]float64{}
	for _, sub := range e.subjects {
		for _, samples := range sub {
			for _, s := range samples {
				values[s.run] = s.values
			}
		}
	}
	all := []RunSummary{}
	for i := range e.attempt.Runs {
		run := &e.attempt.Runs[i]
		r := RunSummary{
			Scenario: run.Scenario, Role: run.Role, Pair: run.Pair, Status: runStatus(run.Executions), Values: values[run],
		}
		if r.Values == nil {
			r.Values = map[string]float64{}
		}
		for _, x := range run.Executions {
			r.WallNs += x.DurationNs
		}
		all = append(all, r)
	}
	return all
}

// runStatus says how the executions of a run ended; of several it counts those that did not end well and names the first.
func runStatus(xs []evidence.Execution) string {
	var bad []string
	for _, x := range xs {
		if !x.Exit.OK() {
			bad = append(bad, exitStatus(x.Exit))
		}
	}
	switch {
	case len(xs) == 0:
		return "nothing ran"
	case len(bad) == 0:
		return "exit 0"
	case len(xs) == 1:
		return bad[0]
	default:
		return fmt.Sprintf("%d of %d: %s", len(bad), len(xs), bad[0])
	}
}

func exitStatus(x evidence.Exit) string {
	switch {
	case x.Status == evidence.Exited:
		return fmt.Sprintf("exit %d", x.Code)
	case x.Status == evidence.Signaled && x.Signal != "":
		return x.Signal
	default:
		return string(x.Status)
	}
}

// runcNames are the names under which engines know runc, the runtime that scores are compared under; empty where it is not known.
func runcNames() []string {
	return []string{"", "runc", "io.containerd.runc.v1", "io.containerd.runc.v2", "io.containerd.runtime.v1.linux"}
}

// notes are what a reader has to know before trusting the figures.
func (e *evaluation) notes() []string {
	notes := []string{}
	if !e.mode.Official {
		notes = append(notes, fmt.Sprintf("This is practice: scores of the mode %q are not official.", e.ev.Mode))
	}
	if !e.ev.Environment.Sandboxed {
		notes = append(notes, "Not sandboxed: the program ran as a plain process of this machine, so limits and figures are approximate.")
	}
	if runtime := e.ev.Environment.Runtime; !slices.Contains(runcNames(), runtime) {
		notes = append(notes, fmt.Sprintf("The containers ran under the runtime %q, not runc. What a system call costs, and what is seen of memory and "+
			"processor time from outside, can differ: compare this score only with scores under the same runtime.", runtime))
	}
	notes = append(notes, e.mode.Notes...)
	for _, note := range e.ev.Submission.Notes {
		notes = append(notes, "Submission: "+note)
	}
	for _, id := range e.shortened() {
		notes = append(notes, fmt.Sprintf("%s: the program reached its time limit, so it was not run again.", id))
	}
	if n := len(e.ev.Faults); n > 0 {
		notes = append(notes, fmt.Sprintf("%s of the machine or of Assay (%s); what was under way was thrown away and made again. "+
			"Nothing of it is charged to the submission.", count(n, "fault"), strings.Join(e.ev.Faults, "; ")))
	}
	return notes
}

// shortened lists the titles of scenarios of which pairs were left out because a run had hung.
func (e *evaluation) shortened() []string {
	var titles []string
	for _, sc := range e.ch.Scenarios {
		samples := e.subjects[evidence.Candidate][sc.ID]
		if n := len(samples); n > 0 && n < plannedPairs(sc, e.ev.Mode) && timedOut(samples[n-1].run.Executions) {
			titles = append(titles, sc.Title)
		}
	}
	return titles
}

// timedOut says that the driver had to end one of the executions at its time limit.
func timedOut(xs []evidence.Execution) bool {
	return slices.ContainsFunc(xs, func(x evidence.Execution) bool { return x.Exit.Status == evidence.TimedOut })
}

// plannedPairs is how many pairs a mode runs of a scenario, 0 when it skips it.
func plannedPairs(sc challenges.Scenario, mode string) int {
	settings, ok := sc.Modes[mode]
	switch {
	case !ok:
		return 0
	case !sc.Measured:
		return 1
	default:
		return max(1, settings.Pairs)
	}
}
