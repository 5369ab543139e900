package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/diskwatch"
)

// Bounds of a build where the spec sets none.
const (
	buildTimeout     = 120 * time.Second
	buildOutputBytes = 256 << 10
	buildOpenFiles   = 4096
)

// Build runs the steps one after another in the workspace, as processes with the whole network of this machine. The
// first that fails ends the build. MemoryBytes is not enforced.
func (e *Engine) Build(ctx context.Context, w runner.Workspace, b runner.BuildSpec) (evidence.Build, error) {
	ws, ok := w.(*workspace)
	if !ok {
		return evidence.Build{}, errors.New("build: workspace is not of this engine")
	}
	if len(b.Steps) == 0 {
		return evidence.Build{Skipped: true, Reason: "The submission has no build steps."}, nil
	}
	if b.Timeout <= 0 {
		b.Timeout = buildTimeout
	}
	if b.OutputBytes <= 0 {
		b.OutputBytes = buildOutputBytes
	}
	tmp := filepath.Join(e.dir, "build-"+token())
	if err := e.makeDir(tmp, 0o700, true); err != nil {
		return evidence.Build{}, fmt.Errorf("build: %w", err)
	}
	defer removeTree(tmp) //nolint:errcheck // the session's directory goes as a whole in the end
	marker := token()
	family.opened(marker)
	defer family.closed(marker)

	limited, cancel := context.WithTimeout(ctx, b.Timeout)
	defer cancel()
	env := merge(map[string]string{
		"PATH": e.cfg.Path, "HOME": tmp, "TMPDIR": tmp, "LANG": "C.UTF-8", "TZ": "UTC", "CI": "true",
		"npm_config_cache":           filepath.Join(tmp, "npm"),
		"npm_config_ignore_scripts":  fmt.Sprint(!b.Scripts),
		"npm_config_update_notifier": "false",
		"npm_config_fund":            "false",
	}, b.Env, map[string]string{markerName: marker})
	var build evidence.Build
	for _, argv := range b.Steps {
		step, err := e.buildStep(limited, ws, argv, env, b.OutputBytes)
		e.killTree(0, marker)
		if ctx.Err() != nil {
			return build, fmt.Errorf("build: %w", context.Cause(ctx))
		}
		if err != nil {
			return build, fmt.Errorf("build: %w", err)
		}
		build.Steps = append(build.Steps, step)
		if !step.Exit.OK() {
			build.Failed = true
			break
		}
	}
	return build, nil
}

func (e *Engine) buildStep(ctx context.Context, ws *workspace, argv []string, env map[string]string, output int64) (evidence.BuildStep, error) {
	step := evidence.BuildStep{Argv: argv}
	if len(argv) == 0 {
		step.Exit = evidence.Exit{Status: evidence.NotStarted, Code: 127, Detail: "The step has no command."}
		return step, nil
	}
	began := time.Now()
	log := runner.NewBoundedLog(output)
	limits := runner.Limits{FileSizeBytes: 1 << 30, OpenFiles: buildOpenFiles}.WithDefaults()
	run, err := e.spawn(command{
		argv: argv, dir: ws.app(), env: env, stdout: log, stderr: log, rlimit: e.rlimits(limits), drop: true,
	})
	var theirs notExecutableError
	if errors.As(err, &theirs) {
		step.Exit = notStarted(argv, theirs)
		return step, nil
	}
	if err != nil {
		return step, err
	}
	select {
	case <-run.done:
	case <-ctx.Done():
		e.kill(run, env[markerName])
	}
	step.DurationNs = time.Since(began).Nanoseconds()
	step.Output = log.Log()
	if step.Exit, err = run.exit(); err != nil {
		return step, err
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && step.Exit.Signal == "SIGKILL" {
		step.Exit.Status = evidence.TimedOut
		step.Exit.Detail = "The build took longer than it may."
	}
	if step.Exit.OK() {
		return step, nil
	}
	return step, hadRoom(ws.app())
}

// hadRoom says whether a step that failed had room to write to; that it had not is the machine's fault.
func hadRoom(dir string) error {
	room, err := diskwatch.RoomOf(dir)
	if err != nil {
		return fmt.Errorf("after a step that failed: %w", err)
	}
	if room.Full() {
		return fmt.Errorf("a step failed, and the disk is full: %w", &fs.PathError{Op: "build in", Path: dir, Err: unix.ENOSPC})
	}
	return nil
}
