// Package gradework is where submissions of one challenge are graded: on an engine that is open, on cores of their own, with
// the bundled solutions on disk and the check of the harness. `assay run`, `assay validate` and the platform's workers
// grade by it, so that what one says the others say as well.
package gradework

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/grading"
	"github.com/assay-run/assay/internal/intake"
	"github.com/assay-run/assay/internal/scratch"
	"github.com/assay-run/assay/runner"
)

// Options say what a bench works with. Challenge, Engine, Graders and Slots are needed.
type Options struct {
	Challenge *challenges.Challenge
	// Engine outlives the bench.
	Engine  runner.Engine
	Graders map[string]graders.Grader // by name of the workload
	Slots   Slots
	// CacheDir is where data sets are kept, CacheLimit how many bytes they may take; 0 for the default of the cache.
	CacheDir   string
	CacheLimit int64
	// Environment says what the engine does not say of itself.
	Environment evidence.Environment
	// Waiting hears, once, who has the cores that the bench waits for. Nil: nobody does.
	Waiting func(sentence string)
	// Progress hears of every step of a grading, as grading.Deps.Progress does.
	Progress func(grading.Event)
	// Drive and Calibrate are those of grading.Deps.
	Drive     func(context.Context, runner.Engine, runner.RunSpec) (evidence.Run, error)
	Calibrate func(ctx context.Context, cores string) (int64, error)
}

// Slots are the cores of this machine.
type Slots interface {
	// Acquire waits until a slot is free; waiting hears of it when it has to.
	Acquire(ctx context.Context, waiting func(string)) (*runner.HeldSlot, error)
}

// Bench grades submissions of one challenge, one at a time.
type Bench struct {
	opts      Options
	slot      *runner.HeldSlot
	dir       *scratch.Dir // bundled solutions, written out
	reference *intake.Submission
	control   *intake.Submission
	idle      runner.Workspace // of the harness check; nil until the first one
}

// Open prepares everything that gradings of a challenge share, and waits for free cores. The caller closes the bench, and the
// engine after it.
func Open(ctx context.Context, opts Options) (_ *Bench, err error) {
	if opts.Drive == nil {
		opts.Drive = runner.Drive
	}
	b := &Bench{opts: opts}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	if b.dir, err = scratch.Make("", "solutions"); err != nil {
		return nil, fmt.Errorf("make folder for solutions: %w", err)
	}
	if b.reference, err = b.bundled(ctx, opts.Challenge.Reference); err != nil {
		return nil, err
	}
	if b.control, err = b.bundled(ctx, opts.Challenge.Control.Solution); err != nil {
		return nil, err
	}
	if b.slot, err = opts.Slots.Acquire(ctx, opts.Waiting); err != nil {
		return nil, err
	}
	return b, nil
}

// Close gives everything back but the engine. It is idempotent, and closing nil does nothing.
func (b *Bench) Close() error {
	if b == nil {
		return nil
	}
	var errs []error
	for _, s := range []*intake.Submission{b.reference, b.control} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	if b.slot != nil {
		b.slot.Release()
	}
	return errors.Join(append(errs, b.closeIdle(), b.dir.Close())...)
}

// Slot are the cores that the bench holds.
func (b *Bench) Slot() runner.Slot { return b.slot.Slot }

// Reference is the challenge's own solution.
func (b *Bench) Reference() *intake.Submission { return b.reference }

// Solution writes a bundled solution to disk and returns its folder, which is there as long as the bench is.
func (b *Bench) Solution(name string) (string, error) {
	dir := filepath.Join(b.dir.Path, filepath.FromSlash(name))
	if err := WriteSolution(b.opts.Challenge.Files, name, dir); err != nil {
		return "", fmt.Errorf("write solution %s: %w", name, err)
	}
	return dir, nil
}

// bundled opens a bundled solution the way every submission is opened.
func (b *Bench) bundled(ctx context.Context, name string) (*intake.Submission, error) {
	dir, err := b.Solution(name)
	if err != nil {
		return nil, err
	}
	sub, err := intake.Open(ctx, dir, intake.Options{})
	if err != nil {
		// A bundled solution that cannot be opened is our fault, not the caller's, so the error is not wrapped.
		return nil, fmt.Errorf("open bundled %s: %s", path.Base(name), err.Error())
	}
	return sub, nil
}
