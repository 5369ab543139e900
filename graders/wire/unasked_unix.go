//go:build unix

package wire

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// unread says whether something waits to be read on a connection, be it its end. Nothing is taken from it.
func unread(nc net.Conn) bool {
	socket, ok := nc.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return false // the write that follows tells what is wrong
	}
	waits := false
	err = raw.Control(func(fd uintptr) {
		var one [1]byte
		_, _, rerr := unix.Recvfrom(int(fd), one[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		waits = rerr == nil
	})
	return err == nil && waits
}
