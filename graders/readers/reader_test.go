package readers

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/graders/loopback/loopbacktest"
)

// kept is a verifier that keeps everything, for short bodies.
type kept struct {
	bytes.Buffer
	status int
	local  netip.AddrPort
	calls  int
}

func (k *kept) Take(status int, chunk []byte) {
	k.status = status
	k.calls++
	k.Write(chunk)
}

func (k *kept) Connected(local netip.AddrPort) { k.local = local }

// says returns the address of a server that reads a request, does something with each connection, and closes it.
func says(t *testing.T, do func(*net.TCPConn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				_, _ = c.Read(make([]byte, 4096))
				do(c.(*net.TCPConn))
			}()
		}
	}()
	return l.Addr().String()
}

const ask = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

func read(t *testing.T, addr string, s Script, v Verifier) *Account {
	t.Helper()
	a, err := Read(t.Context(), addr, []byte(ask), s, v, time.Now())
	require.NoError(t, err)
	return a
}

func TestEnds(t *testing.T) {
	t.Parallel()
	const ok = "HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\n"
	tests := []struct {
		name, said string
		end        End
		framing    string
		body       string
	}{
		{"chunked", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", Complete, "chunked", "abc"},
		{"length", ok + "Content-Length: 3\r\n\r\nabc", Complete, "length", "abc"},
		{"empty", ok + "Content-Length: 0\r\n\r\n", Complete, "length", ""},
		{"unframed", ok + "\r\nabc", Unframed, "close", "abc"},
		{"chunks without an end", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", Cut, "chunked", "ab"},
		{"half a chunk", ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nab", Cut, "chunked", "ab"},
		{"less than its length", ok + "Content-Length: 9\r\n\r\nabc", Cut, "length", "abc"},
		{"nothing", "", Cut, "", ""},
		{"half a head", ok, Cut, "", ""},
		{"broken chunks", ok + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", Malformed, "chunked", ""},
		{"no HTTP", "hello\r\n\r\n", Malformed, "", ""},
		{"a head without an end", ok + strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 100), Malformed, "", ""},
		{"interim answers", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok + "Content-Length: 1\r\n\r\na", Complete, "length", "a"},
		{"nothing but interim answers", strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 9), Malformed, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var v kept
			a := read(t, says(t, func(c *net.TCPConn) {
				_, _ = c.Write([]byte(tt.said))
				_ = c.CloseWrite()
				_, _ = io.Copy(io.Discard, c)
			}), Script{}, &v)
			assert.Equal(t, tt.end, a.End)
			assert.Equal(t, tt.framing, a.Framing)
			assert.Equal(t, tt.body, v.String())
			assert.Equal(t, int64(len(tt.body)), a.Bytes)
			assert.GreaterOrEqual(t, a.EndedNs, a.SentNs)
			assert.True(t, v.local.IsValid())
			if tt.framing != "" {
				assert.Equal(t, "text/csv", a.ContentType)
				assert.Equal(t, 200, a.Status)
				assert.GreaterOrEqual(t, a.HeadNs, a.SentNs)
			} else {
				assert.Equal(t, int64(-1), a.HeadNs)
			}
		})
	}
}

func TestResetTimeoutRefusedEndless(t *testing.T) {
	t.Parallel()
	const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
	reset := says(t, func(c *net.TCPConn) {
		_, _ = c.Write([]byte(head))
		time.Sleep(50 * time.Millisecond)
		_ = c.SetLinger(0)
	})
	assert.Equal(t, Reset, read(t, reset, Script{}, &kept{}).End)
	silent := says(t, func(c *net.TCPConn) {
		_, _ = c.Write([]byte(head))
		_, _ = io.Copy(io.Discard, c)
	})
	a := read(t, silent, Script{Patience: 100 * time.Millisecond}, &kept{})
	assert.Equal(t, TimedOut, a.End)
	assert.Equal(t, int64(3), a.Bytes)
	assert.Equal(t, Refused, read(t, "127.0.0.1:1", Script{}, &kept{}).End)
	a = read(t, endless(t), Script{Limit: 1 << 20}, &kept{})
	assert.Equal(t, Endless, a.End)
	assert.Less(t, a.Bytes, int64(2<<20), "a bound is a bound")
}

// endless sends a body without an end.
func endless(t *testing.T) string {
	t.Helper()
	return says(t, func(c *net.TCPConn) {
		_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"))
		for b := make([]byte, 64<<10); ; {
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	})
}

func TestLeaves(t *testing.T) {
	t.Parallel()
	addr := endless(t)
	silent := says(t, func(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) })

	a := read(t, addr, Script{AbortAfter: 100_001}, &kept{})
	assert.Equal(t, Left, a.End)
	assert.Equal(t, int64(100_001), a.Bytes, "to the byte")

	for name, s := range map[string]Script{
		"fast":    {AbortAt: 150 * time.Millisecond},
		"slow":    {AbortAt: 150 * time.Millisecond, Rate: 8 << 10},
		"stalled": {AbortAt: 150 * time.Millisecond, StallFor: time.Minute},
	} {
		a = read(t, addr, s, &kept{})
		assert.Equal(t, Left, a.End, name)
		assert.GreaterOrEqual(t, a.EndedNs-a.SentNs, int64(150*time.Millisecond), name)
		assert.Less(t, a.EndedNs-a.SentNs, int64(5*time.Second), name)
	}
	a = read(t, silent, Script{AbortAt: 100 * time.Millisecond}, &kept{})
	assert.Equal(t, Left, a.End, "also before the head")
	assert.Equal(t, int64(-1), a.HeadNs)

	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	a, err := Read(ctx, addr, []byte(ask), Script{}, &kept{}, time.Now())
	require.NoError(t, err)
	assert.Equal(t, Left, a.End, "its time has ended")
	assert.Less(t, a.EndedNs, int64(5*time.Second), "what is left of the body is not read")
}

// TestLeavesBeforeTheOtherSideKnows compares with what the server sees: a client that is made to leave has left before, however late its own goroutine is.
func TestLeavesBeforeTheOtherSideKnows(t *testing.T) {
	t.Parallel()
	epoch := time.Now()
	for range 50 {
		seen := make(chan time.Duration, 1)
		addr := says(t, func(c *net.TCPConn) {
			_, _ = io.Copy(io.Discard, c)
			seen <- time.Since(epoch)
		})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Millisecond, cancel)
		a, err := Read(ctx, addr, []byte(ask), Script{}, &kept{}, epoch)
		require.NoError(t, err)
		if a.SentNs < 0 {
			continue // it was not connected yet
		}
		assert.Equal(t, Left, a.End)
		assert.LessOrEqual(t, a.EndedNs, int64(<-seen))
	}
}

func TestRateAndStall(t *testing.T) {
	t.Parallel()
	addr := endless(t)
	const rate = 64 << 10
	a := read(t, addr, Script{Rate: rate, AbortAt: time.Second}, &kept{})
	assert.LessOrEqual(t, a.Bytes, int64(rate), "never more than the rate")
	assert.Greater(t, a.Bytes, int64(rate/2))
	require.Greater(t, len(a.Steps), 2)
	for i, s := range a.Steps[1:] {
		assert.GreaterOrEqual(t, s.Bytes, a.Steps[i].Bytes)
		assert.GreaterOrEqual(t, s.AtNs, a.Steps[i].AtNs)
	}

	// It does not make up for a stall.
	a = read(t, addr, Script{Rate: rate, StallAt: 200 * time.Millisecond, StallFor: 400 * time.Millisecond, AbortAt: time.Second}, &kept{})
	assert.LessOrEqual(t, a.Bytes, int64(rate*7/10))
	assert.GreaterOrEqual(t, a.StalledNs, int64(400*time.Millisecond))

	a = read(t, addr, Script{StallFor: 300 * time.Millisecond, AbortAfter: 1}, &kept{})
	assert.GreaterOrEqual(t, a.HeadNs-a.SentNs, int64(300*time.Millisecond), "a stall from the beginning includes the head")
}

// TestSmallSocketsHideLittle counts what a server can write for a client that does not read.
func TestSmallSocketsHideLittle(t *testing.T) {
	t.Parallel()
	hidden := func(s Script) int64 {
		var written atomic.Int64
		addr := says(t, func(c *net.TCPConn) {
			for b := make([]byte, 4<<10); ; {
				n, err := c.Write(b)
				written.Add(int64(n))
				if err != nil {
					return
				}
			}
		})
		s.StallFor, s.AbortAt = time.Minute, 500*time.Millisecond
		assert.Equal(t, Left, read(t, addr, s, &kept{}).End)
		return written.Load()
	}
	small := hidden(Script{Buffer: 8 << 10, Segment: 1460})
	assert.Less(t, small, hidden(Script{})/2)
}

func TestScriptIsChecked(t *testing.T) {
	t.Parallel()
	for _, s := range []Script{{Rate: -1}, {AbortAfter: -1}, {AbortAt: -1}, {StallFor: -1}, {Buffer: -1}, {Segment: 5}, {Patience: -1}, {Limit: -1}} {
		_, err := Read(t.Context(), "127.0.0.1:1", nil, s, &kept{}, time.Now())
		require.Error(t, err, "%+v", s)
	}
}

// peer needs no deadlines: it never waits.
type peer struct{ *loopbacktest.Peer }

func (peer) SetDeadline(time.Time) error     { return nil }
func (peer) SetReadDeadline(time.Time) error { return nil }

// FuzzRead reads whatever a service says as an answer: what is kept of it is bounded, and how it is cut into segments changes nothing.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\r\nabc", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Type: " + strings.Repeat("ä", 300) + "\r\n\r\n",
		"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\nx",
	} {
		f.Add([]byte(seed))
	}
	const limit = 256 << 10
	f.Fuzz(func(t *testing.T, said []byte) {
		ask := func(p *loopbacktest.Peer) (Account, string) {
			var v kept
			s, err := Script{Limit: limit}.withDefaults()
			require.NoError(t, err)
			r := reader{script: s, verifier: &v, epoch: time.Now(), nc: peer{p}, account: Account{SentNs: -1, HeadNs: -1, FirstNs: -1, EndedNs: -1}}
			r.account.End = r.read(context.Background(), nil)
			a := r.account
			assert.LessOrEqual(t, a.Bytes, int64(limit+fastPiece))
			assert.Equal(t, int64(v.Len()), a.Bytes)
			assert.LessOrEqual(t, len(a.ContentType), headerLimit)
			assert.LessOrEqual(t, len(a.Steps), maxSteps)
			assert.NotEmpty(t, a.End)
			a.SentNs, a.HeadNs, a.FirstNs, a.Steps = 0, 0, 0, nil
			return a, v.String()
		}
		whole, body := ask(loopbacktest.Says(said))
		pieces, samebody := ask(loopbacktest.Trickles(said))
		assert.Equal(t, whole, pieces, "byte by byte it is the same")
		assert.Equal(t, body, samebody)
		ask(loopbacktest.Repeats(said, said))
	})
}
