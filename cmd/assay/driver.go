package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/graders/debugservice"
	"github.com/assay-run/assay/graders/exactlyonce"
	"github.com/assay-run/assay/graders/exportstream"
	"github.com/assay-run/assay/graders/fileio"
	"github.com/assay-run/assay/graders/httpscript"
	"github.com/assay-run/assay/graders/httpthresholds"
	"github.com/assay-run/assay/graders/idle"
	"github.com/assay-run/assay/graders/knowntruth"
	"github.com/assay-run/assay/graders/logaggregate"
	"github.com/assay-run/assay/graders/resilienthome"
	"github.com/assay-run/assay/graders/surgepricing"
	"github.com/assay-run/assay/internal/workload"
	"github.com/assay-run/assay/runner/diskwatch"
	"github.com/assay-run/assay/runner/driver"
	"github.com/assay-run/assay/runner/egress"
)

// allGraders lists every kind of work there is.
func allGraders() []graders.Grader {
	return []graders.Grader{
		logaggregate.New(), surgepricing.New(), exportstream.New(), resilienthome.New(), exactlyonce.New(),
		fileio.NewStdio(), fileio.NewFiles(), httpscript.New(), httpthresholds.New(), debugservice.New(),
	}
}

// driverCommand is what runs inside a pod, as process 1. People have no use for it.
func (a *app) driverCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "driver",
		Short:  "Run inside a pod (started by assay itself)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// No challenge's: what assay bench measures, and the check of the harness.
			workloads := []workload.Workload{knowntruth.New(), idle.New()}
			for _, g := range allGraders() {
				workloads = append(workloads, g)
			}
			return driver.Main(cmd.Context(), a.in, a.out, a.err, workloads, driver.Options{Version: assayVersion(), Exclusive: true})
		},
	}
}

// The subcommands that make this binary what stands beside a build.
const (
	diskWatchName = "disk-watch"
	egressName    = "egress-proxy"
)

// helperCommands are what runs in containers beside a build. People have no use for them.
func (a *app) helperCommands() []*cobra.Command {
	helper := func(name, short string, run func(context.Context, []string, io.Writer) error) *cobra.Command {
		return &cobra.Command{
			Use:                name,
			Short:              short + " (started by assay itself)",
			Hidden:             true,
			DisableFlagParsing: true,
			Args:               cobra.ArbitraryArgs,
			RunE:               func(cmd *cobra.Command, args []string) error { return run(cmd.Context(), args, a.out) },
		}
	}
	return []*cobra.Command{
		helper(diskWatchName, "Watch what a build writes to disk", diskwatch.Main),
		helper(egressName, "Let a build reach the npm registry and nothing else", egress.Main),
	}
}
