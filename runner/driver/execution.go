package driver

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
	"github.com/assay-run/assay/runner/driver/protocol"
	"github.com/assay-run/assay/runner/kernel"
	"github.com/assay-run/assay/runner/probe"
)

const (
	// appearWithin is how long a started submission may stay unseen before it counts as running anyway.
	appearWithin = time.Second
	// leaveGrace is how long children may outlive the main process before they count as left over.
	leaveGrace = 100 * time.Millisecond
	// engineGrace is how long the engine may take to notice an end that the kernel has shown.
	engineGrace = 30 * time.Second
	// treeScanEvery is how often new processes are looked for on a machine whose processes are not ours alone.
	treeScanEvery = 50 * time.Millisecond
	// maxSamplerShare bounds the share of a core that sampling may take, however many processes there are.
	maxSamplerShare = 0.2
)

// errEngineSilent means that the engine did not report an end. It is a fault of ours.
var errEngineSilent = fmt.Errorf("engine did not report the end of a process within %s", engineGrace)

// execution is one process of the submission. All fields below "sampler" belong to the goroutine that runs sample.
type execution struct {
	pod    *pod
	ref    uint64
	cmd    workload.Command
	marker string
	probe  *probe.Listener // nil without one
	// recorder is the pod's, because a diagnosis needs what the workload measures; nil without one.
	recorder *probe.Recorder

	alive     chan struct{} // closed when startedAt is set
	done      chan struct{} // closed when the main process has ended
	finished  chan struct{} // closed when result and err are set
	startedAt time.Time
	result    evidence.Execution
	err       error
	readBytes atomic.Int64

	startedMsg chan *protocol.CandidateStarted
	exitedMsg  chan *protocol.CandidateExited
	kills      chan chan error
	aborted    chan error

	// sampler
	table     *kernel.Table
	meter     *meter
	watch     *exitWatch
	confirmed time.Time // when the engine said that it runs
	endedAt   time.Time
	killed    killReason
	leftover  int
	drained   bool
	engine    *evidence.Exit
	nextScan  time.Time
	nextDue   time.Time
	costs     costs
	limits    limitWatch
	follows   bool // a tree of processes, not a container
	asked     bool // the host was asked to kill
	killing   bool // something was killed by us
}

// killReason says why the driver ended a submission; the zero value that it did not.
type killReason struct {
	status evidence.ExitStatus
	detail string
}

func newExecution(p *pod, ref uint64, c workload.Command) (*execution, error) {
	table, err := kernel.NewTable(p.d.fs)
	if err != nil {
		return nil, err
	}
	return &execution{
		pod: p, ref: ref, cmd: c, table: table, meter: newMeter(p.d.fs.OpenMachine()),
		alive: make(chan struct{}), done: make(chan struct{}), finished: make(chan struct{}),
		startedMsg: make(chan *protocol.CandidateStarted, 1),
		exitedMsg:  make(chan *protocol.CandidateExited, 1),
		kills:      make(chan chan error),
		aborted:    make(chan error, 1),
	}, nil
}

// close releases what it holds open.
func (e *execution) close() {
	e.watch.close()
	e.table.Close()
	e.meter.close()
	if e.probe != nil {
		e.probe.Close()
	}
}

// Started implements workload.Process.
func (e *execution) Started() time.Time { return e.startedAt }

// Done implements workload.Process.
func (e *execution) Done() <-chan struct{} { return e.done }

// ReadBytes implements workload.Process.
func (e *execution) ReadBytes() int64 { return e.readBytes.Load() }

// Stolen implements workload.Process.
func (e *execution) Stolen() []workload.Pause { return e.meter.stolen.pauses() }

// Began implements workload.Process.
func (e *execution) Began(after, at, until time.Time) (time.Time, bool) {
	return e.meter.busy.began(after, at, until)
}

// Wait implements workload.Process.
func (e *execution) Wait(ctx context.Context) (evidence.Execution, error) {
	select {
	case <-e.finished:
		return e.result, e.err
	case <-ctx.Done():
		return evidence.Execution{}, fmt.Errorf("wait for %s: %w", e.cmd.Name, context.Cause(ctx))
	}
}

// Kill implements workload.Process. It returns when every process has ended.
func (e *execution) Kill() error {
	reply := make(chan error, 1)
	select {
	case e.kills <- reply:
		return <-reply
	case <-e.finished:
		return nil
	}
}

func (e *execution) abort(err error) {
	select {
	case e.aborted <- err:
	default:
	}
}

func (e *execution) tellStarted(m *protocol.CandidateStarted) {
	select {
	case e.startedMsg <- m:
	default: // said twice
	}
}

func (e *execution) tellExited(m *protocol.CandidateExited) {
	select {
	case e.exitedMsg <- m:
	default:
	}
}

// sample watches the submission from before its start to its end, and sets the result.
func (e *execution) sample(ctx context.Context) {
	defer close(e.finished)
	defer e.close()
	defer e.closeSignals()
	hz := e.pod.run.SampleHz
	if hz <= 0 || hz > 1000 {
		hz = 100
	}
	ticker := time.NewTicker(time.Second / time.Duration(hz))
	defer ticker.Stop()
	for {
		var err error
		select {
		case <-ticker.C:
			if now := time.Now(); !now.Before(e.nextDue) {
				err = e.tick(now)
			}
		case m := <-e.startedMsg:
			err = e.confirm(m)
		case m := <-e.exitedMsg:
			err = e.engineExited(m)
		case <-e.watch.done():
			e.watch.close()
			e.watch = nil
			err = e.tick(time.Now())
		case reply := <-e.kills:
			reply <- e.killAll(killReason{})
		case err = <-e.aborted:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		if err == nil && !e.over() {
			err = e.overdue(time.Now())
		}
		if err != nil {
			e.err = errors.Join(err, e.killAll(killReason{}))
			return
		}
		if e.over() {
			e.finish()
			return
		}
	}
}

// closeSignals lets everybody go who waits for something that did not come.
func (e *execution) closeSignals() {
	if e.endedAt.IsZero() {
		e.endedAt = time.Now()
		close(e.done)
	}
	if e.startedAt.IsZero() {
		e.startedAt = e.endedAt
	}
}

// confirm learns which processes they are.
func (e *execution) confirm(m *protocol.CandidateStarted) error {
	if m.Failed != "" {
		return fmt.Errorf("engine could not start it: %s", m.Failed)
	}
	now := time.Now()
	e.confirmed = now
	if text, ok := strings.CutPrefix(m.ID, "pid:"); ok {
		pid, err := strconv.Atoi(text)
		switch {
		case err != nil || pid < 0:
			return fmt.Errorf("engine named process %q", m.ID)
		case pid == 0: // there is none: that it did not start follows
			return nil
		}
		marker := ""
		if e.marker != "" {
			marker = markerVariable + "=" + e.marker
		}
		e.follows = true
		e.table.Follow(pid, marker)
	} else if m.ID != "" {
		e.table.Confirm(m.ID)
		e.openCgroup(m.ID)
	}
	e.nextScan = time.Time{}
	return e.tick(now)
}

// openCgroup finds the container's control group. Without it everything comes from /proc.
func (e *execution) openCgroup(id string) {
	seen := ""
	if main := e.table.Main(); main != nil {
		seen = main.Cgroup
	}
	cg, err := e.pod.d.fs.OpenCgroup(seen, id)
	if err != nil {
		e.pod.note("%s: %v; memory and CPU time come from /proc", e.cmd.Name, err)
		return
	}
	e.meter.cgroup = cg
}

// engineExited learns how the main process ended. The engine's word counts even when the process was not seen ending.
func (e *execution) engineExited(m *protocol.CandidateExited) error {
	if m.Failed != "" {
		e.asked = true // an engine that lost it cannot end it either
		return fmt.Errorf("engine lost the process: %s", m.Failed)
	}
	select {
	case s := <-e.startedMsg: // the host said so before, but the two came through different channels
		if err := e.confirm(s); err != nil {
			return err
		}
	default:
	}
	e.engine = &m.Exit
	now := time.Now()
	if err := e.tick(now); err != nil {
		return err
	}
	if e.endedAt.IsZero() {
		e.ended(now)
	}
	return nil
}

// tick takes one sample and acts on it.
func (e *execution) tick(now time.Time) error {
	if !now.Before(e.nextScan) {
		if err := e.table.Scan(now); err != nil {
			return err
		}
		if e.follows {
			e.nextScan = now.Add(treeScanEvery)
		}
	}
	e.table.Read(now)
	e.reapOrphans()
	if e.confirmed.IsZero() {
		return nil // whose these are is not known yet
	}
	e.appear(now)
	if !e.startedAt.IsZero() {
		e.meter.sample(now, e.startedAt, e.table)
		e.limits.observe(now, e)
		e.readBytes.Store(e.meter.totals.ReadBytes)
	}
	if e.endedAt.IsZero() {
		if err := e.enforce(now); err != nil {
			return err
		}
	} else {
		e.drain(now)
	}
	e.nextDue = now.Add(time.Duration(float64(e.costs.add(time.Since(now))) / maxSamplerShare))
	return nil
}

// appear notes the start and the end of the main process.
func (e *execution) appear(now time.Time) {
	main := e.table.Main()
	seen := main != nil && !main.Seen.IsZero()
	missed := e.follows && main == nil // it ended before it could be looked at
	if e.startedAt.IsZero() && (seen || missed || now.Sub(e.confirmed) > appearWithin) {
		e.startedAt = e.confirmed
		if seen {
			e.startedAt = main.Seen
			e.watch = watchExit(main.PID)
		}
		e.meter.begin(e.startedAt)
		close(e.alive)
	}
	gone := missed || main != nil && !e.table.MainAlive()
	if gone && !e.startedAt.IsZero() && e.endedAt.IsZero() {
		e.ended(now)
	}
}

// ended notes the end of the main process. A control group may vanish in the next moment.
func (e *execution) ended(now time.Time) {
	e.endedAt = now
	e.meter.final(e.table)
	close(e.done)
	e.drain(now)
}

// drain waits for the children to leave, and ends those that do not.
func (e *execution) drain(now time.Time) {
	left := len(e.table.Living())
	switch {
	case e.drained:
	case left == 0:
		e.drained = true
	case now.Sub(e.endedAt) >= leaveGrace:
		e.drained = true
		e.leftover += left
		if err := e.killAll(killReason{}); err != nil {
			e.pod.note("%s: %v", e.cmd.Name, err)
		}
	}
}

// over says whether everything that can be known is known.
func (e *execution) over() bool { return e.drained && e.engine != nil }

// overdue is a fault of the engine.
func (e *execution) overdue(now time.Time) error {
	if e.drained && e.engine == nil && now.Sub(e.endedAt) > engineGrace {
		return errEngineSilent
	}
	return nil
}

// finish puts the result together.
func (e *execution) finish() {
	if e.startedAt.IsZero() { // it never ran
		e.startedAt = e.endedAt
		e.meter.begin(e.startedAt)
	}
	e.meter.final(e.table)
	life := e.endedAt.Sub(e.startedAt)
	e.result = evidence.Execution{
		Name:       e.cmd.Name,
		Exit:       combine(*e.engine, e.killed, e.meter.oomKills(), e.leftover),
		DurationNs: int64(life),
		InputBytes: e.cmd.InputBytes,
		Usage:      e.meter.usage(e.table, life),
		Series:     e.meter.series(),
		Limits:     e.limits.result(e),
	}
	if note := e.meter.machineNote(life); note != "" {
		e.pod.note("%s: %s", e.cmd.Name, note)
	}
	if e.probe == nil {
		return
	}
	pid := 0
	if main := e.table.Main(); main != nil {
		pid = main.PID
	}
	p, series := e.probe.Result(pid, e.startedAt, e.endedAt)
	e.result.Probe = p
	e.result.Series = append(e.result.Series, series...)
}
