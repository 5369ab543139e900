package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/graders/loopback"
	"github.com/assay-run/assay/internal/platform/scalebench"
	"github.com/assay-run/assay/internal/scratch"
)

// platformBench are the options of the bench of a server.
type platformBench struct {
	scalebench.LoadOptions
	report, profile string
}

// platformBenchCommand measures a server under many candidates. It needs no engine.
func (a *app) platformBenchCommand() *cobra.Command {
	o := platformBench{}
	c := &cobra.Command{
		Use:   "platform",
		Short: "Measure a server under many candidates and a hiring team",
		Long: `Fill an empty installation, start ` + "`assay serve`" + ` on it with gradings that are only waited for, and let candidates load their pages,
follow their news and hand in, while a hiring team looks at its dashboards. Everybody comes on time, however long answers
take; times are counted from when a request was due. Without --database it is SQLite in a temporary folder. Server and load
share this machine, and nothing leaves it. docs/scale.md says what the figures mean.`,
		Example: `  assay bench platform --candidates 200 --length 20s
  scripts/with-postgres sh -c 'assay bench platform --database "$ASSAY_TEST_POSTGRES"'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.benchPlatform(cmd.Context(), o) },
	}
	f := c.Flags()
	f.StringVar(&o.Address, "database", "", "postgres:// address of an empty database")
	f.IntVar(&o.Candidates, "candidates", 2000, "how many candidates work at once")
	f.IntVar(&o.Streams, "streams", 500, "how many of them follow their news; the others load their page")
	f.DurationVar(&o.Poll, "poll", 10*time.Second, "how often these load it")
	f.IntVar(&o.Team, "team", 8, "how many of the hiring team look at dashboards")
	f.DurationVar(&o.Look, "look", 3*time.Second, "how often each of them does")
	f.DurationVar(&o.Length, "length", time.Minute, "how long the load lasts; 8 minutes at most")
	f.StringVar(&o.report, "json", "", "write a machine-readable result to this file")
	f.StringVar(&o.profile, "profile", "", "write where the server uses its CPU to this file, for `go tool pprof`")
	c.AddCommand(a.platformServerCommand())
	return c
}

// longestLoad is less than a stream of news lasts.
const longestLoad = 8 * time.Minute

func (a *app) benchPlatform(ctx context.Context, o platformBench) (err error) {
	if o.Length > longestLoad {
		return usagef("Use --length 8m or less.", "a load of %s is too long", o.Length)
	}
	dir, err := scratch.Make("", "bench-platform")
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
	o.Start = func() (scalebench.Server, error) { return a.startServer(ctx, o) }
	report, err := scalebench.MeasurePlatform(ctx, o.LoadOptions)
	if err != nil {
		return err
	}
	d.Done()
	if err := errors.Join(report.Write(a.out), writeResult(o.report, report)); err != nil {
		return err
	}
	if n := report.Errors(); n > 0 {
		return faultf("See the errors above.", "%d requests failed", n)
	}
	return nil
}

// benchServer is a server in a process of its own.
type benchServer struct {
	url string
	cmd *exec.Cmd
	log *os.File
}

// startServer starts one and waits until it is ready.
func (a *app) startServer(ctx context.Context, o platformBench) (_ scalebench.Server, err error) {
	own, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own program: %w", err)
	}
	port, err := loopback.FreePort()
	if err != nil {
		return nil, err
	}
	s := &benchServer{url: "http://" + net.JoinHostPort("127.0.0.1", port)}
	if s.log, err = os.Create(filepath.Join(o.Dir, "server.log")); err != nil {
		return nil, fmt.Errorf("make log of server: %w", err)
	}
	s.cmd = exec.Command(own, "bench", "platform", "server", "--profile", o.profile) // #nosec G204 -- our own program
	s.cmd.Env = append(os.Environ(), "ASSAY_DATA_DIR="+o.Dir, "ASSAY_DATABASE="+o.Address, "ASSAY_LISTEN="+net.JoinHostPort("127.0.0.1", port))
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start server: %w", err), s.log.Close())
	}
	if err := s.ready(ctx); err != nil {
		_, stopped := s.Stop()
		return nil, errors.Join(err, stopped)
	}
	return s, nil
}

// readyTries and readyPause bound how long a server may take to be ready: 30 s.
const (
	readyTries = 300
	readyPause = 100 * time.Millisecond
)

func (s *benchServer) ready(ctx context.Context) error {
	var last error
	for range readyTries {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/readyz", nil)
		if err != nil {
			return fmt.Errorf("ask server: %w", err)
		}
		out, err := http.DefaultClient.Do(r)
		if last = err; err == nil {
			if err := out.Body.Close(); err != nil || out.StatusCode == http.StatusOK {
				return err
			}
			last = errors.New(out.Status)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(readyPause):
		}
	}
	return fmt.Errorf("the server is not ready: %w", last)
}

// URL implements scalebench.Server.
func (s *benchServer) URL() string { return s.url }

// CPU implements scalebench.Server.
func (s *benchServer) CPU() (time.Duration, error) { return scalebench.ProcessCPU(s.cmd.Process.Pid) }

// Stop implements scalebench.Server.
func (s *benchServer) Stop() (peak int64, err error) {
	err = s.cmd.Process.Signal(syscall.SIGTERM)
	if failed := s.cmd.Wait(); failed != nil {
		err = errors.Join(err, fmt.Errorf("end server: %w", failed))
	}
	return scalebench.PeakMemory(s.cmd.ProcessState), errors.Join(err, s.log.Close())
}

// How long the gradings of the bench's server take, and how many it makes at once.
const (
	benchLeast, benchMost = 500 * time.Millisecond, 1500 * time.Millisecond
	benchSlots            = 4
)

// platformServerCommand is the server of the bench. People have no use for it.
func (a *app) platformServerCommand() *cobra.Command {
	profile := ""
	c := &cobra.Command{
		Use: "server", Short: "Serve with scripted gradings (started by assay itself)", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			a.grader = func(context.Context, []*challenges.Challenge, *slog.Logger) (inProcess, error) {
				return inProcess{
					Slots: benchSlots, Grader: scalebench.Scripted(benchLeast, benchMost), Ready: func(context.Context) error { return nil },
				}, nil
			}
			if profile != "" {
				f, err := os.Create(profile)
				if err != nil {
					return usagef("Choose a file that you can write.", "write profile: %w", err)
				}
				defer f.Close()
				if err := pprof.StartCPUProfile(f); err != nil {
					return fmt.Errorf("write profile: %w", err)
				}
				defer pprof.StopCPUProfile()
			}
			set, err := a.serveSettings(serveSettings{})
			if err != nil {
				return err
			}
			return a.serve(cmd.Context(), set)
		},
	}
	c.Flags().StringVar(&profile, "profile", "", "file of a CPU profile")
	return c
}
