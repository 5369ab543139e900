package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/internal/grading"
	"github.com/assay-run/assay/internal/intake"
	"github.com/assay-run/assay/internal/report"
)

type runOptions struct {
	challenge, mode, out, seed string
	json, noDiagnosis          bool
	emulated                   bool
}

func (a *app) runCommand() *cobra.Command {
	var opts runOptions
	c := &cobra.Command{
		Use:   "run DIR|ARCHIVE",
		Short: "Grade a submission and write its report",
		Long: `Grade a submission: a folder, .tar.gz, .tgz or .zip with an assay.json (or a package.json that says how it
starts). The report goes into the folder of --out: report.html for reading, report.json and evidence.json.gz
to recompute and compare.

` + exitTable,
		Example: `  assay run work                          practise: small data, about a minute
  assay run work --mode standard          as an official run does it
  assay run work --mode full              the largest data that the challenge has
  assay run work.zip --out result --json  for programs: report.json on standard output`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.grade(cmd.Context(), args[0], opts)
		},
	}
	c.Flags().StringVar(&opts.challenge, "challenge", "", "challenge to grade on (default: the one assay.json names)")
	c.Flags().StringVar(&opts.mode, "mode", "quick", "quick (practice), standard (official) or full (where the challenge has it)")
	c.Flags().StringVar(&opts.out, "out", "", "folder for the report (default: assay-reports/CHALLENGE-TIME)")
	c.Flags().BoolVar(&opts.json, "json", false, "print report.json on standard output instead of the summary")
	c.Flags().BoolVar(&opts.noDiagnosis, "no-diagnosis", false, "skip the extra run that shows which code blocked the loop or grew memory (never scored)")
	c.Flags().StringVar(&opts.seed, "seed", "", "64 hex digits: repeat the data of an earlier grading (practice only)")
	c.Flags().BoolVar(&opts.emulated, "emulated", false, "for a machine under software emulation: little data, long time limits, no check of latencies")
	_ = c.Flags().MarkHidden("emulated") // it exists
	return c
}

func (a *app) grade(ctx context.Context, path string, opts runOptions) error {
	seed, err := parseSeed(opts.seed)
	if err != nil {
		return err
	}
	// The input is looked at first: a mistake in it should not wait for an engine.
	sub, err := intake.Open(ctx, path, intake.Options{Challenge: opts.challenge})
	if err != nil {
		return err
	}
	defer sub.Close()
	ch, err := a.challengeOf(sub, opts.challenge)
	if err != nil {
		return err
	}
	mode, ok := ch.Modes[opts.mode]
	if !ok {
		return unknownMode(ch, opts.mode)
	}
	if seed != nil && mode.Official {
		return usagef("Leave out --seed, or use --mode quick.", "an official run draws its own seed")
	}
	if opts.emulated && mode.Official {
		return usagef("Use --mode quick.", "an official run is not for an emulated machine")
	}
	if opts.emulated {
		shrink(ch)
	}
	if opts.out == "" {
		opts.out = unused(filepath.Join("assay-reports", ch.ID+"-"+time.Now().Format("20060102-150405")))
	}
	if !opts.json {
		fmt.Fprintf(a.err, "%s, %s\n", ch.Title, mode.Title)
	}
	b, err := a.openWorkbench(ctx, ch)
	if err != nil {
		return err
	}
	rep, err := b.gradeSubmission(ctx, sub, gradeRequest{
		mode: opts.mode, out: opts.out, seed: seed, diagnose: !opts.noDiagnosis && !opts.emulated, unchecked: opts.emulated,
	})
	if err := b.closeAfter(err); err != nil {
		return err
	}
	if err := a.printReport(rep, opts); err != nil {
		return err
	}
	if rep.Verdict == grading.Pass {
		return nil
	}
	return &verdictError{rep.Verdict}
}

// unused is the path, or one with a number where something is there: another run of the same second, or of before the clock was set back.
func unused(path string) string {
	for n, name := 2, path; ; n++ {
		if _, err := os.Lstat(name); err != nil { // whatever else is wrong with it is told when it is made
			return name
		}
		name = path + "-" + strconv.Itoa(n)
	}
}

func (a *app) printReport(rep *grading.Report, opts runOptions) error {
	if opts.json {
		return report.JSON(a.out, rep)
	}
	if err := report.Terminal(a.out, rep, terminalWidth(a.out), isTerminal(a.out) && !a.plain); err != nil {
		return err
	}
	page, err := filepath.Abs(filepath.Join(opts.out, "report.html"))
	if err != nil {
		return fmt.Errorf("find report: %w", err)
	}
	fmt.Fprintf(a.out, "\nreport  %s\n", page)
	return nil
}

// challengeOf is the challenge of a submission: what the flag says, else what its assay.json says, else the only one.
func (a *app) challengeOf(sub *intake.Submission, flag string) (*challenges.Challenge, error) {
	switch {
	case flag != "":
		return a.challenge(flag)
	case sub.Manifest.Challenge != "":
		return a.challenge(sub.Manifest.Challenge)
	}
	return nil, usagef("Add --challenge ID, or \"challenge\" to assay.json. `assay list` shows them.", "%s does not say which challenge it is for", sub.Name)
}

func parseSeed(s string) ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	seed, err := hex.DecodeString(s)
	if err != nil || len(seed) != 32 {
		return nil, usagef("The report of the earlier grading has it under seed.value.", "--seed is not 64 hex digits")
	}
	return seed, nil
}

// On an emulated machine everything takes some hundred times as long.
const (
	emulatedPatience = 20 // times the time limits
	emulatedShare    = 64 // a part of the data
)

// shrink makes a challenge small enough for an emulated machine, where nothing can be said about time: the check is whether
// results are right and the kernel was read. Scenarios whose data have a fixed size are left out.
//
// Such a grading is always invalid, for the control meets no limit, so it is not repeated.
func shrink(ch *challenges.Challenge) {
	for name, mode := range ch.Modes {
		mode.Repeats = 0
		ch.Modes[name] = mode
	}
	for _, sc := range ch.Scenarios {
		for name, mode := range sc.Modes {
			text, sized := mode.With["size"].(string)
			if !sized {
				delete(sc.Modes, name)
				continue
			}
			mode.Timeout *= emulatedPatience
			if size, err := challenges.ParseSize(text); err == nil {
				mode.With = maps.Clone(mode.With)
				mode.With["size"] = size / emulatedShare
			}
			sc.Modes[name] = mode
		}
	}
}
