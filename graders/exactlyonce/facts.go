package exactlyonce

import (
	"github.com/assay-run/assay/graders/broker"
	"github.com/assay-run/assay/graders/killrounds"
	"github.com/assay-run/assay/graders/pgproxy"
)

// facts is what Drive saw. Times are in ms since the first message was due, or in ns where the name says so. Columns of messages are in the
// order in which they were published.
type facts struct {
	ReadyNs int64             `json:"readyNs"` // of the first life; -1 when it was not ready in time
	Lives   []killrounds.Life `json:"lives"`   // since the first message
	Rounds  []round           `json:"rounds"`
	// PublishedMs is when the last message was published, WatchedMs until when was waited for the rest.
	PublishedMs int64   `json:"publishedMs"`
	WatchedMs   int64   `json:"watchedMs"`
	Acked       []int64 `json:"acked"`      // by message; -1 for never
	Dead        []int64 `json:"dead"`       // the same
	Deliveries  []int   `json:"deliveries"` // by message
	Changes     changes `json:"changes"`
	// Idle is the time in which there was nothing to do; nil when it never came to that.
	Idle *idle `json:"idle,omitempty"`
	// Database says why the database did not answer in the end; empty when it did.
	Database string         `json:"database,omitempty"`
	Broker   broker.Counts  `json:"broker"`
	Proxy    pgproxy.Counts `json:"proxy"`
	// PostgresNs is how long the database took to be ready.
	PostgresNs int64 `json:"postgresNs"`
}

// round is one SIGKILL.
type round struct {
	AtMs    int64 `json:"atMs"`
	Applied bool  `json:"applied"` // the broker had taken the ack that was caught
	Caught  bool  `json:"caught"`  // there was one
	Ready   bool  `json:"ready"`   // again within the time for that
	Leased  []int `json:"leased"`  // messages
}

// changes are those of the rows, as the database has noted them, in their order; columns.
type changes struct {
	Key  []int   `json:"key"` // -1 for a row that is none of ours
	By   []int64 `json:"by"`
	AtMs []int64 `json:"atMs"`
	// Dropped counts changes beyond the bound of the record.
	Dropped int64 `json:"dropped,omitempty"`
}

// idle is a time without work.
type idle struct {
	FromMs int64 `json:"fromMs"`
	ToMs   int64 `json:"toMs"`
	Polls  int   `json:"polls"` // requests for messages
}
