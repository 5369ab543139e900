package driver

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/assay-run/assay/internal/evidence"
)

// limitWatch notes when a submission first ran into a limit, which the kernel holds and does not announce. What lasts for less
// than limitEvery may be missed, but for what the kernel counts. The zero value is ready.
type limitWatch struct {
	hits []evidence.LimitHit
	next time.Time
}

// limitEvery is the time between two looks.
const limitEvery = 100 * time.Millisecond

// observe looks at everything that has a limit.
func (w *limitWatch) observe(now time.Time, e *execution) {
	if now.Before(w.next) {
		return
	}
	w.next = now.Add(limitEvery)
	at := now.Sub(e.startedAt).Seconds()
	w.counted(at, e)
	if limit := e.pod.run.OpenFiles; limit > 0 && !w.has(evidence.LimitFiles) {
		for _, p := range e.table.Living() {
			if openFiles(e.pod.d.fs.Proc, p.PID, limit) >= limit {
				w.note(evidence.LimitHit{Limit: evidence.LimitFiles, AtSeconds: at, Allowed: limit})
				break
			}
		}
	}
	if e.follows { // not a container: what there is belongs to the whole machine
		return
	}
	w.look(evidence.LimitOut, e.pod.d.hello.Paths.Out, at)
	if main := e.table.Main(); main != nil {
		root := filepath.Join(e.pod.d.fs.Proc, strconv.Itoa(main.PID), "root")
		w.look(evidence.LimitTmp, filepath.Join(root, "tmp"), at)
		w.look(evidence.LimitShm, filepath.Join(root, "dev", "shm"), at)
	}
}

// counted takes over what the kernel counts.
func (w *limitWatch) counted(at float64, e *execution) {
	c := e.meter.counters()
	if c.OOMKills > 0 {
		w.note(evidence.LimitHit{Limit: evidence.LimitMemory, AtSeconds: at, Allowed: e.pod.run.MemoryBytes})
	}
	if c.PidsRefused > 0 {
		w.note(evidence.LimitHit{Limit: evidence.LimitProcesses, AtSeconds: at, Allowed: e.pod.run.Pids})
	}
}

// look notes a file system that has no room left, for bytes or for files.
func (w *limitWatch) look(limit evidence.Limit, path string, at float64) {
	if w.has(limit) {
		return
	}
	if room, ok := roomOf(path); ok && (room.freeBytes <= 0 || room.freeFiles <= 0) {
		w.note(evidence.LimitHit{Limit: limit, AtSeconds: at, Allowed: room.bytes})
	}
}

func (w *limitWatch) has(limit evidence.Limit) bool {
	for _, h := range w.hits {
		if h.Limit == limit {
			return true
		}
	}
	return false
}

// note keeps the first hit of a limit.
func (w *limitWatch) note(h evidence.LimitHit) {
	if !w.has(h.Limit) {
		w.hits = append(w.hits, h)
	}
}

// result adds what only the end shows.
func (w *limitWatch) result(e *execution) []evidence.LimitHit {
	life := e.endedAt.Sub(e.startedAt).Seconds()
	w.counted(life, e)
	switch e.killed.status {
	case evidence.TimedOut:
		w.note(evidence.LimitHit{Limit: evidence.LimitTime, AtSeconds: life, Allowed: int64(e.cmd.Timeout)})
	case evidence.CPULimit:
		w.note(evidence.LimitHit{Limit: evidence.LimitCPU, AtSeconds: life, Allowed: int64(e.cpuLimit())})
	case evidence.OOMKilled, evidence.Thrashing:
		w.note(evidence.LimitHit{Limit: evidence.LimitMemory, AtSeconds: life, Allowed: e.pod.run.MemoryBytes})
	}
	for i := range w.hits {
		w.hits[i].AtSeconds = min(w.hits[i].AtSeconds, life) // its end is seen a little after it has come
		if w.hits[i].Limit == evidence.LimitProcesses {
			w.hits[i].Refused = e.meter.counters().PidsRefused
		}
	}
	return w.hits
}

// room is what a file system has.
type room struct{ bytes, freeBytes, freeFiles int64 }

// openFiles counts the open files of a process, up to most; 0 when it is gone or may not be looked at.
func openFiles(proc string, pid int, most int64) int64 {
	dir, err := os.Open(filepath.Join(proc, strconv.Itoa(pid), "fd"))
	if err != nil {
		return 0
	}
	defer dir.Close()
	var n int64
	for n < most {
		names, err := dir.Readdirnames(int(min(most-n, 1024)))
		n += int64(len(names))
		if err != nil {
			if !errors.Is(err, io.EOF) {
				return 0
			}
			break
		}
	}
	return n
}
