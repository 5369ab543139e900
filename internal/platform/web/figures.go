package web

import (
	"math"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/pages"
	"github.com/assay-run/assay/internal/platform/store"
)

// challenge is a challenge by its id. One that is not offered any more has its id for a title.
func (s *Web) challenge(id string) *challenges.Challenge {
	c, err := s.service.Challenge(id)
	if err != nil {
		return &challenges.Challenge{ID: id, Title: id}
	}
	return c
}

// overall is the figure of a whole attempt; nil where none may be shown.
func overall(o *platform.Overall) *pages.Figure {
	if o == nil || o.Verdict != platform.Passed && o.Verdict != platform.Below {
		return nil
	}
	return &pages.Figure{Score: o.Score, Low: o.Low, High: o.High}
}

// figure is that of a result; nil for one that is withheld.
func figure(r platform.Result) *pages.Figure {
	if r.Verdict == platform.Withheld {
		return nil
	}
	return &pages.Figure{Score: r.Score, Low: r.Low, High: r.High}
}

// queuePlace is where a grading stands that waits.
func queuePlace(p store.Place) *pages.Place {
	out := &pages.Place{Ahead: p.Ahead, Why: pages.WaitTurn}
	switch {
	case p.State == platform.JobRetrying:
		out.Why = pages.WaitRetry
	case p.Slots == 0:
		out.Why = pages.WaitWorkers
	case p.Ahead == 0 && p.Running >= p.Slots:
		out.Why = pages.WaitBusy
	}
	return out
}

// share is a sum of points as a figure of 0…100, with the intervals of its criteria taken to be independent.
type share struct {
	points, most, below, above float64
}

func (s *share) add(c platform.CriterionResult) {
	if !c.Assessed || c.MaxPoints <= 0 {
		return
	}
	s.points += c.Points
	s.most += c.MaxPoints
	s.below += square(c.MaxPoints * (c.Score - c.Low))
	s.above += square(c.MaxPoints * (c.High - c.Score))
}

func square(x float64) float64 { return x * x }

// figure is nil when nothing was assessed.
func (s *share) figure() *pages.Figure {
	if s.most <= 0 {
		return nil
	}
	score := 100 * s.points / s.most
	return &pages.Figure{
		Score: score, Low: max(0, score-100*math.Sqrt(s.below)/s.most), High: min(100, score+100*math.Sqrt(s.above)/s.most),
	}
}

// apart says whether at least two figures differ by something, and by more than chance: their intervals do not touch.
func apart(cells []*pages.Figure) bool {
	for i, a := range cells {
		for _, b := range cells[:i] {
			if a != nil && b != nil && math.Abs(a.Score-b.Score) >= pages.CloseBy && (a.Low > b.High || b.Low > a.High) {
				return true
			}
		}
	}
	return false
}
