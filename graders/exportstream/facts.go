package exportstream

import (
	"bytes"
	"strconv"

	"github.com/assay-run/assay/graders/exchange"
	"github.com/assay-run/assay/graders/readers"
	"github.com/assay-run/assay/graders/rowsource"
	"github.com/assay-run/assay/graders/signs"
)

// quoted is a short piece of text from a submission, in quotation marks, one printable line.
func quoted(text string) string {
	return strconv.Quote(signs.Quotable(string(bytes.ToValidUTF8([]byte(text), []byte("\uFFFD")))))
}

// facts is what Drive saw. Times are since its epoch, a little before the process was started; a moment that did not come is -1.
type facts struct {
	// ReadyNs is from the start of the process to the first 200 of GET /healthz; -1 when none came in time.
	ReadyNs int64 `json:"readyNs"`
	// Ended says that the process was gone before it was told to go, DiedNs when.
	Ended  bool  `json:"ended"`
	DiedNs int64 `json:"diedNs"`
	// Queues says that the kernel told what its queues hold: what is held is without that.
	Queues bool `json:"queues"`
	// FastBytes are the bytes of the source that the fast client was given in FastNs.
	FastBytes int64 `json:"fastBytes,omitempty"`
	FastNs    int64 `json:"fastNs,omitempty"`
	// Streams are the exports that were asked for, by id; Cases the answers to other requests.
	Streams map[string]*result          `json:"streams"`
	Cases   map[string]*exchange.Answer `json:"cases,omitempty"`
}

// result is what became of one export.
type result struct {
	Rows   int64             `json:"rows"`
	Client *readers.Account  `json:"client,omitempty"` // nil when the run ended first
	Source rowsource.Account `json:"source"`
	// Wrong is the first difference from what is right, Whole that everything came.
	Wrong string `json:"wrong,omitempty"`
	Whole bool   `json:"whole,omitempty"`
	// GivenBytes are the bytes of the source that correspond to what the client was given.
	GivenBytes int64 `json:"givenBytes"`
	// PeakHeld is the most that the submission held of it, in bytes of the source, and PeakAtNs when.
	PeakHeld int64 `json:"peakHeld,omitempty"`
	PeakAtNs int64 `json:"peakAtNs,omitempty"`
}
