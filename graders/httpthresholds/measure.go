package httpthresholds

import (
	"encoding/json"
	"fmt"
	"maps"

	"github.com/assay-run/assay/graders/backends"
	"github.com/assay-run/assay/graders/heartbeat"
	"github.com/assay-run/assay/graders/httpcheck"
	"github.com/assay-run/assay/graders/httpload"
	"github.com/assay-run/assay/graders/service"
	"github.com/assay-run/assay/graders/signs"
	"github.com/assay-run/assay/internal/evidence"
)

// run is one run with everything that the judge needs.
type run struct {
	scenario string
	exec     *evidence.Execution
	facts    facts
	truth    truth
	wrong    map[int]int    // wrong answers by request
	asked    map[int]int    // answers by request
	first    map[int]string // what is wrong with the first
}

// Measure implements graders.Grader.
func (*Grader) Measure(ev evidence.Run, raw json.RawMessage) (evidence.Measures, error) {
	r := run{scenario: ev.Scenario, facts: facts{ReadyNs: -1, Ended: true}, wrong: map[int]int{}, asked: map[int]int{}, first: map[int]string{}}
	if err := json.Unmarshal(raw, &r.truth); err != nil {
		return evidence.Measures{}, fmt.Errorf("read truth of %s: %w", ev.Scenario, err)
	}
	if len(ev.Executions) != 1 || ev.Executions[0].Name != "service" {
		return evidence.Measures{}, fmt.Errorf("judge %s: the run is not of this workload", ev.Scenario)
	}
	r.exec = &ev.Executions[0]
	if len(r.exec.Facts) > 0 {
		if err := json.Unmarshal(r.exec.Facts, &r.facts); err != nil {
			return evidence.Measures{}, fmt.Errorf("read facts of %s: %w", ev.Scenario, err)
		}
	}
	r.judge()
	m := evidence.Measures{Values: map[string]float64{}}
	r.values(m.Values)
	m.Cases = r.cases()
	m.Findings = r.findings()
	return m, nil
}

// judge looks at the answers that were kept.
func (r *run) judge() {
	for _, s := range r.facts.Samples {
		if s.Request < 0 || s.Request >= len(r.truth.Requests) {
			continue
		}
		q := &r.truth.Requests[s.Request]
		vars := maps.Clone(r.facts.Vars)
		if vars == nil {
			vars = map[string]any{}
		}
		vars[httpcheck.VarI] = float64(s.Number)
		lost := ""
		if !q.good(s.Answer.Status) {
			lost = fmt.Sprintf("Status %d.", s.Answer.Status)
		} else {
			lost = q.Expect.Wrong(&s.Answer, vars, r.facts.Calls)
		}
		r.asked[s.Request]++
		if lost == "" {
			continue
		}
		if r.wrong[s.Request]++; r.wrong[s.Request] == 1 {
			r.first[s.Request] = lost
		}
	}
}

// cases are the requests of the load.
func (r *run) cases() []evidence.Case {
	var out []evidence.Case
	for i := range r.truth.Requests {
		q := &r.truth.Requests[i]
		c := evidence.Case{Name: fmt.Sprintf("%03d", i+1), Title: "The answers to " + q.Line, Weight: q.share(), Right: r.asked[i] > 0 && r.wrong[i] == 0}
		switch {
		case r.asked[i] == 0:
			c.Detail = "There was no complete answer among those that are looked at."
		case r.wrong[i] > 0:
			c.Detail = fmt.Sprintf("%d of %d answers that were looked at are wrong. The first: %s", r.wrong[i], r.asked[i], r.first[i])
		}
		out = append(out, c)
	}
	return out
}

// values are the metrics.
func (r *run) values(m map[string]float64) {
	m[metricSurvived], m[metricBefore] = 1, float64(r.facts.BeforeFailed)
	if r.death().Code != "" {
		m[metricSurvived] = 0
	}
	backends.Measure(m, r.facts.Database)
	if r.facts.ReadyNs >= 0 {
		m[metricStart] = float64(r.facts.ReadyNs)
	}
	if load := r.facts.Load; load != nil && load.Due > 0 {
		m[metricP50], m[metricP99] = float64(load.P50Ns), float64(load.P99Ns)
		m[metricP999], m[metricMax] = float64(load.P999Ns), float64(load.MaxNs)
		m[metricGoodShare] = float64(load.Good) / float64(load.Due)
		m[metricErrors] = 1 - m[metricGoodShare]
		m[metricRate], m[metricGood] = load.Rate, load.GoodRate
		if load.Good > 0 && r.exec.Usage.CPUNs > 0 {
			m[metricCPU] = float64(r.exec.Usage.CPUNs) / float64(load.Good)
		}
	} else {
		m[metricErrors], m[metricGoodShare] = 1, 0
	}
	asked, wrong := 0, 0
	for i, n := range r.asked {
		asked, wrong = asked+n, wrong+r.wrong[i]
	}
	if asked > 0 {
		m[metricRight] = 1 - float64(wrong)/float64(asked)
	}
	if len(r.facts.Calls) > 0 {
		m[metricCalls], m[metricOpen] = 0, 0
		for _, c := range r.facts.Calls {
			m[metricCalls] += float64(c.Total)
			m[metricOpen] = max(m[metricOpen], float64(c.Open))
		}
	}
	u := &r.exec.Usage
	if u.MemoryPeakBytes > 0 {
		m[metricMemPeak] = float64(u.MemoryPeakBytes)
	}
	if u.MaxThreads > 0 {
		m[metricThreads] = float64(u.MaxThreads)
	}
	heartbeat.Measure(m, r.exec.Heartbeat)
}

// hangShare is the share of the requests from which on a service that answers none of them in time hangs.
const hangShare = 0.5

// findings are the reason codes of a run.
func (r *run) findings() []evidence.Finding {
	var list []evidence.Finding
	add := func(code, detail string, at float64) {
		list = append(list, evidence.Finding{Code: code, Scenario: r.scenario, Execution: r.exec.Name, Detail: detail, AtSeconds: at})
	}
	death := r.death()
	if death.Code != "" {
		add(death.Code, death.Detail, float64(r.exec.DurationNs)/1e9)
	}
	if load := r.facts.Load; load != nil && death.Code == "" && load.Due > 0 {
		if n := load.Count[httpload.TimedOut]; float64(n) >= hangShare*float64(load.Due) {
			add(codeHang, fmt.Sprintf("%d of %d requests had no answer in their time.", n, load.Due), -1)
		}
	}
	if r.facts.BeforeFailed > 0 && death.Code == "" {
		add(codeWrongOutput, fmt.Sprintf("%d requests before the load failed. The first: %s.", r.facts.BeforeFailed, signs.Quotable(r.facts.FirstFailed)), -1)
	} else if i, ok := r.firstWrong(); ok {
		add(codeWrongOutput, fmt.Sprintf("%d of %d answers to %s that were looked at are wrong. The first: %s", r.wrong[i], r.asked[i], r.truth.Requests[i].Line, r.first[i]), -1)
	}
	if death.Code == "" && r.facts.ReadyNs >= 0 {
		if reason, at, ok := signs.Contradiction(r.exec); ok {
			add(codeTamper, reason, at)
		}
	}
	return list
}

// firstWrong is the first request with wrong answers.
func (r *run) firstWrong() (index int, ok bool) {
	for i := range r.truth.Requests {
		if r.wrong[i] > 0 {
			return i, true
		}
	}
	return 0, false
}

// death says how the service ended, when it ended before it was told to, lost a process to its memory limit, or was not ready in time.
func (r *run) death() signs.Death {
	e := r.exec
	switch {
	case e.Exit.Status == evidence.OOMKilled, e.Exit.Status == evidence.Thrashing, e.Exit.Status == evidence.NotStarted, r.facts.Ended:
		if d := signs.Diagnose(e, 0, r.truth.MemoryBytes); d.Code != "" {
			return d
		}
		return signs.Death{Code: codeCrash, Detail: fmt.Sprintf("It ended by itself after %s, with exit code 0; a service goes on.", signs.Seconds(e.DurationNs))}
	case r.facts.ReadyNs < 0:
		return signs.Death{Code: codeHang, Detail: fmt.Sprintf("GET /healthz was not answered by 200 within %.0f s of the start.", service.ReadyWithin.Seconds())}
	}
	return signs.Death{}
}
