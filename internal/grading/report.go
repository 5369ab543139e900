package grading

import (
	"time"

	"github.com/assay-run/assay/internal/evidence"
)

// ReportSchema names the version of report.json.
const ReportSchema = "assay.report/1"

// Verdict is the outcome of a grading.
type Verdict string

// The verdicts.
const (
	Pass     Verdict = "pass"     // graded, at or above the pass mark
	Fail     Verdict = "fail"     // graded, below it
	Withheld Verdict = "withheld" // evidence of tampering; a human decides
	Invalid  Verdict = "invalid"  // the grading could not be trusted, even after repeats; nothing is charged
)

// Report is what Judge makes of evidence; it is written as report.json.
type Report struct {
	Schema      string               `json:"schema"`
	ID          string               `json:"id"`
	Challenge   ReportChallenge      `json:"challenge"`
	Mode        string               `json:"mode"`
	Official    bool                 `json:"official"`
	Started     time.Time            `json:"started"`
	Finished    time.Time            `json:"finished"`
	Submission  ReportSubmission     `json:"submission"`
	Verdict     Verdict              `json:"verdict"`
	Score       float64              `json:"score"` // 0…100, one decimal
	Interval    Interval             `json:"interval"`
	PassMark    float64              `json:"passMark"`
	Band        string               `json:"band"` // "below junior", "junior-like", "mid-like", "senior-like"
	Borderline  bool                 `json:"borderline"`
	Invalid     string               `json:"invalid,omitempty"` // why, when Verdict is invalid
	Cap         *Cap                 `json:"cap,omitempty"`     // set when a failed gate capped the score
	Codes       []Code               `json:"codes"`             // sorted by code
	Summary     Summary              `json:"summary"`
	Gates       []GateResult         `json:"gates"`
	Criteria    []CriterionResult    `json:"criteria"`
	Cases       []ScenarioCases      `json:"cases"`
	Runs        []RunSummary         `json:"runs"`
	Noise       Noise                `json:"noise"`
	Notes       []string             `json:"notes"` // what this mode cannot prove, how intake read the submission, …
	Environment evidence.Environment `json:"environment"`
	Seed        evidence.Seed        `json:"seed"`
	Evidence    EvidenceRef          `json:"evidence"`
	// Diagnosis explains lost event-loop or memory points; nil when there was no reason for one. It is not scored.
	Diagnosis *DiagnosisReport `json:"diagnosis,omitempty"`
}

// ReportChallenge identifies the challenge.
type ReportChallenge struct {
	ID      string `json:"id"`
	Version int    `json:"version"`
	Title   string `json:"title"`
	Level   string `json:"level"`
	Minutes int    `json:"minutes"`
	Digest  string `json:"digest"`
}

// ReportSubmission identifies the submission.
type ReportSubmission struct {
	Name   string   `json:"name"`
	Digest string   `json:"digest"`
	Start  []string `json:"start"`
	Notes  []string `json:"notes,omitempty"`
}

// Interval is where the score would likely fall again (90 %).
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	// Method says in one sentence how it was found.
	Method string `json:"method"`
}

// Cap is the limit a failed gate put on the score.
type Cap struct {
	Points   float64 `json:"points"`
	Gate     string  `json:"gate"`
	Sentence string  `json:"sentence"`
	Uncapped float64 `json:"uncapped"` // what the criteria alone would have given
}

// Code is a reason code with its sentences and what was seen.
type Code struct {
	Code      string             `json:"code"`
	Engineer  string             `json:"engineer"`
	Recruiter string             `json:"recruiter"`
	Findings  []evidence.Finding `json:"findings,omitempty"`
}

// Summary is the first screen.
type Summary struct {
	Headline  string   `json:"headline"`  // one bold sentence
	Text      string   `json:"text"`      // two or three more
	Strengths []string `json:"strengths"` // up to 3
	Risks     []string `json:"risks"`     // up to 3
	Questions []string `json:"questions"` // for the interview
}

// GateResult is a gate, judged.
type GateResult struct {
	ID     string `json:"id"`
	Title  string `json:"title"`
	Kind   string `json:"kind"`
	Passed bool   `json:"passed"`
	// Judged is false when a gate that this one needs has failed, so that it says nothing; Passed is then false too
	// and Sentence says which gate it was.
	Judged   bool   `json:"judged"`
	Code     string `json:"code,omitempty"`
	Sentence string `json:"sentence,omitempty"` // when failed or not judged
}

// CriterionResult is a criterion, judged.
type CriterionResult struct {
	ID     string `json:"id"`
	Title  string `json:"title"`
	Detail string `json:"detail,omitempty"`
	Skill  string `json:"skill"`
	// Assessed is false when a failed gate makes the criterion meaningless; Why then says which.
	Assessed  bool     `json:"assessed"`
	Why       string   `json:"why,omitempty"`
	Value     *float64 `json:"value"` // median over runs; null when not assessed or not measured
	Unit      string   `json:"unit"`
	Reference *float64 `json:"reference"` // median over reference runs
	Ratio     *float64 `json:"ratio"`     // value/reference, null where meaningless
	Score     float64  `json:"score"`     // 0…1
	Weight    float64  `json:"weight"`    // share of the whole after redistribution, 0…1
	Points    float64  `json:"points"`    // earned
	MaxPoints float64  `json:"maxPoints"`
	Low       float64  `json:"low"` // 90 % interval of Score
	High      float64  `json:"high"`
	Recruiter string   `json:"recruiter"`
	Engineer  string   `json:"engineer"`
	Ask       string   `json:"ask,omitempty"`
	Codes     []string `json:"codes,omitempty"`
}

// ScenarioCases are the yes-or-no checks of a scenario.
type ScenarioCases struct {
	Scenario string          `json:"scenario"`
	Title    string          `json:"title"`
	Cases    []evidence.Case `json:"cases"`
}

// RunSummary is one run in figures; the curves are in the evidence.
type RunSummary struct {
	Scenario string             `json:"scenario"`
	Role     evidence.Role      `json:"role"`
	Pair     int                `json:"pair"`
	Status   string             `json:"status"` // e.g. "exit 0", "oom-killed"
	WallNs   int64              `json:"wallNs"` // of its executions, one after another
	Values   map[string]float64 `json:"values"`
}

// Noise is how steady machine and harness were.
type Noise struct {
	ReferenceRatio   float64  `json:"referenceRatio"`   // worst reference/reference ratio of a scored metric, ≥ 1
	ReferenceMetric  string   `json:"referenceMetric"`  // which one
	CalibrationDrift float64  `json:"calibrationDrift"` // share, e.g. 0.011
	RunDelayShare    float64  `json:"runDelayShare"`    // of the candidate's main thread, worst run
	ThrottledNs      int64    `json:"throttledNs"`
	StealNs          int64    `json:"stealNs"`
	StolenNs         int64    `json:"stolenNs,omitempty"`      // taken out of the candidate's latencies: the machine's doing, all runs
	PressureShare    float64  `json:"pressureShare,omitempty"` // of the time that some task of the machine waited for a CPU, worst run (PSI)
	HarnessP99Ns     int64    `json:"harnessP99Ns,omitempty"`  // what an idle server of ours took to answer
	HarnessMaxNs     int64    `json:"harnessMaxNs,omitempty"`
	ControlFailed    bool     `json:"controlFailed"` // as it must
	ControlCodes     []string `json:"controlCodes"`
	Repeats          int      `json:"repeats"`
	Faults           int      `json:"faults,omitempty"` // of the machine or of ours, after which a step was made again
	ExtraPairs       int      `json:"extraPairs"`
}

// EvidenceRef ties a report to its evidence.
type EvidenceRef struct {
	File   string `json:"file"`   // name beside report.json
	Digest string `json:"digest"` // "sha256:…" of the file
}
