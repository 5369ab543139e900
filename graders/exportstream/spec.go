package exportstream

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/assay-run/assay/graders/readers"
	"github.com/assay-run/assay/graders/rowsource"
)

// group is what a client is there for.
type group string

const (
	groupFast    group = "fast"    // reads as fast as it can, one export after the other
	groupSlow    group = "slow"    // reads slowly
	groupStalled group = "stalled" // reads nothing at first
	groupLeaving group = "leaving" // hangs up
	groupBytes   group = "bytes"   // wants all of it, right to the last byte
	groupAfter   group = "after"   // the same, after everything else
	groupFailure group = "failure" // its source fails
	groupDown    group = "down"    // there is no source any more
)

// chop is how a source cuts what it sends into pieces.
type chop string

const (
	chopNone   chop = ""
	chopPieces chop = "pieces" // small ones, which end inside characters where they can
	chopBytes  chop = "bytes"  // single bytes
)

// spec is one export and the client that wants it: what the driver does and the judge knows.
type spec struct {
	ID      string         `json:"id"`
	Group   group          `json:"group"`
	Title   string         `json:"title,omitempty"`
	Weight  float64        `json:"weight,omitempty"`
	Rows    int64          `json:"rows"` // no two exports of a run have the same number: the source knows them by it
	Format  format         `json:"format"`
	Flavour flavour        `json:"flavour"`
	Start   time.Duration  `json:"start,omitempty"` // after the first client's
	Script  readers.Script `json:"script"`

	Hold   time.Duration     `json:"hold,omitempty"`   // until the source answers
	Status int               `json:"status,omitempty"` // that it answers with
	Chop   chop              `json:"chop,omitempty"`
	Fail   rowsource.Failure `json:"fail,omitempty"`
	// FailRows and FailBytes are after how much it fails: so many rows and so many bytes of the next.
	FailRows  int64 `json:"failRows,omitempty"`
	FailBytes int64 `json:"failBytes,omitempty"`
	Nonsense  bool  `json:"nonsense,omitempty"` // a line half-way is no JSON
	Bare      bool  `json:"bare,omitempty"`     // the last row has no line feed
}

// The clients of readers.
const (
	slowRate    = 32 << 10
	stalledRate = 1 << 20 // afterwards
	leavingRate = 256 << 10
	// ethernet is the segment of clients that are not of this machine, smallBuffer their receive buffer.
	ethernet    = 1460
	smallBuffer = 8 << 10
	// virtualRows make about 1 GiB, fastRows about 24 MiB.
	virtualRows = 5_400_000
	fastRows    = 120_000
	// maxFast bounds how many exports the fast client asks for in a run.
	maxFast = 2000
	// beatRows is the export that the heartbeat asks for now and then.
	beatRows = 7
)

// numbers gives each export a number of rows of its own.
type numbers struct {
	rng   *rand.Rand
	taken map[int64]bool
}

func newNumbers(seed []byte) *numbers {
	return &numbers{rng: random(seed, "numbers"), taken: map[int64]bool{beatRows: true}}
}

// about returns a number that nobody has, from n to a little more.
func (u *numbers) about(n int64) int64 {
	got := n + u.rng.Int64N(max(n/50, 1))
	for u.taken[got] {
		got++
	}
	u.taken[got] = true
	return got
}

// readersSpecs are the clients of readers but the fast one.
func readersSpecs(seed []byte, s settings) []spec {
	u, rng := newNumbers(seed), random(seed, "clients")
	var list []spec
	formats := [...]format{formatCSV, formatNDJSON}
	client := func(g group, i int, script readers.Script) *spec {
		script.Buffer, script.Segment = smallBuffer, ethernet
		list = append(list, spec{
			ID: fmt.Sprintf("%s-%d", g, i+1), Group: g, Weight: 1, Rows: u.about(virtualRows), Format: formats[i%2], Flavour: ordinary, Script: script,
			// Not at once: the buffers of each fill when it comes, and whoever asks for something small would wait for all of them.
			Start: time.Duration(rng.Int64N(int64(s.seconds * 4 / 10))),
		})
		return &list[len(list)-1]
	}
	for i := range s.slow {
		client(groupSlow, i, readers.Script{Rate: slowRate}).Title = "A client that reads 32 KiB a second gets the right bytes"
	}
	for i := range s.stalled {
		c := client(groupStalled, i, readers.Script{StallFor: s.seconds * 7 / 10, Rate: stalledRate, Patience: s.seconds + 10*time.Second})
		c.Title = "A client that reads nothing for a long time gets the right bytes"
		c.Start /= 10
	}
	for i := range s.leaving {
		at := 300*time.Millisecond + time.Duration(rng.Int64N(int64(s.seconds*5/10)))
		c := client(groupLeaving, i, readers.Script{Rate: leavingRate, AbortAt: at})
		c.Title = "A client that hangs up had the right bytes until then"
	}
	return list
}

// fastSpec is the n-th export of the fast client.
func fastSpec(n int) spec {
	return spec{
		ID: fmt.Sprintf("fast-%d", n+1), Group: groupFast, Rows: fastRows + int64(n), Format: formatCSV, Flavour: ordinary,
		Script: readers.Script{Patience: 10 * time.Second},
	}
}

const (
	// caseWithin bounds the wait for the next byte of an export of the contract, wholeWithin that for all of it. The largest are of
	// 10 MB.
	caseWithin  = 10 * time.Second
	wholeWithin = 15 * time.Second
	// leavesWithin is when a client leaves that was to leave after so many bytes, and has not got them.
	leavesWithin = 6 * time.Second
)

// contractSpecs are the exports of the contract.
func contractSpecs(seed []byte) []spec {
	u := newNumbers(seed)
	var list []spec
	add := func(s spec) {
		s.Script.Patience = caseWithin
		if s.Group == groupFailure || s.Group == groupDown {
			s.Script.Patience = failWithin
		}
		if s.Script.AbortAt == 0 {
			s.Script.AbortAt = wholeWithin
		}
		list = append(list, s)
	}
	for _, s := range bytesSpecs() {
		if s.Rows > 0 {
			s.Rows = u.about(s.Rows)
		}
		s.Group = groupBytes
		add(s)
	}
	for _, s := range leavingSpecs(random(seed, "leaving")) {
		s.Rows, s.Group, s.Weight, s.Flavour = u.about(virtualRows), groupLeaving, 1, ordinary
		add(s)
	}
	for _, s := range failureSpecs(random(seed, "failures")) {
		s.Rows, s.Group, s.Weight, s.Flavour = u.about(60_000), groupFailure, 1, ordinary
		add(s)
	}
	add(spec{ID: "after", Group: groupAfter, Title: "After all that, an export is right", Weight: 2, Rows: u.about(3000), Format: formatCSV, Flavour: ordinary})
	add(spec{ID: "down", Group: groupDown, Title: "No source at all: the answer is 502", Weight: 1, Rows: u.about(50), Format: formatCSV, Flavour: ordinary})
	return list
}

// bytesSpecs are exports that must be right to the last byte.
func bytesSpecs() []spec {
	return []spec{
		{ID: "none-csv", Title: "No rows, as CSV: the header line", Weight: 1, Rows: 0, Format: formatCSV, Flavour: ordinary},
		{ID: "small-csv", Title: "A few rows, as CSV", Weight: 2, Rows: 12, Format: formatCSV, Flavour: ordinary},
		{ID: "small-ndjson", Title: "A few rows, as NDJSON", Weight: 2, Rows: 14, Format: formatNDJSON, Flavour: ordinary},
		{ID: "nasty-csv", Title: "Quotation marks, commas, line ends and every kind of character, as CSV", Weight: 3, Rows: 900, Format: formatCSV, Flavour: nasty},
		{ID: "nasty-ndjson", Title: "The same, as NDJSON", Weight: 1, Rows: 950, Format: formatNDJSON, Flavour: nasty},
		{ID: "pieces-csv", Title: "A source that sends in small pieces, which end inside characters and rows, as CSV", Weight: 3, Rows: 70, Format: formatCSV, Flavour: nasty, Chop: chopPieces},
		{ID: "pieces-ndjson", Title: "The same, as NDJSON", Weight: 1, Rows: 80, Format: formatNDJSON, Flavour: nasty, Chop: chopPieces},
		{ID: "bytes-csv", Title: "A source that sends byte by byte", Weight: 1, Rows: 3, Format: formatCSV, Flavour: nasty, Chop: chopBytes},
		{ID: "long-csv", Title: "Values of 300 KB, as CSV", Weight: 2, Rows: 40, Format: formatCSV, Flavour: long},
		{ID: "bare-csv", Title: "The source's last row has no line feed", Weight: 1, Rows: 30, Format: formatCSV, Flavour: ordinary, Bare: true},
		{ID: "large-csv", Title: "Forty thousand rows, as CSV", Weight: 2, Rows: 40_000, Format: formatCSV, Flavour: ordinary},
		{ID: "large-ndjson", Title: "Fifty thousand rows, as NDJSON", Weight: 2, Rows: 50_000, Format: formatNDJSON, Flavour: ordinary},
	}
}

// leavingSpecs are clients that hang up.
func leavingSpecs(rng *rand.Rand) []spec {
	within := func(from, to time.Duration) time.Duration { return from + time.Duration(rng.Int64N(int64(to-from))) }
	few := func() int64 { return 100 + rng.Int64N(400) }
	return []spec{
		{
			ID: "leaves-running-csv", Title: "It hangs up while rows come fast, CSV", Format: formatCSV,
			Script: readers.Script{AbortAfter: 1<<20 + rng.Int64N(1<<20), AbortAt: leavesWithin},
		},
		{
			ID: "leaves-running-ndjson", Title: "It hangs up while rows come fast, NDJSON", Format: formatNDJSON,
			Script: readers.Script{AbortAfter: 1<<20 + rng.Int64N(1<<20), AbortAt: leavesWithin},
		},
		{
			ID: "leaves-slow", Title: "A slow client hangs up", Format: formatCSV,
			Script: readers.Script{Rate: slowRate, AbortAt: within(time.Second, 2*time.Second), Buffer: smallBuffer, Segment: ethernet},
		},
		{
			ID: "leaves-stalled", Title: "A client that has not read anything hangs up", Format: formatNDJSON,
			Script: readers.Script{StallFor: 5 * time.Second, AbortAt: within(time.Second, 2*time.Second), Buffer: smallBuffer, Segment: ethernet},
		},
		{
			ID: "leaves-silent-csv", Title: "It hangs up while the source is silent, CSV", Format: formatCSV, Fail: rowsource.Silence, FailRows: few(),
			Script: readers.Script{AbortAt: within(500*time.Millisecond, 1500*time.Millisecond)},
		},
		{
			ID: "leaves-silent-ndjson", Title: "It hangs up while the source is silent, NDJSON", Format: formatNDJSON, Fail: rowsource.Silence, FailRows: few(), FailBytes: 40,
			Script: readers.Script{AbortAt: within(500*time.Millisecond, 1500*time.Millisecond)},
		},
		{
			ID: "leaves-early-csv", Title: "It hangs up before the source has answered, CSV", Format: formatCSV, Hold: 8 * time.Second,
			Script: readers.Script{AbortAt: within(300*time.Millisecond, time.Second)},
		},
		{
			ID: "leaves-early-ndjson", Title: "It hangs up before the source has answered, NDJSON", Format: formatNDJSON, Hold: 8 * time.Second,
			Script: readers.Script{AbortAt: within(300*time.Millisecond, time.Second)},
		},
	}
}

// failWithin is within what time of silence a failed export must have ended.
const failWithin = 5 * time.Second

// failureSpecs are sources that fail.
func failureSpecs(rng *rand.Rand) []spec {
	rows := func() int64 { return 5_000 + rng.Int64N(20_000) }
	return []spec{
		{ID: "reset-csv", Title: "The source's connection is reset inside a row, CSV", Format: formatCSV, Fail: rowsource.Reset, FailRows: rows(), FailBytes: 60},
		{ID: "reset-ndjson", Title: "The source's connection is reset inside a row, NDJSON", Format: formatNDJSON, Fail: rowsource.Reset, FailRows: rows(), FailBytes: 60},
		{ID: "cut-csv", Title: "The source's answer breaks off after a row, CSV", Format: formatCSV, Fail: rowsource.Truncate, FailRows: rows()},
		{ID: "cut-ndjson", Title: "The source's answer breaks off after a row, NDJSON", Format: formatNDJSON, Fail: rowsource.Truncate, FailRows: rows()},
		{ID: "cut-inside", Title: "The source's answer breaks off inside a row", Format: formatCSV, Fail: rowsource.Truncate, FailRows: rows(), FailBytes: 33},
		{ID: "nonsense", Title: "A line half-way is no JSON", Format: formatCSV, Nonsense: true},
		{ID: "refused", Title: "The source answers 503: the answer is 502", Format: formatCSV, Status: 503},
	}
}
