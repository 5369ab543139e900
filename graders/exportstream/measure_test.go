package exportstream

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/graders/readers"
	"github.com/assay-run/assay/graders/rowsource"
	"github.com/assay-run/assay/graders/signs"
	"github.com/assay-run/assay/internal/evidence"
)

const second = int64(time.Second)

// recorded is a good run of readers, made by hand: four clients of each kind, all left after ten seconds.
func recorded(t *testing.T) (truth, facts) {
	t.Helper()
	s, err := parseSettings(map[string]any{"kind": "readers", "seconds": 10, "slow": 4, "stalled": 2, "leaving": 4})
	require.NoError(t, err)
	tr := truth{Kind: kindReaders, Specs: readersSpecs(testSeed, s)}
	f := facts{ReadyNs: second / 10, DiedNs: -1, FastBytes: 300 << 20, FastNs: 6 * second, Streams: map[string]*result{}}
	specs := append(append([]spec{}, tr.Specs...), fastSpec(0), fastSpec(1))
	for _, s := range specs {
		r := &result{
			Rows: s.Rows, PeakHeld: 200 << 10, GivenBytes: 1 << 20,
			Client: &readers.Account{SentNs: 0, HeadNs: 1, FirstNs: 2, EndedNs: 10 * second, Status: 200, Framing: "chunked", Bytes: 320 << 10, End: readers.Left},
			Source: rowsource.Account{Asked: 1, Conns: []rowsource.Conn{{OpenedNs: 1, DoneNs: -1, FailedNs: -1, ClosedNs: 10*second + 5e6}}},
		}
		if s.ID == "fast-1" {
			r.Client.End, r.Whole = readers.Complete, true
			r.Source.Conns[0] = rowsource.Conn{OpenedNs: 1, DoneNs: 9 * second, FailedNs: -1, ClosedNs: -1}
		}
		f.Streams[s.ID] = r
	}
	return tr, f
}

// judged judges facts; change may alter the execution.
func judged(t *testing.T, tr truth, f facts, change func(*evidence.Execution)) evidence.Measures {
	t.Helper()
	raw, err := json.Marshal(tr)
	require.NoError(t, err)
	e := evidence.Execution{
		Name: execution, DurationNs: 12 * second, Exit: evidence.Exit{Status: evidence.Signaled, Signal: "SIGKILL", Code: 137},
		Usage: evidence.Usage{MemoryPeakBytes: 90 << 20, CPUNs: 5e9, MaxProcesses: 1},
	}
	e.Facts, err = json.Marshal(f)
	require.NoError(t, err)
	if change != nil {
		change(&e)
	}
	m, err := New().Measure(evidence.Run{Scenario: "s", Executions: []evidence.Execution{e}}, raw)
	require.NoError(t, err)
	return m
}

func TestMeasureReaders(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(f *facts)
		exec   func(e *evidence.Execution)
		codes  []string
		values map[string]float64
		absent []string
	}{
		{"good", func(*facts) {}, nil, []string{}, map[string]float64{
			metricBytes: 1, metricClosed: 1, metricHeld: 200 << 10, metricBegan: 1, metricServed: 1, metricRate: 50 << 20, metricStart: 1e8, metricMemPeak: 90 << 20,
		}, nil},
		{"one stream held much", func(f *facts) { f.Streams["slow-2"].PeakHeld = 6<<20 + 200<<10 }, nil, []string{}, map[string]float64{metricHeld: 1<<20 + 200<<10}, nil},
		{"half as fast", func(f *facts) { f.Streams["slow-1"].Client.Bytes = 144 << 10 }, nil, []string{}, map[string]float64{metricServed: 0.875}, nil},
		{"cut off", func(f *facts) {
			for _, id := range []string{"slow-1", "slow-3"} {
				f.Streams[id].Client.End, f.Streams[id].Client.EndedNs = readers.Cut, 2*second
			}
		}, nil, []string{}, map[string]float64{metricServed: 0.5, metricBytes: 16.0 / 18}, nil},
		{"given up", func(f *facts) { f.Streams["slow-2"].Source.Conns[0].ClosedNs = 3 * second }, nil, []string{}, map[string]float64{metricServed: 0.75}, nil},
		{"closed late", func(f *facts) { f.Streams["slow-1"].Source.Conns[0].ClosedNs = 12 * second }, nil, []string{}, map[string]float64{metricClosed: 10.0 / 11}, nil},
		{"a leak", func(f *facts) {
			for _, id := range []string{"slow-1", "slow-2", "slow-3", "slow-4", "stalled-1", "leaving-1"} {
				f.Streams[id].Source.Conns[0].ClosedNs = -1
			}
		}, nil, []string{codeSourceLeak}, map[string]float64{metricClosed: 5.0 / 11}, nil},
		{"all are late", func(f *facts) {
			for _, r := range f.Streams {
				r.Source.Conns[0].ClosedNs = 13 * second
			}
		}, nil, []string{}, map[string]float64{metricClosed: 0}, nil},
		{"all are very late", func(f *facts) {
			for _, r := range f.Streams {
				r.Source.Conns[0].ClosedNs = 16 * second
			}
		}, nil, []string{codeSourceLeak}, map[string]float64{metricClosed: 0}, nil},
		{
			"late, and then it ended", func(f *facts) {
				f.Ended, f.DiedNs = true, 14*second
				for _, r := range f.Streams {
					r.Source.Conns[0].ClosedNs = 14 * second
				}
			},
			func(e *evidence.Execution) { e.Exit = evidence.Exit{Status: evidence.OOMKilled, Code: 137} },
			[]string{signs.OOMCgroup}, map[string]float64{metricClosed: 0}, nil,
		},
		{"a second connection leaks", func(f *facts) {
			r := f.Streams["slow-1"]
			r.Source.Conns = append(r.Source.Conns, rowsource.Conn{OpenedNs: 5, DoneNs: -1, FailedNs: -1, ClosedNs: -1})
		}, nil, []string{}, map[string]float64{metricClosed: 10.0 / 11}, nil},
		{"nothing to close", func(f *facts) {
			for _, r := range f.Streams {
				r.Source.Conns = nil
			}
		}, nil, []string{}, nil, []string{metricClosed}},
		{"wrong", func(f *facts) { f.Streams["fast-1"].Wrong = "In row 7" }, nil, []string{codeWrongOutput}, map[string]float64{metricBytes: 10.0 / 18}, nil},
		{"rows are missing", func(f *facts) { f.Streams["fast-1"].Whole = false }, nil, []string{codeWrongOutput}, map[string]float64{metricBytes: 10.0 / 18}, nil},
		{"nothing was taken", func(f *facts) {
			for _, r := range f.Streams {
				r.PeakHeld, r.Client.FirstNs, r.Client.Bytes = 0, -1, 0
			}
		}, nil, []string{}, map[string]float64{metricBegan: 0, metricServed: 0}, []string{metricHeld}},
		{
			"memory", func(f *facts) { f.Ended, f.DiedNs = true, 10*second },
			func(e *evidence.Execution) { e.Exit = evidence.Exit{Status: evidence.OOMKilled, Code: 137} },
			[]string{signs.OOMCgroup}, nil, []string{metricRate, metricClosed},
		},
		{
			"heap", func(f *facts) { f.Ended, f.DiedNs = true, 10*second },
			func(e *evidence.Execution) {
				e.Exit, e.Stderr.Text = evidence.Exit{Status: evidence.Signaled, Signal: "SIGABRT", Code: 134}, "FATAL ERROR: Reached heap limit"
			},
			[]string{signs.OOMHeap}, nil, []string{metricRate},
		},
		{
			"a helper ran out of memory", func(*facts) {},
			func(e *evidence.Execution) { e.Exit = evidence.Exit{Status: evidence.OOMKilled, Code: 137} },
			[]string{signs.OOMCgroup}, nil, nil,
		},
		{"ended by itself", func(f *facts) { f.Ended, f.DiedNs = true, 3*second }, func(e *evidence.Execution) { e.Exit = evidence.Exit{Status: evidence.Exited} }, []string{codeCrash}, nil, nil},
		{"never ready", func(f *facts) { *f = facts{ReadyNs: -1, DiedNs: -1} }, nil, []string{codeHang}, map[string]float64{metricBytes: 0}, []string{metricStart, metricHeld}},
		{"no facts", func(*facts) {}, func(e *evidence.Execution) {
			e.Facts, e.Exit = nil, evidence.Exit{Status: evidence.NotStarted, Detail: "no such file"}
		}, []string{codeCrash}, map[string]float64{metricBytes: 0}, []string{metricStart}},
		{"its probe is forged", func(*facts) {}, func(e *evidence.Execution) { e.Probe = &evidence.Probe{Records: 100, Forged: 50} }, []string{codeTamper}, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tr, f := recorded(t)
			tt.change(&f)
			m := judged(t, tr, f, tt.exec)
			assert.Equal(t, tt.codes, codes(m), "%v", m.Findings)
			for name, want := range tt.values {
				assert.InDelta(t, want, m.Values[name], 1e-9+want*1e-9, name)
			}
			for _, name := range tt.absent {
				assert.NotContains(t, m.Values, name)
			}
		})
	}
}

// TestMeasureFailures is what a client may see of a source that failed, and what it makes of it.
func TestMeasureFailures(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		id     string
		client readers.Account
		seen   bool
		codes  []string
	}{
		{"cut-csv", readers.Account{Status: 200, End: readers.Cut}, true, []string{}},
		{"cut-csv", readers.Account{Status: 200, End: readers.Reset}, true, []string{}},
		{"cut-csv", readers.Account{Status: 502, End: readers.Complete}, true, []string{}},
		{"cut-csv", readers.Account{End: readers.Cut}, true, []string{}},
		{"cut-csv", readers.Account{Status: 200, End: readers.Complete}, false, []string{codeTruncation}},
		{"cut-csv", readers.Account{Status: 200, End: readers.Unframed}, false, []string{codeTruncation}},
		{"cut-csv", readers.Account{Status: 200, End: readers.TimedOut}, false, []string{codeHang}},
		{"cut-csv", readers.Account{Status: 200, End: readers.Left}, false, []string{}},
		{"cut-csv", readers.Account{Status: 404, End: readers.Complete}, false, []string{}},
		{"refused", readers.Account{Status: 502, ContentType: "application/problem+json", End: readers.Complete}, true, []string{}},
		{"refused", readers.Account{Status: 502, ContentType: "text/plain", End: readers.Complete}, false, []string{}},
		{"refused", readers.Account{Status: 500, ContentType: "application/problem+json", End: readers.Complete}, false, []string{}},
		{"refused", readers.Account{Status: 200, End: readers.Complete}, false, []string{codeTruncation}},
		{"refused", readers.Account{End: readers.Reset}, false, []string{}},
		{"down", readers.Account{Status: 200, End: readers.Complete}, false, []string{codeTruncation}},
	} {
		tr := truth{Kind: kindContract, Specs: contractSpecs(testSeed)}
		c := tt.client
		c.HeadNs = -1
		if c.Status > 0 {
			c.HeadNs = 1
		}
		m := judged(t, tr, facts{ReadyNs: 1, DiedNs: -1, Streams: map[string]*result{tt.id: {Client: &c}}}, nil)
		assert.Equal(t, tt.codes, codes(m), "%+v", tt)
		assert.Equal(t, tt.seen, m.Values[metricVisible] > 0, "%+v", tt)
	}
}

func TestMeasureRefusesForeignRuns(t *testing.T) {
	t.Parallel()
	tr, err := json.Marshal(truth{Kind: kindReaders})
	require.NoError(t, err)
	for _, executions := range [][]evidence.Execution{nil, {{Name: "main"}}, {{Name: execution}, {Name: execution}}, {{Name: execution, Facts: []byte("[")}}} {
		_, err = New().Measure(evidence.Run{Executions: executions}, tr)
		require.Error(t, err)
	}
	_, err = New().Measure(evidence.Run{Executions: []evidence.Execution{{Name: execution}}}, []byte("x"))
	require.Error(t, err)
}

func TestSettings(t *testing.T) {
	t.Parallel()
	good := map[string]any{"kind": "readers", "seconds": 8, "slow": uint64(16), "stalled": 2.0, "leaving": int64(6)}
	require.NoError(t, New().Check(good))
	require.NoError(t, New().Check(map[string]any{"kind": "contract"}))
	for key, values := range map[string][]any{
		"kind": {nil, "other", 7}, "seconds": {nil, 2, 301, 1.5, "8"}, "slow": {0, 201}, "stalled": {0, 51}, "leaving": {0, -1}, "colour": {"red"},
	} {
		for _, v := range values {
			with := map[string]any{}
			for k, old := range good {
				with[k] = old
			}
			with[key] = v
			require.ErrorContains(t, New().Check(with), "with."+key, "%v", v)
		}
	}
	require.ErrorContains(t, New().Check(map[string]any{"kind": "contract", "slow": 3}), "with.slow")
}

// TestSpecs are those of a run: no two exports have the same number of rows, and scripts are within their bounds.
func TestSpecs(t *testing.T) {
	t.Parallel()
	for seed := range 20 {
		for _, with := range []map[string]any{{"kind": "contract"}, {"kind": "readers", "seconds": 40, "slow": 50, "stalled": 3, "leaving": 10}} {
			p, err := New().Prepare(t.Context(), graders.Preparation{With: with, Seed: derive(testSeed, string(rune(seed)))})
			require.NoError(t, err)
			var tr truth
			require.NoError(t, json.Unmarshal(p.Truth, &tr))
			rows, ids := map[int64]bool{beatRows: true}, map[string]bool{}
			for _, s := range tr.Specs {
				assert.False(t, rows[s.Rows], s.ID)
				assert.False(t, ids[s.ID], s.ID)
				rows[s.Rows], ids[s.ID] = true, true
				assert.False(t, s.Rows >= fastRows && s.Rows < fastRows+maxFast, "those are the fast client's")
			}
		}
	}
}

func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, d := range New().Metrics() {
		assert.NotEmpty(t, d.Doc)
		assert.False(t, known[d.Name], d.Name)
		known[d.Name] = true
	}
	tr, f := recorded(t)
	m := judged(t, tr, f, func(e *evidence.Execution) { e.Heartbeat = &evidence.Heartbeat{Due: 100, P99Ns: 1} })
	for name := range m.Values {
		assert.True(t, known[name], name)
	}
}
