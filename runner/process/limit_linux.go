package process

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/assay-run/assay/runner"
)

// release waits for the stop after exec, sets the limits, and lets the process go. dropped says that the process has
// become runner.UID.
func release(pid int, limits map[int]uint64, dropped bool) error {
	var ws unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &ws, 0, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("await exec: %w", err)
		}
		break
	}
	if !ws.Stopped() {
		return fmt.Errorf("await exec: process is in state %#x", uint32(ws))
	}
	if dropped {
		restore, err := resemble(runner.UID)
		if err != nil {
			return err
		}
		defer restore()
	}
	for which, n := range limits {
		if err := unix.Prlimit(pid, which, &unix.Rlimit{Cur: n, Max: n}, nil); err != nil {
			return fmt.Errorf("set limit %d to %d: %w", which, n, err)
		}
	}
	if err := unix.PtraceDetach(pid); err != nil {
		return fmt.Errorf("let process go: %w", err)
	}
	return nil
}

// resemble gives the calling thread, and no other, the real user and group id of a submission, and returns what takes
// them back. That is what the kernel wants to see of somebody who limits another user's process; the alternative is a
// capability (SYS_RESOURCE) that root in a container does not have. The thread's effective ids stay.
func resemble(uid int) (restore func(), err error) {
	const keep = ^uintptr(0)
	set := func(id uintptr) unix.Errno {
		if _, _, e := unix.RawSyscall(unix.SYS_SETRESGID, id, keep, keep); e != 0 {
			return e
		}
		_, _, e := unix.RawSyscall(unix.SYS_SETRESUID, id, keep, keep)
		return e
	}
	if e := set(uintptr(uid)); e != 0 {
		return nil, fmt.Errorf("resemble the submission's user: %w", e)
	}
	return func() { _ = set(0) }, nil // taking back what was given cannot fail while the effective user is root
}

// pin binds the calling thread, and what it starts, to a cpuset list; an empty one changes nothing.
func pin(list string) error {
	if list == "" {
		return nil
	}
	set, err := parseCores(list)
	if err != nil {
		return err
	}
	if err := unix.SchedSetaffinity(0, set); err != nil {
		return fmt.Errorf("bind to cores %s: %w", list, err)
	}
	return nil
}

// parseCores reads a cpuset list like "0,2-3".
func parseCores(list string) (*unix.CPUSet, error) {
	var set unix.CPUSet
	for part := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err1 := strconv.ParseUint(first, 10, 10)
		to, err2 := strconv.ParseUint(last, 10, 10)
		if err1 != nil || err2 != nil || to < from {
			return nil, fmt.Errorf("read cores %q: not a list of cores", list)
		}
		for cpu := from; cpu <= to; cpu++ {
			set.Set(int(cpu))
		}
	}
	return &set, nil
}
