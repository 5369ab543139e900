package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assay-run/assay/graders/dataset"
	"github.com/assay-run/assay/internal/scratch"
	"github.com/assay-run/assay/internal/setup"
	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/docker"
)

func (a *app) doctorCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "doctor",
		Short:   "Check whether this machine is ready, and say what to do where it is not",
		Long:    "Look at engine, images, cores, disk and clock. Changes nothing.\nExit code 0 when gradings work here, 1 when something must be done first.",
		Example: "  assay doctor\n  assay doctor --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			checks, err := a.doctor(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(a.out)
				enc.SetIndent("", "  ")
				err = enc.Encode(checks)
			} else {
				err = setup.Render(a.out, checks)
			}
			if err != nil {
				return fmt.Errorf("print checks: %w", err)
			}
			if setup.Worst(checks) == setup.Fail {
				return errDone
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return c
}

func (a *app) doctor(ctx context.Context) ([]setup.Check, error) {
	state, err := runner.OpenState(a.stateDir)
	if err != nil {
		return nil, usagef("Set ASSAY_STATE to a folder that you can write to.", "%w", err)
	}
	slots, err := a.slots()
	if err != nil {
		return nil, err
	}
	majors, err := a.majors(nil)
	if err != nil {
		return nil, err
	}
	return setup.Doctor(ctx, setup.DoctorOptions{
		Host: a.dockerHost, StateID: state.ID(), Alive: state.Alive, Majors: majors, DataDir: a.cacheDir, Slots: slots.Count(),
	}), nil
}

// slots are the cores of this machine, shared by all its users.
func (a *app) slots() (*runner.Slots, error) {
	return runner.NewSlots(filepath.Join(os.TempDir(), "assay-slots"))
}

// majors are the versions of Node that are meant: those named, else that of --node, else nil for the default.
func (a *app) majors(named []string) ([]int, error) {
	if len(named) == 0 && a.node != "" {
		named = []string{a.node}
	}
	var majors []int
	for _, name := range named {
		major, err := strconv.Atoi(name)
		if err != nil {
			return nil, usagef("Use 22, 24 or 26.", "%q is no version of Node", name)
		}
		majors = append(majors, major)
	}
	return majors, nil
}

func (a *app) setupCommand() *cobra.Command {
	opts := setup.Options{}
	var versions []string
	var platform bool
	c := &cobra.Command{
		Use:   "setup",
		Short: "Install and start what is missing, and make the images",
		Long: `Make this machine ready. A container engine that answers is used as it is; where there is none, Docker Engine is
installed and started on Debian and Ubuntu when you are root. The base image is pulled where a registry answers, else
made from Debian's packages and Node's npm package. What is there is left alone.`,
		Example: "  assay setup\n  assay setup --nodes 22,24,26\n  assay setup --services postgres,redis\n  assay setup --platform\n  assay setup --check",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			majors, err := a.majors(versions)
			if err != nil {
				return err
			}
			for _, name := range opts.Services {
				if _, err := docker.ServiceImage(name); err != nil {
					return usagef("Separate several by commas: --services postgres,redis.", "%w", err)
				}
			}
			if platform {
				if opts.Platform, err = a.driverBinary(); err != nil {
					return err
				}
			}
			opts.Host, opts.StateDir, opts.Majors = a.dockerHost, a.stateDir, majors
			opts.Progress = func(line string) { fmt.Fprintf(a.err, "  %s\n", line) }
			return setup.Ensure(cmd.Context(), opts)
		},
	}
	c.Flags().StringSliceVar(&versions, "nodes", nil, "major versions of Node to make images of (default 24)")
	c.Flags().StringSliceVar(&opts.Services, "services", nil, "services to make images of: "+strings.Join(docker.ServiceNames(), ", "))
	c.Flags().BoolVar(&platform, "platform", false, "make the images that docker-compose.yml runs: server and workers, and their PostgreSQL")
	c.Flags().BoolVar(&opts.Rebuild, "rebuild", false, "make the images anew although they are there")
	c.Flags().BoolVar(&opts.CheckOnly, "check", false, "change nothing, fail when something is missing")
	c.Flags().StringVar(&opts.WorkDir, "work", "", "folder for temporary files of about 500 MB (default: the system's)")
	return c
}

func (a *app) cleanCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "clean",
		Short: "Remove cached data sets, and what crashed sessions left",
		Long: `Remove all data sets that are not in use, and containers, volumes, networks and temporary folders of sessions that have crashed.
Images of Node are kept, those of our own driver are made again when needed; reports are yours and are never touched.`,
		Example: "  assay clean",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.clean(cmd.Context())
		},
	}
}

func (a *app) clean(ctx context.Context) error {
	done, err := dataset.Open(a.cacheDir, 0).Clean(ctx)
	if err != nil {
		return fmt.Errorf("clean data sets: %w", err)
	}
	fmt.Fprintf(a.out, "removed %d data sets, %s", done.Sets, formatBytes(done.Bytes))
	if done.InUse > 0 {
		fmt.Fprintf(a.out, "; kept %d in use", done.InUse)
	}
	fmt.Fprintln(a.out)
	folders, err := scratch.Sweep("")
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "removed %d temporary folders of crashed sessions\n", folders)
	state, err := runner.OpenState(a.stateDir)
	if err != nil {
		return err
	}
	images, err := docker.OpenImages(a.dockerHost)
	if err != nil {
		return err
	}
	defer images.Close()
	if _, err := images.Status(ctx); err != nil {
		fmt.Fprintln(a.out, "the engine does not answer: nothing was looked for there")
		return nil
	}
	if err := a.sweepAll(ctx, state); err != nil {
		return err
	}
	drivers, err := images.PruneDrivers(ctx)
	if err != nil {
		return fmt.Errorf("remove driver images: %w", err)
	}
	fmt.Fprintf(a.out, "removed %d driver images that are not in use\n", drivers)
	return nil
}

// sweepAll removes what dead sessions have left on the engine.
func (a *app) sweepAll(ctx context.Context, state *runner.State) error {
	driver, err := a.driverBinary()
	if err != nil {
		return err
	}
	engine, err := docker.New(ctx, docker.Config{
		Host: a.dockerHost, Session: "clean", StateID: state.ID(), SessionAlive: state.Alive, DriverBinary: driver, Image: "none",
	})
	if err != nil {
		return err
	}
	defer engine.Close()
	swept, err := engine.Sweep(ctx)
	if err != nil {
		return fmt.Errorf("sweep engine: %w", err)
	}
	fmt.Fprintf(a.out, "removed %d containers, %d volumes, %d networks of crashed sessions\n", swept.Containers, swept.Volumes, swept.Networks)
	return state.Prune()
}
