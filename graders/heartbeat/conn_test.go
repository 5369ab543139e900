package heartbeat

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/graders/loopback/loopbacktest"
)

// talk is a connection with a peer that says what it says.
func talk(p *loopbacktest.Peer) *conn {
	c := &conn{nc: p}
	c.limit.R = p
	c.in = bufio.NewReaderSize(&c.limit, 4<<10)
	return c
}

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
		"HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", headLimit+bodyLimit),
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
			a, keep, err = one.ask([]byte("GET / HTTP/1.1\r\n\r\n"))
			assert.LessOrEqual(t, whole.Taken-before, headLimit+bodyLimit, "taken for one answer")
			assert.LessOrEqual(t, len(a.Body), bodyLimit)
			b, _, otherErr := other.ask([]byte("GET / HTTP/1.1\r\n\r\n"))
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
			_, _, _ = talk(endless).ask(nil)
			assert.LessOrEqual(t, endless.Taken, headLimit+bodyLimit, "taken of what has no end")
		}
	})
}
