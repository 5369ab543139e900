package service

import (
	"sync"
	"time"
)

// Wrong passwords cost time: freeTries cost nothing, then each one doubles the wait, from a second to longestWait.
const (
	freeTries      = 5
	freeTriesFrom  = 20 // for one address, which a whole office may share
	longestWait    = 15 * time.Minute
	guardForgets   = time.Hour
	maxGuardedKeys = 10_000
)

// delay is how long nobody may try after the n-th wrong try, n from 1.
func delay(n, free int) time.Duration {
	if n <= free {
		return 0
	}
	if n-free > 10 { // 2^10 s is more than the longest already
		return longestWait
	}
	return min(time.Second<<(n-free-1), longestWait)
}

// guard counts tries by key, in memory: by the address that they come from, and by accounts that do not exist, so that
// these look like those that do. It is bounded; when it is full, what was quiet the longest is forgotten.
type guard struct {
	now func() time.Time

	mu    sync.Mutex
	tries map[string]*tries
}

type tries struct {
	n     int
	until time.Time
	last  time.Time
}

func newGuard(now func() time.Time) *guard { return &guard{now: now, tries: map[string]*tries{}} }

// take counts a try that is about to be made. When it may not be made, wait is how long.
func (g *guard) take(key string, free int) (wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	t := g.tries[key]
	if t != nil && now.Sub(t.last) >= guardForgets {
		t = nil
	}
	if t == nil {
		g.makeRoom(now)
		t = &tries{}
		g.tries[key] = t
	}
	if now.Before(t.until) {
		return t.until.Sub(now)
	}
	t.n++
	t.last, t.until = now, now.Add(delay(t.n, free))
	return 0
}

// refund takes back a try that has succeeded.
func (g *guard) refund(key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.tries[key]
	if t == nil {
		return
	}
	t.n, t.until = t.n-1, time.Time{}
	if t.n <= 0 {
		delete(g.tries, key)
	}
}

// makeRoom forgets what is old and, when the table is full nevertheless, the quietest.
func (g *guard) makeRoom(now time.Time) {
	if len(g.tries) < maxGuardedKeys {
		return
	}
	oldest, at := "", now
	for key, t := range g.tries {
		switch {
		case now.Sub(t.last) >= guardForgets:
			delete(g.tries, key)
		case oldest == "" || t.last.Before(at):
			oldest, at = key, t.last
		}
	}
	if len(g.tries) >= maxGuardedKeys {
		delete(g.tries, oldest)
	}
}
