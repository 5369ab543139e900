package web

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/pages"
	"github.com/assay-run/assay/internal/platform/service"
)

// stage is where a candidate stands.
func (p person) stage(v *visit) platform.Stage {
	switch state := p.Invitation.StateAt(v.frame.Now); {
	case state == platform.InvitationWithdrawn || state == platform.InvitationRevoked || p.attempt == nil:
		return platform.Stage(state)
	default:
		return platform.Stage(p.attempt.Attempt.State)
	}
}

func (s *Web) candidateModel(v *visit, p person) pages.Candidate {
	out := pages.Candidate{
		Frame: v.frame, InvitationID: string(p.Invitation.ID), AssessmentID: string(p.assessment.ID), Assessment: p.assessment.Settings.Name,
		Name: p.Candidate.Name, Email: p.Candidate.Email, Reference: p.Candidate.ExternalRef, Stage: p.stage(v),
		PassMark: p.assessment.Settings.PassMark, ExtraPercent: p.Invitation.ExtraPercent, EraseAfter: p.Invitation.EraseAfter,
		MayErase: s.service.May(v.actor, service.EraseCandidate), Timeline: p.timeline(s),
	}
	_, open := p.Invitation.State.On(platform.InvitationRevoke)
	out.MayRevoke = open == nil && s.service.May(v.actor, service.RevokeInvitation)
	out.MayLink = open == nil && p.attempt == nil && s.service.May(v.actor, service.ResendInvitation)
	out.MayChange = s.service.May(v.actor, service.ChangeCandidate)
	out.Details.Values = map[string]string{
		"name": p.Candidate.Name, "email": p.Candidate.Email, "externalRef": p.Candidate.ExternalRef, "extraPercent": strconv.Itoa(p.Invitation.ExtraPercent),
	}
	t := p.attempt
	if t == nil {
		return out
	}
	out.MayGive = t.Attempt.State != platform.AttemptRunning && p.Invitation.AttemptsUsed >= p.assessment.Settings.Attempts &&
		p.Invitation.Usable(v.frame.Now) == nil && s.service.May(v.actor, service.GiveAttempt)
	if o := t.Attempt.Overall; o != nil {
		out.Verdict, out.Overall = o.Verdict, overall(o)
	}
	clock := t.Attempt.Clock
	out.Ends, out.Paused = clock.Ends(v.frame.Now), clock.Paused(v.frame.Now)
	out.Left, out.HasLeft = clock.Left(v.frame.Now)
	_, extendable := t.Attempt.State.On(platform.AttemptExtend)
	out.MayExtend = extendable == nil && s.service.May(v.actor, service.ExtendAttempt)
	_, decidable := t.Attempt.State.On(platform.AttemptDecide)
	out.MayDecide = decidable == nil && s.service.May(v.actor, service.Decide)
	_, undecidable := t.Attempt.State.On(platform.AttemptUndecide)
	out.MayUndecide = undecidable == nil && s.service.May(v.actor, service.Undecide)
	if d := newest(t.Decisions); d != nil && t.Attempt.Decision != "" {
		out.Decision = &pages.Decision{Outcome: d.Outcome, Reason: d.Reason, By: p.name(d.DecidedBy), At: d.At}
	}
	for _, c := range t.Assessment.Settings.Challenges {
		out.Challenges = append(out.Challenges, s.candidateChallenge(v, t, c))
	}
	for _, sub := range t.Submissions {
		out.Submissions = append(out.Submissions, s.teamSubmission(v, t, sub))
	}
	return out
}

// newest is the newest decision; nil: there is none.
func newest(all []platform.Decision) *platform.Decision {
	if len(all) == 0 {
		return nil
	}
	out := slices.MaxFunc(all, func(a, b platform.Decision) int { return a.At.Compare(b.At) })
	return &out
}

// resultOf is the result of a submission that counts; nil: there is none.
func resultOf(t *service.AttemptView, submission platform.ID) *platform.Result {
	for i := range t.Results {
		if t.Results[i].SubmissionID == submission {
			return &t.Results[i]
		}
	}
	return nil
}

// gradingOf is the newest grading of a submission; nil: there is none.
func gradingOf(all []service.OwnGrading, submission platform.ID) *service.OwnGrading {
	for i := range all { // the newest first
		if all[i].Job.SubmissionID == submission {
			return &all[i]
		}
	}
	return nil
}

// candidateChallenge is what counts on one challenge.
func (s *Web) candidateChallenge(v *visit, t *service.AttemptView, c platform.AssessmentChallenge) pages.CandidateChallenge {
	out := pages.CandidateChallenge{Title: s.challenge(c.ChallengeID).Title, PassMark: t.Assessment.Settings.PassMark}
	i := slices.IndexFunc(t.Submissions, func(sub platform.Submission) bool {
		return sub.Kind == platform.Final && sub.ChallengeID == c.ChallengeID && sub.Intake.Accepted
	})
	if i < 0 {
		return out
	}
	sub := t.Submissions[i]
	out.SubmissionID = string(sub.ID)
	g := gradingOf(t.Gradings, sub.ID)
	out.MayRegrade = g != nil && g.Job.State.Over() && t.Attempt.State != platform.AttemptWithdrawn && s.service.May(v.actor, service.Regrade)
	r := resultOf(t, sub.ID)
	if r == nil {
		if g != nil && (g.Job.State == platform.JobFailed || g.Job.State == platform.JobInvalid) {
			out.Verdict = platform.Incomplete
		}
		return out
	}
	out.Verdict, out.Figure, out.PassMark = r.Verdict, figure(*r), r.PassMark
	out.Headline, out.Codes, out.HasReport = r.Headline, r.Codes, r.Report.Key != ""
	return out
}

func (s *Web) teamSubmission(v *visit, t *service.AttemptView, sub platform.Submission) pages.Submission {
	out := s.submission(sub, gradingOf(t.Gradings, sub.ID))
	out.MayCancel = out.State != "" && !out.State.Over() && s.service.May(v.actor, service.CancelGrading)
	if r := resultOf(t, sub.ID); r != nil {
		out.Figure, out.PassMark, out.Verdict, out.Headline, out.HasReport = figure(*r), r.PassMark, r.Verdict, r.Headline, r.Report.Key != ""
	}
	return out
}

// submission is a submission with its grading, without what came of it.
func (s *Web) submission(sub platform.Submission, g *service.OwnGrading) pages.Submission {
	out := pages.Submission{
		ID: string(sub.ID), Challenge: s.challenge(sub.ChallengeID).Title, Kind: sub.Kind, At: sub.ReceivedAt, Files: sub.Intake.Files,
		Bytes: sub.Archive.Bytes, Notes: sub.Intake.Notes, Share: -1,
	}
	if !sub.Intake.Accepted {
		out.Problem = sub.Intake.Problem
	}
	if g == nil {
		return out
	}
	out.State = g.Job.State
	switch {
	case g.Job.State == platform.JobRunning:
		out.Progress = g.Job.Progress
	case g.Job.State.Waiting():
		out.Place = queuePlace(g.Place)
	}
	return out
}

// timeline is what happened, the oldest first.
func (p person) timeline(s *Web) []pages.TimelineEntry {
	out := []pages.TimelineEntry{{At: p.Invitation.CreatedAt, Key: pages.HappenedInvited, By: p.name(p.Invitation.CreatedBy)}}
	add := func(e pages.TimelineEntry) {
		if !e.At.IsZero() {
			out = append(out, e)
		}
	}
	add(pages.TimelineEntry{At: p.Invitation.OpenedAt, Key: pages.HappenedOpened})
	switch p.Invitation.State {
	case platform.InvitationWithdrawn:
		add(pages.TimelineEntry{At: p.Invitation.EndedAt, Key: pages.HappenedWithdrawn})
	case platform.InvitationRevoked:
		add(pages.TimelineEntry{At: p.Invitation.EndedAt, Key: pages.HappenedRevoked})
	}
	if t := p.attempt; t != nil {
		p.attemptTimeline(s, add)
	}
	slices.SortStableFunc(out, func(a, b pages.TimelineEntry) int { return a.At.Compare(b.At) })
	return out
}

func (p person) attemptTimeline(s *Web, add func(pages.TimelineEntry)) {
	t := p.attempt
	add(pages.TimelineEntry{At: t.Attempt.Clock.Started, Key: pages.HappenedStarted})
	if t.Attempt.State != platform.AttemptWithdrawn {
		add(pages.TimelineEntry{At: t.Attempt.EndedAt, Key: pages.HappenedEnded})
	}
	for _, x := range t.Attempt.Clock.Extensions {
		add(pages.TimelineEntry{At: x.At, Key: pages.HappenedExtended, By: p.name(x.GrantedBy), Detail: fmt.Sprintf("%d min: %s", int(x.By.Minutes()), x.Reason)})
	}
	for _, pause := range t.Attempt.Clock.Pauses {
		add(pages.TimelineEntry{At: pause.From, Key: pages.HappenedPaused, Detail: pause.Why})
		add(pages.TimelineEntry{At: pause.To, Key: pages.HappenedResumed})
	}
	for _, sub := range t.Submissions {
		key := pages.HappenedFinal
		if sub.Kind == platform.DryRun {
			key = pages.HappenedDryRun
		}
		add(pages.TimelineEntry{At: sub.ReceivedAt, Key: key, Detail: s.challenge(sub.ChallengeID).Title})
	}
	for _, r := range t.Results {
		if r.Kind == platform.Final {
			add(pages.TimelineEntry{At: r.GradedAt, Key: pages.HappenedGraded, Detail: s.challenge(r.ChallengeID).Title})
		}
	}
	for _, g := range t.Gradings {
		if g.Job.Kind == platform.JobRegrade {
			add(pages.TimelineEntry{At: g.Job.CreatedAt, Key: pages.HappenedRegraded, Detail: s.challenge(g.Job.ChallengeID).Title})
		}
	}
	for _, d := range t.Decisions {
		add(pages.TimelineEntry{At: d.At, Key: pages.HappenedDecided, By: p.name(d.DecidedBy), Detail: string(d.Outcome), Reason: d.Reason})
	}
}
