package grader

import (
	"github.com/assay-run/assay/internal/grading"
	"github.com/assay-run/assay/internal/platform"
)

// ResultOf is what the platform keeps of a report as figures. The report itself is a file.
func ResultOf(r *grading.Report) platform.Result {
	out := platform.Result{
		ChallengeID: r.Challenge.ID, ChallengeVersion: r.Challenge.Version, ChallengeDigest: r.Challenge.Digest,
		Mode: r.Mode, Official: r.Official, Verdict: verdictOf(r.Verdict),
		Score: r.Score, Low: r.Interval.Low, High: r.Interval.High,
		PassMark: r.PassMark, Band: r.Band, Borderline: r.Borderline, Headline: r.Summary.Headline,
	}
	for _, c := range r.Codes {
		out.Codes = append(out.Codes, c.Code)
	}
	for _, c := range r.Criteria {
		out.Criteria = append(out.Criteria, platform.CriterionResult{
			ID: c.ID, Title: c.Title, Skill: c.Skill, Assessed: c.Assessed, Score: c.Score, Low: c.Low, High: c.High,
			Weight: c.Weight, Points: c.Points, MaxPoints: c.MaxPoints, Value: c.Value, Reference: c.Reference, Unit: c.Unit,
		})
	}
	return out
}

func verdictOf(v grading.Verdict) platform.Verdict {
	switch v {
	case grading.Pass:
		return platform.Passed
	case grading.Fail:
		return platform.Below
	case grading.Withheld:
		return platform.Withheld
	default:
		return platform.Untrusted
	}
}
