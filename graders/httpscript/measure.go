package httpscript

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/assay-run/assay/graders/backends"
	"github.com/assay-run/assay/graders/exchange"
	"github.com/assay-run/assay/graders/heartbeat"
	"github.com/assay-run/assay/graders/httpcheck"
	"github.com/assay-run/assay/graders/signs"
	"github.com/assay-run/assay/graders/stubs"
	"github.com/assay-run/assay/internal/evidence"
)

// run is one run with everything that the judge needs.
type run struct {
	scenario string
	execs    []evidence.Execution
	facts    facts
	truth    truth
	verdicts []verdict
}

// verdict is what came of one step with a request.
type verdict struct {
	step  *step
	name  string
	lost  string // empty when it is right
	code  string // when it is wrong and the service lived
	after bool   // after a kill
	// unanswered says that the first thing wrong is that there was no complete answer.
	unanswered bool
}

// Measure implements graders.Grader.
func (*Grader) Measure(ev evidence.Run, raw json.RawMessage) (evidence.Measures, error) {
	r := run{scenario: ev.Scenario, execs: ev.Executions}
	if err := json.Unmarshal(raw, &r.truth); err != nil {
		return evidence.Measures{}, fmt.Errorf("read truth of %s: %w", ev.Scenario, err)
	}
	if len(r.execs) == 0 || r.execs[0].Name != "service" {
		return evidence.Measures{}, fmt.Errorf("judge %s: the run is not of this workload", ev.Scenario)
	}
	r.facts = facts{Ended: true}
	if last := r.execs[len(r.execs)-1]; len(last.Facts) > 0 {
		r.facts = facts{}
		if err := json.Unmarshal(last.Facts, &r.facts); err != nil {
			return evidence.Measures{}, fmt.Errorf("read facts of %s: %w", ev.Scenario, err)
		}
	}
	r.judge()
	m := evidence.Measures{Values: map[string]float64{}}
	for i := range r.verdicts {
		v := &r.verdicts[i]
		m.Cases = append(m.Cases, evidence.Case{
			Name: fmt.Sprintf("%03d", i+1), Title: v.name, Weight: v.step.weight(), Right: v.lost == "", Detail: v.lost,
		})
	}
	r.values(m.Values)
	m.Findings = r.findings()
	return m, nil
}

// judge goes through the steps as the driver did.
func (r *run) judge() {
	vars := map[string]any{httpcheck.VarRun: r.truth.Run}
	killed := false
	for i := range r.truth.Steps {
		s := &r.truth.Steps[i]
		if s.Restart != "" {
			killed = true
		}
		if s.Request == "" {
			continue
		}
		vars[httpcheck.VarRound] = float64(s.Round)
		var d done
		if i < len(r.facts.Steps) {
			d = r.facts.Steps[i]
		}
		v := verdict{step: s, name: s.title(), after: killed}
		v.lost, v.code = r.answers(s, d, vars)
		v.unanswered = slices.ContainsFunc(d.Answers, func(a *exchange.Answer) bool { return a == nil || a.Error != "" })
		r.verdicts = append(r.verdicts, v)
		capture(vars, s, d.Answers)
	}
}

// title names a step in the report.
func (s *step) title() string {
	name := s.Name
	if name == "" {
		name = s.Request
	}
	if s.times() > 1 {
		name += fmt.Sprintf(" (%d times)", s.times())
	}
	if s.Round > 0 {
		name += fmt.Sprintf(" (round %d)", s.Round)
	}
	return name
}

// answers judges what a step was answered. code is the reason code when it is wrong; none when the service was gone.
func (r *run) answers(s *step, d done, vars map[string]any) (lost, code string) {
	if len(d.Answers) == 0 {
		return "It was not sent: the service did not run, or the time was used up.", ""
	}
	calls := r.seen(d.Calls)
	wrong, first := 0, ""
	for i, a := range d.Answers {
		if a == nil {
			a = &exchange.Answer{Error: exchange.Closed}
		}
		of := maps.Clone(vars)
		of[httpcheck.VarI] = float64(i + 1)
		one, oneCode := s.judge(a, of, calls)
		if one == "" {
			continue
		}
		if wrong++; wrong == 1 {
			first, code = one, oneCode
		}
	}
	if wrong == 1 && len(d.Answers) == 1 {
		return first, code
	}
	if wrong > 0 {
		return fmt.Sprintf("%d of %d answers are wrong. The first: %s", wrong, len(d.Answers), first), code
	}
	if lost := s.Expect.WrongTogether(d.Answers, vars, calls); lost != "" {
		return lost, s.wrongCode()
	}
	return "", ""
}

// seen are the calls that the upstreams had seen after a step.
func (r *run) seen(counts map[string]int) map[string]stubs.Calls {
	out := map[string]stubs.Calls{}
	for name, n := range counts {
		c := r.facts.Calls[name]
		c.Seen = c.Seen[:min(max(n, 0), len(c.Seen))]
		out[name] = c
	}
	return out
}

func (s *step) wrongCode() string {
	if s.Code != "" {
		return s.Code
	}
	return codeWrongOutput
}

// judge judges one answer.
func (s *step) judge(a *exchange.Answer, vars map[string]any, calls map[string]stubs.Calls) (lost, code string) {
	switch {
	case a.Error == exchange.TimeUsedUp:
		return fmt.Sprintf("There was no complete answer within %s.", s.within()), codeHang
	case a.Error != "":
		return "There was no complete answer: " + signs.Quotable(a.Error) + ".", s.wrongCode()
	}
	if lost := s.Expect.Wrong(a, vars, calls); lost != "" {
		return lost, s.wrongCode()
	}
	return "", ""
}

// values are the metrics.
func (r *run) values(m map[string]float64) {
	var right, all, rightAfter, allAfter float64
	m[metricWrong], m[metricFailed], m[metricSurvived] = 0, 0, 0
	for i := range r.verdicts {
		v := &r.verdicts[i]
		w := v.step.weight()
		all += w
		if v.after {
			allAfter += w
		}
		if v.lost != "" {
			m[metricWrong]++
			continue
		}
		right += w
		if v.after {
			rightAfter += w
		}
	}
	if all > 0 {
		m[metricRight] = right / all
	}
	if allAfter > 0 {
		m[metricAfterKill] = rightAfter / allAfter
	}
	if d, _ := r.death(); d.Code == "" {
		m[metricSurvived] = 1
	}
	backends.Measure(m, r.facts.Database)
	r.latencies(m)
	r.resources(m)
	if all > 0 && right == all {
		for i := range r.execs {
			m[metricCPU] += float64(r.execs[i].Usage.CPUNs)
		}
	}
}

// latencies are those of the requests that were answered.
func (r *run) latencies(m map[string]float64) {
	var took []float64
	for _, d := range r.facts.Steps {
		for _, a := range d.Answers {
			if a == nil || a.Error != "" {
				m[metricFailed]++
				continue
			}
			took = append(took, (a.Got-a.Sent)*1e9)
		}
	}
	if len(took) > 0 {
		slices.Sort(took)
		m[metricP50], m[metricP99], m[metricMax] = took[(len(took)-1)/2], took[(len(took)-1)*99/100], took[len(took)-1]
	}
	for i, ns := range r.facts.ReadyNs {
		switch {
		case ns < 0:
		case i == 0:
			m[metricStart] = float64(ns)
		default:
			m[metricRestart] = max(m[metricRestart], float64(ns))
		}
	}
	if len(r.facts.Calls) > 0 {
		m[metricCalls], m[metricOpen] = 0, 0
		for _, c := range r.facts.Calls {
			m[metricCalls] += float64(c.Total)
			m[metricOpen] = max(m[metricOpen], float64(c.Open))
		}
	}
}

// resources are figures of the kernel and of the heartbeat: the worst of all processes.
func (r *run) resources(m map[string]float64) {
	for i := range r.execs {
		e := &r.execs[i]
		if e.Usage.MemoryPeakBytes > 0 {
			m[metricMemPeak] = max(m[metricMemPeak], float64(e.Usage.MemoryPeakBytes))
		}
		if e.Usage.MaxThreads > 0 {
			m[metricThreads] = max(m[metricThreads], float64(e.Usage.MaxThreads))
		}
		one := map[string]float64{}
		if !heartbeat.Measure(one, e.Heartbeat) {
			continue
		}
		for name, v := range one {
			old, there := m[name]
			switch {
			case !there:
				m[name] = v
			case name == heartbeat.MetricAnswered:
				m[name] = min(old, v)
			default:
				m[name] = max(old, v)
			}
		}
	}
}
