package egress

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// public is what test names resolve to. It is never dialled: dials end at a server of the test.
var public = netip.MustParseAddr("203.0.113.7")

// fixture is a proxy before a registry, both on loopback.
type fixture struct {
	proxy   *Proxy
	address string // of the proxy
	log     *lockedBuffer
	cancel  context.CancelFunc
	ended   chan error
}

// startProxy serves a proxy whose every connection ends at target.
func startProxy(t *testing.T, cfg Config, target string, change func(*Proxy)) *fixture {
	t.Helper()
	f := &fixture{log: &lockedBuffer{}, ended: make(chan error, 1)}
	cfg.Log = f.log
	p, err := New(cfg)
	require.NoError(t, err)
	p.resolve = func(context.Context, string) ([]netip.Addr, error) { return []netip.Addr{public}, nil }
	p.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil || host != public.String() {
			return nil, fmt.Errorf("dialled %s", address)
		}
		return (&net.Dialer{}).DialContext(ctx, network, target)
	}
	if change != nil {
		change(p)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	f.proxy, f.address, f.cancel = p, ln.Addr().String(), cancel
	t.Cleanup(cancel)
	go func() { f.ended <- p.Serve(ctx, ln) }()
	return f
}

// end stops the proxy and returns its log.
func (f *fixture) end(t *testing.T) []Event {
	t.Helper()
	f.cancel()
	require.NoError(t, <-f.ended)
	return f.log.events(t)
}

// client goes through the proxy.
func (f *fixture) client(t *testing.T, trust *http.Transport) *http.Client {
	t.Helper()
	tr := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: f.address}), DisableKeepAlives: true}
	if trust != nil {
		tr.TLSClientConfig = trust.TLSClientConfig.Clone()
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// ask sends raw bytes and returns the status line of the answer.
func (f *fixture) ask(t *testing.T, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", f.address)
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, request)
	require.NoError(t, err)
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(line)
}

func TestTunnelToTheRegistry(t *testing.T) {
	t.Parallel()
	registry := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello from %s", r.Host)
	}))
	t.Cleanup(registry.Close)
	// The certificate of httptest is for example.com.
	f := startProxy(t, Config{Allow: []string{"https://example.com"}}, registry.Listener.Addr().String(), nil)
	res, err := f.client(t, registry.Client().Transport.(*http.Transport)).Get("https://example.com/pkg")
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, errors.Join(err, res.Body.Close()))
	assert.Equal(t, "hello from example.com", string(body))

	events := f.end(t)
	require.Len(t, events, 2)
	assert.Equal(t, EventClosed, events[0].Event)
	assert.Equal(t, "example.com:443", events[0].Target)
	assert.Greater(t, events[0].SentBytes, int64(200), "at least the greeting of TLS")
	assert.Greater(t, events[0].ReceivedBytes, int64(500), "at least the certificate")
	assert.Equal(t, 1, events[1].Closed)
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	f := startProxy(t, Config{Allow: []string{"https://registry.example", "http://plain.example:4873"}}, "127.0.0.1:1", nil)
	tests := []struct{ name, request string }{
		{"other host", "CONNECT other.example:443 HTTP/1.1\r\nHost: registry.example:443\r\n\r\n"},
		{"other port", "CONNECT registry.example:22 HTTP/1.1\r\nHost: registry.example:22\r\n\r\n"},
		{"name below", "CONNECT x.registry.example:443 HTTP/1.1\r\nHost: x\r\n\r\n"},
		{"name above", "CONNECT registry.example.evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n"},
		{"trailing dot", "CONNECT registry.example.:443 HTTP/1.1\r\nHost: x\r\n\r\n"},
		{"address", "CONNECT 203.0.113.7:443 HTTP/1.1\r\nHost: x\r\n\r\n"},
		{"loopback", "CONNECT 127.0.0.1:443 HTTP/1.1\r\nHost: x\r\n\r\n"},
		{"no port", "CONNECT registry.example HTTP/1.1\r\nHost: x\r\n\r\n"},
		{"plain to a TLS origin", "GET http://registry.example:443/ HTTP/1.1\r\nHost: registry.example\r\n\r\n"},
		{"plain to other host", "GET http://other.example/ HTTP/1.1\r\nHost: plain.example:4873\r\n\r\n"},
		{"plain to other port", "GET http://plain.example/ HTTP/1.1\r\nHost: plain.example:4873\r\n\r\n"},
		{"no proxy request", "GET / HTTP/1.1\r\nHost: plain.example:4873\r\n\r\n"},
		{"other scheme", "GET ftp://plain.example:4873/ HTTP/1.1\r\nHost: x\r\n\r\n"},
	}
	for _, tt := range tests {
		assert.Equal(t, "HTTP/1.1 403 Forbidden", f.ask(t, tt.request), tt.name)
	}
	events := f.end(t)
	require.Len(t, events, len(tests)+1)
	for _, e := range events[:len(tests)] {
		assert.Equal(t, EventRefused, e.Event)
		assert.NotEmpty(t, e.Target)
		assert.NotEmpty(t, e.Reason)
	}
	assert.Equal(t, len(tests), events[len(tests)].Refused)
}

func TestTunnelMustGreetTheRegistry(t *testing.T) {
	t.Parallel()
	registry := httptest.NewUnstartedServer(http.NotFoundHandler())
	registry.Config.ErrorLog = log.New(io.Discard, "", 0) // connections that end before the handshake are the point
	registry.StartTLS()
	t.Cleanup(registry.Close)
	tests := []struct {
		name  string
		speak func(net.Conn) error
	}{
		{"another server name", func(c net.Conn) error {
			return tls.Client(c, &tls.Config{ServerName: "other.example", InsecureSkipVerify: true}).Handshake()
		}},
		{"no server name", func(c net.Conn) error {
			return tls.Client(c, &tls.Config{ServerName: "203.0.113.7", InsecureSkipVerify: true}).Handshake()
		}},
		{"no TLS", func(c net.Conn) error {
			_, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
			if err == nil {
				_, err = c.Read(make([]byte, 1))
			}
			return err
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := startProxy(t, Config{Allow: []string{"https://example.com"}}, registry.Listener.Addr().String(), nil)
			conn, err := net.Dial("tcp", f.address)
			require.NoError(t, err)
			defer conn.Close()
			_, err = io.WriteString(conn, "CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n")
			require.NoError(t, err)
			want := "HTTP/1.1 200 Connection established\r\n\r\n"
			got := make([]byte, len(want))
			_, err = io.ReadFull(conn, got)
			require.NoError(t, err)
			require.Equal(t, want, string(got))
			require.Error(t, tt.speak(conn), "cut off")
			events := f.end(t)
			require.Len(t, events, 2)
			assert.Equal(t, EventRefused, events[0].Event)
			assert.Equal(t, "example.com:443", events[0].Target)
		})
	}
}

func TestForbiddenAddresses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		address string
		allowed bool
	}{
		{"203.0.113.7", true},
		{"10.1.2.3", true}, // a company's registry
		{"fd00::1", true},
		{"127.0.0.1", false},
		{"::1", false},
		{"::ffff:127.0.0.1", false},
		{"0.0.0.0", false},
		{"169.254.169.254", false},
		{"::ffff:169.254.169.254", false},
		{"fe80::1", false},
		{"224.0.0.1", false},
	} {
		t.Run(tt.address, func(t *testing.T) {
			t.Parallel()
			var dialled []string
			p, err := New(Config{Allow: []string{"https://registry.example"}})
			require.NoError(t, err)
			p.resolve = func(context.Context, string) ([]netip.Addr, error) {
				return []netip.Addr{netip.MustParseAddr(tt.address)}, nil
			}
			p.dial = func(_ context.Context, _, address string) (net.Conn, error) {
				dialled = append(dialled, address)
				return nil, errors.New("refused")
			}
			_, err = p.dialOrigin(t.Context(), p.allow["registry.example:443"])
			require.Error(t, err)
			if tt.allowed {
				assert.Equal(t, []string{net.JoinHostPort(tt.address, "443")}, dialled)
			} else {
				assert.Empty(t, dialled)
			}
		})
	}
}

func TestUnreachableRegistry(t *testing.T) {
	t.Parallel()
	f := startProxy(t, Config{Allow: []string{"https://registry.example", "http://registry.example"}}, "127.0.0.1:1", func(p *Proxy) {
		p.resolve = func(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("no such name") }
	})
	assert.Equal(t, "HTTP/1.1 502 Bad Gateway", f.ask(t, "CONNECT registry.example:443 HTTP/1.1\r\nHost: x\r\n\r\n"))
	assert.Equal(t, "HTTP/1.1 502 Bad Gateway", f.ask(t, "GET http://registry.example/x HTTP/1.1\r\nHost: x\r\n\r\n"))
	events := f.end(t)
	require.Len(t, events, 3)
	assert.Equal(t, EventFailed, events[0].Event)
	assert.Contains(t, events[1].Reason, "no such name")
	assert.Equal(t, 2, events[2].Failed)
}

func TestPlainRegistry(t *testing.T) {
	t.Parallel()
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %q %q", r.Method, r.Host, r.URL, body, r.Header.Get("Proxy-Authorization"))
	}))
	t.Cleanup(registry.Close)
	f := startProxy(t, Config{Allow: []string{"http://registry.example:4873", "http://registry.example"}}, registry.Listener.Addr().String(), nil)
	for _, tt := range []struct{ line, want string }{
		{"PUT http://registry.example:4873/pkg?x=1", `PUT registry.example:4873 /pkg?x=1 "body" ""`},
		{"PUT http://REGISTRY.example/pkg", `PUT registry.example /pkg "body" ""`},
	} {
		conn, err := net.Dial("tcp", f.address)
		require.NoError(t, err)
		defer conn.Close()
		// The Host header cannot name another virtual host than the address does.
		_, err = io.WriteString(conn, tt.line+" HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 4\r\n"+
			"Proxy-Authorization: Basic eA==\r\n\r\nbody")
		require.NoError(t, err)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, errors.Join(err, res.Body.Close()))
		assert.Equal(t, tt.want, string(body))
	}
	events := f.end(t)
	require.Len(t, events, 3)
	assert.Equal(t, EventClosed, events[0].Event)
	assert.EqualValues(t, len("body"), events[0].SentBytes)
}

func TestUpstreamProxy(t *testing.T) {
	t.Parallel()
	registry := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "yes") }))
	t.Cleanup(registry.Close)
	asked := make(chan string, 1)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.Host + " " + r.Header.Get("Proxy-Authorization")
		server, err := net.Dial("tcp", registry.Listener.Addr().String())
		if !assert.NoError(t, err) {
			return
		}
		defer server.Close()
		client, _, err := http.NewResponseController(w).Hijack()
		if !assert.NoError(t, err) {
			return
		}
		defer client.Close()
		_, _ = io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
		splice(r.Context(), client, server, time.Minute)
	}))
	t.Cleanup(upstream.Close)
	u, err := url.Parse("http://me:pass@" + public.String())
	require.NoError(t, err)
	f := startProxy(t, Config{Allow: []string{"https://example.com"}, Upstream: u}, upstream.Listener.Addr().String(), func(p *Proxy) {
		p.resolve = func(context.Context, string) ([]netip.Addr, error) {
			return nil, errors.New("the upstream proxy resolves names")
		}
	})
	res, err := f.client(t, registry.Client().Transport.(*http.Transport)).Get("https://example.com/")
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	assert.Equal(t, "CONNECT example.com:443 Basic bWU6cGFzcw==", <-asked)
	f.end(t)
}

func TestUpstreamProxyThatRefuses(t *testing.T) {
	t.Parallel()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no", http.StatusProxyAuthRequired)
	}))
	t.Cleanup(upstream.Close)
	u := &url.URL{Scheme: "http", Host: public.String() + ":3128"}
	f := startProxy(t, Config{Allow: []string{"https://example.com"}, Upstream: u}, upstream.Listener.Addr().String(), nil)
	assert.Equal(t, "HTTP/1.1 502 Bad Gateway", f.ask(t, "CONNECT example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n"))
	events := f.end(t)
	assert.Contains(t, events[0].Reason, "407")
}

func TestIdleTunnelIsCut(t *testing.T) {
	t.Parallel()
	silent := silentServer(t)
	f := startProxy(t, Config{Allow: []string{"http://example.com"}, IdleTimeout: 50 * time.Millisecond}, silent, nil)
	conn := openTunnel(t, f, "example.com:80")
	_, err := conn.Read(make([]byte, 1))
	require.Error(t, err)
	f.end(t)
}

func TestServeEndsWithOpenTunnels(t *testing.T) {
	t.Parallel()
	f := startProxy(t, Config{Allow: []string{"http://example.com"}}, silentServer(t), nil)
	conns := make([]net.Conn, 3)
	for i := range conns {
		conns[i] = openTunnel(t, f, "example.com:80")
	}
	f.end(t)
	for _, conn := range conns {
		_, err := conn.Read(make([]byte, 1))
		require.Error(t, err, "closed")
	}
}

func TestConnectionsOverTheBoundWait(t *testing.T) {
	t.Parallel()
	f := startProxy(t, Config{Allow: []string{"http://example.com"}, MaxConns: 1}, silentServer(t), nil)
	first := openTunnel(t, f, "example.com:80")
	second, err := net.Dial("tcp", f.address) // the kernel takes it, the proxy does not yet
	require.NoError(t, err)
	defer second.Close()
	_, err = io.WriteString(second, "CONNECT other.example:443 HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	require.NoError(t, second.SetReadDeadline(time.Now().Add(50*time.Millisecond))) // a silence can only be waited for
	_, err = second.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, first.Close())
	require.NoError(t, second.SetReadDeadline(time.Time{}))
	line, err := bufio.NewReader(second).ReadString('\n')
	require.NoError(t, err)
	assert.Equal(t, "HTTP/1.1 403 Forbidden\r\n", line)
	f.end(t)
}

func TestEventsAreBounded(t *testing.T) {
	t.Parallel()
	var written lockedBuffer
	l := newEventLog(&written)
	for range maxEvents + 10 {
		l.refused("x:1", "no")
	}
	l.summary()
	events := written.events(t)
	require.Len(t, events, maxEvents+1)
	last := events[maxEvents]
	assert.Equal(t, maxEvents+10, last.Refused)
	assert.Equal(t, 10, last.Left)
}

func FuzzReadHello(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add([]byte{22, 3, 1, 0, 5, 1, 0, 0, 1, 0})
	client, server := net.Pipe()
	go func() { _ = tls.Client(client, &tls.Config{ServerName: "registry.example"}).Handshake() }()
	buf := make([]byte, 4096)
	n, _ := server.Read(buf)
	_ = client.Close()
	_ = server.Close()
	f.Add(buf[:n])
	f.Fuzz(func(t *testing.T, data []byte) {
		name, greeting, err := readHello(strings.NewReader(string(data)))
		if err != nil {
			assert.Empty(t, name)
			return
		}
		assert.LessOrEqual(t, len(greeting), maxHello)
		assert.True(t, strings.HasPrefix(string(data), string(greeting)), "what was read is passed on unchanged")
	})
}

// openTunnel is a connection through the proxy on which nothing has been said yet.
func openTunnel(t *testing.T, f *fixture, target string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", f.address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, "CONNECT "+target+" HTTP/1.1\r\nHost: "+target+"\r\n\r\n")
	require.NoError(t, err)
	want := "HTTP/1.1 200 Connection established\r\n\r\n"
	got := make([]byte, len(want))
	_, err = io.ReadFull(conn, got)
	require.NoError(t, err)
	require.Equal(t, want, string(got))
	return conn
}

// silentServer accepts and says nothing.
func silentServer(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				_, _ = io.Copy(io.Discard, conn)
				_ = conn.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		wg.Wait()
	})
	return ln.Addr().String()
}

// lockedBuffer collects a log.
type lockedBuffer struct {
	mu   sync.Mutex
	data []byte
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.data = append(b.data, p...)
	return len(p), nil
}

func (b *lockedBuffer) events(t *testing.T) []Event {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	var events []Event
	dec := json.NewDecoder(strings.NewReader(string(b.data)))
	for dec.More() {
		var e Event
		require.NoError(t, dec.Decode(&e))
		events = append(events, e)
	}
	return events
}
