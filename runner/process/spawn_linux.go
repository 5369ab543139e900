package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/runner"
)

// outputGrace is how long output may keep coming after a process has ended: what it left behind may hold the pipes open.
const outputGrace = 2 * time.Second

// command is a process to be started.
type command struct {
	argv   []string // argv[0] is a path or is looked up in PATH of env
	dir    string
	env    map[string]string
	stdin  *os.File // closed by the caller; nil for none
	stdout io.Writer
	stderr io.Writer
	cores  string         // cpuset list; empty for no change
	rlimit map[int]uint64 // by RLIMIT_…; soft and hard
	drop   bool           // run as runner.UID where we are root, without a way back
}

// running is a started process. Its owner waits for done.
type running struct {
	pid  int
	proc *os.Process
	done chan struct{} // closed when it has ended, its output was read, and err is set
	err  error         // of exec.Cmd.Wait
	ps   *os.ProcessState
}

// notExecutableError says that a command could not be executed, which is its author's affair.
type notExecutableError struct{ err error }

func (e notExecutableError) Error() string { return e.err.Error() }
func (e notExecutableError) Unwrap() error { return e.err }

// spawn starts a command in a session of its own. It dies with this process. Limits and cores hold before its first
// instruction: it is started traced, which stops it right after exec, and let go once they are set.
func (e *Engine) spawn(c command) (*running, error) {
	cmd, err := e.prepare(c)
	if err != nil {
		return nil, err
	}
	r := &running{done: make(chan struct{})}
	started := make(chan error, 1)
	// The thread must live as long as the child, which is told to die with its parent thread; and only it may detach from
	// the child.
	onThread(func() {
		defer close(r.done)
		if err := e.launch(cmd, c, r); err != nil {
			started <- err
			return
		}
		started <- nil
		r.err, r.ps = cmd.Wait(), cmd.ProcessState
		family.forget(r.pid)
	})
	if err := <-started; err != nil {
		<-r.done
		return nil, err
	}
	return r, nil
}

// onThread runs f in a goroutine with a thread of its own, which ends with f together with all that f sets on it. The main
// thread cannot end, so it is not used.
func onThread(f func()) {
	go func() {
		runtime.LockOSThread() // and never unlocked, so that the thread ends
		if unix.Gettid() != os.Getpid() {
			f()
			return
		}
		elsewhere := make(chan struct{})
		onThread(func() {
			close(elsewhere)
			f()
		})
		<-elsewhere
		runtime.UnlockOSThread()
	}()
}

func (e *Engine) prepare(c command) (*exec.Cmd, error) {
	path, err := lookPath(c.argv[0], c.dir, c.env["PATH"])
	if err != nil {
		return nil, notExecutableError{err}
	}
	cmd := &exec.Cmd{
		Path: path, Args: c.argv, Dir: c.dir, Env: envList(c.env),
		Stdout: c.stdout, Stderr: c.stderr, WaitDelay: outputGrace,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL, Ptrace: true},
	}
	if c.stdin != nil {
		cmd.Stdin = c.stdin
	}
	if c.drop && e.root {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: runner.UID, Gid: runner.UID}
	}
	return cmd, nil
}

// launch runs on a locked thread that nothing else will use.
func (e *Engine) launch(cmd *exec.Cmd, c command, r *running) error {
	if c.drop {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("give up privileges: %w", err)
		}
	}
	if err := pin(c.cores); err != nil {
		return err
	}
	if err := family.start(cmd); err != nil {
		return startError(err)
	}
	r.pid, r.proc = cmd.Process.Pid, cmd.Process
	if err := release(r.pid, c.rlimit, c.drop && e.root); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		family.forget(r.pid)
		return fmt.Errorf("start process: %w", err)
	}
	return nil
}

// startError tells the command's fault from ours.
func startError(err error) error {
	for _, theirs := range []error{unix.ENOENT, unix.ENOEXEC, unix.EACCES, unix.ENOTDIR, unix.EISDIR, unix.ELOOP, unix.E2BIG} {
		if errors.Is(err, theirs) {
			return notExecutableError{err}
		}
	}
	return fmt.Errorf("start process: %w", err)
}

// lookPath finds an executable as execvp would, in another directory and with another PATH.
func lookPath(name, dir, path string) (string, error) {
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		return name, nil // whether it can be executed, the kernel says
	}
	for _, p := range filepath.SplitList(path) {
		file := filepath.Join(p, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return "", fmt.Errorf("%q: %w", name, exec.ErrNotFound)
}

// exit says how the process ended. Call it after done is closed.
func (r *running) exit() (evidence.Exit, error) {
	if r.ps == nil {
		return evidence.Exit{}, fmt.Errorf("wait for process: %w", r.err)
	}
	ws, ok := r.ps.Sys().(syscall.WaitStatus)
	if !ok {
		return evidence.Exit{}, fmt.Errorf("wait for process: unknown state %s", r.ps)
	}
	if ws.Signaled() {
		name, _ := runner.SignalName(int(ws.Signal()))
		return evidence.Exit{Status: evidence.Signaled, Code: 128 + int(ws.Signal()), Signal: name}, nil
	}
	return evidence.Exit{Status: evidence.Exited, Code: ws.ExitStatus()}, nil
}

func notStarted(argv []string, err error) evidence.Exit {
	code := 126
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		code = 127
	}
	return evidence.Exit{
		Status: evidence.NotStarted, Code: code,
		Detail: fmt.Sprintf("%s could not be executed: %s", argv[0], err),
	}
}

// wait waits for the end of a process, or kills it when ctx is done first; then too it waits for the end.
func (r *running) wait(ctx context.Context) {
	select {
	case <-r.done:
	case <-ctx.Done():
		_ = r.proc.Kill() // fails only when it has just ended
		<-r.done
	}
}
