// Package scalebench measures what the platform costs: the queue without gradings, and the server under many candidates. It
// makes installations of its own, with people who do not exist, and puts its load on this machine alone.
package scalebench
