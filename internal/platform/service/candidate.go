package service

import (
	"context"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

// ConsentVersion is the version of the text that candidates agree to. It changes with the text.
const ConsentVersion = "1"

// Own is what candidates see of their invitation.
type Own struct {
	Organization string
	Invitation   platform.Invitation
	Candidate    platform.Candidate
	// Assessment is that of the attempt, at its version; before the first attempt the newest.
	Assessment platform.Assessment
	// Consent is the version of the text that a start agrees to.
	Consent string
	// Attempt is the newest; nil before the first. Decisions are left out: it is the team that tells them.
	Attempt *platform.Attempt
	// EndsAt is when the attempt is over, as known at Now; zero: nothing ends it. While Paused it moves on with the clock.
	EndsAt time.Time
	Paused bool
	Now    time.Time // the server's clock, by which all is decided
	// NextAttempt is the number to start; 0: none is left.
	NextAttempt int
	Drafts      []platform.Draft
	Submissions []platform.Submission // the newest first, a page of them at most
	Gradings    []OwnGrading          // of them, the newest first
}

// OwnGrading is a grading as its candidate sees it.
type OwnGrading struct {
	Job   platform.Job
	Place store.Place // while it waits
}

// OpenOwn keeps that the link was followed, and shows the invitation.
func (s *Service) OpenOwn(ctx context.Context, a Actor) (Own, error) {
	return run(ctx, s, a, CandidateOpen, func(w *work) (Own, error) {
		i, err := w.OpenInvitation(ctx, w.org, w.invitation.ID)
		if err != nil {
			return Own{}, err
		}
		w.invitation = i
		return s.own(ctx, w)
	})
}

// LookOwn shows the invitation and how everything stands: the clock, what was handed in, the gradings.
func (s *Service) LookOwn(ctx context.Context, a Actor) (Own, error) {
	return run(ctx, s, a, CandidateLook, func(w *work) (Own, error) { return s.own(ctx, w) })
}

func (s *Service) own(ctx context.Context, w *work) (Own, error) {
	out := Own{Invitation: w.invitation, Consent: ConsentVersion, Now: w.Now(), NextAttempt: 1}
	org, err := w.Organization(ctx, w.org)
	if err != nil {
		return out, err
	}
	out.Organization = org.Name
	if out.Candidate, err = w.Candidate(ctx, w.org, w.invitation.CandidateID); err != nil {
		return out, err
	}
	if w.invitation.AttemptID == "" {
		out.Assessment, err = w.Assessment(ctx, w.org, w.invitation.AssessmentID)
		return out, err
	}
	return out, s.ownAttempt(ctx, w, &out)
}

func (s *Service) ownAttempt(ctx context.Context, w *work, out *Own) error {
	t, err := w.Attempt(ctx, w.org, w.invitation.AttemptID)
	if err != nil {
		return err
	}
	if out.Assessment, err = w.AssessmentVersion(ctx, w.org, t.AssessmentID, t.AssessmentVersion); err != nil {
		return err
	}
	newest, err := w.Assessment(ctx, w.org, t.AssessmentID) // decides what may be started next
	if err != nil {
		return err
	}
	out.NextAttempt = 0
	if t.State != platform.AttemptRunning && w.invitation.AttemptsUsed < newest.Settings.Attempts {
		out.NextAttempt = t.Number + 1
	}
	out.EndsAt, out.Paused = t.Clock.Ends(w.Now()), t.Clock.Paused(w.Now())
	t.Decision = ""
	if t.State == platform.AttemptDecided {
		t.State = platform.AttemptReview
	}
	switch sees := out.Assessment.Settings.Visible; {
	case sees == platform.SeesNothing || sees == platform.SeesOutcome:
		t.Overall = nil // see OwnResults for the outcome
	case t.Overall != nil && t.Overall.Verdict == platform.Withheld:
		t.Overall = nil // a person looks at it first
	}
	out.Attempt = &t
	if out.Drafts, err = w.Drafts(ctx, w.org, t.ID); err != nil {
		return err
	}
	handed, err := w.Submissions(ctx, w.org, t.ID, platform.Page{})
	if err != nil {
		return err
	}
	out.Submissions = handed.Items
	jobs, err := w.Jobs(ctx, w.org, store.JobFilter{AttemptID: t.ID}, platform.Page{})
	if err != nil {
		return err
	}
	for _, j := range jobs.Items {
		g := OwnGrading{}
		if g.Place, err = s.place(ctx, w, j); err != nil {
			return err
		}
		g.Job = forCandidate(j)
		g.Place.Why = g.Job.Why
		out.Gradings = append(out.Gradings, g)
	}
	return nil
}

// forCandidate leaves out of a job what is for those who run the installation: who grades it, and how a fault of ours
// describes itself.
func forCandidate(j platform.Job) platform.Job {
	j.WorkerID, j.Fence, j.LeaseUntil = "", 0, time.Time{}
	switch j.State {
	case platform.JobRetrying:
		j.Why = "Something of ours failed. The grading is made again, and your clock stands."
	case platform.JobFailed, platform.JobInvalid:
		j.Why = "We could not grade this. It costs you neither time nor an attempt."
	case platform.JobCancelled:
		j.Why = "Cancelled."
	default:
		j.Why = ""
	}
	return j
}

// Start begins the n-th attempt; the clock runs from there. Whoever starts it again gets it as it is. consent is the
// version of the text that the candidate has agreed to.
func (s *Service) Start(ctx context.Context, a Actor, n int, consent string) (Own, error) {
	return run(ctx, s, a, CandidateStart, func(w *work) (Own, error) {
		if consent != ConsentVersion {
			return Own{}, platform.InvalidField("consent", "Please agree to how your data are used before you start.")
		}
		t, begun, err := w.StartAttempt(ctx, w.org, w.invitation.ID, n, consent)
		if err != nil {
			return Own{}, err
		}
		w.about(t.ID, map[string]any{"number": n, "begun": begun})
		if begun {
			err := w.tell(ctx, platform.EventStarted, t.CandidateID, map[string]any{
				"invitationId": t.InvitationID, "assessmentId": t.AssessmentID, "attemptId": t.ID, "number": n,
			})
			if err != nil {
				return Own{}, err
			}
		}
		if w.invitation, err = w.Invitation(ctx, w.org, w.invitation.ID); err != nil {
			return Own{}, err
		}
		return s.own(ctx, w)
	})
}

// SaveDraft keeps the state of the work on a challenge. revision is the one it is based on, 0 for the first.
func (s *Service) SaveDraft(ctx context.Context, a Actor, challenge string, revision int64, body string) (platform.Draft, error) {
	return run(ctx, s, a, CandidateDraft, func(w *work) (platform.Draft, error) {
		if err := w.begun(); err != nil {
			return platform.Draft{}, err
		}
		return w.SaveDraft(ctx, w.org, platform.Draft{AttemptID: w.invitation.AttemptID, ChallengeID: challenge, Revision: revision, Body: body})
	})
}

// begun is nil when there is an attempt.
func (w *work) begun() error {
	if w.invitation.AttemptID == "" {
		return platform.Errorf(platform.Conflict, "You have not started yet.")
	}
	return nil
}

// Finish hands the attempt in before its time is up.
func (s *Service) Finish(ctx context.Context, a Actor) (platform.Attempt, error) {
	return run(ctx, s, a, CandidateFinish, func(w *work) (platform.Attempt, error) {
		if err := w.begun(); err != nil {
			return platform.Attempt{}, err
		}
		w.about(w.invitation.AttemptID, nil)
		return w.FinishAttempt(ctx, w.org, w.invitation.AttemptID)
	})
}

// CancelDryRun stops a dry run that waits or runs. A final submission cannot be taken back.
func (s *Service) CancelDryRun(ctx context.Context, a Actor, job platform.ID) (platform.Job, error) {
	return run(ctx, s, a, CandidateCancel, func(w *work) (platform.Job, error) {
		j, err := w.ownJob(ctx, job)
		if err != nil {
			return platform.Job{}, err
		}
		if j.Kind != platform.JobDryRun {
			return platform.Job{}, platform.Errorf(platform.Conflict, "Only a dry run can be cancelled.")
		}
		w.about(job, nil)
		if j, _, err = w.CancelJob(ctx, w.org, job, "Cancelled by the candidate."); err != nil {
			return j, err
		}
		return forCandidate(j), w.moved(ctx, j)
	})
}

// ownJob finds a job of the candidate's invitation; that of anybody else is not found.
func (w *work) ownJob(ctx context.Context, id platform.ID) (platform.Job, error) {
	none := platform.Errorf(platform.NotFound, "There is no such grading.")
	j, err := w.Job(ctx, w.org, id)
	if err != nil {
		return platform.Job{}, err
	}
	t, err := w.Attempt(ctx, w.org, j.AttemptID)
	if err != nil {
		return platform.Job{}, err
	}
	if t.InvitationID != w.invitation.ID {
		return platform.Job{}, none
	}
	return j, nil
}

// Withdraw ends the candidate's part. What was stored stays until its time, or until EraseOwn.
func (s *Service) Withdraw(ctx context.Context, a Actor) error {
	return s.do(ctx, a, CandidateWithdraw, func(w *work) error {
		w.about(w.invitation.CandidateID, nil)
		return w.WithdrawInvitation(ctx, w.org, w.invitation.ID)
	})
}

// EraseOwn erases the invitation and all that came of it, now. It works as long as the link is known, also when the
// invitation has ended.
func (s *Service) EraseOwn(ctx context.Context, a Actor) error {
	defer s.erased.Store(true)
	return s.do(ctx, a, CandidateErase, func(w *work) error {
		w.about(w.invitation.CandidateID, platform.ErasedInvitation{Invitation: w.invitation.ID})
		return w.EraseInvitation(ctx, w.org, w.invitation.ID)
	})
}
