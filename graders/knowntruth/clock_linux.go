package knowntruth

import (
	"time"

	"golang.org/x/sys/unix"
)

// Now is CLOCK_MONOTONIC in ns, which process.hrtime of Node reads too.
func Now() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0 // every Linux has this clock
	}
	return ts.Nano()
}

// At is what CLOCK_MONOTONIC showed at a moment of ours.
func At(t time.Time) int64 { return Now() - int64(time.Since(t)) }
