package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/assay-run/assay/runner"
)

const (
	probeName    = "probe.mjs"
	diagnoseName = "diagnose.mjs"
)

// workspace is a staged submission in a directory: app/ with its files, and the preloads.
type workspace struct {
	dir  string
	once sync.Once
	err  error
}

// Stage copies a submission into a directory of its own.
func (e *Engine) Stage(ctx context.Context, s runner.StageSpec) (_ runner.Workspace, err error) {
	w := &workspace{dir: filepath.Join(e.dir, "ws-"+token())}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("stage %s: %w", s.Name, err), w.Close(ctx))
		}
	}()
	if err := e.makeDir(w.dir, 0o755, false); err != nil {
		return nil, err
	}
	if err := e.writePreloads(w.dir); err != nil {
		return nil, err
	}
	if err := e.makeDir(w.app(), 0o755, true); err != nil {
		return nil, err
	}
	err = runner.WalkStage(ctx, s.Dir, func(f runner.StagedFile) error {
		path := filepath.Join(w.app(), filepath.FromSlash(f.Path))
		if f.Dir {
			return e.makeDir(path, f.Mode(), true)
		}
		return e.copyFile(path, f)
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}

// writePreloads puts the probe and the diagnosis into a directory.
func (e *Engine) writePreloads(dir string) error {
	if err := e.writeFile(filepath.Join(dir, probeName), e.cfg.ProbeSource, 0o444); err != nil {
		return err
	}
	return e.writeFile(filepath.Join(dir, diagnoseName), e.cfg.DiagnoseSource, 0o444)
}

func (w *workspace) app() string { return filepath.Join(w.dir, "app") }

// ID is the directory's name.
func (w *workspace) ID() string { return filepath.Base(w.dir) }

// Close removes the directory.
func (w *workspace) Close(context.Context) error {
	if w == nil {
		return nil
	}
	w.once.Do(func() {
		if err := removeTree(w.dir); err != nil {
			w.err = fmt.Errorf("remove workspace: %w", err)
		}
	})
	return w.err
}

// makeDir makes a directory whose mode does not depend on the umask, for the submission's user when theirs is true.
func (e *Engine) makeDir(path string, mode fs.FileMode, theirs bool) error {
	if err := os.Mkdir(path, 0o700); err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	if err := os.Chmod(path, mode); err != nil {
		return fmt.Errorf("set mode of directory: %w", err)
	}
	if theirs && e.root {
		if err := os.Lchown(path, runner.UID, runner.UID); err != nil {
			return fmt.Errorf("give directory to the submission: %w", err)
		}
	}
	return nil
}

func (e *Engine) writeFile(path string, data []byte, mode fs.FileMode) error {
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	if err := os.Chmod(path, mode); err != nil {
		return fmt.Errorf("set mode of file: %w", err)
	}
	return nil
}

func (e *Engine) copyFile(path string, f runner.StagedFile) (err error) {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("make file: %w", err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := io.Copy(out, f.Body); err != nil {
		return fmt.Errorf("copy file: %w", err)
	}
	if err := out.Chmod(f.Mode()); err != nil {
		return fmt.Errorf("set mode of file: %w", err)
	}
	if e.root {
		if err := out.Chown(runner.UID, runner.UID); err != nil {
			return fmt.Errorf("give file to the submission: %w", err)
		}
	}
	return nil
}

// reachable says whether another user can pass through every directory down to dir and list it.
func reachable(dir string) bool {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	for want := fs.FileMode(0o005); ; want = 0o001 {
		info, err := os.Stat(dir)
		if err != nil || info.Mode()&want != want {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
		dir = filepath.Dir(dir)
	}
}

// offerData returns a directory with the files of dir that the submission's user can read. It is dir itself where that
// user can reach it, and otherwise one of hard links, since the data may be too large to be copied.
func (e *Engine) offerData(dir, pod string) (string, error) {
	if !e.root || reachable(dir) {
		return dir, nil
	}
	view := filepath.Join(pod, "data")
	if err := e.makeDir(view, 0o755, false); err != nil {
		return "", err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("read data directory: %w", err)
	}
	for _, d := range entries {
		if !d.Type().IsRegular() {
			continue
		}
		if err := os.Link(filepath.Join(dir, d.Name()), filepath.Join(view, d.Name())); err != nil {
			return "", fmt.Errorf("offer data to the submission, whose user (%d) cannot reach %s; keep the cache on the same"+
				" file system as %s, or where every user can read it: %w", runner.UID, dir, e.cfg.Dir, err)
		}
	}
	return view, nil
}
