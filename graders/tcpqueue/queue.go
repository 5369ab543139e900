package tcpqueue

// Queue is what waits in the kernel at one end of a connection.
type Queue struct {
	Unread int64 // bytes that have come, and that the program has not read
	Unsent int64 // bytes that the program has written, and that the other side has not confirmed
}
