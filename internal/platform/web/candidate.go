package web

import (
	"context"
	"net/http"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/pages"
	"github.com/assay-run/assay/internal/platform/service"
)

// person is a candidate of an assessment as the team sees one: the attempt is nil before the first.
type person struct {
	service.InvitationView
	assessment platform.Assessment
	attempt    *service.AttemptView
	names      map[platform.ID]string // of the team, by user
}

func (s *Web) person(v *visit) (person, error) {
	id, err := v.id("invitation", platform.KindInvitation)
	if err != nil {
		return person{}, err
	}
	ctx := v.r.Context()
	p := person{names: map[platform.ID]string{}}
	if p.InvitationView, err = s.service.Invitation(ctx, v.actor, id); err != nil {
		return p, err
	}
	if p.names, err = s.teamNames(ctx, v.actor); err != nil {
		return p, err
	}
	if p.Invitation.AttemptID == "" {
		whole, err := s.service.Assessment(ctx, v.actor, p.Invitation.AssessmentID)
		p.assessment = whole.Assessment
		return p, err
	}
	t, err := s.service.Attempt(ctx, v.actor, p.Invitation.AttemptID)
	p.attempt, p.assessment = &t, t.Assessment
	return p, err
}

// teamNames are the names of those who are in the organisation; who has left is not in it.
func (s *Web) teamNames(ctx context.Context, a service.Actor) (map[platform.ID]string, error) {
	members, err := s.service.Members(ctx, a)
	if err != nil {
		return nil, err
	}
	out := map[platform.ID]string{}
	for _, m := range members {
		if out[m.User.ID] = m.User.Name; m.User.Name == "" {
			out[m.User.ID] = m.User.Email
		}
	}
	return out, nil
}

// name is that of somebody of the team; who has left has an id only.
func (p person) name(user platform.ID) string {
	if n := p.names[user]; n != "" {
		return n
	}
	return string(user)
}

func (s *Web) showCandidate(v *visit) error {
	return s.candidatePage(v, http.StatusOK, nil)
}

// candidatePage shows a candidate; add fills in what was just done.
func (s *Web) candidatePage(v *visit, status int, add func(*pages.Candidate)) error {
	v.frame.Section = pages.SectionHome
	p, err := s.person(v)
	if err != nil {
		return err
	}
	model := s.candidateModel(v, p)
	if add != nil {
		add(&model)
	}
	return s.render(v.w, status, pages.PageCandidate, model)
}

// backToCandidate is for who loads the page again that a form was sent to.
func (s *Web) backToCandidate(v *visit) error {
	return goTo(v.w, v.r, "candidate", v.r.PathValue("invitation"))
}

// attemptOf is the newest attempt of the candidate that the address names.
func (s *Web) attemptOf(v *visit) (platform.ID, error) {
	id, err := v.id("invitation", platform.KindInvitation)
	if err != nil {
		return "", err
	}
	i, err := s.service.Invitation(v.r.Context(), v.actor, id)
	if err == nil && i.Invitation.AttemptID == "" {
		err = platform.Errorf(platform.Conflict, "This candidate has not started yet.")
	}
	return i.Invitation.AttemptID, err
}

func (s *Web) extend(v *visit) error {
	f, err := readForm(v.r, "minutes", "extendReason")
	if err != nil {
		return err
	}
	attempt, err := s.attemptOf(v)
	if err != nil {
		return err
	}
	again := func(status int) error {
		return s.candidatePage(v, status, func(m *pages.Candidate) { m.Extend = f })
	}
	minutes := wholeNumber(&f, "minutes")
	if len(f.Errors) > 0 {
		return again(http.StatusUnprocessableEntity)
	}
	_, err = s.service.ExtendAttempt(v.r.Context(), v.actor, attempt, time.Duration(minutes)*time.Minute, f.Values["extendReason"])
	if err != nil {
		status, err := wrong(&f, err, map[string]string{"reason": "extendReason", "by": "minutes"})
		if err != nil {
			return err
		}
		return again(status)
	}
	return goToWith(v.w, v.r, pages.NoticeExtended, "candidate", v.r.PathValue("invitation"))
}

func (s *Web) decide(v *visit) error {
	f, err := readForm(v.r, "outcome", "reason")
	if err != nil {
		return err
	}
	attempt, err := s.attemptOf(v)
	if err != nil {
		return err
	}
	_, err = s.service.Decide(v.r.Context(), v.actor, attempt, platform.Outcome(f.Values["outcome"]), f.Values["reason"])
	if err != nil {
		status, err := wrong(&f, err, nil)
		if err != nil {
			return err
		}
		return s.candidatePage(v, status, func(m *pages.Candidate) { m.Decide = f })
	}
	return goToWith(v.w, v.r, pages.NoticeDecided, "candidate", v.r.PathValue("invitation"))
}

// undecide takes the standing decision back.
func (s *Web) undecide(v *visit) error {
	attempt, err := s.attemptOf(v)
	if err != nil {
		return err
	}
	if err := s.service.Undecide(v.r.Context(), v.actor, attempt); err != nil {
		return err
	}
	return goToWith(v.w, v.r, pages.NoticeUndecided, "candidate", v.r.PathValue("invitation"))
}

// giveAttempt lets the candidate begin once more.
func (s *Web) giveAttempt(v *visit) error {
	id, err := v.id("invitation", platform.KindInvitation)
	if err != nil {
		return err
	}
	if err := s.service.GiveAttempt(v.r.Context(), v.actor, id); err != nil {
		return err
	}
	return goToWith(v.w, v.r, pages.NoticeGiven, "candidate", string(id))
}

// changeDetails corrects who the candidate is, and how much extra time there is.
func (s *Web) changeDetails(v *visit) error {
	f, err := readForm(v.r, "name", "email", "externalRef", "extraPercent")
	if err != nil {
		return err
	}
	id, err := v.id("invitation", platform.KindInvitation)
	if err != nil {
		return err
	}
	i, err := s.service.Invitation(v.r.Context(), v.actor, id)
	if err != nil {
		return err
	}
	if err := s.needs(v, service.ChangeCandidate); err != nil {
		return err
	}
	again := func(status int) error {
		return s.candidatePage(v, status, func(m *pages.Candidate) { m.Details = f })
	}
	percent := wholeNumber(&f, "extraPercent")
	if len(f.Errors) > 0 {
		return again(http.StatusUnprocessableEntity)
	}
	err = s.service.ChangeCandidate(v.r.Context(), v.actor, i.Candidate.ID, platform.Invitee{
		Name: f.Values["name"], Email: f.Values["email"], ExternalRef: f.Values["externalRef"], ExtraPercent: percent,
	})
	if err == nil && percent != i.Invitation.ExtraPercent {
		err = s.service.SetExtraTime(v.r.Context(), v.actor, id, percent)
	}
	if err != nil {
		status, err := wrong(&f, err, nil)
		if err != nil {
			return err
		}
		return again(status)
	}
	return goToWith(v.w, v.r, pages.NoticeSaved, "candidate", string(id))
}

// newLink makes a new link and mails it. Where mails go nowhere, or there is no address, it is shown, once.
func (s *Web) newLink(v *visit) error {
	id, err := v.id("invitation", platform.KindInvitation)
	if err != nil {
		return err
	}
	made, err := s.service.ResendInvitation(v.r.Context(), v.actor, id, time.Time{}, true)
	if err != nil {
		return err
	}
	if s.opts.Mailed && made.Candidate.Email != "" {
		return goToWith(v.w, v.r, pages.NoticeMailed, "candidate", string(id))
	}
	return s.candidatePage(v, http.StatusOK, func(m *pages.Candidate) { m.Link = s.Link(made.Token) })
}

func (s *Web) revoke(v *visit) error {
	id, err := v.id("invitation", platform.KindInvitation)
	if err != nil {
		return err
	}
	if err := s.service.RevokeInvitation(v.r.Context(), v.actor, id); err != nil {
		return err
	}
	return goToWith(v.w, v.r, pages.NoticeRevoked, "candidate", string(id))
}

func (s *Web) erase(v *visit) error {
	f, err := readForm(v.r)
	if err != nil {
		return err
	}
	id, err := v.id("invitation", platform.KindInvitation)
	if err != nil {
		return err
	}
	i, err := s.service.Invitation(v.r.Context(), v.actor, id)
	if err != nil {
		return err
	}
	if err := s.needs(v, service.EraseCandidate); err != nil {
		return err
	}
	if f.Values["sure"] != "on" {
		return goTo(v.w, v.r, "candidate", string(id))
	}
	if err := s.service.EraseCandidate(v.r.Context(), v.actor, i.Candidate.ID); err != nil {
		return err
	}
	return goToWith(v.w, v.r, pages.NoticeErased, "assessment", string(i.Invitation.AssessmentID))
}

func (s *Web) regrade(v *visit) error {
	id, err := v.id("submission", platform.KindSubmission)
	if err != nil {
		return err
	}
	j, err := s.service.Regrade(v.r.Context(), v.actor, id)
	if err != nil {
		return err
	}
	return s.toAttempt(v, pages.NoticeRegraded, j.AttemptID)
}

func (s *Web) cancel(v *visit) error {
	id, err := v.id("submission", platform.KindSubmission)
	if err != nil {
		return err
	}
	jobs, err := s.service.CancelGradings(v.r.Context(), v.actor, id)
	if err != nil {
		return err
	}
	if len(jobs) == 0 {
		return platform.Errorf(platform.Conflict, "No grading of this submission waits or runs.")
	}
	for _, j := range jobs {
		s.opts.Cancelled(j.ID)
	}
	return s.toAttempt(v, pages.NoticeCancelled, jobs[0].AttemptID)
}

// toAttempt leads to the page of the candidate whose attempt it is.
func (s *Web) toAttempt(v *visit, n pages.Notice, attempt platform.ID) error {
	t, err := s.service.Attempt(v.r.Context(), v.actor, attempt)
	if err != nil {
		return err
	}
	return goToWith(v.w, v.r, n, "candidate", string(t.Invitation.ID))
}
