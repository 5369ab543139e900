package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	// BodyLimit bounds the body of an answer, in bytes.
	BodyLimit = 64 << 10
	// HeadLimit bounds its status line and header, in bytes.
	HeadLimit = 16 << 10
)

// ErrTooLarge means that an answer is beyond the limits above.
var ErrTooLarge = errors.New("answer is too large")

// ErrSelf means that nobody listens: TCP connects a client with itself when the kernel gives it the port it wants to reach.
var ErrSelf = errors.New("connected with itself")

// ErrUnasked means that a server has answered before it was asked, or has closed the connection: what it says there is about no request
// of ours. A program could otherwise send a hundred answers ahead and be blocked for the second in which they are read.
var ErrUnasked = errors.New("answer came before the request")

// Conn is one connection, used for one request at a time.
type Conn struct {
	nc    net.Conn
	in    *bufio.Reader
	limit io.LimitedReader // between nc and in; topped up for each answer
}

// Answer is what came back for one request.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte    // at most BodyLimit; a longer body is an error
	Sent   time.Time // just before the request was written
	Got    time.Time // when the body was complete
}

// Dial opens a connection.
func Dial(ctx context.Context, addr string) (*Conn, error) {
	return dialFrom(ctx, nil, addr)
}

// dialFrom is Dial from a local address, nil for any.
func dialFrom(ctx context.Context, local net.Addr, addr string) (*Conn, error) {
	d := net.Dialer{LocalAddr: local}
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	if nc.LocalAddr().String() == nc.RemoteAddr().String() {
		return nil, errors.Join(ErrSelf, nc.Close())
	}
	return newConn(nc), nil
}

func newConn(nc net.Conn) *Conn {
	c := &Conn{nc: nc}
	c.limit.R = nc
	c.in = bufio.NewReaderSize(&c.limit, 4<<10)
	return c
}

// Close closes it; whoever waits for an answer on it is woken.
func (c *Conn) Close() error { return c.nc.Close() }

// SetDeadline bounds the next request; the zero time takes the bound away. Beyond it Ask returns an error that is os.ErrDeadlineExceeded.
func (c *Conn) SetDeadline(t time.Time) error { return c.nc.SetDeadline(t) }

// Ask sends a request and waits for the answer, without a time limit of its own: whoever gives up closes the connection or has set a
// deadline. keep says whether the connection can be used again. Answer.Sent is set as soon as the request is about to be written.
func (c *Conn) Ask(request []byte) (a Answer, keep bool, err error) {
	if unread(c.nc) {
		return a, false, ErrUnasked
	}
	a.Sent = time.Now()
	if _, err := c.nc.Write(request); err != nil {
		return a, false, fmt.Errorf("write request: %w", err)
	}
	c.limit.N = HeadLimit + BodyLimit
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return a, false, fmt.Errorf("read answer: %w", c.tooLarge(err))
	}
	var body bytes.Buffer
	_, err = body.ReadFrom(io.LimitReader(resp.Body, BodyLimit+1))
	if cerr := resp.Body.Close(); err == nil {
		err = cerr
	}
	if err == nil && body.Len() > BodyLimit {
		err = ErrTooLarge
	}
	if err != nil {
		return a, false, fmt.Errorf("read body: %w", c.tooLarge(err))
	}
	a.Status, a.Header, a.Body, a.Got = resp.StatusCode, resp.Header, body.Bytes(), time.Now()
	return a, !resp.Close && c.in.Buffered() == 0, nil
}

// tooLarge names the real reason when reading ended because of the limit.
func (c *Conn) tooLarge(err error) error {
	if c.limit.N <= 0 {
		return ErrTooLarge
	}
	return err
}
