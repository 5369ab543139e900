package debugservice

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

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
	wrong    []string // what is wrong, the first few
	stale    []string
	left     []remaining
}

// remaining is a cause whose check found it.
type remaining struct {
	cause  cause
	detail string
}

// Measure implements graders.Grader.
func (*Grader) Measure(ev evidence.Run, raw json.RawMessage) (evidence.Measures, error) {
	r, err := read(ev, raw)
	if err != nil {
		return evidence.Measures{}, err
	}
	return r.measure(), nil
}

// read opens a run and its truth.
func read(ev evidence.Run, raw json.RawMessage) (*run, error) {
	r := &run{scenario: ev.Scenario, facts: facts{ReadyNs: -1, Ended: true}}
	if err := json.Unmarshal(raw, &r.truth); err != nil {
		return nil, fmt.Errorf("read truth of %s: %w", ev.Scenario, err)
	}
	var err error
	if r.exec, err = service.Read(&ev, execution, &r.facts); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *run) measure() evidence.Measures {
	m := evidence.Measures{Values: map[string]float64{}}
	if r.facts.ReadyNs >= 0 {
		m.Values[metricStart] = float64(r.facts.ReadyNs)
	}
	if r.truth.Kind == kindChecks {
		r.script(&m)
		r.checks(&m)
	} else {
		r.load(&m)
	}
	if u := &r.exec.Usage; u.MaxThreads > 0 {
		m.Values[metricThreads], m.Values[metricProcesses] = float64(u.MaxThreads), float64(u.MaxProcesses)
		m.Values[metricMemPeak] = float64(u.MemoryPeakBytes)
	}
	m.Findings = r.findings()
	return m
}

// script judges the answers whose content is known, and those that must be fresh.
func (r *run) script(m *evidence.Measures) {
	right := 0
	for _, name := range slices.Sorted(maps.Keys(r.truth.Answers)) {
		lost := r.truth.Answers[name].judge(r.facts.Cases[name])
		m.Cases = append(m.Cases, evidence.Case{Name: name, Title: "The answer is what it was: " + name, Weight: 1, Right: lost == "", Detail: lost})
		if lost == "" {
			right++
		} else {
			r.wrong = append(r.wrong, name+": "+lost)
		}
	}
	r.stale = r.facts.Fresh.stale()
	kept := 0.0
	if r.facts.AuditAsked > 0 {
		kept = float64(r.facts.Audited) / float64(r.facts.AuditAsked)
	}
	if kept < 1 {
		r.wrong = append(r.wrong, fmt.Sprintf("Of %d requests %d were in the audit log.", r.facts.AuditAsked, r.facts.Audited))
	}
	for _, c := range []evidence.Case{
		{Name: "audit", Title: "Every request of the script is in the audit log within 2 s", Right: kept == 1},
		{Name: "fresh", Title: "A changed price, rate or stock is seen by the next request", Right: len(r.stale) == 0, Detail: strings.Join(r.stale, " ")},
	} {
		c.Weight = 1
		m.Cases = append(m.Cases, c)
	}
	m.Values[metricRight] = float64(right) / float64(max(len(r.truth.Answers), 1))
	m.Values[metricWrong] = float64(len(r.wrong))
	m.Values[metricStale] = float64(len(r.stale))
	m.Values[metricAudited] = kept
}

// judge says what is wrong with an answer; empty for nothing.
func (k known) judge(s *seen) string {
	switch {
	case s == nil:
		return "It was not asked: the process had ended, or the time was used up."
	case s.Error != "":
		return "There was no answer: " + s.Error + "."
	case s.Status != k.Status:
		return fmt.Sprintf("Status %d, expected %d.", s.Status, k.Status)
	case s.Type != k.Type:
		return fmt.Sprintf("Content type %s, expected %s.", strconv.Quote(signs.Quotable(s.Type)), k.Type)
	case s.Digest != k.Digest:
		return fmt.Sprintf("The content differs. It begins %s, expected %s.", strconv.Quote(s.Text), strconv.Quote(k.Text))
	}
	return ""
}

// checks judges the readings.
func (r *run) checks(m *evidence.Measures) {
	for _, c := range causes() {
		lost := c.judge(r.facts.Checks[c.name])
		m.Cases = append(m.Cases, evidence.Case{Name: "cause/" + c.name, Title: c.name + " is gone", Right: lost == "", Weight: 1, Detail: lost})
		if lost != "" {
			r.left = append(r.left, remaining{c, lost})
		}
	}
	m.Values[metricRemaining] = float64(len(r.left))
}

// judge says why the cause is still there; empty when it is gone.
func (c cause) judge(v *reading) string {
	switch {
	case v == nil:
		return "It was not checked: the process had ended, or the time was used up."
	case v.Failed != "":
		return "It could not be checked: " + v.Failed + "."
	case v.Base <= 0:
		return "It could not be checked: what it is compared with took no time."
	}
	figure := v.Value / v.Base
	if c.least && figure >= c.limit || !c.least && figure <= c.limit {
		return ""
	}
	bound := "at most"
	if c.least {
		bound = "at least"
	}
	return fmt.Sprintf(c.what, strconv.FormatFloat(figure, 'g', 3, 64)) + fmt.Sprintf(" (%s %g).", bound, c.limit)
}

// load judges the figures of the load.
func (r *run) load(m *evidence.Measures) {
	wrong := 0
	f := r.facts.Load
	if f == nil {
		m.Values[metricWrong] = 0
		return
	}
	forgiven := map[string]bool{}
	for _, c := range pool() {
		forgiven[c.Name] = c.forgiving()
	}
	for _, name := range slices.Sorted(maps.Keys(f.Answers)) {
		if forgiven[name] {
			continue // the script has them
		}
		want := asKnown
		if k, recorded := r.truth.Answers[name]; recorded {
			want = fmt.Sprintf("%d %s", k.Status, k.Digest)
		}
		for _, got := range slices.Sorted(maps.Keys(f.Answers[name])) {
			if got != want {
				wrong += f.Answers[name][got]
				r.wrong = append(r.wrong, fmt.Sprintf("%s was answered %s times otherwise than it must, with status %s.", name,
					signs.Number(int64(f.Answers[name][got])), strconv.Quote(signs.Quotable(got[:min(len(got), 3)]))))
			}
		}
	}
	m.Values[metricWrong] = float64(wrong)
	m.Values[metricP50], m.Values[metricP95] = float64(f.P50Ns), float64(f.P95Ns)
	if f.FullSeconds > 0 {
		m.Values[metricRate] = float64(f.FullGood) / f.FullSeconds
	}
	if n := f.Good + f.FullGood; n > 0 {
		m.Values[metricCPU] = float64(r.exec.Usage.CPUNs) / float64(n)
	}
}
