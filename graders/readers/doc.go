// Package readers holds HTTP clients that read an answer in a scripted way: as fast as it comes, at a bounded rate, not at all for a
// while, or only up to a point at which they hang up.
//
// What a server has to hold for a slow client is what this is for, so little of the answer may hide in the kernel: a client can have a
// small receive buffer and the small segments of a real network, both set before it connects. On loopback, segments are 64 KiB, and a
// server's kernel then takes 2.5 MB for each client before it says that a client is slow; with the 1460 bytes of an Ethernet it takes
// less than 100 KB.
//
// No body is kept: its bytes go to a Verifier as they come. What remains is an Account: when what came, and how it ended.
package readers
