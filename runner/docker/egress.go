package docker

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/egress"
)

// Egress says what build steps may reach.
type Egress struct {
	// Args make DriverBinary the egress proxy, see egress.Main. ["egress-proxy"] unless set.
	Args []string
	// Registry is the URL of the npm registry, without user and password. Empty takes the one that set-up has noted in
	// BuildImage.
	Registry string
	// Allow lists further origins, for registries that keep their packages on another host. See egress.ParseOrigin.
	Allow []string
	// Upstream is the http:// proxy of this machine, empty for none.
	Upstream string
}

const (
	socketDir     = "/run/egress"
	socketPath    = socketDir + "/proxy.sock"
	proxyAddress  = "127.0.0.1:3128"
	proxyUser     = "65532:65532" // neither root nor the submission
	proxyMemory   = 256 << 20
	proxyPids     = 64
	proxyLogBytes = 64 << 10
	listenTimeout = 20 * time.Second
	stopTimeout   = 3 // seconds that the proxy has to write the end of its log
	maxProxyLine  = 4 << 10
)

// wayOut is the network of one build: a forwarder, whose network namespace build steps join and which has loopback
// only, and a proxy with a network, joined by a unix socket on a volume that only these two see. A bridge, even an
// internal one, would reach whatever the host serves on all its addresses.
type wayOut struct {
	e       *Engine
	volume  string
	forward *helperContainer
	proxy   *helperContainer
}

// openWayOut starts both helpers and waits until they listen. The caller closes it.
func (e *Engine) openWayOut(ctx context.Context, registry string) (_ *wayOut, err error) {
	image, err := e.ensureDriverImage(ctx)
	if err != nil {
		return nil, err
	}
	w := &wayOut{e: e}
	defer func() {
		if err != nil {
			_, closeErr := w.close(ctx)
			err = errors.Join(fmt.Errorf("open the build's way out: %w", err), closeErr)
		}
	}()
	if w.volume, err = e.createVolume(ctx, roleSocket, map[string]string{
		"type": "tmpfs", "device": "tmpfs", "o": "size=64k,nr_inodes=16,uid=65532,gid=65532,mode=0700,noexec,nosuid,nodev",
	}); err != nil {
		return nil, err
	}
	serve := append([]string{"serve", "-listen", "unix:" + socketPath, "-allow", registry}, e.allowArgs()...)
	forward := []string{"forward", "-listen", "tcp:" + proxyAddress, "-to", "unix:" + socketPath}
	// One after the other: the socket's file system lives as long as a container has it mounted.
	if w.proxy, err = e.startHelper(ctx, roleProxy, image, "bridge", w.volume, serve); err != nil {
		return w, err
	}
	if w.forward, err = e.startHelper(ctx, roleForward, image, "none", w.volume, forward); err != nil {
		return w, err
	}
	return w, errors.Join(w.proxy.awaitListening(ctx), w.forward.awaitListening(ctx))
}

func (e *Engine) allowArgs() []string {
	var args []string
	for _, origin := range e.cfg.Egress.Allow {
		args = append(args, "-allow", origin)
	}
	if e.cfg.Egress.Upstream != "" {
		args = append(args, "-upstream", e.cfg.Egress.Upstream)
	}
	return args
}

// close removes the helpers and returns what the proxy has logged. It may be called on a half-open wayOut.
func (w *wayOut) close(ctx context.Context) ([]egress.Event, error) {
	var errs []error
	errs = append(errs, w.forward.remove(ctx), w.proxy.stop(ctx), w.proxy.remove(ctx))
	if w.volume != "" {
		errs = append(errs, w.e.removeVolume(ctx, w.volume))
	}
	return w.proxy.seen(), errors.Join(errs...)
}

// helperContainer is a container of ours beside a build, and what it has logged so far.
type helperContainer struct {
	e    *Engine
	role string
	id   string
	conn client.HijackedResponse

	listening chan struct{} // closed when the first event came
	done      chan struct{} // closed when nothing more is read from conn
	stderr    *runner.BoundedLog

	mu     sync.Mutex
	events []egress.Event
}

func (e *Engine) startHelper(ctx context.Context, role, image, network, volume string, args []string) (*helperContainer, error) {
	pids := int64(proxyPids)
	program := e.cfg.Egress.Args
	if len(program) == 0 {
		program = []string{"egress-proxy"}
	}
	id, err := e.create(ctx, role, &container.Config{
		Image:        image,
		User:         proxyUser,
		Hostname:     hostname, // the forwarder's is that of build steps
		Entrypoint:   []string{driverPath},
		Cmd:          slices.Concat(program, args),
		AttachStdout: true,
		AttachStderr: true,
	}, harden(&container.HostConfig{
		NetworkMode: container.NetworkMode(network),
		Resources:   container.Resources{Memory: proxyMemory, MemorySwap: proxyMemory, PidsLimit: &pids},
		Mounts:      []mount.Mount{volumeMount(volume, socketDir, false)},
	}))
	if err != nil {
		return nil, err
	}
	h := &helperContainer{
		e: e, role: role, id: id,
		listening: make(chan struct{}), done: make(chan struct{}), stderr: runner.NewBoundedLog(proxyLogBytes),
	}
	res, err := e.cli.ContainerAttach(ctx, id, client.ContainerAttachOptions{Stream: true, Stdout: true, Stderr: true})
	if err != nil {
		close(h.done)
		return h, fault(ctx, "attach to "+role, err)
	}
	h.conn = res.HijackedResponse
	go h.read()
	if _, err := e.cli.ContainerStart(ctx, id, client.ContainerStartOptions{}); err != nil {
		return h, fault(ctx, "start "+role, err)
	}
	return h, nil
}

// read collects events until the stream ends. Their number is bounded by the writer, which is our own binary.
func (h *helperContainer) read() {
	defer close(h.done)
	r, w := io.Pipe()
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, err := stdcopy.StdCopy(w, h.stderr, h.conn.Reader)
		w.CloseWithError(err)
	}()
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, maxProxyLine), maxProxyLine)
	for lines.Scan() {
		var ev egress.Event
		if json.Unmarshal(lines.Bytes(), &ev) != nil {
			continue
		}
		if ev.Event == egress.EventListening {
			close(h.listening)
			continue
		}
		h.mu.Lock()
		h.events = append(h.events, ev)
		h.mu.Unlock()
	}
	_ = r.Close() // ends the copier when the scan gave up before the end
	<-copied
}

// awaitListening fails fast when the helper has ended.
func (h *helperContainer) awaitListening(ctx context.Context) error {
	timeout := time.NewTimer(listenTimeout)
	defer timeout.Stop()
	select {
	case <-h.listening:
		return nil
	case <-h.done:
		return fmt.Errorf("%s ended: %s", h.role, h.stderr.Log().Text)
	case <-timeout.C:
		return fmt.Errorf("%s does not listen after %s: %s", h.role, listenTimeout, h.stderr.Log().Text)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// stop lets the helper end by itself and reads the rest of its log.
func (h *helperContainer) stop(ctx context.Context) error {
	if h == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	seconds := stopTimeout
	if _, err := h.e.cli.ContainerStop(ctx, h.id, client.ContainerStopOptions{Timeout: &seconds}); err != nil {
		return fault(ctx, "stop "+h.role, err)
	}
	select {
	case <-h.done:
		return nil
	case <-ctx.Done():
		return fault(ctx, "read log of "+h.role, ctx.Err())
	}
}

// remove kills and removes the container and waits for the reader of its log.
func (h *helperContainer) remove(ctx context.Context) error {
	if h == nil {
		return nil
	}
	err := h.e.removeContainer(ctx, h.id)
	if h.conn.Conn != nil {
		h.conn.Close()
	}
	<-h.done
	return err
}

func (h *helperContainer) seen() []egress.Event {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.events
}
