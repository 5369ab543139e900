package exactlyonce

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/graders/killrounds"
	"github.com/assay-run/assay/internal/evidence"
)

func testPlan(seed byte) plan {
	return makePlan(settings{seconds: 10, rate: 100, kills: 2, stall: time.Second}, slices.Repeat([]byte{seed}, 32), time.Minute)
}

func TestSettings(t *testing.T) {
	t.Parallel()
	good := map[string]any{"seconds": 12, "rate": 833.0, "kills": uint64(2), "stallMs": int64(1500)}
	require.NoError(t, New().Check(good))
	for _, bad := range []map[string]any{
		{}, {"seconds": 12, "rate": 833, "kills": 2}, {"seconds": 12.5, "rate": 833, "kills": 2, "stallMs": 0},
		{"seconds": 12, "rate": 833, "kills": 0, "stallMs": 0}, {"seconds": "12", "rate": 833, "kills": 2, "stallMs": 0},
		{"seconds": 12, "rate": 833, "kills": 2, "stallMs": 0, "keys": 3},
	} {
		require.Error(t, New().Check(bad), "%v", bad)
	}
}

func TestPlan(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := settings{
			seconds: rapid.IntRange(minSeconds, 60).Draw(t, "seconds"), rate: rapid.IntRange(minRate, 200).Draw(t, "rate"),
			kills: rapid.IntRange(1, maxKills).Draw(t, "kills"), stall: time.Duration(rapid.IntRange(0, maxStallMs).Draw(t, "stall")) * time.Millisecond,
		}
		p := makePlan(s, rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed"), time.Minute)
		require.Len(t, p.Kills, s.kills)
		end := time.Duration(s.seconds) * time.Second
		for i, k := range p.Kills {
			require.Positive(t, k.At)
			require.LessOrEqual(t, k.At+visibility+time.Second, end, "what was leased comes back in time")
			require.True(t, i == 0 || k.Applied != p.Kills[i-1].Applied, "in turn")
		}
		list := p.messages()
		require.Equal(t, list, p.messages(), "the same for driver and judge")
		require.Len(t, list, s.seconds*s.rate)
		deltas, last, poison, ids := map[[2]int64]bool{}, map[int]int{}, 0, map[string]bool{}
		for _, m := range list {
			require.Equal(t, last[m.key]+1, m.n)
			last[m.key] = m.n
			require.False(t, deltas[[2]int64{int64(m.key), m.delta}])
			deltas[[2]int64{int64(m.key), m.delta}] = true
			require.False(t, ids[m.id])
			ids[m.id] = true
			var body struct {
				Delta json.RawMessage `json:"delta"`
			}
			require.NoError(t, json.Unmarshal([]byte(m.body), &body))
			var n int64
			valid := body.Delta != nil && string(body.Delta) != "null" && json.Unmarshal(body.Delta, &n) == nil && n >= -maxDelta && n <= maxDelta
			require.Equal(t, m.good, valid, "%s", m.body)
			if !m.good {
				believed := m.value != 0 && strings.Contains(m.body, strconv.FormatInt(m.value, 10))
				require.True(t, believed || m.value == 0 && !strings.ContainsAny(m.body, "0123456789"), "%s: %d", m.body, m.value)
				poison++
			}
		}
		require.Equal(t, max(minPoison, s.seconds*s.rate/1000), poison)
	})
}

// TestLedger applies messages in any grouping, order and number, and the ledger finds out which, unless sums are beyond telling apart.
func TestLedger(t *testing.T) {
	t.Parallel()
	p := testPlan(1)
	all := p.messages()
	var list []int
	for i, m := range all {
		if m.key == 0 && m.good {
			list = append(list, i)
		}
	}
	n := len(list)
	require.Greater(t, n, 60)
	rapid.Check(t, func(t *rapid.T) {
		bad := []poison{{message: 1, value: 17 * maxDelta}, {message: 2, value: 123_456_789}}
		believed, deliveries := make([]int, len(bad)), make([]int, len(all))
		for _, m := range list {
			deliveries[m] = rapid.SampledFrom([]int{1, 1, 1, 2}).Draw(t, "deliveries")
		}
		l := newLedger(list, slices.Clone(bad), all, deliveries)
		times, last, disorder := make([]int, n), -1, 0
		change := func(sum int64, spans ...span) {
			for _, s := range spans {
				for i := s.from; i < s.to; i++ {
					sum += all[list[i]].delta
					if times[i]++; times[i] == 1 && i < last {
						disorder++
					}
				}
			}
			for _, s := range spans {
				last = max(last, s.to-1)
			}
			l.change(sum, 1)
		}
		apply := func(from, to int) { change(0, span{from, to}) }
		for at := 0; at < n; {
			step := rapid.IntRange(1, 7).Draw(t, "step")
			to := min(at+step, n)
			switch rapid.SampledFrom([]string{"next", "next", "next", "lost", "again", "swapped", "mixed", "few", "poison"}).Draw(t, "what") {
			case "next":
				apply(at, to)
			case "mixed": // some that were done, and the next ones, in one change
				from, end := rapid.IntRange(0, max(last, 0)).Draw(t, "from"), 0
				for end = from; end < at && end-from < step && deliveries[list[end]] > 1; {
					end++
				}
				since := 0
				for i := from; i < at; i++ {
					since += deliveries[list[i]] - 1
				}
				if at == last+1 && end > from && since <= mixedFew {
					change(0, span{from, end}, span{at, to})
				} else {
					apply(at, to)
				}
			case "few": // some that were given out again, and the next ones
				var some []span
				for i := at - 1; i >= 0 && at == last+1 && len(some) < mixedFew; i-- {
					if deliveries[list[i]] > 1 {
						some = append(some, span{i, i + 1})
					}
				}
				spans := []span{}
				if len(some) > 0 {
					for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, len(some)-1), 0, 4, rapid.ID).Draw(t, "done again") {
						spans = append(spans, some[i])
					}
				}
				change(0, append(spans, span{at, to})...)
			case "poison":
				i := rapid.IntRange(0, len(bad)-1).Draw(t, "bad")
				believed[i]++
				change(bad[i].value, span{at, to})
			case "again":
				apply(at, to)
				i := rapid.IntRange(0, to-1).Draw(t, "which")
				apply(i, i+1)
			case "swapped":
				for i := to - 1; i >= at; i-- {
					apply(i, i+1)
				}
			}
			at = to
		}
		for i := range times {
			require.Equal(t, times[i], l.effects[i].times, "message %d", i)
		}
		for i := range bad {
			require.Equal(t, believed[i], l.poison[i].times, "poison %d", i)
		}
		require.Len(t, l.disorder, disorder)
		require.Zero(t, l.wrong)
		l.change(maxDelta*1000+7, 0) // more than any of them
		require.Equal(t, 1, l.wrong)
	})
}

// TestLedgerSettles makes changes of messages in such a mixture that none can be explained: together they can be.
func TestLedgerSettles(t *testing.T) {
	t.Parallel()
	var all []message
	list := make([]int, 40)
	for i := range list {
		list[i] = i
		all = append(all, message{n: i + 1, delta: int64(i*i*i)*1_009 + int64(i)*7 + 3, good: true})
	}
	of := func(l *ledger, positions ...int) {
		sum := int64(0)
		for _, i := range positions {
			sum += all[i].delta
		}
		l.change(sum, 9)
	}
	mixed := func() *ledger {
		l := newLedger(list, []poison{{message: 77, value: 12 * maxDelta}, {message: 78, value: 999_999_999_999}}, all, make([]int, len(all)))
		of(l, 0, 1, 2)
		of(l, 3, 5, 8, 13)
		of(l, 4, 6, 7, 9)
		require.Equal(t, 2, l.wrong)
		return l
	}
	settled := func(last int) func(int) bool { return func(i int) bool { return i <= last } }
	times := func(l *ledger) int {
		n := 0
		for _, e := range l.effects {
			n += e.times
		}
		return n
	}
	l := mixed()
	l.settle(func(i int) bool { return i <= 9 || i == 13 })
	assert.Equal(t, 11, times(l))
	assert.Equal(t, effect{times: 1, atMs: 9}, l.effects[13])
	assert.Equal(t, 2, l.wrong, "they are no changes of consecutive messages all the same")

	l = mixed()
	l.settle(settled(13)) // of whom 10, 11 and 12 were never applied
	assert.Equal(t, 3, times(l), "what is lost is not told from what is mixed")

	l = mixed()
	of(l, 10, 12)
	l.rest += 12 * maxDelta // with poison in one of them
	of(l, 11, 14, 16)
	l.settle(func(i int) bool { return i <= 14 || i == 16 })
	assert.Equal(t, 16, times(l))
	assert.Equal(t, []int{1, 0}, []int{l.poison[0].times, l.poison[1].times})
}

// TestLedgerGivesUp does not look for explanations for ever.
func TestLedgerGivesUp(t *testing.T) {
	t.Parallel()
	all := []message{{delta: 5, good: true}, {delta: 7, good: true}}
	l := newLedger([]int{0, 1}, nil, all, []int{1, 1})
	l.budget = 3
	for range 1000 {
		l.change(100, 0)
	}
	assert.Equal(t, 1000, l.wrong)
	assert.GreaterOrEqual(t, l.budget, -2000)
}

// story is a run as it would be if all were well, to be spoiled.
type story struct {
	plan     plan
	messages []message
	facts    facts
	lives    []evidence.Execution
}

func wellDone() *story {
	p := testPlan(2)
	s := &story{plan: p, messages: p.messages()}
	s.facts = facts{
		ReadyNs: 1e8, PublishedMs: 10_000, WatchedMs: 10_500, Idle: &idle{FromMs: 11_000, ToMs: 13_000, Polls: 2},
		Lives: []killrounds.Life{{Name: "service", ReadyNs: 1e8, Killed: true}, {Name: "service-2", ReadyNs: 1e8, Killed: true, StartNs: 2e9}},
	}
	s.facts.Proxy.ConnectionsMax, s.facts.Proxy.Executes = 4, 500
	for i, m := range s.messages {
		at := int64(i * 10)
		s.facts.Deliveries = append(s.facts.Deliveries, 1)
		if !m.good {
			s.facts.Acked, s.facts.Dead = append(s.facts.Acked, -1), append(s.facts.Dead, at+5)
			continue
		}
		s.facts.Acked, s.facts.Dead = append(s.facts.Acked, at+5), append(s.facts.Dead, -1)
		s.change(m.key, m.delta, at)
	}
	for i, k := range p.Kills {
		s.facts.Rounds = append(s.facts.Rounds, round{AtMs: k.At.Milliseconds(), Applied: k.Applied, Caught: true, Ready: true, Leased: []int{100 + i, 200 + i}})
	}
	killed := evidence.Exit{Status: evidence.Signaled, Signal: "SIGKILL", Code: 137}
	for _, l := range s.facts.Lives {
		s.lives = append(s.lives, evidence.Execution{Name: l.Name, Exit: killed, DurationNs: 1e10, Usage: evidence.Usage{MemoryPeakBytes: 50 << 20, CPUNs: 1e9}})
	}
	s.lives[1].Series = []evidence.Series{{Name: evidence.SeriesCPU, T: []float64{8, 9, 10, 11, 12}, Min: []float64{1, 0, 0, 0, 1}, Max: []float64{1, 0.1, 0.1, 0.1, 1}}}
	return s
}

func (s *story) change(key int, by, at int64) {
	c := &s.facts.Changes
	c.Key, c.By, c.AtMs = append(c.Key, key), append(c.By, by), append(c.AtMs, at)
}

// unchange takes the change of a message out again.
func (s *story) unchange(message int) {
	c := &s.facts.Changes
	for i := range c.Key {
		if c.Key[i] == s.messages[message].key && c.By[i] == s.messages[message].delta {
			c.Key, c.By, c.AtMs = slices.Delete(c.Key, i, i+1), slices.Delete(c.By, i, i+1), slices.Delete(c.AtMs, i, i+1)
			return
		}
	}
}

// pick is the n-th good message of the busiest key, from the second half.
func (s *story) pick(n int) int {
	for i := len(s.messages) / 2; i < len(s.messages); i++ {
		if s.messages[i].key == 0 && s.messages[i].good {
			if n--; n < 0 {
				return i
			}
		}
	}
	return -1
}

func (s *story) measure(t *testing.T) (evidence.Measures, []string) {
	t.Helper()
	raw, err := json.Marshal(s.facts)
	require.NoError(t, err)
	s.lives[len(s.lives)-1].Facts = raw
	truth, err := json.Marshal(s.plan)
	require.NoError(t, err)
	m, err := New().Measure(evidence.Run{Scenario: "rush", Executions: s.lives}, truth)
	require.NoError(t, err)
	var codes []string
	for _, f := range m.Findings {
		codes = append(codes, f.Code)
	}
	known := map[string]bool{}
	for _, d := range New().Metrics() {
		known[d.Name] = true
	}
	for name := range m.Values {
		require.True(t, known[name], "%s is documented", name)
	}
	return m, codes
}

func TestMeasure(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		spoil func(s *story)
		codes []string
		want  map[string]float64
	}{
		"all is well": {func(*story) {}, nil, map[string]float64{
			metricEffects: 1, metricLost: 0, metricDuplicated: 0, metricOrder: 0, metricWrong: 0, metricLag: 0, metricCrash: 1, metricPoison: 1,
			metricIdle: 0.05, metricPolls: 1, metricConnections: 4, metricStatements: 0.5, metricMemPeak: 50 << 20, metricCPU: 2e6,
		}},
		"one is lost": {func(s *story) { s.unchange(s.pick(3)) }, []string{codeLost}, map[string]float64{metricLost: 1, metricOrder: 0}},
		"one was put aside for nothing": {func(s *story) {
			i := s.pick(3)
			s.unchange(i)
			s.facts.Acked[i], s.facts.Dead[i] = -1, 1
		}, []string{codeLost}, map[string]float64{metricLost: 1}},
		"one came twice":     {func(s *story) { s.change(0, s.messages[s.pick(3)].delta, 9000) }, []string{codeDuplicate}, map[string]float64{metricDuplicated: 1}},
		"a change of nobody": {func(s *story) { s.change(0, maxDelta*1000, 9000) }, []string{codeWrongOutput}, map[string]float64{metricWrong: 1}},
		"a row of nobody":    {func(s *story) { s.change(-1, 1, 9000) }, []string{codeWrongOutput}, map[string]float64{metricWrong: 1}},
		"too late, in disorder": {func(s *story) {
			i := s.pick(3)
			s.unchange(i)
			s.change(0, s.messages[i].delta, s.facts.PublishedMs+1000)
			s.facts.Acked[i] = s.facts.PublishedMs + 1001
		}, []string{codeOrder}, map[string]float64{metricOrder: 1, metricLag: 1e9}},
		"never done": {func(s *story) {
			for n := range 12 {
				i := s.pick(3 + n)
				s.unchange(i)
				s.facts.Acked[i] = -1
			}
			s.facts.WatchedMs, s.facts.Idle = s.facts.PublishedMs+6000, nil
		}, []string{codeSlow}, map[string]float64{metricLost: 0, metricLag: 6e9}},
		"two were not done": {func(s *story) {
			for n := range 2 {
				i := s.pick(3 + n)
				s.unchange(i)
				s.facts.Acked[i] = -1
			}
			s.facts.WatchedMs = s.facts.PublishedMs + 6000
		}, nil, map[string]float64{metricLag: 6e9}},
		"poison for ever": {func(s *story) {
			p := slices.IndexFunc(s.messages, func(m message) bool { return !m.good })
			s.facts.Dead[p], s.facts.Deliveries[p] = -1, 3
			for i := p + 1; i < len(s.messages); i++ {
				if s.messages[i].key == s.messages[p].key && s.messages[i].good {
					s.unchange(i)
					s.facts.Acked[i] = -1
				}
			}
			s.facts.WatchedMs = s.facts.PublishedMs + 6000
		}, []string{codeHang}, map[string]float64{metricLag: 0, metricPoison: 0.75}},
		"poison swallowed": {func(s *story) {
			p := slices.IndexFunc(s.messages, func(m message) bool { return !m.good })
			s.facts.Acked[p], s.facts.Dead[p] = s.facts.Dead[p], -1
		}, []string{codeSwallowed}, map[string]float64{metricPoison: 0.75}},
		"poison believed, with others": {func(s *story) {
			p := slices.IndexFunc(s.messages, func(m message) bool { return !m.good && m.value != 0 })
			s.facts.Acked[p], s.facts.Dead[p] = s.facts.Dead[p], -1
			next := p + 1 + slices.IndexFunc(s.messages[p+1:], func(m message) bool { return m.good && m.key == s.messages[p].key })
			for i := range s.facts.Changes.By {
				if s.facts.Changes.Key[i] == s.messages[p].key && s.facts.Changes.By[i] == s.messages[next].delta {
					s.facts.Changes.By[i] += s.messages[p].value
				}
			}
		}, []string{codeBoundary}, map[string]float64{metricPoison: 0, metricBelieved: 1, metricEffects: 1, metricLost: 0, metricWrong: 0}},
		"too many connections": {func(s *story) { s.facts.Proxy.ConnectionsMax = 11 }, []string{codePool}, nil},
		"it died":              {func(s *story) { s.facts.Lives[0].Killed = false }, []string{codeCrash}, nil},
		"it came back dead":    {func(s *story) { s.facts.Rounds[1].Ready = false; s.facts.Lives[1].ReadyNs = -1 }, []string{codeHang}, map[string]float64{metricCrash: 0.75}},
		"the database is gone": {func(s *story) { s.facts.Database = "no answer" }, []string{codeCrash}, nil},
		"it was never ready":   {func(s *story) { s.facts.ReadyNs = -1; s.facts.Lives[0].ReadyNs = -1; s.facts.Lives[1].ReadyNs = -1 }, []string{codeHang, codeHang}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := wellDone()
			tc.spoil(s)
			m, codes := s.measure(t)
			assert.Equal(t, tc.codes, codes)
			for name, want := range tc.want {
				got, ok := m.Values[name]
				assert.True(t, ok, name)
				assert.InDelta(t, want, got, 1e-9*max(1, want), name)
			}
		})
	}
}

// TestMeasureWithoutFacts judges what could not be started at all, and refuses what is not of this workload.
func TestMeasureWithoutFacts(t *testing.T) {
	t.Parallel()
	truth, err := json.Marshal(testPlan(1))
	require.NoError(t, err)
	m, err := New().Measure(evidence.Run{Executions: []evidence.Execution{{Name: "build", Exit: evidence.Exit{Status: evidence.NotStarted}}}}, truth)
	require.NoError(t, err)
	require.Len(t, m.Findings, 1)
	assert.Equal(t, codeCrash, m.Findings[0].Code)
	assert.NotContains(t, m.Values, metricEffects)
	for _, bad := range []string{"", "{}", `{"seconds":100000000,"rate":100000000,"seed":"AAAAAAAAAAAAAAAAAAAAAAAA"}`} {
		_, err = New().Measure(evidence.Run{Executions: []evidence.Execution{{}}}, json.RawMessage(bad))
		require.Error(t, err, "%q", bad)
	}
	_, err = New().Measure(evidence.Run{Executions: []evidence.Execution{{Facts: json.RawMessage(`{"acked":[1]}`)}}}, truth)
	require.Error(t, err)
}

func TestPrepare(t *testing.T) {
	t.Parallel()
	with := map[string]any{"seconds": 10, "rate": 50, "kills": 1, "stallMs": 0}
	one, err := New().Prepare(t.Context(), graders.Preparation{With: with, Seed: make([]byte, 32), Timeout: time.Minute})
	require.NoError(t, err)
	again, err := New().Prepare(t.Context(), graders.Preparation{With: with, Seed: make([]byte, 32), Timeout: time.Minute})
	require.NoError(t, err)
	assert.Equal(t, one, again)
	assert.Equal(t, one.Params, one.Truth)
	other, err := New().Prepare(t.Context(), graders.Preparation{With: with, Seed: slices.Repeat([]byte{1}, 32), Timeout: time.Minute})
	require.NoError(t, err)
	assert.NotEqual(t, one.Params, other.Params)
}
