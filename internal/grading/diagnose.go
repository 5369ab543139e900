package grading

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
	"github.com/assay-run/assay/runner"
)

// Skills whose lost points a diagnosis can explain.
const (
	skillLoop   = "event-loop"
	skillMemory = "memory-streams"
)

const (
	// worthDiagnosing is how many of 100 points must be lost.
	worthDiagnosing = 1.0
	// livedLongEnough is how long a program that failed must have run for its profile to say anything.
	livedLongEnough = 300 * time.Millisecond
)

// diagnosisCodes are the reason codes that call for a diagnosis whatever the criteria say, which a failed gate may have
// made meaningless.
func diagnosisCodes() map[string]string {
	return map[string]string{
		"LOOP_BLOCKED": skillLoop, "STARVATION": skillLoop,
		"OOM_HEAP": skillMemory, "OOM_CGROUP": skillMemory, "MEM_UNBOUNDED": skillMemory, "LEAK": skillMemory,
	}
}

// diagnose runs the submission once more, when it lost points that a look inside explains, and adds what was seen to the
// evidence. The attempt has been judged before and is not touched. Only the end of ctx is an error: whatever else goes
// wrong is a note in the diagnosis.
func (s *session) diagnose(ctx context.Context) error {
	number := len(s.ev.Attempts) - 1
	attempt := &s.ev.Attempts[number]
	if !s.req.Diagnose || attempt.Invalid != "" {
		return nil
	}
	e, err := score(s.req.Challenge, s.deps.Graders, s.ev, attempt)
	if err != nil {
		return err
	}
	skills, scenario := e.toDiagnose()
	if scenario == "" {
		return nil
	}
	d, err := s.diagnosticRun(ctx, scenario, number)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		d = &evidence.Diagnosis{
			Note:   "The diagnostic run could not be made: " + err.Error(),
			Stalls: []evidence.Stall{}, Allocations: []evidence.Allocation{}, Series: []evidence.Series{},
		}
	}
	d.Scenario, d.Skills = scenario, skills
	s.ev.Diagnosis = d
	return nil
}

// toDiagnose says which skills lost points that a diagnosis can explain, and in which measured scenario most of them.
// The scenario is empty when there is nothing to explain, or nothing that ran long enough.
func (e *evaluation) toDiagnose() (skills []string, scenario string) {
	lost := map[string]float64{} // by scenario
	blame := func(skill string, points float64, scenarios ...string) {
		if !slices.Contains(skills, skill) {
			skills = append(skills, skill)
		}
		for _, id := range scenarios {
			lost[id] += points
		}
	}
	for _, c := range e.criteria {
		points := 100 * c.weight * (1 - c.score)
		if c.assessed && points >= worthDiagnosing && (c.c.Skill == skillLoop || c.c.Skill == skillMemory) {
			blame(c.c.Skill, points, e.formulas.scenariosOf(c.c)...)
		}
	}
	for code, found := range e.codes() {
		skill, ok := diagnosisCodes()[code]
		if !ok {
			continue
		}
		blame(skill, worthDiagnosing)
		for _, f := range found {
			lost[f.Scenario] += worthDiagnosing
		}
	}
	slices.Sort(skills)
	if len(skills) == 0 {
		return nil, ""
	}
	most := -1.0
	for _, sc := range e.ch.Scenarios {
		if sc.Measured && plannedPairs(sc, e.ev.Mode) > 0 && lost[sc.ID] > most && e.lived(sc.ID) {
			most, scenario = lost[sc.ID], sc.ID
		}
	}
	return skills, scenario
}

// lived says that the submission ran in a scenario long enough to be looked at.
func (e *evaluation) lived(scenario string) bool {
	return slices.ContainsFunc(e.attempt.Runs, func(r evidence.Run) bool {
		return r.Role == evidence.Candidate && r.Scenario == scenario &&
			slices.ContainsFunc(r.Executions, func(x evidence.Execution) bool {
				return x.Exit.Status != evidence.NotStarted && (x.Exit.OK() || x.DurationNs >= int64(livedLongEnough))
			})
	})
}

// diagnosticRun makes the run: the same scenario on the same data, with the diagnosis beside the probe.
func (s *session) diagnosticRun(ctx context.Context, scenario string, attempt int) (*evidence.Diagnosis, error) {
	event := Event{Kind: EventDiagnosing, Scenario: scenario, Role: evidence.Candidate, Message: "diagnosis (not scored)"}
	s.deps.Progress(event)
	at := slices.IndexFunc(s.req.Challenge.Scenarios, func(sc challenges.Scenario) bool { return sc.ID == scenario })
	sc := s.req.Challenge.Scenarios[at]
	settings := sc.Modes[s.req.Mode]
	prepared, err := s.deps.Graders[sc.Workload].Prepare(ctx, graders.Preparation{
		Scenario: sc.ID, With: maps.Clone(settings.With), Seed: scenarioSeed(s.seed, attempt, sc.ID), Timeout: settings.Timeout,
		CacheDir: s.req.CacheDir, CacheLimit: s.req.CacheLimit, Files: s.req.Challenge.Files, Services: sc.Services, MemoryBytes: s.limits.MemoryBytes, Report: func(workload.Progress) {},
	})
	if err != nil {
		return nil, fmt.Errorf("prepare scenario %s: %w", sc.ID, err)
	}
	if prepared.Release != nil {
		defer prepared.Release()
	}
	if err := s.deps.PrepareCache(ctx, prepared.Files); err != nil {
		return nil, fmt.Errorf("prepare page cache: %w", err)
	}
	run, err := s.deps.Drive(ctx, s.deps.Engine, runner.RunSpec{
		Scenario: sc.ID, Role: evidence.Candidate, Workload: sc.Workload, Params: prepared.Params, Services: sc.Services,
		Workspace: s.workspaces[evidence.Candidate], Start: s.req.Submission.Start, Env: maps.Clone(s.req.Submission.Env),
		Limits: s.limits, Slot: s.req.Slot, DataDir: prepared.DataDir, StdinDir: prepared.StdinDir, OutBytes: s.limits.FileSizeBytes,
		Probe: true, Diagnose: true, Timeout: settings.Timeout + runMargin,
		Progress: func(w workload.Progress) {
			e := event
			e.Work = &w
			s.deps.Progress(e)
		},
	})
	if err != nil {
		return nil, err
	}
	return worstOf(run.Executions)
}

// worstOf is the diagnosis of the execution with the longest stall, or else of the longest one.
func worstOf(xs []evidence.Execution) (*evidence.Diagnosis, error) {
	var worst *evidence.Diagnosis
	stalled := func(d *evidence.Diagnosis) int64 {
		if len(d.Stalls) == 0 {
			return 0
		}
		return d.Stalls[0].LatencyNs
	}
	for _, x := range xs {
		d := x.Diagnosis
		if d == nil {
			continue
		}
		if worst == nil || stalled(d) > stalled(worst) || stalled(d) == stalled(worst) && d.DurationNs > worst.DurationNs {
			worst = d
		}
	}
	if worst == nil {
		return nil, fmt.Errorf("nothing was recorded")
	}
	return worst, nil
}
