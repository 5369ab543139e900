package gradework

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/grading"
	"github.com/assay-run/assay/internal/intake"
	"github.com/assay-run/assay/internal/report"
	"github.com/assay-run/assay/runner"
)

// Request says how a submission is graded.
type Request struct {
	Mode string
	// Seed has 32 bytes to repeat the data of an earlier grading; empty: fresh ones.
	Seed []byte
	// Diagnose says why event-loop or memory points were lost, by one more run that is not scored.
	Diagnose bool
	// Unchecked leaves out the check of the harness.
	Unchecked bool
}

// Graded is what a grading has found.
type Graded struct {
	Evidence *evidence.Grading
	Report   *grading.Report
}

// Grade grades and judges one submission. Its errors are those of grading.Grade.
func (b *Bench) Grade(ctx context.Context, sub *intake.Submission, req Request) (Graded, error) {
	cache, harness := pageCache{}, b.checkHarness
	if req.Unchecked {
		harness = nil
	}
	ev, err := grading.Grade(ctx, grading.Deps{
		Engine: b.opts.Engine, Graders: b.opts.Graders, PrepareCache: cache.prepare, Progress: b.opts.Progress,
		Harness: harness, Drive: b.opts.Drive, Calibrate: b.opts.Calibrate,
	}, grading.Request{
		Challenge: b.opts.Challenge, Mode: req.Mode, Seed: req.Seed,
		Submission: solutionOf(sub), Record: sub.Evidence(),
		Reference: solutionOf(b.reference), Control: solutionOf(b.control),
		Slot: b.slot.Slot, CacheDir: b.opts.CacheDir, CacheLimit: b.opts.CacheLimit, Environment: b.opts.Environment,
		Diagnose: req.Diagnose,
	})
	if err != nil {
		return Graded{}, err
	}
	ev.Environment.PageCache = string(cache.policy)
	rep, err := grading.Judge(b.opts.Challenge, b.opts.Graders, ev)
	if err != nil {
		return Graded{}, fmt.Errorf("judge evidence: %w", err)
	}
	return Graded{Evidence: ev, Report: rep}, nil
}

func solutionOf(s *intake.Submission) grading.Solution {
	return grading.Solution{Dir: s.Dir, Start: s.Manifest.Start, Build: s.Manifest.Build, Env: s.Manifest.Env}
}

// PageFile is the name of the page for people beside report.json.
const PageFile = "report.html"

// Write keeps report.json, the evidence beside it, and the page for people in a folder, which is made when missing: all of
// them or none.
func (g Graded) Write(dir string) error {
	return grading.WriteFiles(dir, g.Evidence, g.Report, grading.Page{Name: PageFile, Write: func(w io.Writer) error {
		return report.HTML(w, g.Report, g.Evidence, report.Options{})
	}})
}

// Title is a step of a grading in words, for people who wait.
func Title(e grading.Event) string {
	if e.Kind == grading.EventRunning {
		return fmt.Sprintf("run %d of %d: %s, %s", e.Done+1, e.Total, e.Scenario, e.Role)
	}
	return e.Message
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
