package process

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/assay-run/assay/runner"
)

// candidate is one process of the submission with all it starts.
type candidate struct {
	e      *Engine
	marker string
	run    *running // nil when the command could not be executed
	result runner.CandidateResult
	stdout *runner.BoundedLog
	stderr *runner.BoundedLog
	once   sync.Once
}

// StartCandidate starts a process in a session of its own. MemoryBytes and TmpBytes are not enforced here. Pids bounds
// all processes of submissions together, and only where we are root.
func (p *pod) StartCandidate(ctx context.Context, spec runner.CandidateSpec) (runner.Candidate, error) {
	ws, ok := spec.Workspace.(*workspace)
	if !ok || len(spec.Argv) == 0 {
		return nil, fmt.Errorf("start candidate %s: it has no command or no workspace of this engine", spec.Name)
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("start candidate %s: %w", spec.Name, context.Cause(ctx))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing {
		return nil, errPodClosed
	}
	if err := p.pointApp(ws); err != nil {
		return nil, fmt.Errorf("start candidate %s: %w", spec.Name, err)
	}
	limits := spec.Limits.WithDefaults()
	c := &candidate{
		e: p.e, marker: p.marker,
		stdout: runner.NewBoundedLog(limits.OutputBytes),
		stderr: runner.NewBoundedLog(limits.OutputBytes),
	}
	input, err := openInput(spec.Stdin)
	if err != nil {
		return nil, fmt.Errorf("start candidate %s: %w", spec.Name, err)
	}
	defer input.Close() // of nothing too
	run, err := p.e.spawn(command{
		argv:  spec.Argv,
		stdin: input,
		dir:   ws.app(),
		env: merge(map[string]string{
			"PATH": p.e.cfg.Path, "HOME": p.tmp(), "TMPDIR": p.tmp(), "LANG": "C.UTF-8", "TZ": "UTC",
		}, spec.Env, map[string]string{markerName: p.marker}),
		stdout: c.stdout,
		stderr: c.stderr,
		cores:  p.slot.CandidateCores,
		rlimit: p.e.rlimits(limits),
		drop:   true,
	})
	var theirs notExecutableError
	switch {
	case errors.As(err, &theirs):
		c.result.Exit = notStarted(spec.Argv, theirs)
	case err != nil:
		return nil, fmt.Errorf("start candidate %s: %w", spec.Name, err)
	}
	c.run = run
	p.candidates = append(p.candidates, c)
	return c, nil
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

// pointApp makes Paths().App lead to the workspace.
func (p *pod) pointApp(ws *workspace) error {
	if err := os.Remove(p.paths.App); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove old link: %w", err)
	}
	if err := os.Symlink(ws.app(), p.paths.App); err != nil {
		return fmt.Errorf("link workspace: %w", err)
	}
	return nil
}

// rlimits are the limits the kernel holds a process to. The number of processes counts for a user, so it means something
// only for a user who has nothing else, and is generous because pods share it.
func (e *Engine) rlimits(l runner.Limits) map[int]uint64 {
	limits := map[int]uint64{
		unix.RLIMIT_CORE:   0,
		unix.RLIMIT_FSIZE:  uint64(max(l.FileSizeBytes, 0)),
		unix.RLIMIT_NOFILE: uint64(max(l.OpenFiles, 0)),
	}
	if e.root {
		limits[unix.RLIMIT_NPROC] = 8 * uint64(max(l.Pids, 0))
	}
	return limits
}

// ID is "pid:N" with the process id on this machine; "pid:0" when the command could not be executed.
func (c *candidate) ID() string {
	if c.run == nil {
		return "pid:0"
	}
	return "pid:" + strconv.Itoa(c.run.pid)
}

// Wait waits for the end of the main process and of its output.
func (c *candidate) Wait(ctx context.Context) (runner.CandidateResult, error) {
	res := c.result
	if c.run == nil {
		return res, nil
	}
	select {
	case <-c.run.done:
	case <-ctx.Done():
		return runner.CandidateResult{}, fmt.Errorf("wait for candidate: %w", context.Cause(ctx))
	}
	exit, err := c.run.exit()
	if err != nil {
		return runner.CandidateResult{}, err
	}
	return runner.CandidateResult{
		Exit: exit, Stdout: c.stdout.Log(), Stderr: c.stderr.Log(), CutAt: runner.FirstCut(c.stdout, c.stderr),
	}, nil
}

// Close kills the process with everything that descends from it, and what has strayed from its pod.
func (c *candidate) Close(context.Context) error {
	if c == nil || c.run == nil {
		return nil
	}
	c.once.Do(func() { c.e.kill(c.run, c.marker) })
	return nil
}

// merge joins environments; later ones win.
func merge(envs ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, env := range envs {
		maps.Copy(all, env)
	}
	return all
}

// envList renders an environment, sorted.
func envList(env map[string]string) []string {
	list := make([]string, 0, len(env))
	for _, k := range slices.Sorted(maps.Keys(env)) {
		list = append(list, k+"="+env[k])
	}
	return list
}
