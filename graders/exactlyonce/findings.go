package exactlyonce

import (
	"fmt"
	"slices"
	"time"

	"github.com/assay-run/assay/graders/signs"
	"github.com/assay-run/assay/internal/evidence"
)

// slowShare is the share of the messages from which on what is left in the end says that it did not keep up. Less costs points alone.
const slowShare = 0.01

// findings are the reason codes of a run.
func (r *run) findings(m *evidence.Measures) []evidence.Finding {
	var list []evidence.Finding
	last := r.lives[len(r.lives)-1].Name
	add := func(code, detail string) {
		list = append(list, evidence.Finding{Code: code, Scenario: r.scenario, Execution: last, Detail: detail, AtSeconds: -1})
	}
	list = append(list, r.deaths()...)
	if r.facts.Database != "" {
		add(codeCrash, "The database did not answer any more in the end: "+signs.Quotable(r.facts.Database))
		return list
	}
	count := func(metric string) int64 { return int64(m.Values[metric]) }
	if len(r.lost) > 0 {
		add(codeLost, fmt.Sprintf("%s messages were acknowledged and never had an effect. %s", signs.Number(int64(len(r.lost))), r.example(r.lost[0])))
	}
	if n := count(metricDuplicated); n > 0 {
		add(codeDuplicate, fmt.Sprintf("Messages had an effect %s times too often. %s", signs.Number(n), r.example(slices.IndexFunc(r.effects, func(e effect) bool { return e.times > 1 }))))
	}
	if len(r.believed) > 0 {
		i := r.believed[0]
		add(codeBoundary, fmt.Sprintf("%d poison messages had an effect. The first: message %d of %s, %s.",
			len(r.believed), r.messages[i].n, keyName(r.messages[i].key), signs.Quotable(r.messages[i].body)))
	}
	// Where messages are missing or come again, there are sums that cannot be told apart.
	if n := count(metricWrong); n > 0 && len(r.lost) == 0 && count(metricDuplicated) == 0 {
		add(codeWrongOutput, fmt.Sprintf("%s changes of rows belong to no message.", signs.Number(n)))
	}
	if n := count(metricOrder); n > 0 {
		add(codeOrder, fmt.Sprintf("%s messages had their effect after a later one of the same key.", signs.Number(n)))
	}
	if p := r.facts.Proxy; p.ConnectionsMax > contractConnections || p.Refused > 0 {
		add(codePool, fmt.Sprintf("It had up to %d connections to the database at a time (%d are allowed); %d were refused.", p.ConnectionsMax, contractConnections, p.Refused))
	}
	if waiting := r.waiting(); len(r.stuck) > 0 && waiting > 0 {
		i := r.stuck[0]
		add(codeHang, fmt.Sprintf("Poison message %d of %s was given out %d times and never put aside; %s messages behind such ones were never done.",
			r.messages[i].n, keyName(r.messages[i].key), r.facts.Deliveries[i], signs.Number(int64(waiting))))
	}
	if n := r.swallowed(); n > 0 {
		add(codeSwallowed, fmt.Sprintf("%d poison messages were acknowledged as if they had been done.", n))
	}
	if left := r.left(); r.facts.ReadyNs >= 0 && float64(left) >= slowShare*float64(len(r.messages)) {
		add(codeSlow, fmt.Sprintf("It did not keep up: %s messages were not done %.1f s after the last one had come.",
			signs.Number(int64(left)), time.Duration(m.Values[metricLag]).Seconds()))
	}
	return list
}

// deaths are the lives that ended by themselves, or never began.
func (r *run) deaths() []evidence.Finding {
	var list []evidence.Finding
	for i := range r.lives {
		e := &r.lives[i]
		var d signs.Death
		switch {
		case e.Exit.Status == evidence.OOMKilled || e.Exit.Status == evidence.Thrashing || e.Exit.Status == evidence.NotStarted:
			d = signs.Diagnose(e, 0, contractMemory)
		case i >= len(r.facts.Lives) || r.facts.Lives[i].Killed && r.facts.Lives[i].ReadyNs >= 0:
		case r.facts.Lives[i].Killed:
			d = signs.Death{Code: codeHang, Detail: "GET /healthz was not answered by 200 within 10 s of the start."}
		default:
			if d = signs.Diagnose(e, 0, contractMemory); d.Code == "" {
				d = signs.Death{Code: codeCrash, Detail: fmt.Sprintf("It ended by itself after %s, with exit code 0; a service goes on.", signs.Seconds(e.DurationNs))}
			}
		}
		if d.Code != "" {
			list = append(list, evidence.Finding{Code: d.Code, Scenario: r.scenario, Execution: e.Name, Detail: d.Detail, AtSeconds: float64(e.DurationNs) / 1e9})
		}
	}
	return list
}

// example names the first message of a kind.
func (r *run) example(i int) string {
	m := &r.messages[i]
	return fmt.Sprintf("The first: message %d of %s, given out %d times.", m.n, keyName(m.key), r.facts.Deliveries[i])
}

// waiting counts what was never done because it waits behind poison, left what was not done for any other reason.
func (r *run) waiting() int { return r.undone(true) }

func (r *run) left() int { return r.undone(false) }

func (r *run) undone(behind bool) int {
	n := 0
	for i := range r.messages {
		if r.messages[i].good && r.behind[i] == behind && r.effects[i].times == 0 && !r.settled(i) {
			n++
		}
	}
	return n
}

// swallowed counts the poison that was acknowledged and had no effect.
func (r *run) swallowed() int {
	n := 0
	for i := range r.messages {
		if !r.messages[i].good && r.facts.Acked[i] >= 0 && !slices.Contains(r.believed, i) {
			n++
		}
	}
	return n
}
