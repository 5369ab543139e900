package loopback

import (
	"context"
	"time"
)

// Ended says whether ctx has ended, or should have. A dialer sets its own timer to the deadline of a context, and that one may fire
// first: the connection has failed by then although ctx.Err is still nil.
func Ended(ctx context.Context) bool {
	if ctx.Err() != nil {
		return true
	}
	deadline, ok := ctx.Deadline()
	return ok && !time.Now().Before(deadline)
}
