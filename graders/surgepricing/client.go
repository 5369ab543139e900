package surgepricing

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// bodyLimit bounds the body of an answer that is kept.
const bodyLimit = 4 << 10

// exchange is one request over a connection of its own.
type exchange struct {
	nc    net.Conn
	epoch time.Time // times of the answer are since then
}

// dial opens the connection, so that many requests can be written at the same moment. ctx closes it.
func dial(ctx context.Context, addr string, epoch time.Time) (*exchange, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	return &exchange{nc: nc, epoch: epoch}, nil
}

// do writes the request and reads the answer. It always returns one: what went wrong is in it. sent is called when the request has
// been written; it may be nil.
func (x *exchange) do(ctx context.Context, request []byte, sent func()) *answer {
	stop := context.AfterFunc(ctx, func() { _ = x.nc.Close() })
	defer stop()
	defer func() { _ = x.nc.Close() }()
	a := &answer{}
	_, werr := x.nc.Write(request)
	a.Sent = time.Since(x.epoch).Seconds()
	if sent != nil {
		sent()
	}
	// A service may answer (413, 503) and close before it has taken the whole body.
	resp, err := http.ReadResponse(bufio.NewReaderSize(io.LimitReader(x.nc, 64<<10), 4<<10), nil)
	a.Got = time.Since(x.epoch).Seconds()
	if err != nil {
		a.Error = reason(ctx, errors.Join(werr, err))
		return a
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, bodyLimit))
	a.Got = time.Since(x.epoch).Seconds()
	a.Status, a.Body = resp.StatusCode, string(bytes.ToValidUTF8(body, []byte("\uFFFD")))
	a.ContentType, a.RetryAfter = bounded(resp.Header.Get("Content-Type")), bounded(resp.Header.Get("Retry-After"))
	if err != nil {
		a.Error = reason(ctx, err)
	}
	return a
}

// send is dial and do.
func send(ctx context.Context, addr string, epoch time.Time, request []byte) *answer {
	x, err := dial(ctx, addr, epoch)
	if err != nil {
		return &answer{Sent: time.Since(epoch).Seconds(), Got: time.Since(epoch).Seconds(), Error: reason(ctx, err)}
	}
	return x.do(ctx, request, nil)
}

// timeUsedUp is the reason of an answer that did not come before the run had to end.
const timeUsedUp = "the time was used up"

// reason says in a few words why there was no answer.
func reason(ctx context.Context, err error) string {
	switch {
	case ctx.Err() != nil:
		return timeUsedUp
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed"
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return "connection: " + op.Err.Error()
	}
	return "malformed answer"
}

// headerLimit is how much of a header is kept.
const headerLimit = 200

func bounded(text string) string {
	return string(bytes.ToValidUTF8([]byte(text[:min(len(text), headerLimit)]), []byte("\uFFFD")))
}

// request is the bytes of a request.
func request(addr, method, path string, body []byte, keepAlive bool) []byte {
	var b bytes.Buffer
	b.WriteString(method + " " + path + " HTTP/1.1\r\nHost: " + addr + "\r\nAccept: application/json\r\n")
	if !keepAlive {
		b.WriteString("Connection: close\r\n")
	}
	if method != http.MethodGet {
		b.WriteString("Content-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n")
	}
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}
