package web

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/pages"
	"github.com/assay-run/assay/internal/platform/service"
)

// task is the challenge that the address names, of an attempt that has begun.
func (s *Web) task(v *visit) (service.Own, platform.AssessmentChallenge, error) {
	own, err := s.look(v)
	if err != nil {
		return own, platform.AssessmentChallenge{}, err
	}
	if own.Attempt == nil {
		return own, platform.AssessmentChallenge{}, platform.Errorf(platform.Conflict, "You have not started yet.")
	}
	c, ok := own.Assessment.Settings.Challenge(v.r.PathValue("challenge"))
	if !ok {
		return own, c, platform.Errorf(platform.NotFound, "There is no such challenge in this assessment.")
	}
	return own, c, nil
}

func (s *Web) showTask(v *visit) error {
	return s.taskPage(v, http.StatusOK, nil)
}

// backToTask is for who loads the page again that a form was sent to.
func (s *Web) backToTask(v *visit) error {
	return goTo(v.w, v.r, "task", v.r.PathValue("invitation"), v.r.PathValue("challenge"))
}

// taskPage shows a task; add fills in what was just done.
func (s *Web) taskPage(v *visit, status int, add func(*pages.Work)) error {
	own, c, err := s.task(v)
	switch {
	case err == nil && !running(own):
		return goTo(v.w, v.r, "result", string(v.invitation))
	case platform.ErrorCode(err) == platform.Conflict:
		return goTo(v.w, v.r, "invitation", string(v.invitation))
	case err != nil:
		return err
	}
	results, err := s.service.OwnResults(v.r.Context(), v.actor)
	if err != nil {
		return err
	}
	model, err := s.workModel(v, own, c, results)
	if err != nil {
		return err
	}
	if add != nil {
		add(&model)
	}
	return s.render(v.w, status, pages.PageWork, model)
}

func (s *Web) workModel(v *visit, own service.Own, c platform.AssessmentChallenge, results []service.OwnResult) (pages.Work, error) {
	set, known := own.Assessment.Settings, s.challenge(c.ChallengeID)
	brief, err := s.briefs.html(known)
	if err != nil {
		return pages.Work{}, err
	}
	out := pages.Work{
		Frame: v.frame, InvitationID: string(v.invitation), Assessment: set.Name, Candidate: own.Candidate.Name, Contact: set.Contact, Server: s.opts.URL,
		Task: pages.TaskMatter{
			ID: c.ChallengeID, Title: known.Title, Summary: known.Summary, Minutes: known.Minutes, Version: c.Version, Brief: brief,
			MaxBytes: s.service.MaxUploadBytes(),
		},
		Clock: pages.Countdown{Ends: own.EndsAt, Paused: own.Paused, Limit: own.Attempt.Clock.Limit},
	}
	for _, x := range own.Attempt.Clock.Extensions {
		out.Clock.Extended += x.By
	}
	for _, other := range set.Challenges {
		known := s.challenge(other.ChallengeID)
		out.Tasks = append(out.Tasks, pages.Task{
			ID: other.ChallengeID, Title: known.Title, Minutes: known.Minutes, HandedIn: final(own, other.ChallengeID) != nil,
		})
	}
	if handed := final(own, c.ChallengeID); handed != nil {
		out.Task.HandedIn = handed.ReceivedAt
	}
	for _, t := range s.opts.Tools {
		out.Tools = append(out.Tools, pages.Tool{Platform: t.Platform, Name: t.Name, Bytes: t.Bytes})
	}
	for _, sub := range own.Submissions {
		if sub.ChallengeID != c.ChallengeID {
			continue
		}
		line := s.ownSubmission(v, own, sub, results)
		out.Waiting = out.Waiting || line.State != "" && !line.State.Over()
		out.Submissions = append(out.Submissions, line)
	}
	out.Draft = draft(own, c.ChallengeID)
	return out, nil
}

// draft are the notes on a challenge, as they were saved.
func draft(own service.Own, challenge string) pages.Draft {
	i := slices.IndexFunc(own.Drafts, func(d platform.Draft) bool { return d.ChallengeID == challenge })
	if i < 0 {
		return pages.Draft{}
	}
	d := own.Drafts[i]
	return pages.Draft{Body: d.Body, Revision: d.Revision, SavedAt: d.SavedAt}
}

// ownSubmission is a submission as its candidate sees it: what came of it as far as the team allows.
func (s *Web) ownSubmission(v *visit, own service.Own, sub platform.Submission, results []service.OwnResult) pages.Submission {
	g := gradingOf(own.Gradings, sub.ID)
	out := s.submission(sub, g)
	out.PassMark = own.Assessment.Settings.PassMark
	out.MayCancel = g != nil && g.Job.Kind == platform.JobDryRun && !g.Job.State.Over() && running(own) && s.service.May(v.actor, service.CandidateCancel)
	i := slices.IndexFunc(results, func(r service.OwnResult) bool { return r.SubmissionID == sub.ID })
	if i < 0 {
		return out
	}
	r := results[i]
	out.Verdict, out.Headline, out.HasReport = r.Verdict, r.Headline, r.Report
	if r.Sees == platform.SeesScore || r.Sees == platform.SeesReport {
		out.Figure = &pages.Figure{Score: r.Score, Low: r.Low, High: r.High}
	}
	return out
}

// saveDraft keeps notes. When they were changed in another window, both texts are shown, and the next save is based on the
// other: whoever saves then has seen it.
func (s *Web) saveDraft(v *visit) error {
	f, err := readForm(v.r, "body")
	if err != nil {
		return err
	}
	challenge := v.r.PathValue("challenge")
	revision, err := strconv.ParseInt(f.Values["revision"], 10, 64)
	if err != nil {
		return platform.Errorf(platform.Invalid, "This form lacks the revision that it is based on. Load the page again.")
	}
	_, err = s.service.SaveDraft(v.r.Context(), v.actor, challenge, revision, f.Values["body"])
	if err == nil {
		return goTo(v.w, v.r, "task", string(v.invitation), challenge)
	}
	conflict := platform.ErrorCode(err) == platform.Conflict
	status, err := wrong(&f, err, nil)
	if err != nil {
		return err
	}
	return s.taskPage(v, status, func(m *pages.Work) {
		if conflict && m.Draft.Revision != revision {
			m.Draft.Theirs = m.Draft.Body
		} else {
			m.Form = f
		}
		m.Draft.Body = f.Values["body"]
	})
}
