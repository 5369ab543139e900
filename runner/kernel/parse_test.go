package kernel

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

const statLine = "4321 (node) S 17 4321 4320 0 -1 4194560 20013 0 49 0 1523 77 0 0 20 0 11 0 889123 1440608256 14070 18446744073709551615\n"

func TestParseStatus(t *testing.T) {
	t.Parallel()
	got, ok := ParseStatus([]byte(recorded(t, "proc/status")))
	assert.True(t, ok)
	assert.Equal(t, Status{RssAnonBytes: 14736 << 10, RssFileBytes: 40756 << 10, HWMBytes: 87848 << 10, Threads: 7}, got)
}

func TestParseStat(t *testing.T) {
	t.Parallel()
	plain := Stat{State: 'S', PPid: 17, Group: 4321, Session: 4320, UserTicks: 1523, SystemTicks: 77, StartTicks: 889123}
	launching := plain
	launching.Launching = true
	for name, tc := range map[string]struct {
		in   string
		want Stat
		ok   bool
	}{
		"plain":              {statLine, plain, true},
		"name like a field":  {"4321 (a) R 1 1 (b) S 17 4321 4320" + statLine[26:], plain, true},
		"launching":          {"4321 (runc:[2:INIT]) " + statLine[12:], launching, true},
		"empty":              {"", Stat{}, false},
		"no name":            {"4321 node S 17", Stat{}, false},
		"cut":                {statLine[:40], Stat{}, false},
		"wrong order":        {") (", Stat{}, false},
		"letters in numbers": {"1 (x) S a b c", Stat{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok := ParseStat([]byte(tc.in))
			assert.Equal(t, tc.ok, ok)
			assert.Equal(t, tc.want, got)
		})
	}
}

func TestParseOddities(t *testing.T) {
	t.Parallel()
	_, ok := ParseStatus([]byte("Name:\tThreads:\t9\n"))
	assert.False(t, ok, "a name cannot pose as a field")
	zombie, ok := ParseStatus([]byte("Name:\tnode\nState:\tZ (zombie)\nThreads:\t1\n"))
	assert.True(t, ok)
	assert.Equal(t, Status{Threads: 1}, zombie)
	io, ok := ParseIO([]byte("rchar: 99999999999999999999999\nwchar: 5\nsyscr: 1\n"))
	assert.True(t, ok)
	assert.Equal(t, IO{ReadBytes: math.MaxInt64, WriteBytes: 5}, io, "cut, not wrapped around")
	_, ok = ParseIO([]byte("rchar: 1\n"))
	assert.False(t, ok)
	s, ok := ParseSchedstat([]byte("123 456 7\n"))
	assert.True(t, ok)
	assert.Equal(t, Schedule{RunNs: 123, DelayNs: 456}, s)
	_, ok = ParseSchedstat([]byte("123\n"))
	assert.False(t, ok)
	_, ok = ParseSteal([]byte("cpu0 1 2 3 4 5 6 7 8\n"))
	assert.False(t, ok)
	_, ok = ParseSteal([]byte("cpu 1 2 3\n"))
	assert.False(t, ok)
	_, ok = ParsePressure([]byte("full avg10=0.00 total=7\n"))
	assert.False(t, ok)
}

func TestParsersDoNotAllocate(t *testing.T) {
	status, memory := []byte(recorded(t, "proc/status")), []byte(recorded(t, "v1/memory.stat"))
	stat, sched, io := []byte(statLine), []byte("1 2 3\n"), []byte("rchar: 1\nwchar: 2\n")
	pressure := []byte(recorded(t, "v1/memory.pressure"))
	var v [len(memoryKeysV1)]int64
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		ParseStatus(status)
		ParseStat(stat)
		ParseIO(io)
		ParseSchedstat(sched)
		ParsePressure(pressure)
		fields(memory, memoryKeysV1[:], v[:])
	}))
}

func FuzzParsers(f *testing.F) {
	f.Add([]byte(statLine))
	f.Add([]byte(recorded(f, "proc/status")))
	f.Add([]byte(recorded(f, "v2/memory.stat")))
	f.Add([]byte(recorded(f, "v1/memory.pressure")))
	f.Add([]byte("cpu  1 2 3 4 5 6 7 8 9\nrchar: 1\nwchar: 2"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, ok := ParseStatus(b); ok && (s.Threads <= 0 || s.HWMBytes < 0 || s.RssAnonBytes < 0) {
			t.Fatalf("status %+v", s)
		}
		if s, ok := ParseStat(b); ok && (s.State == 0 || s.PPid < 0) {
			t.Fatalf("stat %+v", s)
		}
		if s, ok := ParseIO(b); ok && (s.ReadBytes < 0 || s.WriteBytes < 0) {
			t.Fatalf("io %+v", s)
		}
		if s, ok := ParseSchedstat(b); ok && (s.RunNs < 0 || s.DelayNs < 0) {
			t.Fatalf("schedstat %+v", s)
		}
		if p, ok := ParsePressure(b); ok && (p.SomeNs < 0 || p.FullNs < 0) {
			t.Fatalf("pressure %+v", p)
		}
		if n, ok := ParseSteal(b); ok && n < 0 {
			t.Fatalf("steal %d", n)
		}
		var v [len(memoryKeysV2)]int64
		fields(b, memoryKeysV2[:], v[:])
		for _, n := range v {
			if n < 0 {
				t.Fatalf("memory %v", v)
			}
		}
		parseCgroupFile(string(b))
	})
}

// FuzzStatName gives a process any name that the kernel lets it have: its fields stay what they are.
func FuzzStatName(f *testing.F) {
	for _, name := range []string{"node", ") R 1 1 1", "a) (b", "\n7 (x) Z 0", "runc:[2:INIT]", ""} {
		f.Add(name, 42, int64(99))
	}
	f.Fuzz(func(t *testing.T, name string, parent int, ticks int64) {
		if len(name) > 15 || strings.ContainsRune(name, 0) || parent < 0 || parent > 1<<22 || ticks < 0 {
			return // what no process has
		}
		line := fmt.Sprintf("7 (%s) S %d 5 6 0 -1 4194560 1 2 3 4 %d 8 0 0 20 0 11 0 77 1 2\n", name, parent, ticks)
		s, ok := ParseStat([]byte(line))
		want := Stat{State: 'S', PPid: parent, Group: 5, Session: 6, UserTicks: ticks, SystemTicks: 8, StartTicks: 77,
			Launching: len(name) > 5 && name[:5] == "runc:"}
		if !ok || s != want {
			t.Fatalf("%q became %+v", line, s)
		}
	})
}
