package runnertest

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
	"github.com/assay-run/assay/runner"
)

// Program plays a candidate. When ctx is done it has been killed, and what it returns does not count.
type Program func(ctx context.Context, p *Process) evidence.Exit

// Exits is a program that exits with a code at once.
func Exits(code int) Program {
	return func(context.Context, *Process) evidence.Exit {
		return evidence.Exit{Status: evidence.Exited, Code: code}
	}
}

// Hangs is a program that runs until it is killed.
func Hangs() Program {
	return func(ctx context.Context, _ *Process) evidence.Exit {
		<-ctx.Done()
		return killed()
	}
}

// OOM is a program that the kernel ends at its memory limit.
func OOM() Program {
	return func(context.Context, *Process) evidence.Exit {
		return evidence.Exit{
			Status: evidence.OOMKilled, Code: 137, Signal: "SIGKILL", Detail: "The kernel ended it at its memory limit.",
		}
	}
}

// NotStarted is a command that cannot be executed.
func NotStarted(detail string) Program {
	return func(context.Context, *Process) evidence.Exit {
		return evidence.Exit{Status: evidence.NotStarted, Code: 127, Detail: detail}
	}
}

// Prints is a program that writes so many bytes of text, repeated, to standard output and then does what next does.
// More than its limit keeps makes a truncated log.
func Prints(text string, bytes int, next Program) Program {
	return func(ctx context.Context, p *Process) evidence.Exit {
		if text != "" {
			_, _ = io.WriteString(p.Stdout, strings.Repeat(text, bytes/len(text)+1)[:bytes]) // a BoundedLog takes all
		}
		return next(ctx, p)
	}
}

func killed() evidence.Exit {
	return evidence.Exit{Status: evidence.Signaled, Code: 137, Signal: "SIGKILL"}
}

// Process is a candidate of a Fake.
type Process struct {
	Spec   runner.CandidateSpec
	Paths  workload.Paths
	Dir    string // of the submission on this host
	Stdout io.Writer
	Stderr io.Writer

	f      *Fake
	id     string
	kill   context.CancelFunc
	done   chan struct{} // closed when exit is set
	exit   evidence.Exit
	stdout *runner.BoundedLog
	stderr *runner.BoundedLog
	once   sync.Once
}

// newProcess makes a process that does not run yet, and the context of its life, which ends when it is killed.
func newProcess(p *fakePod, spec runner.CandidateSpec) (*Process, context.Context) {
	limits := spec.Limits.WithDefaults()
	c := &Process{
		Spec: spec, Paths: p.Paths(), f: p.f,
		id:     "fake:" + rand.Text(),
		done:   make(chan struct{}),
		stdout: runner.NewBoundedLog(limits.OutputBytes),
		stderr: runner.NewBoundedLog(limits.OutputBytes),
	}
	c.Stdout, c.Stderr = c.stdout, c.stderr
	if w, ok := spec.Workspace.(*fakeWorkspace); ok {
		c.Dir = w.dir
	}
	life, kill := context.WithCancel(context.Background())
	c.kill = kill
	return c, life
}

// run plays the program until it ends or is killed.
func (c *Process) run(life context.Context, program Program) {
	c.f.add(c.object())
	go func() {
		defer close(c.done)
		c.exit = program(life, c)
		if life.Err() != nil {
			c.exit = killed()
		}
		c.kill()
	}()
}

func (f *Fake) choose(spec runner.CandidateSpec) Program {
	if f.Program == nil {
		return Exits(0)
	}
	if p := f.Program(spec); p != nil {
		return p
	}
	return Exits(0)
}

func (c *Process) object() string { return "candidate " + c.id }

// ID is a fresh name.
func (c *Process) ID() string { return c.id }

// Done is closed when the program has ended.
func (c *Process) Done() <-chan struct{} { return c.done }

// Kill ends the program as SIGKILL does.
func (c *Process) Kill() { c.kill() }

// Wait waits for the end of the program.
func (c *Process) Wait(ctx context.Context) (runner.CandidateResult, error) {
	select {
	case <-c.done:
	case <-ctx.Done():
		return runner.CandidateResult{}, fmt.Errorf("wait for candidate: %w", context.Cause(ctx))
	}
	if err := c.f.ready(ctx, "wait for candidate", nil); err != nil {
		return runner.CandidateResult{}, err
	}
	return runner.CandidateResult{Exit: c.exit, Stdout: c.stdout.Log(), Stderr: c.stderr.Log()}, nil
}

// Close kills the program when it still runs and waits for its end.
func (c *Process) Close(context.Context) error {
	c.once.Do(func() {
		c.kill()
		<-c.done
		c.f.remove(c.object())
	})
	return nil
}
