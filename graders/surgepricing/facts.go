package surgepricing

import (
	"strconv"

	"github.com/assay-run/assay/graders/exchange"
	"github.com/assay-run/assay/graders/signs"
	"github.com/assay-run/assay/internal/evidence"
)

// facts is what Drive saw: every answer, for the judge. Times are seconds since the service was ready.
type facts struct {
	// ReadyNs is from the start of the process to the first 200 of GET /healthz; -1 when none came in time.
	ReadyNs int64 `json:"readyNs"`
	// Ended says that the process was gone before it was told to go.
	Ended bool `json:"ended"`
	// From and To are the time in which the service had rebuilds to do.
	From float64 `json:"from"`
	To   float64 `json:"to"`
	// Loads are the answers to the rebuilds, by load id; Cases those to single requests, by part and case id.
	Loads map[string]*answer `json:"loads"`
	Cases map[string]*answer `json:"cases,omitempty"`
	// BurstSent is when the last request of the burst was written.
	BurstSent float64 `json:"burstSent,omitempty"`
	// Quotes are the answers to quotes, in no order.
	Quotes quotes `json:"quotes"`
	// Load is how the quotes of the open load were answered while the service had rebuilds to do.
	Load *evidence.Heartbeat `json:"load,omitempty"`
}

// answer is what came back for one request.
type answer exchange.Answer

// quotes are records of quotes as columns: there are thousands.
type quotes struct {
	Number     []int     `json:"number"` // of the question
	Sent       []float64 `json:"sent"`
	Got        []float64 `json:"got"`
	Cents      []float64 `json:"cents"`
	Multiplier []float64 `json:"multiplier"`
	Epoch      []float64 `json:"epoch"`
	// Bad counts answers that were no quotes; FirstBad is one of them.
	Bad      int    `json:"bad,omitempty"`
	FirstBad string `json:"firstBad,omitempty"`
	// Dropped counts answers beyond the bound of the record.
	Dropped int `json:"dropped,omitempty"`
}

// quoted is a short piece of text from a submission, in quotation marks.
func quoted(text string) string { return strconv.Quote(signs.Quotable(text)) }
