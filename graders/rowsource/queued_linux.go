package rowsource

import (
	"net"

	"golang.org/x/sys/unix"
)

// queued is how many bytes the kernel holds for sending: not sent, or not yet confirmed.
func queued(nc *net.TCPConn) int64 {
	raw, err := nc.SyscallConn()
	if err != nil {
		return 0
	}
	n := 0
	err = raw.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	if err != nil {
		return 0
	}
	return int64(n)
}
