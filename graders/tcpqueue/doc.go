// Package tcpqueue asks the kernel how many bytes wait in the queues of a TCP socket, also of one that belongs to another process of
// the same network namespace. What a program holds of a stream between two connections is then known to the byte: what went in, less
// what came out, less what waits in the kernel at either side.
//
// It speaks the kernel's sock_diag protocol, which needs no privilege, and looks up one socket at a time: a list of all of them costs
// milliseconds on a machine that is prepared for many. Where the kernel does not know the protocol, nothing is known.
package tcpqueue
