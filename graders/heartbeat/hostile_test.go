package heartbeat

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hostile accepts connections and leaves each to serve, which has them without HTTP. All are closed at the end.
func hostile(t *testing.T, serve func(number int64, nc net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	wg.Go(func() {
		for n := int64(0); ; n++ {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, nc)
			mu.Unlock()
			wg.Go(func() { serve(n, nc) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, nc := range open {
			_ = nc.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return l.Addr().String()
}

// repeated writes a piece of an answer again and again, to the end of the connection.
func repeated(nc net.Conn, head, piece string, pause time.Duration) {
	if _, err := nc.Write([]byte(head)); err != nil {
		return
	}
	for {
		if _, err := nc.Write([]byte(piece)); err != nil {
			return
		}
		time.Sleep(pause)
	}
}

// TestHostileAnswers has servers that answer each request with what is no good answer to it. None may count as one, nothing may hang,
// and no more is read of an answer than its bounds.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	const good = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
	long := strings.Repeat("x", 32<<10)
	tests := map[string]struct {
		head, piece string
		pause       time.Duration
	}{
		"a byte now and then":      {"HTTP/1.1 200 OK\r\nX-Slow: ", "x", 50 * time.Millisecond},
		"a body byte now and then": {"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", "x", 50 * time.Millisecond},
		"header lines":             {"HTTP/1.1 200 OK\r\n", "X-More: " + long + "\r\n", 0},
		"one header line":          {"HTTP/1.1 200 OK\r\nX-More: ", long, 0},
		"status line":              {"HTTP/1.1 200 ", long, 0},
		"chunks":                   {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "8000\r\n" + long + "\r\n", 0},
		"empty-looking chunks":     {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1;" + strings.Repeat("x", 4000) + "\r\nx\r\n", 0},
		"trailer":                  {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X-More: " + long + "\r\n", 0},
		"body without a length":    {"HTTP/1.1 200 OK\r\n\r\n", long, 0},
		"body of an exabyte":       {"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000000000\r\n\r\n", long, 0},
		"interim answers":          {"", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n", 0},
		"two lengths":              {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", good, time.Millisecond},
		"no length at all":         {"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}", good, time.Millisecond},
		"a length that lies":       {"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n{}", good, 20 * time.Millisecond},
		"another answer behind":    {"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", good, time.Millisecond},
		"length and chunks":        {"HTTP/1.1 503 Busy\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", good, time.Millisecond},
		"folded header":            {"HTTP/1.1 503 Busy\r\nX-A: b\r\n Content-Length: 2\r\nContent-Length: 0\r\n\r\n", good, time.Millisecond},
		"bare CR":                  {"HTTP/1.1 503 Busy\r\nX-A: b\rContent-Length: 2\r\n\r\n", good, time.Millisecond},
		"another protocol": {
			"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", long, 0,
		},
		"no HTTP": {"", "\x00\xff\r\n", 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			addr := hostile(t, func(_ int64, nc net.Conn) {
				defer nc.Close()
				if _, err := http.ReadRequest(bufio.NewReader(nc)); err == nil {
					asked.Add(1)
					repeated(nc, tt.head, tt.piece, tt.pause)
				}
			})
			began := time.Now()
			m, err := Start(t.Context(), Options{Addr: addr, Path: "/", Start: began, Grace: 50 * time.Millisecond})
			require.NoError(t, err)
			_, ok := m.Answered(t.Context(), 400*time.Millisecond)
			hb, _ := m.Stop()
			assert.False(t, ok)
			assert.Positive(t, asked.Load(), "it was asked")
			assert.Zero(t, hb.Answered)
			assert.Positive(t, hb.Due)
			assert.Less(t, time.Since(began), 20*time.Second)
		})
	}
}

// TestAnswersAheadAreNone has a server that, with its first answer, sends fifty more to requests that have not come yet, and is
// then blocked. They are as long as what is read at once, so that each is read alone.
func TestAnswersAheadAreNone(t *testing.T) {
	t.Parallel()
	answer := "HTTP/1.1 200 OK\r\nContent-Length: 4000\r\nX: "
	answer += strings.Repeat("x", 4<<10-len(answer)-4-4000) + "\r\n\r\n" + strings.Repeat("y", 4000)
	require.Len(t, answer, 4<<10)
	release := make(chan struct{})
	ahead := make(chan struct{})
	addr := hostile(t, func(number int64, nc net.Conn) {
		in := bufio.NewReader(nc)
		for {
			if _, err := http.ReadRequest(in); err != nil {
				return
			}
			if number == 0 {
				_, _ = fmt.Fprint(nc, strings.Repeat(answer, 51))
				close(ahead)
				return
			}
			<-release
			_, _ = fmt.Fprint(nc, answer)
		}
	})
	m, err := Start(t.Context(), Options{Addr: addr, Path: "/", Start: time.Now()})
	require.NoError(t, err)
	<-ahead
	begin := time.Now()
	time.Sleep(300 * time.Millisecond)
	blocked := time.Since(begin)
	close(release)
	time.Sleep(100 * time.Millisecond)
	hb, _ := m.Stop()
	assert.GreaterOrEqual(t, hb.StallNs+hb.OwnPausedNs, int64(blocked)*8/10, "%+v", hb)
	assert.Zero(t, hb.Failed, "a connection that cannot be used is no failure")
}
