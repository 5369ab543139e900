package rowsource

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/assay-run/assay/graders/loopback"
)

// conn is one connection of a submission.
type conn struct {
	nc    *net.TCPConn
	epoch time.Time

	mu      sync.Mutex
	is      Conn
	written int64 // bytes of the stream, without its framing
	ours    bool  // we have ended it: what is seen of the other side afterwards means nothing
}

func newConn(nc net.Conn, epoch time.Time) *conn {
	tcp, _ := nc.(*net.TCPConn)
	_ = tcp.SetWriteBuffer(sendBuffer)
	return &conn{nc: tcp, epoch: epoch, is: Conn{OpenedNs: -1, DoneNs: -1, FailedNs: -1, ClosedNs: -1}}
}

func (c *conn) now() int64 { return int64(time.Since(c.epoch)) }

func (c *conn) open() {
	c.mu.Lock()
	c.is.OpenedNs = c.now()
	c.mu.Unlock()
}

// taken is how much the other side's kernel has taken.
func (c *conn) taken() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.is.ClosedNs < 0 && !c.ours {
		c.is.TakenB = max(c.is.TakenB, c.written-queued(c.nc))
	}
	return c.is.TakenB
}

func (c *conn) account() Conn {
	c.taken()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.is
}

// ends are both ends of it while it is open; ok is false afterwards.
func (c *conn) ends() (e Ends, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	theirs, _ := c.nc.RemoteAddr().(*net.TCPAddr)
	ours, _ := c.nc.LocalAddr().(*net.TCPAddr)
	if c.is.ClosedNs >= 0 || theirs == nil || ours == nil {
		return Ends{}, false
	}
	return Ends{Theirs: theirs.AddrPort(), Ours: ours.AddrPort()}, true
}

// discardLimit is how much a submission may send after its request before its connection is closed.
const discardLimit = 64 << 10

// watch notices the end of the connection at the other side, also while there is nothing to send.
func (c *conn) watch() {
	b := make([]byte, 1024)
	var err error
	for total := 0; err == nil && total < discardLimit; {
		var n int
		n, err = c.nc.Read(b)
		total += n
	}
	c.mu.Lock()
	if !c.ours && c.is.ClosedNs < 0 {
		c.is.TakenB = max(c.is.TakenB, c.written-queued(c.nc))
		c.is.ClosedNs = c.now()
	}
	c.mu.Unlock()
	_ = c.nc.Close()
}

// end marks the connection as ended by us.
func (c *conn) end(moment *int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.is.ClosedNs < 0 && !c.ours {
		c.is.TakenB = c.written // what is still on its way arrives
		*moment = c.now()
		c.ours = true
	}
}

func (c *conn) refuse(status int) error {
	body := fmt.Sprintf(`{"status":%d,"title":%q}`, status, http.StatusText(status))
	head := fmt.Sprintf("HTTP/1.1 %d %s\r\nContent-Type: application/problem+json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n",
		status, http.StatusText(status), len(body))
	_, err := c.nc.Write([]byte(head + body))
	return err //nolint:wrapcheck // nobody reads it
}

const okHead = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"

// send does what the plan says, until it is done or ctx has ended because the other side is gone.
func (c *conn) send(ctx context.Context, st *Stream) {
	p := &st.Plan
	if !loopback.Pause(ctx, p.HoldHead) {
		return
	}
	if p.Status != 0 && p.Status != http.StatusOK {
		_ = c.refuse(p.Status)
		c.end(&c.is.DoneNs)
		return
	}
	if _, err := c.nc.Write([]byte(okHead)); err != nil {
		return
	}
	if !c.sendBody(ctx, p, st.Feed()) {
		return
	}
	if p.Fail == NoFailure {
		if _, err := c.nc.Write([]byte("0\r\n\r\n")); err == nil {
			c.end(&c.is.DoneNs)
		}
		return
	}
	if loopback.Pause(ctx, p.FailPause) {
		c.fail(ctx, p.Fail)
	}
}

// maxPiece bounds what is written at a time, and so what of it is counted late: all of a piece, when all of it has been taken over.
const maxPiece = 16 << 10

// sendBody sends the stream, or as much of it as comes before its failure. It returns false when the other side is gone.
func (c *conn) sendBody(ctx context.Context, p *Plan, f Feed) bool {
	cut := func(next []byte) int { return len(next) }
	if p.Cut != nil {
		cut = p.Cut()
	}
	left := int64(-1)
	if p.Fail != NoFailure {
		left = p.FailAt
	}
	for b := f.Next(); len(b) > 0 && left != 0; b = f.Next() {
		if left >= 0 {
			b = b[:min(int64(len(b)), left)]
			left -= int64(len(b))
		}
		for len(b) > 0 {
			n := min(max(cut(b), 1), len(b), maxPiece)
			if !c.chunk(b[:n]) || !loopback.Pause(ctx, p.Pause) {
				return false
			}
			b = b[n:]
		}
	}
	return true
}

// chunk sends one chunk.
func (c *conn) chunk(b []byte) bool {
	head := strconv.AppendInt(make([]byte, 0, 16), int64(len(b)), 16)
	parts := net.Buffers{append(head, '\r', '\n'), b, []byte("\r\n")}
	_, err := parts.WriteTo(c.nc)
	if err != nil {
		return false
	}
	c.mu.Lock()
	c.written += int64(len(b))
	c.mu.Unlock()
	return true
}

// fail ends the stream as it must not end.
func (c *conn) fail(ctx context.Context, how Failure) {
	if how == Silence {
		<-ctx.Done()
		return
	}
	c.end(&c.is.FailedNs)
	if how == Reset {
		_ = c.nc.SetLinger(0)
	}
}
