package wire

import (
	"context"
	"time"
)

// restFor is the end of a wait that is slept through precisely, and without looking at ctx.
const restFor = 1500 * time.Microsecond

// SleepUntil waits for a moment to a tenth of a millisecond, where the system can; it returns false when ctx ended first.
func SleepUntil(ctx context.Context, at time.Time) bool {
	if d := time.Until(at) - restFor; d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return false
		}
	}
	for d := time.Until(at); d > 0 && ctx.Err() == nil; d = time.Until(at) {
		rest(d)
	}
	return ctx.Err() == nil
}
