package kernel

import (
	"path/filepath"
	"strconv"
	"time"
)

// reopenEvery is how many reads pass between two attempts to open a file of a process that was refused: io is
// unreadable while the container runtime has not yet become the command.
const reopenEvery = 10

// Process reads one process. It is not safe for concurrent use.
type Process struct {
	PID int
	// Cgroup is the content of /proc/PID/cgroup when the process was first seen.
	Cgroup string

	// Seen is when it was first seen as the command it is, not as the container runtime that starts it; zero before.
	Seen time.Time

	// What was read last; the values stay when the process is gone.
	Status   Status
	Stat     Stat
	IO       IO
	Main     Schedule // of its main thread
	PeakHWM  int64    // largest HWMBytes
	PeakFile int64    // largest RssFileBytes
	// Before is what it had used while it was still the container runtime.
	Before Baseline

	dir                       string
	reads                     int
	status, stat, io, schedst file
}

// Baseline is what a process had used at a moment.
type Baseline struct {
	UserTicks, SystemTicks int64
	Main                   Schedule
}

// OpenProcess starts reading a process. It fails when the process is gone.
func (f FS) OpenProcess(pid int) (*Process, error) {
	p := &Process{PID: pid, dir: filepath.Join(f.Proc, strconv.Itoa(pid))}
	if err := p.stat.open(filepath.Join(p.dir, "stat")); err != nil {
		return nil, err
	}
	return p, nil
}

// Read reads everything once, using buf, and reports whether the process is there and alive.
func (p *Process) Read(now time.Time, buf []byte) bool {
	if !p.ReadStat(buf) {
		return false
	}
	if p.Seen.IsZero() && !p.Stat.Launching {
		p.Seen = now
	}
	p.reopen()
	if b, err := p.io.read(buf); err == nil {
		if io, ok := ParseIO(b); ok {
			p.IO = io
		}
	}
	if b, err := p.schedst.read(buf); err == nil {
		if s, ok := ParseSchedstat(b); ok {
			p.Main = s
		}
	}
	if p.Seen.IsZero() {
		p.Before = Baseline{UserTicks: p.Stat.UserTicks, SystemTicks: p.Stat.SystemTicks, Main: p.Main}
	}
	if p.Stat.Dead() {
		p.Status = Status{}
		return false
	}
	if b, err := p.status.read(buf); err == nil {
		if s, ok := ParseStatus(b); ok {
			p.Status = s
			p.PeakHWM = max(p.PeakHWM, s.HWMBytes)
			p.PeakFile = max(p.PeakFile, s.RssFileBytes)
		}
	}
	return true
}

// ReadStat reads /proc/PID/stat only and reports whether the process is there, alive or not.
func (p *Process) ReadStat(buf []byte) bool {
	b, err := p.stat.read(buf)
	if err != nil {
		p.Status = Status{}
		return false
	}
	s, ok := ParseStat(b)
	if ok {
		p.Stat = s
	}
	return ok
}

// reopen opens what is not open yet, now and then.
func (p *Process) reopen() {
	if p.status.f != nil && p.io.f != nil && p.schedst.f != nil {
		return
	}
	if p.reads++; p.reads%reopenEvery != 1 {
		return
	}
	// Refusals are normal (see reopenEvery); what stays closed is reported as 0.
	_ = p.status.open(filepath.Join(p.dir, "status"))
	_ = p.io.open(filepath.Join(p.dir, "io"))
	_ = p.schedst.open(filepath.Join(p.dir, "task", strconv.Itoa(p.PID), "schedstat"))
}

// Close closes its files and keeps its values.
func (p *Process) Close() {
	p.status.close()
	p.stat.close()
	p.io.close()
	p.schedst.close()
}
