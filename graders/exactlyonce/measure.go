package exactlyonce

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/assay-run/assay/internal/evidence"
)

// run is one run with everything that the judge needs.
type run struct {
	scenario string
	lives    []evidence.Execution
	facts    facts
	plan     plan
	messages []message
	effects  []effect // by message; of good ones only
	ledgers  []*ledger
	foreign  int          // changes of rows that are none of ours
	lost     []int        // good messages that are settled and never had an effect
	believed []int        // poison messages that had an effect
	stuck    []int        // poison messages that were neither acknowledged nor put aside
	behind   map[int]bool // good messages that wait behind one of those
}

// Measure implements graders.Grader.
func (*Grader) Measure(ev evidence.Run, raw json.RawMessage) (evidence.Measures, error) {
	r := run{scenario: ev.Scenario, lives: ev.Executions}
	if err := json.Unmarshal(raw, &r.plan); err != nil {
		return evidence.Measures{}, fmt.Errorf("read truth of %s: %w", ev.Scenario, err)
	}
	if r.plan.Seconds > maxSeconds || r.plan.Rate > maxRate || len(r.plan.Seed) < 16 || len(ev.Executions) == 0 {
		return evidence.Measures{}, fmt.Errorf("judge %s: the run is not of this workload", ev.Scenario)
	}
	r.messages = r.plan.messages()
	last := &ev.Executions[len(ev.Executions)-1]
	if len(last.Facts) > 0 {
		if err := json.Unmarshal(last.Facts, &r.facts); err != nil {
			return evidence.Measures{}, fmt.Errorf("read facts of %s: %w", ev.Scenario, err)
		}
		if n := len(r.messages); len(r.facts.Acked) != n || len(r.facts.Dead) != n || len(r.facts.Deliveries) != n {
			return evidence.Measures{}, fmt.Errorf("judge %s: the facts are of another run", ev.Scenario)
		}
	} else { // it was never started
		r.facts = facts{ReadyNs: -1}
		for range r.messages {
			r.facts.Acked, r.facts.Dead, r.facts.Deliveries = append(r.facts.Acked, -1), append(r.facts.Dead, -1), append(r.facts.Deliveries, 0)
		}
	}
	r.effects = make([]effect, len(r.messages))
	return r.measure(), nil
}

func (r *run) measure() evidence.Measures {
	m := evidence.Measures{Values: map[string]float64{}}
	r.resources(&m)
	if r.facts.ReadyNs < 0 || r.facts.Database != "" {
		m.Findings = r.findings(&m)
		return m
	}
	m.Values[metricStart] = float64(r.facts.ReadyNs)
	r.read()
	r.findStuck()
	r.judgeEffects(&m)
	m.Values[metricLag] = float64(r.lag())
	m.Values[metricCrash] = r.crashRounds()
	r.judgePoison(&m)
	r.judgeIdle(&m)
	m.Findings = r.findings(&m)
	return m
}

// read lets each key's ledger read its changes.
func (r *run) read() {
	byKey, bad := make([][]int, keys), make([][]poison, keys)
	for i := range r.messages {
		switch m := &r.messages[i]; {
		case m.good:
			byKey[m.key] = append(byKey[m.key], i)
		case m.value != 0:
			bad[m.key] = append(bad[m.key], poison{message: i, value: m.value})
		}
	}
	for key, list := range byKey {
		r.ledgers = append(r.ledgers, newLedger(list, bad[key], r.messages, r.facts.Deliveries))
	}
	c := &r.facts.Changes
	for i, key := range c.Key {
		if key < 0 || key >= keys || i >= len(c.By) || i >= len(c.AtMs) {
			r.foreign++
			continue
		}
		r.ledgers[key].change(c.By[i], c.AtMs[i])
	}
	for _, l := range r.ledgers {
		l.settle(r.settled)
		for i, m := range l.messages {
			r.effects[m] = l.effects[i]
		}
		for _, p := range l.poison {
			if p.times > 0 {
				r.believed = append(r.believed, p.message)
			}
		}
	}
}

// settled says that a message was acknowledged or put aside: nobody will send it again.
func (r *run) settled(i int) bool { return r.facts.Acked[i] >= 0 || r.facts.Dead[i] >= 0 }

// findStuck finds poison that was never settled, and what had to wait for it.
func (r *run) findStuck() {
	r.behind = map[int]bool{}
	first := map[int]int{} // n of the first one by key
	for i := range r.messages {
		m := &r.messages[i]
		if !m.good && !r.settled(i) && r.facts.Deliveries[i] > 0 {
			r.stuck = append(r.stuck, i)
			if first[m.key] == 0 {
				first[m.key] = m.n
			}
		}
	}
	for i := range r.messages {
		m := &r.messages[i]
		if n := first[m.key]; n > 0 && m.n > n {
			r.behind[i] = true
		}
	}
}

// judgeEffects counts what took effect once, never, and more often.
func (r *run) judgeEffects(m *evidence.Measures) {
	good, right, twice := 0, 0, 0
	var unclear []int // missing in a row that has changes which nothing explains
	for i := range r.messages {
		if !r.messages[i].good {
			continue
		}
		good++
		switch e := r.effects[i]; {
		case e.times == 1:
			right++
		case e.times > 1:
			twice += e.times - 1
		case !r.settled(i):
		case r.ledgers[r.messages[i].key].wrong > 0:
			unclear = append(unclear, i)
		default:
			r.lost = append(r.lost, i)
		}
	}
	if twice == 0 { // else it may be what came again that makes these sums, and that is told already
		r.lost = append(r.lost, unclear...)
		slices.Sort(r.lost)
	}
	wrong, disorder := r.foreign+int(r.facts.Changes.Dropped), 0
	for _, l := range r.ledgers {
		wrong += l.wrong
		for _, i := range l.disorder {
			if m := l.messages[i]; !r.acknowledgedBefore(m) {
				disorder++
			}
		}
	}
	m.Values[metricEffects] = float64(right) / float64(max(good, 1))
	m.Values[metricLost] = float64(len(r.lost))
	m.Values[metricDuplicated] = float64(twice)
	m.Values[metricWrong] = float64(wrong)
	m.Values[metricOrder] = float64(disorder)
}

// acknowledgedBefore says that a message was acknowledged before it had its effect. The broker then gave out later ones of the key, and what
// comes of that is no fault of its own.
func (r *run) acknowledgedBefore(message int) bool {
	acked := r.facts.Acked[message]
	return acked >= 0 && acked < r.effects[message].atMs
}

// lag is from the last message to the last effect. What is lost is not late, and what waits behind poison is another fault.
func (r *run) lag() time.Duration {
	last := r.facts.PublishedMs
	for i := range r.messages {
		e := r.effects[i]
		switch {
		case !r.messages[i].good || r.behind[i]:
		case e.times > 0:
			last = max(last, e.atMs)
		case !r.settled(i):
			last = max(last, r.facts.WatchedMs)
		}
	}
	return time.Duration(last-r.facts.PublishedMs) * time.Millisecond
}

// crashRounds judges what came after each SIGKILL. A round that fell upon nothing is judged by its start alone.
func (r *run) crashRounds() float64 {
	sum := 0.0
	for _, round := range r.facts.Rounds {
		good, right := 0, 0
		for _, i := range round.Leased {
			if i < 0 || i >= len(r.messages) || !r.messages[i].good {
				continue
			}
			good++
			if r.effects[i].times == 1 {
				right++
			}
		}
		ready := oneIf(round.Ready)
		if good == 0 {
			sum += ready
			continue
		}
		sum += ready/2 + float64(right)/float64(good)/2
	}
	return sum / float64(max(len(r.plan.Kills), 1))
}

// judgePoison counts the poison messages that were put aside.
func (r *run) judgePoison(m *evidence.Measures) {
	all, aside := 0, 0
	for i := range r.messages {
		if r.messages[i].good {
			continue
		}
		all++
		if r.facts.Dead[i] >= 0 && r.facts.Acked[i] < 0 {
			aside++
		}
	}
	if len(r.believed) > 0 {
		aside = 0
	}
	m.Values[metricPoison] = float64(aside) / float64(max(all, 1))
	m.Values[metricBelieved] = float64(len(r.believed))
}

// judgeIdle looks at the time without work. Its curve is that of the last life.
func (r *run) judgeIdle(m *evidence.Measures) {
	idle := r.facts.Idle
	if idle == nil || idle.ToMs <= idle.FromMs || len(r.facts.Lives) == 0 {
		return
	}
	m.Values[metricPolls] = float64(idle.Polls) / (float64(idle.ToMs-idle.FromMs) / 1000)
	cpu := r.lives[len(r.lives)-1].Find(evidence.SeriesCPU)
	if cpu == nil {
		return
	}
	start := float64(r.facts.Lives[len(r.facts.Lives)-1].StartNs) / 1e9
	from, to := float64(idle.FromMs)/1000-start, float64(idle.ToMs)/1000-start
	sum, weight := 0.0, 0.0
	for i, t := range cpu.T {
		if t < from || t > to || i+1 >= len(cpu.T) {
			continue
		}
		width := cpu.T[i+1] - t
		sum += (cpu.Min[i] + cpu.Max[i]) / 2 * width
		weight += width
	}
	if weight > 0 {
		m.Values[metricIdle] = sum / weight
	}
}

// resources are figures of the kernel, over all lives, and of the proxy.
func (r *run) resources(m *evidence.Measures) {
	cpu, peak := int64(0), int64(0)
	for i := range r.lives {
		u := &r.lives[i].Usage
		cpu += u.CPUNs
		peak = max(peak, u.MemoryPeakBytes)
	}
	if peak > 0 {
		m.Values[metricMemPeak] = float64(peak)
	}
	m.Values[metricCPU] = float64(cpu) / float64(max(len(r.messages), 1))
	m.Values[metricConnections] = float64(r.facts.Proxy.ConnectionsMax)
	m.Values[metricStatements] = float64(r.facts.Proxy.Statements()) / float64(max(len(r.messages), 1))
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
