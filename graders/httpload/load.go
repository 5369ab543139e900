package httpload

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/assay-run/assay/graders/latency"
	"github.com/assay-run/assay/graders/loopback"
	"github.com/assay-run/assay/graders/wire"
)

// Run sends the whole schedule and returns when every request has been answered, or has failed, or ctx has ended. What became of requests
// is never an error; only wrong options are.
func Run(ctx context.Context, o Options) (*Result, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	due := o.Schedule.Due()
	l := &load{o: o, records: make([]Record, len(due))}
	for i, at := range due {
		l.records[i] = Record{Intended: at, Sent: -1, Got: -1, Outcome: Cut}
	}
	l.pool = wire.NewPool(o.Addr, o.MaxInFlight, l.do)
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(ctx, l.pool.Close) // whoever waits for an answer is woken by the end of its connection
	defer stop()
	l.send(ctx)
	l.pool.Wait()
	end := l.now()
	cancel()
	l.pool.Close()
	return l.result(end), nil
}

// load is the state of one Run. Each record is written by the one goroutine that does the request.
type load struct {
	o       Options
	pool    *wire.Pool
	records []Record
	pauses  latency.Pauses
}

// now is the time since the start of the schedule.
func (l *load) now() time.Duration { return time.Since(l.o.Start) }

// send has each request done when it is due.
func (l *load) send(ctx context.Context) {
	for i := range l.records {
		due := l.records[i].Intended
		if !wire.SleepUntil(ctx, l.o.Start.Add(due)) {
			return
		}
		l.pauses.Late(due, l.now())
		l.pool.Dispatch(ctx, i)
	}
}

// do does one request and returns the connection for the next one, or nil.
func (l *load) do(ctx context.Context, c *wire.Conn, i int) *wire.Conn {
	r := &l.records[i]
	request := l.o.Request(i)
	text := request.bytes(l.o.Addr)
	deadline := time.Now().Add(l.o.Timeout)
	for {
		reused := c != nil
		if !reused {
			var err error
			if c, err = l.connect(ctx, deadline); err != nil {
				l.failed(ctx, r, Refused, err)
				return nil
			}
		}
		a, keep, err := l.ask(c, text, deadline)
		if !a.Sent.IsZero() {
			r.Sent = a.Sent.Sub(l.o.Start)
			r.Tries++
		}
		if err != nil || !keep {
			l.pool.Discard(c)
			c = nil
		}
		// The server may close a connection that was idle for a while just when it is used again: that is no fault. What had been written
		// may have been done, though, so it is written again only where that does no harm.
		again := reused && !errors.Is(err, os.ErrDeadlineExceeded) && (errors.Is(err, wire.ErrUnasked) || request.idempotent())
		switch {
		case err != nil && ctx.Err() == nil && again:
			continue
		case err != nil:
			l.failed(ctx, r, Broken, err)
			return nil
		}
		r.Status, r.Got, r.Outcome = a.Status, a.Got.Sub(l.o.Start), Good
		if !l.o.Check(i, a) {
			r.Outcome = Wrong
		}
		return c
	}
}

func (l *load) connect(ctx context.Context, deadline time.Time) (*wire.Conn, error) {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	return l.pool.Connect(ctx)
}

func (l *load) ask(c *wire.Conn, text []byte, deadline time.Time) (wire.Answer, bool, error) {
	if err := c.SetDeadline(deadline); err != nil {
		return wire.Answer{}, false, err
	}
	return c.Ask(text)
}

// failed records a request that got no answer. otherwise is what to call it when nothing says more.
func (l *load) failed(ctx context.Context, r *Record, otherwise Outcome, err error) {
	r.Got, r.Outcome = l.now(), otherwise
	switch {
	case loopback.Ended(ctx):
		r.Outcome = Cut
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		r.Outcome = TimedOut
	case errors.Is(err, wire.ErrTooLarge):
		r.Outcome = TooLarge
	}
}
