package exactlyonce

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/assay-run/assay/graders/broker"
	"github.com/assay-run/assay/graders/killrounds"
)

const (
	keys       = 40
	visibility = 5 * time.Second
	maxDelta   = 1_000_000_000
	// poisonShare is that of messages that nobody can apply; there are at least minPoison.
	poisonShare = 0.001
	minPoison   = 4
)

// plan is what happens in a run, all of it from the seed: params of Drive and truth of Measure in one. A submission that had it would know
// what is to come; it stays in the driver's memory.
type plan struct {
	Seed      []byte        `json:"seed"`
	Seconds   int           `json:"seconds"`
	Rate      int           `json:"rate"`
	Kills     []kill        `json:"kills"`
	StallAt   time.Duration `json:"stallAt"` // since the first message
	Stall     time.Duration `json:"stall"`
	TimeoutNs time.Duration `json:"timeoutNs"`
}

// kill is a SIGKILL at the first ack after a moment. Applied says that the broker has taken that ack, so that what was acknowledged before it
// was done is lost; otherwise it has not, and what was done comes again.
type kill struct {
	At      time.Duration `json:"at"` // since the first message
	Applied bool          `json:"applied"`
}

// message is one of the run.
type message struct {
	id    string
	key   int
	n     int
	delta int64
	body  string // JSON
	good  bool   // and no poison
	value int64  // of poison: what it adds where its delta is believed; 0 when it cannot be
}

func (p *plan) rng(purpose uint64) *rand.Rand {
	var key [16]byte
	copy(key[:], p.Seed)
	return rand.New(rand.NewPCG(binary.LittleEndian.Uint64(key[:8]), binary.LittleEndian.Uint64(key[8:])^purpose))
}

// makePlan draws the moments of the faults: kills in the first part, the stall after the last of them, and the last fifth is quiet.
func makePlan(s settings, seed []byte, timeout time.Duration) plan {
	p := plan{Seed: seed, Seconds: s.seconds, Rate: s.rate, Stall: s.stall, TimeoutNs: timeout}
	rng := p.rng(1)
	all := time.Duration(s.seconds) * time.Second
	lastKill := all - visibility - 2*time.Second
	if s.stall > 0 {
		lastKill = min(lastKill, all*6/10-time.Second)
	}
	apart := min(2*time.Second, lastKill/time.Duration(2*s.kills))
	first := rng.IntN(2) == 0
	for i, at := range killrounds.Moments(rng, s.kills, time.Second, lastKill, apart) {
		p.Kills = append(p.Kills, kill{At: at, Applied: (i%2 == 0) == first})
	}
	if s.kills == 1 {
		p.Kills[0].Applied = false
	}
	p.StallAt = all*6/10 + time.Duration(rng.Int64N(int64(time.Second)))
	return p
}

func keyName(key int) string { return fmt.Sprintf("account-%02d", key) }

// messages are those of the run, in the order in which they are published. The deltas of a key are all different, so that a change of a row
// tells which message made it.
func (p *plan) messages() []message {
	rng := p.rng(2)
	n := p.Seconds * p.Rate
	poison := map[int]bool{}
	for len(poison) < max(minPoison, int(poisonShare*float64(n))) {
		poison[rng.IntN(n*6/10)] = true // early enough for others of the key to come after it
	}
	used := make([]map[int64]bool, keys)
	last := make([]int, keys)
	list := make([]message, n)
	for i := range list {
		u := rng.Float64()
		key := int(u * u * keys) // some are much busier than others
		if used[key] == nil {
			used[key] = map[int64]bool{}
		}
		delta := int64(0)
		for delta == 0 || used[key][delta] {
			delta = rng.Int64N(2*maxDelta+1) - maxDelta
		}
		used[key][delta] = true
		last[key]++
		m := message{id: fmt.Sprintf("%08x%08x", rng.Uint32(), i), key: key, n: last[key], delta: delta, good: !poison[i]}
		m.body = fmt.Sprintf(`{"delta":%d}`, delta)
		if poison[i] {
			m.body, m.value = poisoned(rng, delta)
		}
		list[i] = m
	}
	return list
}

// poisoned is a body whose delta is no whole number within the bounds, and what is added where that is not seen.
func poisoned(rng *rand.Rand, delta int64) (body string, value int64) {
	large := (10 + delta*delta%90) * maxDelta
	bodies := []struct {
		text  string
		value int64
	}{
		{fmt.Sprintf(`{"delta":"%d"}`, delta), delta},
		{fmt.Sprintf(`{"delta":%d.5}`, delta), delta}, // cut off
		{`{"delta":null}`, 0},
		{`{}`, 0},
		{fmt.Sprintf(`{"delta":%d}`, large), large},
	}
	b := bodies[rng.IntN(len(bodies))]
	return b.text, b.value
}

func (m *message) published() broker.Message {
	return broker.Message{ID: m.id, Key: keyName(m.key), N: m.n, Body: json.RawMessage(m.body)}
}
