package logaggregate

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/graders/heartbeat"
	"github.com/assay-run/assay/graders/loggen"
	"github.com/assay-run/assay/internal/evidence"
)

// plainTruth is the truth of one plain file of 64 MiB.
func plainTruth() truth {
	want := sample()
	want.Lines, want.Bad, want.Bytes = 427_000, 1000, 64<<20
	return truth{Kind: kindPlain, Files: []known{{Anomaly: loggen.Anomaly{ID: mainExecution, Title: "t", Weight: 1}, Bytes: 64 << 20, Want: want}}}
}

// packTruth is the truth of a small anomaly pack.
func packTruth() truth {
	t := truth{Kind: kindAnomalies}
	for _, a := range []loggen.Anomaly{
		{ID: "one", Weight: 2}, {ID: "two", Weight: 1, MultiByte: true}, {ID: "three", Weight: 1, MultiByte: true}, {ID: "cut", Weight: 1, Gzip: true, Exit: 2},
	} {
		k := known{Anomaly: a, Bytes: 1 << 20}
		if a.Exit == 0 {
			k.Want = sample()
		}
		t.Files = append(t.Files, k)
	}
	return t
}

func encode(t *testing.T, v any) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	return raw
}

// perfect is the run of a program that does everything right.
func perfect(t *testing.T, tr truth) evidence.Run {
	t.Helper()
	run := evidence.Run{Scenario: "main"}
	for _, k := range tr.Files {
		e := evidence.Execution{
			Name: k.ID, Exit: evidence.Exit{Status: evidence.Exited, Code: k.Exit}, DurationNs: 2e9, InputBytes: k.Bytes,
			Usage: evidence.Usage{MemoryPeakBytes: 50 << 20, CPUNs: 1e9},
		}
		if k.Exit == 0 {
			e.Output = output(t, k.Want, nil)
		} else {
			e.Output = &evidence.File{State: evidence.FileMissing}
		}
		run.Executions = append(run.Executions, e)
	}
	return run
}

func measure(t *testing.T, run evidence.Run, tr truth) evidence.Measures {
	t.Helper()
	m, err := New().Measure(run, encode(t, tr))
	require.NoError(t, err)
	return m
}

func codes(m evidence.Measures) []string {
	list := []string{}
	for _, f := range m.Findings {
		list = append(list, f.Code)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func TestMeasurePerfectRun(t *testing.T) {
	t.Parallel()
	tr := plainTruth()
	run := perfect(t, tr)
	e := &run.Executions[0]
	e.Heartbeat = &evidence.Heartbeat{Due: 200, Prompt: 190, Answered: 195, FirstAnswerNs: 1e8, P50Ns: 1e6, P99Ns: 5e6, P999Ns: 6e6, MaxNs: 7e6, StallNs: 7e6}
	e.Facts = encode(t, facts{Progress: &progressFacts{Count: 195}})
	m := measure(t, run, tr)
	assert.Empty(t, m.Findings)
	assert.Equal(t, map[string]float64{
		metricExact: 1, metricCasesRight: 1, metricCasesWrong: 0, metricRightFields: 1, metricOOM: 0, metricCrashes: 0,
		metricMemPeak: 50 << 20, metricThroughput: 32 << 20, metricCPU: 16e9,
		heartbeat.MetricP50: 1e6, heartbeat.MetricP99: 5e6, heartbeat.MetricP999: 6e6, heartbeat.MetricMax: 7e6, heartbeat.MetricStall: 7e6, heartbeat.MetricAnswered: 0.95, metricHBFirst: 1e8,
		metricMonotonic: 1,
	}, m.Values)
	assert.Equal(t, []evidence.Case{{Name: "main", Title: "t", Weight: 1, Right: true}}, m.Cases)

	documented := map[string]bool{}
	for _, d := range New().Metrics() {
		documented[d.Name] = true
	}
	for name := range m.Values {
		assert.True(t, documented[name], name)
	}
}

// TestPlainCodes has a row for every way in which the one execution of a plain scenario can go wrong.
func TestPlainCodes(t *testing.T) {
	t.Parallel()
	boundaries := (64<<20 - 1) / (64 << 10)
	set := func(lines, bad int) func(*testing.T, *evidence.Execution) {
		return func(t *testing.T, e *evidence.Execution) {
			e.Output = output(t, plainTruth().Files[0].Want, func(p map[string]any) { p["lines"], p["bad"] = lines, bad })
		}
	}
	points := func(n int) func(*testing.T, *evidence.Execution) {
		return func(t *testing.T, e *evidence.Execution) {
			e.Output = output(t, plainTruth().Files[0].Want, func(p map[string]any) { p["msgCodePoints"] = n })
		}
	}
	exit := func(x evidence.Exit, stderr string) func(*testing.T, *evidence.Execution) {
		return func(_ *testing.T, e *evidence.Execution) {
			e.Exit, e.Stderr.Text, e.Output = x, stderr, &evidence.File{State: evidence.FileMissing}
		}
	}
	tests := []struct {
		name   string
		change func(*testing.T, *evidence.Execution)
		want   []string
		detail string // part of some finding
	}{
		{"right", func(*testing.T, *evidence.Execution) {}, []string{}, ""},
		{"out of heap", exit(evidence.Exit{Status: evidence.Signaled, Signal: "SIGABRT", Code: 134}, heapStderr), []string{codeOOMHeap}, ""},
		{"out of memory", exit(evidence.Exit{Status: evidence.OOMKilled, Code: 137}, ""), []string{codeOOMCgroup}, ""},
		{"thrashing", exit(evidence.Exit{Status: evidence.Thrashing}, ""), []string{codeOOMCgroup}, ""},
		{"crash", exit(evidence.Exit{Status: evidence.Exited, Code: 1}, throwStderr), []string{codeCrash}, "SyntaxError"},
		{"hang", exit(evidence.Exit{Status: evidence.TimedOut}, ""), []string{codeHang}, ""},
		{"not started", exit(evidence.Exit{Status: evidence.NotStarted}, ""), []string{codeCrash}, ""},
		{"no result", exit(evidence.Exit{Status: evidence.Exited}, ""), []string{codeWrongOutput}, "no result was written"},
		{"link as result", func(_ *testing.T, e *evidence.Execution) { e.Output = &evidence.File{State: evidence.FileNotRegular} }, []string{codeWrongOutput}, "not a regular file"},
		{"no JSON", func(_ *testing.T, e *evidence.Execution) { e.Output.Content = "{" }, []string{codeWrongOutput}, "not a JSON object"},
		{"bad lines not counted", set(426_000, 0), []string{codeWrongOutput}, "lines is 426,000"},

		{"each boundary breaks a line in two", set(427_000+boundaries-10, 1000+2*(boundaries-10)), []string{codeBoundaryLoss, codeWrongOutput}, "one for each 64 KiB"},
		{"each boundary loses the first part", set(427_000, 1000+boundaries-10), []string{codeBoundaryLoss, codeWrongOutput}, "1,013 good lines are missing"},
		{"each boundary loses a line without a trace", set(427_000-boundaries+10, 1000), []string{codeBoundaryLoss, codeWrongOutput}, ""},
		{"16 KiB chunks", set(427_000+4095-80, 1000+2*(4095-80)), []string{codeBoundaryLoss, codeWrongOutput}, "one for each 16 KiB"},
		{"too few for 64 KiB, too many for 128 KiB", set(427_000-700, 1000), []string{codeWrongOutput}, ""},
		{"pieces do not fit", set(427_000+5*boundaries, 1000+6*boundaries), []string{codeWrongOutput}, ""},
		{"more good lines than there are", set(428_000, 1000), []string{codeWrongOutput}, ""},
		{"a handful of lines", set(426_997, 1000), []string{codeWrongOutput}, ""},
		{"bad is missing", func(t *testing.T, e *evidence.Execution) {
			e.Output = output(t, plainTruth().Files[0].Want, func(p map[string]any) { delete(p, "bad"); p["lines"] = 427_000 - boundaries })
		}, []string{codeWrongOutput}, "bad is missing"},

		{"split characters", points(5036), []string{codeUTF8Split}, "36 too many"},
		{"UTF-16 units", points(5100), []string{codeWrongOutput}, "UTF-16 units"},
		{"far too many characters", points(5000 + 64<<20), []string{codeWrongOutput}, ""},
		{"too few characters", points(4990), []string{codeWrongOutput}, ""},
		{"no characters", func(t *testing.T, e *evidence.Execution) {
			e.Output = output(t, plainTruth().Files[0].Want, func(p map[string]any) { delete(p, "msgCodePoints") })
		}, []string{codeWrongOutput}, "msgCodePoints is missing"},
		{"split characters and another mistake", func(t *testing.T, e *evidence.Execution) {
			e.Output = output(t, plainTruth().Files[0].Want, func(p map[string]any) { p["msgCodePoints"] = 5036; p["bad"] = 999 })
		}, []string{codeWrongOutput}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tr := plainTruth()
			run := perfect(t, tr)
			tt.change(t, &run.Executions[0])
			m := measure(t, run, tr)
			assert.Equal(t, tt.want, codes(m))
			all := ""
			for _, f := range m.Findings {
				assert.Equal(t, "main", f.Scenario)
				assert.Equal(t, "main", f.Execution)
				all += f.Detail + "\n"
			}
			assert.Contains(t, all, tt.detail)
			right := float64(0)
			if len(tt.want) == 0 {
				right = 1
			}
			assert.InDelta(t, right, m.Values[metricExact], 0)
			assert.InDelta(t, right, m.Values[metricCasesRight], 0)
			if right == 0 {
				assert.NotEmpty(t, m.Cases[0].Detail)
			}
		})
	}
}

func TestPackCodes(t *testing.T) {
	t.Parallel()
	wrong := func(t *testing.T, e *evidence.Execution) {
		e.Output = output(t, sample(), func(p map[string]any) { p["lines"] = 1 })
	}
	split := func(t *testing.T, e *evidence.Execution) {
		e.Output = output(t, sample(), func(p map[string]any) { p["msgCodePoints"] = 5003 })
	}
	crash := func(_ *testing.T, e *evidence.Execution) {
		e.Exit, e.Output = evidence.Exit{Status: evidence.Exited, Code: 1}, nil
	}
	oom := func(_ *testing.T, e *evidence.Execution) {
		e.Exit, e.Output = evidence.Exit{Status: evidence.OOMKilled}, nil
	}
	hang := func(_ *testing.T, e *evidence.Execution) {
		e.Exit, e.Output = evidence.Exit{Status: evidence.TimedOut}, nil
	}
	leaves := func(t *testing.T, e *evidence.Execution) { e.Output = output(t, sample(), nil) }
	accepts := func(t *testing.T, e *evidence.Execution) { leaves(t, e); e.Exit.Code = 0 }
	type changes map[string]func(*testing.T, *evidence.Execution)
	tests := []struct {
		name   string
		change changes
		want   []string
		right  float64 // of a weight of 5
	}{
		{"right", nil, []string{}, 5},
		{"a wrong count is no code", changes{"one": wrong}, []string{}, 3},
		{"one file with split characters is no code", changes{"two": split}, []string{}, 4},
		{"two are", changes{"two": split, "three": split}, []string{codeUTF8Split}, 3},
		{"not in a file that is ASCII", changes{"one": split, "two": split}, []string{}, 2},
		{"crash", changes{"one": crash}, []string{codeCrash}, 3},
		{"out of memory", changes{"one": oom, "two": hang}, []string{codeHang, codeOOMCgroup}, 2},
		{"wrong exit code for damaged input", changes{"cut": crash}, []string{}, 4},
		{"damaged input accepted", changes{"cut": accepts}, []string{}, 4},
		{"result left behind for damaged input", changes{"cut": leaves}, []string{}, 4},
		{"out of memory on damaged input", changes{"cut": oom}, []string{codeOOMCgroup}, 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tr := packTruth()
			run := perfect(t, tr)
			for i := range run.Executions {
				if change := tt.change[run.Executions[i].Name]; change != nil {
					change(t, &run.Executions[i])
				}
			}
			slices.Reverse(run.Executions) // the order of a run is not that of the truth
			m := measure(t, run, tr)
			assert.Equal(t, tt.want, codes(m))
			assert.InDelta(t, tt.right/5, m.Values[metricCasesRight], 1e-9)
			assert.InDelta(t, float64(len(tt.change)), m.Values[metricCasesWrong], 0)
			assert.NotContains(t, m.Values, metricThroughput)
			assert.NotContains(t, m.Values, heartbeat.MetricAnswered)
		})
	}
}

func TestFilesThatWereNotRun(t *testing.T) {
	t.Parallel()
	tr := packTruth()
	run := perfect(t, tr)
	run.Executions = run.Executions[:2]
	m := measure(t, run, tr)
	assert.Empty(t, m.Findings)
	assert.InDelta(t, 0.6, m.Values[metricCasesRight], 1e-9)
	assert.Contains(t, m.Cases[3].Detail, "It was not run")
	assert.InDelta(t, 0.5, m.Values[metricRightFields], 1e-9)

	m = measure(t, evidence.Run{}, plainTruth())
	assert.InDelta(t, 0, m.Values[metricExact], 0)
	assert.NotContains(t, m.Values, metricMemPeak)
}

func TestHeartbeatsThatSayLittle(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		hb        *evidence.Heartbeat
		facts     *progressFacts
		answered  any // nil when absent
		monotonic any
	}{
		{"none", nil, nil, nil, nil},
		{"never answered", &evidence.Heartbeat{Due: 100, FirstAnswerNs: -1, MaxNs: 9e9}, &progressFacts{Wrong: 30}, 0.0, 0.0},
		{"ended before a request counted", &evidence.Heartbeat{FirstAnswerNs: -1}, &progressFacts{}, 0.0, 0.0},
		{"ended just after the first answer", &evidence.Heartbeat{FirstAnswerNs: 5e7}, &progressFacts{Count: 1}, 1.0, 1.0},
		{"went back", &evidence.Heartbeat{Due: 10, Prompt: 10, FirstAnswerNs: 5e7}, &progressFacts{Count: 10, Violations: 1}, 1.0, 0.0},
		{"no facts", &evidence.Heartbeat{Due: 10, Prompt: 5, FirstAnswerNs: 5e7}, nil, 0.5, 0.0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tr := plainTruth()
			run := perfect(t, tr)
			run.Executions[0].Heartbeat = tt.hb
			if tt.facts != nil {
				run.Executions[0].Facts = encode(t, facts{Progress: tt.facts})
			}
			m := measure(t, run, tr)
			value := func(name string) any {
				if v, ok := m.Values[name]; ok {
					return v
				}
				return nil
			}
			assert.Equal(t, tt.answered, value(heartbeat.MetricAnswered))
			assert.Equal(t, tt.monotonic, value(metricMonotonic))
		})
	}
}

func TestNoSpeedOfProgramsThatBreakOff(t *testing.T) {
	t.Parallel()
	tr := plainTruth()
	run := perfect(t, tr)
	run.Executions[0].Exit = evidence.Exit{Status: evidence.Exited, Code: 1}
	m := measure(t, run, tr)
	assert.NotContains(t, m.Values, metricThroughput)
	assert.NotContains(t, m.Values, metricCPU)
	assert.Contains(t, m.Values, metricMemPeak)
}

func TestMeasureRefusesWhatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	tr := plainTruth()
	stranger := perfect(t, tr)
	stranger.Executions[0].Name = "other"
	empty := truth{Kind: kindPlain}
	holes := plainTruth()
	holes.Files[0].Want = nil
	tests := []struct {
		name  string
		run   evidence.Run
		truth json.RawMessage
		want  string
	}{
		{"no truth", perfect(t, tr), nil, "read truth"},
		{"broken truth", perfect(t, tr), json.RawMessage(`[`), "read truth"},
		{"no files", perfect(t, tr), encode(t, empty), "no files"},
		{"file without truth", perfect(t, tr), encode(t, holes), "truth of main is missing"},
		{"strange execution", stranger, encode(t, tr), `"other" is not of this scenario`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := New().Measure(tt.run, tt.truth)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestMeasureIsPure(t *testing.T) {
	t.Parallel()
	tr := packTruth()
	run := perfect(t, tr)
	before := fmt.Sprintf("%+v", run)
	a := measure(t, run, tr)
	b := measure(t, run, tr)
	assert.Equal(t, a, b)
	assert.Equal(t, before, fmt.Sprintf("%+v", run))
}

func TestDescribeIsShort(t *testing.T) {
	t.Parallel()
	var diffs []difference
	for i := range 6 {
		diffs = append(diffs, difference{detail: fmt.Sprintf("d%d", i)})
	}
	assert.Equal(t, "d0.", describe(diffs[:1]))
	assert.Equal(t, "d0; d1; d2.", describe(diffs[:3]))
	assert.Equal(t, "d0; d1; d2; 3 more of the 6 parts are wrong.", describe(diffs))
}
