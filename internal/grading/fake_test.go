package grading

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeGrader takes what it "measures" from the Facts of a run's first execution, which the tests write.
type fakeGrader struct {
	prepared []graders.Preparation
	held     int // data sets not released yet
}

func (*fakeGrader) Name() string { return "fake" }

func (*fakeGrader) Drive(context.Context, workload.Pod, json.RawMessage) ([]evidence.Execution, error) {
	return nil, errors.New("a fake grader drives nothing")
}

func (*fakeGrader) Metrics() []evidence.MetricDoc {
	return []evidence.MetricDoc{
		{Name: "exact", Unit: "share", Better: evidence.HigherIsBetter},
		{Name: "mem.peak", Unit: "bytes", Better: evidence.LowerIsBetter, Noise: 0.04},
		{Name: "mem.growth", Unit: "bytes", Better: evidence.LowerIsBetter, Noise: 0.04},
		{Name: "throughput", Unit: "bytes/s", Better: evidence.HigherIsBetter, Noise: 0.05},
		{Name: "hb.p99", Unit: "ns", Better: evidence.LowerIsBetter, Noise: 0.2},
		{Name: "sold", Unit: "count", Better: evidence.Neutral},
	}
}

func (*fakeGrader) Check(map[string]any) error { return nil }

func (g *fakeGrader) Prepare(_ context.Context, p graders.Preparation) (graders.Prepared, error) {
	g.prepared = append(g.prepared, p)
	g.held++
	p.Report(workload.Progress{Phase: "making", Done: 1, Total: 1})
	return graders.Prepared{
		DataDir: "/data/" + p.Scenario, Params: json.RawMessage(`{"for":"` + p.Scenario + `"}`),
		Truth: json.RawMessage(`{"of":"` + p.Scenario + `"}`), Files: []string{"/data/" + p.Scenario + "/file"},
		Release: func() { g.held-- },
	}, nil
}

func (*fakeGrader) Measure(run evidence.Run, truth json.RawMessage) (evidence.Measures, error) {
	if want := `{"of":"` + run.Scenario + `"}`; string(truth) != want {
		return evidence.Measures{}, fmt.Errorf("truth is %s, not %s", truth, want)
	}
	var m evidence.Measures
	if len(run.Executions) > 0 && run.Executions[0].Facts != nil {
		if err := json.Unmarshal(run.Executions[0].Facts, &m); err != nil {
			return m, err
		}
	}
	return m, nil
}

// Compare finds memory that grows from "small" to "main".
func (g *fakeGrader) Compare(
	runs map[string]evidence.Run, truth map[string]json.RawMessage,
) (map[string]evidence.Measures, error) {
	large, err := g.Measure(runs["main"], truth["main"])
	if err != nil {
		return nil, nil //nolint:nilerr // the pair has no main run
	}
	small, err := g.Measure(runs["small"], truth["small"])
	if err != nil || large.Values["mem.peak"] == 0 || small.Values["mem.peak"] == 0 {
		return nil, nil //nolint:nilerr // the pair has no small run
	}
	growth := large.Values["mem.peak"] - small.Values["mem.peak"]
	m := evidence.Measures{Values: map[string]float64{"mem.growth": growth}}
	if growth > 96*mib {
		m.Findings = []evidence.Finding{{Code: "MEM_UNBOUNDED", Detail: "It grew by " + FormatValue(growth, "bytes") + ".", AtSeconds: -1}}
	}
	return map[string]evidence.Measures{"main": m}, nil
}

func fakeKinds() map[string]graders.Grader { return map[string]graders.Grader{"fake": &fakeGrader{}} }

const mib = 1 << 20

// testChallenge is a small challenge of the shape of the real ones: two measured scenarios, one more, gates of both
// kinds, one that needs another, criteria with and without a reference. Points: 40, 30, 20, 10.
func testChallenge() *challenges.Challenge {
	every := func(pairs int) map[string]challenges.ScenarioMode {
		return map[string]challenges.ScenarioMode{
			"quick":    {Pairs: 1, Timeout: time.Minute},
			"standard": {Pairs: pairs, Timeout: time.Minute},
		}
	}
	return &challenges.Challenge{
		ID: "sample", Version: 3, Title: "A sample", Level: "mid", Minutes: 45, PassMark: 65, Digest: "sha256:c0ffee",
		Control: challenges.Control{Scenario: "main", Codes: []string{"OOM_HEAP", "LOOP_BLOCKED"}},
		Limits:  challenges.Limits{MemoryBytes: 256 * mib},
		Modes: map[string]challenges.Mode{
			"quick":    {Name: "quick", Notes: []string{"Constant memory is not proven."}},
			"standard": {Name: "standard", Official: true, MaxExtraPairs: 2, Repeats: 2},
		},
		Scenarios: []challenges.Scenario{
			{ID: "main", Title: "The large log", Workload: "fake", Measured: true, Modes: every(3)},
			{ID: "small", Title: "A small log", Workload: "fake", Measured: true, Modes: every(2)},
			{ID: "odd", Title: "Odd files", Workload: "fake", Modes: every(0)},
		},
		Gates: []challenges.Gate{
			{ID: "exact", Title: "Every number is right", Kind: "core", When: "main.exact < 1", Needs: []string{"survives"},
				Lost: "The numbers are wrong or missing, so nothing built on them can be trusted."},
			{ID: "survives", Title: "It stays within its memory", Kind: "core", When: `code("OOM_HEAP") or code("OOM_CGROUP")`,
				Lost: "The program ran out of memory and was ended before it could finish."},
			{ID: "answers", Title: "It answers", Kind: "core", When: "main.hb.p99 > 60 * s", Needs: []string{"survives"},
				Lost: "It never answered while it worked."},
			{ID: "stock", Title: "It sells no more than there is", Kind: "safety", When: "(main.sold ?? 0) > 100",
				Code: "OVERSELL", Lost: "It sold more than there was."},
		},
		Criteria: []challenges.Criterion{
			{ID: "exactness", Title: "Counted exactly", Detail: "Share of right numbers.", Skill: "memory-streams", Points: 40,
				Value: "main.exact", Unit: "share", Score: "value", Better: "higher", Says: challenges.Says{
					Kept: "Every number is right.", Lost: "Only {value} of the numbers are right.",
					Why: "Compare field by field.", Ask: "How would you notice a slightly wrong sum?"}},
			{ID: "memory", Title: "Memory", Detail: "Peak memory.", Skill: "memory-streams", Points: 30, Needs: []string{"survives"},
				Value: "main.mem.peak", Unit: "bytes", Score: "ratio(value, reference, 1.3, 3, 60 * MiB)", Relative: true,
				Better: "lower", Says: challenges.Says{
					Kept: "Memory stays small: {value}.", Lost: "It needs {value} of memory; our reference needs {reference} ({ratio}).",
					Why: "Whole inputs are held.", Ask: "What would you hold less of?"}},
			{ID: "speed", Title: "Throughput", Detail: "Bytes a second.", Skill: "memory-streams", Points: 20, Needs: []string{"exact"},
				Value: "main.throughput", Unit: "bytes/s", Score: "rate(value, reference, 1.25, 4)", Relative: true,
				Better: "higher", Says: challenges.Says{
					Kept: "It works at {value}.", Lost: "It works at {value}; our reference at {reference}.", Ask: "Where does the time go?"}},
			{ID: "responsive", Title: "It answers while it works", Detail: "Heartbeat, 99th percentile.", Skill: "event-loop",
				Points: 10, Needs: []string{"survives"}, Value: "main.hb.p99", Unit: "ns",
				Score: "ratio(value, reference, 2, 20, 10 * ms)", Relative: true, Better: "lower",
				Codes: map[string]string{"LOOP_BLOCKED": "value > 100 * ms and value > 5 * reference"},
				Says: challenges.Says{
					Kept: "It answers within {value} while it works.", Lost: "While it worked, others waited up to {value} (our reference {reference}).",
					Ask: "What would you move off the main thread?"}},
		},
	}
}

// figures are the numbers of one run in the tests; they are written by people, so in the units people use.
type figures struct {
	exact    float64
	memMB    float64
	speedMB  float64
	hbMs     float64
	sold     float64
	findings []evidence.Finding
	exit     evidence.Exit
}

// goodFigures are those of the reference.
func goodFigures() figures {
	return figures{exact: 1, memMB: 80, speedMB: 100, hbMs: 4, exit: evidence.Exit{Status: evidence.Exited}}
}

// died is a run that did not live to show anything but the finding.
func died(status evidence.ExitStatus, code, detail string) figures {
	return figures{
		memMB: -1, speedMB: -1, hbMs: -1,
		findings: []evidence.Finding{{Code: code, Execution: "main", Detail: detail, AtSeconds: 1.5}},
		exit:     evidence.Exit{Status: status, Code: 137},
	}
}

// run makes a Run whose fake grader will see the figures.
func (f figures) run(scenario string, role evidence.Role, pair int) evidence.Run {
	values := map[string]float64{"exact": f.exact, "sold": f.sold}
	for name, v := range map[string]float64{"mem.peak": f.memMB * mib, "throughput": f.speedMB * mib, "hb.p99": f.hbMs * 1e6} {
		if v >= 0 {
			values[name] = v
		}
	}
	m := evidence.Measures{Values: values, Findings: f.findings}
	if scenario == "odd" {
		m.Cases = []evidence.Case{{Name: "bom", Title: "A BOM", Weight: 1, Right: f.exact == 1}}
	}
	facts, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return evidence.Run{
		Scenario: scenario, Role: role, Pair: pair, PhaseNs: map[string]int64{"execute": 1e9},
		Executions: []evidence.Execution{{
			Name: "main", Exit: f.exit, DurationNs: 1e9, Facts: facts,
			Series: []evidence.Series{{Name: evidence.SeriesMemory, Unit: "bytes", T: []float64{0}, Min: []float64{1}, Max: []float64{2}}},
			Usage:  evidence.Usage{RunDelayNs: 2e6, StealNs: 1},
		}},
	}
}

// story says what each role does in the tests; the functions may be nil and then behave as the reference.
type story struct {
	mode                          string
	reference, candidate, control func(scenario string, pair int) figures
}

func (s story) figures(role evidence.Role, scenario string, pair int) figures {
	play := map[evidence.Role]func(string, int) figures{
		evidence.Reference: s.reference, evidence.Candidate: s.candidate, evidence.Control: s.control,
	}[role]
	if play == nil {
		play = func(string, int) figures { return goodFigures() }
		if role == evidence.Control {
			play = func(string, int) figures { return died(evidence.OOMKilled, "OOM_HEAP", "It ran out of memory.") }
		}
	}
	return play(scenario, pair)
}

// always plays the same in every run.
func always(f figures) func(string, int) figures { return func(string, int) figures { return f } }

// grading makes evidence of a complete session.
func (s story) grading() *evidence.Grading {
	mode := s.mode
	if mode == "" {
		mode = "standard"
	}
	ch := testChallenge()
	a := evidence.Attempt{Truth: map[string]json.RawMessage{}, CalibrationNs: []int64{1000, 1010, 1005}}
	for _, sc := range ch.Scenarios {
		a.Truth[sc.ID] = json.RawMessage(`{"of":"` + sc.ID + `"}`)
		pairs := plannedPairs(sc, mode)
		for pair := range pairs {
			a.Runs = append(a.Runs,
				s.figures(evidence.Reference, sc.ID, pair).run(sc.ID, evidence.Reference, pair),
				s.figures(evidence.Candidate, sc.ID, pair).run(sc.ID, evidence.Candidate, pair))
		}
		if sc.Measured {
			a.Runs = append(a.Runs, s.figures(evidence.Reference, sc.ID, pairs).run(sc.ID, evidence.Reference, pairs))
		}
	}
	a.Runs = append(a.Runs, s.figures(evidence.Control, "main", 0).run("main", evidence.Control, 0))
	return &evidence.Grading{
		Schema: evidence.Schema, ID: "test", Mode: mode,
		Challenge: evidence.ChallengeVersion{
			ID: ch.ID, Version: ch.Version, Title: ch.Title, Level: ch.Level, Minutes: ch.Minutes, Digest: ch.Digest,
		},
		Started: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC), Finished: time.Date(2026, 11, 22, 8, 3, 0, 0, time.UTC),
		Seed:        commit(make([]byte, seedBytes), make([]byte, saltBytes)),
		Submission:  evidence.Submission{Name: "candidate", Digest: "sha256:beef", Start: []string{"node", "main.mjs"}},
		Build:       evidence.Build{Skipped: true},
		Environment: evidence.Environment{Engine: "fake", Sandboxed: true, MemoryBytes: 256 * mib},
		Attempts:    []evidence.Attempt{a},
	}
}

// judge plays a story and judges it.
func (s story) judge(t require.TestingT) *Report {
	r, err := Judge(testChallenge(), fakeKinds(), s.grading())
	require.NoError(t, err)
	return r
}

func criterion(t require.TestingT, r *Report, id string) CriterionResult {
	for _, c := range r.Criteria {
		if c.ID == id {
			return c
		}
	}
	require.FailNow(t, "no criterion", id)
	return CriterionResult{}
}

func codesOf(r *Report) []string {
	codes := []string{}
	for _, c := range r.Codes {
		codes = append(codes, c.Code)
	}
	return codes
}

// with changes a copy of the good figures.
func with(change func(*figures)) figures {
	f := goodFigures()
	change(&f)
	return f
}

// inScenario plays special in one scenario and as the reference elsewhere.
func inScenario(id string, special figures) func(string, int) figures {
	return func(scenario string, _ int) figures {
		if scenario == id {
			return special
		}
		return goodFigures()
	}
}
