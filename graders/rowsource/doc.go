// Package rowsource is an HTTP server that a submission reads from: a source which is as fast as it is read, and which knows at any
// moment how much of it has been taken. A stream can hesitate, come in small pieces, stop, or fail half-way, by plan.
//
// A request names its stream by a number in its query. Every answer has a connection of its own, so that the end of that
// connection is the end of somebody's interest, and is seen at once, also while nothing is sent.
//
// What has been taken is what was written, less what the kernel still holds for sending (Linux; elsewhere a send buffer's worth
// counts as taken). What waits in the receive buffer of the submission counts as taken too; the ends of its connections are told, so
// that graders/tcpqueue can say how much that is.
package rowsource
