package httpthresholds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/assay-run/assay/graders/backends"
	"github.com/assay-run/assay/graders/exchange"
	"github.com/assay-run/assay/graders/heartbeat"
	"github.com/assay-run/assay/graders/httpcheck"
	"github.com/assay-run/assay/graders/httpload"
	"github.com/assay-run/assay/graders/service"
	"github.com/assay-run/assay/graders/stubs"
	"github.com/assay-run/assay/graders/wire"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

const (
	// maxSamples bounds the answers that are kept, and sampleBytes what is kept of the body of each.
	maxSamples  = 200
	sampleBytes = 4 << 10
	// reserve is what is left of the time of a run for its end.
	reserve = 3 * time.Second
	// beforeWithin bounds a request before the load.
	beforeWithin = 10 * time.Second
)

// SeriesLoad is the curve of the load: ns, latency by intended time.
const SeriesLoad = "load"

// facts are what the driver saw.
type facts struct {
	ReadyNs      int64                  `json:"readyNs"` // -1 when it was not ready in time
	Ended        bool                   `json:"ended"`   // by itself
	BeforeFailed int                    `json:"beforeFailed"`
	FirstFailed  string                 `json:"firstFailed,omitempty"`
	Load         *httpload.Summary      `json:"load,omitempty"` // after the warm-up; nil when it did not come to that
	Samples      []sample               `json:"samples,omitempty"`
	Vars         map[string]any         `json:"vars,omitempty"` // captured before the load
	Calls        map[string]stubs.Calls `json:"calls,omitempty"`
	Database     *backends.Counts       `json:"database,omitempty"` // what went through to PostgreSQL; nil without it
}

// sample is one answer of the load.
type sample struct {
	Number  int             `json:"number"`  // {{i}} of its request
	Request int             `json:"request"` // which one it was
	Answer  exchange.Answer `json:"answer"`
}

// Drive implements workload.Workload: one process, which is asked and then killed.
func (*Grader) Drive(ctx context.Context, pod workload.Pod, raw json.RawMessage) (_ []evidence.Execution, err error) {
	d := driver{pod: pod, started: time.Now()}
	if err := json.Unmarshal(raw, &d.params); err != nil {
		return nil, fmt.Errorf("read params of %s: %w", Name, err)
	}
	if len(d.params.Requests) == 0 || len(d.params.Seed) < 16 {
		return nil, fmt.Errorf("read params of %s: requests or seed are missing", Name)
	}
	env := map[string]string{"DATA_DIR": pod.Paths().Out}
	maps.Copy(env, d.params.Env)
	if len(d.params.Upstreams) > 0 {
		upstreams, err := stubs.Start(ctx, d.params.Upstreams, d.params.Seed)
		if err != nil {
			return nil, fmt.Errorf("start upstreams: %w", err)
		}
		defer upstreams.Close()
		maps.Copy(env, upstreams.Env())
		d.upstreams = upstreams
	}
	if d.backends, err = d.params.Backends.Start(ctx, pod); err != nil {
		return nil, err
	}
	defer d.backends.Close()
	maps.Copy(env, d.backends.Env())
	if d.svc, err = service.Start(ctx, pod, service.Options{Env: env, Timeout: d.params.TimeoutNs}); err != nil {
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
	pod       workload.Pod
	started   time.Time
	params    params
	svc       *service.Service
	upstreams *stubs.Running
	backends  *backends.Running
	facts     facts
	mu        sync.Mutex // guards facts.Samples
}

func (d *driver) run(ctx context.Context) (evidence.Execution, error) {
	d.facts = facts{ReadyNs: -1, Vars: map[string]any{httpcheck.VarRun: d.params.Run}}
	var hb *evidence.Heartbeat
	var curves []evidence.Series
	if d.svc.Ready() {
		d.facts.ReadyNs = d.svc.ReadyNs
		d.before()
		var err error
		if hb, curves, err = d.load(ctx); err != nil {
			return evidence.Execution{}, err
		}
	}
	d.facts.Ended = d.svc.Gone()
	d.facts.Database = d.backends.Counts()
	if d.upstreams != nil {
		d.facts.Calls = d.upstreams.Calls()
	}
	e, err := d.svc.End(ctx, &d.facts)
	if err != nil {
		return e, err
	}
	e.Heartbeat = hb
	e.Series = append(e.Series, curves...)
	return e, nil
}

// before sends the requests that come before the load, one after the other.
func (d *driver) before() {
	for _, r := range d.params.Before {
		for i := range max(r.Times, 1) {
			vars := maps.Clone(d.facts.Vars)
			vars[httpcheck.VarI] = i + 1
			ctx, cancel := context.WithTimeout(d.svc.Within(), beforeWithin)
			a := exchange.Send(ctx, d.svc.Addr, d.svc.Epoch, r.Fill(vars).Bytes(d.svc.Addr))
			cancel()
			if a.Error != "" || a.Status >= 400 {
				if d.facts.BeforeFailed++; d.facts.BeforeFailed == 1 {
					d.facts.FirstFailed = fmt.Sprintf("%s: status %d %s", r.Line, a.Status, a.Error)
				}
			}
			if i == 0 && len(r.Capture) > 0 {
				of := httpcheck.AnswerVars(a, vars, nil)
				for name, source := range r.Capture {
					d.facts.Vars[name] = httpcheck.Evaluate(source, of)
				}
			}
		}
	}
}

// load puts the load on the service.
func (d *driver) load(ctx context.Context) (*evidence.Heartbeat, []evidence.Series, error) {
	start := time.Now()
	late := start.Sub(d.svc.Process.Started())
	var beats *heartbeat.Monitor
	if h := d.params.Heartbeat; h != nil {
		var err error
		beats, err = heartbeat.Start(ctx, heartbeat.Options{
			Addr: d.svc.Addr, Path: h.Path, Hz: h.Hz, Start: start, Stolen: d.svc.Process.Stolen, Began: d.svc.Process.Began,
		})
		if err != nil {
			return nil, nil, err
		}
		defer beats.Stop()
	}
	due := len(d.params.Schedule.Due())
	choices := d.params.choices(due)
	every := max(1, (due+maxSamples-1)/maxSamples)
	length := d.params.Schedule.Duration()
	// A service that ends does not end the load: whoever asks then is refused, and that counts.
	within, cancel := d.within(ctx)
	defer cancel()
	result, err := httpload.Run(within, httpload.Options{
		Addr: d.svc.Addr, Start: start, Schedule: d.params.Schedule, Timeout: d.params.WithinNs, MaxInFlight: d.params.Connections,
		Request: func(i int) httpload.Request {
			if i%every == 0 {
				d.pod.Report(workload.Progress{Phase: "load", Done: int64(i), Total: int64(due), Unit: "requests"})
			}
			return d.request(choices[i], i+1)
		},
		Check: func(i int, a wire.Answer) bool {
			if i%every == 0 {
				d.keep(choices[i], i+1, start, a)
			}
			return d.params.Requests[choices[i]].good(a.Status)
		},
		Stolen: d.svc.Process.Stolen,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("put load on submission: %w", err)
	}
	sum := result.Window(d.params.WarmUpNs, length)
	d.facts.Load = &sum
	curves := []evidence.Series{result.Curve(SeriesLoad, late)}
	if beats == nil {
		return nil, curves, nil
	}
	_, curve := beats.Stop()
	for i := range curve.T {
		curve.T[i] += late.Seconds() // it is drawn since the start of the process
	}
	hb := beats.Window(start.Add(d.params.WarmUpNs), start.Add(length))
	return &hb, append(curves, curve), nil
}

// within ends when the time of the run does.
func (d *driver) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if d.params.TimeoutNs <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d.params.TimeoutNs-reserve-time.Since(d.started))
}

// request is request number of the load, which is the one at index.
func (d *driver) request(index, number int) httpload.Request {
	vars := maps.Clone(d.facts.Vars)
	vars[httpcheck.VarI] = number
	f := d.params.Requests[index].Fill(vars)
	out := httpload.Request{Method: f.Method, Path: f.Path, Body: []byte(f.Body)}
	for _, h := range f.Headers {
		if !strings.EqualFold(h[0], "Content-Length") { // it is added
			out.Header = append(out.Header, httpload.Header{Name: h[0], Value: h[1]})
		}
	}
	return out
}

// keep records an answer for the judge.
func (d *driver) keep(index, number int, start time.Time, a wire.Answer) {
	s := sample{Number: number, Request: index, Answer: exchange.Answer{
		Sent: a.Sent.Sub(start).Seconds(), Got: a.Got.Sub(start).Seconds(), Status: a.Status,
		ContentType: first(a.Header, "Content-Type"), Headers: map[string]string{},
		Body: strings.ToValidUTF8(string(a.Body[:min(len(a.Body), sampleBytes)]), "\uFFFD"),
	}}
	for name := range a.Header {
		if len(s.Answer.Headers) < maxHeaders && len(name) <= headerBytes {
			s.Answer.Headers[strings.ToValidUTF8(name, "\uFFFD")] = first(a.Header, name)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.facts.Samples) < maxSamples {
		d.facts.Samples = append(d.facts.Samples, s)
	}
}

// Bounds of what is kept of headers.
const (
	maxHeaders  = 32
	headerBytes = 200
)

func first(h http.Header, name string) string {
	if len(h[name]) == 0 {
		return ""
	}
	text := h[name][0]
	return strings.ToValidUTF8(text[:min(len(text), headerBytes)], "\uFFFD")
}
