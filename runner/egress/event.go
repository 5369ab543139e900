package egress

import (
	"encoding/json"
	"io"
	"sync"
	"time"
)

// Kinds of Event.
const (
	EventListening = "listening" // connections are accepted from now on
	EventRefused   = "refused"
	EventFailed    = "failed" // allowed, but could not be reached
	EventClosed    = "closed" // allowed, and over
	EventSummary   = "summary"
)

// Event is one line of the log.
type Event struct {
	Time   time.Time `json:"time"`
	Event  string    `json:"event"`
	Target string    `json:"target,omitempty"` // "host:port", or what the client sent in its place, clipped
	Reason string    `json:"reason,omitempty"`
	// Bytes from and to the client: of one connection, or of all in a summary.
	SentBytes     int64 `json:"sentBytes,omitempty"`
	ReceivedBytes int64 `json:"receivedBytes,omitempty"`
	// Of a summary.
	Closed  int `json:"closed,omitempty"`
	Refused int `json:"refused,omitempty"`
	Failed  int `json:"failed,omitempty"`
	Left    int `json:"left,omitempty"` // events that were counted but not written, because there were too many
}

// maxEvents bounds the lines of one log: a client can cause as many as it likes.
const maxEvents = 2000

// eventLog writes events and counts them. It may be used from several goroutines.
type eventLog struct {
	mu      sync.Mutex
	enc     *json.Encoder
	written int
	total   Event
}

func newEventLog(w io.Writer) *eventLog {
	if w == nil {
		w = io.Discard
	}
	return &eventLog{enc: json.NewEncoder(w)}
}

func (l *eventLog) refused(target, reason string) {
	l.add(Event{Event: EventRefused, Target: target, Reason: reason}, &l.total.Refused)
}

func (l *eventLog) failed(target string, err error) {
	l.add(Event{Event: EventFailed, Target: target, Reason: clip(err.Error())}, &l.total.Failed)
}

func (l *eventLog) closed(target string, sent, received int64) {
	l.add(Event{Event: EventClosed, Target: target, SentBytes: sent, ReceivedBytes: received}, &l.total.Closed)
}

func (l *eventLog) add(e Event, counter *int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*counter++
	l.total.SentBytes += e.SentBytes
	l.total.ReceivedBytes += e.ReceivedBytes
	if l.written >= maxEvents {
		l.total.Left++
		return
	}
	l.written++
	l.write(e)
}

func (l *eventLog) listening() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write(Event{Event: EventListening})
}

func (l *eventLog) summary() {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.total
	e.Event = EventSummary
	l.write(e)
}

// write is called with the lock held. A log that cannot be written does not stop the proxy: its reader is gone.
func (l *eventLog) write(e Event) {
	e.Time = time.Now().UTC()
	_ = l.enc.Encode(e)
}
