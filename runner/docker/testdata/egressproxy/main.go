// The helpers of a build, for the integration tests of Build. Its first argument is the name of the subcommand.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/assay-run/assay/runner/diskwatch"
	"github.com/assay-run/assay/runner/egress"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	run := egress.Main
	if os.Args[1] == "disk-watch" {
		run = diskwatch.Main
	}
	if err := run(ctx, os.Args[2:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
