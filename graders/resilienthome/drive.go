package resilienthome

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/assay-run/assay/graders/exchange"
	"github.com/assay-run/assay/graders/httpload"
	"github.com/assay-run/assay/graders/service"
	"github.com/assay-run/assay/graders/upstream"
	"github.com/assay-run/assay/graders/wire"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

// execution is the name of the only execution of a scenario.
const execution = "service"

const (
	// clientWithin is how long a client waits; a page is due within 800 ms.
	clientWithin = 3 * time.Second
	// inFlight bounds the requests that are out at a time: what a client that waits for 3 s has out at most, and more.
	inFlight = 600
	// lead is from the moment that the service is ready to the first request.
	lead = 300 * time.Millisecond
	// between is how many good pages there are between two cases, so that a case does not look like an outage.
	between = 4
	// bodyKept is how much of an answer is kept for the judge to quote.
	bodyKept = 300
)

// Drive implements workload.Workload: one process beside three services of ours, which is asked and then killed.
func (*Grader) Drive(ctx context.Context, pod workload.Pod, raw json.RawMessage) ([]evidence.Execution, error) {
	var p params
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, fmt.Errorf("read params of %s: %w", Name, err)
	}
	if len(p.Seed) == 0 {
		return nil, fmt.Errorf("read params of %s: seed is missing", Name)
	}
	d := driver{pod: pod, params: p, log: upstream.NewLog(time.Now()), content: newContent(derive(p.Seed, "content")), servers: map[string]*upstream.Server{}}
	d.facts.ReadyNs = -1
	defer d.close()
	env := map[string]string{}
	for name, variable := range map[string]string{profiles: "PROFILE_URL", recs: "RECS_URL", tests: "AB_URL"} {
		s, err := d.upstream(name)
		if err != nil {
			return nil, err
		}
		env[variable] = s.URL()
	}
	s, err := service.Start(ctx, pod, service.Options{Name: execution, Env: env, Timeout: p.TimeoutNs})
	if err != nil {
		return nil, err
	}
	e, err := d.run(ctx, s)
	if err != nil {
		return nil, errors.Join(err, s.Abandon(ctx))
	}
	return []evidence.Execution{e}, nil
}

// driver is the state of one Drive.
type driver struct {
	pod     workload.Pod
	params  params
	log     *upstream.Log
	content *content
	servers map[string]*upstream.Server
	facts   facts
}

func (d *driver) close() {
	for _, s := range d.servers {
		s.Close()
	}
}

// upstream starts one of the services.
func (d *driver) upstream(name string) (*upstream.Server, error) {
	s, err := upstream.Start(upstream.Options{
		Name: name, Log: d.log, Default: healthy(), Answer: d.content.answer, Seed: derive(d.params.Seed, name), KeepBody: 1 << 10,
	})
	if err != nil {
		return nil, err
	}
	d.servers[name] = s
	return s, nil
}

// run does everything from the start of the process to its end.
func (d *driver) run(ctx context.Context, s *service.Service) (evidence.Execution, error) {
	var curve []evidence.Series
	if s.Ready() {
		d.facts.ReadyNs = s.ReadyNs
		var err error
		if d.params.Kind == kindContract {
			err = d.cases(s)
		} else {
			curve, err = d.outages(s)
		}
		if err != nil {
			return evidence.Execution{}, err
		}
	}
	d.facts.Ended = s.Gone()
	e, err := s.End(ctx, nil)
	if err != nil {
		return evidence.Execution{}, err
	}
	d.close() // what still hangs has an end then
	if e.Facts, err = json.Marshal(d.facts); err != nil {
		return evidence.Execution{}, fmt.Errorf("write facts: %w", err)
	}
	e.Series = append(e.Series, curve...)
	return e, nil
}

// cases asks the requests of the contract one after the other.
func (d *driver) cases(s *service.Service) error {
	d.facts.Cases = map[string]*answer{}
	list := contractCases()
	n := 0
	for i, c := range list {
		if err := d.script(nil); err != nil {
			return err
		}
		for range between {
			n++
			d.page(s, name(d.params.Seed, "between ", n))
		}
		if over(s.Within()) {
			break
		}
		if err := d.script(&c); err != nil {
			return err
		}
		d.facts.Cases[c.ID] = d.ask(s, &c, name(d.params.Seed, "case ", i))
		d.pod.Report(workload.Progress{Phase: "contract", Done: int64(i + 1), Total: int64(len(list)), Unit: "requests"})
	}
	return nil
}

// over says that the service's time has ended: what is not asked by then never is.
func over(ctx context.Context) bool { return ctx.Err() != nil }

// script sets what the services do in a case; nil for all well.
func (d *driver) script(c *contractCase) error {
	calls, _ := d.log.Calls()
	for name, s := range d.servers {
		rules := []upstream.Rule{{Reply: upstream.Reply{Latency: time.Millisecond}}}
		if c != nil {
			if reply, ok := c.Replies[name]; ok {
				rule := upstream.Rule{Name: c.ID, Reply: reply}
				if c.Once {
					rule.Last = 1
					for _, call := range calls {
						if call.Upstream == name {
							rule.Last++
						}
					}
				}
				rules = append([]upstream.Rule{rule}, rules...)
			}
		}
		if err := s.SetRules(rules); err != nil {
			return err
		}
	}
	return nil
}

// page asks for a page that nobody judges.
func (d *driver) page(s *service.Service, user string) {
	ctx, cancel := context.WithTimeout(s.Within(), clientWithin)
	defer cancel()
	exchange.Send(ctx, s.Addr, s.Epoch, exchange.Request(s.Addr, http.MethodGet, "/home/"+user, nil, false))
}

// ask asks one case.
func (d *driver) ask(s *service.Service, c *contractCase, user string) *answer {
	ctx, cancel := context.WithTimeout(s.Within(), clientWithin)
	defer cancel()
	before, _ := d.log.Calls()
	sent := time.Since(d.log.Start())
	got := exchange.Send(ctx, s.Addr, s.Epoch, exchange.Request(s.Addr, c.Method, strings.Replace(c.Path, "%s", user, 1), []byte(c.Body), false))
	a := &answer{
		Ms: float64((time.Since(d.log.Start()) - sent).Microseconds()) / 1000, Status: got.Status, Error: got.Error,
		Body: got.Body[:min(len(got.Body), bodyKept)],
	}
	a.Body = string(bytes.ToValidUTF8([]byte(a.Body), nil))
	if c.Path != "/healthz" {
		a.Flags = d.read(c.Method, user, sent, got.Status, got.ContentType, []byte(got.Body))
	}
	after, _ := d.log.Calls()
	for _, call := range after[len(before):] {
		if call.Upstream == c.want.service && strings.HasPrefix(call.Path, "/plays") && (playerOf(call.Body) == user || call.Body == "") {
			a.Calls++
		}
	}
	return a
}

// read compares an answer with what the services gave.
func (d *driver) read(method, user string, sent time.Duration, status int, contentType string, body []byte) flags {
	switch {
	case status >= http.StatusBadRequest:
		return readProblem(status, contentType, body)
	case method == http.MethodPost:
		return d.content.readPlay(user, sent, body)
	default:
		return d.content.readPage(user, sent, body)
	}
}

// SeriesPages is the curve of the load: ns, latency by intended time.
const SeriesPages = "requests"

// outages puts the load on the service while others fail.
func (d *driver) outages(s *service.Service) ([]evidence.Series, error) {
	p := newPlan(d.params.Scale)
	start := time.Now().Add(lead)
	begin := start.Sub(d.log.Start())
	for name, server := range d.servers {
		if err := server.SetRules(p.rules(name, begin)); err != nil {
			return nil, err
		}
	}
	times := schedule(d.params.Seed, p, d.params.Rate)
	list := visits(d.params.Seed, p, times.Due())
	seen := make(column, len(list)) // each is written by the one goroutine that has the answer, before Run returns
	telling, stop := context.WithCancel(s.Within())
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.tell(telling, start, p)
	}()
	result, err := httpload.Run(s.Within(), httpload.Options{
		Addr: s.Addr, Start: start, Schedule: times, Timeout: clientWithin, MaxInFlight: inFlight, Stolen: s.Process.Stolen,
		Request: func(i int) httpload.Request { return list[i].request() },
		Check: func(i int, a wire.Answer) bool {
			f := d.read(list[i].method(), list[i].user, a.Sent.Sub(d.log.Start()), a.Status, a.Header.Get("Content-Type"), a.Body)
			seen[i] = int64(f)
			return a.Status < http.StatusBadRequest
		},
	})
	stop()
	<-done
	if err != nil {
		return nil, err
	}
	d.facts.BeginNs = int64(start.Sub(s.Process.Started()))
	d.facts.PausedNs, d.facts.StolenNs = int64(result.Paused), int64(result.Stolen)
	d.facts.Requests = requestFacts(list, seen, result)
	d.callFacts(p, list, begin)
	return []evidence.Series{result.Curve(SeriesPages, start.Sub(s.Process.Started()))}, nil
}

// tell says how far the run is.
func (d *driver) tell(ctx context.Context, start time.Time, p plan) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		at := time.Since(start)
		d.pod.Report(workload.Progress{Phase: p.at(at).Name, Done: max(int64(at/time.Second), 0), Total: int64(p.length() / time.Second), Unit: "seconds"})
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (v visit) method() string {
	if v.kind == isPlay {
		return http.MethodPost
	}
	return http.MethodGet
}

// request is a visit as it is sent.
func (v visit) request() httpload.Request {
	r := httpload.Request{Method: v.method(), Path: "/home/" + v.user, Header: []httpload.Header{{Name: "Accept", Value: "application/json"}}}
	if v.kind == isPlay {
		r.Path += "/plays"
		r.Header = append(r.Header, httpload.Header{Name: "Content-Type", Value: "application/json"})
		r.Body = []byte(`{"title":"t-` + v.user[2:] + `"}`)
	}
	return r
}

// requestFacts are what became of the requests.
func requestFacts(list []visit, seen column, result *httpload.Result) requests {
	r := requests{Flags: seen}
	for i, one := range result.Records {
		r.Kind = append(r.Kind, list[i].kind)
		r.Intended = append(r.Intended, micro(one.Intended))
		r.Sent = append(r.Sent, micro(one.Sent))
		r.Got = append(r.Got, micro(one.Got))
		r.Latency = append(r.Latency, micro(one.Latency))
		status, cut, twice := int64(one.Status), int64(0), int64(0)
		if one.Outcome == httpload.Cut {
			cut = 1
		}
		if one.Tries > 1 {
			twice = 1
		}
		r.Status, r.Cut, r.Twice = append(r.Status, status), append(r.Cut, cut), append(r.Twice, twice)
	}
	return r
}

// ends are the ends of a call, in the order of their numbers in facts.
var ends = []upstream.How{upstream.Open, upstream.Answered, upstream.Reset, upstream.Gone, upstream.Closed}

// callFacts are the calls since the beginning of the schedule, and the connections in each phase.
func (d *driver) callFacts(p plan, list []visit, begin time.Duration) {
	who := make(map[string]int64, len(list))
	for i, v := range list {
		who[v.user] = int64(i)
		if v.kind == isRegular {
			who[v.user] = -1
		}
	}
	all, lost := d.log.Calls()
	d.facts.LostCalls = lost
	c := &d.facts.Calls
	for _, call := range all {
		user, play := userOf(call.Path), int64(0)
		if strings.HasPrefix(call.Path, "/plays") {
			user, play = playerOf(call.Body), 1
		}
		request, ok := who[user]
		if !ok {
			request = -2
		}
		ended := int64(-1)
		if call.Ended >= 0 {
			ended = (call.Ended - begin).Microseconds()
		}
		c.Service = append(c.Service, int64(slices.Index(services[:], call.Upstream)))
		c.Request, c.Play = append(c.Request, request), append(c.Play, play)
		c.Arrived, c.Ended = append(c.Arrived, (call.Arrived-begin).Microseconds()), append(c.Ended, ended)
		c.Status, c.How = append(c.Status, int64(call.Status)), append(c.How, int64(slices.Index(ends, call.How)))
	}
	conns, _ := d.log.Conns()
	d.facts.Open = map[string]map[string]int{}
	for _, f := range p.Phases {
		d.facts.Open[f.Name] = map[string]int{}
		for _, name := range services {
			d.facts.Open[f.Name][name] = upstream.MostOpen(conns, name, begin+f.From, begin+f.To)
		}
	}
}
