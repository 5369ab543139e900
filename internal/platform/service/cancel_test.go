package service_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
)

func TestTheGradingsOfASubmissionAreCancelled(t *testing.T) {
	b := newBench(t)
	owner := b.owner()
	candidate, _ := b.invited(owner, b.assessment(owner, settings()).ID, "c@x.example")
	b.start(candidate)
	first := b.handIn(candidate, platform.DryRun, "one")
	second := b.handIn(candidate, platform.DryRun, "two")
	jobs, err := b.CancelGradings(t.Context(), owner, first.Submission.ID)
	require.NoError(t, err)
	require.Len(t, jobs, 1)
	require.Equal(t, []any{first.Job.ID, platform.JobCancelled}, []any{jobs[0].ID, jobs[0].State})
	jobs, err = b.CancelGradings(t.Context(), owner, first.Submission.ID)
	require.NoError(t, err)
	require.Empty(t, jobs, "it is over")
	require.Equal(t, second.Job.ID, b.claim().ID, "the other one goes on")
}

func TestAReportIsLookedAtOnce(t *testing.T) {
	b := newBench(t)
	owner := b.owner()
	candidate, _ := b.invited(owner, b.assessment(owner, settings()).ID, "c@x.example")
	b.start(candidate)
	b.handIn(candidate, platform.Final, "x")
	result := b.finish(b.claim(), platform.Passed, 80)
	report, evidence, err := b.ReportFiles(t.Context(), owner, result.ID)
	require.NoError(t, err)
	require.NoError(t, report.Close())
	require.Nil(t, evidence, "none was kept")
	report, _, err = b.OwnReportFiles(t.Context(), candidate, result.ID)
	require.NoError(t, err)
	require.NoError(t, report.Close())
	views := 0
	for _, action := range b.actions(owner) {
		if action == "report.view" || action == "own_report.view" {
			views++
		}
	}
	require.Equal(t, 2, views, "one line for each look")
}
