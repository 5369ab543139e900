package surgepricing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assay-run/assay/graders/exchange"
	"github.com/assay-run/assay/graders/heartbeat"
	"github.com/assay-run/assay/graders/loopback"
	"github.com/assay-run/assay/graders/service"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

// execution is the name of the only execution of a scenario.
const execution = "service"

const (
	// calm is how long a service has nothing but quotes to answer, before and after its rebuilds.
	calm = 800 * time.Millisecond
	// caseWithin bounds a single request of the contract.
	caseWithin = 5 * time.Second
	// beatHz is the rate of the heartbeat and that of the quotes beside it; they are due in turn.
	beatHz = 100
	// loadFirst is the number of the first question of the open load; those of the heartbeat come before.
	loadFirst = 1 << 20
)

// Drive implements workload.Workload: one process, which is asked and then killed.
func (*Grader) Drive(ctx context.Context, pod workload.Pod, raw json.RawMessage) ([]evidence.Execution, error) {
	var p params
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, fmt.Errorf("read params of %s: %w", Name, err)
	}
	if len(p.Seed) == 0 || len(p.Loads) == 0 {
		return nil, fmt.Errorf("read params of %s: seed or loads are missing", Name)
	}
	port, err := loopback.FreePort()
	if err != nil {
		return nil, err
	}
	d := driver{pod: pod, params: p, addr: net.JoinHostPort("127.0.0.1", port), asker: newAsker(p.Seed, "questions")}
	d.makeRequests() // before the process starts: it has its core to itself, but memory and caches are shared
	d.svc, err = service.Start(ctx, pod, service.Options{Name: execution, Port: port, Timeout: p.TimeoutNs})
	if err != nil {
		return nil, err
	}
	e, err := d.run(ctx)
	if err != nil {
		return nil, errors.Join(err, d.svc.Abandon(ctx))
	}
	return []evidence.Execution{e}, nil
}

// driver is the state of one Drive.
type driver struct {
	pod    workload.Pod
	params params
	addr   string
	asker  asker
	svc    *service.Service

	requests map[string][]byte // by load
	facts    facts
	answered atomic.Int64
	mu       sync.Mutex // guards facts.Loads
}

// makeRequests prepares the bodies of all loads.
func (d *driver) makeRequests() {
	d.requests = make(map[string][]byte, len(d.params.Loads))
	for _, l := range d.params.Loads {
		d.requests[l.ID] = exchange.Request(d.addr, http.MethodPost, "/rebuild", l.body(d.params.Seed), false)
	}
}

// run does everything from the start of the process to its end.
func (d *driver) run(ctx context.Context) (evidence.Execution, error) {
	d.facts = facts{ReadyNs: -1, Loads: map[string]*answer{}}
	d.tell()
	var hb *evidence.Heartbeat
	var curves []evidence.Series
	if d.svc.Ready() {
		d.facts.ReadyNs = d.svc.ReadyNs
		var err error
		if hb, curves, err = d.serve(ctx, d.svc.Within()); err != nil {
			return evidence.Execution{}, err
		}
	}
	d.facts.Ended = d.svc.Gone()
	e, err := d.svc.End(ctx, d.facts)
	if err != nil {
		return evidence.Execution{}, err
	}
	e.Heartbeat = hb
	e.Series = append(e.Series, curves...)
	return e, nil
}

// serve asks for quotes all the time, and for rebuilds as the scenario wants it.
func (d *driver) serve(ctx, within context.Context) (*evidence.Heartbeat, []evidence.Series, error) {
	log := &quoteLog{epoch: d.svc.Epoch}
	beats, err := d.heartbeat(ctx, log)
	if err != nil {
		return nil, nil, err
	}
	defer beats.Stop()
	quotes, err := d.openLoad(ctx, log)
	if err != nil {
		return nil, nil, err
	}
	defer quotes.Stop()
	var from, to time.Time
	if d.params.Kind == kindRebuild {
		from, to = d.rebuilds(within)
	} else {
		from, to = d.burst(within)
	}
	_, curve := beats.Stop()
	_, load := quotes.Stop()
	load.Name = SeriesQuotes
	// Both are drawn since the start of the process, as everything else is.
	late := d.svc.Epoch.Sub(d.svc.Process.Started()).Seconds()
	for _, s := range []*evidence.Series{&curve, &load} {
		for i := range s.T {
			s.T[i] += late
		}
	}
	hb, open := beats.Window(from, to), quotes.Window(from, to)
	d.facts.From, d.facts.To = from.Sub(d.svc.Epoch).Seconds(), to.Sub(d.svc.Epoch).Seconds()
	d.facts.Load = &open
	d.facts.Quotes = log.taken()
	return &hb, []evidence.Series{curve, load}, nil
}

// SeriesQuotes is the curve of the open load: ns, latency by intended time.
const SeriesQuotes = "quotes"

// heartbeat alternates GET /healthz and a quote: who lets another thread answer the first must still answer the second.
func (d *driver) heartbeat(ctx context.Context, log *quoteLog) (*heartbeat.Monitor, error) {
	health := exchange.Request(d.addr, http.MethodGet, "/healthz", nil, true)
	return heartbeat.Start(ctx, heartbeat.Options{
		Addr: d.addr, Start: d.svc.Epoch, Hz: beatHz, Stolen: d.svc.Process.Stolen, Began: d.svc.Process.Began, Target: "GET /healthz and POST /quote, in turn",
		Request: func(i int) []byte {
			if i%2 == 0 {
				return health
			}
			return d.quote(i)
		},
		Check: func(a heartbeat.Answer) bool {
			if a.Beat%2 == 0 {
				return a.Status == http.StatusOK
			}
			return log.check(a.Beat, a)
		},
	})
}

// openLoad asks for quotes half way between the beats.
func (d *driver) openLoad(ctx context.Context, log *quoteLog) (*heartbeat.Monitor, error) {
	return heartbeat.Start(ctx, heartbeat.Options{
		Addr: d.addr, Start: d.svc.Epoch.Add(time.Second / beatHz / 2), Hz: beatHz, Stolen: d.svc.Process.Stolen, Began: d.svc.Process.Began, Target: "POST /quote",
		Request: func(i int) []byte { return d.quote(loadFirst + i) },
		Check:   func(a heartbeat.Answer) bool { return log.check(loadFirst+a.Beat, a) },
	})
}

func (d *driver) quote(number int) []byte {
	return exchange.Request(d.addr, http.MethodPost, "/quote", d.asker.question(number).body(), true)
}

// rebuilds is the measured scenario: a wave at once, then the large one.
func (d *driver) rebuilds(ctx context.Context) (from, to time.Time) {
	loopback.Pause(ctx, calm)
	from = time.Now()
	d.atOnce(ctx, d.params.Loads[:waveLoads])
	d.atOnce(ctx, d.params.Loads[waveLoads:])
	to = time.Now()
	loopback.Pause(ctx, calm)
	return from, to
}

// burst is the contract, one rebuild, more than there is room for, poisoned ones, and one more.
func (d *driver) burst(ctx context.Context) (from, to time.Time) {
	d.facts.Cases = map[string]*answer{}
	from = time.Now()
	d.ask(ctx, partContract, contractCases(d.params.Seed))
	last := len(d.params.Loads) - 1
	d.atOnce(ctx, d.params.Loads[:1])
	d.facts.BurstSent = d.atOnce(ctx, d.params.Loads[1:last])
	d.ask(ctx, partPoison, poisonCases(d.params.Seed))
	d.atOnce(ctx, d.params.Loads[last:])
	return from, time.Now()
}

// atOnce sends rebuilds at the same moment, each over a connection of its own that is open already, and waits for the
// answers. It returns when the last request had been written.
func (d *driver) atOnce(ctx context.Context, loads []load) (sent float64) {
	type ready struct {
		load load
		x    *exchange.Exchange
	}
	var list []ready
	for _, l := range loads {
		x, err := exchange.Dial(ctx, d.addr, d.svc.Epoch)
		if err != nil {
			d.keep(l.ID, (*answer)(exchange.Failed(ctx, d.svc.Epoch, err)))
			continue
		}
		list = append(list, ready{l, x})
	}
	var wg sync.WaitGroup
	var latest atomic.Int64
	for _, r := range list {
		wg.Go(func() {
			a := r.x.Do(ctx, d.requests[r.load.ID], func() {
				now := int64(time.Since(d.svc.Epoch))
				for old := latest.Load(); now > old && !latest.CompareAndSwap(old, now); old = latest.Load() {
				}
			})
			d.keep(r.load.ID, (*answer)(a))
		})
	}
	wg.Wait()
	return time.Duration(latest.Load()).Seconds()
}

// keep records the answer to a load.
func (d *driver) keep(id string, a *answer) {
	d.mu.Lock()
	d.facts.Loads[id] = a
	d.mu.Unlock()
	d.answered.Add(1)
	d.tell()
}

// tell says how far the run is.
func (d *driver) tell() {
	d.pod.Report(workload.Progress{Phase: string(d.params.Kind), Done: d.answered.Load(), Total: int64(len(d.params.Loads)), Unit: "rebuilds"})
}

// ask sends single requests, one after the other.
func (d *driver) ask(ctx context.Context, part string, cases []contractCase) {
	for _, c := range cases {
		if ctx.Err() != nil {
			return
		}
		one, cancel := context.WithTimeout(ctx, caseWithin)
		a := exchange.Send(one, d.addr, d.svc.Epoch, exchange.Request(d.addr, c.Method, c.Path, []byte(c.Body), false))
		cancel()
		d.facts.Cases[part+"/"+c.ID] = (*answer)(a)
	}
}
