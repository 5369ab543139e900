package egress

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMainRefusesBadArguments(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		args string
		want string
	}{
		{"nothing", "", "say serve or forward"},
		{"unknown word", "listen", "neither serve nor forward"},
		{"unknown flag", "serve -nope", "flag provided but not defined"},
		{"nothing allowed", "serve -listen tcp:127.0.0.1:0", "nothing is allowed"},
		{"bad origin", "serve -listen tcp:127.0.0.1:0 -allow ftp://x", "neither http nor https"},
		{"no listener", "serve -allow https://registry.example", "-listen must be"},
		{"bad network", "serve -allow https://registry.example -listen udp:127.0.0.1:0", "-listen must be"},
		{"bad upstream", "serve -allow https://registry.example -upstream socks5://proxy", "must be an http:// URL"},
		{"forward to nowhere", "forward -listen tcp:127.0.0.1:0", "-to must be unix:/path"},
		{"address in use", "serve -allow https://registry.example -listen unix:/no/such/folder/sock", "no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := Main(t.Context(), strings.Fields(tt.args), io.Discard)
			require.Error(t, err)
			assert.Contains(t, err.Error(), tt.want)
		})
	}
}

func TestMainDoesNotRepeatAPassword(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"serve", "-allow", "https://user:s3cret@registry.example"},
		{"serve", "-allow", "https://user:s3cret@registry.example:x"},
		{"serve", "-allow", "https://registry.example", "-upstream", "http://user:s3cret@proxy:x"},
	} {
		err := Main(t.Context(), args, io.Discard)
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "s3cret")
	}
}

// TestMainAsInABuild joins forwarder and proxy the way the two containers of a build do.
func TestMainAsInABuild(t *testing.T) {
	t.Parallel()
	socket := "unix:" + filepath.Join(t.TempDir(), "s")
	proxy := startMain(t, "serve", "-listen", socket, "-allow", "https://registry.example")
	<-proxy.listening
	address := freeAddress(t)
	forward := startMain(t, "forward", "-listen", "tcp:"+address, "-to", socket)
	<-forward.listening

	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\n")
	require.NoError(t, err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer res.Body.Close()
	assert.Equal(t, http.StatusForbidden, res.StatusCode)

	forward.end(t)
	events := proxy.end(t)
	require.Len(t, events, 3)
	assert.Equal(t, EventListening, events[0].Event)
	assert.Equal(t, EventRefused, events[1].Event)
	assert.Equal(t, "other.example:443", events[1].Target)
	assert.Equal(t, Event{Time: events[2].Time, Event: EventSummary, Refused: 1}, events[2])
}

// running is a Main in a goroutine.
type running struct {
	listening chan struct{}
	cancel    context.CancelFunc
	ended     chan error

	mu     sync.Mutex
	events []Event
}

func startMain(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	m := &running{listening: make(chan struct{}), cancel: cancel, ended: make(chan error, 1)}
	t.Cleanup(cancel)
	go func() { m.ended <- Main(ctx, args, m) }()
	return m
}

// Write takes one line of the log.
func (m *running) Write(line []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var e Event
	if err := json.Unmarshal(line, &e); err != nil {
		return 0, errors.New("not a line of JSON")
	}
	m.events = append(m.events, e)
	if e.Event == EventListening {
		close(m.listening)
	}
	return len(line), nil
}

func (m *running) end(t *testing.T) []Event {
	t.Helper()
	m.cancel()
	require.NoError(t, <-m.ended)
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.events
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	return ln.Addr().String()
}

func TestForwardWithoutAProxyEndsTheConnection(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Forward(ctx, ln, filepath.Join(t.TempDir(), "nobody")) }()
	conn, err := net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	cancel()
	require.NoError(t, <-ended)
}

func TestForwardSaysThatItsListenerIsGone(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, ln.Close())
	require.ErrorIs(t, Forward(t.Context(), ln, "/nobody"), net.ErrClosed)
}
