package runner

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// allowedCPUs are the cores in this process's affinity mask, ascending.
func allowedCPUs() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, err
	}
	var cpus []int
	for i := range len(set) * 64 {
		if set.IsSet(i) {
			cpus = append(cpus, i)
		}
	}
	if len(cpus) == 0 {
		return numCPUs(), nil
	}
	return cpus, nil
}

// calibrationRounds makes one loop take some 40 ms on a core of 2020s make: long enough to meet a neighbour, short
// enough to be repeated between runs.
const calibrationRounds = 12_000_000

// Calibrate times a fixed amount of integer work on the first of the given cores and returns the fastest of five tries
// in nanoseconds. Two results differ by how much the core itself has changed speed; what a neighbour steals for a
// moment does not count, because the fastest try is taken.
func Calibrate(ctx context.Context, cores string) (int64, error) {
	first, _, _ := strings.Cut(strings.SplitN(cores, ",", 2)[0], "-")
	cpu, err := strconv.Atoi(first)
	if err != nil {
		return 0, fmt.Errorf("calibrate on cores %q: %w", cores, err)
	}
	result := make(chan int64, 1)
	failed := make(chan error, 1)
	var spun atomic.Uint64 // takes the result, or the compiler might drop the work
	go func() {
		// The thread is not unlocked: it ends with its goroutine, and the changed affinity with it.
		runtime.LockOSThread()
		var set unix.CPUSet
		set.Set(cpu)
		if err := unix.SchedSetaffinity(0, &set); err != nil {
			failed <- fmt.Errorf("pin calibration to core %d: %w", cpu, err)
			return
		}
		best := int64(0)
		for range 5 {
			if ctx.Err() != nil {
				failed <- context.Cause(ctx)
				return
			}
			start := time.Now()
			spun.Store(spin(calibrationRounds))
			if took := int64(time.Since(start)); best == 0 || took < best {
				best = took
			}
		}
		result <- best
	}()
	select {
	case ns := <-result:
		return ns, nil
	case err := <-failed:
		return 0, err
	}
}

//go:noinline
func spin(rounds int) uint64 {
	x := uint64(88172645463325252)
	for range rounds {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	return x
}

// CachePolicy is how input files are treated before each run, the same for everybody.
type CachePolicy string

// The policies.
const (
	CacheWarm    CachePolicy = "warm"    // read once before each run, so the disk does not matter
	CacheDropped CachePolicy = "dropped" // dropped before each run, so that every run starts from the disk
)

// ChooseCache returns CacheWarm when files of that size fit well into memory: at most 60 % of what is available.
func ChooseCache(bytes int64) CachePolicy {
	if avail := availableMemory(); avail > 0 && float64(bytes) <= 0.6*float64(avail) {
		return CacheWarm
	}
	return CacheDropped
}

// availableMemory is MemAvailable of /proc/meminfo in bytes, 0 when it cannot be read.
func availableMemory() int64 {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "MemAvailable:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}

// PreparePageCache brings files into the state of the policy. It reads whole files when they are to be warm.
func PreparePageCache(ctx context.Context, policy CachePolicy, files []string) error {
	buf := make([]byte, 1<<20)
	for _, name := range files {
		if err := preparePageCacheOf(ctx, policy, name, buf); err != nil {
			return fmt.Errorf("prepare page cache: %w", err)
		}
	}
	return nil
}

func preparePageCacheOf(ctx context.Context, policy CachePolicy, name string, buf []byte) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if policy == CacheDropped {
		// Dirty pages cannot be dropped.
		if err := f.Sync(); err != nil {
			return err
		}
		return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	}
	for ctx.Err() == nil {
		n, err := f.Read(buf)
		if n == 0 || err != nil {
			return nil //nolint:nilerr // the end of the file, or a fault that the run itself will meet and name
		}
	}
	return context.Cause(ctx)
}
