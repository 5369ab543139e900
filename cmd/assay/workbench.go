package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/forms"
	"github.com/assay-run/assay/internal/grading"
	"github.com/assay-run/assay/internal/intake"
	"github.com/assay-run/assay/internal/report"
	"github.com/assay-run/assay/internal/scratch"
	"github.com/assay-run/assay/runner"
)

// gradersByName is the same list for the grading.
func gradersByName() map[string]graders.Grader {
	byName := map[string]graders.Grader{}
	for _, g := range allGraders() {
		byName[g.Name()] = g
	}
	return byName
}

// workbench is where submissions of one challenge are graded: an engine, cores of its own, and the bundled solutions on disk.
type workbench struct {
	app       *app
	challenge *challenges.Challenge
	engine    *engineSession
	slot      *runner.HeldSlot
	display   *display
	dir       *scratch.Dir // bundled solutions, written out
	env       evidence.Environment
	reference *intake.Submission
	control   *intake.Submission
	unchecked bool             // leaves out the check of the harness
	idle      runner.Workspace // of the harness check; nil until the first one
}

// openWorkbench prepares everything that gradings of a challenge share, and waits for free cores.
func (a *app) openWorkbench(ctx context.Context, ch *challenges.Challenge) (_ *workbench, err error) {
	b := &workbench{app: a, challenge: ch, display: newDisplay(a.err, a.plain)}
	defer func() {
		if err != nil {
			err = b.closeAfter(err)
		}
	}()
	node := a.node
	if node == "" {
		node = ch.Node
	}
	if b.engine, err = a.openEngine(ctx, node); err != nil {
		return nil, err
	}
	if err = a.checkServices(ctx, ch); err != nil {
		return nil, err
	}
	if b.env, err = a.environment(ctx, b.engine); err != nil {
		return nil, err
	}
	if b.dir, err = scratch.Make("", "solutions"); err != nil {
		return nil, fmt.Errorf("make folder for solutions: %w", err)
	}
	if b.reference, err = b.bundled(ctx, ch.Reference); err != nil {
		return nil, err
	}
	if b.control, err = b.bundled(ctx, ch.Control.Solution); err != nil {
		return nil, err
	}
	slots, err := a.slots()
	if err != nil {
		return nil, err
	}
	b.slot, err = slots.Acquire(ctx, func(s string) { b.display.Say("  %s", s) })
	return b, err
}

// Close gives everything back. It is idempotent.
func (b *workbench) Close() error {
	b.display.Done()
	var errs []error
	for _, s := range []*intake.Submission{b.reference, b.control} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	if b.slot != nil {
		b.slot.Release()
	}
	errs = append(errs, b.closeIdle())
	if b.engine != nil {
		errs = append(errs, b.engine.Close())
		b.engine = nil
	}
	return errors.Join(append(errs, b.dir.Close())...)
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

// solution writes a bundled solution to disk and returns its folder.
func (b *workbench) solution(name string) (string, error) {
	dir := filepath.Join(b.dir.Path, filepath.FromSlash(name))
	if err := writeSolution(b.challenge.Files, name, dir); err != nil {
		return "", fmt.Errorf("write solution %s: %w", name, err)
	}
	return dir, nil
}

// writeSolution writes a bundled solution of a challenge into the new directory dst.
func writeSolution(challenge fs.FS, name, dst string) error {
	made, err := forms.Solution(challenge, name)
	if err != nil {
		return err
	}
	if made != nil {
		return writeForm(made, dst)
	}
	files, err := fs.Sub(challenge, name)
	if err != nil {
		return err
	}
	return copyTree(files, dst)
}

// bundled opens a bundled solution the way every submission is opened.
func (b *workbench) bundled(ctx context.Context, name string) (*intake.Submission, error) {
	dir, err := b.solution(name)
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

// gradeRequest is one submission for the bench.
type gradeRequest struct {
	path string
	mode string
	out  string // folder for the report; empty keeps none
	seed []byte
	// diagnose says why event-loop or memory points were lost, by one more run that is not scored.
	diagnose bool
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
	cache := pageCache{}
	ev, err := grading.Grade(ctx, grading.Deps{
		Engine: b.engine.Engine, Graders: gradersByName(), PrepareCache: cache.prepare, Progress: b.show,
		Harness: b.harness(),
	}, grading.Request{
		Challenge: b.challenge, Mode: req.mode, Seed: req.seed,
		Submission: solutionOf(sub), Record: sub.Evidence(),
		Reference: solutionOf(b.reference), Control: solutionOf(b.control),
		Slot: b.slot.Slot, CacheDir: b.app.cacheDir, CacheLimit: b.app.cacheBytes, Environment: b.env,
		Diagnose: req.diagnose,
	})
	b.display.Done()
	if err != nil {
		return nil, err
	}
	ev.Environment.PageCache = string(cache.policy)
	rep, err := grading.Judge(b.challenge, gradersByName(), ev)
	if err != nil {
		return nil, fmt.Errorf("judge evidence: %w", err)
	}
	if req.out != "" {
		if err := writeReport(req.out, ev, rep); err != nil {
			return nil, err
		}
	}
	return rep, nil
}

func solutionOf(s *intake.Submission) grading.Solution {
	return grading.Solution{Dir: s.Dir, Start: s.Manifest.Start, Build: s.Manifest.Build, Env: s.Manifest.Env}
}

// writeReport keeps report.json, the evidence beside it, and the page for people: all of them or none.
func writeReport(dir string, ev *evidence.Grading, rep *grading.Report) error {
	err := grading.WriteFiles(dir, ev, rep, grading.Page{Name: "report.html", Write: func(w io.Writer) error {
		return report.HTML(w, rep, ev, report.Options{})
	}})
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOTDIR) {
		return usagef("Choose a folder that you can write to with --out.", "%w", err)
	}
	return err
}

// pageCache decides at the first file set how input files are treated, and then treats all alike.
type pageCache struct{ policy runner.CachePolicy }

func (c *pageCache) prepare(ctx context.Context, files []string) error {
	if c.policy == "" {
		var bytes int64
		for _, name := range files {
			if info, err := os.Stat(name); err == nil {
				bytes += info.Size()
			}
		}
		c.policy = runner.ChooseCache(bytes)
	}
	return runner.PreparePageCache(ctx, c.policy, files)
}

// show turns events of a grading into progress.
func (b *workbench) show(e grading.Event) {
	switch e.Kind {
	case grading.EventInvalid, grading.EventRetrying, grading.EventExtra, grading.EventWarning:
		b.display.Say("  %s: %s", e.Kind, e.Message)
	case grading.EventRan, grading.EventCommitted:
	default:
		title := e.Message
		if e.Kind == grading.EventRunning {
			title = fmt.Sprintf("run %d of %d: %s, %s", e.Done+1, e.Total, e.Scenario, e.Role)
		}
		if e.Work == nil {
			b.display.Update(title, 0, 0, "")
			return
		}
		b.display.Update(title, e.Work.Done, e.Work.Total, e.Work.Unit)
	}
}
