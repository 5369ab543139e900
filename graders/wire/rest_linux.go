package wire

import (
	"time"

	"golang.org/x/sys/unix"
)

// rest sleeps for a millisecond or two. The runtime waits for its timers with epoll, whose resolution is a millisecond, so
// they come half a millisecond late on average and one at worst; that would be counted as the submission's.
func rest(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&ts, nil) // may be interrupted; the caller looks at the clock
}
