package resilienthome

import (
	"encoding/json"
	"fmt"
	"time"
)

// facts is what Drive saw, for the judge. Times are microseconds since the start of the schedule, but for the contract's, whose schedule begins
// when the service is ready.
type facts struct {
	// ReadyNs is from the start of the process to the first 200 of GET /healthz; -1 when none came in time.
	ReadyNs int64 `json:"readyNs"`
	// BeginNs is from the start of the process to that of the schedule.
	BeginNs int64 `json:"beginNs"`
	// Ended says that the process was gone before it was told to go.
	Ended bool `json:"ended"`
	// Cases are the answers to single requests, by case id.
	Cases    map[string]*answer `json:"cases,omitempty"`
	Requests requests           `json:"requests"`
	Calls    calls              `json:"calls"`
	// Open is the largest number of connections to a service in each phase, by phase and service.
	Open map[string]map[string]int `json:"open,omitempty"`
	// LostCalls counts calls beyond the bound of the log.
	LostCalls int `json:"lostCalls,omitempty"`
	// PausedNs and StolenNs were taken out of latencies.
	PausedNs int64 `json:"pausedNs"`
	StolenNs int64 `json:"stolenNs"`
}

// answer is what came back for a request of the contract.
type answer struct {
	Ms     float64 `json:"ms"` // from sending it to the answer
	Status int     `json:"status"`
	Flags  flags   `json:"flags"`
	Body   string  `json:"body,omitempty"`  // its beginning
	Error  string  `json:"error,omitempty"` // why there was no complete answer
	Calls  int     `json:"calls"`           // that it cost the service that the case is about
}

// column is a list of numbers, written as differences to the one before: there are tens of thousands, most of them close together.
type column []int64

// MarshalJSON implements json.Marshaler.
func (c column) MarshalJSON() ([]byte, error) {
	deltas := make([]int64, len(c))
	before := int64(0)
	for i, v := range c {
		deltas[i], before = v-before, v
	}
	b, err := json.Marshal(deltas)
	if err != nil {
		return nil, fmt.Errorf("write column: %w", err)
	}
	return b, nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (c *column) UnmarshalJSON(b []byte) error {
	var deltas []int64
	if err := json.Unmarshal(b, &deltas); err != nil {
		return fmt.Errorf("read column: %w", err)
	}
	sum := int64(0)
	for i, d := range deltas {
		sum += d
		deltas[i] = sum
	}
	*c = deltas
	return nil
}

// The kinds of a request.
const (
	isUnique  = 0 // GET, of a user that comes once
	isRegular = 1 // GET, of a user that comes again
	isPlay    = 2 // POST, of a user that comes once
)

// requests are those of the load, as columns, in the order of being due.
type requests struct {
	Kind     column `json:"kind"`
	Intended column `json:"intended"`
	Sent     column `json:"sent"`    // -1 when it was not
	Got      column `json:"got"`     // of the answer or the failure; -1 for none
	Latency  column `json:"latency"` // from when it was due, without the pauses of ours and of the machine
	Status   column `json:"status"`  // 0 for no complete answer
	Cut      column `json:"cut"`     // 1 when we ended it
	Twice    column `json:"twice"`   // 1 when it was written again, because a connection was found closed
	Flags    column `json:"flags"`
}

// calls are those that reached the services, as columns, in the order of arrival.
type calls struct {
	Service column `json:"service"` // index of services
	Request column `json:"request"` // index of the request of the same user; -1 for a regular, -2 for nobody
	Play    column `json:"play"`    // 1 for POST /plays
	Arrived column `json:"arrived"`
	Ended   column `json:"ended"`  // -1 while it was open
	Status  column `json:"status"` // 0 when there was no answer
	How     column `json:"how"`    // index of ends
}

func (r *requests) len() int { return len(r.Intended) }
func (c *calls) len() int    { return len(c.Arrived) }

// fits says whether all columns have one length: facts are our own, but they have travelled.
func (f *facts) fits() bool {
	r, c := &f.Requests, &f.Calls
	n, m := r.len(), c.len()
	for _, list := range []column{r.Kind, r.Sent, r.Got, r.Latency, r.Status, r.Cut, r.Twice, r.Flags} {
		if len(list) != n {
			return false
		}
	}
	for _, list := range []column{c.Service, c.Request, c.Play, c.Ended, c.Status, c.How} {
		if len(list) != m {
			return false
		}
	}
	for i := range m {
		if c.Request[i] >= int64(n) || c.Service[i] < 0 || c.Service[i] >= int64(len(services)) || c.How[i] < 0 || c.How[i] >= int64(len(ends)) {
			return false
		}
	}
	return true
}

// micro is a time as facts have it; times that did not happen are -1.
func micro(d time.Duration) int64 {
	if d < 0 {
		return -1
	}
	return d.Microseconds()
}
