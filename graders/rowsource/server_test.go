package rowsource

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// lines is a feed of n bytes in blocks of ten.
type lines struct{ left int }

func (l *lines) Next() []byte {
	n := min(l.left, 10)
	l.left -= n
	return []byte("012345678\n")[:n]
}

// blocks is a feed of large blocks without an end.
type blocks struct{ b []byte }

func (b *blocks) Next() []byte { return b.b }

func stream(n int, p Plan) *Stream {
	return &Stream{Plan: p, Feed: func() Feed { return &lines{left: n} }}
}

func listen(t *testing.T) *Server {
	t.Helper()
	s, err := Listen("rows", time.Now())
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

// get asks for a stream as a client of the standard library does.
func get(t *testing.T, s *Server, number int64) (*http.Response, string, error) {
	t.Helper()
	resp, err := http.Get(fmt.Sprintf("%s?rows=%d", s.URL(), number))
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

// eventually waits for what must come about.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, 10*time.Second, 5*time.Millisecond, what)
}

func TestStreamIsAsked(t *testing.T) {
	t.Parallel()
	s := listen(t)
	one, other := stream(3, Plan{}), stream(3, Plan{})
	s.Add(1, one)
	s.Add(2, other)
	_, _, err := get(t, s, 1)
	require.NoError(t, err)
	assert.True(t, one.Asked())
	assert.False(t, other.Asked())
}

func TestStreamIsWhole(t *testing.T) {
	t.Parallel()
	s := listen(t)
	st := stream(105, Plan{})
	s.Add(7, st)
	resp, body, err := get(t, s, 7)
	require.NoError(t, err)
	assert.Equal(t, 200, resp.StatusCode)
	assert.True(t, resp.Close)
	assert.Equal(t, strings.Repeat("012345678\n", 10)+"01234", body)
	a := st.Account()
	assert.Equal(t, 1, a.Asked)
	assert.Equal(t, int64(105), a.Conns[0].TakenB)
	assert.GreaterOrEqual(t, a.Conns[0].DoneNs, a.Conns[0].OpenedNs)
	assert.Equal(t, int64(-1), a.Conns[0].ClosedNs, "that it is closed when all is done is nobody's merit")

	_, _, err = get(t, s, 7)
	require.NoError(t, err)
	assert.Equal(t, 2, st.Account().Asked)
}

func TestWhatIsNotAStream(t *testing.T) {
	t.Parallel()
	s := listen(t)
	s.Add(7, stream(1, Plan{Status: 503}))
	resp, body, err := get(t, s, 7)
	require.NoError(t, err)
	assert.Equal(t, 503, resp.StatusCode)
	assert.JSONEq(t, `{"status":503,"title":"Service Unavailable"}`, body)
	for path, status := range map[string]int{"?rows=8": 404, "?rows=x": 400, "": 400, "/other?rows=7": 404} {
		resp, err := http.Get(s.URL() + path)
		require.NoError(t, err)
		_ = resp.Body.Close()
		assert.Equal(t, status, resp.StatusCode, path)
	}
	resp, err = http.Post(s.URL()+"?rows=7", "", nil)
	require.NoError(t, err)
	_ = resp.Body.Close()
	assert.Equal(t, 405, resp.StatusCode)

	s.StopListening()
	_, err = http.Get(s.URL())
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}

func TestFailures(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fail Failure
		at   int64
		want error
	}{
		{Reset, 33, syscall.ECONNRESET},
		{Truncate, 33, io.ErrUnexpectedEOF},
		{Truncate, 40, io.ErrUnexpectedEOF},
		{Truncate, 1 << 40, io.ErrUnexpectedEOF},
	} {
		s := listen(t)
		st := stream(100, Plan{Fail: tt.fail, FailAt: tt.at, FailPause: 30 * time.Millisecond})
		s.Add(1, st)
		_, body, err := get(t, s, 1)
		require.ErrorIs(t, err, tt.want)
		assert.Len(t, body, int(min(tt.at, 100)), "all that came before")
		c := st.Account().Conns[0]
		assert.GreaterOrEqual(t, c.FailedNs, int64(30*time.Millisecond))
		assert.Equal(t, int64(-1), c.DoneNs)
	}
}

// dial asks for a stream over a connection that the test holds.
func dial(t *testing.T, s *Server, number int64) (*net.TCPConn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", s.listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	tcp := c.(*net.TCPConn)
	_, err = fmt.Fprintf(c, "GET /rows?rows=%d HTTP/1.1\r\nHost: x\r\n\r\n", number)
	require.NoError(t, err)
	return tcp, bufio.NewReader(c)
}

// TestClosingIsSeen whatever the source is at: sending, silent, or not even answering.
func TestClosingIsSeen(t *testing.T) {
	t.Parallel()
	for name, st := range map[string]*Stream{
		"sending": stream(1<<40, Plan{}),
		"silent":  stream(100, Plan{Fail: Silence, FailAt: 50}),
		"held":    stream(100, Plan{HoldHead: time.Hour}),
		"resting": stream(100, Plan{Pause: time.Hour}),
	} {
		for _, reset := range []bool{false, true} {
			s := listen(t)
			s.Add(1, st)
			c, in := dial(t, s, 1)
			if name != "held" {
				_, err := in.ReadString('\n')
				require.NoError(t, err)
			}
			eventually(t, name, func() bool { return len(st.Open()) > 0 })
			before := int64(time.Since(s.epoch))
			if reset {
				require.NoError(t, c.SetLinger(0))
			}
			require.NoError(t, c.Close())
			last := func() Conn { all := st.Account().Conns; return all[len(all)-1] }
			eventually(t, name, func() bool { return last().ClosedNs >= 0 })
			assert.GreaterOrEqual(t, last().ClosedNs, before, name)
			assert.Less(t, last().ClosedNs-before, int64(5*time.Second), name)
			assert.Empty(t, st.Open())
		}
	}
}

func TestTakenIsWhatWasRead(t *testing.T) {
	t.Parallel()
	s := listen(t)
	st := &Stream{Feed: func() Feed { return &blocks{[]byte(strings.Repeat("012345678\n", 4000))} }}
	s.Add(1, st)
	c, in := dial(t, s, 1)
	_, err := in.ReadString('\n')
	require.NoError(t, err)
	ends := st.Open()
	require.Len(t, ends, 1)
	assert.Equal(t, c.LocalAddr().String(), ends[0].Theirs.String())
	assert.Equal(t, c.RemoteAddr().String(), ends[0].Ours.String())

	// It stops when nobody reads: a source is as fast as it is read.
	settled := func() (n int64) {
		eventually(t, "it stops", func() bool {
			before := n
			time.Sleep(50 * time.Millisecond)
			n = st.Taken()
			return n == before && n > 0
		})
		return n
	}
	first := settled()
	const more = 16 << 20
	_, err = io.CopyN(io.Discard, in, more)
	require.NoError(t, err)
	// What was read made room for as much; the kernel may have given it some more or less room meanwhile.
	assert.InDelta(t, more, settled()-first, 8<<20)
}

func TestPieces(t *testing.T) {
	t.Parallel()
	s := listen(t)
	var asked []int
	st := stream(25, Plan{Pause: 5 * time.Millisecond, Cut: func() func([]byte) int {
		return func(next []byte) int {
			asked = append(asked, len(next))
			return 4
		}
	}})
	s.Add(1, st)
	began := time.Now()
	_, body, err := get(t, s, 1)
	require.NoError(t, err)
	assert.Len(t, body, 25)
	assert.Equal(t, []int{10, 6, 2, 10, 6, 2, 5, 1}, asked)
	assert.GreaterOrEqual(t, time.Since(began), 8*5*time.Millisecond)
}

// TestCloseEndsEverything also what waits for nothing.
func TestCloseEndsEverything(t *testing.T) {
	t.Parallel()
	s, err := Listen("rows", time.Now())
	require.NoError(t, err)
	st := stream(100, Plan{HoldHead: time.Hour})
	s.Add(1, st)
	c, in := dial(t, s, 1)
	eventually(t, "asked", func() bool { return st.Account().Asked == 1 })
	s.Close()
	s.Close()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(10*time.Second)))
	_, err = in.ReadByte()
	assert.True(t, errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET), "%v", err)
}
