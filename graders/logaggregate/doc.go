// Package logaggregate is the work and the judge of the log-aggregate challenge: a file-in, file-out program that is given
// logs larger than its memory. The rules a submission is held to are in contract.md.
package logaggregate
