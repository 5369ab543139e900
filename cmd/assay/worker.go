package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/grader"
	"github.com/assay-run/assay/internal/platform/service"
	"github.com/assay-run/assay/internal/platform/store"
	"github.com/assay-run/assay/internal/platform/worker"
	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/docker"
)

type workerOptions struct {
	storage
	slots       int
	name        string
	drain       time.Duration
	unsandboxed bool
}

const defaultDrain = 5 * time.Minute

func (a *app) workerCommand() *cobra.Command {
	var opts workerOptions
	c := &cobra.Command{
		Use:   "worker",
		Short: "Grade what candidates hand in: takes jobs from the platform's database",
		Long: `Take submissions from the platform's queue, grade them on this machine as ` + "`assay run`" + ` does, and write verdicts and reports.
Any number of workers on any number of machines share one PostgreSQL database and one place for files.

At the first SIGTERM or Ctrl-C the worker drains: it takes no new job, and gradings that run may end within --drain. At the
second it stops them and puts their jobs back into the queue, which costs nobody a try. At the third it ends at once;
other workers take its jobs over within a minute.`,
		Example: `  ASSAY_DATABASE_FILE=/run/secrets/database assay worker --blobs s3://assay/production
  assay worker --database postgres://assay@db.example/assay --blobs /srv/assay --slots 2`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.worker(cmd.Context(), opts) },
	}
	opts.flags(c)
	c.Flags().IntVar(&opts.slots, "slots", 0, "gradings at once; two cores each (default: ASSAY_SLOTS, else as many as this machine has cores for)")
	c.Flags().StringVar(&opts.name, "name", "", "what people call this worker (default: ASSAY_WORKER_NAME, else the name of the machine)")
	c.Flags().DurationVar(&opts.drain, "drain", defaultDrain, "how long gradings that run may go on when the worker is asked to end")
	c.Flags().BoolVar(&opts.unsandboxed, "unsandboxed", false, "allow --engine process, to try things out with submissions of your own")
	return c
}

// settle completes the options from the environment and checks them before anything is opened.
func (o *workerOptions) settle(a *app) error {
	if err := o.storage.settle(a); err != nil {
		return err
	}
	if a.engineName == "process" && !o.unsandboxed {
		return usagef("Use --engine docker. To try things out with submissions of your own, add --unsandboxed.",
			"a worker runs what strangers hand in, and --engine process has no sandbox")
	}
	if text, ok := a.env("ASSAY_SLOTS"); ok && text != "" && o.slots == 0 {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return usagef("Give a number from 1 on, or leave it out.", "ASSAY_SLOTS is %q", text)
		}
		o.slots = n
	}
	if o.slots < 0 || o.drain < 0 {
		return usagef("See `assay worker --help`.", "--slots and --drain are not negative")
	}
	slots, err := a.slots()
	if err != nil {
		return err
	}
	switch most := slots.Count(); {
	case o.slots == 0:
		o.slots = most
	case o.slots > most:
		return usagef(fmt.Sprintf("Use --slots %d or less (ASSAY_SLOTS), or a machine with more cores.", most),
			"this machine has cores for %s at once, not for %d: two cores each", count(most, "grading"), o.slots)
	}
	if o.name == "" {
		o.name, _ = a.env("ASSAY_WORKER_NAME")
	}
	if o.name == "" {
		host, err := os.Hostname()
		if err != nil {
			return usagef("Give the worker a name with --name.", "find the name of this machine: %w", err)
		}
		o.name = host
	}
	return nil
}

func (a *app) worker(ctx context.Context, opts workerOptions) (err error) {
	if err := opts.settle(a); err != nil {
		return err
	}
	all, err := a.challenges()
	if err != nil {
		return err
	}
	log := a.logAt(slog.LevelInfo)
	// The engine is looked at first: a worker that cannot grade must not begin to take jobs.
	if err := a.readyToGrade(ctx, all); err != nil {
		return err
	}
	a.warnOfServices(ctx, log, all)
	opts.conns = worker.Connections(opts.slots)
	d, err := opts.open(ctx, a)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	in, err := a.graderHere(ctx, all, log)
	if err != nil {
		return err
	}
	w, err := newWorker(d, opts, in, log)
	if err != nil {
		return err
	}
	log.Info("a worker begins", "name", opts.name, "slots", opts.slots, "engine", a.engineName, "challenges", len(all), "version", assayVersion())
	if err := a.runWorker(ctx, w); err != nil {
		return faultf("See the log above. Jobs that were claimed go to other workers within a minute.", "worker: %w", err)
	}
	log.InfoContext(ctx, "the worker has ended; nothing of its own is left to do", "worker", string(w.ID()))
	return nil
}

// runWorker runs a worker until ctx is done and its gradings have ended, which the second signal makes them do.
func (a *app) runWorker(ctx context.Context, w *worker.Worker) error {
	hard, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	second := a.second.await("draining: no new job is taken, gradings that run may end; once more to put them back")
	ended, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-second:
			stop()
		case <-ended:
		}
	}()
	err := w.Run(ctx, hard)
	close(ended)
	<-watched
	return err
}

// newWorker makes a worker on data that are open.
func newWorker(d *openStorage, opts workerOptions, in inProcess, log *slog.Logger) (*worker.Worker, error) {
	return worker.New(worker.Options{
		Store: d.store, Queue: d.queue, Blobs: d.blobs, Grader: in.Grader, Log: log, Name: opts.name, Version: assayVersion(),
		Slots: opts.slots, Drain: opts.drain, Ended: service.GradingMoved, Ready: in.Ready,
		Again: func(ctx context.Context, tx *store.Tx, j platform.Job) error {
			return service.GradingMoved(ctx, tx, j, nil)
		},
	})
}

// graderHere is what grades on this machine.
func (a *app) graderHere(_ context.Context, all []*challenges.Challenge, log *slog.Logger) (inProcess, error) {
	g, slots, err := a.gradeHere(all, log)
	return inProcess{Grader: g, Slots: slots, Ready: func(ctx context.Context) error { return a.readyToGrade(ctx, all) }}, err
}

// gradeHere makes the grader of a worker on this machine, whose gradings are those of `assay run`, and tells how many it can make
// at once.
func (a *app) gradeHere(all []*challenges.Challenge, log *slog.Logger) (*grader.Grader, int, error) {
	slots, err := a.slots()
	if err != nil {
		return nil, 0, err
	}
	g, err := grader.New(grader.Options{
		Challenges: all, Graders: gradersByName, Open: a.openForGrading, Slots: slots, CacheDir: a.cacheDir, CacheLimit: a.cacheBytes, Log: log,
	})
	return g, slots.Count(), err
}

// openForGrading opens the engine for one grading.
func (a *app) openForGrading(ctx context.Context, ch *challenges.Challenge, node string) (_ grader.Place, err error) {
	if a.node != "" {
		node = a.node
	}
	engine, err := a.openEngine(ctx, node)
	if err != nil {
		return grader.Place{}, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, engine.Close())
		}
	}()
	if err := a.checkServices(ctx, ch); err != nil {
		return grader.Place{}, err
	}
	env, err := a.environment(ctx, engine)
	if err != nil {
		return grader.Place{}, err
	}
	return grader.Place{Engine: engine.Engine, Environment: env, Close: engine.Close}, nil
}

// readyWithin bounds the question whether anything can be graded.
const readyWithin = 10 * time.Second

// readyToGrade says whether the engine answers and has the images that the challenges need, and whether this program can be
// the driver of a pod.
func (a *app) readyToGrade(ctx context.Context, all []*challenges.Challenge) (err error) {
	if a.engineName == "process" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	images, err := docker.OpenImages(a.dockerHost)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, images.Close()) }()
	if _, err := images.Status(ctx); err != nil {
		return faultf("Run `assay doctor` to see what the engine lacks, and `assay setup` to install and start one.", "%w", err)
	}
	if err := a.canDrive(); err != nil {
		return err
	}
	var nodes []string
	for _, ch := range all {
		nodes = append(nodes, a.nodeOf(ch))
	}
	slices.Sort(nodes)
	for _, node := range slices.Compact(nodes) {
		major, err := strconv.Atoi(node)
		if err != nil {
			return usagef("Use --node 22, 24 or 26.", "%q is no version of Node", node)
		}
		for _, ref := range []string{docker.RunImage(major), docker.BuildImage(major)} {
			if _, err := images.Inspect(ctx, ref); errors.Is(err, runner.ErrImageMissing) {
				return faultf("Run `assay setup --nodes "+node+"` once; it makes the images.", "%w", err)
			} else if err != nil {
				return err
			}
		}
	}
	return nil
}

// canDrive says whether this program can be the driver of a pod.
func (a *app) canDrive() error {
	own, err := a.driverBinary()
	if err != nil {
		return faultf("Run assay from a file that stays where it is.", "%w", err)
	}
	if err := docker.SelfContained(own); err != nil && !errors.Is(err, fs.ErrNotExist) { // replaced while it runs: it has been looked at
		return faultf("Build it with `make build`.", "%w", err)
	}
	return nil
}

// warnOfServices tells of challenges that cannot be graded here for want of a service's image. They are no reason not to grade
// the others.
func (a *app) warnOfServices(ctx context.Context, log *slog.Logger, all []*challenges.Challenge) {
	for _, ch := range all {
		if err := a.checkServices(ctx, ch); err != nil {
			log.WarnContext(ctx, "a challenge cannot be graded here", "challenge", ch.ID, "error", err)
		}
	}
}
