package exportstream

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/assay-run/assay/graders/exchange"
	"github.com/assay-run/assay/graders/heartbeat"
	"github.com/assay-run/assay/graders/readers"
	"github.com/assay-run/assay/graders/service"
	"github.com/assay-run/assay/internal/evidence"
)

// run is one run with everything that the judge needs.
type run struct {
	scenario string
	exec     *evidence.Execution
	facts    facts
	truth    truth
	specs    []spec // those of the truth, and the exports of the fast client that there were
}

// Measure implements graders.Grader.
func (*Grader) Measure(ev evidence.Run, raw json.RawMessage) (evidence.Measures, error) {
	r := run{scenario: ev.Scenario, facts: facts{ReadyNs: -1, Ended: true}} // unless it was watched
	if err := json.Unmarshal(raw, &r.truth); err != nil {
		return evidence.Measures{}, fmt.Errorf("read truth of %s: %w", ev.Scenario, err)
	}
	var err error
	if r.exec, err = service.Read(&ev, execution, &r.facts); err != nil {
		return evidence.Measures{}, err
	}
	r.specs = r.truth.Specs
	for n := 0; n < maxFast && r.facts.Streams[fastSpec(n).ID] != nil; n++ {
		r.specs = append(r.specs, fastSpec(n))
	}
	return r.measure(), nil
}

func (r *run) measure() evidence.Measures {
	m := evidence.Measures{Values: map[string]float64{}}
	m.Cases = r.bytesCases()
	m.Values[metricBytes] = share(m.Cases)
	departures := r.departures()
	leaving := leavingCases(departures)
	if len(leaving) > 0 {
		m.Values[metricClosed] = share(leaving)
	}
	if r.truth.Kind == kindContract {
		failures := r.failureCases()
		m.Values[metricVisible] = share(failures)
		m.Cases = append(append(m.Cases, leaving...), failures...)
	} else {
		m.Cases = append(m.Cases, summary(leaving)...)
		r.held(&m)
		r.pace(&m)
		if !heartbeat.Measure(m.Values, r.exec.Heartbeat) {
			m.Values[heartbeat.MetricAnswered] = 0
		}
	}
	r.resources(&m)
	m.Findings = r.findings(departures)
	return m
}

func share(cases []evidence.Case) float64 {
	right, all := 0.0, 0.0
	for _, c := range cases {
		all += c.Weight
		if c.Right {
			right += c.Weight
		}
	}
	if all == 0 {
		return 0
	}
	return right / all
}

// notAsked is why a case without an answer is lost.
const notAsked = "It was not asked: the process had ended, or the time was used up."

// bytesCases are the exports that must be right, and the requests that need no source.
func (r *run) bytesCases() []evidence.Case {
	var out []evidence.Case
	if r.truth.Kind == kindContract {
		for _, c := range contractCases() {
			lost := c.judge(r.facts.Cases[c.ID])
			out = append(out, evidence.Case{Name: "request/" + c.ID, Title: c.Title, Weight: 1, Right: lost == "", Detail: lost})
		}
	}
	var fast []evidence.Case
	for i := range r.specs {
		s := &r.specs[i]
		var lost string
		switch {
		case s.Group == groupBytes || s.Group == groupAfter:
			lost = s.wholly(r.facts.Streams[s.ID])
		case s.Group.isLeaving() && r.truth.Kind == kindReaders:
			lost = s.untilLeft(r.facts.Streams[s.ID])
		default:
			continue
		}
		c := evidence.Case{Name: "export/" + s.ID, Title: s.Title, Weight: s.Weight, Right: lost == "", Detail: lost}
		if s.Group == groupFast {
			fast = append(fast, c)
			continue
		}
		out = append(out, c)
	}
	if r.truth.Kind == kindReaders {
		out = append(out, fastCase(fast))
	}
	return out
}

// fastWeight is that of the fast client: as much as several of the others, which have one each.
const fastWeight = 8

// fastCase is the judgement about all exports of the fast client. The last one, which it left, counts when it is the only one.
func fastCase(list []evidence.Case) evidence.Case {
	c := evidence.Case{Name: "export/fast", Weight: fastWeight, Right: len(list) > 0, Title: fmt.Sprintf("A fast client gets each of %d exports right and whole", len(list))}
	if len(list) == 0 {
		c.Detail = notAsked
	}
	for _, one := range list {
		if !one.Right && c.Right {
			c.Right, c.Detail = false, strings.TrimPrefix(one.Name, "export/")+": "+one.Detail
		}
	}
	return c
}

// judge says what is wrong with the answer to a case, or nothing.
func (c *contractCase) judge(a *exchange.Answer) string {
	switch {
	case a == nil:
		return notAsked
	case a.Error != "" && a.Status == 0:
		return "There was no answer: " + a.Error + "."
	case a.Status != c.status:
		return fmt.Sprintf("Status %d, expected %d.", a.Status, c.status)
	case c.status >= 400:
		return problem(a.ContentType)
	}
	return ""
}

// problem says what is wrong with the content type of an error.
func problem(contentType string) string {
	if !strings.HasPrefix(contentType, "application/problem+json") {
		return "Content type " + quoted(contentType) + ", expected application/problem+json."
	}
	return ""
}

// untilLeft says what is wrong with an export up to where its client left or its end came, or nothing.
func (s *spec) untilLeft(r *result) string {
	switch {
	case r == nil || r.Client == nil:
		return notAsked
	case r.Client.HeadNs < 0 && r.Client.End == readers.Left && s.Group != groupStalled && s.Group != groupSlow:
		return "" // it left before an answer could be expected
	case r.Client.HeadNs >= 0 && r.Client.Status != 200:
		return fmt.Sprintf("Status %d, expected 200.", r.Client.Status)
	case r.Wrong != "":
		return r.Wrong
	case r.Client.End == readers.Left && r.Client.Bytes > 0, r.Client.End == readers.Complete && r.Whole:
		return ""
	case r.Client.End == readers.Left:
		return "It was given nothing in all the time."
	}
	return s.ending(r)
}

// wholly says what is wrong with an export of which everything is wanted, or nothing.
func (s *spec) wholly(r *result) string {
	switch {
	case r == nil || r.Client == nil:
		return notAsked
	case r.Client.HeadNs >= 0 && r.Client.Status != 200:
		return fmt.Sprintf("Status %d, expected 200.", r.Client.Status)
	case r.Wrong != "":
		return r.Wrong
	case (r.Client.End == readers.Complete || r.Client.End == readers.Unframed) && !r.Whole:
		return fmt.Sprintf("It ended after %d bytes as if it were complete, but rows are missing.", r.Client.Bytes)
	case r.Client.End != readers.Complete:
		return s.ending(r)
	}
	return s.typed(r.Client.ContentType)
}

// typed says what is wrong with the content type of an export.
func (s *spec) typed(got string) string {
	want := "text/csv"
	if s.Format == formatNDJSON {
		want = "application/x-ndjson"
	}
	if kind, _, _ := strings.Cut(got, ";"); !strings.EqualFold(strings.TrimSpace(kind), want) {
		return "Content type " + quoted(got) + ", expected " + want + "."
	}
	return ""
}

// ending says how an export ended that should not have ended that way.
func (s *spec) ending(r *result) string {
	after := fmt.Sprintf(" after %d bytes", r.Client.Bytes)
	switch r.Client.End {
	case readers.Complete, readers.Unframed:
		return "It ended" + after + ", as if it were complete."
	case readers.Cut:
		return "The connection was closed" + after + ", before the end."
	case readers.Reset:
		return "The connection was reset" + after + "."
	case readers.TimedOut:
		return fmt.Sprintf("Nothing more came for %.0f s%s.", s.Script.Patience.Seconds(), after)
	case readers.Refused:
		return "There was no connection."
	case readers.Left:
		return "It had not ended when the time was used up" + after + "."
	case readers.Malformed, readers.Endless:
	}
	return "The answer is malformed" + after + "."
}

// departure is a client that left while its source had still something to say.
type departure struct {
	spec *spec
	// late is from when it left to when the last connection to its source was closed; negative when that was still open when the run
	// ended.
	late time.Duration
	// judged says that the process lived long enough afterwards to close it within leakAfter.
	judged bool
}

// departures are the clients that left. A process that ends closes everything, so those shortly before are not among them.
func (r *run) departures() []departure {
	var out []departure
	for i := range r.specs {
		s := &r.specs[i]
		st := r.facts.Streams[s.ID]
		if !s.Group.isLeaving() || st == nil || st.Client == nil || st.Client.End != readers.Left {
			continue
		}
		left := st.Client.EndedNs
		if r.facts.DiedNs >= 0 && left >= r.facts.DiedNs-int64(closeWithin) {
			continue
		}
		open, worst := 0, time.Duration(0)
		for _, c := range st.Source.Conns {
			switch {
			case c.ClosedNs > left:
				if open++; worst >= 0 {
					worst = max(worst, time.Duration(c.ClosedNs-left))
				}
			case c.ClosedNs < 0 && c.DoneNs < 0 && c.FailedNs < 0:
				open++
				worst = -1
			}
		}
		if open > 0 { // else it had no source, or needed it no more
			out = append(out, departure{spec: s, late: worst, judged: r.facts.DiedNs < 0 || left < r.facts.DiedNs-int64(leakAfter)})
		}
	}
	return out
}

// leavingCases are the departures: was the source told?
func leavingCases(list []departure) []evidence.Case {
	var out []evidence.Case
	for _, d := range list {
		c := evidence.Case{Name: "leaves/" + d.spec.ID, Title: d.spec.Title, Weight: 1, Right: d.late >= 0 && d.late <= closeWithin}
		if !c.Right {
			c.Detail = d.detail()
		}
		out = append(out, c)
	}
	return out
}

func (d *departure) detail() string {
	if d.late < 0 {
		return "The connection to the source was still open when the run ended."
	}
	return fmt.Sprintf("The connection to the source was closed %.1f s after the client had left.", d.late.Seconds())
}

// summary makes one case of many.
func summary(list []evidence.Case) []evidence.Case {
	if len(list) == 0 {
		return nil
	}
	c := evidence.Case{
		Name: "leaves", Weight: 0, Right: true, Title: fmt.Sprintf("Each of %d clients that left ended the work for it at the source", len(list)),
	}
	for _, one := range list {
		if !one.Right && c.Right {
			c.Right, c.Detail = false, strings.TrimPrefix(one.Name, "leaves/")+": "+one.Detail
		}
	}
	return []evidence.Case{c}
}

// failureCases are the sources that failed: could the client see it?
func (r *run) failureCases() []evidence.Case {
	var out []evidence.Case
	for i := range r.specs {
		s := &r.specs[i]
		if s.Group != groupFailure && s.Group != groupDown {
			continue
		}
		lost := s.failed(r.facts.Streams[s.ID])
		out = append(out, evidence.Case{Name: "failure/" + s.ID, Title: s.Title, Weight: s.Weight, Right: lost == "", Detail: lost})
	}
	return out
}

// failed says why a client could not see that the source had failed, or nothing.
func (s *spec) failed(r *result) string {
	switch {
	case r == nil || r.Client == nil:
		return notAsked
	case s.Status != 0 || s.Group == groupDown: // nothing has been sent yet, so the status can say it
		if r.Client.Status != 502 {
			if r.Client.Status == 0 {
				return "There was no answer. " + s.ending(r)
			}
			return fmt.Sprintf("Status %d, expected 502.", r.Client.Status)
		}
		return problem(r.Client.ContentType)
	case r.Client.Status >= 500, r.Client.End == readers.Cut, r.Client.End == readers.Reset:
		return ""
	case r.Client.Status != 200 && r.Client.Status != 0:
		return fmt.Sprintf("Status %d, expected one from 500 on.", r.Client.Status)
	}
	return s.ending(r)
}
