package rowsource

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	// maxConns bounds the connections at a time; one too many is closed.
	maxConns = 1024
	// requestLimit bounds the head of a request, requestWithin the time it may take.
	requestLimit  = 16 << 10
	requestWithin = 10 * time.Second
	// sendBuffer is that of a connection; the kernel doubles it.
	sendBuffer = 64 << 10
	path       = "/rows"
)

// Server serves streams by number.
type Server struct {
	listener net.Listener
	query    string
	epoch    time.Time

	mu      sync.Mutex
	streams map[int64]*Stream
	open    map[*conn]struct{}
	closed  bool
	wg      sync.WaitGroup
}

// Listen starts a server on a free port of 127.0.0.1. query is the parameter that holds a stream's number; times are counted from
// epoch. Close must be called.
func Listen(query string, epoch time.Time) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen as source: %w", err)
	}
	s := &Server{listener: l, query: query, epoch: epoch, streams: map[int64]*Stream{}, open: map[*conn]struct{}{}}
	s.wg.Go(s.accept)
	return s, nil
}

// URL is where a submission asks for rows.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() + path }

// Add makes a stream known.
func (s *Server) Add(number int64, st *Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams[number] = st
}

// StopListening refuses connections from now on. Those that there are go on.
func (s *Server) StopListening() { _ = s.listener.Close() }

// Close ends every connection and waits until nothing of the server is left. It is idempotent.
func (s *Server) Close() {
	s.StopListening()
	s.mu.Lock()
	s.closed = true
	for c := range s.open {
		_ = c.nc.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

func (s *Server) accept() {
	for {
		nc, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // out of files: it passes
			continue
		}
		c := newConn(nc, s.epoch)
		s.mu.Lock()
		if s.closed || len(s.open) >= maxConns {
			s.mu.Unlock()
			_ = nc.Close()
			continue
		}
		s.open[c] = struct{}{}
		s.wg.Go(func() { s.serve(c) })
		s.mu.Unlock()
	}
}

// serve answers the one request of a connection.
func (s *Server) serve(c *conn) {
	defer func() {
		_ = c.nc.Close()
		s.mu.Lock()
		delete(s.open, c)
		s.mu.Unlock()
	}()
	_ = c.nc.SetReadDeadline(time.Now().Add(requestWithin))
	in := bufio.NewReaderSize(io.LimitReader(c.nc, requestLimit), 4<<10)
	req, err := http.ReadRequest(in)
	if err != nil {
		return
	}
	_ = c.nc.SetReadDeadline(time.Time{})
	st, status := s.find(req)
	if st == nil {
		_ = c.refuse(status)
		return
	}
	c.open()
	st.join(c)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var watching sync.WaitGroup
	watching.Go(func() {
		c.watch()
		cancel()
	})
	c.send(ctx, st)
	_ = c.nc.Close()
	watching.Wait()
}

// find returns the stream that a request asks for, or the status that it gets instead.
func (s *Server) find(req *http.Request) (*Stream, int) {
	switch {
	case req.URL.Path != path:
		return nil, http.StatusNotFound
	case req.Method != http.MethodGet:
		return nil, http.StatusMethodNotAllowed
	}
	n, err := strconv.ParseInt(req.URL.Query().Get(s.query), 10, 64)
	if err != nil {
		return nil, http.StatusBadRequest
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.streams[n]; st != nil {
		return st, 0
	}
	return nil, http.StatusNotFound
}
