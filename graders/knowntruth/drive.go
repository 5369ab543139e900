package knowntruth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path"
	"sync"
	"time"

	"github.com/assay-run/assay/graders/heartbeat"
	"github.com/assay-run/assay/graders/loopback"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

// Name is what a run calls this workload.
const Name = "known-truth"

const (
	execution  = "known"
	truthFile  = "truth.json"
	truthLimit = 4 << 20
)

// Params are what the driver is given.
type Params struct {
	Steps []Step `json:"steps"`
	// Hz is the rate of the heartbeat, 0 for none.
	Hz float64 `json:"hz"`
	// Load makes the program a server under load, which is ended when the load is. There are no steps then.
	Load    *Load         `json:"load,omitempty"`
	Timeout time.Duration `json:"timeout"`
}

// Facts are what the workload saw, beside the evidence that every run has.
type Facts struct {
	// StartedNs is CLOCK_MONOTONIC at the zero of the evidence's time axis.
	StartedNs int64 `json:"startedNs"`
	// Stalls are what the heartbeat says of each block of the truth, in the same order.
	Stalls []Stall     `json:"stalls,omitempty"`
	Load   *LoadResult `json:"load,omitempty"`
}

// Stall is what the heartbeat says of the time of one block.
type Stall struct {
	Due     int   `json:"due"`     // beats that were due in it
	MaxNs   int64 `json:"maxNs"`   // latency of the slowest
	StallNs int64 `json:"stallNs"` // the longest stall, as evidence.Heartbeat has it
	// StallErrorNs is what the heartbeat says that StallNs may be wrong by.
	StallErrorNs int64 `json:"stallErrorNs"`
	// RawNs and ClockNs are the slowest and the stall by the clock alone: nothing is taken out for cores that the machine gave to
	// somebody else.
	RawNs   int64 `json:"rawNs"`
	ClockNs int64 `json:"clockNs"`
	// LateNs is how long, from the last beat before the block to the answer of the slowest, this process was kept from running,
	// StolenNs how long the program was, by the kernel's account. Both are of the machine, whatever is made of them.
	LateNs   int64 `json:"lateNs"`
	StolenNs int64 `json:"stolenNs"`
}

// Workload drives the known program.
type Workload struct{}

// New makes the workload.
func New() *Workload { return &Workload{} }

// Name implements workload.Workload.
func (*Workload) Name() string { return Name }

// Drive implements workload.Workload.
func (*Workload) Drive(ctx context.Context, pod workload.Pod, raw json.RawMessage) (_ []evidence.Execution, err error) {
	var p Params
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, fmt.Errorf("read params of %s: %w", Name, err)
	}
	if p.Load != nil {
		p.Steps = Serve()
	}
	d := drive{pod: pod, params: p}
	port := ""
	if p.Hz > 0 || p.Load != nil {
		if port, err = loopback.FreePort(); err != nil {
			return nil, err
		}
		d.addr = net.JoinHostPort("127.0.0.1", port)
	}
	env, err := Environment(p.Steps, port, path.Join(pod.Paths().Out, truthFile))
	if err != nil {
		return nil, err
	}
	if d.proc, err = pod.Start(ctx, workload.Command{Name: execution, Env: env, Timeout: p.Timeout}); err != nil {
		return nil, fmt.Errorf("start known program: %w", err)
	}
	e, err := d.run(ctx)
	if err != nil {
		return nil, errors.Join(err, workload.Abandon(ctx, d.proc))
	}
	return []evidence.Execution{e}, nil
}

// drive is the state of one Drive.
type drive struct {
	pod    workload.Pod
	params Params
	addr   string
	proc   workload.Process

	mu      sync.Mutex
	answers []answer
}

// answer is a good answer to a beat.
type answer struct{ due, got time.Time }

// note is the heartbeat's check of an answer; it keeps when it came.
func (d *drive) note(a heartbeat.Answer) bool {
	if a.Status != http.StatusOK {
		return false
	}
	due := d.proc.Started().Add(time.Duration(a.Beat) * d.period())
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers = append(d.answers, answer{due, a.Got})
	return true
}

// period is the time between two beats.
func (d *drive) period() time.Duration { return time.Duration(float64(time.Second) / d.params.Hz) }

// slowest is the longest time to an answer among the beats due between two moments, and when that answer came.
func (d *drive) slowest(from, to time.Time) (longest time.Duration, got time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	got = to
	for _, a := range d.answers {
		if took := a.got.Sub(a.due); !a.due.Before(from) && !a.due.After(to) && took > longest {
			longest, got = took, a.got
		}
	}
	return longest, got
}

// unseen is how much of a stall had passed when the first beat was due in it.
func (d *drive) unseen(due, got time.Time) time.Duration {
	if began, ok := d.proc.Began(due.Add(-d.period()), due, got); ok {
		return due.Sub(began)
	}
	return d.period() / 2
}

func (d *drive) run(ctx context.Context) (evidence.Execution, error) {
	facts := Facts{StartedNs: At(d.proc.Started())}
	var beats *heartbeat.Monitor
	w := startWitness(ctx)
	defer w.stop()
	if d.params.Hz > 0 {
		var err error
		beats, err = heartbeat.Start(ctx, heartbeat.Options{
			Addr: d.addr, Path: "/healthz", Start: d.proc.Started(), Hz: d.params.Hz, Stolen: d.proc.Stolen, Began: d.proc.Began,
			Check: d.note,
		})
		if err != nil {
			return evidence.Execution{}, err
		}
		defer beats.Stop()
	}
	if d.params.Load != nil {
		r, err := RunLoad(ctx, d.addr, *d.params.Load)
		if err != nil {
			return evidence.Execution{}, fmt.Errorf("put load on known program: %w", err)
		}
		facts.Load = &r
		if beats != nil { // before the end, which would leave beats unanswered
			beats.Stop()
		}
		if err := d.proc.Kill(); err != nil {
			return evidence.Execution{}, fmt.Errorf("end known program: %w", err)
		}
	}
	select {
	case <-d.proc.Done():
	case <-ctx.Done():
		return evidence.Execution{}, context.Cause(ctx)
	}
	var hb *evidence.Heartbeat
	var curve evidence.Series
	if beats != nil {
		sum, c := beats.Stop()
		hb, curve = &sum, c
	}
	e, err := d.proc.Wait(ctx)
	if err != nil {
		return e, fmt.Errorf("wait for known program: %w", err)
	}
	if hb != nil {
		e.Heartbeat = hb
		e.Series = append(e.Series, curve)
	}
	if d.params.Load == nil {
		out := d.pod.ReadOutput(truthFile, truthLimit)
		e.Output = &out
		facts.Stalls = d.stalls(out, beats, w.stop(), facts.StartedNs)
	}
	if e.Facts, err = json.Marshal(facts); err != nil {
		return e, fmt.Errorf("write facts: %w", err)
	}
	return e, nil
}

// stalls asks the heartbeat about the time of each block, as a grader asks it about the time of its work. A truth that
// cannot be read is for whoever compares to say.
func (d *drive) stalls(out evidence.File, beats *heartbeat.Monitor, late []workload.Pause, startedNs int64) []Stall {
	truth, err := ReadTruth(out.Content)
	if err != nil || beats == nil {
		return nil
	}
	moment := func(ns int64) time.Time { return d.proc.Started().Add(time.Duration(ns - startedNs)) }
	list := []Stall{}
	for _, e := range truth.Events {
		if e.Do != DoBlock {
			continue
		}
		// A beat that was due just before may still have been on its way.
		from, to := moment(e.From).Add(-d.period()), moment(e.To)
		hb := beats.Window(from, to)
		raw, got := d.slowest(from, to)
		list = append(list, Stall{
			Due: hb.Due, MaxNs: hb.MaxNs, StallNs: hb.StallNs, StallErrorNs: hb.StallErrorNs,
			RawNs: int64(raw), ClockNs: int64(raw + d.unseen(got.Add(-raw), got)),
			LateNs: int64(overlap(late, from, got)), StolenNs: int64(overlap(d.proc.Stolen(), from, got)),
		})
	}
	return list
}
