// Package knowntruth is what Assay's own measuring is measured with: a program that blocks its event loop, or takes memory, for
// times and sizes that it knows itself, and the workload that drives it as a grader drives a submission. It is no
// challenge's: `assay bench` stages the program, and package accuracy compares what it knows with what the evidence says.
//
// The program and the driver read the same clock (CLOCK_MONOTONIC), so a moment of the one is a moment of the other.
package knowntruth
