package service

import (
	"context"

	"github.com/assay-run/assay/internal/platform"
)

// Submission reads what was handed in, without its bytes.
func (s *Service) Submission(ctx context.Context, a Actor, id platform.ID) (platform.Submission, error) {
	return run(ctx, s, a, ReadResults, func(w *work) (platform.Submission, error) { return w.Submission(ctx, w.org, id) })
}

// Result reads the figures of a result. Whoever wants to see how they came about takes Report.
func (s *Service) Result(ctx context.Context, a Actor, id platform.ID) (platform.Result, error) {
	return run(ctx, s, a, ReadResults, func(w *work) (platform.Result, error) { return w.Result(ctx, w.org, id) })
}

// Grading says how a grading stands.
func (s *Service) Grading(ctx context.Context, a Actor, id platform.ID) (OwnGrading, error) {
	return run(ctx, s, a, ReadResults, func(w *work) (out OwnGrading, err error) {
		if out.Job, err = w.Job(ctx, w.org, id); err != nil {
			return out, err
		}
		out.Place, err = s.place(ctx, w, out.Job)
		return out, err
	})
}

// OwnGrading says how a grading of the candidate's stands.
func (s *Service) OwnGrading(ctx context.Context, a Actor, id platform.ID) (OwnGrading, error) {
	return run(ctx, s, a, CandidateLook, func(w *work) (OwnGrading, error) {
		j, err := w.ownJob(ctx, id)
		if err != nil {
			return OwnGrading{}, err
		}
		out := OwnGrading{Job: forCandidate(j)}
		out.Place, err = s.place(ctx, w, j)
		out.Place.Why = out.Job.Why
		return out, err
	})
}
