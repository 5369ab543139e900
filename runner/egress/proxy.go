// Package egress is the only way out of a build: an HTTP proxy that reaches the npm registry and nothing else.
//
// It runs in two containers. The forwarder shares the network namespace of the build, which has loopback only; it
// listens there and hands each connection to a unix socket on a volume that the build does not see. The proxy
// serves that socket from a container with a network. So a build has no route to any address, not even to the host's
// own through a bridge, and its only peer is this proxy.
//
// The proxy allows an exact list of origins. It resolves names itself and dials what it has checked, so a second answer
// of a name server changes nothing. Inside a tunnel it reads the server name of the TLS greeting: without that, a
// registry behind a shared front would open the way to everything else behind it.
package egress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"golang.org/x/net/netutil"
)

// Config says what a Proxy lets through. Allow is required.
type Config struct {
	// Allow lists the origins that may be reached; see ParseOrigin.
	Allow []string
	// Upstream is the http:// proxy of the machine, which then resolves names. Nil dials directly.
	Upstream *url.URL
	// MaxConns bounds the connections that are open at once; further ones wait. 64 unless set.
	MaxConns int
	// IdleTimeout ends a connection on which nothing moves. 60 s unless set.
	IdleTimeout time.Duration
	// Log receives one JSON object a line; see Event. Nil discards them.
	Log io.Writer
}

const (
	defaultMaxConns    = 64
	defaultIdleTimeout = 60 * time.Second
	dialTimeout        = 15 * time.Second
	helloTimeout       = 15 * time.Second
	drainTimeout       = time.Second
	maxHeaderBytes     = 64 << 10
)

// Proxy is an HTTP proxy with an allow-list. Make it with New.
type Proxy struct {
	allow     map[string]Origin // by "host:port"
	upstream  *url.URL
	maxConns  int
	idle      time.Duration
	log       *eventLog
	transport *http.Transport

	mu       sync.Mutex
	closing  bool
	handlers sync.WaitGroup // requests and tunnels; the HTTP server does not wait for connections it has given away

	// For tests: how names become addresses, and addresses connections.
	resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
}

// New checks the configuration.
func New(cfg Config) (*Proxy, error) {
	if len(cfg.Allow) == 0 {
		return nil, errors.New("configure egress proxy: nothing is allowed")
	}
	p := &Proxy{
		allow:    make(map[string]Origin, len(cfg.Allow)),
		upstream: cfg.Upstream,
		maxConns: cfg.MaxConns,
		idle:     cfg.IdleTimeout,
		log:      newEventLog(cfg.Log),
		dial:     (&net.Dialer{Timeout: dialTimeout}).DialContext,
		resolve: func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		},
	}
	if p.maxConns <= 0 {
		p.maxConns = defaultMaxConns
	}
	if p.idle <= 0 {
		p.idle = defaultIdleTimeout
	}
	for _, raw := range cfg.Allow {
		o, err := ParseOrigin(raw)
		if err != nil {
			return nil, fmt.Errorf("configure egress proxy: %w", err)
		}
		p.allow[o.address()] = o
	}
	if u := p.upstream; u != nil && (u.Scheme != "http" || u.Hostname() == "") {
		return nil, errors.New("configure egress proxy: the upstream proxy must be an http:// URL")
	}
	p.transport = &http.Transport{
		Proxy:                 func(*http.Request) (*url.URL, error) { return p.upstream, nil },
		DialContext:           p.dialPlain,
		DisableKeepAlives:     true, // one connection is one entry in the log
		DisableCompression:    true,
		ResponseHeaderTimeout: p.idle,
	}
	return p, nil
}

// Serve answers on ln until ctx is over, then closes every connection, and returns nil. It owns ln.
func (p *Proxy) Serve(ctx context.Context, ln net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer p.log.summary()
	defer p.transport.CloseIdleConnections()
	defer p.finish()
	defer cancel() // before the wait: it is what ends the tunnels
	srv := &http.Server{
		Handler:           http.HandlerFunc(p.handle),
		ReadHeaderTimeout: helloTimeout,
		IdleTimeout:       p.idle,
		MaxHeaderBytes:    maxHeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	stop := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		select {
		case <-ctx.Done():
		case <-stop:
		}
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		if srv.Shutdown(drain) != nil {
			_ = srv.Close()
		}
	}()
	err := srv.Serve(netutil.LimitListener(ln, p.maxConns))
	close(stop)
	<-stopped
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve egress proxy: %w", err)
}

// begin registers a request, or refuses because the proxy is being closed.
func (p *Proxy) begin() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closing {
		p.handlers.Add(1)
	}
	return !p.closing
}

// finish waits for everything that was begun.
func (p *Proxy) finish() {
	p.mu.Lock()
	p.closing = true
	p.mu.Unlock()
	p.handlers.Wait()
}

func (p *Proxy) handle(w http.ResponseWriter, r *http.Request) {
	if !p.begin() {
		http.Error(w, "assay egress proxy is closing", http.StatusServiceUnavailable)
		return
	}
	defer p.handlers.Done()
	if r.Method == http.MethodConnect {
		p.connect(w, r)
		return
	}
	p.forward(w, r)
}

// admit looks a target up in the allow-list, and answers and logs the refusal itself.
func (p *Proxy) admit(w http.ResponseWriter, raw, scheme string) (Origin, bool) {
	host, port, err := parseTarget(raw)
	if err != nil {
		p.refuse(w, clip(raw), err.Error())
		return Origin{}, false
	}
	target := net.JoinHostPort(host, port)
	o, ok := p.allow[target]
	if !ok || scheme != "" && o.Scheme != scheme {
		p.refuse(w, target, "only the npm registry may be reached")
		return Origin{}, false
	}
	return o, true
}

func (p *Proxy) refuse(w http.ResponseWriter, target, reason string) {
	p.log.refused(target, reason)
	http.Error(w, "assay egress proxy: "+target+" is refused: "+reason, http.StatusForbidden)
}

// forward passes on one plain request ("GET http://host/path").
func (p *Proxy) forward(w http.ResponseWriter, r *http.Request) {
	if r.URL.Scheme != "http" || r.URL.Host == "" {
		p.refuse(w, clip(r.Host), "this is a proxy: a request needs a full http:// address")
		return
	}
	port := r.URL.Port()
	if port == "" {
		port = "80"
	}
	o, ok := p.admit(w, net.JoinHostPort(r.URL.Hostname(), port), "http")
	if !ok {
		return
	}
	// An idle peer is cut off; a busy one may take as long as the build.
	control := http.NewResponseController(w)
	touch := func() {
		_ = control.SetReadDeadline(time.Now().Add(p.idle))
		_ = control.SetWriteDeadline(time.Now().Add(p.idle))
	}
	touch()
	out := r.Clone(r.Context())
	out.RequestURI = ""
	// The address decides where the request goes, so it decides the virtual host as well.
	out.Host, out.URL.Host = o.address(), o.address()
	if o.Port == "80" {
		out.Host = o.Host
	}
	dropHopByHop(out.Header)
	body := &meter{r: r.Body, touch: touch}
	if r.Body != nil && r.Body != http.NoBody {
		out.Body = io.NopCloser(body)
	}
	res, err := p.transport.RoundTrip(out)
	if err != nil {
		p.fail(w, o, err)
		return
	}
	defer res.Body.Close()
	dropHopByHop(res.Header)
	for k, values := range res.Header {
		w.Header()[k] = values
	}
	w.WriteHeader(res.StatusCode)
	n, _ := io.Copy(w, &meter{r: res.Body, touch: touch}) // either side may go away; the count is what is of interest
	p.log.closed(o.address(), body.n, n)
}

func (p *Proxy) fail(w http.ResponseWriter, o Origin, err error) {
	p.log.failed(o.address(), err)
	http.Error(w, "assay egress proxy: "+o.address()+" cannot be reached: "+err.Error(), http.StatusBadGateway)
}

// dropHopByHop removes what concerns one connection only.
func dropHopByHop(h http.Header) {
	for _, name := range []string{
		"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade",
	} {
		h.Del(name)
	}
}

// meter counts what is read and reports each read.
type meter struct {
	r     io.Reader
	n     int64
	touch func()
}

func (m *meter) Read(b []byte) (int, error) {
	n, err := m.r.Read(b)
	m.n += int64(n)
	m.touch()
	return n, err
}
