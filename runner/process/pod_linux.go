package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/assay-run/assay/internal/workload"
	"github.com/assay-run/assay/runner"
)

const (
	// driverLogBytes is how much is kept of what the driver writes to its standard error.
	driverLogBytes = 64 << 10
	// driverGrace is how long the driver may take to end after its input has ended.
	driverGrace = 500 * time.Millisecond
)

// errPodClosed is returned for what comes after Close.
var errPodClosed = errors.New("pod is closed")

// pod is a driver process, directories, and the candidates started so far.
type pod struct {
	e      *Engine
	marker string
	dir    string
	paths  workload.Paths
	slot   runner.Slot
	driver *running
	stream *stream
	log    *runner.BoundedLog

	mu         sync.Mutex
	closing    bool
	candidates []*candidate

	once sync.Once
	err  error
}

// OpenPod starts a driver as a child process. OutBytes is not enforced.
func (e *Engine) OpenPod(ctx context.Context, spec runner.PodSpec) (_ runner.Pod, err error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	p := &pod{e: e, marker: token(), slot: spec.Slot, log: runner.NewBoundedLog(driverLogBytes)}
	p.dir = filepath.Join(e.dir, "pod-"+p.marker)
	family.opened(p.marker)
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open pod: %w", err), p.Close(ctx))
		}
	}()
	if err := p.makeDirs(spec.DataDir); err != nil {
		return nil, err
	}
	if err := p.startDriver(); err != nil {
		return nil, err
	}
	return p, nil
}

// makeDirs makes the pod's directories. The App path is a link that each candidate's start points at its workspace, and
// the preloads lie beside it as they do in a container.
func (p *pod) makeDirs(data string) error {
	e := p.e
	if err := e.makeDir(p.dir, 0o755, false); err != nil {
		return err
	}
	p.paths = workload.Paths{Out: filepath.Join(p.dir, "out"), App: filepath.Join(p.dir, "app")}
	if err := e.makeDir(p.paths.Out, 0o700, true); err != nil {
		return err
	}
	if err := e.makeDir(p.tmp(), 0o700, true); err != nil {
		return err
	}
	if err := e.writePreloads(p.dir); err != nil {
		return err
	}
	if data == "" {
		return nil
	}
	data, err := filepath.Abs(data) // candidates have another working directory
	if err != nil {
		return fmt.Errorf("find data directory: %w", err)
	}
	p.paths.Data, err = e.offerData(data, p.dir)
	return err
}

func (p *pod) tmp() string { return filepath.Join(p.dir, "tmp") }

func (p *pod) startDriver() error {
	stdin, toDriver, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make pipe to driver: %w", err)
	}
	defer stdin.Close()
	fromDriver, stdout, err := os.Pipe()
	if err != nil {
		return errors.Join(fmt.Errorf("make pipe from driver: %w", err), toDriver.Close())
	}
	defer stdout.Close()
	p.stream = &stream{w: toDriver, r: fromDriver}
	p.driver, err = p.e.spawn(command{
		argv:   append([]string{p.e.cfg.DriverBinary}, p.e.cfg.DriverArgs...),
		dir:    p.dir,
		env:    map[string]string{"PATH": p.e.cfg.Path, "HOME": p.tmp()},
		stdin:  stdin,
		stdout: stdout,
		stderr: p.log,
		cores:  p.slot.DriverCores,
	})
	if err != nil {
		return fmt.Errorf("start driver: %w", err)
	}
	return nil
}

// stream is the driver's protocol stream.
type stream struct{ w, r *os.File }

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		return n, fmt.Errorf("read from driver: %w", err)
	}
	return n, err
}

func (s *stream) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if err != nil {
		return n, fmt.Errorf("write to driver: %w", err)
	}
	return n, nil
}

// StartService fails: a service needs a container of its own.
func (p *pod) StartService(_ context.Context, s workload.Service) (runner.Service, error) {
	return nil, fmt.Errorf("start %s: %w, because it runs no containers; use --engine docker", s.Name, runner.ErrNoServices)
}

func (p *pod) Driver() io.ReadWriter { return p.stream }

func (p *pod) DriverLog() string { return p.log.Log().Text }

func (p *pod) Paths() workload.Paths { return p.paths }

// Close ends the candidates, then the driver, then whatever has strayed, and removes the directories.
func (p *pod) Close(ctx context.Context) error {
	if p == nil {
		return nil
	}
	p.once.Do(func() {
		if err := p.close(ctx); err != nil {
			p.err = fmt.Errorf("close pod: %w", err)
		}
	})
	return p.err
}

func (p *pod) close(ctx context.Context) error {
	p.mu.Lock()
	p.closing = true
	candidates := p.candidates
	p.mu.Unlock()
	var errs []error
	for _, c := range candidates {
		errs = append(errs, c.Close(ctx))
	}
	p.endDriver()
	p.e.killTree(0, p.marker)
	family.closed(p.marker)
	return errors.Join(append(errs, removeTree(p.dir))...)
}

// endDriver lets the driver end by itself, which it does at the end of its input, and kills it when it does not.
func (p *pod) endDriver() {
	if p.stream == nil {
		return
	}
	_ = p.stream.w.Close()
	_ = p.stream.r.Close()
	if p.driver == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), driverGrace)
	defer cancel()
	p.driver.wait(ctx)
}
