// Package exportstream grades services that stream an export from a source to clients: whether the bytes are right, whether a slow
// client slows its source down instead of filling memory, whether a client that leaves ends the work for it, and whether a source
// that fails is seen to have failed. contract.md is what a submission is held to.
//
// The driver is both ends: the source (graders/rowsource) and the clients (graders/readers). What a submission holds of a stream is
// what the source has been relieved of less what the client has been given, counted in bytes of the source.
package exportstream
