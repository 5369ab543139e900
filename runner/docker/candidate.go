package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/runner"
)

// outputGrace is how long output may keep coming after the main process has ended: something it left behind may hold
// the pipes open for as long as it likes.
const outputGrace = 2 * time.Second

// tmpInodes bounds the files in /tmp: each takes memory of the kernel.
const tmpInodes = 16384

// shmBytes is the size of /dev/shm, which is charged to the container's memory like /tmp.
const shmBytes = 16 << 20

// candidate is one container of the submission.
type candidate struct {
	e      *Engine
	id     string
	stdout *runner.BoundedLog
	stderr *runner.BoundedLog
	conn   client.HijackedResponse
	stop   context.CancelFunc // of the watch

	copied chan struct{} // closed when nothing more is read from conn
	fed    chan struct{} // closed when nothing more is written to conn; made by start
	ended  chan struct{} // closed when result and err are set
	result runner.CandidateResult
	err    error

	closing  atomic.Bool // what ends now was ended by us
	once     sync.Once
	closeErr error
}

// StartCandidate starts a container in the namespaces of the pod. A command that cannot be executed is a candidate that
// ended as evidence.NotStarted.
func (p *pod) StartCandidate(ctx context.Context, spec runner.CandidateSpec) (_ runner.Candidate, err error) {
	if err := p.begin(); err != nil {
		return nil, err
	}
	defer p.starts.Done()
	began := time.Now()
	ws, ok := spec.Workspace.(*workspace)
	if !ok || len(spec.Argv) == 0 {
		return nil, fmt.Errorf("start candidate %s: it has no command or no workspace of this engine", spec.Name)
	}
	limits := spec.Limits.WithDefaults()
	id, err := p.e.create(ctx, roleCandidate, candidateConfig(p.e.cfg.Image, spec), p.candidateHost(ws, limits))
	if err != nil {
		return nil, err
	}
	c := &candidate{
		e: p.e, id: id,
		stdout: runner.NewBoundedLog(limits.OutputBytes),
		stderr: runner.NewBoundedLog(limits.OutputBytes),
		copied: make(chan struct{}),
		ended:  make(chan struct{}),
	}
	if err := c.start(ctx, spec.Argv, spec.Stdin); err != nil {
		return nil, errors.Join(err, c.Close(ctx))
	}
	p.add(c)
	p.e.log.DebugContext(ctx, "candidate started", "name", spec.Name, "id", id[:12], "took", time.Since(began))
	return c, nil
}

func candidateConfig(image string, spec runner.CandidateSpec) *container.Config {
	env := map[string]string{
		"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8", "TZ": "UTC",
	}
	return &container.Config{
		Image:        image,
		User:         fmt.Sprintf("%d:%d", runner.UID, runner.UID),
		Entrypoint:   spec.Argv,
		Env:          envList(env, spec.Env),
		WorkingDir:   appDir,
		AttachStdout: true,
		AttachStderr: true,
		AttachStdin:  spec.Stdin != "",
		OpenStdin:    spec.Stdin != "",
		StdinOnce:    spec.Stdin != "",
	}
}

func (p *pod) candidateHost(ws *workspace, l runner.Limits) *container.HostConfig {
	h := harden(&container.HostConfig{
		NetworkMode: container.NetworkMode("container:" + p.id),
		PidMode:     container.PidMode("container:" + p.id),
		ShmSize:     shmBytes,
		// When the whole machine runs out of memory, the driver is to survive and tell of it. Lowering the driver's own
		// score needs a privilege that not every engine has.
		OomScoreAdj: 500,
		Tmpfs:       map[string]string{"/tmp": fmt.Sprintf("noexec,nosuid,nodev,size=%d,nr_inodes=%d,mode=1777", l.TmpBytes, tmpInodes)},
		Resources: container.Resources{
			Memory: l.MemoryBytes, MemorySwap: l.MemoryBytes, PidsLimit: &l.Pids,
			// No CPU quota: throttling would show as stalls that the submission did not cause.
			CpusetCpus: p.spec.Slot.CandidateCores,
			Ulimits: []*container.Ulimit{
				ulimit("nofile", l.OpenFiles), ulimit("fsize", l.FileSizeBytes), ulimit("core", 0),
			},
		},
		Mounts: []mount.Mount{volumeMount(ws.volume, workspaceDir, true), volumeMount(p.volume, outDir, false)},
	})
	if p.spec.DataDir != "" {
		h.Mounts = append(h.Mounts, dataMount(p.spec.DataDir))
	}
	return h
}

// start attaches, waits for the next exit, and starts the container, in this order: nothing is missed. The watch that
// it begins ends by itself or by Close.
func (c *candidate) start(ctx context.Context, argv []string, stdin string) error {
	c.fed = make(chan struct{})
	watch, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	waiting := make(chan client.ContainerWaitResult, 1)
	go func() {
		waiting <- c.e.cli.ContainerWait(watch, c.id, client.ContainerWaitOptions{Condition: container.WaitConditionNextExit})
	}()
	res, err := c.e.cli.ContainerAttach(ctx, c.id, client.ContainerAttachOptions{
		Stream: true, Stdin: stdin != "", Stdout: true, Stderr: true,
	})
	wait := <-waiting
	if err != nil {
		close(c.copied)
		close(c.fed)
		go c.abandon(wait)
		return fault(ctx, "attach to candidate", err)
	}
	c.conn = res.HijackedResponse
	go c.copyOutput()
	input, err := openInput(stdin)
	if err != nil {
		close(c.fed)
		go c.abandon(wait)
		return err
	}
	go c.feed(input)

	_, err = c.e.cli.ContainerStart(ctx, c.id, client.ContainerStartOptions{})
	switch {
	case err == nil:
		go c.watch(watch, wait)
		return nil
	case ctx.Err() == nil && notExecutable(err):
		c.result.Exit = notStarted(argv, err)
		go c.abandon(wait)
		return nil
	}
	go c.abandon(wait)
	return fault(ctx, "start candidate", err)
}

// abandon ends a wait for a container that did not start. The client leaks a goroutine unless one of the two is read.
func (c *candidate) abandon(wait client.ContainerWaitResult) {
	defer close(c.ended)
	c.stop()
	select {
	case <-wait.Result:
	case err := <-wait.Error:
		c.e.log.Debug("wait for candidate abandoned", "id", c.id, "cause", err)
	}
}

func (c *candidate) copyOutput() {
	defer close(c.copied)
	// An error here means that the connection was cut, by Close or with the engine, and the wait sees that too.
	_, _ = stdcopy.StdCopy(c.stdout, c.stderr, c.conn.Reader)
}

// openInput opens what a candidate gets as standard input, nil for nothing.
func openInput(name string) (*os.File, error) {
	if name == "" {
		return nil, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open standard input: %w", err)
	}
	return f, nil
}

// feed writes the standard input and ends it. A program that does not read it, or ends before it has, is no fault: then the
// connection is cut, by its end or by Close.
func (c *candidate) feed(input *os.File) {
	defer close(c.fed)
	if input == nil {
		return
	}
	defer input.Close()
	_, _ = io.Copy(c.conn.Conn, input)
	_ = c.conn.CloseWrite()
}

// watch waits for the end of the main process, then of its output, and sets the result.
func (c *candidate) watch(ctx context.Context, wait client.ContainerWaitResult) {
	defer close(c.ended)
	var code int64
	select {
	case res := <-wait.Result:
		if res.Error != nil && res.Error.Message != "" {
			c.err = fmt.Errorf("wait for candidate: %s", res.Error.Message)
			return
		}
		code = res.StatusCode
	case err := <-wait.Error:
		c.err = fault(ctx, "wait for candidate", err)
		return
	}
	grace := time.NewTimer(outputGrace)
	defer grace.Stop()
	select {
	case <-c.copied:
	case <-grace.C:
	}
	c.result.Exit, c.err = c.exit(ctx, int(code))
}

// errRemoved means that somebody else removed a container of ours. A submission cannot: it is told by its own exit.
var errRemoved = fmt.Errorf("%w: it was removed", runner.ErrMeddled)

// exit asks for what the code does not tell.
func (c *candidate) exit(ctx context.Context, code int) (evidence.Exit, error) {
	if err := c.untouched(ctx); err != nil || code == 0 {
		return exitOf(code, false), err
	}
	res, err := c.e.cli.ContainerInspect(ctx, c.id, client.ContainerInspectOptions{})
	switch {
	case c.closing.Load() && errdefs.IsNotFound(err): // the code is all there is
		return exitOf(code, false), nil
	case errdefs.IsNotFound(err):
		return evidence.Exit{}, errRemoved
	case err != nil:
		return evidence.Exit{}, fault(ctx, "inspect candidate", err)
	case !c.closing.Load() && beingRemoved(res.Container.State):
		return evidence.Exit{}, errRemoved
	}
	if exit, ok := execFailed(code, c.stderr.Log().Text); ok {
		return exit, nil
	}
	return exitOf(code, res.Container.State != nil && res.Container.State.OOMKilled), nil
}

// beingRemoved says that a removal has begun, which is what has ended the container then.
func beingRemoved(s *container.State) bool {
	return s != nil && (s.Status == container.StateRemoving || s.Status == container.StateDead)
}

// ID is the container's full id.
func (c *candidate) ID() string { return c.id }

// Wait waits for the end of the main process and of its output.
func (c *candidate) Wait(ctx context.Context) (runner.CandidateResult, error) {
	select {
	case <-c.ended:
	case <-ctx.Done():
		return runner.CandidateResult{}, fmt.Errorf("wait for candidate: %w", context.Cause(ctx))
	}
	if c.err != nil {
		return runner.CandidateResult{}, c.err
	}
	res := c.result
	res.Stdout, res.Stderr = c.stdout.Log(), c.stderr.Log()
	res.CutAt = runner.FirstCut(c.stdout, c.stderr)
	return res, nil
}

// Close kills and removes the container. A Wait that is under way returns: with the exit that the kill caused.
func (c *candidate) Close(ctx context.Context) error {
	if c == nil {
		return nil
	}
	c.once.Do(func() {
		c.closing.Store(true)
		c.closeErr = c.e.removeContainer(ctx, c.id)
		if c.closeErr != nil {
			c.stop() // it may still run, so nothing else would end the watch
		}
		if c.conn.Conn != nil {
			<-c.ended
			c.conn.Close()
		}
		<-c.copied
		<-c.fed
		<-c.ended
		c.stop()
	})
	return c.closeErr
}

// envList renders an environment: base, with what is in extra added or replaced. It is sorted, so that equal specs
// make equal containers.
func envList(base, extra map[string]string) []string {
	for k, v := range extra {
		base[k] = v
	}
	list := make([]string, 0, len(base))
	for k, v := range base {
		list = append(list, k+"="+v)
	}
	slices.Sort(list)
	return list
}

func ulimit(name string, n int64) *container.Ulimit {
	return &container.Ulimit{Name: name, Soft: n, Hard: n}
}
