package web

import (
	"net/http"
	"strconv"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/pages"
	"github.com/assay-run/assay/internal/platform/service"
)

// homePage is how many assessments a page lists; each is counted.
const homePage = 25

func (s *Web) showHome(v *visit) error {
	v.frame.Section = pages.SectionHome
	archived := v.r.URL.Query().Get("archived") != ""
	list, err := s.service.Assessments(v.r.Context(), v.actor, archived, v.after(homePage))
	if err != nil {
		return err
	}
	model := pages.Home{Frame: v.frame, Archived: archived}
	keep := map[string]string{}
	if archived {
		keep["archived"] = "1"
	}
	model.More = more(list.Next, keep)
	for _, a := range list.Items {
		whole, err := s.service.Assessment(v.r.Context(), v.actor, a.ID)
		if err != nil {
			return err
		}
		model.Assessments = append(model.Assessments, assessmentLine(whole))
	}
	return s.render(v.w, http.StatusOK, pages.PageHome, model)
}

func assessmentLine(a service.AssessmentView) pages.AssessmentLine {
	set := a.Assessment.Settings
	invited := 0
	for _, n := range a.Counts {
		invited += n
	}
	return pages.AssessmentLine{
		ID: string(a.Assessment.ID), Name: set.Name, RoleTitle: set.RoleTitle, Challenges: len(set.Challenges), Invited: invited,
		Working: a.Counts[platform.StageRunning], Grading: a.Counts[platform.StageGrading], ToReview: a.Counts[platform.StageReview],
		Decided: a.Counts[platform.StageDecided], Deadline: set.Deadline,
	}
}

// listFilter are the fields of the list of candidates.
func listFilter() []string { return []string{"q", "stage", "verdict", "decision", "min", "sort"} }

func (s *Web) showAssessment(v *visit) error {
	v.frame.Section = pages.SectionHome
	id, err := v.id("assessment", platform.KindAssessment)
	if err != nil {
		return err
	}
	whole, err := s.service.Assessment(v.r.Context(), v.actor, id)
	if err != nil {
		return err
	}
	f, err := readQuery(v.r, listFilter()...)
	if err != nil {
		return err
	}
	filter, sort := readFilter(&f)
	status := http.StatusOK
	rows, err := s.service.Candidates(v.r.Context(), v.actor, id, filter, sort, v.after(platform.DefaultPage))
	if err != nil {
		if status, err = wrong(&f, err, nil); err != nil {
			return err
		}
	}
	model := s.assessmentModel(v, whole)
	model.Filter = pages.CandidateFilter{Form: f}
	model.More = more(rows.Next, f.Values)
	for _, row := range rows.Items {
		line, err := s.candidateRow(v, row)
		if err != nil {
			return err
		}
		model.Rows = append(model.Rows, line)
	}
	return s.render(v.w, status, pages.PageAssessment, model)
}

func (s *Web) assessmentModel(v *visit, a service.AssessmentView) pages.Assessment {
	set := a.Assessment.Settings
	out := pages.Assessment{
		Frame: v.frame, ID: string(a.Assessment.ID), Name: set.Name, RoleTitle: set.RoleTitle, TimeLimit: set.TimeLimit, Deadline: set.Deadline,
		PassMark: set.PassMark, Archived: !a.Assessment.ArchivedAt.IsZero(),
	}
	for _, c := range set.Challenges {
		known := s.challenge(c.ChallengeID)
		out.Challenges = append(out.Challenges, pages.ChallengeName{
			ID: c.ChallengeID, Title: known.Title, Version: c.Version, Minutes: known.Minutes, Weight: c.Weight,
		})
	}
	for _, stage := range platform.Stages() {
		if n := a.Counts[stage]; n > 0 {
			out.Counts = append(out.Counts, pages.StageCount{Stage: stage, Count: n})
		}
	}
	return out
}

// readFilter reads what narrows the list of candidates. What cannot be read narrows nothing, and is told.
func readFilter(f *pages.Form) (platform.OverviewFilter, platform.OverviewSort) {
	out := platform.OverviewFilter{
		Verdict: platform.Verdict(f.Values["verdict"]), Decision: platform.Outcome(f.Values["decision"]), Search: f.Values["q"],
	}
	if stage := f.Values["stage"]; stage != "" {
		out.Stages = []platform.Stage{platform.Stage(stage)}
	}
	if least := f.Values["min"]; least != "" {
		score, err := strconv.ParseFloat(least, 64)
		if err != nil || !(score >= 0 && score <= 100) {
			f.Errors["min"] = "The least score is a number from 0 to 100."
		} else {
			out.MinScore = &score
		}
	}
	sort := platform.OverviewSort(f.Values["sort"])
	if !sort.Valid() {
		sort = platform.ByInvited
	}
	return out, sort
}

func (s *Web) candidateRow(v *visit, row platform.OverviewRow) (pages.CandidateRow, error) {
	out := pages.CandidateRow{
		InvitationID: string(row.Invitation.ID), Name: row.Candidate.Name, Email: row.Candidate.Email, Stage: row.Stage, Headline: row.Headline,
		HandedIn: row.HandedInAt, ExtraPercent: row.Invitation.ExtraPercent, Expires: row.Invitation.ExpiresAt,
	}
	t := row.Attempt
	if t == nil {
		return out, nil
	}
	out.AttemptID, out.Decision = string(t.ID), t.Decision
	if t.Overall != nil {
		out.Verdict, out.Overall = t.Overall.Verdict, overall(t.Overall)
	}
	if t.State == platform.AttemptRunning && !row.EndsAt.IsZero() {
		out.Left, out.HasLeft = until(v.frame.Now, row.EndsAt), true
	}
	if row.JobsWaiting+row.JobsRunning == 0 {
		return out, nil
	}
	// Few attempts have gradings under way; for those it is worth another look.
	view, err := s.service.Attempt(v.r.Context(), v.actor, t.ID)
	if err != nil {
		return out, err
	}
	for _, g := range view.Gradings {
		if g.Job.Kind == platform.JobDryRun {
			continue
		}
		out.Gradings++
		if g.Job.State.Over() {
			out.Graded++
		}
		if g.Job.State.Waiting() && out.Place == nil {
			out.Place = queuePlace(g.Place)
		}
	}
	return out, nil
}

func (s *Web) archive(v *visit) error {
	id, err := v.id("assessment", platform.KindAssessment)
	if err != nil {
		return err
	}
	f, err := readForm(v.r)
	if err != nil {
		return err
	}
	archived := f.Values["archived"] != "off"
	if err := s.service.ArchiveAssessment(v.r.Context(), v.actor, id, archived); err != nil {
		return err
	}
	done := pages.NoticeArchived
	if !archived {
		done = pages.NoticeUnarchived
	}
	return goToWith(v.w, v.r, done, "assessment", string(id))
}
