package heartbeat

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

const ms = time.Millisecond

func testLedger() *ledger {
	return newLedger(Options{Hz: 100, Grace: 500 * ms, MaxBeats: 10_000})
}

func TestLedgerStartUp(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		first time.Duration // negative for never
		end   time.Duration
		due   int
		max   time.Duration
	}{
		{"quick start is free", 100 * ms, 105 * ms, 1, 0},
		{"within the grace is free", 490 * ms, 495 * ms, 1, 0},
		{"beyond the grace counts", 2000 * ms, 2005 * ms, 151, 1500 * ms},
		{"first answer at the very end", 60_000 * ms, 60_000 * ms, 5951, 59_500 * ms},
		{"never", -1, 2000 * ms, 140, 1500 * ms},
		{"never, but it did not live long", -1, 550 * ms, 0, 0},
		{"ended within the grace", -1, 300 * ms, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := testLedger()
			if tt.first >= 0 {
				l.knocked(tt.first)
			}
			hb, _ := l.close(tt.end)
			assert.Equal(t, tt.due, hb.Due)
			assert.InDelta(t, tt.max.Seconds(), time.Duration(hb.MaxNs).Seconds(), 1e-6)
			assert.InDelta(t, tt.max.Seconds(), time.Duration(hb.StallNs).Seconds(), 1e-6)
			if tt.first < 0 {
				assert.Equal(t, int64(-1), hb.FirstAnswerNs)
				assert.Zero(t, hb.Answered)
			}
		})
	}
}

// TestLedgerEnd starts with a quick first answer; beats are due every 10 ms from then on.
func TestLedgerEnd(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		beats    func(l *ledger)
		end      time.Duration
		due      int
		answered int
		prompt   int
		max      time.Duration
		stall    time.Duration
	}{
		{"all answered", func(l *ledger) {
			for i := 1; i <= 100; i++ {
				l.answer(i, l.due(i)+2*ms)
			}
		}, 1005 * ms, 101, 101, 101, 2 * ms, 2 * ms},
		{"last 100 ms are not held against it", func(l *ledger) {
			for i := 1; i <= 90; i++ {
				l.answer(i, l.due(i)+2*ms)
			}
		}, 1000 * ms, 91, 91, 91, 2 * ms, 2 * ms},
		{"blocked to the end", func(l *ledger) {
			for i := 1; i <= 50; i++ {
				l.answer(i, l.due(i)+2*ms)
			}
		}, 1000 * ms, 90, 51, 51, 490 * ms, 494 * ms},
		{"answered late", func(l *ledger) {
			for i := 1; i <= 100; i++ {
				l.answer(i, max(l.due(i), 2000*ms))
			}
		}, 2000 * ms, 190, 101, 2, 1990 * ms, 1995 * ms},
		{"failed, then answered", func(l *ledger) {
			for i := 1; i <= 50; i++ {
				l.fail(i)
			}
			for i := 51; i <= 100; i++ {
				l.answer(i, l.due(i)+ms)
			}
		}, 1005 * ms, 101, 51, 51, 501 * ms, 506 * ms},
		{"failed to the end", func(l *ledger) {
			for i := 1; i <= 50; i++ {
				l.answer(i, l.due(i)+ms)
			}
			for i := 51; i <= 100; i++ {
				l.fail(i)
			}
		}, 1000 * ms, 90, 51, 51, 490 * ms, 494*ms + ms/2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := testLedger()
			assert.Equal(t, 1, l.knocked(0))
			for i := 1; i <= 100; i++ {
				l.open(i, l.due(i))
			}
			tt.beats(l)
			hb, curve := l.close(tt.end)
			assert.Equal(t, [...]int{tt.due, tt.answered, tt.prompt}, [...]int{hb.Due, hb.Answered, hb.Prompt})
			assert.Equal(t, tt.max, time.Duration(hb.MaxNs))
			assert.InDelta(t, tt.stall, hb.StallNs, float64(time.Microsecond))
			assert.NotEmpty(t, curve.T)
		})
	}
}

// TestStallBeginsWithTheWork has a stall from 503 to 700 ms: the last answer before it came at 502, the first beat in it was due at 510.
func TestStallBeginsWithTheWork(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name          string
		began         func(after, at, until time.Duration) (time.Duration, bool)
		stall, unsure time.Duration
	}{
		{"nobody knows", nil, 194 * ms, 4 * ms},
		{"the thread was not at work", func(_, _, _ time.Duration) (time.Duration, bool) { return 0, false }, 194 * ms, 4 * ms},
		{"the kernel knows", func(after, at, until time.Duration) (time.Duration, bool) {
			return 503 * ms, after == 502*ms && at == 510*ms && until == 700*ms
		}, 197 * ms, 2 * ms},
		{"not before the last answer", func(_, _, _ time.Duration) (time.Duration, bool) { return 100 * ms, true }, 198 * ms, 2 * ms},
		{"not after the beat", func(_, _, _ time.Duration) (time.Duration, bool) { return 600 * ms, true }, 190 * ms, 2 * ms},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := testLedger()
			l.knocked(0)
			for i := 1; i <= 100; i++ {
				l.open(i, l.due(i))
				got := l.due(i) + 2*ms
				if l.due(i) > 503*ms {
					got = max(got, 700*ms)
				}
				l.answer(i, got)
			}
			l.began = tt.began
			hb, _ := l.close(1005 * ms)
			assert.Equal(t, tt.stall, time.Duration(hb.StallNs))
			assert.Equal(t, tt.unsure, time.Duration(hb.StallErrorNs))
			assert.Equal(t, 190*ms, time.Duration(hb.MaxNs), "what a caller saw stays what it was")
		})
	}
}

func TestLedgerOwnLateness(t *testing.T) {
	t.Parallel()
	l := testLedger()
	l.open(1, l.due(1)+3*ms)
	l.open(2, l.due(2)+ms)
	hb, _ := l.close(30 * ms)
	assert.Equal(t, int64(3*ms), hb.OwnLateNs)
}

// TestLongestStallByCounting compares with the definition, millisecond by millisecond: a stall is a stretch in which at
// least one beat is open all the time and none ends.
func TestLongestStallByCounting(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const span = 60
		var beats []beat
		for range rapid.IntRange(0, 12).Draw(t, "beats") {
			due := rapid.IntRange(0, span-1).Draw(t, "due")
			latency := rapid.IntRange(1, span-due).Draw(t, "latency")
			beats = append(beats, beat{due: time.Duration(due), latency: time.Duration(latency)})
		}
		longest, run := 0, 0
		for at := range span {
			open, ends := false, false
			for _, b := range beats {
				open = open || int(b.due) <= at && at < int(b.due+b.latency)
				ends = ends || int(b.due+b.latency) == at
			}
			if ends {
				run = 0
			}
			if open {
				run++
			} else {
				run = 0
			}
			longest = max(longest, run)
		}
		if got := longestStall(beats); int(got.to-got.from) != longest {
			t.Fatalf("%v: got %d, want %d", beats, got, longest)
		}
	})
}
