package httpscript

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/assay-run/assay/graders/backends"
	"github.com/assay-run/assay/graders/condition"
	"github.com/assay-run/assay/graders/exchange"
	"github.com/assay-run/assay/graders/heartbeat"
	"github.com/assay-run/assay/graders/httpcheck"
	"github.com/assay-run/assay/graders/loopback"
	"github.com/assay-run/assay/graders/service"
	"github.com/assay-run/assay/graders/settings"
	"github.com/assay-run/assay/graders/stubs"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

const (
	// pollEvery is the pause between two tries of a request that waits for something.
	pollEvery = 100 * time.Millisecond
	// alreadyUp is the grace of a heartbeat that begins when the service is ready.
	alreadyUp = 10 * time.Millisecond
	// bodyLimit is how much of a body is kept, and manyBodyLimit that of one of many answers.
	bodyLimit     = 64 << 10
	manyBodyLimit = 4 << 10
	// manyAnswers is the number of answers of a step from which on less is kept of each.
	manyAnswers = 20
)

// facts are what the driver saw. They are with the last execution; starts are with all.
type facts struct {
	// ReadyNs are the times of the starts until the first good answer of GET /healthz; -1 where there was none.
	ReadyNs []int64 `json:"readyNs"`
	// Ended says that the last process ended by itself.
	Ended bool                   `json:"ended"`
	Steps []done                 `json:"steps"`
	Calls map[string]stubs.Calls `json:"calls,omitempty"` // of the upstreams, at the end
	// Database is what went through to PostgreSQL; nil without it.
	Database *backends.Counts `json:"database,omitempty"`
}

// done is what came of one step.
type done struct {
	Answers []*exchange.Answer `json:"answers,omitempty"`
	// Calls are those that the upstreams had seen after the step.
	Calls map[string]int `json:"calls,omitempty"`
}

// Drive implements workload.Workload: one process, and one more for each kill.
func (*Grader) Drive(ctx context.Context, pod workload.Pod, raw json.RawMessage) (_ []evidence.Execution, err error) {
	d := driver{pod: pod, started: time.Now()}
	if err := json.Unmarshal(raw, &d.params); err != nil {
		return nil, fmt.Errorf("read params of %s: %w", Name, err)
	}
	if len(d.params.Steps) == 0 {
		return nil, fmt.Errorf("read params of %s: no steps", Name)
	}
	if len(d.params.Upstreams) > 0 {
		if d.upstreams, err = stubs.Start(ctx, d.params.Upstreams, d.params.Seed); err != nil {
			return nil, fmt.Errorf("start upstreams: %w", err)
		}
		defer d.upstreams.Close()
	}
	if d.backends, err = d.params.Backends.Start(ctx, pod); err != nil {
		return nil, err
	}
	defer d.backends.Close()
	if err := d.start(ctx, ""); err != nil {
		return nil, err
	}
	err = d.run(ctx)
	if err == nil {
		err = d.end(ctx, true)
	}
	d.stopBeats()
	if err != nil {
		return nil, errors.Join(err, d.svc.Abandon(ctx))
	}
	return d.ended, nil
}

// driver is the state of one Drive.
type driver struct {
	pod       workload.Pod
	params    params
	started   time.Time
	upstreams *stubs.Running
	backends  *backends.Running
	svc       *service.Service
	ready     bool
	beats     *heartbeat.Monitor
	ended     []evidence.Execution
	facts     facts
	vars      map[string]any // captured
}

// start starts the service, on its old port where it had one, and waits until it is ready.
func (d *driver) start(ctx context.Context, port string) error {
	o := service.Options{Name: "service", Port: port, Env: map[string]string{"DATA_DIR": d.pod.Paths().Out}}
	if n := len(d.ended); n > 0 {
		o.Name = fmt.Sprintf("service-%d", n+1)
	}
	if d.params.TimeoutNs > 0 {
		o.Timeout = max(d.params.TimeoutNs-time.Since(d.started), time.Millisecond)
	}
	maps.Copy(o.Env, d.params.Env)
	maps.Copy(o.Env, d.backends.Env())
	if d.upstreams != nil {
		maps.Copy(o.Env, d.upstreams.Env())
	}
	var err error
	if d.svc, err = service.Start(ctx, d.pod, o); err != nil {
		return err
	}
	d.ready = d.svc.Ready()
	d.facts.ReadyNs = append(d.facts.ReadyNs, d.svc.ReadyNs)
	if !d.ready || d.params.Heartbeat == nil {
		return nil
	}
	d.beats, err = heartbeat.Start(ctx, heartbeat.Options{
		Addr: d.svc.Addr, Path: d.params.Heartbeat.Path, Hz: d.params.Heartbeat.Hz, Start: d.svc.Epoch, Grace: alreadyUp,
		Stolen: d.svc.Process.Stolen, Began: d.svc.Process.Began,
	})
	return err
}

// stopBeats ends the heartbeat; what it measured is lost unless end was called before.
func (d *driver) stopBeats() {
	if d.beats != nil {
		d.beats.Stop()
		d.beats = nil
	}
}

// end ends the process that runs and keeps what was measured; last says that none follows.
func (d *driver) end(ctx context.Context, last bool) error {
	var hb *evidence.Heartbeat
	var curve evidence.Series
	if d.beats != nil {
		measured, c := d.beats.Stop()
		d.beats = nil
		late := d.svc.Epoch.Sub(d.svc.Process.Started()).Seconds() // it is drawn since the start of the process
		for i := range c.T {
			c.T[i] += late
		}
		hb, curve = &measured, c
	}
	var keep any
	if last {
		d.facts.Ended = d.svc.Gone()
		d.facts.Database = d.backends.Counts()
		if d.upstreams != nil {
			d.facts.Calls = d.upstreams.Calls()
		}
		keep = d.facts
	}
	e, err := d.svc.End(ctx, keep)
	if err != nil {
		return err
	}
	if e.Heartbeat = hb; hb != nil {
		e.Series = append(e.Series, curve)
	}
	d.ended = append(d.ended, e)
	return nil
}

// run carries out the steps. One that finds no service, or no time, has no answer.
func (d *driver) run(ctx context.Context) error {
	d.vars = map[string]any{httpcheck.VarRun: d.params.Run}
	for i := range d.params.Steps {
		s := &d.params.Steps[i]
		d.pod.Report(workload.Progress{Phase: "script", Done: int64(i), Total: int64(len(d.params.Steps)), Unit: "steps"})
		d.vars[httpcheck.VarRound] = s.Round
		var out done
		switch {
		case s.Wait != "":
			loopback.Pause(d.svc.Within(), settings.Duration(s.Wait, 0))
		case s.Restart != "":
			if err := d.end(ctx, false); err != nil {
				return err
			}
			if err := d.start(ctx, d.svc.Port); err != nil {
				return err
			}
		case !d.ready:
		case s.Until != "":
			out.Answers = []*exchange.Answer{d.poll(s)}
		default:
			out.Answers = d.send(s)
		}
		capture(d.vars, s, out.Answers)
		if d.upstreams != nil && s.Request != "" {
			out.Calls = map[string]int{}
			for name, c := range d.upstreams.Calls() {
				out.Calls[name] = len(c.Seen)
			}
		}
		d.facts.Steps = append(d.facts.Steps, out)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// capture takes values from an answer for later steps: of several from the first below 400, or else from the first. Those that are not
// there become nothing. It is done by driver and judge alike.
func capture(vars map[string]any, s *step, answers []*exchange.Answer) {
	if len(s.Capture) == 0 || len(answers) == 0 {
		return
	}
	a := answers[max(0, slices.IndexFunc(answers, func(a *exchange.Answer) bool { return a != nil && a.Error == "" && a.Status < 400 }))]
	of := httpcheck.AnswerVars(a, vars, nil)
	for name, source := range s.Capture {
		vars[name] = httpcheck.Evaluate(source, of)
	}
}

// one sends a step's request once.
func (d *driver) one(s *step, i int, limit int64) *exchange.Answer {
	vars := maps.Clone(d.vars)
	vars[httpcheck.VarI] = i
	ctx, cancel := context.WithTimeout(d.svc.Within(), s.within())
	defer cancel()
	x, err := exchange.Dial(ctx, d.svc.Addr, d.svc.Epoch)
	if err != nil {
		return exchange.Failed(ctx, d.svc.Epoch, err)
	}
	x.BodyLimit, x.Keep = limit, d.params.Keep
	return x.Do(ctx, s.what().Fill(vars).Bytes(d.svc.Addr), nil)
}

// send sends a step's request as often as it says, so many at once as it says.
func (d *driver) send(s *step) []*exchange.Answer {
	limit := int64(bodyLimit)
	if s.times() > manyAnswers {
		limit = manyBodyLimit
	}
	answers := make([]*exchange.Answer, s.times())
	next := make(chan int)
	var wg sync.WaitGroup
	for range s.atOnce() {
		wg.Go(func() {
			for i := range next {
				answers[i] = d.one(s, i+1, limit)
			}
		})
	}
	for i := range answers {
		next <- i
	}
	close(next)
	wg.Wait()
	return answers
}

// poll sends a step's request until its condition holds or its time is over, and returns the last answer.
func (d *driver) poll(s *step) *exchange.Answer {
	deadline := time.Now().Add(settings.Duration(s.For, defaultFor))
	of := httpcheck.AnswerVars(nil, d.vars, nil)
	until, err := condition.Bool(s.Until, httpcheck.Shape(of))
	for {
		a := d.one(s, 1, bodyLimit)
		if err == nil && a.Error == "" {
			if yes, _ := until.Holds(httpcheck.AnswerVars(a, d.vars, nil)); yes {
				return a
			}
		}
		if time.Now().After(deadline) || d.svc.Within().Err() != nil {
			return a
		}
		loopback.Pause(d.svc.Within(), pollEvery)
	}
}
