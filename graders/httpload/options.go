package httpload

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/assay-run/assay/graders/wire"
	"github.com/assay-run/assay/internal/workload"
)

// Options say what to send where, and when.
type Options struct {
	Addr     string    // host:port
	Start    time.Time // when the schedule begins; all times of the result are since then
	Schedule Schedule
	// Request makes request i of the schedule. It is called once for each, from several goroutines, and must be quick.
	Request func(i int) Request
	// Timeout is how long a client waits from when it has turned to the server; 10 s unless set.
	Timeout time.Duration
	// MaxInFlight bounds the connections, and so the requests that are out at the same time; 256 unless set. Requests that are due
	// beyond that wait here, and their latency grows.
	MaxInFlight int
	// Check says whether an answer is a good one; nil means that its status is below 400. It is called from several goroutines. Its body has
	// at most wire.BodyLimit bytes; a longer one is a failure (TooLarge) and is not shown.
	Check func(i int, a wire.Answer) bool
	// Stolen returns times in which the machine kept the submission from running; they are taken out of latencies, as our own pauses
	// are. It is asked at the end; nil for none.
	Stolen func() []workload.Pause
}

// Request is one request.
type Request struct {
	Method string // GET unless set
	Path   string // with query
	Header []Header
	Body   []byte
}

// Header is one line of a request's header. Host and Content-Length are added.
type Header struct{ Name, Value string }

// bytes is the request as it is written.
func (r Request) bytes(addr string) []byte {
	var b bytes.Buffer
	b.WriteString(r.method() + " " + r.Path + " HTTP/1.1\r\nHost: " + addr + "\r\n")
	for _, h := range r.Header {
		b.WriteString(h.Name + ": " + h.Value + "\r\n")
	}
	if len(r.Body) > 0 || !r.idempotent() {
		b.WriteString("Content-Length: " + strconv.Itoa(len(r.Body)) + "\r\n")
	}
	b.WriteString("\r\n")
	b.Write(r.Body)
	return b.Bytes()
}

func (r Request) method() string {
	if r.Method == "" {
		return http.MethodGet
	}
	return r.Method
}

// idempotent says whether the request may be written a second time.
func (r Request) idempotent() bool {
	return r.method() == http.MethodGet || r.method() == http.MethodHead
}

// withDefaults checks the options.
func (o Options) withDefaults() (Options, error) {
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.MaxInFlight == 0 {
		o.MaxInFlight = 256
	}
	if o.Check == nil {
		o.Check = func(_ int, a wire.Answer) bool { return a.Status < http.StatusBadRequest }
	}
	switch {
	case o.Addr == "":
		return o, errors.New("load: address is missing")
	case o.Start.IsZero():
		return o, errors.New("load: start of the schedule is missing")
	case o.Request == nil:
		return o, errors.New("load: what to ask is missing")
	case o.Timeout < 0 || o.MaxInFlight < 1:
		return o, errors.New("load: bounds must be positive")
	}
	if err := o.Schedule.Validate(); err != nil {
		return o, fmt.Errorf("load: %w", err)
	}
	return o, nil
}
