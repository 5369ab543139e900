// Package grader is the worker.Grader of real gradings: it grades a task exactly as `assay run` grades a submission, by
// internal/gradework, and turns the report into what the platform keeps.
//
// An invalid grading is an Outcome that says why. What keeps a grading from being made is a *FaultError, which tells an engine
// that is down from a disk that is full and from a submission that intake no longer takes; none of them is charged to
// anybody.
package grader

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/gradework"
	"github.com/assay-run/assay/internal/grading"
	"github.com/assay-run/assay/internal/intake"
	"github.com/assay-run/assay/internal/platform/worker"
	"github.com/assay-run/assay/runner"
)

// Place is an engine that is open for gradings on one version of Node.
type Place struct {
	Engine runner.Engine
	// Environment says what the engine does not say of itself.
	Environment evidence.Environment
	// Close ends the engine's session. What it cannot remove, the next session does.
	Close func() error
}

// Options say what a grader works with. Challenges, Graders, Open, Slots and Log are needed.
type Options struct {
	Challenges []*challenges.Challenge
	// Graders makes the graders of one grading, by name of the workload.
	Graders func() map[string]graders.Grader
	// Open opens the engine for a challenge. node is a major version of Node. It is called by one goroutine at a time.
	Open func(ctx context.Context, ch *challenges.Challenge, node string) (Place, error)
	// Slots are the cores of this machine. Gradings of other processes use them as well.
	Slots gradework.Slots
	// CacheDir is where data sets are kept, CacheLimit how many bytes they may take; 0 for the default of the cache.
	CacheDir   string
	CacheLimit int64
	Log        *slog.Logger
	// Bench changes what a bench works with, for tests; nil changes nothing.
	Bench func(*gradework.Options)
}

// Grader grades tasks. It may be used by several goroutines.
type Grader struct {
	opts Options
	byID map[string]*challenges.Challenge
	// opening keeps sessions from beginning at the same moment: each sweeps what belongs to dead ones, and one that has just
	// been made has not taken its lock yet.
	opening sync.Mutex
}

var _ worker.Grader = (*Grader)(nil)

// New makes a grader.
func New(opts Options) (*Grader, error) {
	if opts.Graders == nil || opts.Open == nil || opts.Slots == nil || opts.Log == nil {
		return nil, errors.New("make grader: it needs graders, an engine, slots and a log")
	}
	g := &Grader{opts: opts, byID: map[string]*challenges.Challenge{}}
	for _, ch := range opts.Challenges {
		g.byID[ch.ID] = ch
	}
	return g, nil
}

// Grade implements worker.Grader. Its errors are *FaultError, or the cause of ctx when that is done.
func (g *Grader) Grade(ctx context.Context, t worker.Task) (worker.Outcome, error) {
	out, err := g.grade(ctx, t)
	if err == nil {
		return out, nil
	}
	if ctx.Err() != nil {
		return worker.Outcome{}, context.Cause(ctx)
	}
	return worker.Outcome{}, faultOf(err)
}

func (g *Grader) grade(ctx context.Context, t worker.Task) (worker.Outcome, error) {
	ch, err := g.challenge(t)
	if err != nil {
		return worker.Outcome{}, err
	}
	t.Progress("looking at what was handed in")
	sub, err := takeIn(ctx, t)
	if err != nil {
		return worker.Outcome{}, err
	}
	defer sub.Close() // what stays is swept at the next start
	graded, err := g.measure(ctx, t, ch, sub)
	if err != nil {
		return worker.Outcome{}, err
	}
	if graded.Report.Verdict == grading.Invalid {
		return worker.Outcome{Invalid: graded.Report.Invalid}, nil
	}
	t.Progress("writing the report")
	// The page is made when somebody asks for it.
	if err := grading.WriteFiles(t.Dir, graded.Evidence, graded.Report); err != nil {
		return worker.Outcome{}, fmt.Errorf("write report: %w", err)
	}
	return worker.Outcome{
		Result: ResultOf(graded.Report),
		Report: filepath.Join(t.Dir, grading.ReportFile), Evidence: filepath.Join(t.Dir, grading.EvidenceFile),
	}, nil
}

// challenge is the one of a task, which must be here as the server has it.
func (g *Grader) challenge(t worker.Task) (*challenges.Challenge, error) {
	ch, ok := g.byID[t.ChallengeID]
	switch {
	case !ok:
		return nil, &FaultError{Kind: FaultChallenge, Err: fmt.Errorf("this worker has no challenge %q", t.ChallengeID)}
	case ch.Version != t.ChallengeVersion:
		return nil, &FaultError{Kind: FaultChallenge, Err: fmt.Errorf("this worker has version %d of %s, not %d", ch.Version, ch.ID, t.ChallengeVersion)}
	}
	if _, ok := ch.Modes[t.Mode]; !ok {
		return nil, &FaultError{Kind: FaultChallenge, Err: fmt.Errorf("%s has no mode %q", ch.ID, t.Mode)}
	}
	return ch, nil
}

// takeIn unpacks what was handed in, and sees that it is what intake took at the door.
func takeIn(ctx context.Context, t worker.Task) (*intake.Submission, error) {
	sub, err := intake.Open(ctx, t.Archive, intake.Options{Name: "submission", Challenge: t.ChallengeID})
	if err != nil {
		return nil, err
	}
	if t.Digest != "" && sub.Digest != t.Digest {
		err := fmt.Errorf("intake reads %s, and the server read %s when it was handed in", sub.Digest, t.Digest)
		return nil, errors.Join(&FaultError{Kind: FaultRefused, Err: err}, sub.Close())
	}
	return sub, nil
}

// measure grades on an engine that is opened for it, so that an engine that was restarted, or images that were made
// anew, make no difference to the next grading.
func (g *Grader) measure(ctx context.Context, t worker.Task, ch *challenges.Challenge, sub *intake.Submission) (_ gradework.Graded, err error) {
	t.Progress("opening the engine")
	place, err := g.open(ctx, t, ch)
	if err != nil {
		return gradework.Graded{}, err
	}
	defer func() { g.closed(ctx, t, place.Close()) }()
	opts := gradework.Options{
		Challenge: ch, Engine: place.Engine, Graders: g.opts.Graders(), Slots: g.opts.Slots,
		CacheDir: g.opts.CacheDir, CacheLimit: g.opts.CacheLimit, Environment: place.Environment,
		Waiting: t.Progress, Progress: func(e grading.Event) { say(t, e) },
	}
	if g.opts.Bench != nil {
		g.opts.Bench(&opts)
	}
	bench, err := gradework.Open(ctx, opts)
	if err != nil {
		return gradework.Graded{}, err
	}
	defer func() { g.closed(ctx, t, bench.Close()) }()
	req := gradework.Request{Mode: t.Mode, Seed: t.Seed, Diagnose: true}
	if ch.Modes[t.Mode].Official {
		req.Seed = nil // an official run draws its own
	}
	return bench.Grade(ctx, sub, req)
}

func (g *Grader) open(ctx context.Context, t worker.Task, ch *challenges.Challenge) (Place, error) {
	g.opening.Lock()
	defer g.opening.Unlock()
	node := t.Node
	if node == "" {
		node = ch.Node
	}
	return g.opts.Open(ctx, ch, node)
}

// closed tells of what could not be removed after a grading. It changes neither a verdict nor what is told about a fault.
func (g *Grader) closed(ctx context.Context, t worker.Task, err error) {
	if err != nil {
		g.opts.Log.WarnContext(ctx, "a grading has left something behind, which the next session removes", "job", string(t.Job), "error", err)
	}
}

// say tells people what a grading is at.
func say(t worker.Task, e grading.Event) {
	if e.Kind == grading.EventCommitted || e.Kind == grading.EventRan {
		return
	}
	line := gradework.Title(e)
	if e.Work != nil && e.Work.Total > 0 {
		line = fmt.Sprintf("%s, %d %%", line, min(100, 100*e.Work.Done/e.Work.Total))
	}
	t.Progress(line)
}
