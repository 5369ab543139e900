// Package challenges holds the challenges as data, and loads and checks them.
package challenges

import (
	"io/fs"
	"slices"
	"time"
)

// Challenge is challenge.yaml, checked. Everything a grading needs to know about a challenge is here; see
// docs/challenge-format.md for the YAML.
type Challenge struct {
	ID      string
	Version int
	Title   string
	Level   string // "junior", "mid", "senior"
	Minutes int
	Skills  []string
	Summary string // one sentence for lists and reports
	Node    string // major version of Node the image has, e.g. "24"
	// PassMark is the score from which on the verdict is pass, 0…100.
	PassMark  float64
	Reference string // folder of the reference solution, e.g. "solutions/reference"
	// Control names the solution that must fail in every grading, and the scenario it is run on.
	Control   Control
	Limits    Limits
	Modes     map[string]Mode // quick, standard, full
	Scenarios []Scenario
	Gates     []Gate
	Criteria  []Criterion
	Fixtures  []Fixture
	// Files is the challenge's folder.
	Files fs.FS
	// Used are the files in it that settings of scenarios name, by path, sorted.
	Used []string
	// Digest is "sha256:…" over every file that decides a grading.
	Digest string
}

// Control is the negative control.
type Control struct {
	Solution string   // folder, e.g. "solutions/flawed/readline-accumulate"
	Scenario string   // it is run on this scenario only
	Codes    []string // it must get at least one of these, else the grading is invalid
}

// Limits of the submission's container.
type Limits struct {
	MemoryBytes   int64
	Pids          int64
	TmpBytes      int64
	FileSizeBytes int64
	// CPUTime is that of one execution, all its processes together; 0 for a tenth more than it has time.
	CPUTime time.Duration
}

// Mode is one way to run a challenge.
type Mode struct {
	Name          string
	Title         string
	Official      bool // scores of other modes are practice
	MaxExtraPairs int  // pairs that may be added for a borderline score
	Repeats       int  // how often an invalid grading is repeated
	// Notes are what this mode cannot prove; shown in the report.
	Notes []string
}

// Scenario is one piece of work.
type Scenario struct {
	ID       string
	Title    string
	Workload string
	// Modes says in which modes the scenario runs; a mode that is absent skips it.
	Modes map[string]ScenarioMode
	// Measured scenarios alternate with the reference for the number of pairs of the mode; others run once for the
	// reference and once for the candidate.
	Measured bool
	// Services are what the scenario needs beside the submission: "postgres", "redis".
	Services []string
}

// Services are those of all scenarios, in alphabetical order.
func (c *Challenge) Services() []string {
	var all []string
	for _, s := range c.Scenarios {
		all = append(all, s.Services...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// ScenarioMode is a scenario in one mode.
type ScenarioMode struct {
	Pairs   int
	Timeout time.Duration  // of one run
	With    map[string]any // settings for the workload, those of the mode over those of the scenario
}

// Gate caps the score when it fails.
type Gate struct {
	ID    string
	Title string
	Kind  string // "core" caps at 40, "safety" at 25
	When  string // expression; true means that the gate FAILS
	// WhenExpr is When, compiled by Load.
	WhenExpr *Expression
	// Needs names gates; when one of them failed, this one is not judged.
	Needs []string
	Code  string // optional reason code that a failure adds
	Lost  string // sentence when it fails, for a recruiter
}

// Criterion is a named, weighted judgement.
type Criterion struct {
	ID     string
	Title  string
	Detail string // what exactly is measured, one line
	Skill  string
	Points float64
	Value  string // expression over metrics of the candidate
	Unit   string // of Value, for display: "bytes", "ns", "bytes/s", "share", "count", "ratio"
	Score  string // expression over value and reference, yields 0…1
	// Relative says that Score compares with the reference, so that an interval can be drawn from the ratios.
	Relative bool
	// Better is the direction of Value.
	Better string
	// Needs names gates; when one of them failed the criterion is "not assessed".
	Needs []string
	Codes map[string]string // reason code → expression over value and reference
	// ValueExpr, ScoreExpr and CodeExprs are Value, Score and Codes, compiled by Load.
	ValueExpr *Expression
	ScoreExpr *Expression
	CodeExprs map[string]*Expression
	Says      Says
}

// Says are the sentences of a criterion. {value}, {reference} and {ratio} are replaced.
type Says struct {
	Kept string // full or nearly full points, for a recruiter
	Lost string // points lost, for a recruiter
	Why  string // points lost, for an engineer
	Ask  string // interview question when points are lost
}

// Fixture is a bundled solution with what it must get.
type Fixture struct {
	Name   string                 // folder below solutions/, e.g. "flawed/whole-readfile"
	Kind   string                 // "reference", "min", "alternative", "parity", "flawed", "gaming"
	Twin   string                 // for gaming: the honest fixture it is compared with
	About  string                 // one sentence: what is wrong with it
	Expect map[string]Expectation // by mode; "" holds for modes that are not named
}

// Expectation is what a fixture must get in a mode.
type Expectation struct {
	Codes    []string // exactly these; "A|B" allows either
	Verdict  string   // pass, fail or withheld
	MinScore float64
	MaxScore float64
}

// Expected returns what the fixture must get in a mode.
func (f Fixture) Expected(mode string) Expectation {
	if e, ok := f.Expect[mode]; ok {
		return e
	}
	return f.Expect[""]
}
