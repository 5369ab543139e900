package service

import (
	"context"
	"slices"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/internal/platform"
)

// Challenges are those that assessments can be made of, by id.
func (s *Service) Challenges() []*challenges.Challenge {
	out := make([]*challenges.Challenge, 0, len(s.challenges))
	for _, c := range s.challenges {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b *challenges.Challenge) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return out
}

// Challenge finds a challenge.
func (s *Service) Challenge(id string) (*challenges.Challenge, error) {
	c, ok := s.challenges[id]
	if !ok {
		return nil, platform.Errorf(platform.NotFound, "There is no challenge %q.", safeName(id))
	}
	return c, nil
}

// fit checks settings against the challenges that there are, and fills in the version of those that name none.
func (s *Service) fit(in platform.Settings) (platform.Settings, error) {
	for _, f := range []struct{ field, text string }{{"name", in.Name}, {"roleTitle", in.RoleTitle}, {"contact", in.Contact}} {
		if err := checkLine(f.field, f.text, platform.MaxNameRunes); err != nil {
			return in, err
		}
	}
	if err := checkText("message", in.Message, platform.MaxMessageRunes); err != nil {
		return in, err
	}
	in.Challenges = slices.Clone(in.Challenges)
	for i, c := range in.Challenges {
		known, ok := s.challenges[c.ChallengeID]
		if !ok {
			return in, platform.InvalidField("challenges", "There is no challenge %q.", safeName(c.ChallengeID))
		}
		if c.Version == 0 {
			in.Challenges[i].Version = known.Version
		}
		if v := in.Challenges[i].Version; v != known.Version {
			return in, platform.InvalidField("challenges", "%s is offered at version %d, not %d.", c.ChallengeID, known.Version, v)
		}
		mode := in.ModeOf(c)
		if _, ok := known.Modes[mode]; !ok {
			return in, platform.InvalidField("mode", "%s has no mode %q.", c.ChallengeID, safeName(mode))
		}
	}
	return in, nil
}

// CreateAssessment makes an assessment.
func (s *Service) CreateAssessment(ctx context.Context, a Actor, in platform.Settings) (platform.Assessment, error) {
	return run(ctx, s, a, CreateAssessment, func(w *work) (platform.Assessment, error) {
		in, err := s.fit(in)
		if err != nil {
			return platform.Assessment{}, err
		}
		out, err := w.CreateAssessment(ctx, w.org, w.by(), in)
		w.about(out.ID, nil)
		return out, err
	})
}

// ChangeAssessment makes a new version of an assessment; based is the version that the change was made from. Attempts that
// have begun keep theirs.
func (s *Service) ChangeAssessment(ctx context.Context, a Actor, id platform.ID, based int, in platform.Settings) (platform.Assessment, error) {
	return run(ctx, s, a, ChangeAssessment, func(w *work) (platform.Assessment, error) {
		in, err := s.fit(in)
		if err != nil {
			return platform.Assessment{}, err
		}
		out, err := w.UpdateAssessment(ctx, w.org, id, based, w.by(), in)
		w.about(id, map[string]int{"version": out.Version})
		return out, err
	})
}

// ArchiveAssessment takes an assessment out of use, or puts it back. What has begun goes on.
func (s *Service) ArchiveAssessment(ctx context.Context, a Actor, id platform.ID, archived bool) error {
	return s.do(ctx, a, ArchiveAssessment, func(w *work) error {
		w.about(id, map[string]bool{"archived": archived})
		return w.ArchiveAssessment(ctx, w.org, id, archived)
	})
}

// AssessmentView is an assessment with its candidates by stage.
type AssessmentView struct {
	Assessment platform.Assessment
	Counts     map[platform.Stage]int
}

// Assessment reads an assessment.
func (s *Service) Assessment(ctx context.Context, a Actor, id platform.ID) (AssessmentView, error) {
	return run(ctx, s, a, ReadAssessments, func(w *work) (out AssessmentView, err error) {
		if out.Assessment, err = w.Assessment(ctx, w.org, id); err != nil {
			return out, err
		}
		out.Counts, err = w.StageCounts(ctx, w.org, id)
		return out, err
	})
}

// Assessments lists those in use, or those in the archive, the newest first. Challenges are left out.
func (s *Service) Assessments(ctx context.Context, a Actor, archived bool, ask platform.Page) (platform.List[platform.Assessment], error) {
	return run(ctx, s, a, ReadAssessments, func(w *work) (platform.List[platform.Assessment], error) {
		return w.Assessments(ctx, w.org, archived, ask)
	})
}
