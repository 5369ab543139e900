package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/assay-run/assay/internal/grading"
)

// demoSolutions are graded by `assay demo`: one that is right, and the mistake that most people make first.
func demoSolutions() []string {
	return []string{"solutions/reference", "solutions/flawed/readline-accumulate"}
}

func (a *app) demoCommand() *cobra.Command {
	out := "assay-demo"
	c := &cobra.Command{
		Use:     "demo",
		Short:   "Grade two bundled solutions of log-aggregate and show their reports",
		Example: "  assay demo",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.demo(cmd.Context(), out)
		},
	}
	c.Flags().StringVar(&out, "out", out, "folder for the reports")
	return c
}

func (a *app) demo(ctx context.Context, out string) error {
	ch, err := a.challenge("log-aggregate")
	if err != nil {
		return err
	}
	b, err := a.openWorkbench(ctx, ch)
	if err != nil {
		return err
	}
	var lines []string
	for _, name := range demoSolutions() {
		line, err := b.demonstrate(ctx, name, out)
		if err != nil {
			return b.closeAfter(err)
		}
		lines = append(lines, line)
	}
	fmt.Fprintln(a.out)
	for _, line := range lines {
		fmt.Fprintln(a.out, line)
	}
	return b.closeAfter(nil)
}

func (b *workbench) demonstrate(ctx context.Context, name, out string) (string, error) {
	b.display.Say("Grading %s", filepath.Base(name))
	dir, err := b.Solution(name)
	if err != nil {
		return "", err
	}
	to, err := filepath.Abs(filepath.Join(out, filepath.Base(name)))
	if err != nil {
		return "", fmt.Errorf("find folder for the reports: %w", err)
	}
	rep, err := b.grade(ctx, gradeRequest{path: dir, mode: "quick", out: to, diagnose: true})
	if err != nil {
		return "", err
	}
	verdict := fmt.Sprintf("%s, %.0f of 100 (%.0f–%.0f)", rep.Verdict, rep.Score, rep.Interval.Low, rep.Interval.High)
	if rep.Verdict == grading.Invalid {
		verdict = "invalid: " + rep.Invalid
	}
	return fmt.Sprintf("%s: %s\n  %s\n  %s\n", filepath.Base(name), verdict, rep.Summary.Headline, filepath.Join(to, "report.html")), nil
}
