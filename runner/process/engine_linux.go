package process

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/assay-run/assay/runner"
)

// Engine runs pods as plain processes. Its methods may be called from several goroutines.
type Engine struct {
	cfg  Config
	dir  string // of this session
	root bool   // submissions run as runner.UID
}

var _ runner.Engine = (*Engine)(nil)

// New makes the session's directory. From now on orphans of this process' descendants are handed to it by the kernel
// (PR_SET_CHILD_SUBREAPER), so that nothing a submission leaves can get away. Close the Engine at the end.
func New(cfg Config) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	e := &Engine{cfg: cfg.withDefaults(), root: os.Geteuid() == 0}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("become reaper of orphans: %w", err)
	}
	e.dir = filepath.Join(cfg.Dir, e.prefix()+cfg.Session)
	// Others may pass through and list nothing.
	if err := os.Mkdir(e.dir, 0o711); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make session directory: %w", err)
	}
	if err := os.Chmod(e.dir, 0o711); err != nil { // against a strict umask, and against a directory of somebody else
		return nil, fmt.Errorf("open session directory: %w", err)
	}
	return e, nil
}

// Close removes the session's directory. Pods and workspaces must be closed before.
func (e *Engine) Close() error {
	if err := removeTree(e.dir); err != nil {
		return fmt.Errorf("remove session directory: %w", err)
	}
	return nil
}

// prefix begins the name of every session's directory of this machine.
func (e *Engine) prefix() string { return "assay-" + e.cfg.StateID + "-" }

// Info describes this machine.
func (e *Engine) Info(context.Context) (runner.Info, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return runner.Info{}, fmt.Errorf("ask kernel: %w", err)
	}
	info := runner.Info{
		Name:          "process",
		CgroupVersion: cgroupVersion(),
		Kernel:        unix.ByteSliceToString(u.Release[:]),
		OS:            osName(),
		CPUs:          runtime.NumCPU(),
		Root:          e.cfg.Dir,
	}
	info.Version = info.Kernel
	return info, nil
}

func cgroupVersion() int {
	var st unix.Statfs_t
	switch {
	case unix.Statfs("/sys/fs/cgroup", &st) != nil:
		return 0
	case st.Type == unix.CGROUP2_SUPER_MAGIC:
		return 2
	}
	return 1
}

func osName() string {
	data, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "Linux"
	}
	for line := range strings.Lines(string(data)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
			return strings.Trim(name, `"`)
		}
	}
	return "Linux"
}

// Sweep removes the directories of sessions that are no longer alive, and ends processes that still work in them. Each
// such process counts as a container, each directory as a volume.
func (e *Engine) Sweep(ctx context.Context) (runner.Swept, error) {
	var swept runner.Swept
	dirs, err := filepath.Glob(filepath.Join(e.cfg.Dir, e.prefix()+"*"))
	if err != nil {
		return swept, fmt.Errorf("list sessions: %w", err)
	}
	var errs []error
	for _, dir := range dirs {
		session := strings.TrimPrefix(filepath.Base(dir), e.prefix())
		if session == e.cfg.Session || e.cfg.SessionAlive == nil || e.cfg.SessionAlive(session) {
			continue
		}
		if ctx.Err() != nil {
			return swept, errors.Join(append(errs, context.Cause(ctx))...)
		}
		swept.Containers += killBelow(dir)
		if err := removeTree(dir); err != nil {
			errs = append(errs, fmt.Errorf("sweep session %s: %w", session, err))
			continue
		}
		swept.Volumes++
	}
	return swept, errors.Join(errs...)
}

// token is a fresh random name.
func token() string {
	raw := make([]byte, 8)
	_, _ = rand.Read(raw) // never fails, by its documentation
	return hex.EncodeToString(raw)
}

// removeTree removes a directory with everything in it, also where a submission has taken away the right to do so.
func removeTree(dir string) error {
	if os.RemoveAll(dir) == nil {
		return nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open directory to remove: %w", err)
	}
	defer func() { _ = root.Close() }()
	_ = fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, _ error) error {
		if d != nil && d.IsDir() {
			_ = root.Chmod(path, 0o700) // what cannot be opened now shows in RemoveAll below
		}
		return nil
	})
	return os.RemoveAll(dir)
}
