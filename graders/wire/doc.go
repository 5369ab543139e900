// Package wire has the connections that instruments ask a submission over: HTTP/1.1, one request at a time on each, written as one
// prepared piece and answered within bounds. net/http's client has locks and goroutines of its own, whose jitter would be counted as
// the submission's.
package wire
