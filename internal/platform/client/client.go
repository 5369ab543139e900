// Package client is a candidate's side of the platform's API, as far as the assay command needs it: hand in, and see what comes
// of it.
package client

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/assay-run/assay/internal/platform"
)

// Bounds.
const (
	maxAnswer = 4 << 20  // bytes of JSON
	maxReport = 64 << 20 // bytes
	// maxTries is how often a request is sent that met no server, or one in trouble.
	maxTries   = 5
	firstPause = time.Second
	longPause  = 30 * time.Second
	// askWithin bounds a request but an upload, which has uploadWithin.
	askWithin    = 30 * time.Second
	uploadWithin = 10 * time.Minute
)

// Options say whom a client talks to.
type Options struct {
	// Server is the address of the platform, e.g. "https://assay.example".
	Server string
	// Token is that of an invitation.
	Token string
	// Transport is http.DefaultTransport unless set.
	Transport http.RoundTripper
	// Pause waits before something is tried or looked at again; it waits for real unless set.
	Pause func(ctx context.Context, d time.Duration) error
}

// Client talks to a platform. It may be used by several goroutines.
type Client struct {
	base  string
	token string
	http  *http.Client
	pause func(ctx context.Context, d time.Duration) error
}

// New makes a client.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.Server)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return nil, fmt.Errorf("%q is not the address of a server, such as https://assay.example", o.Server)
	}
	if o.Pause == nil {
		o.Pause = pause
	}
	return &Client{
		base: u.Scheme + "://" + u.Host + strings.TrimRight(u.EscapedPath(), "/") + "/api/v1", token: o.Token, pause: o.Pause,
		// The token goes nowhere but to the server that was named.
		http: &http.Client{Transport: o.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
}

// Private says whether nobody on the way can read what is sent to an address: it is by HTTPS, or on this machine.
func Private(server string) bool {
	u, err := url.Parse(server)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ProblemError is a refusal by the server, as RFC 9457 has it.
type ProblemError struct {
	platform.Problem
	retryAfter time.Duration
}

// Error is what the server says.
func (p *ProblemError) Error() string {
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	if p.Status >= http.StatusInternalServerError && p.RequestID != "" {
		text += " (" + p.RequestID + ")"
	}
	return text
}

// passing says whether a failure may be over when the same is tried again.
func passing(err error) bool {
	var p *ProblemError
	if !errors.As(err, &p) {
		var unreachable *url.Error
		var distrusted *tls.CertificateVerificationError
		return errors.As(err, &unreachable) && !errors.As(err, &distrusted)
	}
	return p.Status == http.StatusTooManyRequests || p.Status >= http.StatusInternalServerError
}

// request is one call.
type request struct {
	method, path string
	query        url.Values
	key          string                        // for idempotency
	body         func() (io.ReadCloser, error) // opens it anew for each try; nil for none
	bytes        int64                         // of it
	within       time.Duration
	read         func(io.Reader) error
}

// send sends a request until it is answered, or cannot be.
func (c *Client) send(ctx context.Context, r request) error {
	wait := firstPause
	for try := 1; ; try++ {
		err := c.once(ctx, r)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil || !passing(err) || try == maxTries {
			return err
		}
		asked := time.Duration(0)
		if p := (*ProblemError)(nil); errors.As(err, &p) {
			asked = p.retryAfter
		}
		if err := c.pause(ctx, min(max(wait, asked), longPause)); err != nil {
			return err
		}
		wait *= 2
	}
}

func (c *Client) once(ctx context.Context, r request) error {
	within := r.within
	if within == 0 {
		within = askWithin
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	address := c.base + r.path
	if len(r.query) > 0 {
		address += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, address, nil)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	if r.body != nil {
		if req.Body, err = r.body(); err != nil {
			return fmt.Errorf("open what is sent: %w", err)
		}
		req.ContentLength = r.bytes
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Accept", "application/json")
	if r.key != "" {
		req.Header.Set("Idempotency-Key", r.key)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close() // only read
	if res.StatusCode < http.StatusOK || res.StatusCode >= http.StatusMultipleChoices {
		return problemOf(res)
	}
	return r.read(res.Body)
}

func problemOf(res *http.Response) error {
	if to := res.Header.Get("Location"); res.StatusCode < http.StatusBadRequest && to != "" {
		return fmt.Errorf("the server leads on to %s; name that one, without the path", to)
	}
	p := &ProblemError{}
	// What is no problem of ours comes from a proxy, and its status is all there is to say.
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(p); err != nil || p.Title == "" {
		p = &ProblemError{Problem: platform.Problem{Title: "the server answers " + res.Status}}
	}
	p.Status = res.StatusCode
	if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && s > 0 {
		p.retryAfter = time.Duration(s) * time.Second
	}
	return p
}

// ask reads JSON.
func ask[T any](ctx context.Context, c *Client, r request) (T, error) {
	var out T
	r.read = func(body io.Reader) error {
		var fresh T
		if err := json.NewDecoder(io.LimitReader(body, maxAnswer)).Decode(&fresh); err != nil {
			return fmt.Errorf("read answer of the server: %w; see that it is an Assay server", err)
		}
		out = fresh
		return nil
	}
	err := c.send(ctx, r)
	return out, err
}
