// Package broker is a message broker for submissions that consume from one: an HTTP server of the driver's that leases messages, takes
// acknowledgements, and does what brokers do to their consumers: it gives messages out twice, ends leases early, and fails.
//
//	GET  /lease?max=10&waitMs=5000     → 200 [{"id", "key", "n", "body", "receipt", "attempt"}, …], at most 100, after waitMs at the latest
//	POST /ack    {"receipts": ["…"]}   → 200 {"expired": ["…"]}: those whose lease had ended; they count for nothing
//	POST /extend {"receipts": ["…"]}   → 200 {"expired": ["…"]}: all others are leased anew from now on
//	POST /dead   {"receipt": "…", "reason": "…"} → 200 {"expired": […]}
//
// What it saw is evidence: each message has a record, times are monotonic.
package broker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/netutil"
)

const (
	tickEvery   = 10 * time.Millisecond
	maxRequests = 256 // at the same time
	maxConns    = 512 // more wait until one of these is closed
	maxEvents   = 16384
)

// Options say how a broker behaves. Visibility must be set.
type Options struct {
	Seed       uint64
	Visibility time.Duration // how long a lease lasts
	// Away is how long a request takes to get here. A loopback has next to none of that, and then the pace of a consumer that asks for one
	// message after another is that of the machine.
	Away time.Duration
	// Errors is the share of requests that are answered by 500. Half of those that change something have done so all the same.
	Errors float64
	// Early is the share of leases that end early, after EarlyFrom to EarlyTo.
	Early              float64
	EarlyFrom, EarlyTo time.Duration
	// Duplicates is the share of messages that are given out twice, the second time up to DuplicateWithin after they were published.
	Duplicates      float64
	DuplicateWithin time.Duration
	// Epoch is what times are counted from; the moment of Listen unless set.
	Epoch time.Time
}

// Event is a line of the log.
type Event struct {
	AtNs int64  `json:"atNs"`
	Kind string `json:"kind"` // "lease", "ack", "extend", "dead", "expired", "early", "copy", "error", "caught"
	N    int    `json:"n"`    // of messages
}

// Counts are what has happened so far.
type Counts struct {
	Leases     int `json:"leases"` // requests
	Empty      int `json:"empty"`  // of them, those that got nothing
	Deliveries int `json:"deliveries"`
	Acks       int `json:"acks"` // requests
	Acked      int `json:"acked"`
	Extended   int `json:"extended"`
	Dead       int `json:"dead"`
	Expired    int `json:"expired"` // leases that ended by time
	Late       int `json:"late"`    // receipts that came after the end of their lease
	Errors     int `json:"errors"`  // answers by 500
	Copies     int `json:"copies"`
	Bad        int `json:"bad"` // requests that make no sense, or are too many at once
	LeasedMax  int `json:"leasedMax"`
}

// Broker is a broker that listens on a port of the loopback. Close it.
type Broker struct {
	o      Options
	addr   string
	server *http.Server
	ctx    context.Context //nolint:containedctx // the broker's: one value lives from Listen to Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	q       *queue
	rng     *rand.Rand
	changed chan struct{} // closed and made anew when there is something to give out
	copies  []dueCopy     // ascending
	counts  Counts
	events  []Event
	dropped int
	now     int     // requests at the moment
	catch   *caught // nil when acks go on
}

type dueCopy struct {
	at time.Time
	id string
}

// pickyFor is how long CatchAck waits for an ack of many messages.
const pickyFor = time.Second

type caught struct {
	apply  bool
	least  int
	since  time.Time
	came   bool
	done   chan struct{} // closed when it came
	frozen chan struct{} // closed when acks go on
}

// takes says whether an ack is to be kept.
func (c *caught) takes(n int) bool {
	return c != nil && (c.came || n >= c.least || time.Since(c.since) > pickyFor)
}

// Listen starts a broker.
func Listen(o Options) (*Broker, error) {
	if o.Visibility <= 0 {
		return nil, errors.New("start broker: Visibility is not set")
	}
	if o.Epoch.IsZero() {
		o.Epoch = time.Now()
	}
	ctx, cancel := context.WithCancel(context.Background())
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		cancel()
		return nil, fmt.Errorf("start broker: %w", err)
	}
	b := &Broker{
		o: o, addr: l.Addr().String(), ctx: ctx, cancel: cancel, q: newQueue(), rng: rand.New(rand.NewPCG(o.Seed, 0x62726f6b6572)),
		changed: make(chan struct{}),
	}
	b.server = &http.Server{
		Handler: b.handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 20 * time.Second, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	b.wg.Go(func() { _ = b.server.Serve(netutil.LimitListener(l, maxConns)) }) // it ends when it is closed
	b.wg.Go(b.tick)
	return b, nil
}

// URL is what the submission gets as QUEUE_URL.
func (b *Broker) URL() string { return "http://" + b.addr }

// Close ends every request and waits until nothing of the broker is left.
func (b *Broker) Close() error {
	b.cancel()
	err := b.server.Close()
	b.wg.Wait()
	if err != nil {
		return fmt.Errorf("close broker: %w", err)
	}
	return nil
}

// Publish puts messages in.
func (b *Broker) Publish(list ...Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	for _, m := range list {
		if err := b.q.publish(m, now.Sub(b.o.Epoch)); err != nil {
			return err
		}
		if b.o.Duplicates > 0 && b.rng.Float64() < b.o.Duplicates {
			c := dueCopy{at: now.Add(time.Duration(b.rng.Float64() * float64(b.o.DuplicateWithin))), id: m.ID}
			i, _ := slices.BinarySearchFunc(b.copies, c, func(x, y dueCopy) int { return x.at.Compare(y.at) })
			b.copies = slices.Insert(b.copies, i, c)
		}
	}
	b.wake()
	return nil
}

// Calm ends all faults: from now on nothing is given out twice, fails, or is taken back early.
func (b *Broker) Calm() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.o.Errors, b.o.Early, b.o.Duplicates, b.copies = 0, 0, 0, nil
}

// CatchAck waits for the next ack of at least so many messages, or after a second of any. It is carried out, or not, and in either case not
// answered; so are all that follow before Thaw. The channel is closed when it has come.
func (b *Broker) CatchAck(apply bool, least int) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.catch = &caught{apply: apply, least: least, since: time.Now(), done: make(chan struct{}), frozen: make(chan struct{})}
	return b.catch.done
}

// Thaw lets acks go on. Requests that were kept waiting fail.
func (b *Broker) Thaw() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.catch != nil {
		close(b.catch.frozen)
		b.catch = nil
	}
}

// Leased are the ids of the messages that are leased at the moment.
func (b *Broker) Leased() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	ids := make([]string, 0, len(b.q.leases))
	for _, l := range b.q.leases {
		ids = append(ids, l.record.ID)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Open is how many messages are neither acked nor dead.
func (b *Broker) Open() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.q.open
}

// Counts are what has happened so far.
func (b *Broker) Counts() Counts {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.counts
}

// Events are the log in order of time, and how many lines found no room in it.
func (b *Broker) Events() (events []Event, dropped int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.events), b.dropped
}

// Records say what became of each message, in the order in which they were published.
func (b *Broker) Records() []Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]Record, 0, len(b.q.order))
	for _, r := range b.q.order {
		list = append(list, *r)
	}
	return list
}

// tick lets time pass: leases end, copies come.
func (b *Broker) tick() {
	t := time.NewTicker(tickEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-b.ctx.Done():
			return
		}
		b.mu.Lock()
		b.pass(time.Now())
		b.mu.Unlock()
	}
}

// pass does what is due. The caller holds the lock.
func (b *Broker) pass(now time.Time) {
	due := 0
	for due < len(b.copies) && !b.copies[due].at.After(now) {
		b.q.duplicate(b.copies[due].id)
		due++
	}
	b.copies = b.copies[due:]
	if due > 0 {
		b.counts.Copies += due
		b.log("copy", due)
	}
	if n := b.q.expire(now); n > 0 {
		b.counts.Expired += n
		b.log("expired", n)
		due += n
	}
	if due > 0 {
		b.wake()
	}
}

// wake lets everybody look who waits for messages. The caller holds the lock.
func (b *Broker) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// log notes an event. The caller holds the lock.
func (b *Broker) log(kind string, n int) {
	if len(b.events) >= maxEvents {
		b.dropped++
		return
	}
	b.events = append(b.events, Event{AtNs: int64(time.Since(b.o.Epoch)), Kind: kind, N: n})
}
