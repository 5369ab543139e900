package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/assay-run/assay/graders/knowntruth"
	"github.com/assay-run/assay/internal/accuracy"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/gradework"
	"github.com/assay-run/assay/internal/scratch"
	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/docker"
)

// benchNode is the major version of Node that benches run unless --node says otherwise.
const benchNode = "24"

// knownBench is where the known program runs: an engine, cores of its own, the program staged.
type knownBench struct {
	app       *app
	session   *engineSession
	engine    *docker.Engine
	slot      *runner.HeldSlot
	workspace runner.Workspace
	display   *display
	dir       *scratch.Dir
}

// openKnown prepares everything, and notes the machine in the report.
func (a *app) openKnown(ctx context.Context, report *accuracy.Report) (_ *knownBench, err error) {
	b := &knownBench{app: a, display: newDisplay(a.err, a.plain)}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	node := a.node
	if node == "" {
		node = benchNode
	}
	if b.session, err = a.openEngine(ctx, node); err != nil {
		return nil, err
	}
	var ok bool
	if b.engine, ok = b.session.Engine.(*docker.Engine); !ok {
		return nil, errors.New("bench needs the docker engine")
	}
	if b.dir, err = scratch.Make("", "bench"); err != nil {
		return nil, fmt.Errorf("make folder for the known program: %w", err)
	}
	if err := gradework.CopyTree(knowntruth.Program(), b.dir.Path); err != nil {
		return nil, fmt.Errorf("write known program: %w", err)
	}
	if b.workspace, err = b.engine.Stage(ctx, runner.StageSpec{Name: "bench", Dir: b.dir.Path}); err != nil {
		return nil, err
	}
	slots, err := a.slots()
	if err != nil {
		return nil, err
	}
	if b.slot, err = slots.Acquire(ctx, func(s string) { b.display.Say("  %s", s) }); err != nil {
		return nil, err
	}
	report.Environment, err = a.benchEnvironment(ctx, b.session, b.slot.Slot)
	return b, err
}

// benchEnvironment is the machine, as a grading records it.
func (a *app) benchEnvironment(ctx context.Context, s *engineSession, slot runner.Slot) (evidence.Environment, error) {
	env, err := a.environment(ctx, s)
	if err != nil {
		return env, err
	}
	info, err := s.Info(ctx)
	if err != nil {
		return env, err
	}
	env.Engine, env.EngineVersion, env.APIVersion, env.Sandboxed = info.Name, info.Version, info.APIVersion, info.Sandboxed
	env.Kernel, env.OS, env.CgroupVersion = info.Kernel, info.OS, info.CgroupVersion
	env.Runtime, env.Seccomp = info.Runtime, info.Seccomp
	env.CandidateCores, env.DriverCores = slot.CandidateCores, slot.DriverCores
	return env, nil
}

// Close gives everything back. It is idempotent.
func (b *knownBench) Close() error {
	b.display.Done()
	var errs []error
	if b.workspace != nil {
		errs = append(errs, b.workspace.Close(context.Background()))
		b.workspace = nil
	}
	if b.slot != nil {
		b.slot.Release()
	}
	if b.session != nil {
		errs = append(errs, b.session.Close())
		b.session = nil
	}
	return errors.Join(append(errs, b.dir.Close())...)
}

// run drives the known program once, in a pod, and returns the evidence and the wall time of it all.
func (b *knownBench) run(ctx context.Context, p knowntruth.Params, limits runner.Limits) (evidence.Run, time.Duration, error) {
	raw, err := json.Marshal(p)
	if err != nil {
		return evidence.Run{}, 0, fmt.Errorf("write params: %w", err)
	}
	began := time.Now()
	run, err := runner.Drive(ctx, b.engine, runner.RunSpec{
		Scenario: "bench", Role: evidence.Reference, Workload: knowntruth.Name, Params: raw, Workspace: b.workspace,
		Start: knowntruth.Start(), Limits: limits, Slot: b.slot.Slot, Probe: true, Timeout: p.Timeout + time.Minute,
	})
	if err == nil && len(run.Executions) != 1 {
		err = fmt.Errorf("the known program was started %d times", len(run.Executions))
	}
	return run, time.Since(began), err
}

// Lengths of the injected stalls in ms. The short ones are repeated more often: one fits more or less often between two beats.
func shortStalls() []float64 { return []float64{5, 10, 20, 50, 100, 200} }
func longStalls() []float64  { return []float64{500, 1000, 2000, 5000} }

const (
	shortRounds = 5
	longRounds  = 1
	// restMs is the time between two stalls; up to as much again is added, so that stalls begin at any time between two beats.
	restMs = 200
	// benchMemory is enough for what blocks do, so that nothing is measured at a limit.
	benchMemory = 1 << 30
)

// stallScript is one round: each length in each way, in an order of its own.
func stallScript(lengths []float64, round int) (steps []knowntruth.Step, total time.Duration) {
	r := rand.New(rand.NewPCG(uint64(round), uint64(len(lengths))))
	var blocks []knowntruth.Step
	for _, how := range knowntruth.Blocks() {
		for _, length := range lengths {
			blocks = append(blocks, knowntruth.Step{Do: knowntruth.DoBlock, How: how, Ms: length})
		}
	}
	r.Shuffle(len(blocks), func(i, j int) { blocks[i], blocks[j] = blocks[j], blocks[i] })
	ms := 0.0
	for _, b := range blocks {
		rest := restMs * (1 + r.Float64())
		steps = append(steps, knowntruth.Step{Do: knowntruth.DoRest, Ms: rest}, b)
		ms += rest + b.Ms
	}
	return append(steps, knowntruth.Step{Do: knowntruth.DoRest, Ms: 2 * restMs}), time.Duration(ms * float64(time.Millisecond))
}

func (a *app) benchStalls(ctx context.Context, opts benchOptions, report *accuracy.Report) (err error) {
	b, err := a.openKnown(ctx, report)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	report.Stalls = &accuracy.Stalls{HeartbeatHz: opts.hz}
	long := longStalls()
	if opts.quick {
		long = long[:2]
	}
	short := opts.few(1, shortRounds)
	for round := range short + longRounds {
		lengths := shortStalls()
		if round >= short {
			lengths = long
		}
		steps, total := stallScript(lengths, round)
		b.display.Update(fmt.Sprintf("stalls, round %d of %d (%s)", round+1, short+longRounds, total.Round(time.Second)), 0, 0, "")
		run, _, err := b.run(ctx, knowntruth.Params{Steps: steps, Hz: opts.hz, Timeout: 2*total + time.Minute},
			runner.Limits{MemoryBytes: benchMemory})
		if err != nil {
			return err
		}
		if err := report.Stalls.Add(run.Executions[0]); err != nil {
			return err
		}
	}
	return nil
}

const (
	// holdMs is how long memory is kept, spikeMs how long a spike is.
	holdMs, spikeMs = 500, 20
	memoryRounds    = 3
	mega            = 1_000_000
)

func (a *app) benchMemory(ctx context.Context, opts benchOptions, report *accuracy.Report) (err error) {
	b, err := a.openKnown(ctx, report)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	sizes := []int64{50 * mega, 200 * mega, 1000 * mega}
	if opts.quick {
		sizes = sizes[:2]
	}
	report.Memory = &accuracy.Memory{}
	rounds, available := opts.few(1, memoryRounds), availableMemory()
	for round := range rounds {
		for _, size := range sizes {
			if need := 2*size + mega*1000; available > 0 && need > available {
				if round == 0 {
					report.Memory.Skipped = append(report.Memory.Skipped, fmt.Sprintf("%s are not tried: this machine has %s available.",
						formatBytes(size), formatBytes(available)))
				}
				continue
			}
			for _, how := range knowntruth.Holds() {
				b.display.Update(fmt.Sprintf("memory, round %d of %d: %s, %d MB", round+1, rounds, how, size/mega), 0, 0, "")
				if err := b.hold(ctx, how, size, report.Memory); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// hold makes one allocation in a run of its own. There is no heartbeat: what a program needs to answer it would be counted as
// error here, and is a part of what the program uses anywhere else.
func (b *knownBench) hold(ctx context.Context, how string, size int64, m *accuracy.Memory) error {
	length := float64(holdMs)
	if how == knowntruth.HoldSpike {
		length = spikeMs
	}
	run, _, err := b.run(ctx, knowntruth.Params{
		Steps:   []knowntruth.Step{{Do: knowntruth.DoHold, How: how, Bytes: size, Ms: length}},
		Timeout: time.Minute,
	}, runner.Limits{MemoryBytes: 2*size + 512<<20, TmpBytes: size + 16<<20, FileSizeBytes: size + 16<<20})
	if err != nil {
		return err
	}
	return m.Add(run.Executions[0])
}

// availableMemory is what the kernel says can be used without swapping, 0 where it does not tell.
func availableMemory() int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "MemAvailable:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err == nil {
				return kib << 10
			}
		}
	}
	return 0
}
