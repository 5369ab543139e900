package platform

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Verdict is the outcome of a grading or of a whole attempt. The first four are those of internal/grading.
type Verdict string

// The verdicts.
const (
	Passed     Verdict = "pass"
	Below      Verdict = "fail"
	Withheld   Verdict = "withheld"   // signs of tampering; a person decides
	Untrusted  Verdict = "invalid"    // never stored as a result: the job is made again
	Incomplete Verdict = "incomplete" // of an attempt: a challenge has no verdict for a reason that is ours
)

// Result is the verdict on one submission. Its figures are kept as rows so that pages can sort, filter and compare; the
// report itself is a blob.
type Result struct {
	ID                ID
	Org               OrgID
	JobID             ID
	SubmissionID      ID
	AttemptID         ID
	CandidateID       ID
	AssessmentID      ID
	AssessmentVersion int
	ChallengeID       string
	ChallengeVersion  int
	ChallengeDigest   string
	Kind              SubmissionKind
	Mode              string
	Official          bool
	Verdict           Verdict
	Score             float64 // 0…100
	Low, High         float64 // where the score would likely fall again
	PassMark          float64
	Band              string
	Borderline        bool
	Headline          string
	Codes             []string
	Criteria          []CriterionResult
	Report            Blob // report.json
	Evidence          Blob // evidence.json.gz
	// Standing says that this is the result that counts for its submission: the newest one.
	Standing bool
	GradedAt time.Time
}

// CriterionResult is what one criterion gave.
type CriterionResult struct {
	ID        string
	Title     string
	Skill     string
	Assessed  bool
	Score     float64 // 0…1
	Low, High float64 // of Score
	Weight    float64
	Points    float64
	MaxPoints float64
	Value     *float64 // nil: not measured
	Reference *float64
	Unit      string
}

// Bounds of a result.
const (
	MaxCriteria = 100
	MaxCodes    = 100
)

// Validate checks what a worker says. The error is an *Error.
func (r Result) Validate() error {
	switch {
	case r.Verdict != Passed && r.Verdict != Below && r.Verdict != Withheld:
		return InvalidField("verdict", "A result has the verdict pass, fail or withheld, not %q.", r.Verdict)
	case !within(r.Score, 0, 100) || !within(r.Low, 0, 100) || !within(r.High, 0, 100) || r.Low > r.High:
		return InvalidField("score", "A score and its interval are from 0 to 100.")
	case len(r.Criteria) > MaxCriteria || len(r.Codes) > MaxCodes:
		return InvalidField("criteria", "A result has at most %d criteria and %d codes.", MaxCriteria, MaxCodes)
	case r.Report.Key == "" || r.Report.Digest == "":
		return InvalidField("report", "A result needs its report.")
	}
	return nil
}

// within is false for NaN.
func within(x, low, high float64) bool { return x >= low && x <= high }

// Part is one challenge's share in an attempt.
type Part struct {
	Weight    float64
	Verdict   Verdict // empty: nothing was handed in; Incomplete: no verdict for a reason that is ours
	Score     float64
	Low, High float64
}

// Overall is the verdict on a whole attempt.
type Overall struct {
	Score     float64 // weighted mean, 0…100, one decimal
	Low, High float64
	Verdict   Verdict
}

// Combine makes one verdict of an attempt's parts. What was not handed in counts 0. The intervals are taken to be
// independent, so the distances from the score add up as squares. One withheld part withholds the whole, for a person has
// to look; a part without a verdict for a reason that is ours leaves it incomplete, and its figures are of the others.
func Combine(parts []Part, passMark float64) Overall {
	var out Overall
	var weights, below, above float64
	withheld, incomplete := false, false
	for _, p := range parts {
		withheld = withheld || p.Verdict == Withheld
		if p.Verdict == Incomplete {
			incomplete = true
			continue
		}
		weights += p.Weight
		out.Score += p.Weight * p.Score
		below += square(p.Weight * (p.Score - p.Low))
		above += square(p.Weight * (p.High - p.Score))
	}
	if weights > 0 {
		out.Score /= weights
		out.Low = max(0, out.Score-math.Sqrt(below)/weights)
		out.High = min(100, out.Score+math.Sqrt(above)/weights)
	}
	out.Score, out.Low, out.High = tenths(out.Score), tenths(out.Low), tenths(out.High)
	switch {
	case withheld:
		out.Verdict = Withheld
	case incomplete || weights == 0:
		out.Verdict = Incomplete
	case out.Score >= passMark:
		out.Verdict = Passed
	default:
		out.Verdict = Below
	}
	return out
}

func square(x float64) float64 { return x * x }

func tenths(x float64) float64 { return math.Round(x*10) / 10 }

// ComparisonRow is one criterion of one candidate's final submission.
type ComparisonRow struct {
	AttemptID   ID
	CandidateID ID
	ResultID    ID
	Verdict     Verdict
	Position    int // of the criterion in its challenge
	Criterion   CriterionResult
}

// BySkill sums the points of criteria that were assessed, by skill, in alphabetical order.
func BySkill(criteria []CriterionResult) []SkillPoints {
	sums := map[string]*SkillPoints{}
	for _, c := range criteria {
		if !c.Assessed {
			continue
		}
		s := sums[c.Skill]
		if s == nil {
			s = &SkillPoints{Skill: c.Skill}
			sums[c.Skill] = s
		}
		s.Points += c.Points
		s.MaxPoints += c.MaxPoints
	}
	out := make([]SkillPoints, 0, len(sums))
	for _, s := range sums {
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b SkillPoints) int { return cmp.Compare(a.Skill, b.Skill) })
	return out
}

// SkillPoints is what the criteria of one skill gave.
type SkillPoints struct {
	Skill             string
	Points, MaxPoints float64
}
