package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/runner/driver/protocol"
)

const (
	// handshakeWithin bounds the time from an open pod to the driver's first word.
	handshakeWithin = 30 * time.Second
	// closeWithin bounds the removal of a pod.
	closeWithin = 60 * time.Second
	// askEngineWithin bounds the question whether the engine is still there.
	askEngineWithin = 5 * time.Second
	// maxNotes bounds what the driver may add to a run's notes.
	maxNotes = 200
)

// Drive carries out one run: it opens a pod, lets its driver do the work on the submission, and returns the evidence.
// Whatever the submission does is evidence; an error is a fault of ours or of the machine and wraps ErrDriver,
// ErrEngineDown, or what the engine returned. When ctx ends, the pod is closed at once and the cause of ctx is returned.
func Drive(ctx context.Context, e Engine, spec RunSpec) (evidence.Run, error) {
	run := evidence.Run{Scenario: spec.Scenario, Role: spec.Role, Pair: spec.Pair, PhaseNs: map[string]int64{}}
	if spec.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, spec.Timeout,
			fmt.Errorf("%w: run of %s took longer than %s", ErrDriver, spec.Scenario, spec.Timeout))
		defer cancel()
	}
	info, err := e.Info(ctx)
	if err != nil {
		return run, fmt.Errorf("ask engine: %w", err)
	}
	began := time.Now()
	pod, err := e.OpenPod(ctx, PodSpec{Slot: spec.Slot, DataDir: spec.DataDir, OutBytes: spec.OutBytes})
	if err != nil {
		return run, endedBy(ctx, fmt.Errorf("open pod: %w", err))
	}
	run.PhaseNs["pod"] = int64(time.Since(began))

	d := newDrive(ctx, pod, spec, info)
	result, err := d.do()
	began = time.Now()
	d.ending.Store(true)
	cerr := d.close()
	run.PhaseNs["close"] = int64(time.Since(began))
	for phase, took := range d.phases() {
		run.PhaseNs[phase] = int64(took)
	}
	if err != nil {
		if !saysNothingNew(err, cerr) {
			err = errors.Join(err, cerr)
		}
		return run, d.blameService(explain(ctx, e, pod, err))
	}
	if cerr != nil {
		return run, fmt.Errorf("close pod: %w", cerr)
	}
	run.Executions = result.Executions
	run.DriverNotes = append(result.Notes, d.notes...)
	return run, nil
}

// saysNothingNew says that closing a pod failed for the reason for which the run has failed already.
func saysNothingNew(run, closing error) bool {
	return errors.Is(run, ErrEngineDown) || errors.Is(run, ErrMeddled) && errors.Is(closing, ErrMeddled)
}

// explain says whose fault it was that a conversation with a driver failed, with the end of what the driver logged.
func explain(ctx context.Context, e Engine, pod Pod, err error) error {
	if ctx.Err() != nil {
		return endedBy(ctx, err)
	}
	if errors.Is(err, ErrEngineDown) {
		return err
	}
	ask, cancel := context.WithTimeout(ctx, askEngineWithin)
	defer cancel()
	if _, ierr := e.Info(ask); ierr != nil {
		return fmt.Errorf("%w: %w (%w)", ErrEngineDown, err, ierr)
	}
	if !errors.Is(err, ErrDriver) {
		return err
	}
	const tail = 2 << 10
	if log := pod.DriverLog(); log != "" {
		return fmt.Errorf("%w; driver's log: %s", err, log[max(0, len(log)-tail):])
	}
	return err
}

// endedBy puts the cause of an ended context before the error that followed from it.
func endedBy(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	if cause := context.Cause(ctx); !errors.Is(err, cause) {
		return fmt.Errorf("%w (%w)", cause, err)
	}
	return err
}

// do shakes hands, runs, and returns what the driver measured, with the output of the processes filled in.
func (d *drive) do() (*protocol.Result, error) {
	if err := d.handshake(); err != nil {
		return nil, err
	}
	began := time.Now()
	result, err := d.converse()
	d.execute = time.Since(began)
	if err != nil {
		return nil, err
	}
	began = time.Now()
	d.ending.Store(true) // services end with the driver
	if err := d.send(&protocol.Stop{}); err != nil {
		return nil, err
	}
	d.fillIn(result)
	d.collect = time.Since(began)
	return result, nil
}

// handshake sends the first frame and waits for the driver's answer.
func (d *drive) handshake() error {
	began := time.Now()
	defer func() { d.greet = time.Since(began) }()
	late := time.AfterFunc(handshakeWithin, func() {
		d.cancel(fmt.Errorf("%w: it did not answer within %s", ErrDriver, handshakeWithin))
	})
	defer late.Stop()
	hello := &protocol.Hello{Version: protocolVersion, Paths: d.pod.Paths(), Workloads: []string{d.spec.Workload}}
	d.conn = protocol.NewHost(d.pod.Driver(), hello)
	d.wg.Go(d.receive)
	if err := d.send(hello); err != nil {
		return err
	}
	m, err := d.next()
	if err != nil {
		return err
	}
	switch m := m.(type) {
	case *protocol.Welcome:
		return nil
	case *protocol.Failure:
		return fmt.Errorf("%w: %s", ErrDriver, m.Message)
	}
	return fmt.Errorf("%w: it answered with a %T", ErrDriver, m)
}

// converse starts the workload and serves the driver until the result.
func (d *drive) converse() (*protocol.Result, error) {
	limits := d.spec.Limits.WithDefaults()
	err := d.send(&protocol.Run{
		Workload: d.spec.Workload, Params: d.spec.Params, MemoryBytes: limits.MemoryBytes,
		CPUNs: limits.CPUNs, Pids: limits.Pids, OpenFiles: limits.OpenFiles,
		EnforceMemory: !d.info.Sandboxed, Probe: d.spec.Probe, Diagnose: d.spec.Diagnose, Timeout: d.spec.Timeout,
	})
	if err != nil {
		return nil, err
	}
	for {
		m, err := d.next()
		if err != nil {
			return nil, err
		}
		switch m := m.(type) {
		case *protocol.StartCandidate:
			d.wg.Go(func() { d.candidate(m) })
		case *protocol.StartService:
			d.wg.Go(func() { d.service(m) })
		case *protocol.Kill:
			d.wg.Go(func() { d.kill(m.Ref) })
		case *protocol.Progress:
			if d.spec.Progress != nil {
				d.spec.Progress(m.Progress)
			}
		case *protocol.Log:
			d.note(m.Text)
		case *protocol.Result:
			return m, nil
		case *protocol.Failure:
			return nil, fmt.Errorf("%w: %s", ErrDriver, m.Message)
		default:
			return nil, fmt.Errorf("%w: it sent a %T in a run", ErrDriver, m)
		}
	}
}

// fillIn adds what only the engine knows: what the processes wrote.
func (d *drive) fillIn(r *protocol.Result) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range r.Executions {
		x := &r.Executions[i]
		if res, ok := d.results[x.Name]; ok {
			x.Stdout, x.Stderr = res.Stdout, res.Stderr
			if !res.CutAt.IsZero() {
				x.Limits = append(x.Limits, evidence.LimitHit{
					Limit: evidence.LimitOutput, AtSeconds: min(max(0, res.CutAt.Sub(d.began[x.Name]).Seconds()), time.Duration(x.DurationNs).Seconds()),
					Allowed: d.kept[x.Name],
				})
			}
		}
	}
}

// phases are the times of the parts of the run that are known here. Starting happens inside of the execution.
func (d *drive) phases() map[string]time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return map[string]time.Duration{
		"handshake": d.greet,
		"start":     d.starting,
		"execute":   max(0, d.execute-d.starting),
		"collect":   d.collect,
	}
}

// startCommand is a copy, because several processes append to it.
func (d *drive) startCommand(args []string) []string {
	return append(slices.Clone(d.spec.Start), args...)
}
