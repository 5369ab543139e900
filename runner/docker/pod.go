package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"github.com/assay-run/assay/internal/workload"
	"github.com/assay-run/assay/runner"
)

const (
	driverMemoryBytes = 1 << 30 // generous: the driver must not be what dies
	driverPids        = 1024
	defaultOutBytes   = 64 << 20
	outInodes         = 4096
	hostname          = "candidate" // the same in every run, so that it tells a submission nothing
)

// errPodClosed is returned for what comes after Close.
var errPodClosed = errors.New("pod is closed")

// pod is a driver container, the output volume, and the candidates started so far.
type pod struct {
	e      *Engine
	id     string // of the driver container, once it exists
	volume string
	spec   runner.PodSpec
	link   *driverLink

	mu         sync.Mutex
	closing    bool
	starts     sync.WaitGroup // candidates being started
	candidates []*candidate

	once sync.Once
	err  error
}

// OpenPod starts a driver in namespaces of its own.
func (e *Engine) OpenPod(ctx context.Context, spec runner.PodSpec) (_ runner.Pod, err error) {
	began := time.Now()
	if spec.DataDir != "" {
		if spec.DataDir, err = filepath.Abs(spec.DataDir); err != nil {
			return nil, fmt.Errorf("find data directory: %w", err)
		}
	}
	p := &pod{e: e, spec: spec}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close(ctx))
		}
	}()
	if p.volume, err = e.createVolume(ctx, roleOut, outOptions(spec.OutBytes)); err != nil {
		return nil, err
	}
	p.id, err = e.createDriver(ctx, p.volume, spec)
	if errors.Is(err, runner.ErrImageMissing) { // somebody has cleaned up since it was made
		e.forgetDriverImage()
		missing := err
		if p.id, err = e.createDriver(ctx, p.volume, spec); err != nil {
			err = errors.Join(missing, err)
		}
	}
	if err != nil {
		return nil, err
	}
	if p.link, err = e.linkDriver(ctx, p.id); err != nil {
		return nil, err
	}
	if _, err := e.cli.ContainerStart(ctx, p.id, client.ContainerStartOptions{}); err != nil {
		return nil, fault(ctx, "start driver", err)
	}
	e.log.DebugContext(ctx, "pod opened", "driver", p.id[:12], "took", time.Since(began))
	return p, nil
}

// createDriver makes the driver container, and its image where that is not there.
func (e *Engine) createDriver(ctx context.Context, volume string, spec runner.PodSpec) (string, error) {
	image, err := e.ensureDriverImage(ctx)
	if err != nil {
		return "", err
	}
	return e.create(ctx, roleDriver, e.driverConfig(image), e.driverHost(volume, spec))
}

// outOptions are those of the output volume: in memory, bounded, and the submission's own.
func outOptions(size int64) map[string]string {
	if size == 0 {
		size = defaultOutBytes
	}
	return map[string]string{
		"type":   "tmpfs",
		"device": "tmpfs",
		"o": fmt.Sprintf("size=%d,nr_inodes=%d,uid=%d,gid=%d,mode=0700,noexec,nosuid,nodev",
			size, outInodes, runner.UID, runner.UID),
	}
}

func (e *Engine) driverConfig(image string) *container.Config {
	return &container.Config{
		Image:        image,
		Hostname:     hostname, // candidates take it over with the network namespace
		User:         "0:0",
		Entrypoint:   []string{driverPath},
		Cmd:          e.cfg.DriverArgs,
		OpenStdin:    true,
		StdinOnce:    true, // when we are gone, the driver reads the end of its input and ends the pod
		AttachStdin:  true,
		AttachStdout: true,
		AttachStderr: true,
	}
}

func (e *Engine) driverHost(volume string, spec runner.PodSpec) *container.HostConfig {
	pids := int64(driverPids)
	h := harden(&container.HostConfig{
		NetworkMode:  "none",
		CgroupnsMode: container.CgroupnsModeHost,
		Resources: container.Resources{
			Memory: driverMemoryBytes, MemorySwap: driverMemoryBytes, PidsLimit: &pids,
			CpusetCpus: spec.Slot.DriverCores,
		},
		Mounts: []mount.Mount{
			// Recursive, as binds are, since cgroup v1 has a mount for each controller. An engine before 25 makes only the
			// topmost of them read-only.
			{Type: mount.TypeBind, Source: "/sys/fs/cgroup", Target: "/sys/fs/cgroup", ReadOnly: true},
			volumeMount(volume, outDir, false),
		},
	})
	// SYS_PTRACE reads /proc/PID/io and its like of another user, KILL ends what a submission left, and DAC_OVERRIDE
	// reads and clears the output directory, whose owner may have shut anybody out.
	h.CapAdd = []string{"SYS_PTRACE", "KILL", "DAC_OVERRIDE"}
	if spec.DataDir != "" {
		h.Mounts = append(h.Mounts, dataMount(spec.DataDir))
	}
	return h
}

func dataMount(dir string) mount.Mount {
	return mount.Mount{Type: mount.TypeBind, Source: dir, Target: dataDir, ReadOnly: true}
}

func (p *pod) Driver() io.ReadWriter { return p.link }

func (p *pod) DriverLog() string { return p.link.log.Log().Text }

func (p *pod) Paths() workload.Paths {
	paths := workload.Paths{Out: outDir, App: appDir}
	if p.spec.DataDir != "" {
		paths.Data = dataDir
	}
	return paths
}

// begin registers a start of a candidate, or refuses because the pod is being closed. The caller calls p.starts.Done.
func (p *pod) begin() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing {
		return errPodClosed
	}
	p.starts.Add(1)
	return nil
}

func (p *pod) add(c *candidate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.candidates = append(p.candidates, c)
}

// Close ends and removes everything of the pod: all containers at once, then the output volume.
func (p *pod) Close(ctx context.Context) error {
	if p == nil {
		return nil
	}
	p.once.Do(func() { p.err = p.close(ctx) })
	return p.err
}

func (p *pod) close(ctx context.Context) error {
	began := time.Now()
	p.mu.Lock()
	p.closing = true
	p.mu.Unlock()
	p.starts.Wait() // each is bounded by the engine's answers and its caller's context

	errs := make([]error, len(p.candidates)+1)
	var wg sync.WaitGroup
	for i, c := range p.candidates {
		wg.Go(func() { errs[i] = errors.Join(c.Close(ctx), c.disturbed()) })
	}
	if p.id != "" {
		wg.Go(func() { errs[len(errs)-1] = p.e.removeContainer(ctx, p.id) })
	}
	wg.Wait()
	p.link.close()
	if p.volume != "" {
		errs = append(errs, p.e.removeVolume(ctx, p.volume))
	}
	p.e.log.DebugContext(ctx, "pod closed", "took", time.Since(began))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close pod: %w", err)
	}
	return nil
}
