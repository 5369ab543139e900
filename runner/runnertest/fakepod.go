package runnertest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/assay-run/assay/internal/workload"
	"github.com/assay-run/assay/runner"
)

// maxFakeStarts bounds the candidates of a pod that its driver has not taken from its StartFunc.
const maxFakeStarts = 64

// fakePod is a pod whose driver is a function in this process.
type fakePod struct {
	f    *Fake
	id   string
	spec runner.PodSpec
	dir  string
	log  *runner.BoundedLog

	in, out *pipe         // to and from the driver
	started chan *Process // for the driver
	stop    func(error)   // ends the driver
	done    chan struct{} // closed when the driver has ended

	mu         sync.Mutex
	closed     bool
	candidates []*Process
	once       sync.Once
	err        error
}

// pipe is one direction of a stream. Unlike a container's, it has no buffer.
type pipe struct {
	r *io.PipeReader
	w *io.PipeWriter
}

func newPipe() *pipe {
	r, w := io.Pipe()
	return &pipe{r: r, w: w}
}

func newFakePod(f *Fake, spec runner.PodSpec, dir string) *fakePod {
	return &fakePod{
		f: f, id: "pod " + rand.Text(), spec: spec, dir: dir,
		log: runner.NewBoundedLog(64 << 10),
		in:  newPipe(), out: newPipe(),
		started: make(chan *Process, maxFakeStarts),
		done:    make(chan struct{}),
	}
}

// play runs the driver until it returns. Like a process that ends, it then closes its streams.
func (p *fakePod) play(driver DriverFunc) {
	ctx, cancel := context.WithCancelCause(context.Background())
	p.stop = cancel
	go func() {
		defer close(p.done)
		err := p.garbage()
		if err == nil && driver != nil {
			err = driver(ctx, &driverEnd{p: p, left: p.f.DriverCut}, p.next)
		} else if err == nil {
			_, err = io.Copy(io.Discard, p.in.r)
		}
		if err != nil {
			fmt.Fprintln(p.log, "driver:", err)
		}
		_ = p.in.r.CloseWithError(io.ErrClosedPipe)
		_ = p.out.w.Close()
		cancel(nil)
	}()
}

func (p *fakePod) garbage() error {
	if len(p.f.DriverGarbage) == 0 {
		return nil
	}
	_, err := p.out.w.Write(p.f.DriverGarbage)
	return err
}

// next is the StartFunc of the pod.
func (p *fakePod) next(ctx context.Context) (*Process, error) {
	select {
	case c := <-p.started:
		return c, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// driverEnd is the driver's side of its streams. Its output is cut after left bytes, unless left is 0.
type driverEnd struct {
	p    *fakePod
	mu   sync.Mutex
	left int64
	cut  bool
}

func (d *driverEnd) Read(b []byte) (int, error) { return d.p.in.r.Read(b) }

func (d *driverEnd) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.cut:
		return 0, io.ErrClosedPipe
	case d.left == 0 || int64(len(b)) < d.left:
		if d.left > 0 {
			d.left -= int64(len(b))
		}
		return d.p.out.w.Write(b)
	}
	n, err := d.p.out.w.Write(b[:d.left])
	d.cut = true
	_ = d.p.out.w.CloseWithError(io.ErrUnexpectedEOF)
	return n, errors.Join(err, io.ErrClosedPipe)
}

// Log is the driver's standard error.
func (d *driverEnd) Log() io.Writer { return d.p.log }

// DriverLog returns where a driver function writes what a driver writes to its standard error. stream must be the one it was
// given.
func DriverLog(stream io.ReadWriter) io.Writer {
	if l, ok := stream.(interface{ Log() io.Writer }); ok {
		return l.Log()
	}
	return io.Discard
}

// hostEnd is the host's side.
type hostEnd struct{ p *fakePod }

func (h hostEnd) Read(b []byte) (int, error) {
	if err := h.p.f.ready(context.Background(), "read from driver", nil); err != nil {
		return 0, err
	}
	return h.p.out.r.Read(b)
}

func (h hostEnd) Write(b []byte) (int, error) {
	if err := h.p.f.ready(context.Background(), "write to driver", nil); err != nil {
		return 0, err
	}
	return h.p.in.w.Write(b)
}

func (p *fakePod) Driver() io.ReadWriter { return hostEnd{p} }

func (p *fakePod) DriverLog() string { return p.log.Log().Text }

// Paths are real directories of this machine: a program of the fake may use them.
func (p *fakePod) Paths() workload.Paths {
	return workload.Paths{Data: p.spec.DataDir, Out: filepath.Join(p.dir, "out"), App: filepath.Join(p.dir, "app")}
}

// StartCandidate starts the program that the script chooses.
func (p *fakePod) StartCandidate(ctx context.Context, spec runner.CandidateSpec) (runner.Candidate, error) {
	if err := p.f.ready(ctx, "start candidate", p.f.StartError); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errors.New("start candidate: pod is closed")
	}
	c, life := newProcess(p, spec)
	select {
	case p.started <- c:
	default:
		return nil, fmt.Errorf("start candidate: the driver has left %d starts unread", maxFakeStarts)
	}
	p.candidates = append(p.candidates, c)
	p.f.mu.Lock()
	p.f.started = append(p.f.started, spec)
	p.f.mu.Unlock()
	c.run(life, p.f.choose(spec))
	return c, nil
}

// StartService plays a service, which is told to nobody but Services.
func (p *fakePod) StartService(ctx context.Context, s workload.Service) (runner.Service, error) {
	if err := p.f.ready(ctx, "start service", p.f.ServiceError); err != nil {
		return nil, err
	}
	program := Hangs()
	if p.f.Service != nil {
		program = p.f.Service(s)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errors.New("start service: pod is closed")
	}
	c, life := newProcess(p, runner.CandidateSpec{Name: s.Name, Env: s.Env})
	p.candidates = append(p.candidates, c)
	p.f.mu.Lock()
	p.f.serving = append(p.f.serving, s)
	p.f.mu.Unlock()
	c.run(life, program)
	return c, nil
}

// Close ends the driver and the candidates and removes the directory.
func (p *fakePod) Close(ctx context.Context) error {
	p.once.Do(func() {
		p.mu.Lock()
		p.closed = true
		candidates := p.candidates
		p.mu.Unlock()
		var errs []error
		for _, c := range candidates {
			errs = append(errs, c.Close(ctx))
		}
		p.stop(errors.New("pod is closed"))
		_ = p.in.w.Close()
		_ = p.out.r.Close()
		<-p.done
		p.f.remove(p.id)
		p.err = errors.Join(append(errs, os.RemoveAll(p.dir))...)
	})
	return p.err
}
