package kernel

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// maxGenerations bounds how deep a family is followed in one scan; the rest is found by the next.
const maxGenerations = 64

// maxEnviron bounds how much of a process's environment is searched for the marker.
const maxEnviron = 256 << 10

// tree recognises a submission that has no container: its first process, everything that descends from it, shares
// its session or process group, or carries its marker in the environment. A process is looked at once, when it is
// first seen, so a child that later loses its parent stays known. One that cuts every tie at birth between two
// scans escapes: such an engine is not a sandbox, and says so.
type tree struct {
	root   int
	marker []byte // "NAME=value"; empty for none
	ours   map[int]bool
	buf    []byte
}

// Follow makes the table follow the tree of process root instead of a container. marker is a "NAME=value" of its
// environment, or empty. When the root was gone before the first Scan, Main stays nil; what descends from it is found
// all the same.
func (t *Table) Follow(root int, marker string) {
	t.tree = &tree{root: root, marker: []byte(marker), ours: map[int]bool{root: true}, buf: make([]byte, maxEnviron)}
	for pid, e := range t.entries { // what was taken for a container's is looked at again
		if e.p != nil {
			e.p.Close()
		}
		delete(t.entries, pid)
	}
	t.living = nil
	t.early = nil
}

// claimTree decides about all processes that were not seen before.
func (t *Table) claimTree() {
	var open []int
	for pid, e := range t.entries {
		if e.p == nil && !e.final {
			open = append(open, pid)
		}
	}
	slices.Sort(open) // parents are mostly older
	for range maxGenerations {
		left := open[:0]
		for _, pid := range open {
			if !t.claimOne(pid) {
				left = append(left, pid)
			}
		}
		grew := len(left) < len(open)
		open = left
		if !grew {
			break
		}
	}
	for _, pid := range open {
		t.entries[pid].final = true
	}
	// Dead members are kept in mind as parents only while their children may still be new.
	for pid := range t.tree.ours {
		if t.entries[pid] == nil && pid != t.tree.root {
			delete(t.tree.ours, pid)
		}
	}
}

// claimOne takes a process that belongs to the tree.
func (t *Table) claimOne(pid int) bool {
	e := t.entries[pid]
	if pid == t.self || pid == t.tree.root && t.main != nil { // the latter is somebody new with an old number
		return false
	}
	s, err := t.statOf(pid)
	if err != nil {
		return false
	}
	tr := t.tree
	if pid != tr.root && !tr.ours[s.PPid] && s.Session != tr.root && s.Group != tr.root && !t.marked(pid) {
		return false
	}
	t.take(pid, e, "")
	if e.p == nil {
		return false
	}
	tr.ours[pid] = true
	if pid == tr.root {
		t.main = e.p
	}
	return true
}

// marked says whether a process carries the marker in the environment it was started with.
func (t *Table) marked(pid int) bool {
	if len(t.tree.marker) == 0 {
		return false
	}
	f, err := os.Open(filepath.Join(t.fs.Proc, strconv.Itoa(pid), "environ"))
	if err != nil {
		return false // somebody else's
	}
	defer f.Close()
	n, _ := f.ReadAt(t.tree.buf, 0) // the end of the file is the normal end
	for v := range bytes.SplitSeq(t.tree.buf[:n], []byte{0}) {
		if bytes.Equal(v, t.tree.marker) {
			return true
		}
	}
	return false
}
