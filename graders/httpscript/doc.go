// Package httpscript is the work and the judge of services that are asked by a script: requests one after the other or at once, with
// what each answer must be, values of answers in later requests, kills in between, and scripted upstreams beside. The driver knows the
// requests; what is expected stays on the host.
package httpscript
