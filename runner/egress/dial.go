package egress

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// dialOrigin connects to an allowed origin, directly or by a tunnel through the upstream proxy.
func (p *Proxy) dialOrigin(ctx context.Context, o Origin) (net.Conn, error) {
	if p.upstream != nil {
		return p.dialUpstream(ctx, o)
	}
	return p.dialDirect(ctx, o)
}

// dialDirect resolves and checks before it dials, and dials what it has checked.
func (p *Proxy) dialDirect(ctx context.Context, o Origin) (net.Conn, error) {
	var addrs []netip.Addr
	if addr, err := netip.ParseAddr(o.Host); err == nil {
		addrs = []netip.Addr{addr}
	} else if addrs, err = p.resolve(ctx, o.Host); err != nil {
		return nil, fmt.Errorf("resolve name: %w", err)
	}
	var errs []error
	for _, addr := range addrs {
		addr = addr.Unmap()
		if reason := forbidden(addr); reason != "" {
			errs = append(errs, fmt.Errorf("the name leads to %s, %s", addr, reason))
			continue
		}
		conn, err := p.dial(ctx, "tcp", net.JoinHostPort(addr.String(), o.Port))
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		errs = append(errs, errors.New("the name has no address"))
	}
	return nil, errors.Join(errs...)
}

// forbidden says why an address is never dialled, whatever name leads to it. Private networks are allowed: a company's
// registry lives there, and the list of origins is by name.
func forbidden(addr netip.Addr) string {
	switch {
	case addr.IsLoopback(), addr.IsUnspecified():
		return "which is this machine itself"
	case addr.IsLinkLocalUnicast():
		return "where clouds serve the secrets of a machine"
	case addr.IsMulticast():
		return "which is no single host"
	}
	return ""
}

// dialPlain is how the transport of plain requests connects: to the upstream proxy, or to an allowed origin.
func (p *Proxy) dialPlain(ctx context.Context, network, address string) (net.Conn, error) {
	if p.upstream != nil {
		return p.dial(ctx, network, address)
	}
	o, ok := p.allow[address]
	if !ok { // cannot happen: forward has looked it up, and redirects are not followed
		return nil, fmt.Errorf("%s is not allowed", clip(address))
	}
	return p.dialDirect(ctx, o)
}

// dialUpstream opens a tunnel through the machine's own proxy.
func (p *Proxy) dialUpstream(ctx context.Context, o Origin) (_ net.Conn, err error) {
	conn, err := p.dial(ctx, "tcp", proxyAddress(p.upstream))
	if err != nil {
		return nil, fmt.Errorf("reach the machine's own proxy: %w", err)
	}
	defer func() {
		if err != nil {
			_ = conn.Close()
		}
	}()
	_ = conn.SetDeadline(time.Now().Add(dialTimeout))
	req := &http.Request{
		Method: http.MethodConnect, URL: &url.URL{Opaque: o.address()}, Host: o.address(), Header: http.Header{},
	}
	if u := p.upstream.User; u != nil {
		password, _ := u.Password()
		req.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)))
	}
	if err := req.WithContext(ctx).Write(conn); err != nil {
		return nil, fmt.Errorf("ask the machine's own proxy: %w", err)
	}
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, req)
	if err != nil {
		return nil, fmt.Errorf("ask the machine's own proxy: %w", err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the machine's own proxy answers %s", res.Status)
	}
	_ = conn.SetDeadline(time.Time{})
	// In TLS the client speaks first, so nothing can have come after the answer; keep it all the same.
	return &bufferedConn{Conn: conn, r: r}, nil
}

func proxyAddress(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// bufferedConn reads what a reader of the connection has already taken before the rest.
type bufferedConn struct {
	net.Conn
	r *bufio.Reader
}

func (c *bufferedConn) Read(b []byte) (int, error) { return c.r.Read(b) }

// CloseWrite half-closes the connection where it can be.
func (c *bufferedConn) CloseWrite() error { return closeWrite(c.Conn) }
