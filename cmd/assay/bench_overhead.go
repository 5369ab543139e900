package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/graders/knowntruth"
	"github.com/assay-run/assay/internal/accuracy"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/docker"
)

// clockFile is added to the measured program. It says how long the process has lived, on its own clock, in both ways of
// running it: so neither the engine's nor the driver's share in starting and ending a container counts. The known program
// says it in the same words.
const (
	clockFile   = "bench-clock.mjs"
	clockSource = "process.on('exit', () => process.stderr.write(`bench-clock ${performance.now()}\\n`));\n"
	clockWord   = "bench-clock "
)

const (
	benchPort = "20001" // of a bare server: nobody else is in its network
	fixedRuns = 30
)

// benchOverhead has three parts: a program that works through a file, an HTTP server, and a program that does nothing.
func (a *app) benchOverhead(ctx context.Context, opts benchOptions, report *accuracy.Report) error {
	report.Overhead = &accuracy.Overhead{}
	if err := a.benchFile(ctx, opts, report.Overhead); err != nil {
		return err
	}
	b, err := a.openKnown(ctx, report)
	if err != nil {
		return err
	}
	err = b.servers(ctx, opts, report.Overhead)
	if err == nil {
		err = b.fixed(ctx, opts.few(5, fixedRuns), report.Overhead)
	}
	return errors.Join(err, b.Close())
}

// benchFile runs the reference of log-aggregate.
func (a *app) benchFile(ctx context.Context, opts benchOptions, o *accuracy.Overhead) error {
	ch, err := a.challenge("log-aggregate")
	if err != nil {
		return err
	}
	b, err := a.openWorkbench(ctx, ch)
	if err != nil {
		return err
	}
	o.CPU, err = b.compareWithBare(ctx, opts)
	return errors.Join(err, b.Close())
}

// clocked is the reference with the clock, staged.
type clocked struct {
	b         *workbench
	engine    *docker.Engine
	workspace runner.Workspace
	prepared  graders.Prepared
	start     []string
}

func (b *workbench) compareWithBare(ctx context.Context, opts benchOptions) (_ *accuracy.CPUPairs, err error) {
	engine, ok := b.engine.Engine.(*docker.Engine)
	if !ok {
		return nil, errors.New("compare with a bare container: this is not the docker engine")
	}
	grader := gradersByName()["log-aggregate"]
	with := map[string]any{"kind": "plain", "size": opts.size}
	if err := grader.Check(with); err != nil {
		return nil, usagef("Give a size like 1GiB.", "%w", err)
	}
	c := &clocked{b: b, engine: engine}
	c.prepared, err = grader.Prepare(ctx, graders.Preparation{
		Scenario: "main", With: with, Seed: make([]byte, 32), Timeout: 30 * time.Minute, CacheDir: b.app.cacheDir,
		Report: func(p workload.Progress) { b.display.Update(p.Phase, p.Done, p.Total, p.Unit) },
	})
	if err != nil {
		return nil, fmt.Errorf("prepare file: %w", err)
	}
	dir, err := b.Solution(path.Join(b.challenge.Reference))
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, clockFile), []byte(clockSource), 0o644); err != nil {
		return nil, fmt.Errorf("add clock: %w", err)
	}
	if c.workspace, err = engine.Stage(ctx, runner.StageSpec{Name: "bench", Dir: dir}); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.workspace.Close(ctx)) }()
	start := b.Reference().Manifest.Start
	c.start = append([]string{start[0], "--import", "./" + clockFile}, start[1:]...)
	return c.alternate(ctx, opts.pairs)
}

func (c *clocked) alternate(ctx context.Context, pairs int) (*accuracy.CPUPairs, error) {
	// The first run of a new build makes the driver's image, and fills caches: it does not count.
	if _, err := c.inPod(ctx); err != nil {
		return nil, err
	}
	res := &accuracy.CPUPairs{SizeBytes: c.prepared.Bytes}
	for i := range pairs {
		var pod, unasked, bare float64
		err := alternately(i,
			func() (err error) { pod, err = c.measured(ctx, 3*i+1, 3*pairs, c.inPod); return },
			func() (err error) { unasked, err = c.measured(ctx, 3*i+2, 3*pairs, c.inPodUnasked); return },
			func() (err error) { bare, err = c.measured(ctx, 3*i+3, 3*pairs, c.bare); return },
		)
		if err != nil {
			return nil, err
		}
		res.PodMs, res.UnaskedMs, res.BareMs = append(res.PodMs, pod), append(res.UnaskedMs, unasked), append(res.BareMs, bare)
	}
	return res, nil
}

// alternately does everything in the order given, and in the reverse order in every other round: ABBA.
func alternately(round int, all ...func() error) error {
	if round%2 == 1 {
		slices.Reverse(all)
	}
	for _, do := range all {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

// measured is one run on a file that lies in memory.
func (c *clocked) measured(ctx context.Context, n, of int, run func(context.Context) (float64, error)) (float64, error) {
	c.b.display.Update(fmt.Sprintf("file, run %d of %d", n, of), 0, 0, "")
	if err := runner.PreparePageCache(ctx, runner.CacheWarm, c.prepared.Files); err != nil {
		return 0, err
	}
	return run(ctx)
}

// inPod is a run as a grading makes it.
func (c *clocked) inPod(ctx context.Context) (float64, error) { return c.drive(ctx, c.prepared.Params) }

// inPodUnasked is the same without a heartbeat: the program has its own work and nothing else, as it has bare.
func (c *clocked) inPodUnasked(ctx context.Context) (float64, error) {
	var params map[string]any
	if err := json.Unmarshal(c.prepared.Params, &params); err != nil {
		return 0, fmt.Errorf("read params: %w", err)
	}
	params["hz"] = 0
	raw, err := json.Marshal(params)
	if err != nil {
		return 0, fmt.Errorf("write params: %w", err)
	}
	return c.drive(ctx, raw)
}

func (c *clocked) drive(ctx context.Context, params json.RawMessage) (float64, error) {
	run, err := runner.Drive(ctx, c.engine, runner.RunSpec{
		Scenario: "main", Role: evidence.Reference, Workload: "log-aggregate", Params: params,
		Workspace: c.workspace, Start: c.start, Limits: runner.DefaultLimits(), Slot: c.b.Slot(),
		DataDir: c.prepared.DataDir, Probe: true, Timeout: time.Hour,
	})
	if err != nil {
		return 0, err
	}
	e := run.Executions[0]
	return clockOf(e.Exit, e.Stderr.Text)
}

func (c *clocked) bare(ctx context.Context) (float64, error) {
	rel, err := filepath.Rel(c.prepared.DataDir, c.prepared.Files[0])
	if err != nil {
		return 0, fmt.Errorf("find input file: %w", err)
	}
	out, err := c.engine.RunBare(ctx, docker.BareSpec{
		Workspace: c.workspace, Cores: c.b.Slot().CandidateCores, MemoryBytes: runner.DefaultLimits().MemoryBytes,
		DataDir: c.prepared.DataDir,
		Argv: append(slices.Clone(c.start), "--input", path.Join(docker.DataPath, filepath.ToSlash(rel)),
			"--out", path.Join(docker.OutPath, "out.json")),
		Env: map[string]string{"STATUS_PORT": benchPort},
	})
	if err != nil {
		return 0, err
	}
	return clockOf(out.Exit, out.Stderr.Text)
}

// clockOf reads what the clock has printed at the end.
func clockOf(exit evidence.Exit, stderr string) (float64, error) {
	_, after, found := strings.Cut(stderr, clockWord)
	if !exit.OK() || !found {
		return 0, fmt.Errorf("run measured program: it ended as %s, code %d: %.300s", exit.Status, exit.Code, stderr)
	}
	return strconv.ParseFloat(strings.TrimSpace(strings.SplitN(after, "\n", 2)[0]), 64)
}

// serverLoad is what a server is given, in the pod and bare.
func serverLoad(opts benchOptions) knowntruth.Load {
	return knowntruth.Load{
		Connections: 16, WarmUp: 2 * time.Second, Closed: time.Duration(opts.few(2, 5)) * time.Second,
		Open: time.Duration(opts.few(2, 5)) * time.Second, Hz: 1000,
	}
}

// servers puts the same load on the known program, in a pod and bare.
func (b *knownBench) servers(ctx context.Context, opts benchOptions, o *accuracy.Overhead) error {
	load := serverLoad(opts)
	for i := range opts.pairs {
		var pair accuracy.ServerPair
		err := alternately(i,
			func() (err error) {
				b.display.Update(fmt.Sprintf("server, pair %d of %d: in the pod", i+1, opts.pairs), 0, 0, "")
				pair.Pod, err = b.serverInPod(ctx, load)
				return
			},
			func() (err error) {
				b.display.Update(fmt.Sprintf("server, pair %d of %d: bare", i+1, opts.pairs), 0, 0, "")
				pair.Bare, err = b.serverBare(ctx, load)
				return
			},
		)
		if err != nil {
			return err
		}
		o.HTTP = append(o.HTTP, pair)
	}
	return nil
}

func (b *knownBench) serverInPod(ctx context.Context, load knowntruth.Load) (knowntruth.LoadResult, error) {
	run, _, err := b.run(ctx, knowntruth.Params{Load: &load, Hz: 100, Timeout: 2 * time.Minute}, runner.DefaultLimits())
	if err != nil {
		return knowntruth.LoadResult{}, err
	}
	var facts knowntruth.Facts
	if err := json.Unmarshal(run.Executions[0].Facts, &facts); err != nil || facts.Load == nil {
		return knowntruth.LoadResult{}, fmt.Errorf("read result of load: %w", errors.Join(err, errors.New("it may be missing")))
	}
	return *facts.Load, nil
}

func (b *knownBench) serverBare(ctx context.Context, load knowntruth.Load) (knowntruth.LoadResult, error) {
	var result knowntruth.LoadResult
	env, err := knowntruth.Environment(knowntruth.Serve(), benchPort, "")
	if err != nil {
		return result, err
	}
	raw, err := json.Marshal(load)
	if err != nil {
		return result, fmt.Errorf("write load: %w", err)
	}
	out, err := b.engine.RunBareServer(ctx, docker.BareSpec{
		Workspace: b.workspace, Argv: knowntruth.Start(), Env: env, Cores: b.slot.CandidateCores,
		MemoryBytes: runner.DefaultLimits().MemoryBytes,
	}, b.slot.DriverCores, []string{benchLoadName, string(raw)})
	if err != nil {
		return result, err
	}
	if !out.Exit.OK() {
		return result, fmt.Errorf("put load on bare server: it ended as %s, code %d: %.300s", out.Exit.Status, out.Exit.Code, out.Stderr.Text)
	}
	if err := json.Unmarshal([]byte(out.Stdout.Text), &result); err != nil {
		return result, fmt.Errorf("read result of load: %w", err)
	}
	return result, nil
}

// fixed runs a program that does nothing, again and again.
func (b *knownBench) fixed(ctx context.Context, runs int, o *accuracy.Overhead) error {
	for i := range runs + 1 {
		b.display.Update("fixed cost", int64(i), int64(runs), "runs")
		run, wall, err := b.run(ctx, knowntruth.Params{Timeout: time.Minute}, runner.DefaultLimits())
		if err != nil {
			return err
		}
		e := run.Executions[0]
		life, err := clockOf(e.Exit, e.Stderr.Text)
		if err != nil {
			return err
		}
		if i > 0 { // the first fills caches
			o.Fixed = append(o.Fixed, accuracy.NewFixedCost(int64(wall), life, run.PhaseNs))
		}
	}
	return nil
}

// benchLoadName is the subcommand that makes this binary the load of a bare server.
const benchLoadName = "bench-load"

// benchLoadCommand puts a load on a bare server, from beside it. The runtime is set as a driver's is.
func (a *app) benchLoadCommand() *cobra.Command {
	return &cobra.Command{
		Use:    benchLoadName + " LOAD",
		Short:  "Put a load on a bare server (started by assay itself)",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			runtime.GOMAXPROCS(max(4, runtime.GOMAXPROCS(0)))
			debug.SetGCPercent(400)
			var load knowntruth.Load
			if err := json.Unmarshal([]byte(args[0]), &load); err != nil {
				return usagef("It is given by assay bench.", "read load: %w", err)
			}
			result, err := knowntruth.RunLoad(cmd.Context(), "127.0.0.1:"+benchPort, load)
			if err != nil {
				return err
			}
			return json.NewEncoder(a.out).Encode(result)
		},
	}
}
