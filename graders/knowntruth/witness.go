package knowntruth

import (
	"context"
	"sync"
	"time"

	"github.com/assay-run/assay/internal/workload"
)

const (
	// witnessEvery is how often the witness looks at the clock, lateAtLeast how late it must be to count as not having run: less
	// is how timers are.
	witnessEvery = 2 * time.Millisecond
	lateAtLeast  = 3 * time.Millisecond
	maxLate      = 100_000
)

// witness notes when this process itself did not get a core. The heartbeat knows that of its own beats only, and forgives it
// only within a bound; to call a stall undisturbed, more must be known.
type witness struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup
	late   []workload.Pause
}

func startWitness(ctx context.Context) *witness {
	ctx, cancel := context.WithCancel(ctx)
	w := &witness{cancel: cancel}
	w.wg.Go(func() {
		last := time.Now()
		for len(w.late) < maxLate {
			pause(ctx, witnessEvery)
			if ctx.Err() != nil {
				return
			}
			now := time.Now()
			if due := last.Add(witnessEvery); now.Sub(due) >= lateAtLeast {
				w.late = append(w.late, workload.Pause{From: due, To: now})
			}
			last = now
		}
	})
	return w
}

// stop ends it and returns what it noted.
func (w *witness) stop() []workload.Pause {
	w.cancel()
	w.wg.Wait()
	return w.late
}

// overlap is how much of the time between two moments lies in pauses.
func overlap(pauses []workload.Pause, from, to time.Time) (sum time.Duration) {
	for _, p := range pauses {
		begin, end := p.From, p.To
		if begin.Before(from) {
			begin = from
		}
		if end.After(to) {
			end = to
		}
		sum += max(0, end.Sub(begin))
	}
	return sum
}
