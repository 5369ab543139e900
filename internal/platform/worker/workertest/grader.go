// Package workertest has a grader that follows a script, for tests of what is around a grading.
package workertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/grading"
	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/grader"
	"github.com/assay-run/assay/internal/platform/worker"
)

// Step is what one grading does.
type Step struct {
	// Takes is how long it takes; it ends sooner, with an error, when it is told to.
	Takes time.Duration
	// Until holds it, after Takes, until it is closed or the grading is told to end. Nil holds nothing.
	Until <-chan struct{}
	// Deaf makes it take no notice of being told to end.
	Deaf bool
	// Fault, Invalid and Panic are what it ends with instead of a verdict, when set.
	Fault   error
	Invalid string
	Panic   string
	// Score decides the verdict; 60 passes.
	Score float64
	// Report and Evidence are what it writes, as a grading of the task's challenge, and the verdict is the report's. Nil: it
	// writes files that nobody can read, and the verdict is Score's.
	Report   *grading.Report
	Evidence *evidence.Grading
}

// ErrTold is what a grading returns that was told to end.
var ErrTold = errors.New("told to end")

// Grader is a worker.Grader that does what Script says.
type Grader struct {
	// Script has the step of the n-th grading of a job in this Grader, n from 1. It is called by one goroutine at a time.
	Script func(t worker.Task, n int) Step
	// Began hears of each grading that begins. Nil: nobody does.
	Began func(t worker.Task, n int)

	mu    sync.Mutex
	tries map[platform.ID]int
}

// Grade implements worker.Grader.
func (g *Grader) Grade(ctx context.Context, t worker.Task) (worker.Outcome, error) {
	g.mu.Lock()
	if g.tries == nil {
		g.tries = map[platform.ID]int{}
	}
	g.tries[t.Job]++
	n := g.tries[t.Job]
	step := g.Script(t, n)
	g.mu.Unlock()
	if g.Began != nil {
		g.Began(t, n)
	}
	t.Progress(fmt.Sprintf("step %d", n))
	if err := step.wait(ctx); err != nil {
		return worker.Outcome{}, err
	}
	switch {
	case step.Panic != "":
		panic(step.Panic)
	case step.Fault != nil:
		return worker.Outcome{}, step.Fault
	case step.Invalid != "":
		return worker.Outcome{Invalid: step.Invalid}, nil
	}
	if step.Report != nil {
		return reported(t, step.Report, step.Evidence)
	}
	return outcome(t, step.Score)
}

func (s Step) wait(ctx context.Context) error {
	told := ctx.Done()
	if s.Deaf {
		told = nil
	}
	takes := time.NewTimer(s.Takes)
	defer takes.Stop()
	select {
	case <-takes.C:
	case <-told:
		return ErrTold
	}
	if s.Until == nil {
		return nil
	}
	select {
	case <-s.Until:
		return nil
	case <-told:
		return ErrTold
	}
}

// reported writes a report, as far as it names what was graded that of the task.
func reported(t worker.Task, r *grading.Report, ev *evidence.Grading) (worker.Outcome, error) {
	r.Challenge.ID, r.Challenge.Version, r.Mode = t.ChallengeID, t.ChallengeVersion, t.Mode
	r.Submission.Digest = t.Digest
	if err := grading.WriteFiles(t.Dir, ev, r); err != nil {
		return worker.Outcome{}, err
	}
	return worker.Outcome{
		Result: grader.ResultOf(r), Report: filepath.Join(t.Dir, grading.ReportFile), Evidence: filepath.Join(t.Dir, grading.EvidenceFile),
	}, nil
}

// outcome writes the files of a verdict.
func outcome(t worker.Task, score float64) (worker.Outcome, error) {
	const passMark = 60
	o := worker.Outcome{
		Report: filepath.Join(t.Dir, "report.json"), Evidence: filepath.Join(t.Dir, "evidence.json.gz"),
		Result: platform.Result{
			ChallengeDigest: "sha256:scripted", Verdict: platform.Below, Score: score, Low: score, High: score, PassMark: passMark,
			Band: "scripted", Headline: "A scripted grading.",
			Criteria: []platform.CriterionResult{{ID: "scripted", Title: "As the script says", Skill: "none", Assessed: true, Score: score / 100, Low: score / 100, High: score / 100, Weight: 1, Points: score, MaxPoints: 100}},
		},
	}
	if score >= passMark {
		o.Result.Verdict = platform.Passed
	}
	for _, name := range []string{o.Report, o.Evidence} {
		if err := os.WriteFile(name, []byte(fmt.Sprintf("%s of %s: %v\n", filepath.Base(name), t.Job, score)), 0o600); err != nil {
			return worker.Outcome{}, err
		}
	}
	return o, nil
}
