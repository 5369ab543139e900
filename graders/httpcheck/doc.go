// Package httpcheck says what an answer over HTTP must be, for workloads whose author writes that down in YAML: status, headers, JSON by
// example, by schema or by expression, with captured values in between. What is checked is written by a submission; what is expected
// never leaves the host.
package httpcheck
