package resilienthome

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/assay-run/assay/graders/latency"
	"github.com/assay-run/assay/graders/service"
	"github.com/assay-run/assay/internal/evidence"
)

// run is one run with everything that the judge needs.
type run struct {
	scenario string
	exec     *evidence.Execution
	facts    facts
	truth    truth
	plan     plan

	pages pageCount
	plays playCount
	retry retryCount
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
	if !r.facts.fits() {
		return evidence.Measures{}, fmt.Errorf("read facts of %s: columns do not fit together", ev.Scenario)
	}
	if !(r.truth.Scale > 0 && r.truth.Scale <= maxScale) {
		return evidence.Measures{}, fmt.Errorf("read truth of %s: a scale of %g is none", ev.Scenario, r.truth.Scale)
	}
	r.plan = newPlan(r.truth.Scale)
	return r.measure(), nil
}

func (r *run) measure() evidence.Measures {
	m := evidence.Measures{Values: map[string]float64{}}
	if r.facts.ReadyNs >= 0 {
		m.Values[metricStart] = float64(r.facts.ReadyNs)
	}
	if r.exec.Usage.MemoryPeakBytes > 0 {
		m.Values[metricMemPeak] = float64(r.exec.Usage.MemoryPeakBytes)
	}
	if r.truth.Kind == kindContract {
		m.Cases = r.cases()
		m.Values[metricCasesRight] = share(m.Cases)
	} else {
		r.countPages()
		r.countPlays()
		r.countRetries()
		r.traffic(&m)
		r.retries(&m)
		r.outage(&m)
		m.Cases = r.summary()
	}
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
	return part(right, all)
}

// part is a of b, 0 of nothing.
func part(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// cases judges the requests of the contract.
func (r *run) cases() []evidence.Case {
	var out []evidence.Case
	for _, c := range contractCases() {
		lost := c.judge(r.facts.Cases[c.ID])
		out = append(out, evidence.Case{Name: c.ID, Title: c.Title, Weight: c.Weight, Right: lost == "", Detail: lost})
	}
	return out
}

const (
	// warmUp is at the beginning and does not count: code is compiled, connections are made.
	warmUp = time.Second
	// edge is what a phase may still show of the one before it: requests that were under way.
	edge = 900 * time.Millisecond
	// settle is how long after the end of its trouble profile may still be left alone: the contract's five seconds, and a little. What it had
	// asked for is less.
	settle = 5*time.Second + 300*time.Millisecond
)

// profileMayFail says whether a request that was due then may have met profile in trouble, or left alone because of it.
func (p plan) profileMayFail(at time.Duration) bool {
	f := p.phase(phaseRetryAfter)
	return at >= f.From-edge && at < f.To+settle
}

// pageCount is what became of the pages.
type pageCount struct {
	answered, right   int // all of them, judged one by one
	troubled, honest  int // of answered and right: while profile was in trouble
	due, good         int // while at most optional services failed
	refused           int // of due: answered by an error
	outages           map[string]*outagePages
	swallowed         int // pages without the profile of the user, where an error had to be
	errors, badErrors int // answers with an error, and those not in the agreed form
	unanswered        int // of due: nothing came in 3 s
	hungDue, hung     int // while recs did not answer: pages due, and those to which nothing came
	madeUp            int // of due: pages with a part that no service had answered, or without form
	stale             int // recommendations older than allowed, or old and not called so
	latencies         []time.Duration
	firstWrong        string
}

// outagePages are pages of which due were asked for, and refused answered by an error, in an outage of recs.
type outagePages struct{ due, refused int }

// falls says that pages fail with recs, and so often that nothing else can be the reason.
func (o outagePages) falls() bool {
	return o.refused >= fewest && float64(o.refused) >= fallShare*float64(o.due)
}

// countPages judges every page of the load.
func (r *run) countPages() {
	q := &r.facts.Requests
	hang := r.plan.phase(phaseHang)
	r.pages.outages = map[string]*outagePages{phaseHang: {}, phaseDead: {}}
	for i := range q.len() {
		at := time.Duration(q.Intended[i]) * time.Microsecond
		cut := q.Cut[i] == 1 && !r.facts.Ended
		if at < warmUp || cut {
			continue
		}
		r.pages.latencies = append(r.pages.latencies, time.Duration(q.Latency[i])*time.Microsecond)
		if q.Kind[i] == isPlay {
			continue
		}
		f, status := flags(q.Flags[i]), q.Status[i]
		if status != 0 {
			r.judgePage(at, status, f)
		}
		usable := status == 200 && f&isPage != 0 && f&rightProfile != 0
		if !r.plan.profileMayFail(at) {
			r.pages.due++
			if o := r.pages.outages[r.plan.at(at).Name]; o != nil {
				o.due++
				if status >= 400 {
					o.refused++
				}
			}
			switch {
			case usable:
				r.pages.good++
			case status >= 400:
				r.pages.refused++
			case status == 0:
				r.pages.unanswered++
			}
		}
		if at >= hang.From && at < hang.To {
			r.pages.hungDue++
			if status == 0 {
				r.pages.hung++
			}
		}
	}
	slices.Sort(r.pages.latencies)
}

// judgePage says whether an answer is right in itself.
func (r *run) judgePage(at time.Duration, status int64, f flags) {
	p := &r.pages
	p.answered++
	busy := r.plan.phase(phaseRetryAfter)
	troubled := at >= busy.From && at < busy.To
	if troubled {
		p.troubled++
	}
	wrong := ""
	switch {
	case status >= 400:
		p.errors++
		if f != isProblem || status < 502 || status > 504 {
			p.badErrors++
			wrong = fmt.Sprintf("an error with status %d that is not in the agreed form", status)
		} else if !r.plan.profileMayFail(at) {
			wrong = fmt.Sprintf("status %d although the profile was there", status)
		}
	case f&isPage == 0 || f&rightProfile == 0:
		if r.plan.profileMayFail(at) {
			p.swallowed++
		} else {
			p.madeUp++
		}
		wrong = describe((isPage|rightProfile)&^f, 0)
	default:
		wrong = wrongParts(f)
		if f&(hasRecs|rightRecs) == hasRecs || f&(hasTests|rightTests) == hasTests {
			p.madeUp++
		}
		if f&tooOldRecs != 0 || f&oldRecs != 0 && f&saysStale == 0 {
			p.stale++
		}
		if wrong == "" && f&(saysRecs|saysTests) != 0 && r.allWell(at) {
			wrong = "a part is missing although its service was well"
		}
	}
	if wrong == "" {
		p.right++
		if troubled {
			p.honest++
		}
		return
	}
	if p.firstWrong == "" {
		p.firstWrong = fmt.Sprintf("After %.1f s: %s", at.Seconds(), wrong)
	}
}

// allWell says that nothing has been wrong with any service so far.
func (r *run) allWell(at time.Duration) bool { return at < r.plan.phase(phaseWarm).To-edge }

// wrongParts says what is wrong with the optional parts of a page.
func wrongParts(f flags) string {
	switch {
	case f&saysOther != 0:
		return describe(0, saysOther)
	case f&hasTests != 0 && f&rightTests == 0:
		return describe(rightTests, 0)
	case f&hasTests != 0 && f&saysTests != 0:
		return describe(0, saysTests)
	case f&(hasTests|saysTests) == 0:
		return describe(saysTests, 0)
	case f&hasRecs == 0 && f&saysStale != 0:
		return describe(0, saysStale)
	case f&hasRecs == 0 && f&saysRecs == 0:
		return describe(saysRecs, 0)
	case f&hasRecs != 0 && f&rightRecs == 0:
		return describe(rightRecs, 0)
	case f&tooOldRecs != 0:
		return "The recommendations are older than 60 s."
	case f&oldRecs != 0 && f&(saysStale|saysRecs) != saysStale|saysRecs:
		return describe(0, oldRecs)
	case f&hasRecs != 0 && f&oldRecs == 0 && f&saysRecs != 0:
		return describe(0, saysRecs)
	}
	return ""
}

// playCount is what became of the plays.
type playCount struct {
	due, right int
	repeated   int // reached the service more than once
	effects    int // and took effect more than once
	swallowed  int // answered as done, though the service had not
	lost       int // answered as done, and never passed on
	first      string
}

// countPlays joins plays with the calls that they led to.
func (r *run) countPlays() {
	q, c := &r.facts.Requests, &r.facts.Calls
	calls := map[int64][]int{}
	for i := range c.len() {
		if c.Play[i] == 1 && c.Request[i] >= 0 {
			calls[c.Request[i]] = append(calls[c.Request[i]], i)
		}
	}
	for i := range q.len() {
		if q.Kind[i] != isPlay || q.Cut[i] == 1 || q.Twice[i] == 1 {
			continue
		}
		p := &r.plays
		p.due++
		list := calls[int64(i)]
		done, effects := false, 0
		for _, at := range list {
			done = done || c.Status[at] >= 200 && c.Status[at] < 300
			// The service resets after it has taken the whole play: it has counted it.
			if c.Status[at] >= 200 && c.Status[at] < 300 || ends[c.How[at]] == "reset" {
				effects++
			}
		}
		if len(list) > 1 {
			p.repeated++
			if p.first == "" {
				p.first = fmt.Sprintf("the one due after %.1f s was passed on %d times", float64(q.Intended[i])/1e6, len(list))
			}
		}
		if effects > 1 {
			p.effects++
		}
		good := q.Status[i] >= 200 && q.Status[i] < 300
		switch {
		case good && len(list) == 0:
			p.lost++
		case good && !done:
			p.swallowed++
		case good && flags(q.Flags[i]) == rightPlay && len(list) == 1:
			p.right++
		case q.Status[i] >= 502 && q.Status[i] <= 504 && flags(q.Flags[i]) == isProblem && !done:
			p.right++
		}
	}
}

// honestShare is the weight of the answers that must be errors: they are few, and no page is worth more than its profile.
const honestShare = 0.25

// traffic are the figures of the load as its clients saw it.
func (r *run) traffic(m *evidence.Measures) {
	p := &r.pages
	m.Values[metricPagesRight] = honestShare*part(float64(p.honest), float64(p.troubled)) +
		(1-honestShare)*part(float64(p.right-p.honest), float64(p.answered-p.troubled))
	m.Values[metricAvailability] = part(float64(p.good), float64(p.due))
	if len(p.latencies) > 0 {
		m.Values[metricP50] = float64(latency.Quantile(p.latencies, 0.5))
		m.Values[metricP99] = float64(latency.Quantile(p.latencies, 0.99))
	}
	m.Values[metricPlaysTwice] = float64(r.plays.repeated)
	m.Values[metricPlaysRight] = part(float64(r.plays.right), float64(r.plays.due))
	if n := r.facts.Requests.len(); n > 0 && r.facts.ReadyNs >= 0 {
		m.Values[metricCPU] = float64(r.exec.Usage.CPUNs) / float64(n)
		m.Values[metricCallsRequest] = float64(r.facts.Calls.len()+r.facts.LostCalls) / float64(n)
	}
}

// summary are the judgements of the load as cases, for the report.
func (r *run) summary() []evidence.Case {
	p := &r.pages
	pages := evidence.Case{Name: "pages", Title: "Every page says what the services said", Weight: 1, Right: p.answered > 0 && p.right == p.answered}
	if !pages.Right {
		pages.Detail = fmt.Sprintf("%d of %d answers are wrong. %s", p.answered-p.right, p.answered, p.firstWrong)
	}
	plays := evidence.Case{Name: "plays", Title: "Every play is passed on once, and answered as the service did", Weight: 1, Right: r.plays.due > 0 && r.plays.right == r.plays.due && r.plays.repeated == 0}
	if !plays.Right {
		plays.Detail = fmt.Sprintf("%d of %d plays were answered rightly, %d were passed on more than once.", r.plays.right, r.plays.due, r.plays.repeated)
	}
	return []evidence.Case{pages, plays}
}
