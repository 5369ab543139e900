package web

import (
	"maps"
	"net/http"
	"slices"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/pages"
	"github.com/assay-run/assay/internal/platform/service"
)

// maxCompared is how many candidates stand side by side.
const maxCompared = 12

// compare puts the attempts that the address names side by side.
func (s *Web) compare(v *visit) error {
	v.frame.Section = pages.SectionHome
	id, err := v.id("assessment", platform.KindAssessment)
	if err != nil {
		return err
	}
	whole, err := s.service.Assessment(v.r.Context(), v.actor, id)
	if err != nil {
		return err
	}
	set := whole.Assessment.Settings
	model := pages.Compare{Frame: v.frame, AssessmentID: string(id), Assessment: set.Name, PassMark: set.PassMark}
	chosen, err := s.chosen(v, id)
	if err != nil {
		return err
	}
	tables, err := s.tables(v, chosen)
	if err != nil {
		return err
	}
	chosen = slices.DeleteFunc(chosen, func(t service.AttemptView) bool {
		out := !slices.ContainsFunc(tables, func(c service.Comparison) bool { return column(c, t.Attempt.ID) != nil })
		if out {
			model.LeftOut = append(model.LeftOut, display(t.Candidate))
		}
		return out
	})
	for _, t := range chosen {
		one := pages.Compared{InvitationID: string(t.Invitation.ID), Name: display(t.Candidate)}
		if o := t.Attempt.Overall; o != nil {
			one.Overall, one.Verdict = overall(o), o.Verdict
		}
		model.Candidates = append(model.Candidates, one)
	}
	if len(chosen) > 0 {
		model.Skills = skillRows(tables, chosen)
	}
	for _, c := range tables {
		if rows := criterionRows(c, chosen); len(rows) > 0 {
			model.Challenges = append(model.Challenges, pages.ComparedChallenge{Title: s.challenge(c.ChallengeID).Title, Version: c.Version, Rows: rows})
		}
	}
	return s.render(v.w, http.StatusOK, pages.PageCompare, model)
}

// display is what a candidate is called.
func display(c platform.Candidate) string {
	if c.Name != "" {
		return c.Name
	}
	return c.Email
}

// chosen are the attempts that the address names. One of another assessment is not found.
func (s *Web) chosen(v *visit, assessment platform.ID) ([]service.AttemptView, error) {
	asked := v.r.URL.Query()["attempt"]
	if len(asked) > maxCompared {
		return nil, platform.Errorf(platform.Invalid, "At most %d candidates stand side by side.", maxCompared)
	}
	var out []service.AttemptView
	seen := map[platform.ID]bool{}
	for _, raw := range asked {
		id := platform.ID(raw)
		none := platform.Errorf(platform.NotFound, "There is no such attempt in this assessment.")
		if !id.Is(platform.KindAttempt) {
			return nil, none
		}
		if seen[id] {
			continue
		}
		seen[id] = true
		t, err := s.service.Attempt(v.r.Context(), v.actor, id)
		if err != nil {
			return nil, err
		}
		if t.Attempt.AssessmentID != assessment {
			return nil, none
		}
		out = append(out, t)
	}
	return out, nil
}

// tables has one comparison for each version of a challenge that one of the attempts was made on.
func (s *Web) tables(v *visit, chosen []service.AttemptView) ([]service.Comparison, error) {
	type key struct {
		id      string
		version int
	}
	var keys []key
	var ids []platform.ID
	for _, t := range chosen {
		ids = append(ids, t.Attempt.ID)
		for _, c := range t.Assessment.Settings.Challenges {
			if k := (key{c.ChallengeID, c.Version}); !slices.Contains(keys, k) {
				keys = append(keys, k)
			}
		}
	}
	var out []service.Comparison
	for _, k := range keys {
		c, err := s.service.Compare(v.r.Context(), v.actor, k.id, k.version, ids)
		if err != nil {
			return nil, err
		}
		if len(c.Columns) > 0 {
			out = append(out, c)
		}
	}
	return out, nil
}

// column is that of an attempt; nil: it has no result on this version. Of what is withheld nothing is compared.
func column(c service.Comparison, attempt platform.ID) *service.ComparedAttempt {
	for i := range c.Columns {
		if c.Columns[i].AttemptID == attempt {
			return &c.Columns[i]
		}
	}
	return nil
}

// criterionRows has a row for each criterion of one version of a challenge.
func criterionRows(c service.Comparison, chosen []service.AttemptView) []pages.ComparedRow {
	var order []platform.CriterionResult
	for _, col := range c.Columns {
		for _, r := range col.Criteria {
			if !slices.ContainsFunc(order, func(o platform.CriterionResult) bool { return o.ID == r.ID }) {
				order = append(order, r)
			}
		}
	}
	var out []pages.ComparedRow
	for _, criterion := range order {
		row := pages.ComparedRow{Title: criterion.Title, Weight: criterion.MaxPoints}
		for _, t := range chosen {
			var sum share
			if col := column(c, t.Attempt.ID); col != nil && col.Verdict != platform.Withheld {
				for _, r := range col.Criteria {
					if r.ID == criterion.ID {
						sum.add(r)
					}
				}
			}
			row.Cells = append(row.Cells, sum.figure())
		}
		row.Apart = apart(row.Cells)
		out = append(out, row)
	}
	return out
}

// skillRows has a row for each skill, over all challenges that stand side by side.
func skillRows(tables []service.Comparison, chosen []service.AttemptView) []pages.ComparedRow {
	sums := map[string]map[platform.ID]*share{}
	for _, c := range tables {
		for _, col := range c.Columns {
			if col.Verdict == platform.Withheld {
				continue
			}
			for _, r := range col.Criteria {
				by := sums[r.Skill]
				if by == nil {
					by = map[platform.ID]*share{}
					sums[r.Skill] = by
				}
				if by[col.AttemptID] == nil {
					by[col.AttemptID] = &share{}
				}
				by[col.AttemptID].add(r)
			}
		}
	}
	var out []pages.ComparedRow
	for _, skill := range slices.Sorted(maps.Keys(sums)) {
		row := pages.ComparedRow{Title: skill}
		for _, t := range chosen {
			var cell *pages.Figure
			if sum := sums[skill][t.Attempt.ID]; sum != nil {
				cell = sum.figure()
			}
			row.Cells = append(row.Cells, cell)
		}
		row.Apart = apart(row.Cells)
		out = append(out, row)
	}
	return out
}
