// Package fileio is the work and the judge of programs that turn an input into an output, with cases that are files of the challenge's
// folder: "stdin-stdout", where the input is the standard input and the output is the standard output, and "file-in-file-out", where both
// are files whose names are arguments. What is expected stays on the host.
package fileio
