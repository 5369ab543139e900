package main

import (
	"github.com/spf13/cobra"

	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/graders/idle"
	"github.com/assay-run/assay/graders/knowntruth"
	"github.com/assay-run/assay/graders/logaggregate"
	"github.com/assay-run/assay/graders/surgepricing"
	"github.com/assay-run/assay/internal/workload"
	"github.com/assay-run/assay/runner/diskwatch"
	"github.com/assay-run/assay/runner/driver"
	"github.com/assay-run/assay/runner/egress"
)

// allGraders lists every kind of work there is.
func allGraders() []graders.Grader {
	return []graders.Grader{logaggregate.New(), surgepricing.New()}
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

// diskWatchName is the subcommand that makes this binary the watch of what a build writes.
const diskWatchName = "disk-watch"

// diskWatchCommand watches what a build writes.
func (a *app) diskWatchCommand() *cobra.Command {
	return &cobra.Command{
		Use:                diskWatchName,
		Short:              "Watch what a build writes to disk (started by assay itself)",
		Hidden:             true,
		DisableFlagParsing: true,
		Args:               cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return diskwatch.Main(cmd.Context(), args, a.out)
		},
	}
}

// egressName is the subcommand that makes this binary the proxy of the build phase.
const egressName = "egress-proxy"

// egressCommand is the proxy of the build phase.
func (a *app) egressCommand() *cobra.Command {
	return &cobra.Command{
		Use:                egressName,
		Short:              "Let a build reach the npm registry and nothing else (started by assay itself)",
		Hidden:             true,
		DisableFlagParsing: true,
		Args:               cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return egress.Main(cmd.Context(), args, a.out)
		},
	}
}
