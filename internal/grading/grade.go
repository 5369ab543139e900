// Package grading makes one grading: it runs a submission beside the challenge's reference, checks that the session can
// be trusted, and judges what was measured.
//
// Grade runs things and returns evidence; its error is a fault of ours or of the machine. Judge is pure and turns
// evidence into a report; a submission that fails, hangs or attacks is a graded submission. WriteFiles and Recompute keep
// both on disk and prove that they still agree.
package grading

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
	"github.com/assay-run/assay/runner"
)

// Deps are what a grading needs from outside. Engine and Graders must be set; the rest has defaults.
type Deps struct {
	Engine  runner.Engine
	Graders map[string]graders.Grader // by name of the workload
	// Drive makes one run; runner.Drive when nil.
	Drive func(context.Context, runner.Engine, runner.RunSpec) (evidence.Run, error)
	// Calibrate times one fixed CPU loop on a core list, in nanoseconds; runner.Calibrate when nil.
	Calibrate func(ctx context.Context, cores string) (int64, error)
	// Harness asks an idle server of ours as submissions are asked; nil leaves the check out.
	Harness func(context.Context) (evidence.Heartbeat, error)
	// PrepareCache brings the page cache into the same state for these files before each run; nil leaves it alone.
	PrepareCache func(ctx context.Context, files []string) error
	Now          func() time.Time // time.Now when nil; differences must be monotonic
	Random       io.Reader        // crypto/rand when nil
	// Progress hears of every step. It is called from several goroutines but never from two at once, and must not
	// block for long: a run may be waiting for it.
	Progress func(Event)
}

// Solution is a program on this host with the commands that build and start it.
type Solution struct {
	Dir   string
	Start []string
	Build [][]string
	Env   map[string]string
}

// Request is one submission to be graded on one challenge.
type Request struct {
	ID         string // of the grading; random when empty
	Challenge  *challenges.Challenge
	Mode       string
	Submission Solution
	Record     evidence.Submission // what was handed in, as the intake describes it
	Reference  Solution            // the challenge's own, on disk
	Control    Solution            // the known bad one, on disk
	Slot       runner.Slot         // held by the caller for the whole grading
	// Limits of every run; those of the challenge over the defaults where zero.
	Limits   runner.Limits
	CacheDir string // data sets are kept below it
	// CacheLimit is how many bytes they may take; 0 for the default of the cache.
	CacheLimit int64
	Seed       []byte // 32 bytes to repeat a grading; random when empty
	// Diagnose asks for one more run, unscored, when event-loop or memory points were lost: it says which code did it.
	Diagnose bool
	// Build bounds the build steps; its Steps are ignored, those of each Solution are run.
	Build runner.BuildSpec
	// Environment says what only the caller knows (Node, image, versions, CPU model, page cache); what the engine
	// knows is filled in.
	Environment evidence.Environment
}

// Event is one step of a grading, for people who wait.
type Event struct {
	Kind     EventKind
	Message  string // one line
	Scenario string
	Role     evidence.Role
	Pair     int
	Attempt  int // 0-based
	Done     int // runs finished in this attempt
	Total    int // runs planned in this attempt
	// Work is how far the run or the preparation is; nil for other steps.
	Work *workload.Progress
}

// EventKind is a step of a grading.
type EventKind string

// The steps of a grading.
const (
	EventCommitted EventKind = "committed" // Message is the seed's commitment
	EventStaging   EventKind = "staging"
	EventBuilding  EventKind = "building"
	EventPreparing EventKind = "preparing" // with Work
	EventRunning   EventKind = "running"   // a run begins, or goes on (with Work)
	EventRan       EventKind = "ran"       // a run has ended
	EventRetrying  EventKind = "retrying"  // after a fault of ours or of the machine; Message says which
	EventExtra     EventKind = "extra"     // pairs are added, since the score lies on a band edge
	EventInvalid   EventKind = "invalid"   // the attempt cannot be trusted; Message says why
	EventWarning   EventKind = "warning"   // e.g. something could not be removed
	// EventDiagnosing is the run that is not scored, with Work.
	EventDiagnosing EventKind = "diagnosing"
)

// Grade runs a grading and returns its evidence, which Judge turns into a report.
//
// A failed build, a crash, a hang or an attack is evidence. An error is a fault of ours or of the machine, after a step
// that failed with a transient one (runner.ErrEngineDown, ErrEngineFault, ErrMeddled, ErrDriver) has been made again twice at most,
// when the engine answered; nothing is then charged to anybody. When ctx is done, Grade ends what runs, removes what it made and returns the cause.
func Grade(ctx context.Context, deps Deps, req Request) (*evidence.Grading, error) {
	s, err := newSession(deps, req)
	if err != nil {
		return nil, fmt.Errorf("start grading: %w", err)
	}
	defer s.close(ctx)
	if err := s.describe(ctx); err != nil {
		return nil, err
	}
	if err := s.stage(ctx); err != nil {
		return nil, err
	}
	if err := s.build(ctx); err != nil {
		return nil, err
	}
	if s.ev.Build.Failed {
		s.ev.Attempts = []evidence.Attempt{s.notStarted()}
		return s.finish()
	}
	for n := 0; ; n++ {
		attempt, err := s.attempt(ctx, n)
		if err != nil {
			return nil, err
		}
		s.ev.Attempts = append(s.ev.Attempts, attempt)
		if attempt.Invalid == "" || n >= s.mode.Repeats {
			if err := s.diagnose(ctx); err != nil {
				return nil, err
			}
			return s.finish()
		}
		discard(&s.ev.Attempts[n])
	}
}

// Validate reports what is missing in a request, before anything is started.
func (r *Request) Validate() error {
	if r.Challenge == nil {
		return errors.New("no challenge given")
	}
	if _, ok := r.Challenge.Modes[r.Mode]; !ok {
		return fmt.Errorf("challenge %s has no mode %q", r.Challenge.ID, r.Mode)
	}
	for name, s := range map[string]Solution{"submission": r.Submission, "reference": r.Reference, "control": r.Control} {
		if s.Dir == "" || len(s.Start) == 0 {
			return fmt.Errorf("%s has no directory or no start command", name)
		}
	}
	if len(r.Seed) != 0 && len(r.Seed) != seedBytes {
		return fmt.Errorf("seed has %d bytes instead of %d", len(r.Seed), seedBytes)
	}
	for _, sc := range r.Challenge.Scenarios {
		if sc.ID == r.Challenge.Control.Scenario && plannedPairs(sc, r.Mode) > 0 {
			return nil
		}
	}
	return fmt.Errorf("scenario %q of the negative control does not run in mode %q", r.Challenge.Control.Scenario, r.Mode)
}

// withDefaults fills in what was left out and makes Progress safe to call from anywhere.
func (d Deps) withDefaults() (Deps, error) {
	if d.Engine == nil || d.Graders == nil {
		return d, errors.New("no engine or no graders given")
	}
	if d.Drive == nil {
		d.Drive = runner.Drive
	}
	if d.Calibrate == nil {
		d.Calibrate = runner.Calibrate
	}
	if d.PrepareCache == nil {
		d.PrepareCache = func(context.Context, []string) error { return nil }
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Random == nil {
		d.Random = rand.Reader
	}
	tell := d.Progress
	var mu sync.Mutex
	d.Progress = func(e Event) {
		if tell == nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		tell(e)
	}
	return d, nil
}
