package service

import (
	"context"
	"slices"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

// A worker ends its gradings through these methods rather than through the store, because more than the job hangs on it:
// the clock of an attempt that waits for us, an attempt that must not be charged, and who is told.

// FinishGrading ends a job with its verdict; see store.Tx.Finish.
func (s *Service) FinishGrading(ctx context.Context, a Actor, job platform.ID, fence int64, r platform.Result) (store.Finished, error) {
	return run(ctx, s, a, EndGrading, func(w *work) (store.Finished, error) {
		out, err := w.Finish(ctx, w.org, job, fence, r)
		if err != nil {
			return out, err
		}
		if err := w.resume(ctx, out.Result.AttemptID); err != nil {
			return out, err
		}
		if !out.Settled {
			return out, nil
		}
		return out, w.graded(ctx, out.Result.AttemptID)
	})
}

// FaultGrading ends a try that gave no verdict for a reason that is ours. The job waits to be made again, or is given up
// after its last try. While one of its gradings waits for us, the clock of an attempt that runs stands. A final submission
// that is given up burns no attempt.
func (s *Service) FaultGrading(ctx context.Context, a Actor, job platform.ID, fence int64, f platform.Fault, why string) (platform.Job, error) {
	return run(ctx, s, a, EndGrading, func(w *work) (platform.Job, error) {
		before, err := w.Job(ctx, w.org, job)
		if err != nil {
			return platform.Job{}, err
		}
		j, settled, err := w.Faulted(ctx, w.org, job, fence, f, why)
		if err != nil {
			return j, err
		}
		return j, w.afterFault(ctx, before, j, settled)
	})
}

// RescueGrading takes a job from a worker that has been silent for longer than its lease; see store.Tx.Rescue. settled is
// worked out from the attempt.
func (s *Service) RescueGrading(ctx context.Context, a Actor, job platform.ID) (rescued bool, err error) {
	return run(ctx, s, a, EndGrading, func(w *work) (bool, error) {
		before, err := w.Job(ctx, w.org, job)
		if err != nil {
			return false, err
		}
		j, rescued, err := w.Rescue(ctx, w.org, job)
		if err != nil || !rescued {
			return false, err
		}
		t, err := w.Attempt(ctx, w.org, j.AttemptID)
		if err != nil {
			return false, err
		}
		settled := j.State.Over() && j.Kind != platform.JobDryRun && t.State == platform.AttemptReview
		return true, w.afterFault(ctx, before, j, settled)
	})
}

// CancelledGrading ends a job whose cancel was asked for; the worker has stopped.
func (s *Service) CancelledGrading(ctx context.Context, a Actor, job platform.ID, fence int64) (platform.Job, error) {
	return run(ctx, s, a, EndGrading, func(w *work) (platform.Job, error) {
		j, settled, err := w.Cancelled(ctx, w.org, job, fence)
		if err != nil {
			return j, err
		}
		if err := w.resume(ctx, j.AttemptID); err != nil {
			return j, err
		}
		if !settled {
			return j, nil
		}
		return j, w.graded(ctx, j.AttemptID)
	})
}

// afterFault makes good what a fault of ours has cost.
func (w *work) afterFault(ctx context.Context, before, j platform.Job, settled bool) error {
	t, err := w.Attempt(ctx, w.org, j.AttemptID)
	if err != nil {
		return err
	}
	if j.State == platform.JobRetrying && t.State == platform.AttemptRunning {
		if _, err := w.PauseAttempt(ctx, w.org, t.ID, before.StartedAt, "A grading of ours failed and is made again."); err != nil {
			return err
		}
	}
	if j.State == platform.JobFailed || j.State == platform.JobInvalid {
		if err := w.giveUp(ctx, j, t, before); err != nil {
			return err
		}
	}
	if !settled {
		return nil
	}
	return w.graded(ctx, t.ID)
}

// giveUp credits what a grading has cost that nobody could make: the time of its last try, and the attempt, once, when it
// was that of a final submission.
func (w *work) giveUp(ctx context.Context, j platform.Job, t platform.Attempt, before platform.Job) error {
	if t.State == platform.AttemptRunning && !t.Clock.Paused(w.Now()) && before.StartedAt.Before(w.Now()) {
		if _, err := w.CreditPause(ctx, w.org, t.ID, before.StartedAt, w.Now(), "A grading of ours failed."); err != nil {
			return err
		}
	}
	if err := w.resume(ctx, t.ID); err != nil {
		return err
	}
	if j.Kind != platform.JobFinal {
		return nil
	}
	lost, err := w.Jobs(ctx, w.org, store.JobFilter{AttemptID: t.ID, States: []platform.JobState{platform.JobFailed, platform.JobInvalid}}, platform.Page{Limit: platform.MaxPage})
	if err != nil {
		return err
	}
	if slices.ContainsFunc(lost.Items, func(o platform.Job) bool { return o.ID != j.ID && o.Kind == platform.JobFinal }) {
		return nil // it was given back already
	}
	return w.GiveAttempt(ctx, w.org, t.InvitationID)
}

// resume lets the clock run again when no grading of the attempt is being made again.
func (w *work) resume(ctx context.Context, attempt platform.ID) error {
	jobs, err := w.Jobs(ctx, w.org, store.JobFilter{
		AttemptID: attempt, States: []platform.JobState{platform.JobRetrying, platform.JobRunning},
	}, platform.Page{Limit: platform.MaxPage})
	if err != nil {
		return err
	}
	// A try beyond the first is there because of a fault.
	if slices.ContainsFunc(jobs.Items, func(j platform.Job) bool { return j.State == platform.JobRetrying || j.Tries > 1 }) {
		return nil
	}
	return w.ResumeAttempt(ctx, w.org, attempt)
}

// graded tells that everything of an attempt is graded.
func (w *work) graded(ctx context.Context, attempt platform.ID) error {
	t, err := w.Attempt(ctx, w.org, attempt)
	if err != nil {
		return err
	}
	figures := map[string]any{"attemptId": t.ID, "assessmentId": t.AssessmentID}
	if o := t.Overall; o != nil {
		figures["verdict"], figures["score"], figures["low"], figures["high"] = o.Verdict, o.Score, o.Low, o.High
	}
	return w.tell(ctx, platform.EventGraded, t.CandidateID, figures)
}
