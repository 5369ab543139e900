//go:build !linux

package rowsource

import "net"

// queued is not known here; a send buffer's worth then counts as taken, for everybody alike.
func queued(*net.TCPConn) int64 { return 0 }
