package wire

import (
	"context"
	"errors"
	"sync"
)

// errClosed means that the pool has ended.
var errClosed = errors.New("connection pool has ended")

// Pool hands numbered jobs to connections: to an idle one, or to a new one, or, when all are busy, to whichever is free first. Jobs that
// wait keep their order.
type Pool struct {
	addr string
	most int
	work func(ctx context.Context, c *Conn, job int) *Conn

	wg      sync.WaitGroup
	mu      sync.Mutex
	open    map[*Conn]struct{} // every connection, to be closed at the end
	idle    []*Conn            // the last used one is used next: the others may then be closed by the server in peace
	live    int                // connections and attempts to connect
	waiting []int              // jobs that are due, while all connections are busy
	closed  bool
}

// NewPool returns a pool of at most that many connections to an address. work does one job; its connection is nil when there is none
// yet, and it returns the one to go on with, or nil. It is called from several goroutines.
func NewPool(addr string, most int, work func(ctx context.Context, c *Conn, job int) *Conn) *Pool {
	return &Pool{addr: addr, most: most, work: work, open: map[*Conn]struct{}{}}
}

// Dispatch has a job done without waiting for it. What waits is bounded by the number of jobs that the caller dispatches.
func (p *Pool) Dispatch(ctx context.Context, job int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var c *Conn
	switch n := len(p.idle); {
	case n > 0:
		c = p.idle[n-1]
		p.idle = p.idle[:n-1]
	case p.live < p.most:
		p.live++
	default:
		p.waiting = append(p.waiting, job)
		return
	}
	p.wg.Go(func() { p.serve(ctx, c, job) })
}

// serve does a job, then others that wait, over one connection.
func (p *Pool) serve(ctx context.Context, c *Conn, job int) {
	for more := true; more; {
		c = p.work(ctx, c, job)
		p.mu.Lock()
		if more = len(p.waiting) > 0 && ctx.Err() == nil; more {
			job, p.waiting = p.waiting[0], p.waiting[1:]
		} else {
			p.release(c)
		}
		p.mu.Unlock()
	}
}

// release puts a connection back, or its permission when it is gone. The caller holds mu.
func (p *Pool) release(c *Conn) {
	if c == nil {
		p.live--
		return
	}
	p.idle = append(p.idle, c)
}

// Adopt takes a connection, made by Connect outside of a job, for jobs to come. nil is none.
func (p *Pool) Adopt(c *Conn) {
	if c == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.live++
	p.release(c)
}

// Connect opens a connection and registers it, so that Close closes it too.
func (p *Pool) Connect(ctx context.Context) (*Conn, error) {
	c, err := Dial(ctx, p.addr)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errors.Join(errClosed, c.Close())
	}
	p.open[c] = struct{}{}
	return c, nil
}

// Discard closes a connection. Its error means nothing: nobody waits for what was written.
func (p *Pool) Discard(c *Conn) {
	_ = c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
}

// Close closes every connection, and refuses new ones. Whoever waits for an answer is woken.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for c := range p.open {
		_ = c.Close()
	}
	clear(p.open)
}

// Wait returns when no job is being done any more.
func (p *Pool) Wait() { p.wg.Wait() }
