// The test driver of the conformance suite: it answers the questions of package lines on its standard streams, and
// reaps what is left to it as PID 1 of a pod.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/assay-run/assay/runner/runnertest/lines"
)

func main() { os.Exit(run()) }

func run() int {
	if os.Getpid() == 1 {
		go reap()
	}
	err := lines.Serve(struct {
		io.Reader
		io.Writer
	}{os.Stdin, os.Stdout}, os.Stderr)
	var exit lines.ExitError
	switch {
	case errors.As(err, &exit):
		return exit.Code
	case err != nil:
		fmt.Fprintln(os.Stderr, "testdriver:", err)
		return 1
	}
	return 0
}

// reap collects the processes that the kernel hands to PID 1. It lives as long as the program.
func reap() {
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	for range children {
		for {
			pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			if pid <= 0 || err != nil {
				break
			}
		}
	}
}
