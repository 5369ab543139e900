package upstream

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"strings"
	"time"
)

// Fault is what goes wrong with a call, beyond what its status and body say.
type Fault string

// The faults of a call.
const (
	None Fault = ""
	// Hang takes the call and never answers; it ends when the client gives up, or the upstream is closed.
	Hang Fault = "hang"
	// HangMidway answers with the head and half of the body and then nothing more; it ends like Hang.
	HangMidway Fault = "hang-midway"
	// ResetBeforeBody resets the connection when the header of the request has come, before its body is read.
	ResetBeforeBody Fault = "reset-before-body"
	// ResetAfterBody resets it when the whole request has been read: its effect may have happened.
	ResetAfterBody Fault = "reset-after-body"
	// ResetMidway resets it in the middle of the body of the answer.
	ResetMidway Fault = "reset-midway"
)

// Reply is how a call is answered.
type Reply struct {
	// Latency is from the arrival of the request to the answer (or the reset); Spread adds up to so much more, by seed.
	Latency, Spread time.Duration
	// NotBefore holds the answer until a moment, since the start of the log: many calls can so be made to fail at once.
	NotBefore time.Duration
	Fault     Fault
	Status    int // 200 unless set
	Header    http.Header
	// Body is the answer's; nil for what Options.Answer makes.
	Body []byte
	// Fill repeats Body (or a space) until the answer has so many bytes; for huge ones.
	Fill int64
	// Slow spreads the body evenly over so much time.
	Slow time.Duration
}

// Rule is a reply with its conditions. All that are set must hold.
type Rule struct {
	// Name says what the rule is, in the log; e.g. "outage".
	Name string
	// From and To bound the time of arrival, since the start of the log; To is not included, 0 means for ever.
	From, To time.Duration
	// First and Last bound the number of the call at this upstream, from 1; 0 for no bound.
	First, Last int
	Method      string // empty for any
	Path        string // beginning of the path; empty for any
	// Share is the part of the calls that meet the other conditions to which the rule applies, chosen by seed; 0 means all.
	Share float64
	Reply Reply
}

// maxFill bounds a huge answer.
const maxFill = 1 << 30

// validate says what is wrong with a rule.
func (r *Rule) validate() error {
	reply := &r.Reply
	switch {
	case r.From < 0 || r.To != 0 && r.To <= r.From:
		return fmt.Errorf("rule %q: its time has no length", r.Name)
	case r.Last != 0 && r.Last < r.First:
		return fmt.Errorf("rule %q: its calls end before they begin", r.Name)
	case !(r.Share >= 0 && r.Share <= 1):
		return fmt.Errorf("rule %q: share must be from 0 to 1", r.Name)
	case reply.Latency < 0 || reply.Spread < 0 || reply.Slow < 0 || reply.NotBefore < 0:
		return fmt.Errorf("rule %q: times must not be negative", r.Name)
	case reply.Status != 0 && (reply.Status < 200 || reply.Status > 599):
		return fmt.Errorf("rule %q: status %d is none of an answer", r.Name, reply.Status)
	case reply.Fill < 0 || reply.Fill > maxFill:
		return fmt.Errorf("rule %q: at most %d bytes can be answered", r.Name, maxFill)
	}
	switch reply.Fault {
	case None, Hang, HangMidway, ResetBeforeBody, ResetAfterBody, ResetMidway:
		return nil
	}
	return fmt.Errorf("rule %q: unknown fault %q", r.Name, reply.Fault)
}

// match finds the first rule for a call; -1 when there is none.
func match(rules []Rule, seed []byte, c *Call) int {
	for i := range rules {
		r := &rules[i]
		switch {
		case c.Arrived < r.From || r.To != 0 && c.Arrived >= r.To:
		case c.Number < r.First || r.Last != 0 && c.Number > r.Last:
		case r.Method != "" && c.Method != r.Method:
		case !strings.HasPrefix(c.Path, r.Path):
		case r.Share != 0 && chance(seed, i, c.Number) >= r.Share:
		default:
			return i
		}
	}
	return -1
}

// chance is a number from 0 to 1 (not included), always the same for the same seed, rule and call.
func chance(seed []byte, rule, number int) float64 {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%x/%d/%d", seed, rule, number) // never fails
	x := h.Sum64()
	// FNV's last bits spread well, its first do not: mix them (MurmurHash3's finalizer).
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return float64((x^x>>33)>>11) / (1 << 53)
}
