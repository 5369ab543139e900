package exportstream

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/assay-run/assay/graders/loopback"
	"github.com/assay-run/assay/graders/readers"
	"github.com/assay-run/assay/graders/rowsource"
)

// stream is one export from both ends.
type stream struct {
	spec    spec
	source  *rowsource.Stream
	checker *checker
	account *readers.Account // nil until it has ended
	ended   atomic.Bool
	counted *atomic.Int64 // what it has taken is added here, in bytes of the source; nil for nowhere

	local atomic.Pointer[netip.AddrPort] // the client's end of its connection

	peak, peakAt int64 // of what was held; guarded by the driver's lock
}

// Take implements readers.Verifier.
func (s *stream) Take(status int, chunk []byte) {
	before := s.checker.Source()
	s.checker.Take(status, chunk)
	if s.counted != nil {
		s.counted.Add(s.checker.Source() - before)
	}
}

// Connected implements readers.Connected.
func (s *stream) Connected(local netip.AddrPort) { s.local.Store(&local) }

// newStream makes both ends of an export.
func (d *driver) newStream(s spec) *stream {
	x := d.extract(&s)
	plan := rowsource.Plan{HoldHead: s.Hold, Status: s.Status, Fail: s.Fail, Cut: s.Chop.cut()}
	if s.Fail != rowsource.NoFailure {
		plan.FailAt = x.sourceBytes(s.FailRows) + s.FailBytes
		plan.FailPause = failPause
	}
	if s.Chop != chopNone {
		plan.Pause = pieceEvery
	}
	return &stream{
		spec: s, checker: newChecker(x, s.Format),
		source: &rowsource.Stream{Plan: plan, Feed: func() rowsource.Feed { return &feed{extract: x, bare: s.Bare, change: s.change()} }},
	}
}

const (
	// failPause is how long a source that fails has been silent before: what came until then is on its way.
	failPause = 150 * time.Millisecond
	// pieceEvery is the time between pieces: each is read by itself.
	pieceEvery = 700 * time.Microsecond
)

func (d *driver) extract(s *spec) extract {
	return newExtract(d.tables[s.Flavour], d.params.Seed, s.Rows)
}

// ask makes a stream known to the source, and to those who look.
func (d *driver) ask(s spec) *stream {
	st := d.newStream(s)
	d.source.Add(s.Rows, st.source)
	d.mu.Lock()
	d.streams = append(d.streams, st)
	d.mu.Unlock()
	return st
}

const (
	// askedWithin is how long a client that hangs up after a time waits until its source has been asked for the first time. A service that is
	// busy with others may not have turned to it yet; hung up then, it would have nothing to close.
	askedWithin = 5 * time.Second
	// askedEvery is how often it looks.
	askedEvery = 5 * time.Millisecond
)

// leaving is the script of a client that hangs up after a time, with that time counted from when its source was asked. What it returns must be
// called in the end.
func (s *stream) leaving(ctx context.Context) (context.Context, readers.Script, func()) {
	script := s.spec.Script
	if s.spec.Group != groupLeaving || script.AbortAfter > 0 {
		return ctx, script, func() {}
	}
	after := script.AbortAt
	script.AbortAt += askedWithin
	ctx, hangUp := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		until := time.Now().Add(askedWithin)
		for !s.source.Asked() && time.Now().Before(until) && loopback.Pause(ctx, askedEvery) {
		}
		loopback.Pause(ctx, after)
		hangUp()
	}()
	return ctx, script, func() { hangUp(); <-done }
}

// read is the client's side, from the request to the end.
func (s *stream) read(ctx context.Context, d *driver) {
	ctx, script, done := s.leaving(ctx)
	defer done()
	a, err := readers.Read(ctx, d.svc.Addr, request(d.svc.Addr, s.spec.path()), script, s, d.epoch)
	if err != nil {
		a = &readers.Account{End: readers.Refused} // our own scripts are right
	}
	if a.End == readers.Refused {
		d.svc.Gone() // so that nothing more is asked of a process that has ended
	}
	d.mu.Lock()
	s.account = a
	d.mu.Unlock()
	s.ended.Store(true)
	d.done.Add(1)
	d.tell()
}

// look returns what the submission itself holds of it, in bytes of the source, and keeps the most. ok is false when one of its
// connections has just ended: what waited in the kernel cannot be told any more. It is for who has the driver's lock.
func (s *stream) look(d *driver, at int64) (held int64, ok bool) {
	// The client's side first: what is on its way meanwhile counts as held.
	given := s.checker.Source()
	if local := s.local.Load(); local != nil {
		ours, found := d.queue(*local, d.addr)
		theirs, also := d.queue(d.addr, *local)
		if !found || !also {
			return 0, false
		}
		given += int64(float64(ours.Unread+theirs.Unsent) * s.checker.rate)
	}
	taken := s.source.Taken()
	for _, e := range s.source.Open() {
		q, found := d.queue(e.Theirs, e.Ours)
		if !found {
			return 0, false
		}
		taken -= q.Unread
	}
	held = max(taken-given, 0)
	if held > s.peak {
		s.peak, s.peakAt = held, at
	}
	return held, true
}

// open says that its client has left, and its source has not been closed.
func (s *stream) open() bool {
	if s.account == nil || s.account.End != readers.Left {
		return false
	}
	for _, c := range s.source.Account().Conns {
		if c.ClosedNs < 0 && c.DoneNs < 0 && c.FailedNs < 0 {
			return true
		}
	}
	return false
}

// result is what became of it.
func (s *stream) result() *result {
	r := &result{Rows: s.spec.Rows, Source: s.source.Account(), PeakHeld: s.peak, PeakAtNs: s.peakAt, GivenBytes: s.checker.Source()}
	if s.account != nil { // it has been read to some end, so nobody uses its checker any more
		r.Client, r.Wrong, r.Whole = s.account, s.checker.wrong, s.checker.whole()
	}
	return r
}

// path is what a client asks for.
func (s *spec) path() string { return fmt.Sprintf("/export?rows=%d&format=%s", s.Rows, s.Format) }

// request is the bytes of a request for anything.
func request(addr, path string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: " + addr + "\r\nAccept: */*\r\n\r\n")
}

// cut is how a source cuts what it sends.
func (c chop) cut() func() func([]byte) int {
	switch c {
	case chopBytes:
		return func() func([]byte) int { return func([]byte) int { return 1 } }
	case chopPieces:
		return piecesInsideRunes
	case chopNone:
	}
	return nil
}

// piecesInsideRunes are small pieces, which end inside a character where there is one that can be split.
func piecesInsideRunes() func([]byte) int {
	rng := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // any sizes will do
	return func(next []byte) int {
		n := 1 + rng.IntN(60)
		for more := range 60 {
			if insideRune(next, n+more) {
				return n + more
			}
		}
		return n
	}
}

// nonsenseBlock is where a line becomes nonsense.
const nonsenseBlock = 20

// change is what the source does to its rows.
func (s *spec) change() func(int64, []byte) []byte {
	if !s.Nonsense {
		return nil
	}
	return func(number int64, b []byte) []byte {
		if number == nonsenseBlock {
			copy(b, `<br/>`)
		}
		return b
	}
}
