package setup

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/assay-run/assay/runner/docker"
)

// Status is the outcome of a Check.
type Status string

// The outcomes of a Check.
const (
	OK   Status = "ok"
	Warn Status = "warn" // gradings work, but their figures are worth less, or a mode will not fit
	Fail Status = "fail" // gradings do not work
)

// Check is one thing the doctor looked at.
type Check struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	Seen   string `json:"seen"`           // what is there, with figures
	Todo   string `json:"todo,omitempty"` // what to do, empty when there is nothing to do
}

// DoctorOptions say what to look at.
type DoctorOptions struct {
	// Host is the address of the engine; empty takes that of the environment.
	Host string
	// StateID and Alive tell which objects on the engine are ours and dead; see docker.Config. A nil Alive leaves the check out.
	StateID string
	Alive   func(session string) bool
	// Majors are the versions of Node whose images are looked for; 24 unless set.
	Majors []int
	// DataDir is where data sets are kept; empty leaves the check of free disk there out.
	DataDir string
	// Slots is how many measured runs this machine makes at once, of runner.Slots; 0 leaves the check out.
	Slots int
}

// Doctor looks at the engine and the machine and changes nothing. It does not fail: what it cannot look at is a Check that
// says so. Checks that need the engine are left out when it does not answer.
func Doctor(ctx context.Context, opts DoctorOptions) []Check {
	if len(opts.Majors) == 0 {
		opts.Majors = []int{24}
	}
	images, err := docker.OpenImages(opts.Host)
	if err != nil {
		return append([]Check{engineCheck(docker.EngineStatus{}, err)}, machineChecks(opts, 0)...)
	}
	defer func() { _ = images.Close() }() // it drops idle connections only
	status, err := images.Status(ctx)
	checks := []Check{engineCheck(status, err)}
	if err != nil {
		return append(checks, machineChecks(opts, 0)...)
	}
	checks = append(checks, apiCheck(status), cgroupCheck(status))
	for _, major := range opts.Majors {
		for _, ref := range []string{docker.RunImage(major), docker.BuildImage(major)} {
			checks = append(checks, imageCheck(ctx, images, ref))
		}
	}
	checks = append(checks, memoryCheck(status.MemoryBytes))
	checks = append(checks, machineChecks(opts, status.CPUs)...)
	if status.Root != "" {
		checks = append(checks, diskCheck("disk of the engine", status.Root, engineDisk(), freeBytes))
	}
	if opts.Alive != nil {
		checks = append(checks, leftoverCheck(images.Leftovers(ctx, opts.StateID, opts.Alive)))
	}
	return checks
}

// machineChecks are those that need no engine. cpus are the engine's, 0 when unknown.
func machineChecks(opts DoctorOptions, cpus int) []Check {
	checks := []Check{clockCheck(host{}, clockCost)}
	if opts.Slots > 0 || cpus > 0 {
		checks = append(checks, coresCheck(opts.Slots, cpus))
	}
	if opts.DataDir != "" {
		checks = append(checks, diskCheck("disk for data", opts.DataDir, dataDisk(), freeBytes))
	}
	return checks
}

// Worst is the worst status of some checks.
func Worst(checks []Check) Status {
	worst := OK
	for _, c := range checks {
		switch {
		case c.Status == Fail:
			return Fail
		case c.Status == Warn:
			worst = Warn
		}
	}
	return worst
}

// Render writes checks as aligned lines, what to do below each.
func Render(w io.Writer, checks []Check) error {
	width := 0
	for _, c := range checks {
		width = max(width, len(c.Name))
	}
	var b strings.Builder
	for _, c := range checks {
		fmt.Fprintf(&b, "%-4s  %-*s  %s\n", c.Status, width, c.Name, c.Seen)
		if c.Todo != "" {
			fmt.Fprintf(&b, "      %-*s  → %s\n", width, "", c.Todo)
		}
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write checks: %w", err)
	}
	return nil
}
