package upstream

import (
	"slices"
	"sync"
	"time"
)

// How is how a call ended.
type How string

// The ends of a call.
const (
	Open     How = "open"     // not yet
	Answered How = "answered" // the whole answer was written
	Reset    How = "reset"    // by us, as the script says
	Gone     How = "gone"     // the client went before it had its answer, or did not take it
	Closed   How = "closed"   // the upstream was closed meanwhile
)

// Call is one request that reached an upstream. Times are since the start of the log; -1 for what did not happen.
type Call struct {
	ID       int // over all upstreams of the log, by arrival, from 1
	Upstream string
	Number   int // of this upstream, from 1
	Conn     int // number of the connection at this upstream, from 1
	Method   string
	Path     string // with query, at most 200 bytes
	// Header are the values of Options.Keep that were there, each at most 200 bytes.
	Header map[string]string
	Body   string // the beginning of the request's body, at most Options.KeepBody bytes
	// Arrived is when the header had been read, Ended when nothing more was done about it.
	Arrived, Ended time.Duration
	Rule           string // Name of the rule that applied; empty for none
	Status         int    // of the answer; 0 when there was none
	How            How
}

// Conn is a connection of a client to an upstream.
type Conn struct {
	Upstream       string
	Number         int
	Opened, Closed time.Duration // Closed is -1 while it is open
}

const (
	// maxCalls and maxConns bound the log; what comes beyond is counted.
	maxCalls = 1 << 18
	maxConns = 1 << 17
	// textLimit bounds what is kept of a path or a header.
	textLimit = 200
)

// Log is the record of all calls to some upstreams, in the order of arrival.
type Log struct {
	start time.Time

	mu        sync.Mutex
	calls     []Call
	lostCalls int
	conns     []Conn
	lostConns int
}

// NewLog returns an empty log, whose times are since start.
func NewLog(start time.Time) *Log { return &Log{start: start} }

// Start is the moment that all times are since.
func (l *Log) Start() time.Time { return l.start }

func (l *Log) now() time.Duration { return time.Since(l.start) }

// Calls are those so far, by id, and how many more there were than are kept.
func (l *Log) Calls() (kept []Call, lost int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.calls), l.lostCalls
}

// Conns are the connections so far, in the order of being accepted, and how many more there were than are kept.
func (l *Log) Conns() (kept []Conn, lost int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.conns), l.lostConns
}

// begin records a call. The number for end is -1 when there is no room.
func (l *Log) begin(c *Call) (at int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.Arrived = l.now() // under the lock, so that ids are in the order of time
	c.ID = len(l.calls) + l.lostCalls + 1
	if len(l.calls) == maxCalls {
		l.lostCalls++
		return -1
	}
	l.calls = append(l.calls, *c)
	return len(l.calls) - 1
}

// end records how a call ended.
func (l *Log) end(at int, c *Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.Ended = l.now()
	if at >= 0 {
		l.calls[at] = *c
	}
}

// opened records a connection, and its end at the same moment if it is refused. The number for closed is -1 when there is no room.
func (l *Log) opened(upstream string, number int, refused bool) (at int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.conns) == maxConns {
		l.lostConns++
		return -1
	}
	c := Conn{Upstream: upstream, Number: number, Opened: l.now(), Closed: -1}
	if refused {
		c.Closed = c.Opened
	}
	l.conns = append(l.conns, c)
	return len(l.conns) - 1
}

func (l *Log) closed(at int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at >= 0 && l.conns[at].Closed < 0 {
		l.conns[at].Closed = l.now()
	}
}

// MostOpen is the largest number of connections to an upstream that were open at one time between two moments.
func MostOpen(conns []Conn, upstream string, from, to time.Duration) int {
	type change struct {
		at time.Duration
		by int
	}
	var list []change
	open := 0
	for _, c := range conns {
		if c.Upstream != upstream || c.Opened > to || c.Closed >= 0 && c.Closed < from {
			continue
		}
		if c.Opened <= from {
			open++
		} else {
			list = append(list, change{c.Opened, 1})
		}
		if c.Closed >= 0 && c.Closed <= to {
			list = append(list, change{c.Closed, -1})
		}
	}
	// At the same moment what is closed goes first: one connection that takes the place of another is not two.
	slices.SortFunc(list, func(a, b change) int {
		if a.at != b.at {
			return int(a.at - b.at)
		}
		return a.by - b.by
	})
	most := open
	for _, c := range list {
		open += c.by
		most = max(most, open)
	}
	return most
}
