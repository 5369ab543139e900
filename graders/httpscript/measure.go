package httpscript

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-run/assay/graders/condition"
	"github.com/assay-run/assay/graders/exchange"
	"github.com/assay-run/assay/graders/heartbeat"
	"github.com/assay-run/assay/graders/signs"
	"github.com/assay-run/assay/graders/stubs"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/schemas"
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
	vars := map[string]any{varRun: r.truth.Run}
	killed := false
	for i := range r.truth.Steps {
		s := &r.truth.Steps[i]
		if s.Restart != "" {
			killed = true
		}
		if s.Request == "" {
			continue
		}
		vars[varRound] = float64(s.Round)
		var d done
		if i < len(r.facts.Steps) {
			d = r.facts.Steps[i]
		}
		v := verdict{step: s, name: s.title(), after: killed}
		v.lost, v.code = r.answers(s, d, vars)
		v.unanswered = slices.ContainsFunc(d.Answers, func(a *exchange.Answer) bool { return a == nil || a.Error != "" })
		r.verdicts = append(r.verdicts, v)
		if len(d.Answers) > 0 && d.Answers[0] != nil {
			capture(vars, s, d.Answers[0])
		}
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
		of[varI] = float64(i + 1)
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
	if s.Expect != nil && s.Expect.All != "" {
		if lost := s.all(d.Answers, vars, calls); lost != "" {
			return lost, s.wrongCode()
		}
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
	e := s.Expect
	if e == nil {
		if a.Status >= 500 {
			return fmt.Sprintf("Status %d.%s", a.Status, saying(a)), s.wrongCode()
		}
		return "", ""
	}
	of := answerVars(a, vars, calls)
	for _, look := range []func() string{
		func() string { return e.status(a) },
		func() string { return e.headers(a, vars) },
		func() string { return e.json(of, vars) },
		func() string { return e.schema(a) },
		func() string { return e.that(of) },
	} {
		if lost := look(); lost != "" {
			return lost, s.wrongCode()
		}
	}
	return "", ""
}

// saying quotes the body of an answer.
func saying(a *exchange.Answer) string {
	if a.Body == "" {
		return ""
	}
	return " It said " + quoted(a.Body) + "."
}

func (e *expect) status(a *exchange.Answer) string {
	var allowed []any
	switch want := e.Status.(type) {
	case nil:
		return ""
	case []any:
		allowed = want
	default:
		allowed = []any{want}
	}
	var words []string
	for _, want := range allowed {
		switch want := want.(type) {
		case float64:
			if a.Status == int(want) {
				return ""
			}
			words = append(words, strconv.Itoa(int(want)))
		case string:
			if strings.HasPrefix(want, strconv.Itoa(a.Status/100)) {
				return ""
			}
			words = append(words, want)
		}
	}
	return fmt.Sprintf("Status %d, expected %s.%s", a.Status, strings.Join(words, " or "), saying(a))
}

func (e *expect) headers(a *exchange.Answer, vars map[string]any) string {
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		got, there := a.Headers[name]
		if !there {
			return fmt.Sprintf("There is no header %s.", name)
		}
		if pattern, ok := regular(e.Headers[name]); ok {
			if re, err := regexp.Compile(pattern); err != nil || !re.MatchString(got) {
				return fmt.Sprintf("The header %s is %s, which does not match %s.", name, quoted(got), quoted(pattern))
			}
			continue
		}
		if want := fill(e.Headers[name], vars); got != want {
			return fmt.Sprintf("The header %s is %s, expected %s.", name, quoted(got), quoted(want))
		}
	}
	return ""
}

// json says what of the expected JSON is not in the body.
func (e *expect) json(of, vars map[string]any) string {
	if e.JSON == nil {
		return ""
	}
	if of["body"] == nil {
		return "The body is not JSON: " + quoted(fmt.Sprint(of["text"])) + "."
	}
	// Once through JSON, so that numbers are of one kind.
	var want any
	if err := json.Unmarshal([]byte(bodyText(fillValue(e.JSON, vars))), &want); err != nil {
		return "The expected body is not JSON."
	}
	return missing("the body", of["body"], want)
}

// missing says what of want is not in got: objects may have more keys, everything else must be equal.
func missing(where string, got, want any) string {
	switch want := want.(type) {
	case map[string]any:
		m, ok := got.(map[string]any)
		if !ok {
			break
		}
		for _, key := range slices.Sorted(maps.Keys(want)) {
			value, there := m[key]
			if !there {
				return fmt.Sprintf("%s has no %s.", upper(where), quoted(key))
			}
			if lost := missing(key+" in "+where, value, want[key]); lost != "" {
				return lost
			}
		}
		return ""
	case []any:
		list, ok := got.([]any)
		if !ok {
			break
		}
		if len(list) != len(want) {
			return fmt.Sprintf("%s has %d entries, expected %d.", upper(where), len(list), len(want))
		}
		for i := range want {
			if lost := missing(fmt.Sprintf("entry %d of %s", i+1, where), list[i], want[i]); lost != "" {
				return lost
			}
		}
		return ""
	default:
		if got == want {
			return ""
		}
	}
	return fmt.Sprintf("%s is %s, expected %s.", upper(where), short(bodyText(got)), short(bodyText(want)))
}

func upper(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

func (e *expect) schema(a *exchange.Answer) string {
	schema, ok := e.Schema.(map[string]any)
	if !ok {
		return ""
	}
	compiled, err := compileSchema(schema)
	if err != nil {
		return "The schema cannot be read."
	}
	doc, err := schemas.ParseJSON("body", []byte(a.Body))
	if err != nil {
		return "The body is not JSON: " + quoted(a.Body) + "."
	}
	if err := compiled.Check(doc); err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		_, message, _ := strings.Cut(first, ": ")
		return "The body does not have the form that is asked for: " + signs.Quotable(message) + "."
	}
	return ""
}

func (e *expect) that(of map[string]any) string {
	if e.That == "" {
		return ""
	}
	c, err := condition.Bool(e.That, shape(of))
	if err != nil {
		return "The condition cannot be read."
	}
	yes, why := c.Holds(of)
	switch {
	case yes:
		return ""
	case why != "":
		return fmt.Sprintf("%s does not hold (%s); the body is %s.", quoted(e.That), signs.Quotable(why), quoted(fmt.Sprint(of["text"])))
	}
	return fmt.Sprintf("%s does not hold; the body is %s.", quoted(e.That), quoted(fmt.Sprint(of["text"])))
}

// all judges all answers of a step together.
func (s *step) all(answers []*exchange.Answer, vars map[string]any, calls map[string]stubs.Calls) string {
	list := []map[string]any{}
	for _, a := range answers {
		list = append(list, answerVars(a, nil, nil))
	}
	of := answerVars(answers[0], vars, calls)
	form := shape(of)
	of["answers"], form["answers"] = list, list
	c, err := condition.Bool(s.Expect.All, form)
	if err != nil {
		return "The condition cannot be read."
	}
	if yes, why := c.Holds(of); !yes {
		if why != "" {
			why = " (" + signs.Quotable(why) + ")"
		}
		return fmt.Sprintf("Of %d answers together, %s does not hold%s.", len(answers), quoted(s.Expect.All), why)
	}
	return ""
}

// shownRunes bounds what of a submission's words is shown.
const shownRunes = 120

func short(text string) string {
	if runes := []rune(text); len(runes) > shownRunes {
		text = string(runes[:shownRunes]) + "…"
	}
	return signs.Quotable(text)
}

func quoted(text string) string { return strconv.Quote(short(text)) }

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
