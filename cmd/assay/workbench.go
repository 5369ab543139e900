package main

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"syscall"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/internal/gradework"
	"github.com/assay-run/assay/internal/grading"
	"github.com/assay-run/assay/internal/intake"
)

// gradersByName is the same list for the grading.
func gradersByName() map[string]graders.Grader {
	byName := map[string]graders.Grader{}
	for _, g := range allGraders() {
		byName[g.Name()] = g
	}
	return byName
}

// workbench is where a command grades submissions of one challenge: a bench on an engine of its own, with progress for people.
type workbench struct {
	*gradework.Bench
	app       *app
	challenge *challenges.Challenge
	engine    *engineSession
	display   *display
}

// openWorkbench prepares everything that gradings of a challenge share, and waits for free cores.
func (a *app) openWorkbench(ctx context.Context, ch *challenges.Challenge) (_ *workbench, err error) {
	b := &workbench{app: a, challenge: ch, display: newDisplay(a.err, a.plain)}
	defer func() {
		if err != nil {
			err = b.closeAfter(err)
		}
	}()
	if b.engine, err = a.openEngine(ctx, a.nodeOf(ch)); err != nil {
		return nil, err
	}
	if err = a.checkServices(ctx, ch); err != nil {
		return nil, err
	}
	env, err := a.environment(ctx, b.engine)
	if err != nil {
		return nil, err
	}
	slots, err := a.slots()
	if err != nil {
		return nil, err
	}
	b.Bench, err = gradework.Open(ctx, gradework.Options{
		Challenge: ch, Engine: b.engine.Engine, Graders: gradersByName(), Slots: slots,
		CacheDir: a.cacheDir, CacheLimit: a.cacheBytes, Environment: env,
		Waiting: func(s string) { b.display.Say("  %s", s) }, Progress: b.show,
	})
	return b, err
}

// nodeOf is the major version of Node that a challenge is graded on.
func (a *app) nodeOf(ch *challenges.Challenge) string {
	if a.node != "" {
		return a.node
	}
	return ch.Node
}

// Close gives everything back. It is idempotent.
func (b *workbench) Close() error {
	b.display.Done()
	err := b.Bench.Close()
	if b.engine != nil {
		err = errors.Join(err, b.engine.Close())
		b.engine = nil
	}
	return err
}

// closeAfter closes the bench after a grading and returns what became of that. What cannot be removed changes neither a
// verdict nor what is told about a fault: the next command removes it.
func (b *workbench) closeAfter(graded error) error {
	if err := b.Close(); err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n") // the others mostly say the same of other things
		b.display.Say("  left behind until the next assay command: %s", line)
	}
	return graded
}

// gradeRequest is one submission for the bench.
type gradeRequest struct {
	path string
	mode string
	out  string // folder for the report; empty keeps none
	seed []byte
	// diagnose says why event-loop or memory points were lost, by one more run that is not scored.
	diagnose bool
	// unchecked leaves out the check of the harness.
	unchecked bool
}

// grade opens, grades and judges one submission.
func (b *workbench) grade(ctx context.Context, req gradeRequest) (*grading.Report, error) {
	sub, err := intake.Open(ctx, req.path, intake.Options{Challenge: b.challenge.ID})
	if err != nil {
		return nil, err
	}
	defer sub.Close()
	return b.gradeSubmission(ctx, sub, req)
}

func (b *workbench) gradeSubmission(ctx context.Context, sub *intake.Submission, req gradeRequest) (*grading.Report, error) {
	graded, err := b.Grade(ctx, sub, gradework.Request{Mode: req.mode, Seed: req.seed, Diagnose: req.diagnose, Unchecked: req.unchecked})
	b.display.Done()
	if err != nil {
		return nil, err
	}
	if req.out != "" {
		if err := writeReport(req.out, graded); err != nil {
			return nil, err
		}
	}
	return graded.Report, nil
}

// writeReport keeps the files of a grading in a folder that somebody has chosen.
func writeReport(dir string, graded gradework.Graded) error {
	err := graded.Write(dir)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOTDIR) {
		return usagef("Choose a folder that you can write to with --out.", "%w", err)
	}
	return err
}

// show turns events of a grading into progress.
func (b *workbench) show(e grading.Event) {
	switch e.Kind {
	case grading.EventInvalid, grading.EventRetrying, grading.EventExtra, grading.EventWarning:
		b.display.Say("  %s: %s", e.Kind, e.Message)
	case grading.EventRan, grading.EventCommitted:
	default:
		if e.Work == nil {
			b.display.Update(gradework.Title(e), 0, 0, "")
			return
		}
		b.display.Update(gradework.Title(e), e.Work.Done, e.Work.Total, e.Work.Unit)
	}
}
