package upstream

import (
	"fmt"
	"io"
	"log"
	"net"
	"sync"
)

// connKey is where a request's context has its connection.
type connKey struct{}

// listener numbers connections, and knows which are open.
type listener struct {
	net.Listener
	s *Server
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, fmt.Errorf("accept: %w", err)
		}
		if c := l.s.admit(nc); c != nil {
			return c, nil
		}
		reset(nc)
	}
}

// conn is a connection of a client.
type conn struct {
	net.Conn
	s      *Server
	number int
	record int // in the log
	once   sync.Once
}

// admit registers a connection, nil when there are too many, or when the upstream has just gone down.
func (s *Server) admit(nc net.Conn) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil
	}
	s.accepts++
	full := len(s.conns) >= s.o.MaxConns
	c := &conn{Conn: nc, s: s, number: s.accepts, record: s.o.Log.opened(s.o.Name, s.accepts, full)}
	if full {
		return nil
	}
	s.conns[c] = struct{}{}
	return c
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.once.Do(func() {
		c.s.mu.Lock()
		delete(c.s.conns, c)
		c.s.mu.Unlock()
		c.s.o.Log.closed(c.record)
	})
	return c.Conn.Close()
}

// reset closes a connection with RST instead of FIN. Errors mean that it is gone already.
func reset(nc net.Conn) {
	if c, ok := nc.(*conn); ok {
		reset(c.Conn)
		_ = c.Close()
		return
	}
	if tcp, ok := nc.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = nc.Close()
}

// resetAll resets every connection that is open.
func (s *Server) resetAll() {
	s.mu.Lock()
	list := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		list = append(list, c)
	}
	s.mu.Unlock()
	for _, c := range list {
		reset(c)
	}
}

// nobody is who wants to know of clients that go away in the middle of things.
func nobody() *log.Logger { return log.New(io.Discard, "", 0) }
