// Package driver is our process inside a pod: it runs a workload against a submission, samples what the kernel says
// about it, ends what must be ended, and sends everything measured to the host.
//
// It talks to the host over its standard input and output (package protocol) and is the first process of the pod, or
// an ordinary process where there are no containers. When the host goes away, its input ends, and so does it, and
// with it everything in the pod.
package driver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/assay-run/assay/internal/workload"
	"github.com/assay-run/assay/runner/driver/protocol"
	"github.com/assay-run/assay/runner/kernel"
)

// Options say how a driver runs.
type Options struct {
	// Version is told to the host in the handshake, for people; the protocol has a version of its own.
	Version string
	// FS is where the kernel's trees are; the zero value for the usual places.
	FS kernel.FS
	// Exclusive says that the process is there for the driver alone: Main then closes its memory to other processes
	// and tunes the runtime so that sampling is not disturbed.
	Exclusive bool
}

// ErrHostGone means that the host ended the conversation without saying so.
var ErrHostGone = errors.New("host is gone")

// errStopped is the cause of an orderly end.
var errStopped = errors.New("stopped by the host")

// driver is one session with a host.
type driver struct {
	conn  *protocol.Conn
	hello *protocol.Hello
	fs    kernel.FS
	log   *slog.Logger
	loads map[string]workload.Workload

	mu  sync.Mutex
	pod *pod // of the run under way
}

// Main runs a driver until the host says stop (it returns nil), the host is gone or breaks the protocol, or ctx is
// done. Everything it started has ended when it returns. To be able to return while the host is silent, it closes
// stdin when that is an io.Closer, so the caller must not use stdin again.
func Main(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer, workloads []workload.Workload, o Options) error {
	if o.Exclusive {
		if err := settle(); err != nil {
			return err
		}
	}
	in, release := interruptible(ctx, stdin)
	defer release()
	d := &driver{
		fs:    o.FS,
		log:   slog.New(slog.NewTextHandler(stderr, nil)),
		loads: map[string]workload.Workload{},
	}
	if d.fs.Proc == "" {
		d.fs = kernel.Host()
	}
	for _, w := range workloads {
		d.loads[w.Name()] = w
	}
	if err := d.greet(in, stdout, o.Version); err != nil {
		return cause(ctx, err)
	}
	return d.serve(ctx)
}

// settle makes the process a good place to measure from.
func settle() error {
	if err := closeToOthers(); err != nil {
		return err
	}
	keepWriting()
	// A sampler that waits for a busy generator's time slice would miss what it is there to see, so there are threads
	// to spare; the kernel shares the cores fairly among them. Collections are made rarer at the price of memory.
	runtime.GOMAXPROCS(max(4, runtime.GOMAXPROCS(0)))
	debug.SetGCPercent(400)
	return nil
}

// greet shakes hands.
func (d *driver) greet(in io.Reader, out io.Writer, version string) error {
	conn, hello, err := protocol.NewDriver(struct {
		io.Reader
		io.Writer
	}{in, out})
	if errors.Is(err, io.EOF) {
		return ErrHostGone
	}
	if err != nil {
		return err
	}
	d.conn, d.hello = conn, hello
	if len(hello.CgroupRoots) > 0 {
		d.fs.Cgroups = append(slices.Clone(hello.CgroupRoots), d.fs.Cgroups...)
	}
	names := slices.Sorted(maps.Keys(d.loads))
	for _, name := range hello.Workloads {
		if d.loads[name] == nil {
			err := fmt.Errorf("host asks for workload %q, which this driver lacks", name)
			return errors.Join(err, conn.Send(&protocol.Failure{Message: err.Error()}))
		}
	}
	return conn.Send(&protocol.Welcome{
		Version: version, PID: os.Getpid(), UID: os.Getuid(), CPUs: runtime.NumCPU(), Workloads: names,
	})
}

// serve answers the host until the end. Runs go on beside it, one at a time.
func (d *driver) serve(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	runs := make(chan *protocol.Run, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		for r := range runs {
			d.run(ctx, r)
		}
	})
	defer func() {
		cancel(err)
		close(runs)
		wg.Wait()
		if errors.Is(err, errStopped) {
			err = nil
		}
	}()
	for {
		m, err := d.conn.Receive()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = ErrHostGone
			}
			return cause(ctx, err)
		}
		switch m := m.(type) {
		case *protocol.Run:
			select {
			case runs <- m:
			default:
				return fmt.Errorf("host sent a run before the last one began: %w", protocol.ErrUnexpected)
			}
		case *protocol.CandidateStarted:
			d.current().started(m)
		case *protocol.CandidateExited:
			d.current().exited(m)
		case *protocol.ServiceStarted:
			d.current().serviceStarted(m)
		case *protocol.Stop:
			return errStopped
		default:
			return fmt.Errorf("host sent a %T: %w", m, protocol.ErrUnexpected)
		}
	}
}

// run carries out one run and sends its result.
func (d *driver) run(ctx context.Context, r *protocol.Run) {
	if r.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, r.Timeout, fmt.Errorf("run took longer than %s", r.Timeout))
		defer cancel()
	}
	p := newPod(ctx, d, r)
	d.setCurrent(p)
	result, err := d.drive(ctx, p, r)
	p.close()
	d.setCurrent(nil)
	var answer protocol.Message
	if err != nil {
		d.log.Error("run failed", "workload", r.Workload, "error", err)
		answer = &protocol.Failure{Message: cause(ctx, err).Error()}
	} else {
		result.Notes = p.allNotes()
		answer = result
	}
	err = d.conn.Send(answer)
	if errors.Is(err, protocol.ErrTooLarge) {
		err = d.conn.Send(&protocol.Failure{Message: err.Error()})
	}
	if err != nil {
		d.log.Error("result not sent", "error", err)
	}
}

// drive calls the workload and turns a panic of it into an error, so that the host learns what happened.
func (d *driver) drive(ctx context.Context, p *pod, r *protocol.Run) (_ *protocol.Result, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("workload %s panicked: %v\n%s", r.Workload, v, debug.Stack())
		}
	}()
	w := d.loads[r.Workload]
	if w == nil {
		return nil, fmt.Errorf("there is no workload %q", r.Workload)
	}
	executions, err := w.Drive(ctx, p, r.Params)
	if err != nil {
		return nil, fmt.Errorf("drive %s: %w", r.Workload, err)
	}
	if err := checkLoopback(); err != nil { // then nothing that was measured is the submission's doing
		return nil, fmt.Errorf("drive %s: %w", r.Workload, err)
	}
	p.diagnose(executions)
	return &protocol.Result{Executions: executions}, nil
}

func (d *driver) setCurrent(p *pod) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pod = p
}

// current is the pod of the run under way, or nil, on which every message is ignored: it is about a process that
// the run did not wait for.
func (d *driver) current() *pod {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.pod
}

// cause puts the reason of a cancelled context before the error that the cancelling led to.
func cause(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	if c := context.Cause(ctx); !errors.Is(err, c) {
		return fmt.Errorf("%w (%w)", c, err)
	}
	return err
}
