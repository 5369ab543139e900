package service

import (
	"context"
	"io"
	"slices"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

// AttemptView is everything about an attempt that a page of it shows.
type AttemptView struct {
	Attempt     platform.Attempt
	Invitation  platform.Invitation
	Candidate   platform.Candidate
	Assessment  platform.Assessment // at the attempt's version
	Submissions []platform.Submission
	Gradings    []OwnGrading
	Results     []platform.Result // those that count, dry runs included
	Decisions   []platform.Decision
}

// Attempt reads an attempt with what was handed in and what came of it: the newest platform.MaxPage of each.
func (s *Service) Attempt(ctx context.Context, a Actor, id platform.ID) (AttemptView, error) {
	return run(ctx, s, a, ReadResults, func(w *work) (out AttemptView, err error) {
		if out.Attempt, err = w.Attempt(ctx, w.org, id); err != nil {
			return out, err
		}
		if out.Invitation, err = w.Invitation(ctx, w.org, out.Attempt.InvitationID); err != nil {
			return out, err
		}
		if out.Candidate, err = w.Candidate(ctx, w.org, out.Attempt.CandidateID); err != nil {
			return out, err
		}
		if out.Assessment, err = w.AssessmentVersion(ctx, w.org, out.Attempt.AssessmentID, out.Attempt.AssessmentVersion); err != nil {
			return out, err
		}
		if out.Decisions, err = w.Decisions(ctx, w.org, id); err != nil {
			return out, err
		}
		return out, s.work(ctx, w, &out)
	})
}

// work reads what was handed in.
func (s *Service) work(ctx context.Context, w *work, out *AttemptView) error {
	most := platform.Page{Limit: platform.MaxPage}
	handed, err := w.Submissions(ctx, w.org, out.Attempt.ID, most)
	if err != nil {
		return err
	}
	jobs, err := w.Jobs(ctx, w.org, store.JobFilter{AttemptID: out.Attempt.ID}, most)
	if err != nil {
		return err
	}
	results, err := w.Results(ctx, w.org, store.ResultFilter{AttemptID: out.Attempt.ID}, most)
	if err != nil {
		return err
	}
	out.Submissions, out.Results = handed.Items, results.Items
	for _, j := range jobs.Items {
		place, err := s.place(ctx, w, j)
		if err != nil {
			return err
		}
		out.Gradings = append(out.Gradings, OwnGrading{Job: j, Place: place})
	}
	return nil
}

// Results lists results, the newest first.
func (s *Service) Results(ctx context.Context, a Actor, f store.ResultFilter, ask platform.Page) (platform.List[platform.Result], error) {
	return run(ctx, s, a, ReadResults, func(w *work) (platform.List[platform.Result], error) { return w.Results(ctx, w.org, f, ask) })
}

// Report opens the report of a result; the caller closes it. That it was looked at is kept.
func (s *Service) Report(ctx context.Context, a Actor, id platform.ID) (platform.Result, io.ReadCloser, error) {
	return s.file(ctx, a, id, func(r platform.Result) platform.Blob { return r.Report })
}

// ReportFiles opens the report of a result and what was measured, as one look at it. evidence is nil when it was not kept. The
// caller closes both.
func (s *Service) ReportFiles(ctx context.Context, a Actor, id platform.ID) (report, evidence io.ReadCloser, err error) {
	r, err := run(ctx, s, a, ViewReport, func(w *work) (platform.Result, error) {
		w.about(id, nil)
		return w.Result(ctx, w.org, id)
	})
	if err != nil {
		return nil, nil, err
	}
	return s.openFiles(ctx, r)
}

// Evidence opens what was measured, as gzip of JSON.
func (s *Service) Evidence(ctx context.Context, a Actor, id platform.ID) (platform.Result, io.ReadCloser, error) {
	return s.file(ctx, a, id, func(r platform.Result) platform.Blob { return r.Evidence })
}

func (s *Service) file(ctx context.Context, a Actor, id platform.ID, which func(platform.Result) platform.Blob) (platform.Result, io.ReadCloser, error) {
	r, err := run(ctx, s, a, ViewReport, func(w *work) (platform.Result, error) {
		w.about(id, nil)
		return w.Result(ctx, w.org, id)
	})
	if err != nil {
		return platform.Result{}, nil, err
	}
	if which(r).Key == "" {
		return r, nil, platform.Errorf(platform.NotFound, "This file was not kept.")
	}
	f, err := s.open(ctx, which(r).Key)
	return r, f, err
}

// Archive opens what was handed in; the caller closes it. That it was looked at is kept.
func (s *Service) Archive(ctx context.Context, a Actor, id platform.ID) (platform.Submission, io.ReadCloser, error) {
	sub, err := run(ctx, s, a, ViewSubmission, func(w *work) (platform.Submission, error) {
		w.about(id, nil)
		return w.Submission(ctx, w.org, id)
	})
	if err != nil {
		return platform.Submission{}, nil, err
	}
	if sub.Archive.Key == "" {
		return sub, nil, platform.Errorf(platform.NotFound, "This submission was refused at the door; its bytes were not kept.")
	}
	f, err := s.open(ctx, sub.Archive.Key)
	return sub, f, err
}

// Comparison puts candidates side by side on one version of a challenge.
type Comparison struct {
	ChallengeID string
	Version     int
	Columns     []ComparedAttempt // in the order that was asked for; those without a result on this version are left out
}

// ComparedAttempt is one candidate in a comparison.
type ComparedAttempt struct {
	AttemptID platform.ID
	Candidate platform.Candidate
	ResultID  platform.ID
	Verdict   platform.Verdict
	Criteria  []platform.CriterionResult
	Skills    []platform.SkillPoints
}

// Compare puts final submissions for one version of a challenge side by side.
func (s *Service) Compare(ctx context.Context, a Actor, challenge string, version int, attempts []platform.ID) (Comparison, error) {
	return run(ctx, s, a, CompareCandidates, func(w *work) (Comparison, error) {
		out := Comparison{ChallengeID: challenge, Version: version}
		rows, err := w.Compare(ctx, w.org, challenge, version, attempts)
		if err != nil {
			return out, err
		}
		by := map[platform.ID]*ComparedAttempt{}
		for _, row := range rows {
			c := by[row.AttemptID]
			if c == nil {
				c = &ComparedAttempt{AttemptID: row.AttemptID, ResultID: row.ResultID, Verdict: row.Verdict}
				if c.Candidate, err = w.Candidate(ctx, w.org, row.CandidateID); err != nil {
					return out, err
				}
				by[row.AttemptID] = c
			}
			c.Criteria = append(c.Criteria, row.Criterion)
		}
		shown := []platform.ID{} // and nothing else that was asked for: the log says what was seen
		for _, id := range attempts {
			if c := by[id]; c != nil && !slices.Contains(shown, id) {
				c.Skills = platform.BySkill(c.Criteria)
				out.Columns = append(out.Columns, *c)
				shown = append(shown, id)
			}
		}
		w.about("", map[string]any{"challenge": challenge, "attempts": shown})
		return out, nil
	})
}

// Regrade grades a final submission again, on a fresh seed. The newest result is the one that counts.
func (s *Service) Regrade(ctx context.Context, a Actor, submission platform.ID) (platform.Job, error) {
	return run(ctx, s, a, Regrade, func(w *work) (platform.Job, error) {
		j, err := w.Regrade(ctx, w.org, submission)
		if err != nil {
			return j, err
		}
		w.about(submission, map[string]platform.ID{"job": j.ID})
		return j, s.enqueue(ctx, w, j)
	})
}

// CancelGrading takes a waiting job out of the queue, and asks the worker of a running one to stop.
func (s *Service) CancelGrading(ctx context.Context, a Actor, job platform.ID) (platform.Job, error) {
	return run(ctx, s, a, CancelGrading, func(w *work) (platform.Job, error) {
		w.about(job, nil)
		j, _, err := w.CancelJob(ctx, w.org, job, "Cancelled by the team.")
		if err != nil {
			return j, err
		}
		return j, w.moved(ctx, j)
	})
}

// CancelGradings cancels, as CancelGrading does, every grading of a submission that waits or runs.
func (s *Service) CancelGradings(ctx context.Context, a Actor, submission platform.ID) ([]platform.Job, error) {
	return run(ctx, s, a, CancelGrading, func(w *work) ([]platform.Job, error) {
		if _, err := w.Submission(ctx, w.org, submission); err != nil {
			return nil, err
		}
		jobs, err := w.Jobs(ctx, w.org, store.JobFilter{SubmissionID: submission, States: []platform.JobState{
			platform.JobQueued, platform.JobRetrying, platform.JobRunning,
		}}, platform.Page{Limit: platform.MaxPage})
		if err != nil {
			return nil, err
		}
		w.about(submission, map[string]int{"cancelled": len(jobs.Items)})
		var out []platform.Job
		for _, j := range jobs.Items {
			j, _, err := w.CancelJob(ctx, w.org, j.ID, "Cancelled by the team.")
			if err != nil {
				return nil, err
			}
			if err := w.moved(ctx, j); err != nil {
				return nil, err
			}
			out = append(out, j)
		}
		return out, nil
	})
}

// Decide keeps a decision with its reason; it supersedes earlier ones, which stay in the history.
func (s *Service) Decide(ctx context.Context, a Actor, attempt platform.ID, outcome platform.Outcome, reason string) (platform.Decision, error) {
	return run(ctx, s, a, Decide, func(w *work) (platform.Decision, error) {
		if err := checkText("reason", reason, 10_000); err != nil {
			return platform.Decision{}, err
		}
		d, err := w.Decide(ctx, w.org, platform.Decision{AttemptID: attempt, Outcome: outcome, Reason: reason, DecidedBy: w.by()})
		if err != nil {
			return d, err
		}
		w.about(attempt, map[string]any{"outcome": outcome})
		t, err := w.Attempt(ctx, w.org, attempt)
		if err != nil {
			return d, err
		}
		return d, w.tell(ctx, platform.EventDecided, t.CandidateID, map[string]any{"attemptId": attempt, "assessmentId": t.AssessmentID, "outcome": outcome})
	})
}

// Undecide takes the standing decision back; it stays in the history.
func (s *Service) Undecide(ctx context.Context, a Actor, attempt platform.ID) error {
	return s.do(ctx, a, Undecide, func(w *work) error {
		w.about(attempt, nil)
		return w.Undecide(ctx, w.org, attempt)
	})
}

// QueueView is the page of the queue: the workers, and the organisation's jobs that wait or run.
type QueueView struct {
	Workers []platform.Worker
	Jobs    platform.List[platform.Job]
}

// Queue shows workers and jobs.
func (s *Service) Queue(ctx context.Context, a Actor, ask platform.Page) (QueueView, error) {
	return run(ctx, s, a, ReadQueue, func(w *work) (out QueueView, err error) {
		if out.Workers, err = w.Workers(ctx, w.org); err != nil {
			return out, err
		}
		out.Jobs, err = w.Jobs(ctx, w.org, store.JobFilter{States: []platform.JobState{
			platform.JobQueued, platform.JobRetrying, platform.JobRunning,
		}}, ask)
		return out, err
	})
}

// AuditLog lists who saw and did what, the newest first, about one subject unless that is empty.
func (s *Service) AuditLog(ctx context.Context, a Actor, subject platform.ID, ask platform.Page) (platform.List[platform.AuditEntry], error) {
	return run(ctx, s, a, ReadAudit, func(w *work) (platform.List[platform.AuditEntry], error) { return w.AuditLog(ctx, w.org, subject, ask) })
}

// Subjects says what ids of the log are about, as far as that is still there.
func (s *Service) Subjects(ctx context.Context, a Actor, ids []platform.ID) (map[platform.ID]platform.Subject, error) {
	return run(ctx, s, a, ReadAudit, func(w *work) (map[platform.ID]platform.Subject, error) {
		list, err := w.Subjects(ctx, w.org, ids)
		out := map[platform.ID]platform.Subject{}
		for _, s := range list {
			out[s.ID] = s
		}
		return out, err
	})
}

// ExportCandidate writes everything that is kept about a candidate, as JSON, with the bytes of all files in base64 at its end.
// Nothing is gathered in memory; when it fails in the middle, what was written is not whole.
func (s *Service) ExportCandidate(ctx context.Context, a Actor, id platform.ID, to io.Writer) error {
	data, err := run(ctx, s, a, ExportCandidate, func(w *work) (store.CandidateData, error) {
		w.about(id, nil)
		return w.ExportCandidate(ctx, w.org, id)
	})
	if err != nil {
		return err
	}
	files := archives(data.Submissions)
	for _, r := range data.Results {
		files = append(files, r.Report, r.Evidence)
	}
	return s.writeExport(ctx, to, data, files)
}

// EraseCandidate erases a candidate with all invitations and all that came of them, now.
func (s *Service) EraseCandidate(ctx context.Context, a Actor, id platform.ID) error {
	defer s.erased.Store(true)
	return s.do(ctx, a, EraseCandidate, func(w *work) error {
		w.about(id, nil)
		return w.EraseCandidate(ctx, w.org, id)
	})
}
