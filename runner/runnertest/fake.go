// Package runnertest has what tests of engines and of the layers above them need: Fake, a scripted Engine in memory,
// and Conformance, the suite that every Engine passes.
package runnertest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
	"github.com/assay-run/assay/runner"
)

// DriverFunc plays the driver of one pod. stream is its standard input and output; log its standard error. It ends when
// ctx is done, which the pod's Close does, or when stream ends.
type DriverFunc func(ctx context.Context, stream io.ReadWriter, started StartFunc) error

// StartFunc waits for the next candidate that the host starts in the pod, so that a driver can play what it does to it.
type StartFunc func(ctx context.Context) (*Process, error)

// Machine is where Fakes of several sessions meet, as engines of several processes do on one machine.
type Machine struct {
	mu      sync.Mutex
	objects map[string][]string // by session
}

// Fake is a scripted Engine. Set its fields before its first use. The zero value is an engine on which everything works: its
// drivers read and say nothing, and its candidates exit with code 0 at once.
type Fake struct {
	// Session and Alive are what the Config of a real engine has; Machine is shared with other Fakes, or nil.
	Session string
	Alive   func(session string) bool
	Machine *Machine
	// Dir is where directories of pods and workspaces are made; the default directory for temporary files when empty.
	Dir string

	// Driver plays the driver.
	Driver DriverFunc
	// Program chooses what a candidate does.
	Program func(runner.CandidateSpec) Program
	// Service chooses what a service does; one that runs until the end of its pod when nil.
	Service func(workload.Service) Program
	// BuildResult is what Build returns.
	BuildResult evidence.Build

	// StageError, BuildError, PodError, StartError and ServiceError make the call fail.
	StageError, BuildError, PodError, StartError, ServiceError error
	// DriverGarbage is read from each driver before its own words.
	DriverGarbage []byte
	// DriverCut ends each driver's output with io.ErrUnexpectedEOF after so many bytes; 0 for never.
	DriverCut int64

	once    sync.Once
	mu      sync.Mutex
	down    bool
	started []runner.CandidateSpec
	serving []workload.Service
	pods    []runner.PodSpec
}

var _ runner.Engine = (*Fake)(nil)

// SetDown makes every call fail with runner.ErrEngineDown from now on, or ends that. Pods that are open lose their
// driver's stream when they are next used.
func (f *Fake) SetDown(down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = down
}

// Started lists the candidates that were started so far, in order.
func (f *Fake) Started() []runner.CandidateSpec {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.started)
}

// Services lists the services that were started so far, in order.
func (f *Fake) Services() []workload.Service {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.serving)
}

// Pods lists the pods that were opened so far, in order.
func (f *Fake) Pods() []runner.PodSpec {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.pods)
}

// Left lists what exists of a session: "workspace NAME", "pod NAME" and "candidate NAME". A test that expects none to be
// left has closed all.
func (f *Fake) Left(session string) []string {
	m := f.machine()
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(slices.Values(m.objects[session]))
}

func (f *Fake) machine() *Machine {
	f.once.Do(func() {
		if f.Machine == nil {
			f.Machine = &Machine{}
		}
	})
	return f.Machine
}

func (f *Fake) add(object string) {
	m := f.machine()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.objects == nil {
		m.objects = map[string][]string{}
	}
	m.objects[f.Session] = append(m.objects[f.Session], object)
}

func (f *Fake) remove(object string) {
	m := f.machine()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.objects[f.Session] = slices.DeleteFunc(m.objects[f.Session], func(o string) bool { return o == object })
}

// ready fails when the engine is down, ctx is over, or the script says so.
func (f *Fake) ready(ctx context.Context, verb string, scripted error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", verb, context.Cause(ctx))
	case f.down:
		return fmt.Errorf("%s: %w; start it", verb, runner.ErrEngineDown)
	case scripted != nil:
		return fmt.Errorf("%s: %w", verb, scripted)
	}
	return nil
}

// Info describes the fake.
func (f *Fake) Info(ctx context.Context) (runner.Info, error) {
	if err := f.ready(ctx, "ask engine", nil); err != nil {
		return runner.Info{}, err
	}
	return runner.Info{Name: "fake", Version: "1", Kernel: "none", OS: "none", CPUs: 4}, nil
}

// Stage makes a directory and leaves the submission where it is.
func (f *Fake) Stage(ctx context.Context, s runner.StageSpec) (runner.Workspace, error) {
	if err := f.ready(ctx, "stage "+s.Name, f.StageError); err != nil {
		return nil, err
	}
	if err := runner.WalkStage(ctx, s.Dir, func(runner.StagedFile) error { return nil }); err != nil {
		return nil, fmt.Errorf("stage %s: %w", s.Name, err)
	}
	w := &fakeWorkspace{f: f, id: "workspace " + rand.Text(), dir: s.Dir}
	f.add(w.id)
	return w, nil
}

type fakeWorkspace struct {
	f       *Fake
	id, dir string
}

func (w *fakeWorkspace) ID() string { return w.id }

func (w *fakeWorkspace) Close(context.Context) error {
	w.f.remove(w.id)
	return nil
}

// Build returns the scripted result.
func (f *Fake) Build(ctx context.Context, _ runner.Workspace, b runner.BuildSpec) (evidence.Build, error) {
	if err := f.ready(ctx, "build", f.BuildError); err != nil {
		return evidence.Build{}, err
	}
	if len(b.Steps) == 0 {
		return evidence.Build{Skipped: true, Reason: "The submission has no build steps."}, nil
	}
	return f.BuildResult, nil
}

// OpenPod starts the driver function with a directory for output.
func (f *Fake) OpenPod(ctx context.Context, spec runner.PodSpec) (runner.Pod, error) {
	if err := f.ready(ctx, "open pod", f.PodError); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(f.Dir, "assay-fake-*")
	if err != nil {
		return nil, fmt.Errorf("open pod: %w", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "out"), 0o700); err != nil {
		return nil, errors.Join(fmt.Errorf("open pod: %w", err), os.RemoveAll(dir))
	}
	f.mu.Lock()
	f.pods = append(f.pods, spec)
	f.mu.Unlock()
	p := newFakePod(f, spec, dir)
	f.add(p.id)
	p.play(f.Driver)
	return p, nil
}

// Sweep forgets what dead sessions have left.
func (f *Fake) Sweep(ctx context.Context) (runner.Swept, error) {
	var swept runner.Swept
	if err := f.ready(ctx, "sweep", nil); err != nil {
		return swept, err
	}
	m := f.machine()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, session := range slices.Collect(maps.Keys(m.objects)) {
		if session != f.Session && f.Alive != nil && !f.Alive(session) {
			swept.Containers += len(m.objects[session])
			delete(m.objects, session)
		}
	}
	return swept, nil
}
