package broker

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestQueueAgainstModel does anything in any order and compares with what a broker of this contract may do.
func TestQueueAgainstModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := &model{t: t, q: newQueue(), now: time.Unix(0, 0), held: map[string]held{}, attempts: map[string]int{}, done: map[string]bool{}, n: map[string]int{}}
		t.Repeat(map[string]func(*rapid.T){
			"publish":   m.publish,
			"duplicate": m.duplicate,
			"lease":     m.lease,
			"ack":       m.ack,
			"dead":      m.dead,
			"extend":    m.extend,
			"wait":      m.wait,
			"":          m.check,
		})
		m.drain()
	})
}

const visible = 5 * time.Second

type held struct {
	id, key string
	until   time.Time
}

// model knows what was given out, until when, and what is done with.
type model struct {
	t        *rapid.T
	q        *queue
	now      time.Time
	ids      []string
	n        map[string]int // last n by key
	held     map[string]held
	receipts []string
	attempts map[string]int // deliveries by id
	done     map[string]bool
	copies   int
}

func (m *model) publish(t *rapid.T) {
	key := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key")
	m.n[key]++
	id := fmt.Sprintf("%s%d", key, m.n[key])
	require.NoError(t, m.q.publish(Message{ID: id, Key: key, N: m.n[key]}, 0))
	require.Error(t, m.q.publish(Message{ID: id, Key: key, N: m.n[key]}, 0), "an id is there once")
	m.ids = append(m.ids, id)
}

func (m *model) duplicate(t *rapid.T) {
	if len(m.ids) > 0 {
		m.q.duplicate(rapid.SampledFrom(m.ids).Draw(t, "id"))
		m.copies++
	}
}

// locked says whether a lease of the key still runs.
func (m *model) locked(key string) bool {
	for _, h := range m.held {
		if h.key == key {
			return true
		}
	}
	return false
}

func (m *model) lease(t *rapid.T) { m.take(t, rapid.IntRange(1, 50).Draw(t, "max")) }

func (m *model) take(t *rapid.T, n int) int {
	before := map[string]bool{}
	for _, key := range []string{"a", "b", "c"} {
		before[key] = m.locked(key)
	}
	list := m.q.lease(n, m.now.Add(visible))
	require.LessOrEqual(t, len(list), n)
	last := map[string]int{}
	for _, d := range list {
		require.False(t, before[d.Key], "%s was given out while %s is leased", d.ID, d.Key)
		require.GreaterOrEqual(t, d.N, last[d.Key], "in order of n")
		last[d.Key] = d.N
		m.attempts[d.ID]++
		require.LessOrEqual(t, d.Attempt, m.attempts[d.ID])
		require.NotContains(t, m.held, d.Receipt)
		m.held[d.Receipt] = held{d.ID, d.Key, m.now.Add(visible)}
		m.receipts = append(m.receipts, d.Receipt)
	}
	return len(list)
}

// end draws a receipt that was given out at some time, or made up.
func (m *model) draw(t *rapid.T) string {
	return rapid.SampledFrom(append(m.receipts[max(0, len(m.receipts)-20):len(m.receipts):len(m.receipts)], "nonsense")).Draw(t, "receipt")
}

func (m *model) ack(t *rapid.T) {
	receipt := m.draw(t)
	h, runs := m.held[receipt]
	require.Equal(t, runs, m.q.ack(receipt, m.now, 0))
	if runs {
		m.done[h.id] = true
	}
	delete(m.held, receipt)
}

func (m *model) dead(t *rapid.T) {
	receipt := m.draw(t)
	h, runs := m.held[receipt]
	require.Equal(t, runs, m.q.dead(receipt, m.now, 0))
	if runs {
		m.done[h.id] = true
	}
	delete(m.held, receipt)
}

func (m *model) extend(t *rapid.T) {
	receipt := m.draw(t)
	h, runs := m.held[receipt]
	require.Equal(t, runs, m.q.extend(receipt, m.now, m.now.Add(visible)))
	if runs {
		h.until = m.now.Add(visible)
		m.held[receipt] = h
	}
}

func (m *model) wait(t *rapid.T) {
	m.pass(t, time.Duration(rapid.IntRange(1, 7000).Draw(t, "ms"))*time.Millisecond)
}

func (m *model) pass(t *rapid.T, d time.Duration) {
	m.now = m.now.Add(d)
	ended := 0
	for receipt, h := range m.held {
		if !h.until.After(m.now) {
			delete(m.held, receipt)
			ended++
		}
	}
	require.Equal(t, ended, m.q.expire(m.now))
}

func (m *model) check(t *rapid.T) {
	require.Len(t, m.q.leases, len(m.held))
	require.Equal(t, len(m.ids)-len(m.done), m.q.open)
	for _, r := range m.q.order {
		require.Equal(t, m.attempts[r.ID], r.Deliveries)
		require.Equal(t, m.done[r.ID], r.AckedNs >= 0 || r.DeadNs >= 0)
	}
}

// drain acknowledges everything: nothing may be left behind, and every message must have come.
func (m *model) drain() {
	for range 2*len(m.ids) + m.copies + 2 {
		m.pass(m.t, 2*visible)
		if m.take(m.t, 50) == 0 && len(m.held) == 0 {
			break
		}
		for receipt, h := range m.held {
			require.True(m.t, m.q.ack(receipt, m.now, 0))
			m.done[h.id] = true
			delete(m.held, receipt)
		}
	}
	require.Empty(m.t, m.held)
	require.Len(m.t, m.done, len(m.ids), "every message came")
	for _, l := range m.q.keys {
		require.Empty(m.t, l.pending)
		require.Zero(m.t, l.leased)
	}
}
