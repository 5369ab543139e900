//go:build !linux

package heartbeat

import "time"

// rest sleeps for a millisecond or two.
func rest(d time.Duration) { time.Sleep(d) }
