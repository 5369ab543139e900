package wire

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/assay-run/assay/graders/loopback/loopbacktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// talk is a connection with a peer that says what it says.
func talk(p *loopbacktest.Peer) *Conn { return newConn(p) }

// FuzzAsk reads what a submission says as answers, until there is one after which the connection is given up. Whatever it is, what is taken of it
// is bounded, and how it is cut into segments changes nothing. Said for ever, it does not keep us for ever.
func FuzzAsk(f *testing.F) {
	ok := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
	for _, seed := range []string{
		"", ok, ok + ok, ok + "x",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nA: b\r\n\r\n" + ok,
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}}",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
		"HTTP/1.0 200 OK\r\n\r\nto the end", "HTTP/1.1 100 Continue\r\n\r\n" + ok, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x00",
		"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n" + ok, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 -10 ?\r\n\r\n", "HTTP/9.9 200\r\n\r\n", "HTTP/1.1 200 OK\r\n folded: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + strings.Repeat("x", 70_000),
		"HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", HeadLimit+BodyLimit),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		whole, cut := loopbacktest.Says(said), loopbacktest.Trickles(said)
		one, other := talk(whole), talk(cut)
		for keep := true; keep; {
			before := whole.Taken
			var a Answer
			var err error
			a, keep, err = one.Ask([]byte("GET / HTTP/1.1\r\n\r\n"))
			assert.LessOrEqual(t, whole.Taken-before, HeadLimit+BodyLimit, "taken for one answer")
			assert.LessOrEqual(t, len(a.Body), BodyLimit)
			b, _, otherErr := other.Ask([]byte("GET / HTTP/1.1\r\n\r\n"))
			assert.Equal(t, err == nil, otherErr == nil, "%v, byte by byte %v", err, otherErr)
			if err != nil {
				assert.False(t, keep)
				break
			}
			require.Equal(t, a.Status, b.Status)
			require.True(t, bytes.Equal(a.Body, b.Body), "%q, byte by byte %q", a.Body, b.Body)
			assert.Zero(t, a.Status/1000, "three digits")
			if keep {
				assert.Zero(t, one.in.Buffered(), "what came unasked would be taken for the next answer")
				assert.Positive(t, whole.Taken-before, "an answer of nothing")
			}
		}
		for _, endless := range []*loopbacktest.Peer{loopbacktest.Repeats(nil, said), loopbacktest.Repeats(said, []byte("1\r\n"))} {
			_, _, _ = talk(endless).Ask(nil)
			assert.LessOrEqual(t, endless.Taken, HeadLimit+BodyLimit, "taken of what has no end")
		}
	})
}

func TestNoConnectionWithItself(t *testing.T) {
	t.Parallel()
	// Somewhere between 1 and a few ten thousand tries the kernel picks the port that is asked for; binding does it at once.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().(*net.TCPAddr)
	require.NoError(t, l.Close())
	_, err = dialFrom(t.Context(), addr, addr.String())
	require.ErrorIs(t, err, ErrSelf)
}

// TestPoolIsBounded has ten jobs, of which a few at a time find a connection; the others wait and keep their order.
func TestPoolIsBounded(t *testing.T) {
	t.Parallel()
	for _, most := range []int{1, 2} {
		t.Run(strconv.Itoa(most), func(t *testing.T) {
			t.Parallel()
			var held atomic.Int64
			srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				assert.LessOrEqual(t, held.Add(1), int64(most))
				time.Sleep(5 * time.Millisecond)
				held.Add(-1)
			}))
			t.Cleanup(srv.Close)
			var mu sync.Mutex
			var order []int
			var p *Pool
			p = NewPool(srv.Listener.Addr().String(), most, func(ctx context.Context, c *Conn, job int) *Conn {
				mu.Lock()
				order = append(order, job)
				mu.Unlock()
				if c == nil {
					var err error
					c, err = p.Connect(ctx)
					assert.NoError(t, err)
				}
				a, keep, err := c.Ask([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
				assert.NoError(t, err)
				assert.True(t, keep)
				assert.Equal(t, 200, a.Status)
				return c
			})
			for job := range 10 {
				p.Dispatch(t.Context(), job)
			}
			p.Wait()
			p.Close()
			assert.ElementsMatch(t, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, order)
			if most == 1 {
				assert.IsIncreasing(t, order)
			}
			_, err := p.Connect(t.Context())
			require.ErrorIs(t, err, errClosed)
		})
	}
}

func TestSleepUntil(t *testing.T) {
	t.Parallel()
	at := time.Now().Add(20 * time.Millisecond)
	assert.True(t, SleepUntil(t.Context(), at))
	assert.False(t, time.Now().Before(at))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.False(t, SleepUntil(ctx, time.Now().Add(time.Hour)))
}
