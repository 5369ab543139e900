package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/docker"
)

// clockFile is added to the measured program. It says how long the process has lived, on its own clock, in both ways of
// running it: so neither the engine's nor the driver's share in starting and ending a container counts.
const (
	clockFile   = "bench-clock.mjs"
	clockSource = "process.on('exit', () => process.stderr.write(`bench-clock ${performance.now()}\\n`));\n"
	clockWord   = "bench-clock "
)

type benchOptions struct {
	pairs      int
	size, json string
}

// benchResult is what `assay bench --json` writes.
type benchResult struct {
	SizeBytes int64     `json:"sizeBytes"`
	PodMs     []float64 `json:"podMs"`  // life of the process in a pod, probe and sampling on
	BareMs    []float64 `json:"bareMs"` // life of the process in a plain container
	// Throughput is that in the pod by that of the bare container: the median of the ratios of neighbours.
	Throughput float64 `json:"throughput"`
	// FixedMs is the wall time of a pod run less the life of the process in it.
	FixedMs  []float64 `json:"fixedMs"`
	FixedP50 float64   `json:"fixedP50Ms"`
	FixedP95 float64   `json:"fixedP95Ms"`
}

func (a *app) benchCommand() *cobra.Command {
	var opts benchOptions
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure what being measured costs a submission on this machine",
		Long: `Run the reference solution of log-aggregate on one file, alternately in a pod (driver, probe, heartbeat and
sampling at work) and in a plain container without any of them, on the same core. Prints throughput as a ratio,
and the fixed cost of a run: wall time less the life of the process itself.`,
		Example: "  assay bench\n  assay bench --pairs 9 --size 1GiB --json bench.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.bench(cmd.Context(), opts)
		},
	}
	c.Flags().IntVar(&opts.pairs, "pairs", 5, "how many pairs of runs")
	c.Flags().StringVar(&opts.size, "size", "1GiB", "size of the file")
	c.Flags().StringVar(&opts.json, "json", "", "write a machine-readable result to this file")
	return c
}

func (a *app) bench(ctx context.Context, opts benchOptions) error {
	if a.engineName != "docker" || opts.pairs < 1 {
		return usagef("Use --engine docker and --pairs 1 or more.", "nothing can be compared")
	}
	ch, err := a.challenge("log-aggregate")
	if err != nil {
		return err
	}
	b, err := a.openWorkbench(ctx, ch)
	if err != nil {
		return err
	}
	res, err := b.compareWithBare(ctx, opts)
	if err := errors.Join(err, b.Close()); err != nil {
		return err
	}
	res.print(a)
	if opts.json == "" {
		return nil
	}
	data, err := json.MarshalIndent(res, "", "  ")
	if err != nil {
		return fmt.Errorf("encode result: %w", err)
	}
	if err := os.WriteFile(opts.json, append(data, '\n'), 0o644); err != nil {
		return usagef("Choose a file that you can write.", "write result: %w", err)
	}
	return nil
}

func (r *benchResult) print(a *app) {
	fmt.Fprintf(a.out, "in the pod           %s ms\n", joinMs(r.PodMs))
	fmt.Fprintf(a.out, "bare container       %s ms\n", joinMs(r.BareMs))
	fmt.Fprintf(a.out, "throughput, pod by bare    %.3f (bar: 0.98)\n", r.Throughput)
	fmt.Fprintf(a.out, "fixed cost of a run        p50 %.0f ms, p95 %.0f ms (bar: p95 1000 ms)\n", r.FixedP50, r.FixedP95)
}

func joinMs(v []float64) string {
	words := make([]string, 0, len(v))
	for _, x := range v {
		words = append(words, fmt.Sprintf("%.0f", x))
	}
	return strings.Join(words, " ")
}

// clocked is the reference with the clock, staged.
type clocked struct {
	b         *workbench
	engine    *docker.Engine
	workspace runner.Workspace
	prepared  graders.Prepared
	start     []string
}

func (b *workbench) compareWithBare(ctx context.Context, opts benchOptions) (_ *benchResult, err error) {
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
	dir, err := b.solution(path.Join(b.challenge.Reference))
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
	start := b.reference.Manifest.Start
	c.start = append([]string{start[0], "--import", "./" + clockFile}, start[1:]...)
	return c.alternate(ctx, opts.pairs)
}

func (c *clocked) alternate(ctx context.Context, pairs int) (*benchResult, error) {
	// The first run of a new build makes the driver's image, and fills caches: it does not count.
	if _, err := c.inPod(ctx, &benchResult{}); err != nil {
		return nil, err
	}
	res := &benchResult{SizeBytes: c.prepared.Bytes}
	var ratios []float64
	for i := range pairs {
		var pod, bare float64
		runs := []func() error{
			func() (err error) { pod, err = c.inPod(ctx, res); return },
			func() (err error) { bare, err = c.bare(ctx); return },
		}
		if i%2 == 1 {
			slices.Reverse(runs)
		}
		for j, run := range runs {
			c.b.display.Update(fmt.Sprintf("run %d of %d", 2*i+j+1, 2*pairs), 0, 0, "")
			if err := runner.PreparePageCache(ctx, runner.CacheWarm, c.prepared.Files); err != nil {
				return nil, err
			}
			if err := run(); err != nil {
				return nil, err
			}
		}
		res.PodMs, res.BareMs = append(res.PodMs, pod), append(res.BareMs, bare)
		ratios = append(ratios, bare/pod)
	}
	c.b.display.Done()
	res.Throughput = quantile(ratios, 0.5)
	res.FixedP50, res.FixedP95 = quantile(res.FixedMs, 0.5), quantile(res.FixedMs, 0.95)
	return res, nil
}

func (c *clocked) inPod(ctx context.Context, res *benchResult) (float64, error) {
	started := time.Now()
	run, err := runner.Drive(ctx, c.engine, runner.RunSpec{
		Scenario: "main", Role: evidence.Reference, Workload: "log-aggregate", Params: c.prepared.Params,
		Workspace: c.workspace, Start: c.start, Limits: runner.DefaultLimits(), Slot: c.b.slot.Slot,
		DataDir: c.prepared.DataDir, Probe: true, Timeout: time.Hour,
	})
	wall := float64(time.Since(started)) / 1e6
	if err != nil {
		return 0, err
	}
	e := run.Executions[0]
	ms, err := clockOf(e.Exit, e.Stderr.Text)
	if err == nil {
		res.FixedMs = append(res.FixedMs, wall-ms)
	}
	return ms, err
}

func (c *clocked) bare(ctx context.Context) (float64, error) {
	rel, err := filepath.Rel(c.prepared.DataDir, c.prepared.Files[0])
	if err != nil {
		return 0, fmt.Errorf("find input file: %w", err)
	}
	out, err := c.engine.RunBare(ctx, docker.BareSpec{
		Workspace: c.workspace, Cores: c.b.slot.CandidateCores, MemoryBytes: runner.DefaultLimits().MemoryBytes,
		DataDir: c.prepared.DataDir,
		Argv: append(slices.Clone(c.start), "--input", path.Join(docker.DataPath, filepath.ToSlash(rel)),
			"--out", path.Join(docker.OutPath, "out.json")),
		Env: map[string]string{"STATUS_PORT": "20001"},
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
		return 0, fmt.Errorf("run reference: it ended as %s, code %d: %.300s", exit.Status, exit.Code, stderr)
	}
	return strconv.ParseFloat(strings.TrimSpace(strings.SplitN(after, "\n", 2)[0]), 64)
}

// quantile is the smallest value that has at least the share q of all values at or below it (nearest rank); for a median
// of an even number, the mean of the two in the middle.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if q == 0.5 && n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[min(n-1, max(0, int(math.Ceil(q*float64(n)))-1))]
}
