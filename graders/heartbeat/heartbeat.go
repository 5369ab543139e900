package heartbeat

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/assay-run/assay/internal/evidence"
)

// Monitor sends beats until it is stopped.
type Monitor struct {
	o      Options
	ledger *ledger
	cancel context.CancelFunc
	wg     sync.WaitGroup

	answered chan struct{} // closed at the first good answer

	mu      sync.Mutex
	open    map[*conn]struct{} // every connection, to be closed at the end
	idle    []*conn            // the last used one is used next: the others may then be closed by the server in peace
	live    int                // connections and attempts to connect
	waiting []int              // beats that are due, while all connections are busy
	closed  bool

	stop   sync.Once
	end    time.Duration
	result evidence.Heartbeat
	curve  evidence.Series
}

// Start begins to send beats. They end with Stop, which must be called, or with ctx.
func Start(ctx context.Context, o Options) (*Monitor, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	m := &Monitor{o: o, ledger: newLedger(o), cancel: cancel, open: map[*conn]struct{}{}, answered: make(chan struct{})}
	m.wg.Go(func() { // whoever waits for an answer is woken by the end of its connection
		<-ctx.Done()
		m.closeAll()
	})
	m.wg.Go(func() { m.run(ctx) })
	return m, nil
}

// Stop ends the beats, at the end of the process, and returns what was measured. It is idempotent.
func (m *Monitor) Stop() (evidence.Heartbeat, evidence.Series) {
	m.stop.Do(func() {
		end := m.now()
		m.cancel()
		m.wg.Wait()
		if m.o.Stolen != nil {
			m.ledger.steal(m.o.Stolen(), m.o.Start)
		}
		if m.o.Began != nil {
			m.ledger.began = func(after, at, until time.Duration) (time.Duration, bool) {
				t, ok := m.o.Began(m.o.Start.Add(after), m.o.Start.Add(at), m.o.Start.Add(until))
				return t.Sub(m.o.Start), ok
			}
		}
		m.result, m.curve = m.ledger.close(end)
		m.result.Target = m.o.Target
		m.end = end
	})
	return m.result, m.curve
}

// Answered waits for the first good answer and returns when it came; ok is false when none came in time or ctx ended.
func (m *Monitor) Answered(ctx context.Context, within time.Duration) (at time.Time, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	select {
	case <-m.answered:
		return m.o.Start.Add(m.ledger.firstAnswer()), true
	case <-ctx.Done():
		return time.Time{}, false
	}
}

// Window is what Stop returned, but of the beats that were due between two moments only: the time in which a submission was
// given its work. Counts of requests (Sent, Failed) are those of all. It calls Stop.
func (m *Monitor) Window(from, to time.Time) evidence.Heartbeat {
	m.Stop()
	hb := m.ledger.window(from.Sub(m.o.Start), to.Sub(m.o.Start), m.end)
	hb.Target = m.o.Target
	return hb
}

// now is the time since the start of the process.
func (m *Monitor) now() time.Duration { return time.Since(m.o.Start) }

func (m *Monitor) run(ctx context.Context) {
	next, ok := m.knock(ctx)
	for i := next; ok && i < m.o.MaxBeats; i++ {
		if !sleepUntil(ctx, m.o.Start.Add(m.ledger.due(i))) {
			return
		}
		m.ledger.open(i, m.now())
		m.dispatch(ctx, i)
	}
}

// knock tries one request at a time, on schedule, until the program gives its first good answer. It returns the number
// of the first beat after that, or false when ctx ended.
func (m *Monitor) knock(ctx context.Context) (next int, ok bool) {
	for i := m.ledger.number(m.now()); ; i = max(i+1, m.ledger.number(m.now())) {
		if !sleepUntil(ctx, m.o.Start.Add(m.ledger.due(i))) {
			return 0, false
		}
		c, err := m.connect(ctx)
		if err != nil {
			continue // not listening yet
		}
		a, c, out := m.ask(c, i)
		if out != good && ctx.Err() == nil {
			m.ledger.countFailed()
		}
		m.mu.Lock()
		m.live++
		m.release(c)
		m.mu.Unlock()
		if out == good {
			next = m.ledger.knocked(a.Got.Sub(m.o.Start))
			close(m.answered)
			return next, true
		}
	}
}

// dispatch gives a beat to an idle connection, or to a new one, or lets it wait.
func (m *Monitor) dispatch(ctx context.Context, i int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var c *conn
	switch n := len(m.idle); {
	case n > 0:
		c = m.idle[n-1]
		m.idle = m.idle[:n-1]
	case m.live < m.o.MaxInFlight:
		m.live++
	default:
		m.waiting = append(m.waiting, i) // bounded by MaxBeats
		return
	}
	m.wg.Go(func() { m.serve(ctx, c, i) })
}

// serve does beat i, then others that wait, over one connection.
func (m *Monitor) serve(ctx context.Context, c *conn, i int) {
	for more := true; more; {
		c = m.beat(ctx, c, i)
		m.mu.Lock()
		if more = len(m.waiting) > 0 && ctx.Err() == nil; more {
			i, m.waiting = m.waiting[0], m.waiting[1:]
		} else {
			m.release(c)
		}
		m.mu.Unlock()
	}
}

// release puts a connection back, or its permission when it is gone. The caller holds mu.
func (m *Monitor) release(c *conn) {
	if c == nil {
		m.live--
		return
	}
	m.idle = append(m.idle, c)
}

// beat does one beat and returns the connection for the next one, or nil.
func (m *Monitor) beat(ctx context.Context, c *conn, i int) *conn {
	for reused := c != nil; ; reused = false {
		var err error
		out := broken
		var a Answer
		if c == nil {
			c, err = m.connect(ctx)
		}
		if err == nil {
			a, c, out = m.ask(c, i)
		}
		switch {
		case out == good:
			m.ledger.answer(i, a.Got.Sub(m.o.Start))
			return c
		case ctx.Err() != nil: // our own end broke it
			return c
		case out == broken && reused:
			// The server may close a connection that was idle for a while just when it is used again: that is no fault.
			continue
		}
		m.ledger.fail(i)
		return c
	}
}

// outcome is how a try ended.
type outcome int

const (
	broken outcome = iota // no complete answer
	wrong                 // an answer, but not the one that Check wants
	good
)

// ask does the request of beat i. The connection comes back when it can be used again; otherwise it has been closed.
func (m *Monitor) ask(c *conn, i int) (Answer, *conn, outcome) {
	m.ledger.countSent()
	a, keep, err := c.ask(m.o.Request(i))
	a.Beat = i
	if err != nil || !keep {
		m.discard(c)
		c = nil
	}
	switch {
	case err != nil:
		return a, c, broken
	case !m.o.Check(a):
		return a, c, wrong
	}
	return a, c, good
}

var errClosed = errors.New("heartbeat has ended")

// connect opens a connection and registers it.
func (m *Monitor) connect(ctx context.Context) (*conn, error) {
	c, err := dial(ctx, m.o.Addr)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, errors.Join(errClosed, c.nc.Close())
	}
	m.open[c] = struct{}{}
	return c, nil
}

// discard closes a connection. Its error means nothing: nobody waits for what was written.
func (m *Monitor) discard(c *conn) {
	_ = c.nc.Close()
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.open, c)
}

// closeAll closes every connection, and refuses new ones.
func (m *Monitor) closeAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	for c := range m.open {
		_ = c.nc.Close()
	}
	clear(m.open)
}

// restFor is the end of a wait that is slept through precisely, and without looking at ctx.
const restFor = 1500 * time.Microsecond

// sleepUntil returns false when ctx ended first.
func sleepUntil(ctx context.Context, at time.Time) bool {
	if d := time.Until(at) - restFor; d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return false
		}
	}
	for d := time.Until(at); d > 0 && ctx.Err() == nil; d = time.Until(at) {
		rest(d)
	}
	return ctx.Err() == nil
}
