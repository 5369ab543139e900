package heartbeat

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/assay-run/assay/internal/workload"
)

// beats fills a ledger with one beat each 10 ms for a second: each noticed late and answered after a time of its own.
func beats(late, latency func(i int) time.Duration) *ledger {
	l := newLedger(Options{Hz: 100, MaxBeats: 1000})
	l.knocked(1)
	for i := 1; i < 100; i++ {
		l.open(i, l.due(i)+late(i))
		l.answer(i, l.due(i)+latency(i))
	}
	return l
}

// during returns v for beats due in [from, to) ms that lasts until to, and other elsewhere.
func during(from, to int, other time.Duration) func(i int) time.Duration {
	return func(i int) time.Duration {
		if i*10 >= from && i*10 < to {
			return time.Duration(to-i*10) * ms
		}
		return other
	}
}

func TestOwnPausesAreTakenOut(t *testing.T) {
	t.Parallel()
	quick := func(int) time.Duration { return 2 * ms }
	onTime := func(int) time.Duration { return 0 }
	tests := []struct {
		name          string
		late, latency func(int) time.Duration
		max, paused   time.Duration
	}{
		{"nothing happens", onTime, quick, 2 * ms, 0},
		{"the submission blocks", onTime, during(300, 390, 2*ms), 90 * ms, 0},
		{"we do not run", during(300, 390, 0), during(300, 390, 2*ms), 2 * ms, 90 * ms},
		{"both: only our part is taken out", during(300, 390, 0), during(300, 450, 2*ms), 60 * ms, 90 * ms},
		{"we do not run in the middle of a stall: it makes no difference", during(350, 380, 0), during(300, 390, 2*ms), 90 * ms, 30 * ms},
		{"we notice the answer late", during(350, 390, 0), during(300, 390, 2*ms), 50 * ms, 40 * ms},
		{"a little late is timer noise", func(int) time.Duration { return 4 * ms }, quick, 2 * ms, 0},
		{"too much is not forgiven", during(300, 600, 0), during(300, 600, 2*ms), 300 * ms, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			hb, _ := beats(tt.late, tt.latency).close(time.Second)
			assert.Equal(t, tt.max.Milliseconds(), time.Duration(hb.MaxNs).Milliseconds())
			assert.Equal(t, tt.paused, time.Duration(hb.OwnPausedNs))
		})
	}
}

func TestStolenTimeIsTakenOut(t *testing.T) {
	t.Parallel()
	start := time.Now()
	from := func(a, b int) workload.Pause {
		return workload.Pause{From: start.Add(time.Duration(a) * ms), To: start.Add(time.Duration(b) * ms)}
	}
	onTime := func(int) time.Duration { return 0 }
	tests := []struct {
		name        string
		late        func(i int) time.Duration
		stolen      []workload.Pause
		max, paused time.Duration
	}{
		{"nothing stolen", onTime, nil, 90 * ms, 0},
		{"all of it", onTime, []workload.Pause{from(300, 390)}, 2 * ms, 90 * ms},
		{"a part of it", onTime, []workload.Pause{from(300, 340)}, 50 * ms, 40 * ms},
		{"elsewhere", onTime, []workload.Pause{from(500, 590)}, 90 * ms, 90 * ms},
		{"at the same time as our own pause: not twice", during(300, 390, 0), []workload.Pause{from(300, 390)}, 2 * ms, 90 * ms},
		{"before the schedule began", onTime, []workload.Pause{from(-90, -10)}, 90 * ms, 0},
		{"too much is not believed", onTime, []workload.Pause{from(300, 390), from(500, 590)}, 90 * ms, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := beats(tt.late, during(300, 390, 2*ms))
			l.steal(tt.stolen, start)
			hb, _ := l.close(time.Second)
			assert.Equal(t, tt.max.Milliseconds(), time.Duration(hb.MaxNs).Milliseconds())
			assert.Equal(t, tt.paused, time.Duration(hb.StolenNs))
		})
	}
}
