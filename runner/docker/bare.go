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
	DataDir     string // directory on this host, mounted read-only as /data; empty for none
}

// RunBare runs a program the way anybody would run it in a container, to find what being measured costs. It waits for
// the end and removes the container.
func (e *Engine) RunBare(ctx context.Context, spec BareSpec) (_ runner.CandidateResult, err error) {
	c, err := e.startBare(ctx, spec)
	if err != nil {
		return runner.CandidateResult{}, err
	}
	defer func() { err = errors.Join(err, c.Close(ctx)) }()
	return c.Wait(ctx)
}

// startBare starts the container. The caller must Close it.
func (e *Engine) startBare(ctx context.Context, spec BareSpec) (*candidate, error) {
	ws, ok := spec.Workspace.(*workspace)
	if !ok || len(spec.Argv) == 0 {
		return nil, errors.New("run bare: it has no command or no workspace of this engine")
	}
	mounts := []mount.Mount{volumeMount(ws.volume, workspaceDir, true)}
	if spec.DataDir != "" {
		mounts = append(mounts, dataMount(spec.DataDir))
	}
	return e.startAlone(ctx, roleCandidate, candidateConfig(e.cfg.Image, runner.CandidateSpec{Argv: spec.Argv, Env: spec.Env}),
		&container.HostConfig{
			NetworkMode: "none",
			LogConfig:   container.LogConfig{Type: "none"},
			Tmpfs:       map[string]string{OutPath: "mode=1777"},
			Resources: container.Resources{
				Memory: spec.MemoryBytes, MemorySwap: spec.MemoryBytes, CpusetCpus: spec.Cores,
			},
			Mounts: mounts,
		})
}

// startAlone starts a container that is no part of a pod.
func (e *Engine) startAlone(ctx context.Context, role string, cfg *container.Config, host *container.HostConfig) (*candidate, error) {
	id, err := e.create(ctx, role, cfg, host)
	if err != nil {
		return nil, err
	}
	limit := runner.DefaultLimits().OutputBytes
	c := &candidate{
		e: e, id: id,
		stdout: runner.NewBoundedLog(limit), stderr: runner.NewBoundedLog(limit),
		copied: make(chan struct{}), ended: make(chan struct{}),
	}
	if err := c.start(ctx, cfg.Entrypoint, ""); err != nil {
		return nil, errors.Join(fmt.Errorf("run bare: %w", err), c.Close(ctx))
	}
	return c, nil
}

// RunBareServer runs a server like RunBare, and beside it this binary with some arguments, on cores of its own: it shares the
// server's loopback and nothing else. When it has ended, the server is removed. What it wrote is returned.
func (e *Engine) RunBareServer(ctx context.Context, spec BareSpec, cores string, args []string) (_ runner.CandidateResult, err error) {
	server, err := e.startBare(ctx, spec)
	if err != nil {
		return runner.CandidateResult{}, err
	}
	defer func() { err = errors.Join(err, server.Close(ctx)) }()
	image, err := e.ensureDriverImage(ctx)
	if err != nil {
		return runner.CandidateResult{}, err
	}
	beside, err := e.startAlone(ctx, roleDriver,
		&container.Config{Image: image, Entrypoint: []string{driverPath}, Cmd: args, AttachStdout: true, AttachStderr: true},
		&container.HostConfig{
			NetworkMode: container.NetworkMode("container:" + server.id),
			LogConfig:   container.LogConfig{Type: "none"},
			Resources:   container.Resources{Memory: driverMemoryBytes, MemorySwap: driverMemoryBytes, CpusetCpus: cores},
		})
	if err != nil {
		return runner.CandidateResult{}, err
	}
	defer func() { err = errors.Join(err, beside.Close(ctx)) }()
	return beside.Wait(ctx)
}

// DataPath and OutPath are directories as a bare program sees them.
const (
	DataPath = dataDir
	OutPath  = "/tmp"
)
