package runner

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assay-run/assay/runner/driver/protocol"
	"github.com/assay-run/assay/runner/probe"
)

// protocolVersion is said in the handshake, for the logs; frames carry the version that counts.
const protocolVersion = "assay/1"

// drive is the host's side of one run.
type drive struct {
	ctx    context.Context //nolint:containedctx // the run's: one value lives exactly as long as one call of Drive
	cancel context.CancelCauseFunc
	pod    Pod
	spec   RunSpec
	info   Info
	conn   *protocol.Conn
	notes  []string

	messages chan protocol.Message
	wg       sync.WaitGroup
	closing  sync.Once
	closeErr error
	unhook   func() bool
	ending   atomic.Bool // the pod is being closed on purpose

	greet, execute, collect time.Duration

	mu         sync.Mutex
	fallen     string // how a service ended before its time
	starting   time.Duration
	candidates map[uint64]Candidate
	ended      []Candidate // not removed yet
	names      map[string]struct{}
	results    map[string]CandidateResult // by name of the execution
	began      map[string]time.Time       // of the executions, by name
	kept       map[string]int64           // of the output of the executions, by name
}

func newDrive(ctx context.Context, pod Pod, spec RunSpec, info Info) *drive {
	ctx, cancel := context.WithCancelCause(ctx)
	d := &drive{
		ctx: ctx, cancel: cancel, pod: pod, spec: spec, info: info,
		messages:   make(chan protocol.Message),
		candidates: map[uint64]Candidate{},
		names:      map[string]struct{}{},
		results:    map[string]CandidateResult{},
		began:      map[string]time.Time{},
		kept:       map[string]int64{},
	}
	// Closing the pod is what ends reads and writes that wait for the driver.
	d.unhook = context.AfterFunc(ctx, d.closePod)
	return d
}

// close ends the pod and waits for everything that was started.
func (d *drive) close() error {
	d.unhook()
	d.closePod()
	d.cancel(context.Canceled)
	d.wg.Wait()
	return d.closeErr
}

func (d *drive) closePod() {
	d.closing.Do(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(d.ctx), closeWithin)
		defer cancel()
		d.closeErr = d.pod.Close(ctx)
	})
}

// receive passes on what the driver says. The end of the stream ends the run, and with it a send that waits.
func (d *drive) receive() {
	for {
		m, err := d.conn.Receive()
		if err != nil {
			d.fail(fmt.Errorf("%w: it ended, or broke the protocol: %w", ErrDriver, err))
			return
		}
		select {
		case d.messages <- m:
		case <-d.ctx.Done():
			return
		}
	}
}

// next waits for a message of the driver.
func (d *drive) next() (protocol.Message, error) {
	select {
	case m := <-d.messages:
		return m, nil
	case <-d.ctx.Done():
		return nil, context.Cause(d.ctx)
	}
}

// send sends a message to the driver. When the run has ended, the reason for that is the error.
func (d *drive) send(m protocol.Message) error {
	err := d.conn.Send(m)
	if err == nil {
		return nil
	}
	if cause := context.Cause(d.ctx); cause != nil {
		return cause
	}
	return fmt.Errorf("%w: %w", ErrDriver, err)
}

// fail ends the run.
func (d *drive) fail(err error) { d.cancel(err) }

// candidate starts a process of the submission and follows it to its end.
func (d *drive) candidate(m *protocol.StartCandidate) {
	if err := d.claim(m.Name); err != nil {
		d.fail(err)
		return
	}
	d.closeEnded()
	spec := CandidateSpec{
		Name: m.Name, Workspace: d.spec.Workspace, Argv: d.startCommand(m.Args), Env: d.env(m), Limits: d.spec.Limits,
	}
	if m.Stdin != "" {
		if d.spec.StdinDir == "" || !filepath.IsLocal(m.Stdin) {
			d.fail(fmt.Errorf("%w: it asked for the standard input %q, which the run does not have", ErrDriver, m.Stdin))
			return
		}
		spec.Stdin = filepath.Join(d.spec.StdinDir, m.Stdin)
	}
	if m.OutputBytes > 0 {
		spec.Limits.OutputBytes = min(m.OutputBytes, d.spec.Limits.WithDefaults().OutputBytes)
	}
	began := time.Now()
	c, err := d.pod.StartCandidate(d.ctx, spec)
	took := time.Since(began)
	if err != nil {
		d.fail(fmt.Errorf("start candidate %s: %w", m.Name, err))
		return
	}
	d.mu.Lock()
	d.starting += took
	d.began[m.Name] = time.Now()
	d.candidates[m.Ref] = c
	d.kept[m.Name] = spec.Limits.WithDefaults().OutputBytes
	d.mu.Unlock()
	if err := d.send(&protocol.CandidateStarted{Ref: m.Ref, ID: c.ID()}); err != nil {
		d.fail(err)
		return
	}
	res, err := c.Wait(d.ctx)
	if err != nil {
		d.fail(fmt.Errorf("wait for candidate %s: %w", m.Name, err))
		return
	}
	d.mu.Lock()
	d.results[m.Name] = res
	d.ended = append(d.ended, c)
	d.mu.Unlock()
	if err := d.send(&protocol.CandidateExited{Ref: m.Ref, Exit: res.Exit}); err != nil {
		d.fail(err)
	}
}

// closeEnded removes the candidates that have ended, beside the start of the next one: a pod may see many, one after the
// other. It must not come sooner, because the driver looks at what a submission has left running.
func (d *drive) closeEnded() {
	d.mu.Lock()
	ended := d.ended
	d.ended = nil
	d.mu.Unlock()
	for _, c := range ended {
		d.wg.Go(func() {
			if err := c.Close(d.ctx); err != nil && d.ctx.Err() == nil {
				d.fail(fmt.Errorf("remove candidate: %w", err))
			}
		})
	}
}

// claim refuses a name that was used: outputs are filled in by name.
func (d *drive) claim(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, twice := d.names[name]; twice {
		return fmt.Errorf("%w: it started two processes with the name %q", ErrDriver, name)
	}
	d.names[name] = struct{}{}
	return nil
}

// kill ends a candidate that the driver could not end. Its Wait then returns.
func (d *drive) kill(ref uint64) {
	d.mu.Lock()
	c := d.candidates[ref]
	d.mu.Unlock()
	if c == nil {
		return
	}
	if err := c.Close(d.ctx); err != nil && d.ctx.Err() == nil {
		d.fail(fmt.Errorf("kill candidate: %w", err))
	}
}

// env is the environment of a process: the challenge's, then the workload's, then the probe and the diagnosis.
func (d *drive) env(m *protocol.StartCandidate) map[string]string {
	env := maps.Clone(d.spec.Env)
	if env == nil {
		env = map[string]string{}
	}
	maps.Copy(env, m.Env)
	preload := func(name, variable string, port int) {
		file := url.URL{Scheme: "file", Path: path.Join(path.Dir(d.pod.Paths().App), name)}
		env["NODE_OPTIONS"] = strings.TrimSpace(env["NODE_OPTIONS"] + " --import " + file.String())
		env[variable] = strconv.Itoa(port)
	}
	if d.spec.Probe && m.ProbePort > 0 {
		preload(probe.FileName, probe.PortVariable, m.ProbePort)
	}
	if d.spec.Diagnose && m.DiagnosePort > 0 {
		preload(probe.DiagnoseFileName, probe.DiagnosePortVariable, m.DiagnosePort)
	}
	return env
}
