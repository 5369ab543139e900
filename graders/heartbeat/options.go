package heartbeat

import (
	"errors"
	"fmt"
	"time"

	"github.com/assay-run/assay/internal/workload"
)

// Options say where to send beats and how.
type Options struct {
	Addr string // host:port
	Path string // e.g. "/progress"; the request is a GET of it unless Request says otherwise
	// Request returns the bytes of the request of beat i, from the request line to the end of the body. A beat may be asked more
	// than once, when a connection breaks. It is called from several goroutines and must be quick; nil for GET Path.
	Request func(i int) []byte
	// Target names what is asked in the evidence; "GET " and Path unless set.
	Target string

	// Start is when the process was started; the schedule begins there.
	Start time.Time
	// Hz is the rate of beats; 100 unless set, 1000 at most.
	Hz float64
	// Grace is how long a program may take to start before beats count; 500 ms unless set.
	Grace time.Duration
	// MaxInFlight bounds the connections, and so the beats that are out at the same time; 64 unless set. Beats that are due
	// beyond that wait here, and their latency grows.
	MaxInFlight int
	// MaxBeats bounds the length of the record; 1<<20 unless set (8 MiB, almost 3 hours at 100 Hz). Later beats are not sent.
	MaxBeats int
	// Stolen returns times in which the machine kept the submission from running; they are taken out of latencies as our own pauses
	// are. It is asked when the beats have ended; nil for none.
	Stolen func() []workload.Pause
	// Began tells when the work began that kept the submission from answering, as workload.Process does. Without it a stall is known to
	// have begun between two beats, and the middle is taken.
	Began func(after, at, until time.Time) (time.Time, bool)
	// Check says whether an answer is a good one; nil means that its status is 200. It is called from several goroutines.
	Check func(Answer) bool
}

// Answer is what came back for one beat.
type Answer struct {
	Beat   int // number of the beat, as Options.Request was given it
	Status int
	Body   []byte    // at most 64 KiB; a longer body is a failure and is not shown to Check
	Sent   time.Time // just before the request was written
	Got    time.Time // when the body was complete
}

// tail is how long before the end of a process a beat may remain unanswered without being held against it: the program has
// done its work, closes its server and exits.
const tail = 100 * time.Millisecond

// prompt is within what time a beat must be answered to count in evidence.Heartbeat.Prompt.
const prompt = time.Second

// requestBytes is the request of a beat unless Options.Request makes another.
func requestBytes(addr, path string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: " + addr + "\r\nAccept: application/json\r\n\r\n")
}

// withDefaults checks the options.
func (o Options) withDefaults() (Options, error) {
	if o.Hz == 0 {
		o.Hz = 100
	}
	if o.Grace == 0 {
		o.Grace = 500 * time.Millisecond
	}
	if o.MaxInFlight == 0 {
		o.MaxInFlight = 64
	}
	if o.MaxBeats == 0 {
		o.MaxBeats = 1 << 20
	}
	if o.Request == nil {
		get := requestBytes(o.Addr, o.Path)
		o.Request = func(int) []byte { return get }
	}
	if o.Target == "" {
		o.Target = "GET " + o.Path
	}
	if o.Check == nil {
		o.Check = func(a Answer) bool { return a.Status == 200 }
	}
	switch {
	case o.Addr == "":
		return o, errors.New("heartbeat: address is missing")
	case o.Start.IsZero():
		return o, errors.New("heartbeat: start of the process is missing")
	case o.Hz < 0.1 || o.Hz > 1000:
		return o, fmt.Errorf("heartbeat: rate of %g Hz is out of range (0.1 to 1000)", o.Hz)
	case o.MaxInFlight < 1 || o.MaxBeats < 1 || o.Grace < 0:
		return o, errors.New("heartbeat: bounds must be positive")
	}
	return o, nil
}
