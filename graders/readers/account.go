package readers

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/assay-run/assay/graders/loopback"
)

// End is how an answer ended, as a client sees it.
type End string

// The ends of an answer.
const (
	Complete  End = "complete"  // everything that its framing announced came
	Unframed  End = "unframed"  // the connection was closed, and nothing had announced how long the body is: nobody can tell whether it is complete
	Cut       End = "cut"       // the connection was closed before the end that the framing announced
	Reset     End = "reset"     // the connection was reset
	TimedOut  End = "timed-out" // nothing came for as long as the client waits
	Endless   End = "endless"   // the body is longer than the client takes
	Malformed End = "malformed" // no HTTP, or its framing is broken
	Refused   End = "refused"   // no connection
	Left      End = "left"      // the client hung up, by its script or because its time had ended
)

// Account is what a client saw. Times are since the epoch that Read was given; a moment that did not come is -1.
type Account struct {
	SentNs    int64 `json:"sentNs"`    // the request had been written
	HeadNs    int64 `json:"headNs"`    // the head of the answer had come
	FirstNs   int64 `json:"firstNs"`   // the first byte of the body had come
	EndedNs   int64 `json:"endedNs"`   // the end, whatever it was
	StalledNs int64 `json:"stalledNs"` // how long it did not read, in all

	Status      int    `json:"status"` // 0 when no head came
	ContentType string `json:"contentType,omitempty"`
	// Framing is how the body's end is marked: "chunked", "length" or "close".
	Framing string `json:"framing,omitempty"`
	Bytes   int64  `json:"bytes"` // of the body
	End     End    `json:"end"`
	// Steps are how many bytes had been taken when, at most one in 250 ms and 400 in all.
	Steps []Step `json:"steps,omitempty"`
}

// Step is a point of the curve of what was taken.
type Step struct {
	AtNs  int64 `json:"atNs"`
	Bytes int64 `json:"bytes"`
}

const (
	stepEvery   = 250 * time.Millisecond
	maxSteps    = 400
	headerLimit = 200 // of what is kept of a header
)

// step notes the progress, now and then.
func (a *Account) step(at time.Duration) {
	if n := len(a.Steps); n >= maxSteps || n > 0 && int64(at)-a.Steps[n-1].AtNs < int64(stepEvery) {
		return
	}
	a.Steps = append(a.Steps, Step{AtNs: int64(at), Bytes: a.Bytes})
}

// head keeps what matters of the head.
func (a *Account) head(resp *http.Response, at time.Duration) {
	a.HeadNs, a.Status, a.ContentType = int64(at), resp.StatusCode, bounded(resp.Header.Get("Content-Type"))
	switch {
	case len(resp.TransferEncoding) > 0:
		a.Framing = "chunked"
	case resp.ContentLength >= 0:
		a.Framing = "length"
	default:
		a.Framing = "close"
	}
}

// ended reads an error of the connection. The client's own end explains every other.
func (a *Account) ended(ctx context.Context, err error) End {
	var timeout interface{ Timeout() bool }
	switch {
	case loopback.Ended(ctx):
		return Left
	case errors.Is(err, io.EOF) && a.HeadNs >= 0 && a.Framing == "close":
		return Unframed
	case errors.Is(err, io.EOF) && a.HeadNs >= 0:
		return Complete
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Cut
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return Reset
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return TimedOut
	}
	return Malformed
}

// bounded is the beginning of a header, valid UTF-8.
func bounded(text string) string {
	text = text[:min(len(text), headerLimit)]
	for len(text) > 0 && !utf8.ValidString(text) {
		text = text[:len(text)-1]
	}
	return text
}
