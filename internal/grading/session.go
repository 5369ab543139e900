package grading

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/runner"
)

// closeTimeout bounds the removal of what a session made, also after a cancel.
const closeTimeout = 30 * time.Second

// Bounds of making a step again after a transient fault.
const (
	maxRetries = 2 // of one step
	// retryPause is waited before the first retry, twice as long before the second: an engine that is being stopped still
	// answers for a while, and fails at everything else.
	retryPause = 3 * time.Second
	// engineBackWithin is how long an engine may be away, as it is while somebody restarts or updates it.
	engineBackWithin = 20 * time.Second
	askEngineEvery   = 250 * time.Millisecond
)

// session is one grading while it runs.
type session struct {
	deps   Deps
	req    Request
	mode   challenges.Mode
	limits runner.Limits
	seed   []byte
	start  time.Time
	ev     *evidence.Grading

	mu         sync.Mutex // guards workspaces and ev.Faults while several are staged
	workspaces map[evidence.Role]runner.Workspace
}

func newSession(deps Deps, req Request) (*session, error) {
	deps, err := deps.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := req.Validate(); err != nil {
		return nil, err
	}
	seed, salt := slices.Clone(req.Seed), make([]byte, saltBytes)
	if len(seed) == 0 {
		seed = make([]byte, seedBytes)
		if _, err := io.ReadFull(deps.Random, seed); err != nil {
			return nil, fmt.Errorf("draw seed: %w", err)
		}
	}
	if _, err := io.ReadFull(deps.Random, salt); err != nil {
		return nil, fmt.Errorf("draw salt: %w", err)
	}
	s := &session{
		deps: deps, req: req, mode: req.Challenge.Modes[req.Mode], seed: seed, start: deps.Now(),
		limits: limits(req), workspaces: map[evidence.Role]runner.Workspace{},
	}
	ch := req.Challenge
	s.ev = &evidence.Grading{
		Schema: evidence.Schema, ID: req.ID, Mode: req.Mode, Started: s.start.UTC().Round(0),
		Challenge: evidence.ChallengeVersion{
			ID: ch.ID, Version: ch.Version, Title: ch.Title, Level: ch.Level, Minutes: ch.Minutes, Digest: ch.Digest,
		},
		Seed: commit(seed, salt), Submission: req.Record, Environment: req.Environment,
	}
	if s.ev.ID == "" {
		id := make([]byte, 8)
		if _, err := io.ReadFull(deps.Random, id); err != nil {
			return nil, fmt.Errorf("draw id: %w", err)
		}
		s.ev.ID = hex.EncodeToString(id)
	}
	deps.Progress(Event{Kind: EventCommitted, Message: s.ev.Seed.Commitment})
	return s, nil
}

// limits are the request's, then the challenge's, then the defaults.
func limits(req Request) runner.Limits {
	l, ch := req.Limits, req.Challenge.Limits
	if l.CPUNs == 0 {
		l.CPUNs = int64(ch.CPUTime)
	}
	for _, f := range []struct {
		value *int64
		or    int64
	}{
		{&l.MemoryBytes, ch.MemoryBytes}, {&l.Pids, ch.Pids},
		{&l.TmpBytes, ch.TmpBytes}, {&l.FileSizeBytes, ch.FileSizeBytes},
	} {
		if *f.value == 0 {
			*f.value = f.or
		}
	}
	return l.WithDefaults()
}

// describe records the machine and the engine.
func (s *session) describe(ctx context.Context) error {
	info, err := s.deps.Engine.Info(ctx)
	if err != nil {
		return fmt.Errorf("ask engine: %w", err)
	}
	env := &s.ev.Environment
	env.Engine, env.EngineVersion, env.APIVersion = info.Name, info.Version, info.APIVersion
	env.Sandboxed, env.Kernel, env.OS, env.CgroupVersion = info.Sandboxed, info.Kernel, info.OS, info.CgroupVersion
	env.Runtime, env.Seccomp = info.Runtime, info.Seccomp
	env.CandidateCores, env.DriverCores = s.req.Slot.CandidateCores, s.req.Slot.DriverCores
	env.MemoryBytes = s.limits.MemoryBytes
	return nil
}

func (s *session) solutions() map[evidence.Role]Solution {
	return map[evidence.Role]Solution{
		evidence.Candidate: s.req.Submission, evidence.Reference: s.req.Reference, evidence.Control: s.req.Control,
	}
}

// stage copies submission, reference and control to the engine, all at once: nothing is measured yet.
func (s *session) stage(ctx context.Context) error {
	s.deps.Progress(Event{Kind: EventStaging, Message: "copying submission, reference and control"})
	var wg sync.WaitGroup
	errs := make(chan error, len(s.solutions()))
	for role, solution := range s.solutions() {
		wg.Go(func() {
			var w runner.Workspace
			step := "stage " + string(role)
			err := s.retry(ctx, step, func() (err error) {
				w, err = s.deps.Engine.Stage(ctx, runner.StageSpec{Name: string(role), Dir: solution.Dir})
				return err
			})
			if err != nil {
				errs <- fmt.Errorf("%s: %w", step, err)
				return
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.workspaces[role] = w
		})
	}
	wg.Wait()
	close(errs)
	var all []error
	for err := range errs {
		all = append(all, err)
	}
	return errors.Join(all...)
}

// build runs the build steps. A submission that does not build is graded as not starting; a reference or control of
// ours that does not build is a fault of ours.
func (s *session) build(ctx context.Context) error {
	for _, role := range []evidence.Role{evidence.Candidate, evidence.Reference, evidence.Control} {
		steps := s.solutions()[role].Build
		built := evidence.Build{Skipped: true, Reason: "There is nothing to build: the submission names no build step and no dependency."}
		if len(steps) > 0 {
			s.deps.Progress(Event{Kind: EventBuilding, Role: role, Message: "building the " + string(role)})
			spec := s.req.Build
			spec.Steps = steps
			step := "build " + string(role)
			err := s.retry(ctx, step, func() (err error) {
				built, err = s.deps.Engine.Build(ctx, s.workspaces[role], spec)
				return err
			})
			if err != nil {
				return fmt.Errorf("%s: %w", step, err)
			}
		}
		switch {
		case role == evidence.Candidate:
			s.ev.Build = built
			if built.Failed {
				return nil
			}
		case built.Failed:
			return fmt.Errorf("build our own %s solution: %s", role, buildSentence(built))
		}
	}
	return nil
}

// retry does a step again when it failed by a transient fault, after a pause and when the engine answers. Whoever reads the report
// sees that it did.
func (s *session) retry(ctx context.Context, step string, do func() error) error {
	for tries := 0; ; tries++ {
		err := do()
		fault := transient(err)
		if fault == nil || ctx.Err() != nil || tries == maxRetries {
			return err
		}
		note := fmt.Sprintf("%s: %v", step, fault)
		s.deps.Progress(Event{Kind: EventRetrying, Message: note})
		select {
		case <-time.After(retryPause * time.Duration(tries+1)):
		case <-ctx.Done():
			return err
		}
		if !s.engineBack(ctx) {
			return err
		}
		s.mu.Lock()
		s.ev.Faults = append(s.ev.Faults, note)
		s.mu.Unlock()
	}
}

// transient is the fault in err that may well be over the next time, or nil.
func transient(err error) error {
	for _, fault := range []error{runner.ErrEngineDown, runner.ErrEngineFault, runner.ErrMeddled, runner.ErrDriver} {
		if errors.Is(err, fault) {
			return fault
		}
	}
	return nil
}

// engineBack waits until the engine answers; false means that it did not in time.
func (s *session) engineBack(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, engineBackWithin)
	defer cancel()
	for {
		if _, err := s.deps.Engine.Info(ctx); err == nil {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(askEngineEvery):
		}
	}
}

// notStarted is the attempt of a submission that does not build: every scenario of the mode, and nothing ran.
func (s *session) notStarted() evidence.Attempt {
	a := evidence.Attempt{Runs: []evidence.Run{}, Truth: map[string]json.RawMessage{}, CalibrationNs: []int64{}}
	for _, sc := range s.req.Challenge.Scenarios {
		if plannedPairs(sc, s.req.Mode) == 0 {
			continue
		}
		a.Runs = append(a.Runs, evidence.Run{
			Scenario: sc.ID, Role: evidence.Candidate, PhaseNs: map[string]int64{},
			Executions: []evidence.Execution{{
				Name: "build",
				Exit: evidence.Exit{Status: evidence.NotStarted, Detail: buildSentence(s.ev.Build)},
			}},
		})
	}
	return a
}

// finish closes the evidence. It goes through its stored form once, so that what is judged now and what is judged from
// the file later are the same to the bit (text that is not UTF-8 is replaced, for example).
func (s *session) finish() (*evidence.Grading, error) {
	// By the monotonic clock: somebody may have set the other one meanwhile.
	s.ev.Finished = s.ev.Started.Add(s.deps.Now().Sub(s.start))
	data, err := json.Marshal(s.ev)
	if err != nil {
		return nil, fmt.Errorf("encode evidence: %w", err)
	}
	stored := &evidence.Grading{}
	if err := json.Unmarshal(data, stored); err != nil {
		return nil, fmt.Errorf("decode evidence: %w", err)
	}
	return stored, nil
}

// close removes the workspaces. What cannot be removed is swept later; it does not spoil a grading.
func (s *session) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	for _, role := range slices.Sorted(maps.Keys(s.workspaces)) {
		err := s.workspaces[role].Close(ctx)
		if err != nil && !errors.Is(err, runner.ErrEngineDown) { // that is told once, with the fault it was
			s.deps.Progress(Event{Kind: EventWarning, Role: role, Message: fmt.Sprintf("remove workspace: %v", err)})
		}
	}
}

// keptLog is what a discarded attempt keeps of a program's output.
const keptLog = 2 << 10

// discard thins an attempt that is not judged, so that repeats do not multiply the size of the evidence: curves and
// results go, figures and the ends of runs stay.
func discard(a *evidence.Attempt) {
	for i := range a.Runs {
		for j := range a.Runs[i].Executions {
			x := &a.Runs[i].Executions[j]
			x.Series = nil
			for _, log := range []*evidence.Log{&x.Stdout, &x.Stderr} {
				if n := len(log.Text); n > keptLog {
					log.Text = log.Text[:keptLog]
					log.Dropped += int64(n - keptLog)
				}
			}
			if x.Output != nil && len(x.Output.Content) > keptLog {
				x.Output.Content, x.Output.Detail = "", "left out: this attempt was invalid"
			}
		}
	}
}
