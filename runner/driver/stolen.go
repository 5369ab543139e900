package driver

import (
	"sync"
	"time"

	"github.com/assay-run/assay/internal/workload"
)

const (
	// stolenAtLeast is from which time on a wait counts: shorter ones are the ordinary turn-taking of a scheduler.
	stolenAtLeast = 3 * time.Millisecond
	// stolenMemory is how far back CPU time is remembered, and so the longest wait that can be told apart.
	stolenMemory = 5 * time.Second
	// maxStolen bounds the list of one execution; a machine that steals more often measures nothing.
	maxStolen = 10_000
)

// stolen finds the times in which the submission's main thread was ready to run, did not, and its core was not with another
// thread of the submission either. The kernel books the wait of a thread (schedstat) when it ends; what the whole container
// used meanwhile is the submission's own doing. Only the rest was taken by somebody else.
type stolen struct {
	history []usageAt // of the last stolenMemory, ascending

	mu   sync.Mutex
	list []workload.Pause // ascending and apart from each other
}

// usageAt is cumulative time of the main thread's waits and of the container's CPU, in ns.
type usageAt struct {
	at         time.Time
	delay, cpu int64
}

// observe takes one sample.
func (s *stolen) observe(at time.Time, delay, cpu int64) {
	n := len(s.history)
	now := usageAt{at, delay, cpu}
	if n == 0 {
		s.history = append(s.history, now)
		return
	}
	last := s.history[n-1]
	s.history = append(s.history, now)
	for len(s.history) > 2 && at.Sub(s.history[1].at) > stolenMemory {
		s.history = s.history[1:]
	}
	waited := time.Duration(delay - last.delay)
	if waited < stolenAtLeast {
		return
	}
	// The wait may have begun as early as its length before the last sample.
	before := s.history[0]
	for i := len(s.history) - 2; i >= 0; i-- {
		if before = s.history[i]; last.at.Sub(before.at) >= waited {
			break
		}
	}
	taken := min(waited-time.Duration(cpu-before.cpu), at.Sub(before.at))
	if taken < stolenAtLeast {
		return
	}
	s.add(workload.Pause{From: at.Add(-taken), To: at})
}

// add appends a pause; one that touches the last is joined with it.
func (s *stolen) add(p workload.Pause) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.list); n > 0 && !p.From.After(s.list[n-1].To) {
		s.list[n-1].To = p.To
		return
	}
	if len(s.list) < maxStolen {
		s.list = append(s.list, p)
	}
}

// pauses returns what was found so far.
func (s *stolen) pauses() []workload.Pause {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]workload.Pause(nil), s.list...)
}
