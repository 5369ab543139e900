package driver

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
	"github.com/assay-run/assay/runner/driver/protocol"
	"github.com/assay-run/assay/runner/probe"
)

// Bounds of one run.
const (
	maxExecutions = 4096
	maxNotes      = 100
	maxServices   = 8
)

// reportEvery is how often progress is sent at most.
const reportEvery = 100 * time.Millisecond

// markerVariable marks the processes of one execution where no container does.
const markerVariable = "ASSAY_PROCESS"

// pod implements workload.Pod for one run.
type pod struct {
	d    *driver
	run  *protocol.Run
	ctx  context.Context //nolint:containedctx // the run's; executions outlive the calls that start them
	stop context.CancelCauseFunc
	wg   sync.WaitGroup

	mu        sync.Mutex
	closed    bool
	next      uint64
	byRef     map[uint64]*execution
	services  map[uint64]chan struct{} // closed when the service has started
	recorded  []*execution             // that have a recorder
	names     map[string]struct{}
	notes     []string
	progress  workload.Progress
	unsent    bool
	reporting chan struct{} // has a value when progress waits
}

var errRunOver = errors.New("run is over")

func newPod(ctx context.Context, d *driver, r *protocol.Run) *pod {
	ctx, stop := context.WithCancelCause(ctx)
	p := &pod{
		d: d, run: r, ctx: ctx, stop: stop,
		byRef: map[uint64]*execution{}, services: map[uint64]chan struct{}{}, names: map[string]struct{}{}, reporting: make(chan struct{}, 1),
	}
	p.wg.Go(p.report)
	return p
}

// close ends everything that is still running and waits for it.
func (p *pod) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.stop(errRunOver)
	p.wg.Wait()
	for _, e := range p.recorded {
		e.recorder.Close()
	}
}

// Start starts the submission and returns when it runs, or has ended.
func (p *pod) Start(ctx context.Context, c workload.Command) (workload.Process, error) {
	e, err := p.register(c)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	msg := &protocol.StartCandidate{Ref: e.ref, Name: c.Name, Args: c.Args, Env: maps.Clone(c.Env), Stdin: c.Stdin, OutputBytes: c.OutputBytes}
	if e.marker != "" {
		if msg.Env == nil {
			msg.Env = map[string]string{}
		}
		msg.Env[markerVariable] = e.marker
	}
	if e.probe != nil {
		msg.ProbePort = e.probe.Port()
	}
	if e.recorder != nil {
		msg.DiagnosePort = e.recorder.Port()
	}
	if err := p.d.conn.Send(msg); err != nil {
		e.abort(err)
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	select {
	case <-e.alive:
		return e, nil
	case <-e.finished:
		if e.err != nil {
			return nil, fmt.Errorf("start %s: %w", c.Name, e.err)
		}
		return e, nil
	case <-ctx.Done():
		e.abort(context.Cause(ctx))
		return nil, fmt.Errorf("start %s: %w", c.Name, context.Cause(ctx))
	}
}

// register makes an execution and begins to sample, before the submission is there.
func (p *pod) register(c workload.Command) (*execution, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, twice := p.names[c.Name]; twice || c.Name == "" {
		return nil, fmt.Errorf("name %q is empty or used already", c.Name)
	}
	if len(p.names) >= maxExecutions {
		return nil, fmt.Errorf("more than %d executions in one run", maxExecutions)
	}
	if p.closed {
		return nil, errRunOver
	}
	e, err := newExecution(p, p.next+1, c)
	if err != nil {
		return nil, err
	}
	if p.run.EnforceMemory {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails, by its documentation
		e.marker = hex.EncodeToString(b[:])
	}
	if p.run.Probe {
		if e.probe, err = probe.Listen(); err != nil {
			e.close()
			return nil, err
		}
	}
	if p.run.Diagnose {
		if err = p.record(e); err != nil {
			e.close()
			return nil, err
		}
	}
	p.next++
	p.names[c.Name] = struct{}{}
	p.byRef[e.ref] = e
	p.wg.Go(func() {
		e.sample(p.ctx)
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.byRef, e.ref)
	})
	return e, nil
}

// started and exited pass on what the host says. Messages about executions that are over are ignored.
func (p *pod) started(m *protocol.CandidateStarted) {
	if e := p.find(m.Ref); e != nil {
		e.tellStarted(m)
	}
}

func (p *pod) exited(m *protocol.CandidateExited) {
	if e := p.find(m.Ref); e != nil {
		e.tellExited(m)
	}
}

func (p *pod) find(ref uint64) *execution {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.byRef[ref]
}

// StartService implements workload.ServiceHost.
func (p *pod) StartService(ctx context.Context, s workload.Service) error {
	p.mu.Lock()
	if p.closed || len(p.services) >= maxServices {
		p.mu.Unlock()
		return fmt.Errorf("start %s: the run is over, or has %d services already", s.Name, maxServices)
	}
	ref, started := uint64(len(p.services)+1), make(chan struct{})
	p.services[ref] = started
	p.mu.Unlock()
	if err := p.d.conn.Send(&protocol.StartService{Ref: ref, Service: s}); err != nil {
		return fmt.Errorf("start %s: %w", s.Name, err)
	}
	select {
	case <-started:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("start %s: %w", s.Name, context.Cause(ctx))
	}
}

// serviceStarted passes on what the host says. A host that says it twice, or of a service nobody asked for, is ignored.
func (p *pod) serviceStarted(m *protocol.ServiceStarted) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	started := p.services[m.Ref]
	if started == nil {
		return
	}
	select {
	case <-started:
	default:
		close(started)
	}
}

// Paths are directories as the submission sees them, and the driver too.
func (p *pod) Paths() workload.Paths { return p.d.hello.Paths }

// ReadOutput reads a result of the submission.
func (p *pod) ReadOutput(name string, limit int64) evidence.File {
	return readOutput(p.d.hello.Paths.Out, name, limit)
}

// ClearOutput empties the output directory.
func (p *pod) ClearOutput() error { return clearOutput(p.d.hello.Paths.Out) }

// Report keeps the progress; the newest is sent now and then.
func (p *pod) Report(g workload.Progress) {
	p.mu.Lock()
	p.progress, p.unsent = g, true
	p.mu.Unlock()
	select {
	case p.reporting <- struct{}{}:
	default:
	}
}

// report sends progress until the run is over, the last one included.
func (p *pod) report() {
	for {
		select {
		case <-p.reporting:
			p.sendProgress()
		case <-p.ctx.Done():
			p.sendProgress()
			return
		}
		pause := time.NewTimer(reportEvery)
		select {
		case <-pause.C:
		case <-p.ctx.Done():
		}
		pause.Stop()
	}
}

func (p *pod) sendProgress() {
	p.mu.Lock()
	g, unsent := p.progress, p.unsent
	p.unsent = false
	p.mu.Unlock()
	if unsent {
		// A stream that is dead shows at the next message that matters.
		_ = p.d.conn.Send(&protocol.Progress{Progress: g})
	}
}

// note keeps an oddity for the run's notes.
func (p *pod) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.notes) < maxNotes {
		p.notes = append(p.notes, fmt.Sprintf(format, args...))
	}
}

func (p *pod) allNotes() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.notes
}
