package egress

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// world is what a proxy reached for one connection of a build.
type world struct {
	mu       sync.Mutex
	resolved []string
	dialled  map[string]*bytes.Buffer // what it was sent, by address
	ends     sync.WaitGroup
}

func (w *world) resolve(_ context.Context, host string) ([]netip.Addr, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.resolved = append(w.resolved, host)
	return []netip.Addr{public}, nil
}

// dial gives a server that takes everything and hangs up at its end, without a word.
func (w *world) dial(_ context.Context, _, address string) (net.Conn, error) {
	near, far := net.Pipe()
	taken := &bytes.Buffer{}
	w.mu.Lock()
	w.dialled[address] = taken
	w.mu.Unlock()
	w.ends.Go(func() {
		_ = far.SetReadDeadline(time.Now().Add(50 * time.Millisecond)) // it has no half-close, so silence is the end
		_, _ = io.Copy(taken, far)
		_ = far.Close()
	})
	return near, nil
}

// greeting is what a TLS client says first.
func greeting(f *testing.F, name string) []byte {
	f.Helper()
	client, server := net.Pipe()
	go func() {
		_ = tls.Client(client, &tls.Config{ServerName: name, InsecureSkipVerify: name == ""}).Handshake()
	}()
	buf := make([]byte, 8<<10)
	n, err := server.Read(buf)
	require.NoError(f, err)
	require.NoError(f, client.Close())
	return buf[:n]
}

// FuzzProxy is a build that says anything to the proxy. Only the two allowed origins are ever resolved and dialled; through a tunnel to the one
// with TLS goes nothing but a greeting that names it and what follows, unchanged; and each connection comes to an end.
func FuzzProxy(f *testing.F) {
	const tunnel = "CONNECT registry.example:443 HTTP/1.1\r\nHost: other.example\r\n\r\n"
	f.Add([]byte("GET http://plain.example:4873/left-pad HTTP/1.1\r\nHost: other.example\r\n\r\n"))
	f.Add([]byte("POST http://plain.example:4873/ HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET http://other.example/ HTTP/1.1\r\n\r\n"))
	f.Add([]byte("GET http://plain.example:4873@other.example/ HTTP/1.1\r\nHost: x\r\n\r\n"))
	f.Add([]byte("CONNECT plain.example:4873 HTTP/1.1\r\n\r\nanything"))
	f.Add([]byte("CONNECT registry.example:443@other.example:443 HTTP/1.1\r\n\r\n"))
	f.Add(append([]byte(tunnel), greeting(f, "registry.example")...))
	f.Add(append([]byte(tunnel), greeting(f, "other.example")...))
	f.Add(append([]byte(tunnel), greeting(f, "")...))
	f.Add([]byte(tunnel + "GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		w := &world{dialled: map[string]*bytes.Buffer{}}
		p, err := New(Config{Allow: []string{"https://registry.example", "http://plain.example:4873"}, IdleTimeout: 100 * time.Millisecond})
		require.NoError(t, err)
		p.resolve, p.dial = w.resolve, w.dial
		socket := filepath.Join(t.TempDir(), "s")
		ln, err := net.Listen("unix", socket)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Serve(ctx, ln) }()

		conn, err := net.Dial("unix", socket)
		require.NoError(t, err)
		_, _ = conn.Write(said) // it may have hung up before the end
		_ = conn.(*net.UnixConn).CloseWrite()
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
		_, err = io.Copy(io.Discard, conn)
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the connection does not end")
		require.NoError(t, conn.Close())
		cancel()
		require.NoError(t, <-ended)
		w.ends.Wait()

		for _, host := range w.resolved {
			assert.Contains(t, []string{"registry.example", "plain.example"}, host)
		}
		for address, taken := range w.dialled {
			switch address {
			case "203.0.113.7:443":
				if taken.Len() == 0 {
					continue
				}
				name, _, err := readHello(bytes.NewReader(taken.Bytes()))
				require.NoError(t, err)
				assert.Equal(t, "registry.example", lower(name))
				assert.Contains(t, string(said), taken.String(), "as it was said")
			case "203.0.113.7:4873":
				if bytes.Contains(said, taken.Bytes()) {
					continue // through a tunnel
				}
				r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(taken.Bytes())))
				if err == nil { // it may have been cut off
					assert.Equal(t, "plain.example:4873", r.Host)
				}
			default:
				t.Fatalf("dialled %s", address)
			}
		}
	})
}
