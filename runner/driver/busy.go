package driver

import (
	"slices"
	"sync"
	"time"
)

const (
	// maxBusy bounds the samples that are kept of one execution: 40 minutes at 100 Hz, 4 MiB.
	maxBusy = 1 << 18
	// busyShare is the part of a time that the main thread must have worked, or waited for a core, to have been busy in it.
	busyShare = 0.7
	// busyLook is how much of a stretch of work is looked at to find its beginning.
	busyLook = 250 * time.Millisecond
)

// busy remembers how much the submission's main thread had worked, or waited for a core, at each sample. It tells when a stretch of
// work began more exactly than the samples are apart: what was worked between two of them is known in ns.
type busy struct {
	mu      sync.Mutex
	samples []busyAt // ascending
}

type busyAt struct {
	at   time.Time
	used time.Duration // cumulative
}

// observe takes one sample.
func (b *busy) observe(at time.Time, used time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.samples) < maxBusy {
		b.samples = append(b.samples, busyAt{at, used})
	}
}

// began finds when the work began that went on without a break from at to until; it was not yet going on at after. ok is false when the
// thread was not at work then, or the samples do not tell.
//
// A thread that works from s on has used t-s at time t. The kernel may be behind with its books by a tick (4 ms at 250 Hz), never ahead,
// so each sample says "at s or earlier", and the earliest is the nearest.
func (b *busy) began(after, at, until time.Time) (s time.Time, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if look := at.Add(busyLook); until.After(look) {
		until = look
	}
	first, _ := slices.BinarySearchFunc(b.samples, after, func(x busyAt, t time.Time) int { return x.at.Compare(t) })
	first-- // the last one at which it was surely not going on
	if first < 0 {
		return time.Time{}, false
	}
	base := b.samples[first]
	s = at
	seen := 0
	var last busyAt
	for _, x := range b.samples[first+1:] {
		if !x.at.Before(until) {
			break
		}
		if x.at.Before(at) {
			continue
		}
		seen++
		last = x
		if from := x.at.Add(-(x.used - base.used)); from.Before(s) {
			s = from
		}
	}
	if seen == 0 || float64(last.used-base.used) < busyShare*float64(last.at.Sub(at)) || last.used-base.used <= 0 {
		return time.Time{}, false
	}
	if s.Before(after) {
		s = after
	}
	return s, true
}
