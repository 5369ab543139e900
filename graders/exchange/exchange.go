// Package exchange asks a submission over HTTP/1.1, one request over one connection of its own, and keeps a bounded part of what it
// answers. It is written on the bytes: no client of a library may retry, follow a redirect, add a header or share a connection, since what a
// submission does is judged by what was sent.
package exchange

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

	"github.com/assay-run/assay/graders/loopback"
)

const (
	// DefaultBodyLimit is how many bytes of a body are kept unless an Exchange says otherwise.
	DefaultBodyLimit = 4 << 10
	// headLimit bounds what is read of status line and headers.
	headLimit = 64 << 10
	// headerLimit is how much of the value of a header is kept.
	headerLimit = 200
)

// Answer is what came back for one request. It is evidence, so whatever a submission does fits into it.
type Answer struct {
	Sent        float64 `json:"sent"` // seconds since the epoch of the exchange, when the request had been written
	Got         float64 `json:"got"`  // the same, when the answer was complete or had failed
	Status      int     `json:"status"`
	ContentType string  `json:"contentType,omitempty"`
	RetryAfter  string  `json:"retryAfter,omitempty"`
	// Headers are those that the exchange was told to keep, by the name it was told; absent ones are absent.
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty"`  // valid UTF-8
	Error   string            `json:"error,omitempty"` // why there was no complete answer
}

// Exchange is one request over a connection of its own. Its fields may be changed before Do.
type Exchange struct {
	// BodyLimit is how many bytes of the body are kept; what lies beyond is not read.
	BodyLimit int64
	// Keep names headers of the answer to be kept.
	Keep []string

	nc    net.Conn
	epoch time.Time
}

// Dial opens the connection, so that many requests can be written at the same moment. Times of the answer are since epoch.
func Dial(ctx context.Context, addr string, epoch time.Time) (*Exchange, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	return &Exchange{BodyLimit: DefaultBodyLimit, nc: nc, epoch: epoch}, nil
}

// Do writes the request and reads the answer, and closes the connection. It always returns an answer: what went wrong is in it. It is given
// up when ctx ends. sent is called when the request has been written; it may be nil.
func (x *Exchange) Do(ctx context.Context, request []byte, sent func()) *Answer {
	stop := context.AfterFunc(ctx, func() { _ = x.nc.Close() })
	defer stop()
	defer func() { _ = x.nc.Close() }()
	a := &Answer{}
	_, werr := x.nc.Write(request)
	a.Sent = time.Since(x.epoch).Seconds()
	if sent != nil {
		sent()
	}
	// A service may answer (413, 503) and close before it has taken the whole body.
	method, _, _ := bytes.Cut(request[:min(len(request), len(http.MethodOptions)+1)], []byte(" "))
	from := bufio.NewReaderSize(io.LimitReader(x.nc, headLimit+x.BodyLimit), 4<<10)
	resp, err := http.ReadResponse(from, &http.Request{Method: string(method)})
	a.Got = time.Since(x.epoch).Seconds()
	if err != nil {
		a.Error = reason(ctx, errors.Join(werr, err))
		return a
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, x.BodyLimit))
	a.Got = time.Since(x.epoch).Seconds()
	a.Status, a.Body = resp.StatusCode, valid(body)
	a.ContentType, a.RetryAfter = bounded(resp.Header.Get("Content-Type")), bounded(resp.Header.Get("Retry-After"))
	for _, name := range x.Keep {
		if values := resp.Header.Values(name); len(values) > 0 {
			if a.Headers == nil {
				a.Headers = map[string]string{}
			}
			a.Headers[name] = bounded(values[0])
		}
	}
	if err != nil {
		a.Error = reason(ctx, err)
	}
	return a
}

// Close gives up an exchange that is not done.
func (x *Exchange) Close() error { return x.nc.Close() }

// Send is Dial and Do.
func Send(ctx context.Context, addr string, epoch time.Time, request []byte) *Answer {
	x, err := Dial(ctx, addr, epoch)
	if err != nil {
		return Failed(ctx, epoch, err)
	}
	return x.Do(ctx, request, nil)
}

// Failed is the answer to a request whose connection could not be opened.
func Failed(ctx context.Context, epoch time.Time, err error) *Answer {
	now := time.Since(epoch).Seconds()
	return &Answer{Sent: now, Got: now, Error: reason(ctx, err)}
}

// The reasons of an answer that is not complete; others begin with "connection: ".
const (
	// TimeUsedUp says that the answer did not come before the context ended.
	TimeUsedUp = "the time was used up"
	// Closed says that the connection ended before the answer was complete.
	Closed = "the connection was closed"
	// Malformed says that what came is not HTTP/1.1, or has no end within its bounds.
	Malformed = "malformed answer"
)

// reason says in a few words why there was no answer.
func reason(ctx context.Context, err error) string {
	switch {
	case loopback.Ended(ctx):
		return TimeUsedUp
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Closed
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return "connection: " + op.Err.Error()
	}
	return Malformed
}

func bounded(text string) string { return valid([]byte(text[:min(len(text), headerLimit)])) }

func valid(text []byte) string { return string(bytes.ToValidUTF8(text, []byte("\uFFFD"))) }

// Request is the bytes of a request with a JSON body. Without keepAlive it asks the server to close the connection after its answer.
func Request(addr, method, path string, body []byte, keepAlive bool) []byte {
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
