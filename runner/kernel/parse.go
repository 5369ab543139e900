package kernel

import "math"

// Parsers in this file read untrusted bytes (a process chooses its own name), never fail loudly, and never allocate.
// A figure that is missing or malformed is reported as absent.

// number reads a decimal number at the start of b and returns the rest. Numbers above the int64 range are cut to it
// (an absent limit of v1 is 2^63 rounded to pages).
func number(b []byte) (n int64, rest []byte, ok bool) {
	i := 0
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		d := int64(b[i] - '0')
		if n > (math.MaxInt64-d)/10 {
			n = math.MaxInt64
			continue
		}
		n = n*10 + d
	}
	return n, b[i:], i > 0
}

// skipBlanks drops leading spaces and tabs.
func skipBlanks(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	return b
}

// cutLine splits b after its first line.
func cutLine(b []byte) (line, rest []byte) {
	for i, c := range b {
		if c == '\n' {
			return b[:i], b[i+1:]
		}
	}
	return b, nil
}

// cutKey splits a line into its key, which ends at a blank, a colon or an equals sign, and what follows.
func cutKey(line []byte) (key, rest []byte) {
	for i, c := range line {
		switch c {
		case ' ', '\t', ':', '=':
			return line[:i], skipBlanks(line[i+1:])
		}
	}
	return line, nil
}

// fields reads the numbers of "key value" lines into the values of the same index; keys that are absent leave
// theirs alone. It returns how many were found. The first line of a key counts.
func fields(b []byte, keys []string, values []int64) int {
	found := 0
	var seen uint32 // at most 32 keys
	for len(b) > 0 && found < len(keys) {
		var line []byte
		line, b = cutLine(b)
		key, rest := cutKey(line)
		for i, k := range keys {
			if seen&(1<<i) != 0 || string(key) != k {
				continue
			}
			if n, _, ok := number(rest); ok {
				values[i] = n
				seen |= 1 << i
				found++
			}
			break
		}
	}
	return found
}

// Status is the part of /proc/PID/status that is needed.
type Status struct {
	RssAnonBytes, RssFileBytes, RssShmemBytes int64
	// HWMBytes is VmHWM: the peak of all three together since the last exec.
	HWMBytes int64
	Threads  int
}

var statusKeys = [...]string{"VmHWM", "RssAnon", "RssFile", "RssShmem", "Threads"}

// ParseStatus reads /proc/PID/status. A zombie or a kernel thread has no memory lines; its figures are 0.
func ParseStatus(b []byte) (s Status, ok bool) {
	var v [len(statusKeys)]int64
	fields(b, statusKeys[:], v[:])
	if v[4] <= 0 || v[4] > math.MaxInt32 {
		return Status{}, false
	}
	return Status{
		HWMBytes: kilobytes(v[0]), RssAnonBytes: kilobytes(v[1]), RssFileBytes: kilobytes(v[2]),
		RssShmemBytes: kilobytes(v[3]), Threads: int(v[4]),
	}, true
}

func kilobytes(n int64) int64 { return min(n, math.MaxInt64>>10) << 10 }

// Stat is the part of /proc/PID/stat that is needed.
type Stat struct {
	State                  byte // 'R', 'S', 'D', 'Z', 'X', …
	PPid, Group, Session   int
	UserTicks, SystemTicks int64 // of all its threads, dead ones too, without its children
	StartTicks             int64 // since boot
	// Launching says that the process is still the container runtime's own, before it becomes the command.
	Launching bool
}

// Dead says that the process has ended and only waits for its parent to notice.
func (s Stat) Dead() bool { return s.State == 'Z' || s.State == 'X' || s.State == 'x' }

// ParseStat reads /proc/PID/stat. The name in it may hold anything, also ") R 1 1", so fields are counted from the
// last closing parenthesis.
func ParseStat(b []byte) (s Stat, ok bool) {
	open, shut := -1, -1
	for i, c := range b {
		if c == '(' && open < 0 {
			open = i
		}
		if c == ')' {
			shut = i
		}
	}
	if open < 0 || shut < open {
		return Stat{}, false
	}
	name := b[open+1 : shut]
	s.Launching = len(name) > 5 && string(name[:5]) == "runc:"
	rest := skipBlanks(b[shut+1:])
	if len(rest) < 2 || rest[1] != ' ' {
		return Stat{}, false
	}
	s.State, rest = rest[0], rest[1:]
	// Field numbers as in proc(5); state is 3.
	for field := 4; field <= 22; field++ {
		rest = skipBlanks(rest)
		negative := len(rest) > 0 && rest[0] == '-'
		if negative {
			rest = rest[1:]
		}
		n, after, ok := number(rest)
		if !ok {
			return Stat{}, false
		}
		rest = after
		if negative {
			n = -n
		}
		switch field {
		case 4:
			s.PPid = pid(n)
		case 5:
			s.Group = pid(n)
		case 6:
			s.Session = pid(n)
		case 14:
			s.UserTicks = n
		case 15:
			s.SystemTicks = n
		case 22:
			s.StartTicks = n
		}
	}
	return s, true
}

func pid(n int64) int {
	if n < 0 || n > math.MaxInt32 {
		return 0
	}
	return int(n)
}

// IO is the part of /proc/PID/io that is needed.
type IO struct {
	ReadBytes, WriteBytes int64 // through read-like and write-like calls: rchar, wchar
}

var ioKeys = [...]string{"rchar", "wchar"}

// ParseIO reads /proc/PID/io.
func ParseIO(b []byte) (io IO, ok bool) {
	var v [len(ioKeys)]int64
	ok = fields(b, ioKeys[:], v[:]) == len(ioKeys)
	return IO{ReadBytes: v[0], WriteBytes: v[1]}, ok
}

// Schedule is the part of /proc/PID/task/TID/schedstat that is needed.
type Schedule struct {
	RunNs, DelayNs int64 // on a core; runnable but not on one
}

// ParseSchedstat reads a schedstat file.
func ParseSchedstat(b []byte) (s Schedule, ok bool) {
	var rest []byte
	if s.RunNs, rest, ok = number(b); !ok {
		return Schedule{}, false
	}
	if s.DelayNs, _, ok = number(skipBlanks(rest)); !ok {
		return Schedule{}, false
	}
	return s, true
}

// Pressure is one pressure-stall file: how long some or all tasks waited for a resource, since boot.
type Pressure struct {
	SomeNs, FullNs int64
}

// ParsePressure reads a pressure file. "full" is absent in some kernels' cpu.pressure.
func ParsePressure(b []byte) (p Pressure, ok bool) {
	for len(b) > 0 {
		var line []byte
		line, b = cutLine(b)
		kind, _ := cutKey(line)
		total, found := pressureTotal(line)
		if !found {
			continue
		}
		switch string(kind) {
		case "some":
			p.SomeNs, ok = microseconds(total), true
		case "full":
			p.FullNs = microseconds(total)
		}
	}
	return p, ok
}

func pressureTotal(line []byte) (int64, bool) {
	const key = "total="
	for i := 0; i+len(key) <= len(line); i++ {
		if string(line[i:i+len(key)]) == key {
			n, _, ok := number(line[i+len(key):])
			return n, ok
		}
	}
	return 0, false
}

func microseconds(n int64) int64 { return min(n, math.MaxInt64/1000) * 1000 }

// ParseSteal reads the ticks that a hypervisor took from the whole machine out of /proc/stat.
func ParseSteal(b []byte) (ticks int64, ok bool) {
	line, _ := cutLine(b)
	key, rest := cutKey(line)
	if string(key) != "cpu" {
		return 0, false
	}
	for field := 0; field <= 7; field++ { // user nice system idle iowait irq softirq steal
		ticks, rest, ok = number(skipBlanks(rest))
		if !ok {
			return 0, false
		}
	}
	return ticks, true
}
