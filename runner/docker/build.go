package docker

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/diskwatch"
	"github.com/assay-run/assay/runner/egress"
)

// Defaults and bounds of a build.
const (
	buildMemory    = 1 << 30
	buildTimeout   = 120 * time.Second
	buildOutput    = 256 << 10
	buildDiskBytes = 2 << 30
	buildDiskFiles = 300_000
	buildPids      = 256
	buildTmpBytes  = 256 << 20
	buildFileBytes = 512 << 20 // largest file it may write
	buildOpenFiles = 4096
	buildCPUShares = 256 // a quarter of the default: measured runs come first where cores are shared
	maxRefused     = 100 // refused hosts kept of one step
	maxCABundle    = 8 << 20

	caDir  = "/etc/assay" // root's own, so that a step cannot replace the certificates
	caPath = caDir + "/ca.pem"
)

// errBuildTimeout is the cause that ends a step when the time of all steps together is over.
var errBuildTimeout = errors.New("the time of the build is over")

// Build runs the steps one after the other, each in a container of its own that has the workspace writable and reaches
// the npm registry by the way out (see wayOut) and nothing else. It stops at the first step that fails.
func (e *Engine) Build(ctx context.Context, w runner.Workspace, b runner.BuildSpec) (_ evidence.Build, err error) {
	if len(b.Steps) == 0 {
		return evidence.Build{Skipped: true, Reason: "The submission has no build steps."}, nil
	}
	ws, ok := w.(*workspace)
	if !ok || e.cfg.BuildImage == "" {
		return evidence.Build{}, errors.New("build submission: the engine has no build image, or the workspace is not its own")
	}
	if slices.ContainsFunc(b.Steps, func(argv []string) bool { return len(argv) == 0 }) {
		return evidence.Build{}, errors.New("build submission: a step has no command")
	}
	registry, err := e.registry(ctx)
	if err != nil {
		return evidence.Build{}, err
	}
	ca, err := e.caBundle()
	if err != nil {
		return evidence.Build{}, err
	}
	began := time.Now()
	way, err := e.openWayOut(ctx, registry)
	if err != nil {
		return evidence.Build{}, err
	}
	run := &build{e: e, ws: ws, spec: buildDefaults(b), registry: registry, ca: ca, network: way.forward.id}
	result, err := run.steps(ctx)
	events, closeErr := way.close(ctx)
	if err := errors.Join(err, closeErr); err != nil {
		return evidence.Build{}, fmt.Errorf("build submission: %w", err)
	}
	assignRefused(result.Steps, run.started, events)
	e.log.DebugContext(ctx, "submission built", "steps", len(result.Steps), "failed", result.Failed, "took", time.Since(began))
	return result, nil
}

func buildDefaults(b runner.BuildSpec) runner.BuildSpec {
	if b.MemoryBytes <= 0 {
		b.MemoryBytes = buildMemory
	}
	if b.Timeout <= 0 {
		b.Timeout = buildTimeout
	}
	if b.OutputBytes <= 0 {
		b.OutputBytes = buildOutput
	}
	if b.DiskBytes <= 0 {
		b.DiskBytes = buildDiskBytes
	}
	if b.DiskFiles <= 0 {
		b.DiskFiles = buildDiskFiles
	}
	return b
}

// registry is the npm registry that steps use.
func (e *Engine) registry(ctx context.Context) (string, error) {
	raw := e.cfg.Egress.Registry
	if raw == "" {
		res, err := e.cli.ImageInspect(ctx, e.cfg.BuildImage)
		if err != nil {
			return "", missingImage(e.cfg.BuildImage, fault(ctx, "inspect image", err))
		}
		if res.Config != nil {
			raw = res.Config.Labels[LabelRegistry]
		}
	}
	if raw == "" {
		return "", fmt.Errorf("find npm registry: neither configured nor noted in %s; run assay setup --rebuild", e.cfg.BuildImage)
	}
	o, err := egress.ParseOrigin(raw)
	if err != nil {
		return "", fmt.Errorf("find npm registry: %w", err)
	}
	addr, err := netip.ParseAddr(o.Host)
	if o.Host == "localhost" || err == nil && addr.IsLoopback() {
		return "", fmt.Errorf("find npm registry: %s is on this machine's own loopback, which no container reaches; "+
			"let it listen on another address and set that with npm config set registry", o)
	}
	return raw, nil
}

func (e *Engine) caBundle() ([]byte, error) {
	if e.cfg.CABundle == "" {
		return nil, nil
	}
	f, err := os.Open(e.cfg.CABundle)
	if err != nil {
		return nil, fmt.Errorf("open certificates: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxCABundle+1))
	if err != nil {
		return nil, fmt.Errorf("read certificates: %w", err)
	}
	if len(data) > maxCABundle || !bytes.Contains(data, []byte("-----BEGIN")) {
		return nil, fmt.Errorf("read certificates: %s is larger than 8 MiB or holds no PEM block", e.cfg.CABundle)
	}
	return data, nil
}

// build is one call of Build.
type build struct {
	e        *Engine
	ws       *workspace
	spec     runner.BuildSpec
	registry string
	ca       []byte
	network  string      // id of the container whose network namespace steps join
	started  []time.Time // of each step, by the clock of the engine
}

func (b *build) steps(ctx context.Context) (evidence.Build, error) {
	limited, cancel := context.WithTimeoutCause(ctx, b.spec.Timeout, errBuildTimeout)
	defer cancel()
	var result evidence.Build
	for _, argv := range b.spec.Steps {
		step, err := b.step(ctx, limited, argv)
		if err != nil {
			return result, fmt.Errorf("run step %q: %w", argv[0], err)
		}
		result.Steps = append(result.Steps, step)
		if !step.Exit.OK() {
			result.Failed = true
			break
		}
	}
	return result, nil
}

// step runs one command. limited is ctx with the time limit of the build.
func (b *build) step(ctx, limited context.Context, argv []string) (_ evidence.BuildStep, err error) {
	began := time.Now()
	id, err := b.e.create(ctx, roleBuild, b.config(argv), b.host())
	if err != nil {
		return evidence.BuildStep{}, err
	}
	output := runner.NewBoundedLog(b.spec.OutputBytes)
	c := &candidate{
		e: b.e, id: id, stdout: output, stderr: output, copied: make(chan struct{}), ended: make(chan struct{}),
	}
	if err := b.copyCA(ctx, id); err != nil {
		return evidence.BuildStep{}, errors.Join(err, b.e.removeContainer(ctx, id))
	}
	defer func() { err = errors.Join(err, c.Close(ctx)) }()
	if err := c.start(ctx, argv, ""); err != nil {
		return evidence.BuildStep{}, err
	}
	if err := b.noteStart(ctx, id); err != nil {
		return evidence.BuildStep{}, err
	}
	exit, hits, err := b.await(ctx, limited, c)
	if err != nil {
		return evidence.BuildStep{}, err
	}
	return evidence.BuildStep{
		Argv: argv, Exit: exit, DurationNs: int64(time.Since(began)), Output: output.Log(), Limits: hits,
	}, nil
}

// await waits for the end of a step, and ends it when its time is over or it has written too much.
func (b *build) await(ctx, limited context.Context, c *candidate) (evidence.Exit, []evidence.LimitHit, error) {
	began := time.Now()
	watched, end := context.WithCancelCause(limited)
	defer end(nil)
	var written diskwatch.Over
	var room *diskwatch.Room // when it had none
	watch := make(chan error, 1)
	go func() {
		err := b.watchStep(watched, c, func(s diskwatch.Said) {
			if room = cmp.Or(s.Room, room); s.Over != nil {
				written = *s.Over
				end(errTooMuchOnDisk)
			}
		})
		if err != nil {
			end(err)
		}
		watch <- err
	}()
	res, err := c.Wait(watched)
	after := time.Since(began)
	cause := context.Cause(watched)
	// Kill first, look afterwards.
	if err != nil && cause != nil && ctx.Err() == nil {
		err = c.Close(ctx)
	}
	end(nil)
	werr := <-watch
	if err = errors.Join(err, werr); err != nil {
		return evidence.Exit{}, nil, err
	}
	exit, hits := b.judge(res.Exit, cause, written, after)
	if exit.Status == evidence.Signaled || exit.Status == evidence.TimedOut || exit.Status == evidence.Exited && !exit.OK() {
		if err := b.roomFor(ctx, room); err != nil {
			return evidence.Exit{}, nil, err
		}
	}
	return exit, hits, nil
}

// judge says how a step ended: by itself, or by us for that cause, after that time and with so much written.
func (b *build) judge(
	exit evidence.Exit, cause error, written diskwatch.Over, after time.Duration,
) (evidence.Exit, []evidence.LimitHit) {
	switch {
	case errors.Is(cause, errTooMuchOnDisk):
		exit, hit := b.diskExit(written, after)
		return exit, []evidence.LimitHit{hit}
	case errors.Is(cause, errBuildTimeout):
		exit := killed(evidence.TimedOut)
		exit.Detail = fmt.Sprintf("All build steps together may take %s.", b.spec.Timeout)
		return exit, []evidence.LimitHit{{Limit: evidence.LimitTime, AtSeconds: after.Seconds(), Allowed: int64(b.spec.Timeout)}}
	case exit.Status == evidence.OOMKilled:
		return exit, []evidence.LimitHit{{Limit: evidence.LimitMemory, AtSeconds: after.Seconds(), Allowed: b.spec.MemoryBytes}}
	}
	return exit, nil
}

// killed is the exit of a step that we have ended.
func killed(status evidence.ExitStatus) evidence.Exit {
	return evidence.Exit{Status: status, Code: 128 + 9, Signal: "SIGKILL"}
}

func (b *build) config(argv []string) *container.Config {
	env := map[string]string{
		"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8", "TZ": "UTC", "CI": "true",
		"HTTP_PROXY": "http://" + proxyAddress, "HTTPS_PROXY": "http://" + proxyAddress,
		"http_proxy": "http://" + proxyAddress, "https_proxy": "http://" + proxyAddress,
		"NO_PROXY": "localhost,127.0.0.1", "no_proxy": "localhost,127.0.0.1",
		"npm_config_proxy": "http://" + proxyAddress, "npm_config_https_proxy": "http://" + proxyAddress,
		"npm_config_noproxy":        "localhost,127.0.0.1",
		"npm_config_registry":       b.registry,
		"npm_config_cache":          "/tmp/.npm",
		"npm_config_ignore_scripts": fmt.Sprint(!b.spec.Scripts),
		// A host that is refused stays refused, so trying again only burns the time of the build.
		"npm_config_fetch_retries": "1", "npm_config_fetch_retry_mintimeout": "1000",
		"npm_config_audit": "false", "npm_config_fund": "false", "npm_config_update_notifier": "false",
		"npm_config_progress": "false", "npm_config_yes": "true",
	}
	if b.ca != nil {
		env["NODE_EXTRA_CA_CERTS"] = caPath
	}
	return &container.Config{
		Image:        b.e.cfg.BuildImage,
		User:         fmt.Sprintf("%d:%d", runner.UID, runner.UID),
		Entrypoint:   argv,
		Env:          envList(env, b.spec.Env),
		WorkingDir:   appDir,
		AttachStdout: true,
		AttachStderr: true,
	}
}

func (b *build) host() *container.HostConfig {
	pids := int64(buildPids)
	tmp := fmt.Sprintf("nosuid,nodev,size=%d,mode=1777", buildTmpBytes)
	if !b.spec.Scripts {
		tmp += ",noexec"
	}
	h := harden(&container.HostConfig{
		NetworkMode: container.NetworkMode("container:" + b.network),
		ShmSize:     shmBytes,
		Tmpfs:       map[string]string{"/tmp": tmp},
		Resources: container.Resources{
			Memory: b.spec.MemoryBytes, MemorySwap: b.spec.MemoryBytes, PidsLimit: &pids, CPUShares: buildCPUShares,
			Ulimits: []*container.Ulimit{
				ulimit("nofile", buildOpenFiles), ulimit("fsize", buildFileBytes), ulimit("core", 0),
			},
		},
		Mounts: []mount.Mount{volumeMount(b.ws.volume, workspaceDir, false)},
	})
	if b.ca != nil {
		// Anonymous, so that it goes with the container: a read-only root takes no files, a volume on it does.
		h.Mounts = append(h.Mounts, mount.Mount{
			Type: mount.TypeVolume, Target: caDir, VolumeOptions: &mount.VolumeOptions{Labels: b.e.labels(roleBuild)},
		})
	}
	return h
}

// copyCA puts the certificates into a container that has not been started.
func (b *build) copyCA(ctx context.Context, id string) error {
	if b.ca == nil {
		return nil
	}
	var archive bytes.Buffer
	tw := tar.NewWriter(&archive)
	header := &tar.Header{Typeflag: tar.TypeReg, Name: "ca.pem", Mode: 0o444, Size: int64(len(b.ca))}
	werr := tw.WriteHeader(header)
	if werr == nil {
		_, werr = tw.Write(b.ca)
	}
	if err := errors.Join(werr, tw.Close()); err != nil {
		return fmt.Errorf("pack certificates: %w", err)
	}
	_, err := b.e.cli.CopyToContainer(ctx, id, client.CopyToContainerOptions{DestinationPath: caDir, Content: &archive})
	return fault(ctx, "copy certificates", err)
}

// noteStart notes when a step began by the clock of the engine, which is that of the proxy's log as well.
func (b *build) noteStart(ctx context.Context, id string) error {
	res, err := b.e.cli.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil {
		return fault(ctx, "inspect step", err)
	}
	var at time.Time
	if res.Container.State != nil {
		// A step that could not be executed has no time; then nothing can have been refused to it either.
		at, _ = time.Parse(time.RFC3339Nano, res.Container.State.StartedAt)
	}
	b.started = append(b.started, at)
	return nil
}

// assignRefused gives each refusal to the last step that had begun by then, each host once and in order.
func assignRefused(steps []evidence.BuildStep, started []time.Time, events []egress.Event) {
	for _, ev := range events {
		if ev.Event != egress.EventRefused {
			continue
		}
		at := 0
		for i := range steps {
			if !started[i].After(ev.Time) {
				at = i
			}
		}
		if at < len(steps) && len(steps[at].Refused) < maxRefused && !slices.Contains(steps[at].Refused, ev.Target) {
			steps[at].Refused = append(steps[at].Refused, ev.Target)
		}
	}
}
