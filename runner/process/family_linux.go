package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// family is shared by all Engines of this process, against the rule that packages have no state: the children of a process
// and the orphans that the kernel hands it are one set, whichever Engine they come from.
//
//nolint:gochecknoglobals // see above
var family = &relations{known: map[int]bool{}, pods: map[string]bool{}}

// relations tells children that somebody waits for from orphans.
type relations struct {
	starting sync.RWMutex // held for reading from before a process is made until it is known

	mu    sync.Mutex
	known map[int]bool    // children that os/exec waits for
	pods  map[string]bool // markers of pods that are open
}

// start starts a command whose process is known from its beginning. Call forget once it has been waited for.
func (f *relations) start(cmd *exec.Cmd) error {
	f.starting.RLock()
	defer f.starting.RUnlock()
	if err := cmd.Start(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known[cmd.Process.Pid] = true
	return nil
}

func (f *relations) forget(pid int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.known, pid)
}

// opened and closed keep the markers of open pods.
func (f *relations) opened(marker string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pods[marker] = true
}

func (f *relations) closed(marker string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.pods, marker)
}

// orphans returns the children of this process that nobody waits for and that belong to the pod with that marker. One
// that has shed its marker may belong to any pod, so it counts only when no other is open. Children in the session of this
// process are no submission's; neither are those of root where root gives submissions another user.
func (f *relations) orphans(list []proc, marker string, dropped bool) []proc {
	f.starting.Lock() // nothing is being started, so every submission's process that is not known is an orphan
	defer f.starting.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	own, err := unix.Getsid(0)
	if err != nil {
		own = 0
	}
	alone := len(f.pods) == 0 || len(f.pods) == 1 && f.pods[marker]
	return slices.DeleteFunc(slices.Clone(list), func(p proc) bool {
		if p.parent != os.Getpid() || p.session == own || f.known[p.pid] || dropped && p.owner == 0 {
			return true
		}
		now, ok := readProc(p.pid) // the list is older than the lock
		if !ok || now.parent != p.parent {
			return true
		}
		m := readMarker(p.pid)
		return m != marker && (m != "" || !alone)
	})
}

// isKnown says whether os/exec waits for a process.
func (f *relations) isKnown(pid int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.known[pid]
}

// readMarker returns the marker in the environment a process was started with, or "".
func readMarker(pid int) string {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	if err != nil {
		return ""
	}
	return findMarker(data)
}
