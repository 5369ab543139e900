//go:build unix

package intake

import "syscall"

// Flags that keep an open from following a link, and from waiting at a FIFO.
const (
	noFollow = syscall.O_NOFOLLOW
	noWait   = syscall.O_NONBLOCK
)
