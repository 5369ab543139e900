package egress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// connect answers CONNECT: it dials the origin, lets the client speak, and passes bytes on in both directions.
func (p *Proxy) connect(w http.ResponseWriter, r *http.Request) {
	o, ok := p.admit(w, r.RequestURI, "")
	if !ok {
		return
	}
	server, err := p.dialOrigin(r.Context(), o)
	if err != nil {
		p.fail(w, o, err)
		return
	}
	defer server.Close()
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		p.fail(w, o, err)
		return
	}
	defer client.Close()
	// The server's own deadlines no longer hold on a connection that was taken over.
	_ = client.SetDeadline(time.Now().Add(helloTimeout))
	if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		p.log.failed(o.address(), err)
		return
	}
	from := &bufferedConn{Conn: client, r: buffered.Reader}
	var sent int64
	if o.Scheme == "https" {
		if sent, err = p.passHello(server, from, o); err != nil {
			return
		}
	}
	_ = client.SetDeadline(time.Time{})
	up, down := splice(r.Context(), from, server, p.idle)
	p.log.closed(o.address(), sent+up, down)
}

// passHello lets the greeting of a TLS client through when it names the origin that was asked for.
func (p *Proxy) passHello(server io.Writer, from *bufferedConn, o Origin) (int64, error) {
	name, greeting, err := readHello(from)
	// A client that dials an address sends no name, and needs none.
	if err == nil && lower(name) != o.Host && !(o.literal() && name == "") {
		err = fmt.Errorf("the TLS greeting asks for %q", clip(name))
	}
	if err != nil {
		if !errors.Is(err, io.EOF) { // a connection that was opened and not used is nobody's fault
			p.log.refused(o.address(), err.Error())
		}
		return 0, err
	}
	n, err := server.Write(greeting)
	if err != nil {
		p.log.failed(o.address(), err)
	}
	return int64(n), err
}

// splice passes bytes on between two connections until both directions have ended, nothing has moved for idle, or ctx
// is over. It closes both, and returns what went from a to b and from b to a.
func splice(ctx context.Context, a, b net.Conn, idle time.Duration) (aToB, bToA int64) {
	cut := func() {
		_ = a.Close()
		_ = b.Close()
	}
	defer context.AfterFunc(ctx, cut)()
	defer cut()
	// One timer for both directions: a long download is silent in the other one.
	quiet := time.AfterFunc(idle, cut)
	defer quiet.Stop()
	var up, down atomic.Int64
	var wg sync.WaitGroup
	pass := func(dst, src net.Conn, n *atomic.Int64) {
		buf := make([]byte, 32<<10)
		for {
			k, err := src.Read(buf)
			if k > 0 {
				quiet.Reset(idle)
				w, werr := dst.Write(buf[:k])
				n.Add(int64(w))
				if werr != nil {
					cut() // nobody takes it any more, so the other direction is of no use either
					return
				}
			}
			if err != nil {
				if closeWrite(dst) != nil {
					cut()
				}
				return
			}
		}
	}
	wg.Go(func() { pass(b, a, &up) })
	wg.Go(func() { pass(a, b, &down) })
	wg.Wait()
	return up.Load(), down.Load()
}

func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.New("connection cannot be half-closed")
}
