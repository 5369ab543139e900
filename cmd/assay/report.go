package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/grading"
	"github.com/assay-run/assay/internal/report"
)

func (a *app) reportCommand() *cobra.Command {
	var html string
	var markdown, csv, asJSON bool
	c := &cobra.Command{
		Use:   "report FILE",
		Short: "Show a stored report, and prove that its evidence still gives the same verdict",
		Long: `Read a report.json, judge the evidence beside it again, and compare the two byte for byte.
Then print the report: for the terminal, or in the form that is asked for.

Exit code 0 when the recomputed report is the same, 1 when it differs.`,
		Example: `  assay report result/report.json
  assay report result/report.json --html page.html
  assay report result/report.json --csv > criteria.csv`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			again, err := a.recompute(args[0])
			if err != nil {
				return err
			}
			switch {
			case html != "":
				err = writeHTML(html, again.Evidence, again.Report)
			case markdown:
				err = report.Markdown(a.out, again.Report)
			case csv:
				err = report.CSV(a.out, again.Report)
			case asJSON:
				err = report.JSON(a.out, again.Report)
			default:
				err = report.Terminal(a.out, again.Report, terminalWidth(a.out), isTerminal(a.out) && !a.plain)
			}
			if err != nil {
				return fmt.Errorf("write report: %w", err)
			}
			return a.sayRecomputed(again)
		},
	}
	c.Flags().StringVar(&html, "html", "", "write the page to this file")
	c.Flags().BoolVar(&markdown, "md", false, "print Markdown")
	c.Flags().BoolVar(&csv, "csv", false, "print one CSV row a criterion")
	c.Flags().BoolVar(&asJSON, "json", false, "print the recomputed report.json")
	c.MarkFlagsMutuallyExclusive("html", "md", "csv", "json")
	return c
}

func writeHTML(name string, ev *evidence.Grading, rep *grading.Report) error {
	if err := replaceFile(name, func(w io.Writer) error { return report.HTML(w, rep, ev, report.Options{}) }); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

// replaceFile writes a file beside its place first, so that nobody ever sees half of it.
func replaceFile(name string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".assay-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	werr := write(f)
	if err := errors.Join(werr, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// recompute accepts a report.json or the folder that holds it.
func (a *app) recompute(name string) (*grading.Recomputed, error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		name = filepath.Join(name, grading.ReportFile)
	}
	stored, err := grading.ReadReport(name)
	if err != nil {
		return nil, usagef("Give the report.json that `assay run` has written.", "%w", err)
	}
	ch, err := a.challenge(stored.Challenge.ID)
	if err != nil {
		return nil, err
	}
	again, err := grading.Recompute(name, ch, gradersByName())
	if err != nil {
		return nil, usagef("The evidence must lie beside the report, as it was written.", "%w", err)
	}
	return again, nil
}

func (a *app) sayRecomputed(r *grading.Recomputed) error {
	switch {
	case r.Same:
		fmt.Fprintln(a.err, "recomputed from the evidence: the same, byte for byte")
		return nil
	case r.OtherChallenge:
		fmt.Fprintf(a.err, "recomputed from the evidence: differs, since the challenge has changed from version %d (%.19s) to what this assay carries\n",
			r.Stored.Challenge.Version, r.Stored.Challenge.Digest)
	default:
		fmt.Fprintln(a.err, "recomputed from the evidence: DIFFERS from the stored report; one of them was changed, or assay was")
	}
	return errDone
}
