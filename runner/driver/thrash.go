package driver

import (
	"fmt"
	"time"
)

// A submission at its memory limit can hang instead of dying: the kernel throws out the pages of its program text,
// which it needs at once again, and so on. Two Node processes were seen to do that for ten minutes at about 100,000
// refaults a second, with everything stalled 76 % of the time, and no OOM kill.
//
// It is told from a program that streams a large file (usage is at the limit too, but it reads), from one that only
// computes (no refaults) and from one that is slow at its limit (it still gets something read) by all of this being so
// for thrashFor on end:
const (
	thrashFor   = 8 * time.Second
	thrashCheck = time.Second
	// thrashUsage is the usage, page cache included, from which a group counts as being at its limit.
	thrashUsage = 0.97
	// thrashRefaults is the rate in pages a second from which it counts as throwing out what it needs; the second one
	// holds where the kernel does not say how long all tasks were stalled.
	thrashRefaults      = 200
	thrashRefaultsBlind = 2000
	// thrashStall is the share of the time in which all tasks waited for memory.
	thrashStall = 0.5
	// thrashRead is the rate in bytes a second below which nothing gets done: a heartbeat alone reads more.
	thrashRead = 16 << 10
)

// thrashSample is what is known at one moment. The last three are cumulative.
type thrashSample struct {
	at                    time.Time
	usage, limit          int64 // bytes
	refaults, read, stall int64 // pages, bytes, ns
}

// thrash watches for a livelock at the memory limit. The zero value is ready.
type thrash struct {
	found bool
	since thrashSample // the beginning of the stretch; its time is zero outside of one
	check thrashSample // the last check
	now   thrashSample
}

// observe takes a sample. Samples should come at least each thrashCheck.
func (t *thrash) observe(s thrashSample) {
	t.now = s
	if t.found {
		return
	}
	atLimit := s.limit > 0 && float64(s.usage) >= thrashUsage*float64(s.limit)
	switch {
	case !atLimit:
		t.since = thrashSample{}
	case t.since.at.IsZero():
		t.since, t.check = s, s
	case s.at.Sub(t.check.at) < thrashCheck:
	case !stuck(t.check, s):
		t.since, t.check = s, s
	default:
		t.check = s
		t.found = s.at.Sub(t.since.at) >= thrashFor
	}
}

// stuck says whether nothing but refaulting happened between two samples.
func stuck(a, b thrashSample) bool {
	span := b.at.Sub(a.at)
	refaults := float64(b.refaults-a.refaults) / span.Seconds()
	read := float64(b.read-a.read) / span.Seconds()
	if read > thrashRead || refaults < thrashRefaults {
		return false
	}
	if b.stall == 0 { // the kernel does not say
		return refaults >= thrashRefaultsBlind
	}
	return float64(b.stall-a.stall) >= thrashStall*float64(span)
}

// detail is one sentence with the figures.
func (t *thrash) detail() string {
	span := t.now.at.Sub(t.since.at)
	return fmt.Sprintf("For %.0f s it stood at its memory limit of %d MiB and made no progress while %d pages were thrown out "+
		"and read again; it was ended.", span.Seconds(), t.since.limit>>20, t.now.refaults-t.since.refaults)
}
