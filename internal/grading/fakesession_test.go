package grading

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/runner"
)

// stage is a scripted machine: an engine that stages and builds nothing, and runs that play a story.
type stage struct {
	story
	buildResult evidence.Build
	// fail may make a step fail with a fault of ours; step is e.g. "info", "stage candidate", "build candidate",
	// "main reference 0". It hears of each attempt at the step.
	fail func(step string) error
	// attempt is the story of each attempt from the second on; nil repeats the first.
	attempts []story
	// calibration gives the timings in order; 1000 once they are used up.
	calibration []int64

	mu      sync.Mutex
	runs    []string // "main candidate 0", in order
	warmed  []string // files whose page cache was prepared
	open    int      // workspaces not closed yet
	staged  []string
	events  []Event
	grader  *fakeGrader
	specs   []runner.RunSpec
	timings int
	clock   time.Time
}

func (s *stage) step(name string) error {
	if s.fail == nil {
		return nil
	}
	return s.fail(name)
}

func (s *stage) Info(context.Context) (runner.Info, error) {
	return runner.Info{Name: "fake", Version: "1", Sandboxed: true, CgroupVersion: 2, Runtime: "runc", Seccomp: "assay default"}, s.step("info")
}

func (s *stage) Stage(_ context.Context, spec runner.StageSpec) (runner.Workspace, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.staged = append(s.staged, spec.Name)
	if err := s.step("stage " + spec.Name); err != nil {
		return nil, err
	}
	s.open++
	return &fakeWorkspace{s: s, id: spec.Name}, nil
}

func (s *stage) Build(_ context.Context, w runner.Workspace, _ runner.BuildSpec) (evidence.Build, error) {
	return s.buildResult, s.step("build " + w.ID())
}

func (s *stage) OpenPod(context.Context, runner.PodSpec) (runner.Pod, error) {
	return nil, errors.New("the tests replace Drive, so no pod is opened")
}

func (s *stage) Sweep(context.Context) (runner.Swept, error) { return runner.Swept{}, nil }

type fakeWorkspace struct {
	s  *stage
	id string
}

func (w *fakeWorkspace) ID() string { return w.id }

func (w *fakeWorkspace) Close(ctx context.Context) error {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.s.open--
	return ctx.Err() // closing must outlive a cancel
}

// drive plays a run. The attempt is read from the control: each attempt ends with it.
func (s *stage) drive(ctx context.Context, _ runner.Engine, spec runner.RunSpec) (evidence.Run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := fmt.Sprintf("%s %s %d", spec.Scenario, spec.Role, spec.Pair)
	if err := s.step(name); err != nil {
		return evidence.Run{}, err
	}
	if ctx.Err() != nil {
		return evidence.Run{}, context.Cause(ctx)
	}
	play := s.story
	if n := s.controls(); n > 0 && n <= len(s.attempts) {
		play = s.attempts[n-1]
	}
	s.runs = append(s.runs, name)
	s.specs = append(s.specs, spec)
	return play.figures(spec.Role, spec.Scenario, spec.Pair).run(spec.Scenario, spec.Role, spec.Pair), nil
}

func (s *stage) controls() int {
	n := 0
	for _, spec := range s.specs {
		if spec.Role == evidence.Control {
			n++
		}
	}
	return n
}

func (s *stage) calibrate(context.Context, string) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timings++
	if s.timings <= len(s.calibration) {
		return s.calibration[s.timings-1], s.step("calibrate")
	}
	return 1000, s.step("calibrate")
}

// now is a clock that moves by a second each time it is read.
func (s *stage) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clock.IsZero() {
		s.clock = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	}
	s.clock = s.clock.Add(time.Second)
	return s.clock
}

func (s *stage) deps() Deps {
	s.grader = &fakeGrader{}
	return Deps{
		Engine: s, Graders: map[string]graders.Grader{"fake": s.grader}, Drive: s.drive, Calibrate: s.calibrate,
		PrepareCache: func(_ context.Context, files []string) error {
			s.warmed = append(s.warmed, files...)
			return s.step("cache")
		},
		Now: s.now, Random: bytes.NewReader(bytes.Repeat([]byte{7}, 256)),
		Progress: func(e Event) { s.events = append(s.events, e) },
	}
}

func (s *stage) request(mode string) Request {
	solution := func(name string) Solution {
		return Solution{Dir: "/solutions/" + name, Start: []string{"node", name + ".mjs"}}
	}
	return Request{
		Challenge: testChallenge(), Mode: mode, Submission: solution("candidate"), Reference: solution("reference"),
		Control: solution("control"), Slot: runner.Slot{CandidateCores: "1", DriverCores: "0"},
		Record: evidence.Submission{Name: "candidate"},
	}
}

func (s *stage) grade(ctx context.Context, mode string) (*evidence.Grading, error) {
	return Grade(ctx, s.deps(), s.request(mode))
}

func (s *stage) messages(kind EventKind) []string {
	var out []string
	for _, e := range s.events {
		if e.Kind == kind {
			out = append(out, e.Message)
		}
	}
	return out
}
