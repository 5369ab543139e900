package grading

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
	"github.com/assay-run/assay/runner"
)

// runMargin is how far the backstop of a run lies above the time limit of its executions: opening and closing a pod,
// reading results back.
const runMargin = 60 * time.Second

// trial is one attempt while it runs.
type trial struct {
	*session
	number    int
	scenarios []*planned
	result    evidence.Attempt
	done      int
	total     int
}

// planned is a scenario of the mode.
type planned struct {
	challenges.Scenario
	settings challenges.ScenarioMode
	prepared graders.Prepared
	pairs    int // candidate runs made so far
	// stopped says that a candidate run reached its time limit. Further pairs would each wait for it again and tell
	// nothing new, so the scenario gets none.
	stopped bool
}

// attempt makes one complete session on one set of data:
//
//	the harness on an idle server; calibration; pair by pair over all measured scenarios: reference, candidate; a closing reference for each of them;
//	calibration; the other scenarios, once for the reference and once for the candidate; extra pairs where the score lies
//	on a band edge; the control; calibration.
//
// Data of all scenarios is made before the first run, so nothing of ours works beside a measured run.
func (s *session) attempt(ctx context.Context, number int) (evidence.Attempt, error) {
	t := &trial{session: s, number: number}
	t.result = evidence.Attempt{Runs: []evidence.Run{}, Truth: map[string]json.RawMessage{}, CalibrationNs: []int64{}}
	defer t.release()
	for _, step := range []func(context.Context) error{
		t.checkHarness, t.plan, t.calibrate, t.measuredPairs, t.calibrate, t.singleRuns, t.extraPairs, t.control, t.calibrate, t.validate,
	} {
		if err := ctx.Err(); err != nil {
			return evidence.Attempt{}, context.Cause(ctx)
		}
		if err := step(ctx); err != nil {
			return evidence.Attempt{}, err
		}
		if t.result.Invalid != "" {
			break // known before anything of the submission ran, or at the end
		}
	}
	return t.result, nil
}

// plan makes the data of every scenario of the mode.
func (t *trial) plan(ctx context.Context) error {
	for _, sc := range t.req.Challenge.Scenarios {
		pairs := plannedPairs(sc, t.req.Mode)
		if pairs == 0 {
			continue
		}
		p := &planned{Scenario: sc, settings: sc.Modes[t.req.Mode]}
		grader, ok := t.deps.Graders[sc.Workload]
		if !ok {
			return fmt.Errorf("prepare scenario %s: no workload is called %q", sc.ID, sc.Workload)
		}
		t.tell(Event{Kind: EventPreparing, Scenario: sc.ID, Message: "making the data of " + sc.ID})
		var err error
		p.prepared, err = grader.Prepare(ctx, graders.Preparation{
			Scenario: sc.ID,
			With:     maps.Clone(p.settings.With),
			Seed:     scenarioSeed(t.seed, t.number, sc.ID),
			Timeout:  p.settings.Timeout,
			CacheDir: t.req.CacheDir, CacheLimit: t.req.CacheLimit, Files: t.req.Challenge.Files, Services: sc.Services, MemoryBytes: t.limits.MemoryBytes,
			Report: func(w workload.Progress) {
				t.tell(Event{Kind: EventPreparing, Scenario: sc.ID, Message: "making the data of " + sc.ID, Work: &w})
			},
		})
		if err != nil {
			return fmt.Errorf("prepare scenario %s: %w", sc.ID, err)
		}
		t.result.Truth[sc.ID] = p.prepared.Truth
		t.scenarios = append(t.scenarios, p)
		t.total += 2 * pairs
		if sc.Measured {
			t.total++ // the closing reference
		}
	}
	t.total++ // the control
	return nil
}

// release gives the data back to the cache; a repeat makes its own.
func (t *trial) release() {
	for _, p := range t.scenarios {
		if p.prepared.Release != nil {
			p.prepared.Release()
		}
	}
}

// measuredPairs alternates reference and candidate, pair by pair over all measured scenarios, so that whatever changes
// on the machine touches both sides and all scenarios alike.
func (t *trial) measuredPairs(ctx context.Context) error {
	most := 0
	for _, p := range t.scenarios {
		most = max(most, plannedPairs(p.Scenario, t.req.Mode))
	}
	for pair := range most {
		for _, p := range t.scenarios {
			if !p.Measured || p.stopped || pair >= plannedPairs(p.Scenario, t.req.Mode) {
				continue
			}
			if err := t.run(ctx, evidence.Reference, p, pair); err != nil {
				return err
			}
			if err := t.candidate(ctx, p); err != nil {
				return err
			}
		}
	}
	for _, p := range t.scenarios {
		if !p.Measured {
			continue
		}
		if err := t.run(ctx, evidence.Reference, p, p.pairs); err != nil {
			return err
		}
	}
	return nil
}

// singleRuns runs what is not compared by time or memory.
func (t *trial) singleRuns(ctx context.Context) error {
	for _, p := range t.scenarios {
		if p.Measured {
			continue
		}
		if err := t.run(ctx, evidence.Reference, p, 0); err != nil {
			return err
		}
		if err := t.candidate(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// extraPairs adds pairs, one at a time, while the runs do not decide on which side of a band edge the score lies. The
// closing reference of the pair before serves as the opening one of the next. An attempt that cannot be trusted, or
// whose doubt no pair can settle, gets none, and neither does one whose verdict a person will give.
func (t *trial) extraPairs(ctx context.Context) error {
	if !t.mode.Official {
		return nil
	}
	for t.result.ExtraPairs < t.mode.MaxExtraPairs {
		e, err := evaluate(t.req.Challenge, t.deps.Graders, t.ev, &t.result)
		if err != nil {
			return err
		}
		varying := t.varying(e)
		if !e.straddle || len(varying) == 0 || e.unsteady() != "" || e.tampered() {
			return nil
		}
		t.result.ExtraPairs++
		t.total += 2 * len(varying)
		t.tell(Event{Kind: EventExtra, Message: fmt.Sprintf(
			"the score lies on a band edge (%s to %s), so one more pair is run", points(e.interval.low), points(e.interval.high))})
		for _, p := range varying {
			if err := t.candidate(ctx, p); err != nil {
				return err
			}
			if err := t.run(ctx, evidence.Reference, p, p.pairs); err != nil {
				return err
			}
		}
	}
	return nil
}

// varying are the measured scenarios behind the criteria whose score is uncertain.
func (t *trial) varying(e *evaluation) []*planned {
	uncertain := map[string]bool{}
	for i, c := range e.criteria {
		if bounds := e.interval.criteria[i]; c.weight > 0 && bounds[0] < bounds[1] {
			for _, id := range e.formulas.scenariosOf(c.c) {
				uncertain[id] = true
			}
		}
	}
	var out []*planned
	for _, p := range t.scenarios {
		if p.Measured && !p.stopped && uncertain[p.ID] {
			out = append(out, p)
		}
	}
	return out
}

// control runs the known bad solution on its scenario.
func (t *trial) control(ctx context.Context) error {
	for _, p := range t.scenarios {
		if p.ID == t.req.Challenge.Control.Scenario {
			return t.run(ctx, evidence.Control, p, 0)
		}
	}
	return nil // Request.Validate has made sure that there is one
}

// validate decides whether the attempt can be trusted.
func (t *trial) validate(context.Context) error {
	e, err := evaluate(t.req.Challenge, t.deps.Graders, t.ev, &t.result)
	if err != nil {
		return err
	}
	if t.result.Invalid = e.invalidity(); t.result.Invalid != "" {
		t.tell(Event{Kind: EventInvalid, Message: t.result.Invalid})
	}
	return nil
}

func (t *trial) calibrate(ctx context.Context) error {
	ns, err := t.deps.Calibrate(ctx, t.req.Slot.CandidateCores)
	if err != nil {
		return fmt.Errorf("calibrate: %w", err)
	}
	t.result.CalibrationNs = append(t.result.CalibrationNs, ns)
	return nil
}

// candidate runs the submission once more on a scenario.
func (t *trial) candidate(ctx context.Context, p *planned) error {
	if err := t.run(ctx, evidence.Candidate, p, p.pairs); err != nil {
		return err
	}
	p.pairs++
	p.stopped = timedOut(t.result.Runs[len(t.result.Runs)-1].Executions)
	return nil
}

// run makes one run and adds it to the evidence.
func (t *trial) run(ctx context.Context, role evidence.Role, p *planned, pair int) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	event := Event{Kind: EventRunning, Scenario: p.ID, Role: role, Pair: pair, Message: p.Title}
	t.tell(event)
	solution := t.solutions()[role]
	spec := runner.RunSpec{
		Scenario: p.ID, Role: role, Pair: pair,
		Workload: p.Workload, Params: p.prepared.Params, Services: p.Services,
		Workspace: t.workspaces[role], Start: solution.Start, Env: maps.Clone(solution.Env),
		Limits: t.limits, Slot: t.req.Slot, DataDir: p.prepared.DataDir, StdinDir: p.prepared.StdinDir, OutBytes: t.limits.FileSizeBytes,
		Probe: true, Timeout: p.settings.Timeout + runMargin,
		Progress: func(w workload.Progress) {
			e := event
			e.Work = &w
			t.tell(e)
		},
	}
	var run evidence.Run
	var started int64
	step := fmt.Sprintf("run %s on scenario %s", role, p.ID)
	err := t.retry(ctx, step, func() (err error) {
		if err := t.deps.PrepareCache(ctx, p.prepared.Files); err != nil {
			return fmt.Errorf("prepare page cache: %w", err)
		}
		started = t.deps.Now().Sub(t.start).Nanoseconds()
		run, err = t.deps.Drive(ctx, t.deps.Engine, spec)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", step, err)
	}
	run.Scenario, run.Role, run.Pair, run.StartedNs = p.ID, role, pair, started
	t.result.Runs = append(t.result.Runs, run)
	t.done++
	event.Kind, event.Message = EventRan, runStatus(run.Executions)
	t.tell(event)
	return nil
}

// tell adds the attempt's progress to an event.
func (t *trial) tell(e Event) {
	e.Attempt, e.Done, e.Total = t.number, t.done, t.total
	t.deps.Progress(e)
}
