package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/assay-run/assay/internal/platform/scalebench"
	"github.com/assay-run/assay/internal/scratch"
)

// queueBenchCommand measures the platform's queue. It needs no engine.
func (a *app) queueBenchCommand() *cobra.Command {
	o := scalebench.QueueOptions{}
	var report string
	c := &cobra.Command{
		Use:   "queue",
		Short: "Measure what the platform's queue costs, with gradings that are only waited for",
		Long: `Fill an empty database with organisations of unequal size, hand in a submission for every candidate, and let workers work
the queue off whose gradings take a drawn time and no CPU. Without --database it is SQLite in a temporary folder, with one
worker that has as many slots. docs/scale.md says what the figures mean.`,
		Example: `  assay bench queue --submissions 1000 --largest 300
  scripts/with-postgres sh -c 'assay bench queue --database "$ASSAY_TEST_POSTGRES"'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.benchQueue(cmd.Context(), o, report) },
	}
	f := c.Flags()
	f.StringVar(&o.Address, "database", "", "postgres:// address of an empty database")
	f.IntVar(&o.Submissions, "submissions", 10_000, "how many submissions there are")
	f.IntVar(&o.Organisations, "organisations", 50, "of how many organisations")
	f.IntVar(&o.Largest, "largest", 3000, "how many the largest organisation has")
	f.IntVar(&o.Clients, "workers", 100, "how many workers there are, with one slot each")
	f.IntVar(&o.Processes, "processes", 4, "in how many processes")
	f.DurationVar(&o.Least, "least", 20*time.Millisecond, "how long a grading takes at least")
	f.DurationVar(&o.Most, "most", 200*time.Millisecond, "how long it takes at most")
	f.DurationVar(&o.Idle, "idle", 15*time.Second, "how long workers are watched that have nothing to do")
	f.StringVar(&report, "json", "", "write a machine-readable result to this file")
	c.AddCommand(a.queueWorkerCommand())
	return c
}

func (a *app) benchQueue(ctx context.Context, o scalebench.QueueOptions, name string) (err error) {
	dir, err := scratch.Make("", "bench-queue")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	o.Dir = dir.Path
	if o.Address == "" {
		o.Address = filepath.Join(dir.Path, "assay.db")
	}
	d := newDisplay(a.err, a.plain)
	defer d.Done()
	o.Progress = func(line string) { d.Update(line, 0, 0, "") }
	o.Log, o.Start = a.logAt(slog.LevelError), a.startWorkers
	report, err := scalebench.MeasureQueue(ctx, o)
	if err != nil {
		return err
	}
	d.Done()
	if err := report.Write(a.out); err != nil {
		return err
	}
	return writeResult(name, report)
}

// writeResult writes a result for programs, when there is a name.
func writeResult(name string, result any) error {
	if name == "" {
		return nil
	}
	data, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return fmt.Errorf("encode result: %w", err)
	}
	if err := os.WriteFile(name, append(data, '\n'), 0o644); err != nil { // #nosec G306 -- no secret
		return usagef("Choose a file that you can write.", "write result: %w", err)
	}
	return nil
}

// processes are programs that run until they are told to end.
type processes []*exec.Cmd

// startWorkers starts processes of scripted workers.
func (a *app) startWorkers(n int, o scalebench.WorkerOptions) (scalebench.Workers, error) {
	own, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own program: %w", err)
	}
	var out processes
	for range n {
		c := exec.Command(own, "bench", "queue", "worker", "--blobs", o.Blobs, "--clients", strconv.Itoa(o.Clients), // #nosec G204 -- our own program
			"--slots", strconv.Itoa(o.Slots), "--least", o.Least.String(), "--most", o.Most.String())
		c.Env = append(os.Environ(), "ASSAY_DATABASE="+o.Address)
		c.Stderr = a.err
		if err := c.Start(); err != nil {
			_, stop := out.Stop()
			return nil, errors.Join(fmt.Errorf("start workers: %w", err), stop)
		}
		out = append(out, c)
	}
	return out, nil
}

// Stop implements scalebench.Workers.
func (p processes) Stop() (cpu time.Duration, err error) {
	for _, c := range p {
		err = errors.Join(err, c.Process.Signal(syscall.SIGTERM))
	}
	for _, c := range p {
		if failed := c.Wait(); failed != nil {
			err = errors.Join(err, fmt.Errorf("end process of the bench: %w", failed))
		}
		cpu += c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	}
	return cpu, err
}

// queueWorkerCommand is a process of workers of the bench. People have no use for it.
func (a *app) queueWorkerCommand() *cobra.Command {
	o := scalebench.WorkerOptions{}
	c := &cobra.Command{
		Use: "worker", Short: "Grade by script (started by assay itself)", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Address, err = a.secret("ASSAY_DATABASE"); err != nil {
				return err
			}
			o.Log = a.logAt(slog.LevelError)
			return scalebench.RunWorkers(cmd.Context(), o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Blobs, "blobs", "", "folder of the files")
	f.IntVar(&o.Clients, "clients", 1, "how many workers")
	f.IntVar(&o.Slots, "slots", 1, "slots of each")
	f.DurationVar(&o.Least, "least", 0, "how long a grading takes at least")
	f.DurationVar(&o.Most, "most", 0, "how long it takes at most")
	return c
}
