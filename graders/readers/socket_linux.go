package readers

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// prepare sets what has to be known before a connection is made: both sizes are told to the other side when it opens.
func prepare(buffer, segment int) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		var failed error
		set := func(fd, level, option, value int) {
			if value > 0 && failed == nil {
				failed = unix.SetsockoptInt(fd, level, option, value)
			}
		}
		err := c.Control(func(fd uintptr) {
			set(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, buffer)
			set(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG, segment)
		})
		if err == nil {
			err = failed
		}
		if err != nil {
			return fmt.Errorf("set up socket: %w", err)
		}
		return nil
	}
}
