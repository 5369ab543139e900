package accuracy

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/graders/knowntruth"
	"github.com/assay-run/assay/internal/evidence"
)

func TestQuantile(t *testing.T) {
	t.Parallel()
	values := []float64{4, 1, 3, 2}
	assert.InDelta(t, 2.5, Quantile(values, 0.5), 0)
	assert.InDelta(t, 4.0, Quantile(values, 0.95), 0)
	assert.InDelta(t, 1.0, Quantile(values, 0), 0)
	assert.InDelta(t, 3.0, Quantile([]float64{3}, 0.5), 0)
	assert.True(t, math.IsNaN(Quantile(nil, 0.5)))
	assert.Equal(t, []float64{4, 1, 3, 2}, values, "the caller's order is kept")
}

func TestSpread(t *testing.T) {
	t.Parallel()
	assert.Equal(t, Spread{N: 3, Min: -1, Median: 2, Max: 7}, SpreadOf([]float64{7, -1, 2}))
	assert.Zero(t, SpreadOf(nil))
}

func TestTable(t *testing.T) {
	t.Parallel()
	table := Table{Head: []string{"what", "n", "bar"}}
	table.Add("a thing", "12", "1 of 2")
	table.Add("größer", "–", "–")
	want := `
| what    |   n |    bar |
|---------|----:|-------:|
| a thing |  12 | 1 of 2 |
| größer  |   – |      – |
`
	assert.Equal(t, want, "\n"+table.String())
}

const startedNs = 1_000_000_000_000

// execution is what the known program and its workload leave behind.
func execution(t *testing.T, events []knowntruth.Event, facts knowntruth.Facts) evidence.Execution {
	t.Helper()
	truth, err := json.Marshal(knowntruth.Truth{Node: "v24", Events: events})
	require.NoError(t, err)
	facts.StartedNs = startedNs
	raw, err := json.Marshal(facts)
	require.NoError(t, err)
	return evidence.Execution{
		Exit:   evidence.Exit{Status: evidence.Exited},
		Output: &evidence.File{State: evidence.FileOK, Content: string(truth)},
		Facts:  raw,
	}
}

func blockOf(how string, askedMs float64, trueNs int64) knowntruth.Event {
	return knowntruth.Event{Do: knowntruth.DoBlock, How: how, Ms: askedMs, From: startedNs + 5e9, To: startedNs + 5e9 + trueNs, Longest: trueNs}
}

func TestStallsAreCompared(t *testing.T) {
	t.Parallel()
	const ms = 1_000_000
	tests := []struct {
		name             string
		event            knowntruth.Event
		maxMs, rawMs     float64
		judged, within   bool
		disturbed        bool
		rawWithin        bool
		errorMs, rawErMs float64
	}{
		{"exact", blockOf("cpu", 50, 50*ms), 50, 50, true, true, false, true, 0, 0},
		{"2 ms is within, below 100 ms", blockOf("cpu", 50, 50*ms), 48, 48, true, true, false, true, -2, -2},
		{"more is not", blockOf("cpu", 50, 50*ms), 47.9, 47.9, true, false, false, false, -2.1, -2.1},
		{"2 % is within, above", blockOf("io", 1000, 1000*ms), 1020, 1020, true, true, false, true, 20, 20},
		{"more is not, above", blockOf("io", 1000, 1000*ms), 979, 979, true, false, false, false, -21, -21},
		{"no bar below 20 ms", blockOf("gc", 10, 10*ms), 3, 3, false, false, false, false, -7, -7},
		{"no bar above 5 s", blockOf("gc", 6000, 6000*ms), 6000, 6000, false, true, false, true, 0, 0},
		{"the machine took 40 ms", blockOf("wait", 100, 100*ms), 60, 100, true, false, true, true, -40, 0},
		{"slices are not to be seen", blockOf("setImmediate", 500, 5*ms), 9, 9, true, true, false, true, 4, 4},
		{"and these are", blockOf("setImmediate", 500, 5*ms), 20, 20, true, false, false, false, 15, 15},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var s Stalls
			e := execution(t, []knowntruth.Event{tt.event}, knowntruth.Facts{Stalls: []knowntruth.Stall{
				{MaxNs: int64(tt.maxMs * ms), RawNs: int64(tt.rawMs * ms), StallNs: int64(tt.maxMs * ms), ClockNs: int64(tt.rawMs * ms)},
			}})
			require.NoError(t, s.Add(e))
			require.Len(t, s.List, 1)
			got := s.List[0]
			assert.Equal(t, [4]bool{tt.judged, tt.within, tt.disturbed, tt.rawWithin}, [4]bool{got.Judged, got.Within, got.Disturbed, got.RawWithin})
			assert.InDelta(t, tt.errorMs, got.ErrorMs, 1e-9)
			assert.InDelta(t, tt.rawErMs, got.RawErrorMs, 1e-9)
		})
	}
}

func TestStallsAreDisturbedByTheMachine(t *testing.T) {
	t.Parallel()
	for name, seen := range map[string]knowntruth.Stall{
		"we did not run":            {MaxNs: 50e6, RawNs: 50e6, LateNs: 4e6},
		"the program did not":       {MaxNs: 50e6, RawNs: 50e6, StolenNs: 4e6},
		"something was taken out":   {MaxNs: 46e6, RawNs: 50e6},
		"nothing of it (one exact)": {MaxNs: 50e6, RawNs: 50e6},
	} {
		var s Stalls
		require.NoError(t, s.Add(execution(t, []knowntruth.Event{blockOf("cpu", 50, 50e6)}, knowntruth.Facts{Stalls: []knowntruth.Stall{seen}})))
		assert.Equal(t, !strings.Contains(name, "exact"), s.List[0].Disturbed, name)
	}
}

func TestStallsTakeTheProbesWordFromTheRightTime(t *testing.T) {
	t.Parallel()
	e := execution(t, []knowntruth.Event{blockOf("cpu", 50, 50_000_000)}, knowntruth.Facts{Stalls: []knowntruth.Stall{{MaxNs: 1, RawNs: 1}}})
	e.Series = []evidence.Series{{Name: evidence.SeriesProbeDelay, T: []float64{4, 5.1, 6}, Max: []float64{9e9, 51e6, 8e9}}}
	var s Stalls
	require.NoError(t, s.Add(e))
	assert.InDelta(t, 51.0, s.List[0].ProbeMs, 0)
}

func TestStallsRefuse(t *testing.T) {
	t.Parallel()
	good := func() evidence.Execution {
		return execution(t, []knowntruth.Event{blockOf("cpu", 50, 50)}, knowntruth.Facts{Stalls: []knowntruth.Stall{{MaxNs: 1}}})
	}
	for name, spoil := range map[string]func(*evidence.Execution){
		"it died":             func(e *evidence.Execution) { e.Exit = evidence.Exit{Status: evidence.OOMKilled, Code: 137} },
		"no truth":            func(e *evidence.Execution) { e.Output = nil },
		"truth is no JSON":    func(e *evidence.Execution) { e.Output.Content = "{" },
		"facts are no JSON":   func(e *evidence.Execution) { e.Facts = nil },
		"heartbeat is silent": func(e *evidence.Execution) { e.Facts = []byte("{}") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := good()
			spoil(&e)
			assert.Error(t, new(Stalls).Add(e))
			assert.NoError(t, new(Stalls).Add(good()))
		})
	}
}

func TestMemoryIsCompared(t *testing.T) {
	t.Parallel()
	event := knowntruth.Event{
		Do: knowntruth.DoHold, How: "buffer", Bytes: 100e6,
		BaseFrom: startedNs + 1e9, BaseTo: startedNs + 2e9, Began: startedNs + 2e9, From: startedNs + 3e9, To: startedNs + 4e9,
	}
	for peak, within := range map[int64]bool{140e6: true, 142e6: true, 138e6: true, 142.1e6: false, 137.9e6: false} {
		e := execution(t, []knowntruth.Event{event}, knowntruth.Facts{})
		e.Usage.MemoryPeakBytes = peak
		level := []float64{60e6, 39e6, 40e6, 41e6, 90e6, 139e6, 140e6, 50e6}
		e.Series = []evidence.Series{{Name: evidence.SeriesMemory, T: []float64{0.5, 1.1, 1.5, 1.9, 2.5, 3.2, 3.4, 4.5}, Min: level, Max: level}}
		var m Memory
		require.NoError(t, m.Add(e))
		require.Len(t, m.List, 1)
		a := m.List[0]
		assert.Equal(t, within, a.Within, peak)
		assert.InDelta(t, 40e6, a.BaselineBytes, 0)
		assert.InDelta(t, 139.5e6, a.PlateauBytes, 0)
		assert.InDelta(t, 1000, a.HeldMs, 0)
		assert.InDelta(t, (float64(peak)-140e6)/100e6, a.ErrorShare, 1e-12)
	}
	e := execution(t, []knowntruth.Event{event}, knowntruth.Facts{})
	assert.Error(t, new(Memory).Add(e), "no curve")
	e.Series = []evidence.Series{{Name: evidence.SeriesMemory}}
	assert.Error(t, new(Memory).Add(e), "no sample before")
}

func TestFixedCostAddsUp(t *testing.T) {
	t.Parallel()
	f := NewFixedCost(1000e6, 100, map[string]int64{"pod": 300e6, "start": 200e6, "execute": 150e6, "close": 240e6})
	assert.InDelta(t, 900, f.CostMs(), 0)
	assert.InDelta(t, 50, f.PhaseMs["execute"], 0, "without the life of the process")
	sum := 0.0
	for _, v := range f.PhaseMs {
		sum += v
	}
	assert.InDelta(t, f.CostMs(), sum, 1e-9)
}

func TestRatiosAreOfNeighbours(t *testing.T) {
	t.Parallel()
	p := CPUPairs{PodMs: []float64{100, 200}, BareMs: []float64{99, 220}}
	asked, unasked := p.Ratios()
	assert.InDeltaSlice(t, []float64{0.99, 1.1}, asked, 1e-9)
	assert.Empty(t, unasked, "a bench of before")
	p.UnaskedMs = []float64{100, 50}
	_, unasked = p.Ratios()
	assert.InDeltaSlice(t, []float64{0.99, 4.4}, unasked, 1e-9)
}

// TestExpect has stalls of 100 ms each second: one user in ten waits, and one in a hundred 90 ms or more.
func TestExpect(t *testing.T) {
	t.Parallel()
	var truth knowntruth.Truth
	for i := range int64(10) {
		truth.Events = append(truth.Events, knowntruth.Event{From: i*1e9 + 9e8, To: (i + 1) * 1e9})
	}
	var g Generator
	g.Expect(truth, 0, 10e9)
	assert.Zero(t, g.TrueP50Ms)
	assert.InDelta(t, 90, g.TrueP99Ms, 1.5)
	g.Expect(knowntruth.Truth{}, 0, 1e9)
	assert.Zero(t, g.TrueP99Ms)
}

func TestReportInWordsAndForPrograms(t *testing.T) {
	t.Parallel()
	r := Report{
		Schema: Schema,
		Overhead: &Overhead{
			CPU:   &CPUPairs{SizeBytes: 1 << 20, PodMs: []float64{100}, BareMs: []float64{99}},
			HTTP:  []ServerPair{{Pod: knowntruth.LoadResult{PerSecond: 98}, Bare: knowntruth.LoadResult{PerSecond: 100}}},
			Fixed: []FixedCost{NewFixedCost(2e8, 50, map[string]int64{"pod": 1e8})},
		},
		Stalls: &Stalls{HeartbeatHz: 100, List: []Stall{{How: "cpu", AskedMs: 50, TrueMs: 50, ReportedMs: 49, ErrorMs: -1, Judged: true, Within: true}}},
		Memory: &Memory{List: []Allocation{{How: "buffer", TrueBytes: 1e6}}, Skipped: []string{"1 GB is not tried."}},
		Load:   &Generators{List: []Generator{{Name: "ours", AskedHz: 100}}, Missing: []string{"wrk is not there."}},
		Loggen: &Loggen{Bytes: 1 << 20, ToDisk: []float64{50}, Disk: []float64{100}},
	}
	var words strings.Builder
	for _, s := range r.Sections() {
		words.WriteString(s.Title + "\n" + s.Table.String() + strings.Join(s.Remarks, "\n") + "\n")
		for _, row := range s.Table.Rows {
			assert.Len(t, row, len(s.Table.Head), s.Title)
		}
	}
	assert.NotContains(t, words.String(), "NaN")
	for _, want := range []string{"0.980", "-1.0", "1 of 1", "1 GB is not tried.", "wrk is not there.", "0.50"} {
		assert.Contains(t, words.String(), want)
	}
	data, err := json.Marshal(r)
	require.NoError(t, err)
	var back Report
	require.NoError(t, json.Unmarshal(data, &back))
	assert.Equal(t, r, back)
	for _, key := range []string{`"schema":"assay.bench/1"`, `"reportedMs":49`, `"heartbeatHz":100`, `"trueBytes":1000000`, `"perSecond":98`} {
		assert.Contains(t, string(data), key)
	}
}

func TestMachineSaysWhenItIsBusy(t *testing.T) {
	t.Parallel()
	r := Report{CPUs: 4, LoadBefore: 1}
	assert.NotContains(t, r.Machine(), "busy")
	r.LoadBefore = 1.1
	assert.Contains(t, r.Machine(), "busy")
}
