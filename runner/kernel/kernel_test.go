package kernel

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// idV1 and idV2 are the containers of the recorded trees.
const (
	idV1 = "c1fe8f27ffcbf9f1030016029d6c124c1938156f965db72ad508f4841042c44c"
	idV2 = "ea275f17eb2d4736679048a14ad0ebfcb059aab9ebfeae8f0b637150e68abea6"
)

func recorded(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return string(b)
}

// place copies a recorded directory to where a kernel would have it.
func place(t testing.TB, from, to string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(to, 0o755))
	entries, err := os.ReadDir(filepath.Join("testdata", from))
	require.NoError(t, err)
	for _, e := range entries {
		write(t, filepath.Join(to, e.Name()), recorded(t, filepath.Join(from, e.Name())))
	}
}

func write(t testing.TB, path, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
}

// treeV1 makes a hybrid tree with one container at path.
func treeV1(t testing.TB, from, path string) FS {
	t.Helper()
	root := t.TempDir()
	for _, controller := range []string{"memory", "cpuacct", "cpu", "unified"} {
		place(t, from, filepath.Join(root, controller, path))
	}
	return FS{Cgroups: []string{root}}
}

// treeV2 makes a unified tree with one container at path.
func treeV2(t testing.TB, from, path string) FS {
	t.Helper()
	root := t.TempDir()
	write(t, filepath.Join(root, "cgroup.controllers"), "cpu io memory pids\n")
	place(t, from, filepath.Join(root, path))
	return FS{Cgroups: []string{root}}
}

func TestCgroupFigures(t *testing.T) {
	t.Parallel()
	scope := "system.slice/docker-" + idV2 + ".scope"
	for name, tc := range map[string]struct {
		fs       FS
		proc, id string
		version  int
		memory   Memory
		counters Counters
	}{
		"v1": {
			fs: treeV1(t, "v1", "docker/"+idV1), proc: "v1.cgroup", id: idV1, version: 1,
			memory: Memory{ScoredBytes: 44822528, Refaults: 28097},
			counters: Counters{
				UsageBytes: 134144000, LimitBytes: 134217728, CPUNs: 2263398194, UserNs: 2015771821, SystemNs: 259451983,
				StallNs: 12489000,
			},
		},
		"v1 after the OOM kill of a child": {
			fs: treeV1(t, "v1-oom", "docker/"+idV1), proc: "v1.cgroup", id: idV1, version: 1,
			memory:   Memory{ScoredBytes: 212992, Refaults: 22859},
			counters: Counters{UsageBytes: 2818048, OOMKills: 1},
		},
		"v1 thrashing": {
			fs: treeV1(t, "v1-thrashing", "docker/"+idV1), proc: "v1.cgroup", id: idV1, version: 1,
			memory:   Memory{ScoredBytes: 128917504, Refaults: 62083280},
			counters: Counters{UsageBytes: 134217728, StallNs: 524219548000},
		},
		"v2, systemd": {
			fs: treeV2(t, "v2", scope), proc: "v2-host.cgroup", id: idV2, version: 2,
			memory:   Memory{ScoredBytes: 15327232},
			counters: Counters{UsageBytes: 86720512, LimitBytes: 134217728, CPUNs: 12112235000, UserNs: 8393566000, SystemNs: 3718668000},
		},
		"v2, seen by a neighbour": {
			fs: treeV2(t, "v2", scope), proc: "v2-sharer.cgroup", id: idV2, version: 2,
			memory:   Memory{ScoredBytes: 15327232},
			counters: Counters{UsageBytes: 86720512, LimitBytes: 134217728, CPUNs: 12112235000, UserNs: 8393566000, SystemNs: 3718668000},
		},
		"v2 after the OOM kill of a child": {
			fs: treeV2(t, "v2-oom", scope), proc: "v2-host.cgroup", id: idV2, version: 2,
			memory:   readV2(t, "v2-oom/memory.stat"),
			counters: Counters{UsageBytes: number64(t, "v2-oom/memory.current"), LimitBytes: number64(t, "v2-oom/memory.max"), OOMKills: 1},
		},
		"v2 throttled": {
			fs: treeV2(t, "v2-throttled", scope), proc: "v2-host.cgroup", id: idV2, version: 2,
			memory: readV2(t, "v2-throttled/memory.stat"),
			counters: Counters{
				UsageBytes: number64(t, "v2-throttled/memory.current"), LimitBytes: number64(t, "v2-throttled/memory.max"),
				CPUNs: 9996268000, UserNs: 2730330000, SystemNs: 7265938000, ThrottledNs: 8983677000,
				StallNs: pressure(t, "v2-throttled/memory.pressure").FullNs,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := tc.fs.OpenCgroup(recorded(t, filepath.Join("proc", tc.proc)), tc.id)
			require.NoError(t, err)
			defer c.Close()
			require.True(t, c.ReadMemory())
			c.ReadCounters()
			assert.Equal(t, tc.version, c.Version)
			assert.Equal(t, tc.memory, c.Memory)
			assert.Equal(t, tc.counters, c.Counters)
		})
	}
}

func TestCgroupCountsRefusedProcesses(t *testing.T) {
	t.Parallel()
	scope := "system.slice/docker-" + idV2 + ".scope"
	for name, tc := range map[string]struct {
		fs            FS
		dir, proc, id string
	}{
		"v1": {treeV1(t, "v1", "docker/"+idV1), "pids/docker/" + idV1, "v1.cgroup", idV1},
		"v2": {treeV2(t, "v2", scope), scope, "v2-host.cgroup", idV2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			write(t, filepath.Join(tc.fs.Cgroups[0], tc.dir, "pids.events"), "max 17\n")
			c, err := tc.fs.OpenCgroup(recorded(t, filepath.Join("proc", tc.proc)), tc.id)
			require.NoError(t, err)
			defer c.Close()
			c.ReadCounters()
			assert.EqualValues(t, 17, c.Counters.PidsRefused)
		})
	}
}

func readV2(t *testing.T, name string) Memory {
	t.Helper()
	var v [3]int64
	fields([]byte(recorded(t, name)), []string{"anon", "shmem", "workingset_refault_file"}, v[:])
	require.Positive(t, v[0])
	return Memory{ScoredBytes: v[0] + v[1], Refaults: v[2]}
}

func number64(t *testing.T, name string) int64 {
	t.Helper()
	n, _, ok := number([]byte(recorded(t, name)))
	require.True(t, ok)
	return n
}

func pressure(t *testing.T, name string) Pressure {
	t.Helper()
	p, ok := ParsePressure([]byte(recorded(t, name)))
	require.True(t, ok)
	return p
}

func TestCgroupIsFoundWhereverItIs(t *testing.T) {
	t.Parallel()
	other := "0::/system.slice/docker-" + idV1 + ".scope"
	for name, tc := range map[string]struct {
		fs       FS
		proc, id string
		found    bool
	}{
		"path begins above the mount":   {treeV2(t, "v2", "docker/"+idV2), "0::/outer/docker/" + idV2, idV2, true},
		"path is of another namespace":  {treeV2(t, "v2", "a/b/docker-"+idV2+".scope"), "0::/../docker-" + idV2 + ".scope", idV2, true},
		"path is hidden":                {treeV2(t, "v2", "kubepods/pod1/"+idV2), "0::/", idV2, true},
		"path is unknown":               {treeV1(t, "v1", "docker/"+idV1), "", idV1, true},
		"second root":                   {FS{Cgroups: []string{"/no/such", treeV2(t, "v2", idV2).Cgroups[0]}}, "0::/" + idV2, idV2, true},
		"another container":             {treeV2(t, "v2", "system.slice/docker-"+idV1+".scope"), other, idV2, false},
		"path leads out of the tree":    {treeV2(t, "v2", "x"), "0::/../../../../../../../../etc/" + idV2, idV2, false},
		"no container":                  {treeV2(t, "v2", "docker/"+idV2), "0::/docker/" + idV2, "", false},
		"no tree":                       {FS{Cgroups: []string{t.TempDir()}}, "0::/docker/" + idV2, idV2, false},
		"only controllers not asked of": {FS{}, "0::/docker/" + idV2, idV2, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := tc.fs.OpenCgroup(tc.proc, tc.id)
			if !tc.found {
				require.ErrorIs(t, err, ErrNoCgroup)
				return
			}
			require.NoError(t, err)
			defer c.Close()
			assert.True(t, c.ReadMemory())
			assert.Positive(t, c.Memory.ScoredBytes)
		})
	}
}

func TestCgroupThatVanishesKeepsItsValues(t *testing.T) {
	t.Parallel()
	fs := treeV2(t, "v2", idV2)
	c, err := fs.OpenCgroup("0::/"+idV2, idV2)
	require.NoError(t, err)
	require.True(t, c.ReadMemory())
	c.ReadCounters()
	memory, counters := c.Memory, c.Counters
	c.Close()
	assert.False(t, c.ReadMemory())
	c.ReadCounters()
	assert.Equal(t, memory, c.Memory)
	assert.Equal(t, counters, c.Counters)
}

func TestCgroupWithoutLimit(t *testing.T) {
	t.Parallel()
	v2 := treeV2(t, "v2", idV2)
	write(t, filepath.Join(v2.Cgroups[0], idV2, "memory.max"), "max\n")
	v1 := treeV1(t, "v1", idV2)
	write(t, filepath.Join(v1.Cgroups[0], "memory", idV2, "memory.limit_in_bytes"), "9223372036854771712\n")
	for _, fs := range []FS{v1, v2} {
		c, err := fs.OpenCgroup("", idV2)
		require.NoError(t, err)
		c.ReadCounters()
		assert.Zero(t, c.Counters.LimitBytes)
		c.Close()
	}
}

func TestMachine(t *testing.T) {
	t.Parallel()
	proc := t.TempDir()
	write(t, filepath.Join(proc, "stat"), "cpu  185690 1006 63875 447198 2067 0 1797 14004 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n")
	write(t, filepath.Join(proc, "pressure/memory"), "some avg10=0.00 avg60=0.00 avg300=0.00 total=48311\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=46288\n")
	m := FS{Proc: proc}.OpenMachine()
	defer m.Close()
	m.Read()
	assert.EqualValues(t, 140_040_000_000, m.StealNs)
	assert.Equal(t, Pressure{SomeNs: 48311000, FullNs: 46288000}, m.Memory)
	assert.Zero(t, m.IO, "a file that is missing")
}
