package surgepricing

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/assay-run/assay/graders/heartbeat"
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
	epochs   epochs
	bad      map[int64]bool // epochs of rebuilds that should have been refused
	wrong    []string       // what is wrong with quotes, the first few
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
	return r.measure(), nil
}

func (r *run) measure() evidence.Measures {
	m := evidence.Measures{Values: map[string]float64{}}
	var cases []evidence.Case
	before := int64(0) // epochs that single requests have made
	if r.truth.Kind == kindBurst {
		var s state
		cases = append(cases, r.single(partContract, contractCases(r.truth.Seed), &s)...)
		before = s.epoch
	}
	r.epochs = r.readEpochs(before)
	cases = append(cases, r.loadCases()...)
	if r.truth.Kind == kindBurst {
		poison := poisonCases(r.truth.Seed)
		cases = append(cases, r.single(partPoison, poison, &state{})...)
		r.bad = r.takenPoison(poison)
	}
	wrong := r.wrongQuotes(before)
	cases = append(cases, r.quoteCase(wrong))
	m.Cases = cases
	m.Values[metricCasesRight] = share(cases)
	m.Values[metricQuotesWrong] = float64(wrong)
	r.rebuilds(&m)
	r.resources(&m)
	r.heartbeats(&m)
	m.Findings = r.findings(&m)
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

// takenPoison are the epochs that poisoned rebuilds were answered with. Taking them is wrong, and counted as that; quotes from
// their tables are what follows from it, and not wrong once more.
func (r *run) takenPoison(list []contractCase) map[int64]bool {
	taken := map[int64]bool{}
	for i := range list {
		a := r.facts.Cases[partPoison+"/"+list[i].ID]
		if a == nil || a.Error != "" || a.Status != 200 {
			continue
		}
		if got, ok := a.rebuilt(); ok {
			taken[got.Epoch] = true
		}
	}
	return taken
}

// single judges requests that were sent one after the other.
func (r *run) single(part string, list []contractCase, s *state) []evidence.Case {
	var out []evidence.Case
	for i := range list {
		c := &list[i]
		name := part + "/" + c.ID
		lost := c.judge(r.facts.Cases[name], s)
		out = append(out, evidence.Case{Name: name, Title: c.Title, Weight: 1, Right: lost == "", Detail: lost})
	}
	return out
}

// epochs tells which table an epoch has.
type epochs struct {
	byEpoch map[int64]*known
	wrong   map[string]string // by load id: what is wrong with its answer
	refused map[string]bool   // by load id: 503
}

// readEpochs judges the answers to the loads. Each makes one epoch, none of them twice, and they begin after those before.
func (r *run) readEpochs(before int64) epochs {
	e := epochs{byEpoch: map[int64]*known{}, wrong: map[string]string{}, refused: map[string]bool{}}
	for i := range r.truth.Loads {
		k := &r.truth.Loads[i]
		a := r.facts.Loads[k.ID]
		switch {
		case a == nil:
			e.wrong[k.ID] = "It was not sent: the process had ended, or the time was used up."
		case a.Status == 503 && a.Error == "":
			e.refused[k.ID] = true
		case a.Error != "":
			e.wrong[k.ID] = "There was no answer: " + a.Error + "."
		case a.Status != 200:
			e.wrong[k.ID] = fmt.Sprintf("Status %d, expected 200.", a.Status)
		default:
			got, ok := a.rebuilt()
			switch {
			case !ok:
				e.wrong[k.ID] = "The answer is not {\"epoch\", \"checksum\"}: " + quoted(a.Body) + "."
			case got.Checksum != k.Checksum:
				e.wrong[k.ID] = fmt.Sprintf("Checksum %s, expected %s.", quoted(got.Checksum), k.Checksum)
			case got.Epoch <= before:
				e.wrong[k.ID] = fmt.Sprintf("Epoch %s, which is no new one.", signs.Number(got.Epoch))
			case e.byEpoch[got.Epoch] != nil:
				e.wrong[k.ID] = fmt.Sprintf("Epoch %s, which another rebuild has as well.", signs.Number(got.Epoch))
			default:
				e.byEpoch[got.Epoch] = k
			}
		}
	}
	return e
}

// loadCases are the loads as cases. Of a burst only those that had to be taken are there, as one.
func (r *run) loadCases() []evidence.Case {
	var out []evidence.Case
	for _, k := range r.truth.Loads {
		title := fmt.Sprintf("%s cells, %s iterations: the checksum is right", signs.Number(int64(k.Cells)), signs.Number(int64(k.Iterations)))
		weight := 3.0
		lost := r.epochs.wrong[k.ID]
		if r.truth.Kind == kindBurst {
			if r.epochs.refused[k.ID] && k.ID != "first" && k.ID != "last" {
				continue // whether that was right is another question
			}
			weight = 0.5
		}
		if r.epochs.refused[k.ID] {
			lost = "It was refused although there was room."
		}
		out = append(out, evidence.Case{Name: "rebuild/" + k.ID, Title: title, Weight: weight, Right: lost == "", Detail: lost})
	}
	return out
}

// quoteCase is the judgement about all quotes beside the rebuilds.
func (r *run) quoteCase(wrong int) evidence.Case {
	q := &r.facts.Quotes
	c := evidence.Case{
		Name: "quotes", Weight: 6, Right: wrong == 0 && q.Bad == 0 && len(q.Number) > 0,
		Title: fmt.Sprintf("Each of %s quotes beside the rebuilds has the numbers of one table", signs.Number(int64(len(q.Number)))),
	}
	switch {
	case c.Right:
	case len(q.Number) == 0 && q.Bad == 0:
		c.Detail = "No quote was answered."
	case wrong > 0:
		c.Detail = fmt.Sprintf("%s are wrong. The first: %s", signs.Number(int64(wrong)), r.wrong[0])
	default:
		c.Detail = fmt.Sprintf("%s answers were no quotes, the first %s.", signs.Number(int64(q.Bad)), q.FirstBad)
	}
	return c
}

// rebuilds are the figures of the loads.
func (r *run) rebuilds(m *evidence.Measures) {
	checksums, refused, right := 0, 0, 0
	for _, k := range r.truth.Loads {
		a := r.facts.Loads[k.ID]
		switch {
		case r.epochs.wrong[k.ID] != "" && a != nil && a.Status == 200:
			checksums++
		case r.epochs.wrong[k.ID] != "":
			refused++
		case r.epochs.refused[k.ID]:
			if r.truth.Kind == kindRebuild {
				refused++
			}
		default:
			right++
		}
	}
	m.Values[metricChecksums] = float64(checksums)
	m.Values[metricRefused] = float64(refused)
	if r.truth.Kind == kindBurst {
		m.Values[metricPolicy] = r.policy()
		a := r.facts.Loads["last"]
		m.Values[metricSurvived] = oneIf(a != nil && r.epochs.wrong["last"] == "" && !r.epochs.refused["last"])
		return
	}
	if right == len(r.truth.Loads) {
		m.Values[metricRebuildTime] = (r.facts.To - r.facts.From) * 1e9
		m.Values[metricCPU] = float64(r.exec.Usage.CPUNs) / float64(right)
	}
}

// promptRefusal is within what time a rebuild that finds no room must be refused, in seconds.
const promptRefusal = 2.0

// policy is the share of the burst that was treated as it must: as many refused as there was no room for. A place that was free
// again before the last of them was decided upon may have been given to a later one; that is at most the room there is.
func (r *run) policy() float64 {
	burst := r.truth.Loads[1 : len(r.truth.Loads)-1]
	taken, refused, decided := 0, 0, r.facts.BurstSent
	for _, k := range burst {
		a := r.facts.Loads[k.ID]
		switch {
		case a == nil || a.Error != "":
		case a.Status == 200:
			taken++
		case a.Status == 503 && a.Got-a.Sent <= promptRefusal && retryAfter(a.RetryAfter) && a.problem() == "":
			refused++
			decided = max(decided, a.Got)
		}
	}
	again := 0
	for _, k := range burst {
		if a := r.facts.Loads[k.ID]; a != nil && a.Status == 200 && a.Got < decided {
			again++
		}
	}
	beyond := len(burst) - burstRoom - min(again, burstRoom)
	return min(float64(refused)/float64(beyond), 1) * min(float64(taken)/burstRoom, 1)
}

// retryAfter accepts a whole number of seconds from 1 on.
func retryAfter(text string) bool {
	n, err := strconv.Atoi(text)
	return err == nil && n >= 1
}

// resources are figures of the kernel.
func (r *run) resources(m *evidence.Measures) {
	u := &r.exec.Usage
	if u.MemoryPeakBytes > 0 {
		m.Values[metricMemPeak] = float64(u.MemoryPeakBytes)
	}
	if u.MaxThreads > 0 {
		m.Values[metricThreads] = float64(u.MaxThreads)
		m.Values[metricProcesses] = float64(u.MaxProcesses)
	}
	if r.facts.ReadyNs >= 0 {
		m.Values[metricStart] = float64(r.facts.ReadyNs)
	}
}

// heartbeats are the figures of the time with rebuilds.
func (r *run) heartbeats(m *evidence.Measures) {
	if !heartbeat.Measure(m.Values, r.exec.Heartbeat) {
		m.Values[heartbeat.MetricAnswered] = 0
	}
	if load := r.facts.Load; load != nil && load.Due > 0 {
		m.Values[metricQuoteP50], m.Values[metricQuoteP99] = float64(load.P50Ns), float64(load.P99Ns)
	}
	m.Values[metricStarved] = 0
	if p := r.exec.Probe; p != nil {
		m.Values[metricStarved] = float64(p.StarvedNs)
	}
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
