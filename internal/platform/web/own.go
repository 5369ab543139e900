package web

import (
	"net/http"
	"slices"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/pages"
	"github.com/assay-run/assay/internal/platform/service"
)

// look is what a candidate sees of the own invitation.
func (s *Web) look(v *visit) (service.Own, error) {
	own, err := s.service.LookOwn(v.r.Context(), v.actor)
	v.see(own)
	return own, err
}

// see puts what was read into the frame. The clock of the page is the one that decides.
func (v *visit) see(own service.Own) {
	v.frame.Org = own.Organization
	if !own.Now.IsZero() {
		v.frame.Now = own.Now
	}
}

// running says whether an attempt goes on, in its state and by the clock.
func running(own service.Own) bool {
	return own.Attempt != nil && own.Attempt.State == platform.AttemptRunning
}

// showInvitation is where the link leads to: what is asked before the start, and what comes after it.
func (s *Web) showInvitation(v *visit) error {
	own, err := s.service.OpenOwn(v.r.Context(), v.actor)
	if err != nil {
		return err
	}
	v.see(own)
	switch {
	case running(own):
		return goTo(v.w, v.r, "work", string(v.invitation))
	case own.NextAttempt == 0:
		return goTo(v.w, v.r, "result", string(v.invitation))
	}
	return s.invitationPage(v, http.StatusOK, own, pages.Form{})
}

func (s *Web) invitationPage(v *visit, status int, own service.Own, f pages.Form) error {
	set := own.Assessment.Settings
	extra := own.Invitation.ExtraPercent
	model := pages.Invitation{
		Frame: v.frame, InvitationID: string(v.invitation), Assessment: set.Name, RoleTitle: set.RoleTitle, Candidate: own.Candidate.Name,
		Message: set.Message, Contact: set.Contact, TimeLimit: set.TimeLimit + set.TimeLimit*time.Duration(extra)/100, ExtraPercent: extra, Deadline: set.Deadline,
		Attempts: set.Attempts, Used: own.Invitation.AttemptsUsed, PassMark: set.PassMark, Visible: set.Visible, RetentionDays: set.RetentionDays, Form: f,
	}
	if own.Attempt == nil {
		model.Expires = own.Invitation.ExpiresAt
	}
	for _, c := range set.Challenges {
		known := s.challenge(c.ChallengeID)
		model.Challenges = append(model.Challenges, pages.InvitedChallenge{
			Title: known.Title, Summary: known.Summary, Level: known.Level, Minutes: known.Minutes, Skills: known.Skills,
		})
	}
	return s.render(v.w, status, pages.PageInvitation, model)
}

func (s *Web) start(v *visit) error {
	f, err := readForm(v.r, "consent")
	if err != nil {
		return err
	}
	own, err := s.look(v)
	if err != nil {
		return err
	}
	if running(own) { // sent twice
		return goTo(v.w, v.r, "work", string(v.invitation))
	}
	if own.NextAttempt == 0 {
		return platform.Errorf(platform.Conflict, "You have no attempt left.")
	}
	consent := ""
	if f.Values["consent"] == "on" {
		consent = own.Consent
	}
	if _, err := s.service.Start(v.r.Context(), v.actor, own.NextAttempt, consent); err != nil {
		status, err := wrong(&f, err, nil)
		if err != nil {
			return err
		}
		return s.invitationPage(v, status, own, f)
	}
	return goTo(v.w, v.r, "work", string(v.invitation))
}

// firstTask leads to the first task that is not handed in.
func (s *Web) firstTask(v *visit) error {
	own, err := s.look(v)
	if err != nil {
		return err
	}
	all := own.Assessment.Settings.Challenges
	if own.Attempt == nil || len(all) == 0 {
		return goTo(v.w, v.r, "invitation", string(v.invitation))
	}
	if !running(own) {
		return goTo(v.w, v.r, "result", string(v.invitation))
	}
	first := all[0].ChallengeID
	for _, c := range all {
		if final(own, c.ChallengeID) == nil {
			first = c.ChallengeID
			break
		}
	}
	return goTo(v.w, v.r, "task", string(v.invitation), first)
}

// final is the final submission for a challenge; nil: there is none.
func final(own service.Own, challenge string) *platform.Submission {
	i := slices.IndexFunc(own.Submissions, func(sub platform.Submission) bool {
		return sub.Kind == platform.Final && sub.ChallengeID == challenge && sub.Intake.Accepted
	})
	if i < 0 {
		return nil
	}
	return &own.Submissions[i]
}

func (s *Web) finish(v *visit) error {
	f, err := readForm(v.r)
	if err != nil {
		return err
	}
	if f.Values["sure"] != "on" {
		return goTo(v.w, v.r, "work", string(v.invitation))
	}
	if _, err := s.service.Finish(v.r.Context(), v.actor); err != nil {
		return err
	}
	return goTo(v.w, v.r, "result", string(v.invitation))
}

// cancelOwn cancels the grading of a dry run.
func (s *Web) cancelOwn(v *visit) error {
	id, err := v.id("submission", platform.KindSubmission)
	if err != nil {
		return err
	}
	own, err := s.look(v)
	if err != nil {
		return err
	}
	g := gradingOf(own.Gradings, id)
	if g == nil {
		return platform.Errorf(platform.NotFound, "There is no such grading.")
	}
	j, err := s.service.CancelDryRun(v.r.Context(), v.actor, g.Job.ID)
	if err != nil {
		return err
	}
	s.opts.Cancelled(j.ID)
	return goToWith(v.w, v.r, pages.NoticeCancelled, "task", string(v.invitation), j.ChallengeID)
}

func (s *Web) showResult(v *visit) error {
	own, err := s.look(v)
	if err != nil {
		return err
	}
	if own.Attempt == nil {
		return goTo(v.w, v.r, "invitation", string(v.invitation))
	}
	if running(own) {
		return goTo(v.w, v.r, "work", string(v.invitation))
	}
	results, err := s.service.OwnResults(v.r.Context(), v.actor)
	if err != nil {
		return err
	}
	set := own.Assessment.Settings
	model := pages.Result{
		Frame: v.frame, InvitationID: string(v.invitation), Assessment: set.Name, Candidate: own.Candidate.Name, Contact: set.Contact, State: own.Attempt.State,
		Visible: set.Visible, PassMark: set.PassMark, EraseAfter: own.Invitation.EraseAfter, Waiting: own.Attempt.State == platform.AttemptGrading,
	}
	if o := own.Attempt.Overall; o != nil {
		model.Overall, model.Verdict = overall(o), o.Verdict
	} else {
		model.Verdict = outcome(results)
	}
	if own.NextAttempt > 0 {
		model.AttemptsLeft = max(set.Attempts-own.Invitation.AttemptsUsed, 1)
	}
	for _, sub := range own.Submissions {
		if sub.Kind == platform.Final {
			model.Submissions = append(model.Submissions, s.ownSubmission(v, own, sub, results))
		}
	}
	return s.render(v.w, http.StatusOK, pages.PageResult, model)
}

// outcome is the verdict of an attempt whose only final result is one; of several the service tells the whole, or nobody.
func outcome(results []service.OwnResult) platform.Verdict {
	var out platform.Verdict
	n := 0
	for _, r := range results {
		if r.Kind == platform.Final {
			n++
			out = r.Verdict
		}
	}
	if n != 1 {
		return ""
	}
	return out
}

func (s *Web) askWithdraw(v *visit) error { return s.withdrawPage(v, http.StatusOK, pages.Form{}) }

func (s *Web) withdrawPage(v *visit, status int, f pages.Form) error {
	model := pages.Withdraw{Frame: v.frame, InvitationID: string(v.invitation), Form: f}
	own, err := s.look(v)
	switch platform.ErrorCode(err) {
	case "":
		set := own.Assessment.Settings
		model.Frame = v.frame
		model.Assessment, model.Candidate, model.Running, model.RetentionDays = set.Name, own.Candidate.Name, running(own), set.RetentionDays
	case platform.Gone: // the right to be erased does not end with the invitation
		model.Ended = true
	default:
		return err
	}
	return s.render(v.w, status, pages.PageWithdraw, model)
}

func (s *Web) withdraw(v *visit) error {
	f, err := readForm(v.r, "sure")
	if err != nil {
		return err
	}
	if f.Values["sure"] != "on" {
		return s.withdrawPage(v, fail(&f, "sure", "Tick this to withdraw."), f)
	}
	own, err := s.look(v)
	ended := platform.ErrorCode(err) == platform.Gone
	if err != nil && !ended {
		return err
	}
	model := pages.Goodbye{Assessment: own.Assessment.Settings.Name, Erased: f.Values["erase"] == "on"}
	switch {
	case model.Erased:
		err = s.service.EraseOwn(v.r.Context(), v.actor)
	case !ended:
		model.KeptUntil = own.Now.AddDate(0, 0, own.Assessment.Settings.RetentionDays)
		err = s.service.Withdraw(v.r.Context(), v.actor)
	}
	if err != nil {
		return err
	}
	if model.Erased { // otherwise it is still good for erasing
		if err := s.forgetCookie(v); err != nil {
			return err
		}
	}
	model.Frame = v.frame
	return s.render(v.w, http.StatusOK, pages.PageGoodbye, model)
}
