package resilienthome

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
)

// codes are the reason codes of a run, sorted.
func codes(m evidence.Measures) []string {
	list := []string{}
	for _, f := range m.Findings {
		list = append(list, f.Code)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// behaviour is what a made-up submission does, in the terms of the log. The zero value is a good one.
type behaviour struct {
	delays      policy // before retries; nil for full jitter
	tries       int    // calls a page may cost; 0 for three
	noBreaker   bool
	noRetries   bool
	holds       bool // calls are never closed
	hangs       bool // pages wait for ever
	noFallback  bool
	swallows    bool
	badErrors   bool
	madeUp      bool
	unlabelled  bool
	repeats     bool // plays
	forgets     bool // plays
	pretends    bool // plays
	ignores     bool // Retry-After
	neverCloses bool
	unused      bool          // recs is never called
	late        time.Duration // of every answer
}

// world makes the facts of a run with a behaviour.
type world struct {
	b    behaviour
	p    plan
	rng  *rand.Rand
	f    facts
	list []callFact
}

type callFact struct {
	service, request, play, arrived, ended, status int64
	how                                            int64
}

// The numbers of ends.
const (
	howAnswered = 1
	howReset    = 2
	howGone     = 3
	howClosed   = 4
)

func newWorld(b behaviour) *world {
	w := &world{b: b, p: newPlan(1), rng: rand.New(rand.NewPCG(1, 2))}
	w.f = facts{ReadyNs: 1e8, BeginNs: 4e8, Open: map[string]map[string]int{phaseHang: {recs: 42}}}
	seed := []byte("0123456789abcdef0123456789abcdef")
	due := schedule(seed, w.p, rate).Due()
	for i, v := range visits(seed, w.p, due) {
		if v.kind == isPlay {
			w.play(int64(i), due[i])
		} else {
			w.page(int64(i), v.kind, due[i])
		}
	}
	slices.SortStableFunc(w.list, func(a, b callFact) int { return int(a.arrived - b.arrived) })
	for _, c := range w.list {
		k := &w.f.Calls
		k.Service, k.Request, k.Play = append(k.Service, c.service), append(k.Request, c.request), append(k.Play, c.play)
		k.Arrived, k.Ended = append(k.Arrived, c.arrived), append(k.Ended, c.ended)
		k.Status, k.How = append(k.Status, c.status), append(k.How, c.how)
	}
	return w
}

func (w *world) call(service string, request, arrived, took, status, how int64) int64 {
	ended := arrived + took
	if took < 0 {
		ended = -1
	}
	w.list = append(w.list, callFact{service: index(service), request: request, arrived: arrived, ended: ended, status: status, how: how})
	return ended
}

func (w *world) request(kind int64, at time.Duration, took time.Duration, status int64, f flags) {
	r := &w.f.Requests
	r.Kind, r.Intended, r.Sent = append(r.Kind, kind), append(r.Intended, micro(at)), append(r.Sent, micro(at))
	took += w.b.late
	r.Got, r.Latency = append(r.Got, micro(at+took)), append(r.Latency, micro(took))
	r.Status, r.Cut, r.Twice, r.Flags = append(r.Status, status), append(r.Cut, 0), append(r.Twice, 0), append(r.Flags, int64(f))
}

// page is one page and its calls.
func (w *world) page(i, kind int64, at time.Duration) {
	who := i
	if kind == isRegular {
		who = -1
	}
	t := at.Microseconds() + 1000
	f, status, took := fullPage, int64(200), 20*time.Millisecond
	busy := w.p.phase(phaseRetryAfter)
	// The first 503 ends 20 ms after the phase has begun; two seconds later one more is asked for, when the service is well.
	paused := at >= busy.From+20*time.Millisecond && at < busy.From+2050*time.Millisecond
	switch {
	case at >= busy.From && at < busy.To && (!paused || w.b.ignores):
		w.call(profiles, who, t, 15_000, 503, howAnswered)
		status, f = 503, isProblem
	case paused:
		status, f = 503, isProblem
	default:
		w.call(profiles, who, t, 15_000, 200, howAnswered)
	}
	if status == 503 && w.b.swallows {
		status, f = 200, isPage|hasRecs|rightRecs|hasTests|rightTests
	}
	if status == 503 && w.b.badErrors {
		f = 0
	}
	w.call(tests, who, t, 15_000, 200, howAnswered)
	if garbage := w.p.phase(phaseGarbage); at >= garbage.From && at < garbage.To && status == 200 {
		f = f&^(hasTests|rightTests) | saysTests
	}
	good, waited := false, time.Duration(0)
	if !w.b.unused {
		good, waited = w.recs(who, at, t)
	}
	took = max(took, waited)
	if !good && status == 200 {
		f = f&^(hasRecs|rightRecs) | saysRecs
		if w.b.noFallback {
			status, f = 502, isProblem
		}
		if hang := w.p.phase(phaseHang); w.b.hangs && at >= hang.From && at < hang.To {
			status, f, took = 0, 0, clientWithin
		}
	}
	if w.b.madeUp {
		f &^= rightProfile
	}
	if w.b.unlabelled && kind == isRegular && status == 200 && f&hasRecs != 0 {
		f |= oldRecs
	}
	w.request(kind, at, took, status, f)
}

// recs are the calls of a page to recs: whether one succeeded, and when that was known.
func (w *world) recs(who int64, at time.Duration, t int64) (good bool, waited time.Duration) {
	hang, dead := w.p.phase(phaseHang), w.p.phase(phaseDead)
	open := !w.b.noBreaker && (at >= hang.From+500*time.Millisecond && at < hang.To || at >= dead.From+400*time.Millisecond && at < dead.To+300*time.Millisecond)
	open = open || w.b.neverCloses && at > hang.From+500*time.Millisecond
	if open {
		return false, time.Millisecond
	}
	tries := w.b.tries
	switch {
	case w.b.noRetries:
		tries = 1
	case tries == 0:
		tries = mostTries
	}
	delays := w.b.delays
	if delays == nil {
		delays = full(80)
	}
	first, second := delays(w.rng)
	next := t
	for n := range tries {
		phase := w.p.at(time.Duration(next) * time.Microsecond).Name
		took, status, how := w.answer(phase, next)
		ended := w.call(recs, who, next, took, status, how)
		if ended < 0 {
			return false, 260 * time.Millisecond
		}
		if status == 200 {
			return true, time.Duration(ended-t) * time.Microsecond
		}
		delay := first
		if n > 0 {
			delay = second
		}
		next = ended + observed(w.rng, delay, 2)
		if next-t > 500_000 { // the budget
			break
		}
	}
	return false, time.Duration(next-t) * time.Microsecond
}

// answer is what recs does with a call: how long that takes, its status, and how it ends.
func (w *world) answer(phase string, at int64) (took, status, how int64) {
	switch phase {
	case phaseErrors:
		if w.rng.Float64() < errorShare {
			return 15_000, 500, howAnswered
		}
	case phaseTogether:
		for _, t := range w.p.Together {
			if left := t.Microseconds() - at; left > 0 && left <= togetherHeld.Microseconds() {
				return left, 500, howAnswered
			}
		}
	case phaseHang:
		if w.b.holds || w.b.hangs {
			return -1, 0, howClosed
		}
		return 250_000, 0, howGone
	case phaseDead:
		return 6_000, 0, howReset
	}
	return 15_000, 200, howAnswered
}

// play is one play and its calls.
func (w *world) play(i int64, at time.Duration) {
	t := at.Microseconds() + 1000
	pass := func(at, status, how int64) {
		w.list = append(w.list, callFact{service: index(profiles), request: i, play: 1, arrived: at, ended: at + 10_000, status: status, how: how})
	}
	if w.b.forgets {
		w.request(isPlay, at, time.Millisecond, 201, 0)
		return
	}
	cut := w.p.at(at).Name == phaseRecovery && w.rng.Float64() < cutShare
	switch {
	case !cut:
		pass(t, 201, howAnswered)
		w.request(isPlay, at, 15*time.Millisecond, 201, rightPlay)
	case w.b.repeats:
		pass(t, 0, howReset)
		pass(t+50_000, 201, howAnswered)
		w.request(isPlay, at, 70*time.Millisecond, 201, rightPlay)
	case w.b.pretends:
		pass(t, 0, howReset)
		w.request(isPlay, at, 15*time.Millisecond, 201, 0)
	default:
		pass(t, 0, howReset)
		w.request(isPlay, at, 15*time.Millisecond, 503, isProblem)
	}
}

// judged is what the grader makes of facts.
func judged(t *testing.T, k kind, f facts, change func(*evidence.Execution)) evidence.Measures {
	t.Helper()
	raw, err := json.Marshal(f)
	require.NoError(t, err)
	e := evidence.Execution{Name: execution, Exit: evidence.Exit{Status: evidence.Signaled, Signal: "SIGKILL", Code: 137}, DurationNs: 30e9, Facts: raw}
	e.Usage = evidence.Usage{MemoryPeakBytes: 90 << 20, CPUNs: 6e9}
	if change != nil {
		change(&e)
	}
	tr, err := json.Marshal(truth{Kind: k, Scale: 1})
	require.NoError(t, err)
	m, err := New().Measure(evidence.Run{Scenario: string(k), Executions: []evidence.Execution{e}}, tr)
	require.NoError(t, err)
	return m
}

func TestGoodRun(t *testing.T) {
	t.Parallel()
	m := judged(t, kindOutages, newWorld(behaviour{}).f, nil)
	assert.Empty(t, codes(m), "%v", m.Findings)
	v := m.Values
	assert.InDelta(t, 1, v[metricPagesRight], 0, "%v", m.Cases)
	assert.InDelta(t, 1, v[metricAvailability], 0)
	assert.InDelta(t, 1, v[metricPlaysRight], 0)
	assert.InDelta(t, 0, v[metricPlaysTwice], 0)
	assert.InDelta(t, 1.39, v[metricAmplification], 0.03, "two retries")
	assert.InDelta(t, 3, v[metricTries], 0)
	assert.InDelta(t, 1, v[metricRetried], 0)
	assert.InDelta(t, 0, v[metricOutageCalls], 0)
	assert.InDelta(t, 2, v[metricGrowth], 0.5)
	assert.InDelta(t, 0.74, v[metricSpread], 0.2)
	assert.Less(t, v[metricPeak], 0.45)
	assert.InDelta(t, 43e6, v[metricGapFirst], 15e6)
	assert.InDelta(t, 83e6, v[metricGapSecond], 30e6)
	assert.InDelta(t, 0, v[metricEarly], 0)
	assert.InDelta(t, 0, v[metricHeld], 0)
	assert.InDelta(t, 42, v[metricSockets], 0)
	assert.InDelta(t, 315e6, v[metricRecovery], 30e6, "the breaker closes after 300 ms")
	assert.Less(t, v[metricP99], 850e6)
	assert.Positive(t, v[metricP50])
	assert.InDelta(t, 90<<20, v[metricMemPeak], 0)
	assert.InDelta(t, 6e9/float64(len(newWorld(behaviour{}).f.Requests.Kind)), v[metricCPU], 1)
	assert.InDelta(t, 2.7, v[metricCallsRequest], 0.4)
	assert.InDelta(t, 1e8, v[metricStart], 0)
	for _, c := range m.Cases {
		assert.True(t, c.Right, "%s: %s", c.Name, c.Detail)
	}
}

func TestEveryMetricIsDocumented(t *testing.T) {
	t.Parallel()
	documented := map[string]bool{}
	for _, d := range New().Metrics() {
		documented[d.Name] = false
	}
	for _, m := range []evidence.Measures{judged(t, kindOutages, newWorld(behaviour{}).f, nil), judged(t, kindContract, facts{}, nil)} {
		for name := range m.Values {
			assert.Contains(t, documented, name)
			documented[name] = true
		}
	}
	for name, seen := range documented {
		assert.True(t, seen, "%s is never measured", name)
	}
}

// TestBehaviours has one fault each: the codes are exactly those of the fault.
func TestBehaviours(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		b     behaviour
		codes []string
		check func(t *testing.T, v map[string]float64)
	}{
		{"no jitter", behaviour{delays: exponential(80)}, []string{codeNoJitter}, func(t *testing.T, v map[string]float64) {
			assert.Less(t, v[metricSpread], 0.06)
			assert.Greater(t, v[metricPeak], 0.75)
			assert.Greater(t, v[metricGrowth], 1.5)
		}},
		{"no backoff", behaviour{delays: func(*rand.Rand) (float64, float64) { return 80, 60 }}, []string{codeNoBackoff, codeNoJitter}, nil},
		{"at once", behaviour{delays: fixed(0)}, []string{codeNoBackoff}, func(t *testing.T, v map[string]float64) {
			assert.InDelta(t, 0, v[metricSpread], 0)
			assert.InDelta(t, 1, v[metricGrowth], 0)
		}},
		{"decorrelated", behaviour{delays: decorrelated(40)}, []string{}, nil},
		{"one retry", behaviour{tries: 2}, []string{}, func(t *testing.T, v map[string]float64) {
			assert.InDelta(t, 1.3, v[metricAmplification], 0.02)
			assert.NotContains(t, v, metricGrowth, "nothing to see")
			assert.Contains(t, v, metricSpread)
		}},
		{"no retries", behaviour{noRetries: true}, []string{}, func(t *testing.T, v map[string]float64) {
			assert.InDelta(t, 0, v[metricRetried], 0)
			assert.InDelta(t, 0, v[metricSpread], 0)
			assert.InDelta(t, 0, v[metricGrowth], 0)
			assert.InDelta(t, 1, v[metricPeak], 0)
			assert.InDelta(t, 1, v[metricAmplification], 0.01)
		}},
		{"storm", behaviour{tries: 12, noBreaker: true, delays: atRandom(40)}, []string{codeRetryStorm}, func(t *testing.T, v map[string]float64) {
			assert.InDelta(t, 12, v[metricTries], 0)
		}},
		{"storm behind a breaker", behaviour{tries: 12, delays: atRandom(40)}, []string{codeRetryStorm}, nil},
		{"no breaker", behaviour{noBreaker: true}, []string{codeNoBreaker}, func(t *testing.T, v map[string]float64) {
			assert.InDelta(t, 3, v[metricOutageCalls], 0.3)
		}},
		{"the breaker never closes", behaviour{neverCloses: true}, []string{}, func(t *testing.T, v map[string]float64) {
			assert.InDelta(t, 7e9, v[metricRecovery], 1)
		}},
		{"holds calls", behaviour{holds: true}, []string{codeLeak}, func(t *testing.T, v map[string]float64) {
			assert.InDelta(t, 1, v[metricHeld], 0)
		}},
		{"hangs", behaviour{hangs: true, noBreaker: true}, []string{codeHang, codeNoBreaker}, func(t *testing.T, v map[string]float64) {
			assert.InDelta(t, float64(clientWithin), v[metricP99], 0)
			assert.Less(t, v[metricAvailability], 0.95)
		}},
		{"no fallback", behaviour{noFallback: true}, []string{codeNoFallback}, func(t *testing.T, v map[string]float64) {
			assert.Less(t, v[metricAvailability], 0.8)
			assert.Less(t, v[metricPagesRight], 0.9)
		}},
		{"swallows the profile", behaviour{swallows: true}, []string{codeErrorSwallowed}, func(t *testing.T, v map[string]float64) {
			assert.InDelta(t, 1, v[metricAvailability], 0, "those pages are not asked of it")
			assert.Less(t, v[metricPagesRight], 1.0)
		}},
		{"errors of its own form", behaviour{badErrors: true}, []string{codeBadErrors}, nil},
		{"makes pages up", behaviour{madeUp: true}, []string{codeErrorSwallowed, codeWrongOutput}, func(t *testing.T, v map[string]float64) {
			assert.InDelta(t, 0, v[metricAvailability], 0)
		}},
		{"old recommendations, unlabelled", behaviour{unlabelled: true}, []string{codeStaleRead}, nil},
		{"repeats plays", behaviour{repeats: true}, []string{codeDuplicateEffect, codeRetryUnsafe}, func(t *testing.T, v map[string]float64) {
			assert.Positive(t, v[metricPlaysTwice])
			assert.Less(t, v[metricPlaysRight], 0.95)
		}},
		{"forgets plays", behaviour{forgets: true}, []string{codeLostEffect}, func(t *testing.T, v map[string]float64) {
			assert.InDelta(t, 0, v[metricPlaysRight], 0)
		}},
		{"says that a play was taken", behaviour{pretends: true}, []string{codeErrorSwallowed}, nil},
		{"ignores Retry-After", behaviour{ignores: true}, []string{}, func(t *testing.T, v map[string]float64) {
			assert.Greater(t, v[metricEarly], 0.8)
		}},
		{"recs are never asked", behaviour{unused: true}, []string{}, func(t *testing.T, v map[string]float64) {
			assert.NotContains(t, v, metricOutageCalls, "that is no merit")
			assert.NotContains(t, v, metricAmplification)
			assert.NotContains(t, v, metricHeld)
			assert.Contains(t, v, metricEarly, "profile was asked")
			assert.Equal(t, [...]float64{0, 0, 1}, [...]float64{v[metricGrowth], v[metricSpread], v[metricPeak]})
			assert.InDelta(t, 7e9, v[metricRecovery], 1)
		}},
		{"late", behaviour{late: 900 * time.Millisecond}, []string{}, func(t *testing.T, v map[string]float64) {
			assert.Greater(t, v[metricP50], 900e6)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := judged(t, kindOutages, newWorld(tt.b).f, nil)
			assert.Equal(t, tt.codes, codes(m), "%v", m.Findings)
			if tt.check != nil {
				tt.check(t, m.Values)
			}
		})
	}
}

// TestTooFewGapsAreNotAssessed: a breaker that opens at once leaves nothing to say about jitter, and nothing is said.
func TestTooFewGapsAreNotAssessed(t *testing.T) {
	t.Parallel()
	w := newWorld(behaviour{delays: exponential(80)})
	pages := map[int64]int{}
	var again []int64
	for i := range w.f.Calls.len() {
		n := w.f.Calls.Request[i]
		if n < 0 || w.f.Calls.Service[i] != index(recs) {
			continue
		}
		if pages[n]++; pages[n] == 2 {
			again = append(again, n)
		}
	}
	for i := range w.f.Calls.len() { // all but 35 of the pages with a second call have none at all
		if slices.Contains(again[35:], w.f.Calls.Request[i]) {
			w.f.Calls.Request[i] = -2
		}
	}
	m := judged(t, kindOutages, w.f, nil)
	assert.Empty(t, codes(m), "%v", m.Findings)
	for _, name := range []string{metricSpread, metricGrowth, metricPeak} {
		assert.NotContains(t, m.Values, name)
	}
	assert.InDelta(t, 1, m.Values[metricRetried], 0)
}

// TestContractFindings has answers to single requests that show a habit.
func TestContractFindings(t *testing.T) {
	t.Parallel()
	good := func() map[string]*answer {
		all := map[string]*answer{}
		for _, c := range contractCases() {
			a := &answer{Status: c.want.status[0], Flags: c.want.flags, Ms: 20}
			a.Calls = max(c.want.calls, 0)
			all[c.ID] = a
		}
		return all
	}
	for _, tt := range []struct {
		name   string
		change func(all map[string]*answer)
		codes  []string
		right  float64
	}{
		{"good", func(map[string]*answer) {}, []string{}, 1},
		{"one page failed", func(all map[string]*answer) { all["recs-500"].Status = 503 }, []string{}, 30.0 / 32},
		{"two pages failed", func(all map[string]*answer) { all["recs-500"].Status, all["ab-500"].Status = 503, 503 }, []string{codeNoFallback}, 29.0 / 32},
		{"a page without profile", func(all map[string]*answer) { all["profile-500"].Status = 200 }, []string{codeErrorSwallowed}, 30.0 / 32},
		{"a play twice", func(all map[string]*answer) { all["play-cut"].Calls = 2 }, []string{codeRetryUnsafe}, 31.0 / 32},
		{"no answers", func(all map[string]*answer) {
			for _, id := range []string{"recs-hang", "profile-hang"} {
				*all[id] = answer{Error: "the time was used up", Ms: 3001}
			}
		}, []string{codeHang}, 29.0 / 32},
	} {
		f := facts{ReadyNs: 1e8, Cases: good()}
		tt.change(f.Cases)
		m := judged(t, kindContract, f, nil)
		assert.Equal(t, tt.codes, codes(m), tt.name)
		assert.InDelta(t, tt.right, m.Values[metricCasesRight], 1e-9, tt.name)
	}
}

func TestDeath(t *testing.T) {
	t.Parallel()
	good := newWorld(behaviour{}).f
	ended := good
	ended.Ended = true
	for _, tt := range []struct {
		name  string
		f     facts
		exit  evidence.Exit
		codes []string
	}{
		{"crash", ended, evidence.Exit{Status: evidence.Exited, Code: 1}, []string{codeCrash}},
		{"ended by itself", ended, evidence.Exit{Status: evidence.Exited}, []string{codeCrash}},
		{"out of memory", ended, evidence.Exit{Status: evidence.OOMKilled, Code: 137}, []string{"OOM_CGROUP"}},
		{"never ready", facts{ReadyNs: -1}, evidence.Exit{Status: evidence.Signaled, Signal: "SIGKILL"}, []string{codeHang}},
	} {
		m := judged(t, kindOutages, tt.f, func(e *evidence.Execution) { e.Exit = tt.exit })
		assert.Equal(t, tt.codes, codes(m), tt.name)
	}
	m := judged(t, kindOutages, facts{}, func(e *evidence.Execution) { e.Facts = nil })
	assert.Equal(t, []string{codeCrash}, codes(m), "no facts")
	assert.NotContains(t, m.Values, metricStart)
}

func TestForeignFactsAreRefused(t *testing.T) {
	t.Parallel()
	measure := func(e evidence.Execution, tr string) error {
		_, err := New().Measure(evidence.Run{Scenario: "x", Executions: []evidence.Execution{e}}, json.RawMessage(tr))
		return err
	}
	ok := `{"kind":"outages","scale":1}`
	require.NoError(t, measure(evidence.Execution{Name: execution, Facts: json.RawMessage(`{}`)}, ok))
	require.ErrorContains(t, measure(evidence.Execution{Name: "main"}, ok), "not of this workload")
	require.ErrorContains(t, measure(evidence.Execution{Name: execution}, `[]`), "truth")
	require.ErrorContains(t, measure(evidence.Execution{Name: execution}, `{"scale":99}`), "scale")
	require.ErrorContains(t, measure(evidence.Execution{Name: execution, Facts: json.RawMessage(`[]`)}, ok), "facts")
	require.ErrorContains(t, measure(evidence.Execution{Name: execution, Facts: json.RawMessage(`{"requests":{"kind":[1]}}`)}, ok), "fit")
	require.ErrorContains(t, measure(evidence.Execution{Name: execution, Facts: json.RawMessage(
		`{"calls":{"service":[9],"request":[-1],"play":[0],"arrived":[0],"ended":[0],"status":[0],"how":[0]}}`)}, ok), "fit")
}

func TestColumnsTravel(t *testing.T) {
	t.Parallel()
	c := column{5, 5, -1, 1 << 50, 0}
	b, err := json.Marshal(c)
	require.NoError(t, err)
	assert.Equal(t, "[5,0,-6,1125899906842625,-1125899906842624]", string(b))
	var back column
	require.NoError(t, json.Unmarshal(b, &back))
	assert.Equal(t, c, back)
	require.Error(t, json.Unmarshal([]byte(`{}`), &back))
}
