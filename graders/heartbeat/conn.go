package heartbeat

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
	// bodyLimit bounds the body of an answer, headLimit its status line and header.
	bodyLimit = 64 << 10
	headLimit = 16 << 10
)

// errTooLarge means that an answer is beyond the limits above.
var errTooLarge = errors.New("answer is too large")

// errSelf means that nobody listens: TCP connects a client with itself when the kernel gives it the port it wants to reach.
var errSelf = errors.New("connected with itself")

// errUnasked means that a server has answered before it was asked, or has closed the connection: what it says there is about no request
// of ours. A program could otherwise send a hundred answers ahead and be blocked for the second in which they are read.
var errUnasked = errors.New("answer came before the request")

// conn is one connection, used by one beat at a time. Requests are written as one prepared piece: net/http's client has
// locks and goroutines of its own, whose jitter would be counted as the submission's.
type conn struct {
	nc    net.Conn
	in    *bufio.Reader
	limit io.LimitedReader // between nc and in; topped up for each answer
}

// dial opens a connection.
func dial(ctx context.Context, addr string) (*conn, error) {
	return dialFrom(ctx, nil, addr)
}

// dialFrom is dial from a local address, nil for any.
func dialFrom(ctx context.Context, local net.Addr, addr string) (*conn, error) {
	d := net.Dialer{LocalAddr: local}
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("dial heartbeat: %w", err)
	}
	if nc.LocalAddr().String() == nc.RemoteAddr().String() {
		return nil, errors.Join(errSelf, nc.Close())
	}
	c := &conn{nc: nc}
	c.limit.R = nc
	c.in = bufio.NewReaderSize(&c.limit, 4<<10)
	return c, nil
}

// requestBytes is the request of a beat unless Options.Request makes another.
func requestBytes(addr, path string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: " + addr + "\r\nAccept: application/json\r\n\r\n")
}

// ask sends a request and waits for the answer, without a time limit: whoever gives up closes the connection. keep
// says whether the connection can be used again.
func (c *conn) ask(request []byte) (a Answer, keep bool, err error) {
	if unread(c.nc) {
		return a, false, errUnasked
	}
	a.Sent = time.Now()
	if _, err := c.nc.Write(request); err != nil {
		return a, false, fmt.Errorf("write request: %w", err)
	}
	c.limit.N = headLimit + bodyLimit
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return a, false, fmt.Errorf("read answer: %w", c.tooLarge(err))
	}
	var body bytes.Buffer
	_, err = body.ReadFrom(io.LimitReader(resp.Body, bodyLimit+1))
	if cerr := resp.Body.Close(); err == nil {
		err = cerr
	}
	if err == nil && body.Len() > bodyLimit {
		err = errTooLarge
	}
	if err != nil {
		return a, false, fmt.Errorf("read body: %w", c.tooLarge(err))
	}
	a.Status, a.Body, a.Got = resp.StatusCode, body.Bytes(), time.Now()
	return a, !resp.Close && c.in.Buffered() == 0, nil
}

// tooLarge names the real reason when reading ended because of the limit.
func (c *conn) tooLarge(err error) error {
	if c.limit.N <= 0 {
		return errTooLarge
	}
	return err
}
