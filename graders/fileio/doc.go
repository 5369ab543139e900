// Package fileio is the work and the judge of programs that turn an input into an output, with cases that are files of the challenge's
// folder: "stdin-stdout", where the input is the standard input, and "file-in-file-out", where it is a file whose name is an argument. The
// output is a file where the arguments name it, and the standard output otherwise. What is expected stays on the host.
package fileio
