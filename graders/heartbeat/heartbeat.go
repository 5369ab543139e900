package heartbeat

import (
	"context"
	"sync"
	"time"

	"github.com/assay-run/assay/graders/wire"
	"github.com/assay-run/assay/internal/evidence"
)

// Monitor sends beats until it is stopped.
type Monitor struct {
	o      Options
	ledger *ledger
	pool   *wire.Pool
	cancel context.CancelFunc
	wg     sync.WaitGroup

	answered chan struct{} // closed at the first good answer

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
	m := &Monitor{o: o, ledger: newLedger(o), cancel: cancel, answered: make(chan struct{})}
	m.pool = wire.NewPool(o.Addr, o.MaxInFlight, m.beat)
	m.wg.Go(func() { // whoever waits for an answer is woken by the end of its connection
		<-ctx.Done()
		m.pool.Close()
	})
	m.wg.Go(func() { m.run(ctx) })
	return m, nil
}

// Stop ends the beats, at the end of the process, and returns what was measured. It is idempotent.
func (m *Monitor) Stop() (evidence.Heartbeat, evidence.Series) {
	m.stop.Do(func() {
		end := m.now()
		m.cancel()
		m.wait()
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

// wait returns when all goroutines have ended. The schedule ends first: it is what gives the pool its work.
func (m *Monitor) wait() {
	m.wg.Wait()
	m.pool.Wait()
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
		if !wire.SleepUntil(ctx, m.o.Start.Add(m.ledger.due(i))) {
			return
		}
		m.ledger.open(i, m.now())
		m.pool.Dispatch(ctx, i)
	}
}

// knock tries one request at a time, on schedule, until the program gives its first good answer. It returns the number
// of the first beat after that, or false when ctx ended.
func (m *Monitor) knock(ctx context.Context) (next int, ok bool) {
	for i := m.ledger.number(m.now()); ; i = max(i+1, m.ledger.number(m.now())) {
		if !wire.SleepUntil(ctx, m.o.Start.Add(m.ledger.due(i))) {
			return 0, false
		}
		c, err := m.pool.Connect(ctx)
		if err != nil {
			continue // not listening yet
		}
		a, c, out := m.ask(c, i)
		if out != good && ctx.Err() == nil {
			m.ledger.countFailed()
		}
		m.pool.Adopt(c)
		if out == good {
			next = m.ledger.knocked(a.Got.Sub(m.o.Start))
			close(m.answered)
			return next, true
		}
	}
}

// beat does one beat and returns the connection for the next one, or nil.
func (m *Monitor) beat(ctx context.Context, c *wire.Conn, i int) *wire.Conn {
	for reused := c != nil; ; reused = false {
		var err error
		out := broken
		var a Answer
		if c == nil {
			c, err = m.pool.Connect(ctx)
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
func (m *Monitor) ask(c *wire.Conn, i int) (Answer, *wire.Conn, outcome) {
	m.ledger.countSent()
	got, keep, err := c.Ask(m.o.Request(i))
	a := Answer{Beat: i, Status: got.Status, Body: got.Body, Sent: got.Sent, Got: got.Got}
	if err != nil || !keep {
		m.pool.Discard(c)
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
