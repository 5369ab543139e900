// Package httpload puts an open load of HTTP/1.1 requests on a submission: each is due at a moment that was fixed before anything was
// sent, whatever became of those before it, and its latency runs from that moment. Requests that find no free connection wait here, and
// the wait is part of their latency: nothing is omitted because the server was slow (coordinated omission).
//
// The record is complete and bounded, so quantiles are exact and no histogram is needed.
package httpload
