// Package servicetest has a pod whose submission is an http.Handler in the test's own process.
package servicetest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

// Pod starts a server for each Start. It may be used from several goroutines.
type Pod struct {
	// Serve returns what a started process answers with, and a channel whose closing is its end by itself; nil for one that runs until it is
	// killed. It is called before the process listens on the PORT of the command.
	Serve func(c workload.Command) (http.Handler, <-chan struct{})
	// Killed is called when a process has been killed; nil for nothing.
	Killed func()
	// Usage is what each execution has used.
	Usage evidence.Usage
}

var _ workload.Pod = (*Pod)(nil)

// Start implements workload.Pod.
func (p *Pod) Start(ctx context.Context, c workload.Command) (workload.Process, error) {
	handler, gone := p.Serve(c)
	f := &process{began: time.Now(), name: c.Name, pod: p, done: make(chan struct{})}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", c.Env["PORT"]))
	if err != nil {
		return nil, err
	}
	f.listener = l
	f.server = &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = f.server.Serve(l) }()
	go func() {
		select {
		case <-gone: // of a nil channel nothing comes
		case <-ctx.Done(): // a pod is closed when its run ends
		case <-f.done:
		}
		f.close()
	}()
	return f, nil
}

// ReadOutput implements workload.Pod: there is no output.
func (*Pod) ReadOutput(string, int64) evidence.File { return evidence.File{} }

// ClearOutput implements workload.Pod.
func (*Pod) ClearOutput() error { return nil }

// Paths implements workload.Pod.
func (*Pod) Paths() workload.Paths { return workload.Paths{} }

// Report implements workload.Pod.
func (*Pod) Report(workload.Progress) {}

// process is one server.
type process struct {
	began  time.Time
	name   string
	pod    *Pod
	server *http.Server
	// listener is closed too: the server does not know it yet when the process ends at once, and the next one wants its port.
	listener net.Listener
	done     chan struct{}
	once     sync.Once
	killed   atomic.Bool
}

func (f *process) close() {
	f.once.Do(func() {
		_ = f.server.Close()
		_ = f.listener.Close()
		close(f.done)
	})
}

func (f *process) Started() time.Time     { return f.began }
func (f *process) Done() <-chan struct{}  { return f.done }
func (f *process) ReadBytes() int64       { return 0 }
func (*process) Stolen() []workload.Pause { return nil }

func (*process) Began(_, _, _ time.Time) (time.Time, bool) { return time.Time{}, false }

// Kill implements workload.Process. A process that had ended by itself keeps that exit.
func (f *process) Kill() error {
	select {
	case <-f.done:
		return nil
	default:
	}
	f.killed.Store(true)
	f.close()
	if f.pod.Killed != nil {
		f.pod.Killed()
	}
	return nil
}

// Wait implements workload.Process.
func (f *process) Wait(ctx context.Context) (evidence.Execution, error) {
	select {
	case <-f.done:
	case <-ctx.Done():
		return evidence.Execution{}, errors.New("still running")
	}
	e := evidence.Execution{Name: f.name, Exit: evidence.Exit{Status: evidence.Exited}, DurationNs: int64(time.Since(f.began)), Usage: f.pod.Usage}
	if f.killed.Load() {
		e.Exit = evidence.Exit{Status: evidence.Signaled, Signal: "SIGKILL", Code: 137}
	}
	return e, nil
}
