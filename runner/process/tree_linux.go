package process

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// markerName is the environment variable that tells the processes of one pod from those of another.
const markerName = "ASSAY_POD"

// maxRounds bounds how often a tree is killed: a fork bomb may add processes while it is being killed.
const maxRounds = 1000

// quietRounds is how many looks in a row must find nothing before a tree counts as gone. One look is not enough: /proc is read
// entry by entry, and a process that starts its successor and ends meanwhile can be missed together with it.
const quietRounds = 5

// proc is what /proc says of one process.
type proc struct {
	pid, parent, session int
	zombie               bool
	owner                int // user id
}

// processes lists what /proc shows. Processes that end meanwhile are left out.
func processes() []proc {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var list []proc
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if p, ok := readProc(pid); ok {
			list = append(list, p)
		}
	}
	return list
}

func readProc(pid int) (proc, bool) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	data, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return proc{}, false
	}
	p, ok := parseStat(data)
	if !ok {
		return proc{}, false
	}
	var st unix.Stat_t
	if unix.Stat(dir, &st) == nil {
		p.owner = int(st.Uid)
	}
	return p, true
}

// parseStat reads the fields of /proc/PID/stat that are needed. The name of a program may hold spaces and brackets.
func parseStat(data []byte) (proc, bool) {
	open, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if open < 1 || end < open {
		return proc{}, false
	}
	f := bytes.Fields(data[end+1:]) // state, parent, group, session, …
	if len(f) < 4 {
		return proc{}, false
	}
	pid, err1 := strconv.Atoi(string(bytes.TrimSpace(data[:open])))
	parent, err2 := strconv.Atoi(string(f[1]))
	session, err3 := strconv.Atoi(string(f[3]))
	if err1 != nil || err2 != nil || err3 != nil {
		return proc{}, false
	}
	return proc{pid: pid, parent: parent, session: session, zombie: f[0][0] == 'Z'}, true
}

// below returns the descendants of the processes in roots, in no particular order.
func below(list []proc, roots ...int) []proc {
	in := map[int]bool{}
	for _, r := range roots {
		in[r] = true
	}
	var found []proc
	for grew := true; grew; {
		grew = false
		for _, p := range list {
			if in[p.parent] && !in[p.pid] {
				in[p.pid], grew = true, true
				found = append(found, p)
			}
		}
	}
	return found
}

// killTree kills root, when it is not 0, and everything that descends from it or has strayed from the pod with that
// marker: what has outlived its parents and was handed to this process. It returns when none of them lives.
func (e *Engine) killTree(root int, marker string) {
	quiet := 0
	for range maxRounds {
		living := false
		list := processes()
		victims := family.orphans(list, marker, e.root)
		for _, p := range victims {
			victims = append(victims, below(list, p.pid)...)
		}
		if root != 0 {
			victims = append(victims, below(list, root)...)
		}
		for _, p := range victims {
			if !p.zombie {
				living = true
				_ = unix.Kill(p.pid, unix.SIGKILL) // fails only when it is gone
			}
			if p.parent == os.Getpid() && !family.isKnown(p.pid) {
				_, _ = unix.Wait4(p.pid, nil, unix.WNOHANG, nil)
			}
		}
		if living {
			quiet = 0
			continue
		}
		if quiet++; quiet == quietRounds {
			return
		}
		time.Sleep(time.Millisecond) // a process on its way from one parent to the next gets there
	}
}

// kill ends a process, everything that descends from it, and what has strayed from the pod with that marker. It returns
// when all of that is gone.
func (e *Engine) kill(r *running, marker string) {
	select {
	case <-r.done:
	default:
		// Stopped first, it can neither start more while its children are killed nor report their end.
		_ = r.proc.Signal(unix.SIGSTOP)
		e.killTree(r.pid, marker)
		_ = r.proc.Kill()
		<-r.done
	}
	e.killTree(0, marker)
}

// findMarker returns the marker in an environment as /proc/PID/environ has it, or "".
func findMarker(environ []byte) string {
	for v := range bytes.SplitSeq(environ, []byte{0}) {
		if m, ok := bytes.CutPrefix(v, []byte(markerName+"=")); ok {
			return string(m)
		}
	}
	return ""
}

// killBelow kills the processes that work in dir and returns how many there were.
func killBelow(dir string) (killed int) {
	for _, p := range processes() {
		cwd, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(p.pid), "cwd"))
		if err == nil && (cwd == dir || strings.HasPrefix(cwd, dir+"/")) && p.pid != os.Getpid() {
			if unix.Kill(p.pid, unix.SIGKILL) == nil {
				killed++
			}
		}
	}
	return killed
}
