package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"

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
	listenTimeout = 20 * time.Second
)

// wayOut is the network of one build: a forwarder, whose network namespace build steps join and which has loopback
// only, and a proxy with a network, joined by a unix socket on a volume that only these two see. A bridge, even an
// internal one, would reach whatever the host serves on all its addresses.
type wayOut struct {
	e       *Engine
	volume  string
	forward *proxyContainer
	proxy   *proxyContainer
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
	if w.proxy, err = e.startProxy(ctx, roleProxy, image, "bridge", w.volume, serve); err != nil {
		return w, err
	}
	if w.forward, err = e.startProxy(ctx, roleForward, image, "none", w.volume, forward); err != nil {
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

// proxyContainer is a proxy or a forwarder, and the events that it has logged so far.
type proxyContainer struct {
	*helperContainer

	listening chan struct{} // closed when the first event came

	mu     sync.Mutex
	events []egress.Event
}

func (e *Engine) startProxy(ctx context.Context, role, image, network, volume string, args []string) (*proxyContainer, error) {
	pids := int64(proxyPids)
	p := &proxyContainer{listening: make(chan struct{})}
	var err error
	p.helperContainer, err = e.startHelper(ctx, role, &container.Config{
		Image:      image,
		User:       proxyUser,
		Hostname:   hostname, // the forwarder's is that of build steps
		Entrypoint: []string{driverPath},
		Cmd:        slices.Concat(orDefault(e.cfg.Egress.Args, "egress-proxy"), args),
	}, harden(&container.HostConfig{
		NetworkMode: container.NetworkMode(network),
		Resources:   container.Resources{Memory: proxyMemory, MemorySwap: proxyMemory, PidsLimit: &pids},
		Mounts:      []mount.Mount{volumeMount(volume, socketDir, false)},
	}), p.line)
	return p, err
}

// line takes an event of the log. Their number is bounded by the writer, which is our own binary.
func (p *proxyContainer) line(text []byte) {
	var ev egress.Event
	if json.Unmarshal(text, &ev) != nil {
		return
	}
	if ev.Event == egress.EventListening {
		close(p.listening)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, ev)
}

// awaitListening fails fast when the helper has ended.
func (p *proxyContainer) awaitListening(ctx context.Context) error {
	timeout := time.NewTimer(listenTimeout)
	defer timeout.Stop()
	select {
	case <-p.listening:
		return nil
	case <-p.done:
		return fmt.Errorf("%s ended: %s", p.role, p.stderr.Log().Text)
	case <-timeout.C:
		return fmt.Errorf("%s does not listen after %s: %s", p.role, listenTimeout, p.stderr.Log().Text)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *proxyContainer) seen() []egress.Event {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.events
}

// stop and remove are those of the helper, where there is one.
func (p *proxyContainer) stop(ctx context.Context) error {
	if p == nil {
		return nil
	}
	return p.helperContainer.stop(ctx)
}

func (p *proxyContainer) remove(ctx context.Context) error {
	if p == nil {
		return nil
	}
	return p.helperContainer.remove(ctx)
}
