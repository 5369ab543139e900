package rowsource

import (
	"net/netip"
	"sync"
	"time"
)

// Feed makes the bytes of one stream. It is used by one goroutine.
type Feed interface {
	// Next returns the next bytes, which stay as they are until it is called again, or nothing at the end.
	Next() []byte
}

// Failure is what a stream ends with instead of its end.
type Failure string

// The failures of a stream.
const (
	NoFailure Failure = ""
	Reset     Failure = "reset"    // the connection is reset
	Truncate  Failure = "truncate" // the connection is closed in good order, but the last chunk is missing
	Silence   Failure = "silence"  // nothing more comes, and the connection stays
)

// Plan is what happens to a stream. The zero value is all of it at full speed.
type Plan struct {
	// HoldHead is how long the head of the answer is kept back.
	HoldHead time.Duration
	// Status instead of 200; the answer is then a short problem document.
	Status int
	// Cut returns, for each answer, what says how much of the next bytes is sent as one piece, at least 1; nil for all of them. Pause is
	// the time between pieces.
	Cut   func() func(next []byte) int
	Pause time.Duration
	// Fail is how it ends after FailAt bytes, or at its end when there are fewer; FailPause passes before.
	Fail      Failure
	FailAt    int64
	FailPause time.Duration
}

// Stream is what a number stands for. Its plan and feed must not change once it was added.
type Stream struct {
	Plan Plan
	Feed func() Feed

	mu    sync.Mutex
	conns []*conn
	asked int
}

// maxKept bounds the connections of a stream that have an account; later ones are served and counted, no more.
const maxKept = 16

// join adds a connection.
func (s *Stream) join(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if len(s.conns) < maxKept {
		s.conns = append(s.conns, c)
	}
}

// Asked says whether it has been asked for.
func (s *Stream) Asked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked > 0
}

// Taken is how many bytes the submission has taken of it so far, over all its connections.
func (s *Stream) Taken() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := int64(0)
	for _, c := range s.conns {
		sum += c.taken()
	}
	return sum
}

// Ends are the addresses of a connection: the submission's end of it, and that of the source.
type Ends struct{ Theirs, Ours netip.AddrPort }

// Open are the connections over which it is being read.
func (s *Stream) Open() []Ends {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Ends
	for _, c := range s.conns {
		if e, ok := c.ends(); ok {
			list = append(list, e)
		}
	}
	return list
}

// Account is what became of a stream.
type Account struct {
	Asked int    `json:"asked"` // how often it was asked for
	Conns []Conn `json:"conns,omitempty"`
}

// Conn is one answer. Times are since the epoch of the server; a moment that did not come is -1.
type Conn struct {
	OpenedNs int64 `json:"openedNs"` // the request had come
	TakenB   int64 `json:"takenBytes"`
	// DoneNs is when everything had been written, FailedNs when it failed by plan.
	DoneNs   int64 `json:"doneNs"`
	FailedNs int64 `json:"failedNs"`
	// ClosedNs is when the submission had closed its end.
	ClosedNs int64 `json:"closedNs"`
}

// Account returns what has become of it until now.
func (s *Stream) Account() Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := Account{Asked: s.asked}
	for _, c := range s.conns {
		a.Conns = append(a.Conns, c.account())
	}
	return a
}
