package docker

import (
	"context"
	"errors"
	"fmt"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"

	"github.com/assay-run/assay/runner"
)

// BareSpec is a program in a plain container: no pod, no driver, no probe, nothing sampled.
type BareSpec struct {
	Workspace   runner.Workspace
	Argv        []string
	Env         map[string]string
	Cores       string // cpuset list
	MemoryBytes int64
	DataDir     string // directory on this host, mounted read-only as /data
}

// RunBare runs a program the way anybody would run it in a container, to find what being measured costs. It waits for
// the end and removes the container.
func (e *Engine) RunBare(ctx context.Context, spec BareSpec) (_ runner.CandidateResult, err error) {
	ws, ok := spec.Workspace.(*workspace)
	if !ok || len(spec.Argv) == 0 {
		return runner.CandidateResult{}, errors.New("run bare: it has no command or no workspace of this engine")
	}
	cfg := candidateConfig(e.cfg.Image, runner.CandidateSpec{Argv: spec.Argv, Env: spec.Env})
	id, err := e.create(ctx, roleCandidate, cfg, &container.HostConfig{
		NetworkMode: "none",
		LogConfig:   container.LogConfig{Type: "none"},
		Tmpfs:       map[string]string{OutPath: "mode=1777"},
		Resources: container.Resources{
			Memory: spec.MemoryBytes, MemorySwap: spec.MemoryBytes, CpusetCpus: spec.Cores,
		},
		Mounts: []mount.Mount{volumeMount(ws.volume, workspaceDir, true), dataMount(spec.DataDir)},
	})
	if err != nil {
		return runner.CandidateResult{}, err
	}
	limit := runner.DefaultLimits().OutputBytes
	c := &candidate{
		e: e, id: id,
		stdout: runner.NewBoundedLog(limit), stderr: runner.NewBoundedLog(limit),
		copied: make(chan struct{}), ended: make(chan struct{}),
	}
	defer func() { err = errors.Join(err, c.Close(ctx)) }()
	if err := c.start(ctx, spec.Argv); err != nil {
		return runner.CandidateResult{}, fmt.Errorf("run bare: %w", err)
	}
	return c.Wait(ctx)
}

// DataPath and OutPath are directories as a bare program sees them.
const (
	DataPath = dataDir
	OutPath  = "/tmp"
)
