// Package httpbase is what every request of the platform's server goes through, whatever page or API it is for: a request
// id, a line in the log without personal data, security headers, limits, and errors that tell nothing of the inside.
package httpbase

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/assay-run/assay/internal/platform"
)

// Options say how requests are treated. Log is needed; the rest has defaults.
type Options struct {
	Log *slog.Logger
	// Secure says that browsers reach the server by HTTPS: they are told never to come otherwise.
	Secure bool
	// Proxies are the networks of reverse proxies whose X-Forwarded-For is believed. Empty: nobody's, and the address of a
	// client is that of the connection.
	Proxies []netip.Prefix
	// Origins are other origins whose pages may post here, e.g. the public one when a proxy changes the Host header.
	Origins []string
	// BodyBytes bounds a request's body unless LargeBody raises it; 1 MiB unless set.
	BodyBytes int64
	// PerSecond and Burst bound the requests of one client; 50 and 200 unless set.
	PerSecond float64
	Burst     int
	// Page writes the page of an error for a browser; plain text unless set. Headers and status are for it to write.
	Page func(w http.ResponseWriter, r *http.Request, p Problem)
	// Metrics counts requests; nil: nobody does.
	Metrics *Metrics
	Now     func() time.Time
}

const (
	defaultBody  = 1 << 20
	defaultRate  = 50
	defaultBurst = 200
	maxClients   = 20_000 // whose rates are remembered
)

// Base is what every request goes through.
type Base struct {
	opts    Options
	origins *http.CrossOriginProtection
	clients *Limiter
}

// New makes a base. Its error is about an origin or a proxy that cannot be read.
func New(o Options) (*Base, error) {
	if o.BodyBytes <= 0 {
		o.BodyBytes = defaultBody
	}
	if o.PerSecond <= 0 {
		o.PerSecond = defaultRate
	}
	if o.Burst <= 0 {
		o.Burst = defaultBurst
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	b := &Base{opts: o, origins: http.NewCrossOriginProtection(), clients: NewLimiter(rate.Limit(o.PerSecond), o.Burst, maxClients, o.Now)}
	for _, origin := range o.Origins {
		if err := b.origins.AddTrustedOrigin(origin); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// request is what is known of a request on its way.
type request struct {
	id     string
	client netip.Addr
	route  string        // the pattern that it matched; its path may hold a secret
	body   io.ReadCloser // before it was bounded
}

type requestKey struct{}

func known(ctx context.Context) *request {
	if in, ok := ctx.Value(requestKey{}).(*request); ok {
		return in
	}
	return &request{}
}

// RequestID ties an answer to the server's log.
func RequestID(ctx context.Context) string { return known(ctx).id }

// Client is the address that a request comes from, for limits; it is nowhere stored or logged. It is the zero Addr
// outside Handler.
func Client(ctx context.Context) netip.Addr { return known(ctx).client }

// ClientKey names a client in limits: an address, and of IPv6 the network of 64 bits that one customer has.
func ClientKey(ctx context.Context) string {
	a := Client(ctx)
	if a.Is6() && !a.Is4In6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.Unmap().String()
}

// Handler puts everything around routes. between are put directly around the routes, the first outermost: sessions, say.
func (b *Base) Handler(routes http.Handler, between ...func(http.Handler) http.Handler) http.Handler {
	h := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in := known(r.Context())
		defer func() { in.route = r.Pattern }()
		routes.ServeHTTP(w, r)
	}))
	for i := len(between) - 1; i >= 0; i-- {
		h = between[i](h)
	}
	h = b.limitBody(h)
	h = b.sameOrigin(h)
	h = b.limitRate(h)
	h = b.recover(h)
	return b.observe(b.headers(h))
}

// observe gives a request its id, and writes its line to the log.
func (b *Base) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var raw [12]byte
		_, _ = rand.Read(raw[:]) // never fails
		in := &request{id: "req_" + hex.EncodeToString(raw[:]), client: ClientAddr(r, b.opts.Proxies)}
		w.Header().Set("X-Request-Id", in.id)
		out := &response{ResponseWriter: w}
		begun := b.opts.Now()
		b.opts.Metrics.begin()
		defer func() {
			took := b.opts.Now().Sub(begun)
			b.opts.Metrics.end(r.Method, in.route, out.code(), took)
			b.opts.Log.InfoContext(r.Context(), "request",
				"request", in.id, "method", method(r.Method), "route", in.route, "status", out.code(), "bytes", out.bytes, "ms", took.Milliseconds())
		}()
		next.ServeHTTP(out, r.WithContext(context.WithValue(r.Context(), requestKey{}, in)))
	})
}

// response remembers what was answered.
type response struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (o *response) WriteHeader(status int) {
	if o.status == 0 && status >= http.StatusOK {
		o.status = status
	}
	o.ResponseWriter.WriteHeader(status)
}

func (o *response) Write(p []byte) (int, error) {
	if o.status == 0 {
		o.status = http.StatusOK
	}
	n, err := o.ResponseWriter.Write(p)
	o.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController through: for streams, which flush and have no deadline.
func (o *response) Unwrap() http.ResponseWriter { return o.ResponseWriter }

func (o *response) code() int {
	if o.status == 0 {
		return http.StatusOK
	}
	return o.status
}

// ContentPolicy is what pages may load: what comes from here, and no script or style within the page.
const ContentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
	"manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// hsts is two years.
const hsts = "max-age=63072000; includeSubDomains"

func (b *Base) headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", ContentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer") // the address of an invitation is a secret
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cache-Control", "no-store") // what may be kept says so itself
		if b.opts.Secure {
			h.Set("Strict-Transport-Security", hsts)
		}
		next.ServeHTTP(w, r)
	})
}

// recover turns a panic into an answer. When a part of the answer is out already the connection is broken off, so that
// nobody takes it for whole.
func (b *Base) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			what := recover()
			if what == nil {
				return
			}
			if what == http.ErrAbortHandler { //nolint:errorlint // it is compared as net/http does
				panic(what)
			}
			b.opts.Log.ErrorContext(r.Context(), "panic", "request", RequestID(r.Context()), "panic", what, "stack", string(debug.Stack()))
			if out, ok := w.(*response); ok && out.status != 0 {
				panic(http.ErrAbortHandler)
			}
			b.answer(w, r, internalProblem(r))
		}()
		next.ServeHTTP(w, r)
	})
}

func (b *Base) limitRate(next http.Handler) http.Handler { return b.Limit(b.clients)(next) }

// Limit bounds the requests of one client by a limiter of its own, for what is dearer than the rest.
func (b *Base) Limit(l *Limiter) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if wait := l.Take(ClientKey(r.Context())); wait > 0 {
				p := ProblemOf(r, platform.Errorf(platform.RateLimited, "Too many requests at a time. Wait a moment and try again."))
				p.RetryAfter = wait
				b.answer(w, r, p)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// sameOrigin refuses what a page of somebody else posts with the cookies of a visitor of ours.
func (b *Base) sameOrigin(next http.Handler) http.Handler {
	b.origins.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.Fail(w, r, platform.Errorf(platform.Forbidden, "This request came from another site. Open the page here and try again."))
	}))
	return b.origins.Handler(next)
}

func (b *Base) limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if in := known(r.Context()); r.Body != nil {
			in.body = r.Body
			r.Body = http.MaxBytesReader(w, r.Body, b.opts.BodyBytes)
		}
		next.ServeHTTP(w, r)
	})
}

// LargeBody lets the body of a request have so many bytes. It is called before anything is read.
func LargeBody(w http.ResponseWriter, r *http.Request, bytes int64) {
	if in := known(r.Context()); in.body != nil {
		r.Body = http.MaxBytesReader(w, in.body, bytes)
	}
}

// ClientAddr is the address of a client. Of X-Forwarded-For, which anybody can write, those parts are believed that our own
// proxies have added: from the right, as far as the addresses are theirs.
func ClientAddr(r *http.Request, proxies []netip.Prefix) netip.Addr {
	ours := func(a netip.Addr) bool {
		for _, p := range proxies {
			if p.Contains(a) {
				return true
			}
		}
		return false
	}
	port, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	client := port.Addr().Unmap()
	if !ours(client) {
		return client
	}
	parts := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(parts) - 1; i >= 0; i-- {
		a, err := netip.ParseAddr(strings.TrimSpace(parts[i]))
		if err != nil {
			break // nobody of ours has written this
		}
		client = a.Unmap()
		if !ours(client) {
			break
		}
	}
	return client
}
