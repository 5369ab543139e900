package debugservice

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/forms"
	"github.com/assay-run/assay/internal/schemas"
)

// healthy are the readings of a service without causes.
func healthy() map[string]*reading {
	all := map[string]*reading{}
	for _, c := range causes() {
		all[c.name] = &reading{Value: c.limit, Base: 1}
	}
	return all
}

// slow makes a reading that says that the cause is there.
func (c cause) slow() *reading {
	if c.least {
		return &reading{Value: c.limit / 2, Base: 1}
	}
	return &reading{Value: c.limit * 2, Base: 1}
}

// good are the facts of a service that does everything right.
func good() facts {
	f := facts{ReadyNs: 5e8, Cases: map[string]*seen{}, Checks: healthy(), AuditAsked: 10, Audited: 10}
	f.Fresh = &freshFacts{Changed: 200, Price: slices.Repeat([]int{newPrice}, len(seenAt())), Stock: []int{17, 4}, Pieces: []int{17, 4}, Amount: []int{308_640, 154_320}}
	for name, k := range answers() {
		f.Cases[name] = &seen{Status: k.Status, Type: k.Type, Digest: k.Digest}
	}
	return f
}

func runOf(t *testing.T, f facts, change func(*evidence.Execution)) evidence.Run {
	t.Helper()
	text, err := json.Marshal(f)
	require.NoError(t, err)
	e := evidence.Execution{Name: execution, Facts: text, Exit: evidence.Exit{Status: evidence.Signaled, Signal: "SIGKILL", Code: 137}}
	e.Usage = evidence.Usage{MaxThreads: 12, MaxProcesses: 1, CPUNs: 4e9, MemoryPeakBytes: 90 << 20}
	if change != nil {
		change(&e)
	}
	return evidence.Run{Scenario: "checks", Executions: []evidence.Execution{e}}
}

func prepared(t *testing.T, with map[string]any) graders.Prepared {
	t.Helper()
	p, err := New().Prepare(t.Context(), graders.Preparation{Files: os.DirFS(challenge), With: with, Seed: []byte("seed")})
	require.NoError(t, err)
	return p
}

func codesOf(m evidence.Measures) []string {
	list := []string{}
	for _, f := range m.Findings {
		list = append(list, f.Code)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func TestMeasureChecks(t *testing.T) {
	t.Parallel()
	p := prepared(t, map[string]any{"kind": "checks"})
	left := func(f *facts, names ...string) {
		for _, c := range causes() {
			if slices.Contains(names, c.name) {
				f.Checks[c.name] = c.slow()
			}
		}
	}
	tests := []struct {
		name  string
		facts func(*facts)
		exec  func(*evidence.Execution)
		codes []string
		want  map[string]float64
	}{
		{"good", nil, nil, []string{}, map[string]float64{metricWrong: 0, metricStale: 0, metricRemaining: 0, metricRight: 1, metricAudited: 1}},
		{"causes left", func(f *facts) { left(f, nPlusOne, syncLogging) }, nil, []string{codeLoopBlocked, codeNPlusOne}, map[string]float64{metricRemaining: 2}},
		{"a check could not be made", func(f *facts) { f.Checks[poolOfOne] = &reading{Failed: "GET /: status 500"} }, nil, []string{codePoolExhausted},
			map[string]float64{metricRemaining: 1}},
		{"spread and not repaired", func(f *facts) { left(f, retryStorm) }, func(e *evidence.Execution) { e.Usage.MaxProcesses = 4 },
			[]string{codeMaskedFix, codeRetryStorm}, nil},
		{"repaired and spread", nil, func(e *evidence.Execution) { e.Usage.MaxProcesses = 4 }, []string{}, nil},
		{"a wrong answer", func(f *facts) { f.Cases["price/eur"].Digest = "0" }, nil, []string{codeWrongOutput}, map[string]float64{metricWrong: 1}},
		{"a wrong status", func(f *facts) { f.Cases["error/month"].Status = 500 }, nil, []string{codeWrongOutput}, map[string]float64{metricWrong: 1}},
		{"no answer", func(f *facts) { f.Cases["price/eur"] = &seen{Error: "EOF"} }, nil, []string{codeWrongOutput}, map[string]float64{metricWrong: 1}},
		{"not asked", func(f *facts) { delete(f.Cases, "price/eur") }, nil, []string{codeWrongOutput}, map[string]float64{metricWrong: 1}},
		{"no audit log", func(f *facts) { f.Audited = 0 }, nil, []string{codeWrongOutput}, map[string]float64{metricAudited: 0, metricWrong: 1}},
		{"an old price", func(f *facts) { f.Fresh.Price[0] = 7 }, nil, []string{codeStaleRead}, map[string]float64{metricStale: 1}},
		{"an old stock", func(f *facts) { f.Fresh.Stock[1] = 17 }, nil, []string{codeStaleRead}, map[string]float64{metricStale: 1}},
		{"an old availability", func(f *facts) { f.Fresh.Pieces[1] = 17 }, nil, []string{codeStaleRead}, map[string]float64{metricStale: 1}},
		{"an old rate", func(f *facts) { f.Fresh.Amount[1] = 308_640 }, nil, []string{codeStaleRead}, map[string]float64{metricStale: 1}},
		{"no answer about a rate", func(f *facts) { f.Fresh.Amount = nil }, nil, []string{codeStaleRead}, map[string]float64{metricStale: 2}},
		{"never ready", func(f *facts) { *f = facts{ReadyNs: -1} }, nil, []string{codeHang}, map[string]float64{metricRemaining: 16}},
		{"ended by itself", func(f *facts) { f.Ended = true }, func(e *evidence.Execution) { e.Exit = evidence.Exit{Status: evidence.Exited} }, []string{codeCrash}, nil},
		{"no facts", nil, func(e *evidence.Execution) { e.Facts, e.Exit = nil, evidence.Exit{Status: evidence.Exited, Code: 1} }, []string{codeCrash}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := good()
			if tt.facts != nil {
				tt.facts(&f)
			}
			m, err := New().Measure(runOf(t, f, tt.exec), p.Truth)
			require.NoError(t, err)
			assert.Equal(t, tt.codes, codesOf(m), "%v", m.Findings)
			for name, want := range tt.want {
				assert.InDelta(t, want, m.Values[name], 1e-9, name)
			}
		})
	}
	_, err := New().Measure(evidence.Run{}, p.Truth)
	require.ErrorContains(t, err, "not of this workload")
}

func TestMeasureLoad(t *testing.T) {
	t.Parallel()
	p := prepared(t, map[string]any{"kind": "load", "rate": 100, "seconds": 5, "fullSeconds": 2.5})
	k := answers()["price/eur"]
	right := "200 " + k.Digest
	f := facts{ReadyNs: 1, Load: &loadFacts{
		Due: 500, Good: 500, P50Ns: 1e6, P95Ns: 2e7, FullSeconds: 2, FullGood: 500,
		Answers: map[string]map[string]int{"price/eur": {right: 990, "200 beef": 3}, "summary/c-3": {"200 other": 7}},
	}}
	m, err := New().Measure(runOf(t, f, nil), p.Truth)
	require.NoError(t, err)
	assert.Equal(t, []string{codeWrongOutput}, codesOf(m))
	for name, want := range map[string]float64{metricWrong: 3, metricP95: 2e7, metricRate: 250, metricCPU: 4e6} {
		assert.InDelta(t, want, m.Values[name], 1e-9, name)
	}
	f.Load.Answers["price/eur"] = map[string]int{right: 1}
	m, err = New().Measure(runOf(t, f, nil), p.Truth)
	require.NoError(t, err)
	assert.Empty(t, m.Findings, "points that came late are no wrong answer under load")
}

func handIn(form, diagnosis string) []evidence.SourceFile {
	return []evidence.SourceFile{{Path: "assay.json", Text: form}, {Path: "diagnosis.json", Text: diagnosis}}
}

func TestReadHandIn(t *testing.T) {
	t.Parallel()
	p := prepared(t, map[string]any{"kind": "checks"})
	set, err := forms.Load(os.DirFS(challenge))
	require.NoError(t, err)
	_, places, err := set.Form(0)
	require.NoError(t, err)
	of := func(places []forms.Place, move int) (list []entry) {
		done := map[string]bool{}
		for _, p := range places {
			if !done[p.Cause] {
				list = append(list, entry{p.Cause, p.File, float64(p.From - move), "seen in a profile"})
			}
			done[p.Cause] = true
		}
		return list
	}
	text := func(list []entry) string {
		b, err := json.Marshal(list)
		require.NoError(t, err)
		return string(b)
	}
	everything := of(places, 0)
	for name := range names() {
		if !slices.ContainsFunc(everything, func(e entry) bool { return e.Cause == name }) {
			everything = append(everything, entry{name, "src/app.js", 1, "perhaps"})
		}
	}
	require.Len(t, everything, 24)
	const zero = `{"form": 0}`
	tests := []struct {
		name  string
		files []evidence.SourceFile
		left  []string
		f1    float64
		says  string
	}{
		{"all right", handIn(zero, text(of(places, 0))), nil, 1, ""},
		{"ten lines off", handIn(zero, text(of(places, 10))), nil, 1, ""},
		{"eleven lines off", handIn(zero, text(of(places, 11))), nil, 0.5, "not where it is said to be"},
		{"with ./", handIn(zero, `[{"cause": "n-plus-one", "file": "./src/services/orders.js", "line": 20, "evidence": "x"}]`), nil, 0.4, ""},
		{"two of four", handIn(zero, text(of(places, 0)[:2])), nil, 2.0 / 3, "does not name"},
		{"all codes", handIn(zero, text(everything)), nil, 8.0 / 28, "not a cause of this form"},
		{"one four times", handIn(zero, text(slices.Repeat(of(places, 0)[:1], 4))), nil, 0.25, "named twice"},
		{"no evidence", handIn(zero, `[{"cause": "n-plus-one", "file": "src/services/orders.js", "line": 20, "evidence": " "}]`), nil, 0, "no evidence"},
		{"no code", handIn(zero, `[{"cause": "slow", "file": "a", "line": 1, "evidence": "x"}]`), nil, 0, "none of the 24 codes"},
		{"empty", handIn(zero, "[]"), nil, 0, "is empty"},
		{"no array", handIn(zero, "{}"), nil, 0, "not an array"},
		{"no file", handIn(zero, "")[:1], nil, 0, "no diagnosis.json"},
		{"no manifest", nil, nil, 0, "no assay.json"},
		{"no form", handIn("{}", text(of(places, 0))), nil, 0, "which form"},
		{"no such form", handIn(`{"form": 256}`, text(of(places, 0))), nil, 0, "which form"},
		{"another form", handIn(`{"form": 255}`, text(of(places, 0))), nil, 0, "not a cause of this form"},
		{"a regression of its own", handIn(zero, text(of(places, 0))), []string{gcGarbage}, 0.75, "1 causes that its form does not have"},
		{"code of another form", handIn(zero, text(of(places, 0))), []string{gcGarbage, cacheKey, regex, poolOfOne}, 0, "4 causes"},
		{"its own causes left", handIn(zero, text(of(places, 0))), []string{pbkdf2Sync, nPlusOne, serialAwaits, syncLogging}, 1, ""},
		{"too long", handIn(zero, text(slices.Repeat(of(places, 0), 13))), nil, 0, "at most 48"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := good()
			for _, c := range causes() {
				if slices.Contains(tt.left, c.name) {
					f.Checks[c.name] = c.slow()
				}
			}
			m, err := New().ReadHandIn(tt.files, runOf(t, f, nil), p.Truth)
			require.NoError(t, err)
			assert.InDelta(t, tt.f1, m.Values[metricF1], 1e-9)
			require.Len(t, m.Cases, 1)
			assert.Contains(t, m.Cases[0].Detail, tt.says)
			assert.Equal(t, tt.f1 == 1, m.Cases[0].Right)
		})
	}
	load := prepared(t, map[string]any{"kind": "load", "rate": 100, "seconds": 5, "fullSeconds": 2})
	m, err := New().ReadHandIn(nil, runOf(t, good(), nil), load.Truth)
	require.NoError(t, err)
	assert.Empty(t, m.Values, "a diagnosis is judged once, beside the checks")
}

// FuzzHandIn reads what a candidate hands in: the figures are shares, whatever it is.
func FuzzHandIn(f *testing.F) {
	p, err := New().Prepare(f.Context(), graders.Preparation{Files: os.DirFS(challenge), With: map[string]any{"kind": "checks"}})
	require.NoError(f, err)
	f.Add(`{"form": 0}`, `[{"cause": "n-plus-one", "file": "src/services/orders.js", "line": 1e300, "evidence": "x"}]`)
	f.Add(`{"form": -1}`, `null`)
	f.Add(`[]`, `[null, {}]`)
	f.Fuzz(func(t *testing.T, form, diagnosis string) {
		m, err := New().ReadHandIn(handIn(form, diagnosis), runOf(t, good(), nil), p.Truth)
		require.NoError(t, err)
		for name, v := range m.Values {
			assert.True(t, v >= 0 && v <= 1, "%s is %v", name, v)
		}
	})
}

func TestSettings(t *testing.T) {
	t.Parallel()
	g := New()
	used, err := g.CheckFiles(map[string]any{"kind": "checks"}, os.DirFS(challenge))
	require.NoError(t, err)
	assert.Contains(t, used, "forms/gzip-sync.txt")
	assert.Len(t, used, 18)
	used, err = g.CheckFiles(map[string]any{"kind": "load", "rate": 100, "seconds": 2, "fullSeconds": 2}, os.DirFS(challenge))
	require.NoError(t, err)
	assert.Empty(t, used)
	_, err = g.CheckFiles(map[string]any{"kind": "checks"}, os.DirFS("."))
	require.Error(t, err)
	_, err = schemas.Compile("settings", g.SettingsSchema())
	require.NoError(t, err)
	require.NoError(t, g.Check(map[string]any{"kind": "checks"}))
	require.NoError(t, g.Check(map[string]any{"kind": "load", "rate": uint64(100), "seconds": 2.5, "fullSeconds": int64(2)}))
	for want, with := range map[string]map[string]any{
		"with.kind":        {"kind": "fast"},
		"with.rate":        {"kind": "load", "rate": 5, "seconds": 2, "fullSeconds": 2},
		"with.seconds":     {"kind": "load", "rate": 100, "fullSeconds": 2},
		"with.fullSeconds": {"kind": "load", "rate": 100, "seconds": 2, "fullSeconds": "2"},
		"with.size":        {"kind": "checks", "size": 3},
	} {
		require.ErrorContains(t, g.Check(with), want)
	}
}

// TestForms says that all 256 forms can be made, and each has its four causes in places of its own.
func TestForms(t *testing.T) {
	t.Parallel()
	set, err := forms.Load(os.DirFS(challenge))
	require.NoError(t, err)
	require.Equal(t, 256, set.Count())
	known := map[string]bool{}
	for _, c := range causes() {
		known[c.name] = true
	}
	for _, name := range set.All() {
		assert.True(t, known[name], name)
	}
	assert.Len(t, set.All(), len(known))
	for form := range set.Count() {
		_, places, err := set.Form(form)
		require.NoError(t, err)
		assert.Len(t, distinct(places), 4)
	}
}

func TestAnswersAreThoseOfThePool(t *testing.T) {
	t.Parallel()
	for _, c := range pool() {
		assert.Contains(t, answers(), c.Name)
	}
	assert.Len(t, answers(), len(pool()))
}
