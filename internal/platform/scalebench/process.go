package scalebench

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of /proc/PID/stat: USER_HZ, which Linux has fixed at 100 for programs.
const tick = 10 * time.Millisecond

// process is what the kernel says of a process.
type process struct {
	parent int
	cpu    time.Duration // of itself
	reaped time.Duration // of its children that have ended
}

// readProcess reads /proc/PID/stat. It fails where there is no such file.
func readProcess(pid int) (process, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return process{}, fmt.Errorf("read process: %w", err)
	}
	// The name stands in brackets and may have spaces and brackets in it.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	const parent, user, system, reapedUser, reapedSystem = 1, 11, 12, 13, 14 // of proc(5), counted from the state
	if len(fields) <= reapedSystem {
		return process{}, fmt.Errorf("read process %d: %d fields", pid, len(fields))
	}
	var n [reapedSystem + 1]int64
	for _, i := range []int{parent, user, system, reapedUser, reapedSystem} {
		if n[i], err = strconv.ParseInt(fields[i], 10, 64); err != nil {
			return process{}, fmt.Errorf("read process %d: %w", pid, err)
		}
	}
	return process{
		parent: int(n[parent]), cpu: time.Duration(n[user]+n[system]) * tick, reaped: time.Duration(n[reapedUser]+n[reapedSystem]) * tick,
	}, nil
}

// familyCPU is what a process and its children have used, those included that have ended and were waited for.
func familyCPU(pid int) (time.Duration, error) {
	head, err := readProcess(pid)
	if err != nil {
		return 0, err
	}
	all := head.cpu + head.reaped
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, fmt.Errorf("list processes: %w", err)
	}
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if p, err := readProcess(child); err == nil && p.parent == pid { // else it has ended at this moment
			all += p.cpu + p.reaped
		}
	}
	return all, nil
}

// ProcessCPU is what a process that runs has used.
func ProcessCPU(pid int) (time.Duration, error) {
	p, err := readProcess(pid)
	return p.cpu, err
}
