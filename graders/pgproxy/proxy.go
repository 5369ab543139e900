// Package pgproxy stands between a submission and PostgreSQL, in the driver: it counts statements, connections and transactions, and can
// delay, stall, and cut connections at a commit.
//
// It reads the protocol and changes nothing in it, but for the first message: only one role and one database are let through. Encryption is
// refused, as a server without it does, and whatever the two say about passwords is passed on.
package pgproxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

const (
	maxSessions = 512
	maxEvents   = 8192
)

// Cut says what becomes of a commit.
type Cut int

// The cuts. After both the submission sees a connection that has ended, and cannot know which of them it was.
const (
	CutNot    Cut = iota
	CutBefore     // the server does not get it, and rolls back
	CutAfter      // the server has done it, its answer is lost
)

// Options say what a proxy does. Dial, User and Database must be set.
type Options struct {
	// Dial opens a connection to the server, for one of the submission's.
	Dial func(ctx context.Context) (net.Conn, error)
	// User and Database are the only ones that are let through.
	User, Database string
	// Cuts decides about each commit, counted from 1 over all connections; nil lets all pass. It may be called by several goroutines.
	Cuts func(commit int) Cut
	// Epoch is what times of the log are counted from; the moment of Listen unless set.
	Epoch time.Time
}

// Counts are what has gone through so far.
type Counts struct {
	Connections    int   `json:"connections"`    // made so far
	ConnectionsNow int   `json:"connectionsNow"` // open
	ConnectionsMax int   `json:"connectionsMax"` // most at one time
	Refused        int   `json:"refused"`        // because there were too many, by the server or by the proxy
	Queries        int64 `json:"queries"`        // Query messages (the simple protocol)
	Parses         int64 `json:"parses"`
	Binds          int64 `json:"binds"`
	Executes       int64 `json:"executes"`
	Commits        int64 `json:"commits"`   // explicit transactions that the server has committed
	Rollbacks      int64 `json:"rollbacks"` // and rolled back on demand
	Implicit       int64 `json:"implicit"`  // statements outside of a transaction that succeeded, each one of its own
	Errors         int64 `json:"errors"`    // answers of the server that are errors
	Cuts           int   `json:"cuts"`
}

// Statements is how often the server was asked to do something.
func (c Counts) Statements() int64 { return c.Queries + c.Executes }

// Event is a line of the log.
type Event struct {
	AtNs int64  `json:"atNs"` // since the epoch
	Conn int    `json:"conn"` // the connection, counted from 1; 0 for all
	Kind string `json:"kind"` // "open", "close", "refused", "commit", "cut before", "cut after", "stall"
}

// Proxy listens on a port of the loopback. Close it.
type Proxy struct {
	o        Options
	listener net.Listener
	ctx      context.Context //nolint:containedctx // the proxy's: one value lives from Listen to Close
	cancel   context.CancelFunc
	wg       sync.WaitGroup

	mu      sync.Mutex
	counts  Counts
	commits int
	events  []Event
	dropped int
	stalled time.Time // nothing passes before it
	delay   time.Duration
}

// Listen starts a proxy.
func Listen(o Options) (*Proxy, error) {
	var lc net.ListenConfig
	ctx, cancel := context.WithCancel(context.Background())
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		cancel()
		return nil, fmt.Errorf("listen for the submission's database connections: %w", err)
	}
	if o.Epoch.IsZero() {
		o.Epoch = time.Now()
	}
	p := &Proxy{o: o, listener: l, ctx: ctx, cancel: cancel}
	p.wg.Go(p.accept)
	return p, nil
}

// URL is what the submission gets as DATABASE_URL.
func (p *Proxy) URL() string {
	return "postgres://" + p.o.User + ":" + p.o.User + "@" + p.listener.Addr().String() + "/" + p.o.Database
}

// Stall lets nothing pass for so long, in either direction and also on connections that are made meanwhile.
func (p *Proxy) Stall(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalled = time.Now().Add(d)
	p.log(0, "stall")
}

// Delay keeps whatever the submission sends for so long, from now on.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Counts are what has gone through so far.
func (p *Proxy) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts
}

// Events are the log in order of time, and how many lines found no room in it.
func (p *Proxy) Events() (events []Event, dropped int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Event(nil), p.events...), p.dropped
}

// Close ends all connections and waits until nothing of the proxy is left.
func (p *Proxy) Close() error {
	p.cancel()
	err := p.listener.Close()
	p.wg.Wait()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close proxy: %w", err)
	}
	return nil
}

// log notes an event. The caller holds the lock.
func (p *Proxy) log(conn int, kind string) {
	if len(p.events) >= maxEvents {
		p.dropped++
		return
	}
	p.events = append(p.events, Event{AtNs: int64(time.Since(p.o.Epoch)), Conn: conn, Kind: kind})
}

// accept takes connections until the proxy is closed.
func (p *Proxy) accept() {
	for {
		nc, err := p.listener.Accept()
		if err != nil {
			return
		}
		id, ok := p.open()
		if !ok {
			_ = nc.Close()
			continue
		}
		p.wg.Go(func() {
			newSession(p, id, nc).serve()
			p.closed(id)
		})
	}
}

func (p *Proxy) open() (id int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.counts.ConnectionsNow >= maxSessions {
		p.counts.Refused++
		p.log(0, "refused")
		return 0, false
	}
	p.counts.Connections++
	p.counts.ConnectionsNow++
	p.counts.ConnectionsMax = max(p.counts.ConnectionsMax, p.counts.ConnectionsNow)
	p.log(p.counts.Connections, "open")
	return p.counts.Connections, true
}

func (p *Proxy) closed(id int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts.ConnectionsNow--
	p.log(id, "close")
}

// count changes the counts.
func (p *Proxy) count(change func(*Counts)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.counts)
}

// commit decides about the next commit.
func (p *Proxy) commit(id int) Cut {
	p.mu.Lock()
	p.commits++
	n := p.commits
	p.mu.Unlock()
	if p.o.Cuts == nil {
		return CutNot
	}
	cut := p.o.Cuts(n)
	if cut == CutNot {
		return cut
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts.Cuts++
	p.log(id, map[Cut]string{CutBefore: "cut before", CutAfter: "cut after"}[cut])
	return cut
}

// hold waits while the proxy is stalled; what comes from the submission also waits for the delay.
func (p *Proxy) hold(ctx context.Context, fromClient bool) {
	p.mu.Lock()
	until := p.stalled
	if fromClient && p.delay > 0 {
		if t := time.Now().Add(p.delay); t.After(until) {
			until = t
		}
	}
	p.mu.Unlock()
	for {
		wait := time.Until(until)
		if wait <= 0 || ctx.Err() != nil {
			return
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
		p.mu.Lock()
		if p.stalled.After(until) {
			until = p.stalled
		}
		p.mu.Unlock()
	}
}
