//go:build !linux

package wire

import "time"

// rest sleeps for a millisecond or two.
func rest(d time.Duration) { time.Sleep(d) }
