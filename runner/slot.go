package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Slots hands out cores for measured runs. A core belongs to at most one slot at a time on the whole machine: each
// is guarded by an advisory lock on a file in a directory that all processes of Assay share, so the kernel gives it back
// when a holder dies, however it dies.
type Slots struct {
	dir  string
	cpus []int
}

// NewSlots uses lock files in dir, which is created when missing, and the cores this process may run on.
func NewSlots(dir string) (*Slots, error) {
	cpus, err := allowedCPUs()
	if err != nil {
		return nil, fmt.Errorf("read allowed cores: %w", err)
	}
	return newSlots(dir, cpus)
}

func newSlots(dir string, cpus []int) (*Slots, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("make slot directory: %w", err)
	}
	// Every user of the machine shares the locks. A chmod that is refused means that somebody else made the directory.
	if err := os.Chmod(dir, 0o1777); err != nil && !errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("open slot directory to all users: %w", err)
	}
	return &Slots{dir: dir, cpus: cpus}, nil
}

// Count is how many measured runs this machine can make at once: one core for the submission and one for the
// driver each. A machine with a single core has one slot, whose two parts share it; its figures are worth less.
func (s *Slots) Count() int { return max(1, len(s.cpus)/2) }

// HeldSlot is a slot with its locks. Release gives it back and is idempotent.
type HeldSlot struct {
	Slot
	files []*os.File
}

// Release gives the cores back.
func (h *HeldSlot) Release() {
	for _, f := range h.files {
		_ = f.Close() // closing drops the lock
	}
	h.files = nil
}

// Acquire waits until a slot is free. waiting, when not nil, is called once before the first wait with a sentence that
// names the holders.
func (s *Slots) Acquire(ctx context.Context, waiting func(string)) (*HeldSlot, error) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for told := false; ; told = true {
		var holders []string
		for i := range s.Count() {
			held, holder, err := s.try(i)
			if err != nil {
				return nil, err
			}
			if held != nil {
				return held, nil
			}
			holders = append(holders, holder)
		}
		if !told && waiting != nil {
			waiting("waiting for free cores; in use by " + strings.Join(holders, ", "))
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// try takes slot i, or says who holds it. The highest cores come first: interrupts tend to land on core 0.
func (s *Slots) try(i int) (*HeldSlot, string, error) {
	top := len(s.cpus) - 1 - 2*i
	mine := []int{s.cpus[top]}
	slot := Slot{CandidateCores: strconv.Itoa(s.cpus[top]), DriverCores: strconv.Itoa(s.cpus[top])}
	if top > 0 {
		mine = append(mine, s.cpus[top-1])
		slot.DriverCores = strconv.Itoa(s.cpus[top-1])
	}
	held := &HeldSlot{Slot: slot}
	for _, cpu := range mine {
		f, holder, err := lockCore(filepath.Join(s.dir, fmt.Sprintf("core-%d.lock", cpu)))
		if err != nil || f == nil {
			held.Release()
			return nil, holder, err
		}
		held.files = append(held.files, f)
	}
	return held, "", nil
}

func lockCore(path string) (*os.File, string, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o666)
	if err != nil {
		return nil, "", fmt.Errorf("open core lock: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		name := make([]byte, 64)
		n, _ := f.ReadAt(name, 0)
		_ = f.Close()
		if n == 0 {
			return nil, "another process", nil
		}
		return nil, strings.TrimSpace(string(name[:n])), nil
	}
	if err != nil {
		_ = f.Close()
		return nil, "", fmt.Errorf("lock core: %w", err)
	}
	_ = f.Chmod(0o666) // other users lock it too; refused when one of them made it, and then it is so already
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt(fmt.Appendf(nil, "process %d", os.Getpid()), 0)
	}
	return f, "", nil
}

func numCPUs() []int {
	cpus := make([]int, runtime.NumCPU())
	for i := range cpus {
		cpus[i] = i
	}
	return cpus
}
