package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/challenges/templates"
	"github.com/assay-run/assay/internal/grading"
	"github.com/assay-run/assay/internal/schemas"
)

func (a *app) challengeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "challenge",
		Short: "Write a challenge of your own: new, lint, test",
		Long: `Write a challenge in a folder of your own, without Go: from the kinds of work that Assay has.
docs/authoring.md walks through one in 20 minutes; ` + "`assay codes`" + ` lists the reason codes and skills that it may name.`,
		Example: `  assay challenge new my-challenge           a small complete challenge, to be changed
  assay challenge lint my-challenge          every mistake in it, with line and column
  assay challenge test my-challenge          grade its solutions: is it ready for candidates?
  assay run work --challenges my-challenge   grade a submission on it`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(a.challengeNewCommand(), a.challengeLintCommand(), a.challengeTestCommand())
	return c
}

func (a *app) challengeNewCommand() *cobra.Command {
	kind := templates.Kinds()[0]
	c := &cobra.Command{
		Use:   "new DIR",
		Short: "Write a small complete challenge into a new folder, to be changed",
		Long: `Write a small complete challenge into a new folder: challenge.yaml, brief, starter, solutions and cases. It passes
lint and test as it is. The name of the folder becomes the id of the challenge.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.challengeNew(args[0], kind) },
	}
	for _, k := range templates.Kinds() {
		c.Example += fmt.Sprintf("  assay challenge new my-challenge --kind %s\n", k)
		if k == "stdin-stdout" {
			kind = k
		}
	}
	c.Example = strings.TrimSuffix(c.Example, "\n")
	c.Flags().StringVar(&kind, "kind", kind, "kind of work: "+strings.Join(templates.Kinds(), ", "))
	return c
}

// challengeID is the form of an id, as the schema of challenge.yaml has it.
var challengeID = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

func (a *app) challengeNew(dir, kind string) error {
	whole, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("find %s: %w", dir, err)
	}
	id := filepath.Base(whole)
	if !challengeID.MatchString(id) || len(id) > 64 {
		return usagef("Name the folder with small letters, digits and single hyphens, such as two-largest.", "%q cannot be the id of a challenge", id)
	}
	if _, err := templates.Files(kind); err != nil {
		return usagef("Use one of the others, or leave out --kind.", "there is no kind of work %q%s", kind, schemas.Choices(kind, templates.Kinds()))
	}
	err = templates.Write(kind, id, dir)
	if errors.Is(err, templates.ErrNotEmpty) {
		return usagef("Choose a new folder.", "%s is not empty", dir)
	}
	if err != nil {
		return usagef("Choose a folder that you can write to.", "%w", err)
	}
	fmt.Fprintf(a.out, "%s is a complete challenge of the kind %s. Now change it:\n\n", dir, kind)
	fmt.Fprintf(a.out, "  what is asked       %s\n", filepath.Join(dir, challenges.Brief))
	fmt.Fprintf(a.out, "  what points are for %s\n", filepath.Join(dir, challenges.Manifest))
	fmt.Fprintf(a.out, "  is it in order?     assay challenge lint %s\n", dir)
	fmt.Fprintf(a.out, "  does it work?       assay challenge test %s\n", dir)
	return nil
}

func (a *app) challengeLintCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "lint [DIR]",
		Short: "Check a challenge without running anything: every mistake with file, line and column",
		Long: `Check a challenge: its form, its expressions, the files it names, and whether its solutions can show that it tells good
from bad. DIR is its folder, or one that has several; this one when left out. Exit code 0 when nothing is wrong, 1 otherwise.
docs/challenge-format.md and docs/workloads.md describe every key; ` + "`assay codes`" + ` explains the reason codes.`,
		Example: "  assay challenge lint my-challenge",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := "."
			if len(args) > 0 {
				dir = args[0]
			}
			return a.lintAll(dir)
		},
	}
}

// lintAll checks the challenge in a folder, or all those in its folders.
func (a *app) lintAll(dir string) error {
	dirs := []string{dir}
	if !isChallenge(dir) {
		if below, err := filepath.Glob(filepath.Join(dir, "*", challenges.Manifest)); err == nil && len(below) > 0 {
			dirs = dirs[:0]
			for _, name := range below {
				dirs = append(dirs, filepath.Dir(name))
			}
		}
	}
	var wrong error
	for _, dir := range dirs {
		ch, err := a.lint(dir)
		switch {
		case errors.Is(err, errDone):
			wrong = err
		case err != nil:
			return err
		default:
			fmt.Fprintf(a.out, "%s: nothing is wrong. %s\n  Next: assay challenge test %s\n", ch.ID, sizeOf(ch), dir)
		}
	}
	return wrong
}

// sizeOf says in one sentence what there is to a challenge.
func sizeOf(ch *challenges.Challenge) string {
	return fmt.Sprintf("It has %s, %s, %s and %s.", count(len(ch.Scenarios), "scenario"), count(len(ch.Criteria), "criterion"),
		count(len(ch.Gates), "gate"), count(len(ch.Fixtures), "bundled solution"))
}

// count is a number with its noun.
func count(n int, noun string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(noun, "ion") && strings.HasPrefix(noun, "criter"):
		noun = "criteria"
	default:
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// lint checks the challenge in a folder. What is wrong has been said when it returns errDone.
func (a *app) lint(dir string) (*challenges.Challenge, error) {
	if !isChallenge(dir) {
		return nil, usagef("Give the folder of one challenge, or begin one with `assay challenge new`.", "%s has no %s", dir, challenges.Manifest)
	}
	p, err := openPlace(dir)
	if err != nil {
		return nil, err
	}
	ch, err := challenges.Lint(p.fsys, p.only, kinds())
	var problems schemas.Problems
	if !errors.As(err, &problems) {
		return ch, err
	}
	problems.Sort()
	for _, problem := range problems { // all of them; as an error they are cut
		fmt.Fprintln(a.out, p.locate(schemas.Problems{problem}))
	}
	fmt.Fprintf(a.out, "%s in %s\n  Correct the first one first: others may follow from it. docs/challenge-format.md, docs/workloads.md and docs/conditions.md describe every key.\n",
		count(len(problems), "mistake"), dir)
	return nil, errDone
}

func (a *app) challengeTestCommand() *cobra.Command {
	opts := validateOptions{mode: "quick", only: everyFixture, runs: 1}
	c := &cobra.Command{
		Use:   "test DIR",
		Short: "Lint a challenge, grade its bundled solutions, and say whether it is ready for candidates",
		Long: `Lint a challenge and grade every solution in its folder as a submission is graded: each must get the codes, the verdict
and the score that challenge.yaml says. Exit code 0 when it is ready for candidates, 1 when it is not, 4 when gradings were
invalid, so that it cannot be told.

The submissions run on the engine of --engine; --engine process needs no containers.`,
		Example: `  assay challenge test my-challenge
  assay challenge test my-challenge --runs 5           does it always decide the same?
  assay challenge test my-challenge --mode standard    as an official run
  assay challenge test my-challenge --only 'flawed/*'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.challengeTest(cmd.Context(), args[0], opts) },
	}
	c.Flags().StringVar(&opts.mode, "mode", opts.mode, "quick, standard or full")
	c.Flags().IntVar(&opts.runs, "runs", opts.runs, "how often each solution is graded")
	c.Flags().StringVar(&opts.only, "only", opts.only, "comma-separated patterns of solutions, e.g. 'flawed/*'")
	c.Flags().StringVar(&opts.out, "out", "", "keep every report in this folder")
	return c
}

func (a *app) challengeTest(ctx context.Context, dir string, opts validateOptions) error {
	if opts.runs < 1 {
		return usagef("Use --runs 1 or more.", "cannot grade %d times", opts.runs)
	}
	ch, err := a.lint(dir)
	if err != nil {
		return err
	}
	results, err := a.validateChallenge(ctx, ch, opts, &validationFile{})
	if err != nil {
		a.showValidation(results, opts)
		return err
	}
	if len(results) == 0 {
		return usagef("See the fixtures in challenge.yaml.", "no bundled solution matches %q", opts.only)
	}
	a.showValidation(results, opts)
	return a.sayReady(ch, dir, results, opts)
}

// sayReady is the verdict about a challenge.
func (a *app) sayReady(ch *challenges.Challenge, dir string, results []fixtureResult, opts validateOptions) error {
	failed, invalid, seconds := 0, 0, 0.0
	for _, r := range results {
		seconds += r.Seconds
		switch {
		case r.OK:
		case r.Verdict == string(grading.Invalid):
			invalid++
		default:
			failed++
		}
	}
	each := fmt.Sprintf("A grading takes about %.0f s in mode %s.", seconds/float64(len(results)), opts.mode)
	if failed > 0 {
		fmt.Fprintf(a.out, "\n%s is NOT READY: %d of %d gradings did not end as challenge.yaml says. %s\n"+
			"  See why: assay challenge test %s --only SOLUTION --out reports, then open the report.html of that solution.\n",
			ch.ID, failed, len(results), each, dir)
		return errDone
	}
	if invalid > 0 {
		fmt.Fprintf(a.out, "\nWhether %s is ready CANNOT BE TOLD: %d of %d gradings were invalid, because the machine or our own solutions were not steady.\n"+
			"  Next: the same again when nothing else runs on this machine; if it stays so, see the reasons above.\n", ch.ID, invalid, len(results))
		return &verdictError{grading.Invalid}
	}
	if opts.only != everyFixture {
		fmt.Fprintf(a.out, "\nThese solutions of %s got what they must. %s\n  Next: assay challenge test %s, with all of them.\n", ch.ID, each, dir)
		return nil
	}
	fmt.Fprintf(a.out, "\n%s is READY for candidates: each of its %d solutions got what it must. %s\n  Next: assay start %s work --challenges %s\n",
		ch.ID, len(ch.Fixtures), each, ch.ID, dir)
	return nil
}
