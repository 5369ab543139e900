package broker

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Message is what a producer has put into the queue.
type Message struct {
	ID   string          `json:"id"`
	Key  string          `json:"key"`
	N    int             `json:"n"` // ascending by key
	Body json.RawMessage `json:"body"`
}

// Delivery is a message that was given out.
type Delivery struct {
	Message
	Receipt string `json:"receipt"`
	Attempt int    `json:"attempt"` // from 1
}

// perKey is how many messages of one key an answer has at most.
const perKey = 20

// queue is the broker without time and network of its own. It is not safe for concurrent use.
//
// Messages of a key are given out in the order of n. While one of a key is leased, no other of that key is given out; several may be given
// out in one answer.
type queue struct {
	keys    map[string]*line
	ready   []*line // that have something to give out and nothing leased, in the order in which they came to that
	leases  map[string]*lease
	records map[string]*Record
	order   []*Record
	open    int // messages that are neither acked nor dead
	next    int // number of the last receipt
}

// line is what waits for one key.
type line struct {
	pending []*entry // ascending by n, an original before its copies
	leased  int
	queued  bool // is in ready
}

// entry is a message, or a copy of it, on its way.
type entry struct {
	record  *Record
	line    *line
	copy    bool
	attempt int
}

type lease struct {
	*entry
	until time.Time
}

// Record is what became of a message.
type Record struct {
	Message
	PublishedNs int64 // since the epoch
	AckedNs     int64 // of the first ack; -1 for none
	DeadNs      int64 // when it was put aside as a dead letter; -1 when it was not
	Deliveries  int   // of it and its copies
}

func newQueue() *queue {
	return &queue{keys: map[string]*line{}, leases: map[string]*lease{}, records: map[string]*Record{}}
}

// publish puts a message in. An id that is there already is refused.
func (q *queue) publish(m Message, at time.Duration) error {
	if q.records[m.ID] != nil {
		return fmt.Errorf("publish: there is a message %s already", m.ID)
	}
	r := &Record{Message: m, PublishedNs: int64(at), AckedNs: -1, DeadNs: -1}
	q.records[m.ID] = r
	q.order = append(q.order, r)
	q.open++
	if q.keys[m.Key] == nil {
		q.keys[m.Key] = &line{}
	}
	q.put(&entry{record: r, line: q.keys[m.Key]})
	return nil
}

// duplicate puts a copy of a message in, whatever has become of it.
func (q *queue) duplicate(id string) {
	if r := q.records[id]; r != nil {
		q.put(&entry{record: r, line: q.keys[r.Key], copy: true})
	}
}

// put adds an entry where it belongs.
func (q *queue) put(e *entry) {
	l := e.line
	at, _ := slices.BinarySearchFunc(l.pending, e, func(a, b *entry) int {
		if a.record.N != b.record.N {
			return a.record.N - b.record.N
		}
		if a.copy != b.copy && !a.copy {
			return -1
		}
		return 1 // behind its like
	})
	l.pending = slices.Insert(l.pending, at, e)
	q.offer(l)
}

// offer makes a line available when it can be.
func (q *queue) offer(l *line) {
	if !l.queued && l.leased == 0 && len(l.pending) > 0 {
		l.queued = true
		q.ready = append(q.ready, l)
	}
}

// lease gives out up to n messages until a moment.
func (q *queue) lease(n int, until time.Time) []Delivery {
	list := []Delivery{}
	for len(list) < n && len(q.ready) > 0 {
		l := q.ready[0]
		q.ready = q.ready[1:]
		l.queued = false
		take := min(n-len(list), perKey, len(l.pending))
		for _, e := range l.pending[:take] {
			e.attempt++
			e.record.Deliveries++
			q.next++
			receipt := fmt.Sprintf("r%d", q.next)
			q.leases[receipt] = &lease{entry: e, until: until}
			list = append(list, Delivery{Message: e.record.Message, Receipt: receipt, Attempt: e.attempt})
		}
		l.leased += take
		l.pending = slices.Delete(l.pending, 0, take)
	}
	return list
}

// end removes a lease that still runs; nil says that there is none.
func (q *queue) end(receipt string, now time.Time) *lease {
	l := q.leases[receipt]
	if l == nil || !l.until.After(now) {
		return nil
	}
	delete(q.leases, receipt)
	l.line.leased--
	return l
}

// ack removes a message for good; false says that its lease has ended.
func (q *queue) ack(receipt string, now time.Time, at time.Duration) bool {
	l := q.end(receipt, now)
	if l == nil {
		return false
	}
	q.close(l.record)
	if l.record.AckedNs < 0 {
		l.record.AckedNs = int64(at)
	}
	q.offer(l.line)
	return true
}

// close counts a message that is settled for the first time.
func (q *queue) close(r *Record) {
	if r.AckedNs < 0 && r.DeadNs < 0 {
		q.open--
	}
}

// dead is ack for a message that nobody can deal with.
func (q *queue) dead(receipt string, now time.Time, at time.Duration) bool {
	l := q.end(receipt, now)
	if l == nil {
		return false
	}
	q.close(l.record)
	if l.record.DeadNs < 0 {
		l.record.DeadNs = int64(at)
	}
	q.offer(l.line)
	return true
}

// extend makes a lease last until another moment; false says that it has ended.
func (q *queue) extend(receipt string, now, until time.Time) bool {
	l := q.leases[receipt]
	if l == nil || !l.until.After(now) {
		return false
	}
	l.until = until
	return true
}

// expire puts back what was leased for too long, and says how many that were.
func (q *queue) expire(now time.Time) int {
	n := 0
	for receipt, l := range q.leases {
		if l.until.After(now) {
			continue
		}
		n++
		delete(q.leases, receipt)
		l.line.leased--
		q.put(l.entry)
	}
	return n
}
