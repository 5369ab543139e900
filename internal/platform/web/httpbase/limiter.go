package httpbase

import (
	"container/list"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limiter bounds how often something happens for each key. It remembers so many keys; when there are more, the one that
// was used the longest ago is forgotten. It may be used by several goroutines.
type Limiter struct {
	each  rate.Limit
	burst int
	most  int
	now   func() time.Time

	mu   sync.Mutex
	keys map[string]*list.Element
	used *list.List // of *bucket, the newest first
}

type bucket struct {
	key     string
	limiter *rate.Limiter
}

// NewLimiter makes a limiter of each a second, and burst at once.
func NewLimiter(each rate.Limit, burst, mostKeys int, now func() time.Time) *Limiter {
	return &Limiter{each: each, burst: burst, most: max(mostKeys, 1), now: now, keys: map[string]*list.Element{}, used: list.New()}
}

// Take is 0 when it may happen now, and otherwise how long to wait; then nothing was taken.
func (l *Limiter) Take(key string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.keys[key]
	if ok {
		l.used.MoveToFront(e)
	} else {
		if l.used.Len() >= l.most {
			last := l.used.Back()
			delete(l.keys, l.used.Remove(last).(*bucket).key)
		}
		e = l.used.PushFront(&bucket{key: key, limiter: rate.NewLimiter(l.each, l.burst)})
		l.keys[key] = e
	}
	now := l.now()
	r := e.Value.(*bucket).limiter.ReserveN(now, 1)
	if !r.OK() {
		return time.Second // a burst of 0
	}
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// Len is how many keys are remembered.
func (l *Limiter) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.used.Len()
}
