package service

import (
	"context"
	"slices"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

// GradingMoved does what follows from a job's new state, in the transaction in which a worker has changed it: a fault of
// ours costs the candidate neither time nor an attempt, and those who want to know are told that an attempt is graded. r
// is the verdict, nil without one. It is to be called for every job that is over, and for each that is to be made again.
func (s *Service) GradingMoved(ctx context.Context, tx *store.Tx, j platform.Job, r *platform.Result) error {
	return GradingMoved(ctx, tx, j, r)
}

// GradingMoved is Service.GradingMoved for a worker in a process of its own, which has no passwords and no keys.
func GradingMoved(ctx context.Context, tx *store.Tx, j platform.Job, _ *platform.Result) error {
	w := &work{Tx: tx, org: j.Org, actor: SystemActor(j.Org)}
	return w.moved(ctx, j)
}

func (w *work) moved(ctx context.Context, j platform.Job) error {
	t, err := w.Attempt(ctx, w.org, j.AttemptID)
	if err != nil {
		return err
	}
	if j.State == platform.JobRetrying {
		return w.pause(ctx, j, t)
	}
	if !j.State.Over() {
		return nil
	}
	if err := w.makeGood(ctx, j, t); err != nil {
		return err
	}
	// A job that is over and whose attempt is to be reviewed is the one that it has waited for.
	if j.Kind != platform.JobDryRun && t.State == platform.AttemptReview {
		return w.graded(ctx, t)
	}
	return nil
}

// pause stops the clock of an attempt that runs while one of its gradings is made again.
func (w *work) pause(ctx context.Context, j platform.Job, t platform.Attempt) error {
	if t.State != platform.AttemptRunning {
		return nil
	}
	_, err := w.PauseAttempt(ctx, w.org, t.ID, since(j), "A grading of ours failed and is made again.")
	return err
}

// since is when the try of a job began that is over.
func since(j platform.Job) time.Time {
	if j.StartedAt.IsZero() {
		return j.CreatedAt
	}
	return j.StartedAt
}

// makeGood lets the clock run again, and credits what a grading has cost that nobody could make: the time since it was
// handed in and, once, the attempt, when it was a final submission.
func (w *work) makeGood(ctx context.Context, j platform.Job, t platform.Attempt) error {
	lost := j.State == platform.JobFailed || j.State == platform.JobInvalid
	if lost && t.State == platform.AttemptRunning && j.CreatedAt.Before(w.Now()) {
		if _, err := w.CreditPause(ctx, w.org, t.ID, j.CreatedAt, w.Now(), "A grading of ours failed."); err != nil {
			return err
		}
	}
	if err := w.resume(ctx, t); err != nil {
		return err
	}
	if !lost || j.Kind != platform.JobFinal {
		return nil
	}
	jobs, err := w.Jobs(ctx, w.org, store.JobFilter{
		AttemptID: t.ID, States: []platform.JobState{platform.JobFailed, platform.JobInvalid},
	}, platform.Page{Limit: platform.MaxPage})
	if err != nil {
		return err
	}
	if slices.ContainsFunc(jobs.Items, func(o platform.Job) bool { return o.ID != j.ID && o.Kind == platform.JobFinal }) {
		return nil // the attempt was given back already
	}
	return w.GiveAttempt(ctx, w.org, t.InvitationID)
}

// resume lets the clock run again when no grading of the attempt is being made again.
func (w *work) resume(ctx context.Context, t platform.Attempt) error {
	if !t.Clock.Paused(w.Now()) {
		return nil
	}
	jobs, err := w.Jobs(ctx, w.org, store.JobFilter{
		AttemptID: t.ID, States: []platform.JobState{platform.JobRetrying, platform.JobRunning},
	}, platform.Page{Limit: platform.MaxPage})
	if err != nil {
		return err
	}
	// A try beyond the first is there because of a fault.
	if slices.ContainsFunc(jobs.Items, func(j platform.Job) bool { return j.State == platform.JobRetrying || j.Tries > 1 }) {
		return nil
	}
	return w.ResumeAttempt(ctx, w.org, t.ID)
}

// graded tells that everything of an attempt is graded.
func (w *work) graded(ctx context.Context, t platform.Attempt) error {
	figures := map[string]any{"attemptId": t.ID, "assessmentId": t.AssessmentID}
	if o := t.Overall; o != nil {
		figures["verdict"], figures["score"], figures["low"], figures["high"] = o.Verdict, o.Score, o.Low, o.High
	}
	return w.tell(ctx, platform.EventGraded, t.CandidateID, figures)
}
