package httpbase

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/time/rate"
	"pgregory.net/rapid"

	"github.com/assay-run/assay/internal/platform"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a base with a log that the test reads.
type rig struct {
	*Base
	mu  sync.Mutex
	log bytes.Buffer
}

func (r *rig) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Write(p)
}

func (r *rig) logged() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.String()
}

func newRig(t *testing.T, o Options) *rig {
	t.Helper()
	r := &rig{}
	o.Log = slog.New(slog.NewJSONHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	r.Base, err = New(o)
	require.NoError(t, err)
	return r
}

func (r *rig) serve(routes map[string]http.HandlerFunc, req *http.Request) *httptest.ResponseRecorder {
	mux := http.NewServeMux()
	for pattern, h := range routes {
		mux.HandleFunc(pattern, h)
	}
	w := httptest.NewRecorder()
	r.Handler(mux).ServeHTTP(w, req)
	return w
}

func problemFrom(t *testing.T, w *httptest.ResponseRecorder) Problem {
	t.Helper()
	require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
	var p Problem
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p))
	require.Equal(t, w.Code, p.Status)
	return p
}

func TestTheLogHasNothingPersonal(t *testing.T) {
	r := newRig(t, Options{})
	req := httptest.NewRequest(http.MethodGet, "/i/assay_inv_secret?email=ann@x.example", nil)
	req.RemoteAddr = "203.0.113.7:999"
	req.Header.Set("User-Agent", "Ann's browser")
	var id string
	w := r.serve(map[string]http.HandlerFunc{"GET /i/{token}": func(w http.ResponseWriter, r *http.Request) {
		id = RequestID(r.Context())
		assert.Equal(t, "203.0.113.7", ClientKey(r.Context()))
		w.WriteHeader(http.StatusTeapot)
	}}, req)
	require.Equal(t, id, w.Header().Get("X-Request-Id"))
	for _, secret := range []string{"assay_inv", "ann@", "203.0.113", "browser"} {
		require.NotContains(t, r.logged(), secret)
	}
	require.Contains(t, r.logged(), `"route":"GET /i/{token}","status":418`)
	require.Contains(t, r.logged(), id)
}

func TestEveryAnswerHasTheHeaders(t *testing.T) {
	for _, secure := range []bool{true, false} {
		r := newRig(t, Options{Secure: secure})
		for _, path := range []string{"/", "/nowhere", "/panic"} {
			w := r.serve(map[string]http.HandlerFunc{
				"GET /{$}": func(http.ResponseWriter, *http.Request) {}, "GET /panic": func(http.ResponseWriter, *http.Request) { panic("x") },
			}, httptest.NewRequest(http.MethodGet, path, nil))
			h := w.Header()
			require.Contains(t, h.Get("Content-Security-Policy"), "default-src 'none'")
			require.NotContains(t, h.Get("Content-Security-Policy"), "unsafe")
			require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
			require.Equal(t, "no-referrer", h.Get("Referrer-Policy"))
			require.Equal(t, "no-store", h.Get("Cache-Control"))
			require.Equal(t, secure, h.Get("Strict-Transport-Security") != "", path)
		}
	}
}

func TestAPanicIsAnErrorThatTellsNothing(t *testing.T) {
	r := newRig(t, Options{})
	w := r.serve(map[string]http.HandlerFunc{"GET /api/x": func(http.ResponseWriter, *http.Request) { panic("the secret") }},
		httptest.NewRequest(http.MethodGet, "/api/x", nil))
	p := problemFrom(t, w)
	require.Equal(t, http.StatusInternalServerError, p.Status)
	require.NotContains(t, w.Body.String(), "secret")
	require.Contains(t, r.logged(), "the secret")
	require.Contains(t, r.logged(), p.RequestID)
	require.Panics(t, func() { // a part is out already: nobody may take it for whole
		r.serve(map[string]http.HandlerFunc{"GET /": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "half")
			panic("x")
		}}, httptest.NewRequest(http.MethodGet, "/", nil))
	})
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		detail string
	}{
		{platform.InvalidField("name", "A name is needed."), 422, "A name is needed."},
		{platform.Errorf(platform.Unauthorised, "Sign in."), 401, "Sign in."},
		{platform.Errorf(platform.Forbidden, "No."), 403, "No."},
		{platform.Errorf(platform.NotFound, "None."), 404, "None."},
		{platform.Errorf(platform.Conflict, "Taken."), 409, "Taken."},
		{platform.Errorf(platform.Gone, "Over."), 410, "Over."},
		{platform.Errorf(platform.RateLimited, "Slow."), 429, "Slow."},
		{fmt.Errorf("wrapped: %w", platform.Errorf(platform.Gone, "Over.")), 410, "Over."},
		{platform.Errorf(platform.Internal, "the disk"), 500, "Internal error. It was logged; please try again."},
		{errors.New("the disk"), 500, "Internal error. It was logged; please try again."},
		{fmt.Errorf("read: %w", &http.MaxBytesError{Limit: 7}), 413, "The request may have 7 bytes at most."},
	} {
		for _, program := range []bool{true, false} {
			r := newRig(t, Options{})
			req := httptest.NewRequest(http.MethodGet, "/x", nil)
			if program {
				req.Header.Set("Accept", "application/json")
			}
			w := r.serve(map[string]http.HandlerFunc{"GET /x": func(w http.ResponseWriter, req *http.Request) { r.Fail(w, req, c.err) }}, req)
			require.Equal(t, c.status, w.Code, "%v", c.err)
			require.Contains(t, w.Body.String(), c.detail)
			require.Equal(t, c.status == 500, strings.Contains(r.logged(), "the disk"))
			require.Equal(t, c.status == 429, w.Header().Get("Retry-After") != "")
			if program {
				require.Equal(t, w.Header().Get("X-Request-Id"), problemFrom(t, w).RequestID)
			}
		}
	}
}

func TestAPageOfAnErrorIsTheirsWhoWriteIt(t *testing.T) {
	r := newRig(t, Options{Page: func(w http.ResponseWriter, _ *http.Request, p Problem) {
		w.WriteHeader(p.Status)
		fmt.Fprintf(w, "<h1>%s</h1>", p.Title)
	}})
	w := r.serve(map[string]http.HandlerFunc{"GET /x": func(w http.ResponseWriter, req *http.Request) {
		r.Fail(w, req, platform.Errorf(platform.Gone, "Over."))
	}}, httptest.NewRequest(http.MethodGet, "/x", nil))
	require.Equal(t, "<h1>Gone</h1>", w.Body.String())
}

func TestAnotherSiteCannotPost(t *testing.T) {
	r := newRig(t, Options{Origins: []string{"https://public.example"}})
	for _, c := range []struct {
		name, header, value string
		want                int
	}{
		{"a program", "", "", 200}, {"our page", "Sec-Fetch-Site", "same-origin", 200}, {"another site", "Sec-Fetch-Site", "cross-site", 403},
		{"another part of the domain", "Sec-Fetch-Site", "same-site", 403}, {"an old browser elsewhere", "Origin", "https://evil.example", 403},
		{"the public origin", "Origin", "https://public.example", 200},
	} {
		req := httptest.NewRequest(http.MethodPost, "/x", nil)
		if c.header != "" {
			req.Header.Set(c.header, c.value)
		}
		w := r.serve(map[string]http.HandlerFunc{"POST /x": func(http.ResponseWriter, *http.Request) {}}, req)
		require.Equal(t, c.want, w.Code, c.name)
	}
	_, err := New(Options{Origins: []string{"not an origin"}})
	require.Error(t, err)
}

func TestBodiesAreBounded(t *testing.T) {
	r := newRig(t, Options{BodyBytes: 10})
	read := func(large int64) http.HandlerFunc {
		return func(w http.ResponseWriter, req *http.Request) {
			if large > 0 {
				LargeBody(w, req, large)
			}
			if _, err := io.ReadAll(req.Body); err != nil {
				r.Fail(w, req, err)
			}
		}
	}
	routes := map[string]http.HandlerFunc{"POST /x": read(0), "POST /large": read(20)}
	for _, c := range []struct {
		path  string
		bytes int
		want  int
	}{{"/x", 10, 200}, {"/x", 11, 413}, {"/large", 20, 200}, {"/large", 21, 413}} {
		w := r.serve(routes, httptest.NewRequest(http.MethodPost, c.path, strings.NewReader(strings.Repeat("x", c.bytes))))
		require.Equal(t, c.want, w.Code, "%s %d", c.path, c.bytes)
	}
}

func TestClientsAreLimitedOneByOne(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	r := newRig(t, Options{PerSecond: 1, Burst: 2, Now: func() time.Time { return now }})
	ask := func(from string) int {
		req := httptest.NewRequest(http.MethodGet, "/x", nil)
		req.RemoteAddr = from
		return r.serve(map[string]http.HandlerFunc{"GET /x": func(http.ResponseWriter, *http.Request) {}}, req).Code
	}
	require.Equal(t, []int{200, 200, 429, 200}, []int{ask("192.0.2.1:1"), ask("192.0.2.1:2"), ask("192.0.2.1:3"), ask("192.0.2.2:1")})
	require.Equal(t, []int{200, 200, 429}, []int{ask("[2001:db8::1]:1"), ask("[2001:db8::2]:1"), ask("[2001:db8::3]:1")}, "a network of 64 bits is one client")
	now = now.Add(time.Second)
	require.Equal(t, 200, ask("192.0.2.1:4"))
}

func TestALimiterIsBoundedAndNeverLetsMoreThrough(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
		burst, most := rapid.IntRange(1, 5).Draw(t, "burst"), rapid.IntRange(1, 4).Draw(t, "most")
		l := NewLimiter(rate.Limit(2), burst, most, func() time.Time { return now })
		begun, taken := now, 0
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "ms")) * time.Millisecond)
			// The key of interest is asked each time, so it is never the one that is forgotten.
			wait := l.Take("k")
			if wait == 0 {
				taken++
			}
			if most > 1 {
				l.Take(rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}).Draw(t, "other"))
			}
			if l.Len() > most {
				t.Fatalf("%d keys", l.Len())
			}
			if allowed := float64(burst) + 2*now.Sub(begun).Seconds() + 1e-6; float64(taken) > allowed {
				t.Fatalf("%d taken, %f allowed", taken, allowed)
			}
		}
	})
}

func TestWhoAsks(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct {
		name, remote string
		forwarded    []string
		proxies      []netip.Prefix
		want         string
	}{
		{"nobody's proxy", "203.0.113.7:1", []string{"198.51.100.1"}, nil, "203.0.113.7"},
		{"not our proxy", "203.0.113.7:1", []string{"198.51.100.1"}, proxies, "203.0.113.7"},
		{"our proxy", "10.0.0.1:1", []string{"198.51.100.1"}, proxies, "198.51.100.1"},
		{"what a client has made up", "10.0.0.1:1", []string{"1.1.1.1, 198.51.100.1"}, proxies, "198.51.100.1"},
		{"two of ours", "10.0.0.1:1", []string{"1.1.1.1, 198.51.100.1", "10.0.0.2"}, proxies, "198.51.100.1"},
		{"nothing was added", "10.0.0.1:1", nil, proxies, "10.0.0.1"},
		{"nonsense", "10.0.0.1:1", []string{"198.51.100.1, x"}, proxies, "10.0.0.1"},
		{"an address within another", "[::ffff:10.0.0.1]:1", []string{"2001:db8::1"}, proxies, "2001:db8::1"},
		{"a socket", "@", nil, proxies, "invalid IP"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.remote
		for _, f := range c.forwarded {
			r.Header.Add("X-Forwarded-For", f)
		}
		require.Equal(t, c.want, ClientAddr(r, c.proxies).String(), c.name)
	}
}

func TestMetricsHaveNoPaths(t *testing.T) {
	registry := prometheus.NewRegistry()
	m, err := NewMetrics(registry)
	require.NoError(t, err)
	r := newRig(t, Options{Metrics: m})
	routes := map[string]http.HandlerFunc{"GET /i/{token}": func(http.ResponseWriter, *http.Request) {}}
	r.serve(routes, httptest.NewRequest(http.MethodGet, "/i/secret", nil))
	r.serve(routes, httptest.NewRequest(http.MethodGet, "/made/up", nil))
	r.serve(routes, httptest.NewRequest("BREW", "/i/secret", nil))
	w := httptest.NewRecorder()
	mux := http.NewServeMux()
	ServeMetrics(mux, registry)
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	text := w.Body.String()
	require.Contains(t, text, `assay_http_requests_total{method="GET",route="GET /i/{token}",status="200"} 1`)
	require.Contains(t, text, `assay_http_requests_total{method="GET",route="none",status="404"} 1`)
	require.Contains(t, text, `method="other"`)
	require.Contains(t, text, "assay_http_requests_running 0")
	require.NotContains(t, text, "secret")
	require.NotContains(t, text, "made")
}

func TestTheServerDrains(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	side, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	arrived, proceed := make(chan struct{}), make(chan struct{})
	mux, sideMux := http.NewServeMux(), http.NewServeMux()
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-proceed
		fmt.Fprint(w, "done")
	})
	s := NewServer(ServerOptions{Listener: listener, Handler: mux, SideListener: side, Side: sideMux, Log: slog.New(slog.DiscardHandler)})
	broken := errors.New("the database is away")
	var mu sync.Mutex
	s.Health(sideMux, Check{Name: "database", Do: func(context.Context) error { mu.Lock(); defer mu.Unlock(); return broken }})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	get := func(at net.Listener, path string) (int, string) {
		r, err := client.Get("http://" + at.Addr().String() + path)
		require.NoError(t, err)
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		return r.StatusCode, string(body)
	}
	status, body := get(side, "/readyz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.NotContains(t, body, "away")
	mu.Lock()
	broken = nil
	mu.Unlock()
	status, _ = get(side, "/readyz")
	require.Equal(t, http.StatusOK, status)
	status, _ = get(side, "/healthz")
	require.Equal(t, http.StatusOK, status)

	answer := make(chan string, 1)
	go func() {
		_, body := get(listener, "/slow")
		answer <- body
	}()
	<-arrived
	cancel()
	<-s.Draining()
	close(proceed)
	require.Equal(t, "done", <-answer)
	select {
	case err := <-ended:
		require.NoError(t, err)
	case <-time.After(30 * time.Second):
		t.Fatal("it did not end")
	}
}
