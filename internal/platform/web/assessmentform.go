package web

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/pages"
	"github.com/assay-run/assay/internal/platform/service"
)

// localTime is how browsers write date and time; those of forms are in UTC.
const localTime = "2006-01-02T15:04"

// settingsFields are those of the form of an assessment, in its order.
func settingsFields() []string {
	return []string{
		"name", "roleTitle", "challenges", "mode", "timeLimit", "deadline", "attempts", "passMark", "visible", "message", "contact", "retentionDays",
	}
}

// settingsForm is a form filled in with settings.
func settingsForm(set platform.Settings) pages.Form {
	values := map[string]string{
		"name": set.Name, "roleTitle": set.RoleTitle, "message": set.Message, "contact": set.Contact, "mode": set.Mode, "attempts": strconv.Itoa(set.Attempts),
		"passMark": number(set.PassMark), "visible": string(set.Visible), "retentionDays": strconv.Itoa(set.RetentionDays),
	}
	if set.TimeLimit > 0 {
		values["timeLimit"] = number(set.TimeLimit.Minutes())
	}
	if !set.Deadline.IsZero() {
		values["deadline"] = set.Deadline.UTC().Format(localTime)
	}
	for _, c := range set.Challenges {
		values["use."+c.ChallengeID], values["weight."+c.ChallengeID], values["mode."+c.ChallengeID] = "on", number(c.Weight), c.Mode
	}
	return pages.Form{Values: values, Errors: map[string]string{}, Order: settingsFields()}
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// readSettings reads the form of an assessment. What is no number is marked in the form.
func (s *Web) readSettings(f *pages.Form) platform.Settings {
	v := f.Values
	out := platform.Settings{
		Name: strings.TrimSpace(v["name"]), RoleTitle: strings.TrimSpace(v["roleTitle"]), Message: v["message"], Contact: strings.TrimSpace(v["contact"]), Mode: v["mode"],
		Visible: platform.Visibility(v["visible"]), Attempts: wholeNumber(f, "attempts"), RetentionDays: wholeNumber(f, "retentionDays"),
		PassMark: decimal(f, "passMark"), TimeLimit: time.Duration(wholeNumber(f, "timeLimit")) * time.Minute,
	}
	if text := v["deadline"]; text != "" {
		at, err := time.Parse(localTime, text)
		if err != nil {
			f.Errors["deadline"] = "A deadline has the form 2026-12-31T18:00."
		}
		out.Deadline = at
	}
	for _, c := range s.service.Challenges() {
		if v["use."+c.ID] != "on" {
			continue
		}
		weight, err := strconv.ParseFloat(v["weight."+c.ID], 64)
		if err != nil {
			f.Errors["challenges"] = "The weight of " + c.ID + " is no number."
		}
		out.Challenges = append(out.Challenges, platform.AssessmentChallenge{ChallengeID: c.ID, Version: c.Version, Weight: weight, Mode: v["mode."+c.ID]})
	}
	return out
}

// wholeNumber reads a number of a form, 0 when the field is empty. What is not one, or could not be a number of anything
// here, is marked.
func wholeNumber(f *pages.Form, name string) int {
	text := strings.TrimSpace(f.Values[name])
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		f.Errors[name] = "This is not a whole number."
	}
	return int(n)
}

func decimal(f *pages.Form, name string) float64 {
	text := strings.TrimSpace(f.Values[name])
	if text == "" {
		return 0
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		f.Errors[name] = "This is not a number."
	}
	return n
}

func (s *Web) formPage(v *visit, status int, a platform.Assessment, running int, f pages.Form) error {
	v.frame.Section = pages.SectionHome
	model := pages.AssessmentForm{Frame: v.frame, ID: string(a.ID), Version: a.Version, Form: f, Running: running}
	modes := map[string]challenges.Mode{}
	for _, c := range s.service.Challenges() {
		model.Challenges = append(model.Challenges, pages.ChallengeChoice{
			ID: c.ID, Title: c.Title, Summary: c.Summary, Level: c.Level, Version: c.Version, Minutes: c.Minutes, Skills: c.Skills,
		})
		maps.Copy(modes, c.Modes)
	}
	for _, id := range slices.Sorted(maps.Keys(modes)) {
		choice := pages.ModeChoice{ID: id, Title: modes[id].Title, Official: modes[id].Official}
		if choice.Title == "" {
			choice.Title = id
		}
		model.Modes = append(model.Modes, choice)
	}
	return s.render(v.w, status, pages.PageAssessmentForm, model)
}

func (s *Web) showNew(v *visit) error {
	if err := s.needs(v, service.CreateAssessment); err != nil {
		return err
	}
	org, err := s.service.Organization(v.r.Context(), v.actor)
	if err != nil {
		return err
	}
	return s.formPage(v, http.StatusOK, platform.Assessment{}, 0, settingsForm(platform.Settings{
		Contact: v.email, Mode: "standard", Attempts: 1, PassMark: 65, Visible: platform.SeesReport, RetentionDays: org.RetentionDays,
	}))
}

func (s *Web) create(v *visit) error {
	f, err := readForm(v.r, settingsFields()...)
	if err != nil {
		return err
	}
	set := s.readSettings(&f)
	if len(f.Errors) > 0 {
		return s.formPage(v, http.StatusUnprocessableEntity, platform.Assessment{}, 0, f)
	}
	a, err := s.service.CreateAssessment(v.r.Context(), v.actor, set)
	if err != nil {
		status, err := wrong(&f, err, nil)
		if err != nil {
			return err
		}
		return s.formPage(v, status, platform.Assessment{}, 0, f)
	}
	return goToWith(v.w, v.r, pages.NoticeSaved, "assessment", string(a.ID))
}

func (s *Web) showEdit(v *visit) error {
	id, err := v.id("assessment", platform.KindAssessment)
	if err != nil {
		return err
	}
	whole, err := s.service.Assessment(v.r.Context(), v.actor, id)
	if err != nil {
		return err
	}
	if err := s.needs(v, service.ChangeAssessment); err != nil {
		return err
	}
	return s.formPage(v, http.StatusOK, whole.Assessment, whole.Counts[platform.StageRunning], settingsForm(whole.Assessment.Settings))
}

func (s *Web) change(v *visit) error {
	id, err := v.id("assessment", platform.KindAssessment)
	if err != nil {
		return err
	}
	f, err := readForm(v.r, settingsFields()...)
	if err != nil {
		return err
	}
	based := wholeNumber(&f, "version")
	set := s.readSettings(&f)
	again := func(status int) error {
		return s.formPage(v, status, platform.Assessment{ID: id, Version: based}, 0, f)
	}
	if len(f.Errors) > 0 {
		return again(http.StatusUnprocessableEntity)
	}
	if _, err := s.service.ChangeAssessment(v.r.Context(), v.actor, id, based, set); err != nil {
		status, err := wrong(&f, err, nil)
		if err != nil {
			return err
		}
		return again(status)
	}
	return goToWith(v.w, v.r, pages.NoticeSaved, "assessment", string(id))
}
