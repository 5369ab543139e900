package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/assay-run/assay/internal/platform/service"
	"github.com/assay-run/assay/internal/platform/web/httpbase"
	"github.com/assay-run/assay/internal/platform/worker"
)

// inProcess is what grades within `assay serve`.
type inProcess struct {
	Grader worker.Grader
	Slots  int // gradings at a time, 1 at least
	// Ready says why nothing can be graded now.
	Ready func(context.Context) error
}

func (a *app) serveCommand() *cobra.Command {
	var set serveSettings
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve the platform: hiring teams invite, candidates submit, reports are reviewed",
		Long: `Serve the pages for hiring teams and candidates. Without further settings everything is in one folder: a SQLite
database, the files, and the mails that a mail server would send. The first start shows a code, with which the owner is
set up in the browser. What candidates hand in is graded in this process, unless ASSAY_WORKER=off leaves it to
` + "`assay worker`" + `.

Settings come from the environment; docs/serve.md lists them. A secret can also be in a file that NAME_FILE names.
At the first SIGTERM or Ctrl-C requests and gradings may end; at the second gradings are stopped and put back into the
queue, which costs nobody a try; at the third it ends at once.`,
		Example: `  assay serve
  assay serve --listen 127.0.0.1:9000 --data /srv/assay
  ASSAY_URL=https://assay.example ASSAY_SMTP_HOST=mail.example assay serve`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			set, err := a.serveSettings(set)
			if err != nil {
				return err
			}
			return a.serve(cmd.Context(), set)
		},
	}
	c.Flags().StringVar(&set.Listen, "listen", "", "address to listen on (default: ASSAY_LISTEN, else 127.0.0.1:8080)")
	set.flags(c)
	return c
}

// serve runs the platform until ctx is done.
func (a *app) serve(ctx context.Context, set serveSettings) (err error) {
	log := a.logAt(slog.LevelInfo)
	listener, err := net.Listen("tcp", set.Listen)
	if err != nil {
		return usagef("Choose another address with --listen.", "listen: %w", err)
	}
	defer listener.Close() // the server closes it; this is for what fails before
	set.settleURL(listener.Addr())
	p, err := a.openPlatform(ctx, set, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	parts, err := a.serveParts(ctx, p, listener)
	if err != nil {
		return err
	}
	if err := a.greet(ctx, p); err != nil {
		return err
	}
	return runAll(ctx, parts...)
}

// greet says where the server is, and how it is set up the first time.
func (a *app) greet(ctx context.Context, p *platformParts) error {
	done, err := p.service.IsSetUp(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "Assay is at %s\n", p.set.URL)
	if !done {
		fmt.Fprintf(a.out, "\n  Nobody has set it up yet. Open %s/setup\n  and enter this code: %s\n\n", p.set.URL, p.set.SetUpCode)
	}
	if p.set.exposed() {
		fmt.Fprintln(a.out, "  warning  people come by plain HTTP, where passwords can be read on the way: put a proxy with TLS before it, and set ASSAY_URL")
	}
	if p.set.SMTP.Host == "" {
		fmt.Fprintf(a.out, "  mails    are written to %s; nothing is sent\n", p.set.outbox())
	}
	if p.worker == nil {
		fmt.Fprintln(a.out, "  grading  no worker in this process: what is handed in waits for one")
	} else {
		fmt.Fprintf(a.out, "  grading  in this process, %d at a time\n", p.slots)
		if err := p.ready(ctx); err != nil {
			fmt.Fprintf(a.out, "  warning  nothing can be graded yet, what is handed in waits: %s\n", strings.ReplaceAll(err.Error(), "\n", "\n         "))
		}
	}
	return nil
}

// part is something that runs as long as the server does. It returns when ctx is done, or earlier with an error.
type part func(ctx context.Context) error

// runAll runs parts until ctx is done or one of them fails, then lets all end.
func runAll(ctx context.Context, parts ...part) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make([]error, len(parts))
	var all sync.WaitGroup
	for i, p := range parts {
		all.Go(func() {
			defer cancel()
			failed[i] = p(ctx)
		})
	}
	all.Wait()
	return errors.Join(failed...)
}

// serveParts are what runs: server, mails, housekeeping, and the worker where there is one.
func (a *app) serveParts(ctx context.Context, p *platformParts, listener net.Listener) ([]part, error) {
	ending, end := context.WithCancel(context.WithoutCancel(ctx))
	handler, side, err := p.handlers(ending.Done())
	if err != nil {
		end()
		return nil, err
	}
	routes := http.NewServeMux()
	opts := httpbase.ServerOptions{Listener: listener, Handler: routes, Log: p.log}
	if p.set.MetricsListen != "" {
		if opts.SideListener, err = net.Listen("tcp", p.set.MetricsListen); err != nil {
			end()
			return nil, usagef("Choose another address with ASSAY_METRICS_LISTEN.", "listen for metrics: %w", err)
		}
		opts.Side = side
	}
	server := httpbase.NewServer(opts)
	server.Health(routes, httpbase.Check{Name: "database", Do: p.data.store.Ready})
	routes.Handle("/", handler)
	parts := []part{
		func(ctx context.Context) error {
			stop := context.AfterFunc(ctx, end) // streams end themselves, so that the server need not wait for them
			defer stop()
			defer end()
			return server.Run(ctx)
		},
		p.courier.Run,
		p.sender.Run,
		p.keepHouse,
	}
	if p.worker != nil {
		parts = append(parts, func(ctx context.Context) error { return a.runWorker(ctx, p.worker) })
	}
	return parts, nil
}

// keepEvery is how often the house is kept; sooner when something is left.
const keepEvery = time.Minute

// keepHouse ends attempts whose time is up, and erases what was kept for long enough.
func (p *platformParts) keepHouse(ctx context.Context) error {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		kept, err := p.service.HouseKeep(ctx, service.SystemActor(""))
		if err != nil && ctx.Err() == nil {
			p.log.ErrorContext(ctx, "housekeeping failed and is tried again", "error", err)
		}
		if kept.Orphans > 0 {
			p.log.WarnContext(ctx, "files that no row names were removed; something had broken off while they were stored", "files", kept.Orphans)
		}
		if kept.More && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// makeDirs makes the folders of an installation, for nobody else to look into.
func makeDirs(dirs ...string) error {
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return usagef("Choose a folder that you can write to with --data.", "make folder: %w", err)
		}
	}
	return nil
}

// sweepUploads removes what a crash has left of uploads a day or more ago.
func sweepUploads(dir string, now time.Time) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read folder of uploads: %w", err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || now.Sub(info.ModTime()) < 24*time.Hour {
			continue // gone already, or under way
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("remove old upload: %w", err)
		}
	}
	return nil
}
