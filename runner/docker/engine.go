// Package docker runs pods on a container engine that speaks the Docker API (1.40 or newer).
//
// A pod is a driver container that owns the network and PID namespaces, and candidate containers that join them. The
// driver is PID 1 of the pod: when it goes, the kernel ends everything in it. Nothing in a pod has a network besides
// loopback.
package docker

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/assay-run/assay/runner"
)

// Labels of every object the engine makes.
const (
	labelSession = "assay.session"
	labelState   = "assay.state"
	labelRole    = "assay.role"
)

// The roles that labelRole takes.
const (
	roleDriver    = "driver"
	roleCandidate = "candidate"
	roleService   = "service"
	roleOut       = "out"
	roleWorkspace = "workspace"
	roleStage     = "stage"
	roleBuild     = "build"
	roleProxy     = "egress-proxy"
	roleForward   = "egress-forward"
	roleSocket    = "egress-socket"
	roleDiskWatch = "disk-watch"
)

const (
	// createTimeout bounds a request that must not be abandoned half-way; see create.
	createTimeout = 60 * time.Second
	// closeTimeout bounds the removal of a pod, workspace or candidate.
	closeTimeout = 30 * time.Second
)

// Engine runs pods on a container engine. Its methods may be called from several goroutines.
type Engine struct {
	cli    *client.Client
	cfg    Config
	log    *slog.Logger
	driver driverImage
	info   engineInfo
}

var _ runner.Engine = (*Engine)(nil)

// New connects to the container engine and settles the API version. It fails with runner.ErrEngineDown when the engine
// does not answer, and with ErrNotOffered when it lacks what cfg asks for. Close the Engine at the end.
func New(ctx context.Context, cfg Config) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	opts := []client.Opt{client.FromEnv}
	if cfg.Host != "" {
		opts = append(opts, client.WithHost(cfg.Host))
	}
	cli, err := client.New(opts...)
	if err != nil {
		return nil, fmt.Errorf("configure docker client: %w", err)
	}
	e := &Engine{cli: cli, cfg: cfg, log: cfg.Logger}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if _, err := cli.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true}); err != nil {
		return nil, errors.Join(fault(ctx, "connect to engine", err), cli.Close())
	}
	if cfg.Runtime != "" || cfg.Seccomp != (SeccompProfile{}) {
		if _, err := e.Info(ctx); err != nil { // a wish that cannot be had is told before anything is made
			return nil, errors.Join(err, cli.Close())
		}
	}
	return e, nil
}

// Close drops idle connections. It removes nothing.
func (e *Engine) Close() error { return e.cli.Close() }

// Info asks the engine what it is. What cannot change in the life of an Engine is asked once; later calls only see that
// the engine still answers, which is a hundred times cheaper.
func (e *Engine) Info(ctx context.Context) (runner.Info, error) {
	e.info.mu.Lock()
	defer e.info.mu.Unlock()
	if e.info.known {
		_, err := e.cli.Ping(ctx, client.PingOptions{})
		return e.info.value, fault(ctx, "ask engine", err)
	}
	err := e.learn(ctx)
	return e.info.value, err
}

// learn asks the engine what does not change. The caller holds the lock of info.
func (e *Engine) learn(ctx context.Context) error {
	res, err := e.cli.Info(ctx, client.InfoOptions{})
	if err != nil {
		return fault(ctx, "ask engine", err)
	}
	i := res.Info
	version, _ := strconv.Atoi(i.CgroupVersion) // empty before API 1.41: unknown
	value := runner.Info{
		Name:          "docker",
		Version:       i.ServerVersion,
		APIVersion:    e.cli.ClientVersion(),
		CgroupVersion: version,
		Kernel:        i.KernelVersion,
		OS:            i.OperatingSystem,
		Sandboxed:     true,
		CPUs:          i.NCPU,
	}
	if strings.HasPrefix(e.cli.DaemonHost(), "unix://") {
		value.Root = i.DockerRootDir
	}
	if err := e.offersRuntime(i.Runtimes); err != nil {
		return err
	}
	value.Runtime = cmp.Or(e.cfg.Runtime, i.DefaultRuntime)
	profile, name, err := e.chooseSeccomp(i.SecurityOptions)
	if err != nil {
		return err
	}
	value.Seccomp = name
	e.info.known, e.info.value, e.info.seccomp = true, value, profile
	return nil
}

// engineInfo remembers what the engine said of itself.
type engineInfo struct {
	mu    sync.Mutex
	known bool
	value runner.Info
	// seccomp is the profile of every container, empty where the engine has none.
	seccomp string
}

// labels are those of an object with that role.
func (e *Engine) labels(role string) map[string]string {
	return map[string]string{labelSession: e.cfg.Session, labelState: e.cfg.StateID, labelRole: role}
}

// objectName is a fresh name. It is known before the object exists, so that a failed creation can be undone.
func (e *Engine) objectName(role string) string {
	raw := make([]byte, 6)
	_, _ = rand.Read(raw) // never fails, by its documentation
	return "assay-" + role + "-" + hex.EncodeToString(raw)
}

// create makes a container and returns its full id. Once begun, the request is not cut short by ctx: the engine would
// go on with an abandoned one and leave a container that nobody knows. The labels of cfg are set here.
func (e *Engine) create(ctx context.Context, role string, cfg *container.Config, host *container.HostConfig) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", context.Cause(ctx)
	}
	if err := e.confine(ctx, role, host); err != nil {
		return "", err
	}
	began := time.Now()
	whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), createTimeout)
	defer cancel()
	cfg.Labels = e.labels(role)
	name := e.objectName(role)
	res, err := e.cli.ContainerCreate(whole, client.ContainerCreateOptions{Name: name, Config: cfg, HostConfig: host})
	if errdefs.IsNotFound(err) && strings.Contains(err.Error(), "image") {
		return "", missingImage(cfg.Image, err)
	}
	if err != nil {
		return "", errors.Join(fault(ctx, "create "+role+" container", err), e.removeContainer(ctx, name))
	}
	if ctx.Err() != nil {
		return "", errors.Join(context.Cause(ctx), e.removeContainer(ctx, res.ID))
	}
	e.log.DebugContext(ctx, "container created", "role", role, "id", res.ID[:12], "took", time.Since(began))
	return res.ID, nil
}

// removeContainer kills and removes a container with its anonymous volumes. One that is gone already is no error, nor
// is one that somebody else is removing: then it waits for the end of that. It has a time limit of its own.
func (e *Engine) removeContainer(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	_, err := e.cli.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	if errdefs.IsConflict(err) {
		err = e.awaitRemoval(ctx, id)
	}
	if err == nil || errdefs.IsNotFound(err) {
		return nil
	}
	return fault(ctx, "remove container", err)
}

func (e *Engine) awaitRemoval(ctx context.Context, id string) error {
	res := e.cli.ContainerWait(ctx, id, client.ContainerWaitOptions{Condition: container.WaitConditionRemoved})
	select {
	case <-res.Result:
		return nil
	case err := <-res.Error:
		return err
	}
}

// removeVolume removes a volume; one that is gone already is no error. It has a time limit of its own.
func (e *Engine) removeVolume(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	_, err := e.cli.VolumeRemove(ctx, name, client.VolumeRemoveOptions{})
	if err == nil || errdefs.IsNotFound(err) {
		return nil
	}
	return fault(ctx, "remove volume", err)
}

// harden sets what every container of ours has: no capability, no way to gain one, a read-only root, no log of its
// own, no restart, and itself as PID 1 when it owns the namespace.
func harden(h *container.HostConfig) *container.HostConfig {
	noInit := false
	h.CapDrop = []string{"ALL"}
	h.SecurityOpt = []string{"no-new-privileges"}
	h.ReadonlyRootfs = true
	h.LogConfig = container.LogConfig{Type: "none"}
	h.RestartPolicy = container.RestartPolicy{Name: container.RestartPolicyDisabled}
	h.Init = &noInit
	h.IpcMode = container.IPCModePrivate
	return h
}
