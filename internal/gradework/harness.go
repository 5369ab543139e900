package gradework

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/assay-run/assay/graders/idle"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/runner"
)

// harnessWithin bounds one check of the harness, the pod included.
const harnessWithin = 2 * time.Minute

// checkHarness asks an idle server as submissions are asked, in a pod on the same cores, and returns how long it took.
func (b *Bench) checkHarness(ctx context.Context) (evidence.Heartbeat, error) {
	if b.idle == nil {
		if err := b.stageIdle(ctx); err != nil {
			return evidence.Heartbeat{}, err
		}
	}
	run, err := b.opts.Drive(ctx, b.opts.Engine, runner.RunSpec{
		Scenario: idle.Name, Role: evidence.Reference, Workload: idle.Name, Params: []byte("{}"),
		Workspace: b.idle, Start: []string{"node", idle.FileName}, Limits: runner.DefaultLimits(), Slot: b.slot.Slot,
		Probe: true, Timeout: harnessWithin,
	})
	if err != nil {
		return evidence.Heartbeat{}, fmt.Errorf("run idle server: %w", err)
	}
	if len(run.Executions) != 1 || run.Executions[0].Heartbeat == nil {
		return evidence.Heartbeat{}, errors.New("run idle server: it brought no heartbeat")
	}
	return *run.Executions[0].Heartbeat, nil
}

// stageIdle copies the idle server to the engine, once for all gradings of the bench.
func (b *Bench) stageIdle(ctx context.Context) error {
	dir := filepath.Join(b.dir.Path, "idle")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write idle server: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, idle.FileName), idle.Program(), 0o644); err != nil {
		return fmt.Errorf("write idle server: %w", err)
	}
	w, err := b.opts.Engine.Stage(ctx, runner.StageSpec{Name: idle.Name, Dir: dir})
	if err != nil {
		return fmt.Errorf("stage idle server: %w", err)
	}
	b.idle = w
	return nil
}

// closeIdle removes the idle server.
func (b *Bench) closeIdle() error {
	if b.idle == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := b.idle.Close(ctx)
	b.idle = nil
	return err
}
