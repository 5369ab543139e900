package challenges

import (
	"fmt"
	"io/fs"
	"maps"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/assay-run/assay/internal/schemas"
)

// manifest is challenge.yaml as it is written. Its shape was checked against the schema before.
type manifest struct {
	ID        string                  `json:"id"`
	Version   int                     `json:"version"`
	Title     string                  `json:"title"`
	Summary   string                  `json:"summary"`
	Level     string                  `json:"level"`
	Minutes   int                     `json:"minutes"`
	Skills    []string                `json:"skills"`
	Node      string                  `json:"node"`
	PassMark  float64                 `json:"passMark"`
	Limits    manifestLimits          `json:"limits"`
	Reference string                  `json:"reference"`
	Control   manifestControl         `json:"control"`
	Modes     map[string]manifestMode `json:"modes"`
	Scenarios []manifestScenario      `json:"scenarios"`
	Gates     []manifestGate          `json:"gates"`
	Criteria  []manifestCriterion     `json:"criteria"`
	Fixtures  []manifestFixture       `json:"fixtures"`
}

type manifestLimits struct {
	Memory   string `json:"memory"`
	Pids     int64  `json:"pids"`
	Tmp      string `json:"tmp"`
	FileSize string `json:"fileSize"`
	CPUTime  string `json:"cpuTime"`
}

type manifestControl struct {
	Solution string   `json:"solution"`
	Scenario string   `json:"scenario"`
	Codes    []string `json:"codes"`
}

type manifestMode struct {
	Title      string   `json:"title"`
	Official   bool     `json:"official"`
	ExtraPairs int      `json:"extraPairs"`
	Repeats    int      `json:"repeats"`
	Notes      []string `json:"notes"`
}

type manifestScenario struct {
	ID       string                          `json:"id"`
	Title    string                          `json:"title"`
	Workload string                          `json:"workload"`
	Measured bool                            `json:"measured"`
	With     map[string]any                  `json:"with"`
	Services []string                        `json:"services"`
	Modes    map[string]manifestScenarioMode `json:"modes"`
}

type manifestScenarioMode struct {
	Pairs   int            `json:"pairs"`
	Timeout string         `json:"timeout"`
	With    map[string]any `json:"with"`
}

type manifestGate struct {
	ID    string   `json:"id"`
	Title string   `json:"title"`
	Kind  string   `json:"kind"`
	When  string   `json:"when"`
	Code  string   `json:"code"`
	Needs []string `json:"needs"`
	Lost  string   `json:"lost"`
}

type manifestCriterion struct {
	ID       string            `json:"id"`
	Title    string            `json:"title"`
	Detail   string            `json:"detail"`
	Skill    string            `json:"skill"`
	Points   float64           `json:"points"`
	Value    string            `json:"value"`
	Unit     string            `json:"unit"`
	Score    string            `json:"score"`
	Relative *bool             `json:"relative"`
	Better   string            `json:"better"`
	Needs    []string          `json:"needs"`
	Codes    map[string]string `json:"codes"`
	Says     struct {
		Kept string `json:"kept"`
		Lost string `json:"lost"`
		Why  string `json:"why"`
		Ask  string `json:"ask"`
	} `json:"says"`
}

type manifestFixture struct {
	Name   string                         `json:"name"`
	Kind   string                         `json:"kind"`
	Twin   string                         `json:"twin"`
	About  string                         `json:"about"`
	Expect map[string]manifestExpectation `json:"expect"`
}

type manifestExpectation struct {
	Codes    []string `json:"codes"`
	Verdict  string   `json:"verdict"`
	MinScore float64  `json:"minScore"`
	MaxScore *float64 `json:"maxScore"`
}

// loader turns a manifest into a Challenge and collects what is wrong with it.
type loader struct {
	doc      *schemas.Document
	files    fs.FS
	kinds    Kinds
	problems schemas.Problems
	// unknownMetrics is set when a workload is unknown: its metrics are then no mistakes of their own.
	unknownMetrics bool
	// used are the files of the challenge that settings name.
	used []string
}

// fail notes a mistake in the value at path.
func (l *loader) fail(path []any, format string, args ...any) {
	l.problems = append(l.problems, l.doc.Problem(l.doc.At(path...), format, args...))
}

func at(steps ...any) []any { return steps }

func (l *loader) challenge(m manifest) *Challenge {
	ch := &Challenge{
		ID: m.ID, Version: m.Version, Title: m.Title, Level: m.Level, Minutes: m.Minutes, Skills: m.Skills,
		Summary: m.Summary, Node: m.Node, PassMark: m.PassMark, Reference: m.Reference, Control: Control(m.Control),
		Limits: Limits{
			MemoryBytes:   l.size(m.Limits.Memory, at("limits", "memory")),
			Pids:          m.Limits.Pids,
			TmpBytes:      l.size(m.Limits.Tmp, at("limits", "tmp")),
			FileSizeBytes: l.size(m.Limits.FileSize, at("limits", "fileSize")),
		},
		Modes: map[string]Mode{},
		Files: l.files,
	}
	if m.Limits.CPUTime != "" {
		ch.Limits.CPUTime = l.duration(m.Limits.CPUTime, at("limits", "cpuTime"))
	}
	for name, mode := range m.Modes {
		ch.Modes[name] = Mode{
			Name: name, Title: mode.Title, Official: mode.Official, MaxExtraPairs: mode.ExtraPairs,
			Repeats: mode.Repeats, Notes: mode.Notes,
		}
	}
	for i, s := range m.Scenarios {
		ch.Scenarios = append(ch.Scenarios, l.scenario(s, i))
	}
	for _, g := range m.Gates {
		ch.Gates = append(ch.Gates, Gate{ID: g.ID, Title: g.Title, Kind: g.Kind, When: g.When, Code: g.Code, Needs: g.Needs, Lost: g.Lost})
	}
	for _, c := range m.Criteria {
		ch.Criteria = append(ch.Criteria, Criterion{
			ID: c.ID, Title: c.Title, Detail: c.Detail, Skill: c.Skill, Points: c.Points, Value: c.Value, Unit: c.Unit,
			Score: c.Score, Better: c.Better, Needs: c.Needs, Codes: c.Codes, Says: Says(c.Says),
			Relative: c.Relative != nil && *c.Relative,
		})
	}
	for _, f := range m.Fixtures {
		ch.Fixtures = append(ch.Fixtures, fixture(f))
	}
	return ch
}

func (l *loader) scenario(s manifestScenario, i int) Scenario {
	out := Scenario{ID: s.ID, Title: s.Title, Workload: s.Workload, Measured: s.Measured, Services: s.Services, Modes: map[string]ScenarioMode{}}
	for name, mode := range s.Modes {
		out.Modes[name] = ScenarioMode{
			Pairs:   mode.Pairs,
			Timeout: l.duration(mode.Timeout, at("scenarios", i, "modes", name, "timeout")),
			With:    merged(s.With, mode.With),
		}
	}
	return out
}

// merged are the settings of a scenario with those of a mode over them; nil when there are none.
func merged(scenario, mode map[string]any) map[string]any {
	if scenario == nil {
		return mode
	}
	with := maps.Clone(scenario)
	maps.Copy(with, mode)
	return with
}

func fixture(f manifestFixture) Fixture {
	out := Fixture{Name: f.Name, Kind: f.Kind, Twin: f.Twin, About: f.About, Expect: map[string]Expectation{}}
	for mode, e := range f.Expect {
		highest := 100.0
		if e.MaxScore != nil {
			highest = *e.MaxScore
		}
		out.Expect[mode] = Expectation{Codes: e.Codes, Verdict: e.Verdict, MinScore: e.MinScore, MaxScore: highest}
	}
	return out
}

// maxSizeBytes and maxDuration bound what a challenge may ask for.
const (
	maxSizeBytes = int64(1) << 40
	maxDuration  = 4 * time.Hour
)

// size reads a size such as 256MiB. An empty text is 0: not given.
func (l *loader) size(text string, path []any) int64 {
	if text == "" {
		return 0
	}
	bytes, err := ParseSize(text)
	if err != nil {
		l.fail(path, "%v", err)
	}
	return bytes
}

// ParseSize reads a size: a whole number and B, KiB, MiB or GiB, such as 256MiB. It is above 0 and at most 1 TiB.
func ParseSize(text string) (bytes int64, err error) {
	digits := strings.TrimRight(text, "BKMGi")
	units := map[string]int64{"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
	unit, ok := units[text[len(digits):]]
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !ok || strings.HasPrefix(digits, "+") {
		return 0, fmt.Errorf("%s is not a size; write a whole number and B, KiB, MiB or GiB, such as 256MiB", schemas.Quote(text))
	}
	if n <= 0 || n > math.MaxInt64/unit || n*unit > maxSizeBytes {
		return 0, fmt.Errorf("size %s is out of range; it must be above 0 and at most 1024GiB", schemas.Quote(text))
	}
	return n * unit, nil
}

// duration reads a time such as 60s, 40m or 1h.
func (l *loader) duration(text string, path []any) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > maxDuration {
		l.fail(path, "time %s is out of range; it must be above 0 and at most 4h", schemas.Quote(text))
		return 0
	}
	return d
}
