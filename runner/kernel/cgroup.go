package kernel

import (
	"math"
	"path/filepath"
)

// Memory is one reading of a control group's memory.
type Memory struct {
	// ScoredBytes is anonymous + shared memory, descendants included: see the package comment.
	ScoredBytes int64
	SocketBytes int64 // socket buffers; version 2 only, not scored
	Refaults    int64 // pages, file and anonymous, that came back after being evicted
}

// Counters is one reading of everything else.
type Counters struct {
	UsageBytes  int64 // page cache included
	LimitBytes  int64 // 0 for none
	OOMKills    int64
	CPUNs       int64
	UserNs      int64
	SystemNs    int64
	ThrottledNs int64
	StallNs     int64 // all tasks at once waited for memory; 0 where the kernel does not say
	// PidsRefused is how often a process or thread was not started because of the limit on their number.
	PidsRefused int64
}

// Cgroup reads one container's control group. When the group is gone its last values stay. It is not safe for
// concurrent use.
type Cgroup struct {
	Version  int // 1 or 2
	Memory   Memory
	Counters Counters

	stat, usage, limit, oom, cpu, user, system, throttled, stall, pids file

	buf []byte
}

// Keys of the files, in the order of the values that are made of them.
var (
	memoryKeysV1 = [...]string{"total_rss", "total_shmem", "total_workingset_refault_anon", "total_workingset_refault_file", "total_workingset_refault"}
	memoryKeysV2 = [...]string{"anon", "shmem", "workingset_refault_anon", "workingset_refault_file", "workingset_refault", "sock"}
	oomKeys      = [...]string{"oom_kill"}
	pidsKeys     = [...]string{"max"}
	cpuKeysV2    = [...]string{"usage_usec", "user_usec", "system_usec", "throttled_usec"}
	cpuKeysV1    = [...]string{"throttled_time"}
)

// OpenCgroup finds and opens the control group of a container: see resolve. It fails with ErrNoCgroup when there is
// none to read.
func (f FS) OpenCgroup(procCgroup, id string) (*Cgroup, error) {
	l, err := f.resolve(procCgroup, id)
	if err != nil {
		return nil, err
	}
	c := &Cgroup{Version: l.version, buf: make([]byte, fileBytes)}
	// A file that is missing (a controller that is off, an old kernel) leaves its figures at 0.
	try := func(f *file, dir, name string) {
		if dir != "" {
			_ = f.open(filepath.Join(dir, name))
		}
	}
	try(&c.stat, l.memory, "memory.stat")
	try(&c.stall, l.psi, "memory.pressure")
	try(&c.pids, l.pids, "pids.events")
	if l.version == 1 {
		try(&c.usage, l.memory, "memory.usage_in_bytes")
		try(&c.limit, l.memory, "memory.limit_in_bytes")
		try(&c.oom, l.memory, "memory.oom_control")
		try(&c.cpu, l.cpuacct, "cpuacct.usage")
		try(&c.user, l.cpuacct, "cpuacct.usage_user")
		try(&c.system, l.cpuacct, "cpuacct.usage_sys")
		try(&c.throttled, l.cpu, "cpu.stat")
	} else {
		try(&c.usage, l.memory, "memory.current")
		try(&c.limit, l.memory, "memory.max")
		try(&c.oom, l.memory, "memory.events")
		try(&c.cpu, l.cpu, "cpu.stat")
	}
	return c, nil
}

// ReadMemory reads the memory figures and reports whether they are there.
func (c *Cgroup) ReadMemory() bool {
	b, err := c.stat.read(c.buf)
	if err != nil {
		return false
	}
	if c.Version == 1 {
		var v [len(memoryKeysV1)]int64
		fields(b, memoryKeysV1[:], v[:])
		c.Memory = Memory{ScoredBytes: v[0] + v[1], Refaults: refaults(v[2], v[3], v[4])}
		return true
	}
	var v [len(memoryKeysV2)]int64
	fields(b, memoryKeysV2[:], v[:])
	c.Memory = Memory{ScoredBytes: v[0] + v[1], Refaults: refaults(v[2], v[3], v[4]), SocketBytes: v[5]}
	return true
}

// refaults adds up the two kinds; kernels before 5.9 have one figure for both.
func refaults(anon, file, both int64) int64 { return max(anon+file, both) }

// ReadCounters reads the other figures. Those whose file is gone keep their value.
func (c *Cgroup) ReadCounters() {
	c.readNumber(&c.usage, &c.Counters.UsageBytes)
	c.readLimit()
	var v [len(cpuKeysV2)]int64
	if b, err := c.oom.read(c.buf); err == nil && fields(b, oomKeys[:], v[:1]) == 1 {
		c.Counters.OOMKills = v[0]
	}
	if b, err := c.pids.read(c.buf); err == nil && fields(b, pidsKeys[:], v[:1]) == 1 {
		c.Counters.PidsRefused = v[0]
	}
	if b, err := c.stall.read(c.buf); err == nil {
		if p, ok := ParsePressure(b); ok {
			c.Counters.StallNs = p.FullNs
		}
	}
	if c.Version == 1 {
		c.readNumber(&c.cpu, &c.Counters.CPUNs)
		c.readNumber(&c.user, &c.Counters.UserNs)
		c.readNumber(&c.system, &c.Counters.SystemNs)
		if b, err := c.throttled.read(c.buf); err == nil && fields(b, cpuKeysV1[:], v[:1]) == 1 {
			c.Counters.ThrottledNs = v[0]
		}
		return
	}
	v = [len(cpuKeysV2)]int64{}
	if b, err := c.cpu.read(c.buf); err == nil && fields(b, cpuKeysV2[:], v[:]) > 0 {
		c.Counters.CPUNs, c.Counters.UserNs = microseconds(v[0]), microseconds(v[1])
		c.Counters.SystemNs, c.Counters.ThrottledNs = microseconds(v[2]), microseconds(v[3])
	}
}

// ReadCPU reads CPU time alone. What cannot be read keeps its value.
func (c *Cgroup) ReadCPU() {
	if c.Version == 1 {
		c.readNumber(&c.cpu, &c.Counters.CPUNs)
		return
	}
	var v [1]int64
	if b, err := c.cpu.read(c.buf); err == nil && fields(b, cpuKeysV2[:1], v[:]) > 0 {
		c.Counters.CPUNs = microseconds(v[0])
	}
}

func (c *Cgroup) readNumber(f *file, value *int64) {
	b, err := f.read(c.buf)
	if err != nil {
		return
	}
	if n, _, ok := number(b); ok {
		*value = n
	}
}

// readLimit reads the memory limit: "max" in version 2 and a number near 2^63 in version 1 mean none.
func (c *Cgroup) readLimit() {
	b, err := c.limit.read(c.buf)
	if err != nil {
		return
	}
	n, _, ok := number(b)
	if !ok || n >= math.MaxInt64-(1<<20) {
		n = 0
	}
	c.Counters.LimitBytes = n
}

// HasMemory says whether the group's figures of memory can be had at all.
func (c *Cgroup) HasMemory() bool { return c.stat.f != nil }

// HasCPU says whether its figures of CPU time can be had at all.
func (c *Cgroup) HasCPU() bool { return c.cpu.f != nil }

// Close closes its files and keeps its values.
func (c *Cgroup) Close() {
	for _, f := range []*file{&c.stat, &c.usage, &c.limit, &c.oom, &c.cpu, &c.user, &c.system, &c.throttled, &c.stall, &c.pids} {
		f.close()
	}
}
