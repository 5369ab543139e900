package kernel

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// settleAfter is how long a process that seems not to belong is looked at again: the container runtime makes a
// process first and moves it into its control group a moment later.
const settleAfter = time.Second

// maxEarly bounds the processes that are kept in mind although they ended before it was known whose they were.
const maxEarly = 1024

// Table knows which processes are the submission's. It is filled by Scan and is not safe for concurrent use.
//
// In a pod they are the ones whose control group carries the container's id. The id is known only after the container
// runs, so until Confirm every process that appeared after NewTable in a control group other than ours is taken
// for it; Confirm sorts out the others. Without containers they are a tree, see Follow.
type Table struct {
	fs   FS
	pids *pidLister
	self int
	own  string // our own control groups

	id      string // of the container, once known
	tree    *tree  // nil in a pod
	entries map[int]*entry
	living  []*Process // ours, in the order in which they were seen
	early   []*Process // ended before Confirm
	gone    []*Process // scratch of Read
	main    *Process
	dead    Totals
	peaks   peaks
	gen     uint64
	list    []int
	buf     []byte
}

type entry struct {
	p     *Process // nil when not ours
	since time.Time
	final bool // not ours for good
	gen   uint64
}

// Totals are sums over processes.
type Totals struct {
	UserTicks, SystemTicks int64
	ReadBytes, WriteBytes  int64
}

type peaks struct{ hwm, anon int64 }

// NewTable starts a table. Every process that exists now is taken for somebody else's.
func NewTable(fs FS) (*Table, error) {
	lister, err := newPidLister(fs.Proc)
	if err != nil {
		return nil, err
	}
	t := &Table{fs: fs, pids: lister, self: os.Getpid(), entries: map[int]*entry{}, buf: make([]byte, fileBytes)}
	t.own = t.cgroupOf("self")
	if t.list, err = lister.list(t.list[:0]); err != nil {
		t.Close()
		return nil, err
	}
	for _, pid := range t.list {
		t.entries[pid] = &entry{final: true}
	}
	return t, nil
}

// Confirm says which container it is. What was taken for it wrongly is let go.
func (t *Table) Confirm(id string) {
	t.id = id
	for pid, e := range t.entries {
		if e.p == nil {
			continue
		}
		if cg := t.cgroupOf(strconv.Itoa(pid)); cg != "" {
			e.p.Cgroup = cg
		}
		if !t.mine(e.p.Cgroup) {
			e.p.Close()
			t.living = slices.DeleteFunc(t.living, func(p *Process) bool { return p == e.p })
			e.p = nil
		}
	}
	early := slices.DeleteFunc(t.early, func(p *Process) bool { return !t.mine(p.Cgroup) })
	t.early = nil
	t.chooseMain(early)
	for _, p := range early {
		t.fold(p)
	}
}

// mine says whether a /proc/PID/cgroup names the container.
func (t *Table) mine(cgroup string) bool { return t.id != "" && strings.Contains(cgroup, t.id) }

// Scan looks for new and vanished processes. Read must follow it to have figures of the new ones.
func (t *Table) Scan(now time.Time) error {
	var err error
	if t.list, err = t.pids.list(t.list[:0]); err != nil {
		return err
	}
	t.gen++
	fresh := 0
	for _, pid := range t.list {
		e := t.entries[pid]
		if e == nil {
			e = &entry{since: now}
			t.entries[pid] = e
			fresh++
		}
		e.gen = t.gen
		if t.tree == nil && e.p == nil && !e.final {
			t.claimContainer(pid, e, now)
		}
	}
	if t.tree != nil && fresh > 0 {
		t.claimTree()
	}
	for pid, e := range t.entries {
		if e.gen != t.gen {
			t.retire(pid, e)
		}
	}
	return nil
}

// claimContainer decides about a process of a pod that is not known to be ours.
func (t *Table) claimContainer(pid int, e *entry, now time.Time) {
	e.final = now.Sub(e.since) > settleAfter
	cg := t.cgroupOf(strconv.Itoa(pid))
	if pid == t.self || cg == "" {
		return
	}
	if t.id == "" && cg == t.own || t.id != "" && !t.mine(cg) {
		return
	}
	t.take(pid, e, cg)
}

// take makes a process ours.
func (t *Table) take(pid int, e *entry, cgroup string) {
	p, err := t.fs.OpenProcess(pid)
	if err != nil {
		return // gone already
	}
	p.Cgroup = cgroup
	e.p = p
	t.living = append(t.living, p)
}

// Read reads every living process of ours once.
func (t *Table) Read(now time.Time) {
	kept, gone := t.living[:0], t.gone[:0]
	for _, p := range t.living {
		if p.Read(now, t.buf) {
			kept = append(kept, p)
			t.peaks.hwm = max(t.peaks.hwm, p.PeakHWM)
			t.peaks.anon = max(t.peaks.anon, p.PeakHWM-p.PeakFile)
			continue
		}
		if !p.Stat.Dead() {
			gone = append(gone, p)
		}
	}
	clear(t.living[len(kept):])
	t.living, t.gone = kept, gone
	for _, p := range gone {
		// Its id may be somebody else's by now: the open files belong to the process, not to the id.
		if e := t.entries[p.PID]; e != nil && e.p == p {
			t.retire(p.PID, e)
		}
	}
	if t.main == nil && t.id != "" {
		t.chooseMain(nil)
	}
}

// retire forgets a process that is gone and keeps its figures.
func (t *Table) retire(pid int, e *entry) {
	delete(t.entries, pid)
	p := e.p
	if p == nil {
		return
	}
	t.living = slices.DeleteFunc(t.living, func(q *Process) bool { return q == p })
	p.Close()
	if t.id == "" && t.tree == nil {
		if len(t.early) < maxEarly {
			t.early = append(t.early, p)
		}
		return
	}
	t.fold(p)
}

// fold adds a gone process to the totals. A parent that waited for it carries its input and output already (the
// kernel adds them on), but not its CPU time, which has fields of its own.
func (t *Table) fold(p *Process) {
	t.dead.UserTicks += p.Stat.UserTicks
	t.dead.SystemTicks += p.Stat.SystemTicks
	t.peaks.hwm = max(t.peaks.hwm, p.PeakHWM)
	t.peaks.anon = max(t.peaks.anon, p.PeakHWM-p.PeakFile)
	if parent := t.entries[p.Stat.PPid]; parent != nil && parent.p != nil {
		return
	}
	t.dead.ReadBytes += p.IO.ReadBytes
	t.dead.WriteBytes += p.IO.WriteBytes
}

// chooseMain picks the first process of the submission: the oldest of those known, zombies too, and of some gone ones.
func (t *Table) chooseMain(gone []*Process) {
	t.main = nil
	from := slices.Clone(gone)
	for _, e := range t.entries {
		if e.p != nil {
			from = append(from, e.p)
		}
	}
	for _, p := range from {
		if p.Seen.IsZero() {
			continue
		}
		if t.main == nil || p.Stat.StartTicks < t.main.Stat.StartTicks ||
			p.Stat.StartTicks == t.main.Stat.StartTicks && p.PID < t.main.PID {
			t.main = p
		}
	}
}

// Main is the submission's first process, dead or alive; nil when none was seen or its container is not known yet.
func (t *Table) Main() *Process { return t.main }

// MainAlive says whether the first process lives, as of the last Read.
func (t *Table) MainAlive() bool { return t.main != nil && slices.Contains(t.living, t.main) }

// Living are the submission's living processes. The slice is valid until the next call of the table. It is empty until
// Confirm or Follow: what is only guessed to be the submission's must not be measured, let alone killed.
func (t *Table) Living() []*Process {
	if t.id == "" && t.tree == nil {
		return nil
	}
	return t.living
}

// Totals are the sums over all its processes, dead ones included.
func (t *Table) Totals() Totals {
	sum := t.dead
	for _, e := range t.entries { // zombies are not among the living, and not folded yet
		if e.p != nil {
			sum.UserTicks += e.p.Stat.UserTicks
			sum.SystemTicks += e.p.Stat.SystemTicks
			sum.ReadBytes += e.p.IO.ReadBytes
			sum.WriteBytes += e.p.IO.WriteBytes
		}
	}
	return sum
}

// HWMBytes is the largest VmHWM of one process.
func (t *Table) HWMBytes() int64 { return t.peaks.hwm }

// AnonPeakBytes is the largest lower bound of an anonymous peak that follows from VmHWM (see the package comment).
func (t *Table) AnonPeakBytes() int64 { return t.peaks.anon }

// Zombies appends to dst the ids of ended processes of ours whose parent is parent and has not waited for them.
func (t *Table) Zombies(parent int, dst []int) []int {
	for pid, e := range t.entries {
		if e.p == nil || t.id == "" && t.tree == nil {
			continue
		}
		if e.p.ReadStat(t.buf) && e.p.Stat.Dead() && e.p.Stat.PPid == parent {
			dst = append(dst, pid)
		}
	}
	return dst
}

// Close closes every file of the table.
func (t *Table) Close() {
	t.pids.close()
	for _, e := range t.entries {
		if e.p != nil {
			e.p.Close()
		}
	}
}

// cgroupOf reads /proc/<name>/cgroup; empty when it is gone.
func (t *Table) cgroupOf(name string) string {
	b, err := os.ReadFile(filepath.Join(t.fs.Proc, name, "cgroup"))
	if err != nil {
		return ""
	}
	return string(bytes.TrimSpace(b))
}

// statOf reads /proc/<pid>/stat once.
func (t *Table) statOf(pid int) (Stat, error) {
	b, err := os.ReadFile(filepath.Join(t.fs.Proc, strconv.Itoa(pid), "stat"))
	if err != nil {
		return Stat{}, fmt.Errorf("read process: %w", err)
	}
	s, ok := ParseStat(b)
	if !ok {
		return Stat{}, fmt.Errorf("read process %d: malformed stat", pid)
	}
	return s, nil
}
