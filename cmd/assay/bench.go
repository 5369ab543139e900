package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/assay-run/assay/internal/accuracy"
)

type benchOptions struct {
	quick      bool
	pairs      int
	size, json string
	hz         float64
	tools      string
}

// few is the first number in a quick bench, the second in a proper one.
func (o benchOptions) few(quick, proper int) int {
	if o.quick {
		return quick
	}
	return proper
}

// bench is one of the benches: it fills its part of the report.
type bench struct {
	name, asks string
	run        func(*app, context.Context, benchOptions, *accuracy.Report) error
}

// benches are all of them, in the order in which they run.
func benches() []bench {
	return []bench{
		{"overhead", "what being measured costs a submission, and the fixed cost of a run", (*app).benchOverhead},
		{"stalls", "event loops blocked for known times: reported against true", (*app).benchStalls},
		{"memory", "known allocations: reported against true", (*app).benchMemory},
		{"load", "load generators on a server with known stalls (needs Node on this machine)", (*app).benchLoad},
		{"loggen", "how fast logs are made, against what the disk takes", (*app).benchLoggen},
	}
}

// benchAll names all benches at once.
const benchAll = "all"

func (a *app) benchCommand() *cobra.Command {
	var opts benchOptions
	var list strings.Builder
	names := []string{benchAll}
	for _, b := range benches() {
		fmt.Fprintf(&list, "  %-9s %s\n", b.name, b.asks)
		names = append(names, b.name)
	}
	c := &cobra.Command{
		Use:       "bench [NAME]",
		ValidArgs: names,
		Short:     "Measure how right Assay's own figures are on this machine",
		Long: `Compare what Assay reports with what is known to be true, and say what measuring costs. The benches are:

` + list.String() + `  all       all of them, about 15 minutes; 3 with --quick

docs/measurement.md says how each is made and what the figures mean.`,
		Example: `  assay bench                                 what being measured costs
  assay bench stalls --quick                  a first look at stalls
  assay bench stalls --hz 1000                the same with a quicker heartbeat than gradings have
  assay bench all --json bench.json           everything, for programs
  assay bench overhead --pairs 9 --size 1GiB  more pairs of runs`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := benches()[0].name
			if len(args) > 0 {
				name = args[0]
			}
			return a.bench(cmd.Context(), name, opts)
		},
	}
	f := c.Flags()
	f.BoolVar(&opts.quick, "quick", false, "few repetitions: a look, no proof")
	f.StringVar(&opts.json, "json", "", "write a machine-readable result to this file")
	f.IntVar(&opts.pairs, "pairs", 0, "overhead: how many pairs of runs (default 5, 2 with --quick)")
	f.StringVar(&opts.size, "size", "", "overhead: size of the log that is worked through (default 512MiB, 128MiB with --quick)")
	f.Float64Var(&opts.hz, "hz", 100, "stalls: beats a second; gradings use 100")
	f.StringVar(&opts.tools, "tools", "", "load: folder into which npm has installed autocannon")
	c.AddCommand(a.queueBenchCommand(), a.platformBenchCommand())
	return c
}

// complete checks the options and fills in what depends on others.
func (o benchOptions) complete() (benchOptions, error) {
	if o.pairs == 0 {
		o.pairs = o.few(2, 5)
	}
	if o.size == "" {
		o.size = "512MiB"
		if o.quick {
			o.size = "128MiB"
		}
	}
	if o.pairs < 1 || o.pairs > 100 {
		return o, usagef("Use --pairs 1 to 100.", "%d pairs are not possible", o.pairs)
	}
	if o.hz < 1 || o.hz > 1000 {
		return o, usagef("Use --hz 1 to 1000.", "%g beats a second are not possible", o.hz)
	}
	return o, nil
}

func (a *app) bench(ctx context.Context, name string, opts benchOptions) error {
	chosen := slices.DeleteFunc(benches(), func(b bench) bool { return name != benchAll && name != b.name })
	if len(chosen) == 0 {
		return usagef("See `assay bench --help`.", "there is no bench %q", name)
	}
	if a.engineName != "docker" {
		return usagef("Use --engine docker.", "what the bench measures is the pod")
	}
	opts, err := opts.complete()
	if err != nil {
		return err
	}
	report := &accuracy.Report{Schema: accuracy.Schema, Started: time.Now().UTC(), Command: os.Args[1:], Quick: opts.quick,
		LoadBefore: loadAverage(), CPUs: runtime.NumCPU()}
	report.Environment.CPUModel = cpuModel()
	for _, b := range chosen {
		if err := b.run(a, ctx, opts, report); err != nil {
			// What was measured so far took minutes.
			return errors.Join(fmt.Errorf("bench %s: %w", b.name, err), a.showBench(report, opts.json))
		}
	}
	return a.showBench(report, opts.json)
}

// showBench prints the report, and writes it to a file when there is a name.
func (a *app) showBench(r *accuracy.Report, name string) error {
	fmt.Fprintf(a.out, "\n%s\n", r.Machine())
	for _, s := range r.Sections() {
		fmt.Fprintf(a.out, "\n%s\n\n%s", s.Title, s.Table.String())
		for i, remark := range s.Remarks {
			if i == 0 {
				fmt.Fprintln(a.out)
			}
			fmt.Fprintln(a.out, remark)
		}
	}
	if name == "" {
		return nil
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode result: %w", err)
	}
	if err := os.WriteFile(name, append(data, '\n'), 0o644); err != nil {
		return usagef("Choose a file that you can write.", "write result: %w", err)
	}
	return nil
}

// loadAverage is the machine's, of one minute; 0 where it is not known.
func loadAverage() float64 {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), " ")
	load, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 0
	}
	return load
}
