package driver

import (
	"errors"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// closeToOthers makes the process undumpable: no other process of the same user, with no privilege, can then read its
// memory, its environment or its open files. What the driver knows would be worth reading.
func closeToOthers() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("close driver to other processes: %w", err)
	}
	return nil
}

// keepWriting makes writing to a host that is gone an error instead of the end, so that what runs can be ended first.
func keepWriting() { signal.Ignore(unix.SIGPIPE) }

// pollable returns f as a file whose Read ends when it is closed, where its kind allows that: pipes and sockets do.
func pollable(f *os.File) *os.File {
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		return f
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return f
	}
	return os.NewFile(uintptr(fd), f.Name())
}

// signalKill and signalStop send a signal. gone says that there is no such process any more.
func signalKill(pid int) (gone bool, err error) { return send(pid, unix.SIGKILL) }

func signalStop(pid int) (gone bool, err error) { return send(pid, unix.SIGSTOP) }

func send(pid int, s unix.Signal) (gone bool, err error) {
	err = unix.Kill(pid, s)
	if errors.Is(err, unix.ESRCH) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("signal process %d: %w", pid, err)
	}
	return false, nil
}

// reap collects one ended child and says whether SIGKILL ended it. Asking for it by its id steals no other child from
// whoever waits for that.
func reap(pid int) (killed bool) {
	var status unix.WaitStatus
	got, err := unix.Wait4(pid, &status, unix.WNOHANG, nil)
	// Otherwise it is no child of ours, or collected already: either is fine.
	return err == nil && got == pid && status.Signaled() && status.Signal() == unix.SIGKILL
}

// roomOf asks how much room a file system has. ok is false where it cannot be asked, or has no limit.
func roomOf(path string) (r room, ok bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil || s.Blocks == 0 || s.Files == 0 {
		return room{}, false
	}
	return room{
		bytes: int64(s.Blocks) * s.Bsize, freeBytes: int64(s.Bavail) * s.Bsize, freeFiles: int64(s.Ffree), //nolint:gosec // no disk is that large
	}, true
}

// exitWatch tells of the end of any process, child or not, at once.
type exitWatch struct {
	file *os.File
	gone chan struct{}
}

// watchExit begins to watch. It returns nil where the kernel or its sandbox does not let us; the sampler then sees the
// end a little later.
func watchExit(pid int) *exitWatch {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil
	}
	w := &exitWatch{file: os.NewFile(uintptr(fd), "pidfd"), gone: make(chan struct{})}
	raw, err := w.file.SyscallConn()
	if err != nil {
		_ = w.file.Close()
		return nil
	}
	go func() {
		defer close(w.gone)
		// The descriptor becomes readable when the process has ended. An error means that it was closed.
		_ = raw.Read(func(fd uintptr) bool {
			set := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}} //nolint:gosec // descriptors are small
			n, err := unix.Poll(set, 0)
			return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
		})
	}()
	return w
}

// done is closed at the end of the process; nil for a nil watch, which never is.
func (w *exitWatch) done() <-chan struct{} {
	if w == nil {
		return nil
	}
	return w.gone
}

func (w *exitWatch) close() {
	if w == nil {
		return
	}
	_ = w.file.Close()
	<-w.gone
}
