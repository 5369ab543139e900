package kernel

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// procTree is a /proc made of files.
type procTree struct {
	t    *testing.T
	root string
}

func newProcTree(t *testing.T) procTree {
	p := procTree{t, t.TempDir()}
	write(t, filepath.Join(p.root, "self", "cgroup"), "0::/docker/driver\n")
	p.add(1, "0::/docker/driver", "driver", 0, 1)
	return p
}

// add makes a process.
func (p procTree) add(pid int, cgroup, name string, ppid, start int) {
	dir := filepath.Join(p.root, strconv.Itoa(pid))
	write(p.t, filepath.Join(dir, "cgroup"), cgroup+"\n")
	p.stat(pid, name, 'S', ppid, start)
	write(p.t, filepath.Join(dir, "io"), "rchar: 1000\nwchar: 10\n")
	write(p.t, filepath.Join(dir, "task", strconv.Itoa(pid), "schedstat"), "5000 70 1\n")
	p.memory(pid, 100, 50, 20)
}

func (p procTree) stat(pid int, name string, state byte, ppid, start int) {
	write(p.t, filepath.Join(p.root, strconv.Itoa(pid), "stat"), fmt.Sprintf(
		"%d (%s) %c %d %d %d 0 -1 0 0 0 0 0 30 12 0 0 20 0 1 0 %d 0 0\n", pid, name, state, ppid, pid, pid, start))
}

// memory sets figures in KiB.
func (p procTree) memory(pid, hwm, anon, file int) {
	write(p.t, filepath.Join(p.root, strconv.Itoa(pid), "status"), fmt.Sprintf(
		"Name:\tx\nVmHWM:\t%d kB\nRssAnon:\t%d kB\nRssFile:\t%d kB\nRssShmem:\t0 kB\nThreads:\t3\n", hwm, anon, file))
}

// remove takes a process away. Its open files go on existing here, unlike in a kernel, so its stat is emptied.
func (p procTree) remove(pid int) {
	require.NoError(p.t, os.Truncate(filepath.Join(p.root, strconv.Itoa(pid), "stat"), 0))
	require.NoError(p.t, os.RemoveAll(filepath.Join(p.root, strconv.Itoa(pid))))
}

func (p procTree) table() *Table {
	tab, err := NewTable(FS{Proc: p.root})
	require.NoError(p.t, err)
	p.t.Cleanup(tab.Close)
	return tab
}

var start = time.Unix(1_000_000, 0)

func look(t *testing.T, tab *Table, after time.Duration) {
	t.Helper()
	require.NoError(t, tab.Scan(start.Add(after)))
	tab.Read(start.Add(after))
}

func pids(tab *Table) []int {
	out := []int{}
	for _, p := range tab.Living() {
		out = append(out, p.PID)
	}
	return out
}

func TestTableTakesTheContainersProcesses(t *testing.T) {
	t.Parallel()
	p := newProcTree(t)
	p.add(5, "0::/docker/service", "redis", 0, 2)
	tab := p.table()
	p.add(20, "0::/docker/"+idV1, "runc:[2:INIT]", 0, 10)
	p.add(21, "0::/docker/other", "node", 0, 9)
	look(t, tab, 0)
	assert.Len(t, tab.living, 2, "both are new; which is ours is not known yet")
	assert.Empty(t, tab.Living(), "so nobody may touch them")
	assert.Nil(t, tab.Main())
	p.stat(20, "node", 'S', 0, 10)
	look(t, tab, 10*time.Millisecond)

	tab.Confirm(idV1)
	assert.Equal(t, []int{20}, pids(tab))
	require.NotNil(t, tab.Main())
	assert.Equal(t, 20, tab.Main().PID)
	assert.Equal(t, start.Add(10*time.Millisecond), tab.Main().Seen, "since it is the command, not the runtime")
	assert.EqualValues(t, 30, tab.Main().Before.UserTicks)

	p.add(30, "0::/docker/"+idV1, "node", 20, 12)
	p.add(31, "0::/docker/driver", "driver-thread", 1, 12)
	look(t, tab, 20*time.Millisecond)
	assert.ElementsMatch(t, []int{20, 30}, pids(tab))
	assert.True(t, tab.MainAlive())
}

func TestTableFindsProcessesThatAreMovedLate(t *testing.T) {
	t.Parallel()
	p := newProcTree(t)
	tab := p.table()
	tab.Confirm(idV1)
	p.add(20, "0::/", "runc:[2:INIT]", 0, 10)
	look(t, tab, 0)
	assert.Empty(t, pids(tab))
	write(t, filepath.Join(p.root, "20", "cgroup"), "0::/docker/"+idV1)
	look(t, tab, 10*time.Millisecond)
	assert.Equal(t, []int{20}, pids(tab))
}

func TestTableKeepsTheFiguresOfTheDead(t *testing.T) {
	t.Parallel()
	p := newProcTree(t)
	tab := p.table()
	p.add(20, "0::/docker/"+idV1, "node", 0, 10)
	p.add(21, "0::/docker/"+idV1, "node", 20, 11)
	p.memory(21, 9000, 100, 40)
	look(t, tab, 0)
	tab.Confirm(idV1)
	look(t, tab, 0)
	assert.Equal(t, Totals{UserTicks: 60, SystemTicks: 24, ReadBytes: 2000, WriteBytes: 20}, tab.Totals())

	p.remove(21)
	write(t, filepath.Join(p.root, "20", "io"), "rchar: 2000\nwchar: 20\n") // the kernel adds a child's on when it is waited for
	look(t, tab, 10*time.Millisecond)
	assert.Equal(t, Totals{UserTicks: 60, SystemTicks: 24, ReadBytes: 2000, WriteBytes: 20}, tab.Totals(), "not counted twice")
	assert.EqualValues(t, 9000<<10, tab.HWMBytes())
	assert.EqualValues(t, (9000-40)<<10, tab.AnonPeakBytes(), "a spike between two samples is seen")

	p.remove(20)
	look(t, tab, 20*time.Millisecond)
	assert.Empty(t, pids(tab))
	assert.Equal(t, 20, tab.Main().PID)
	assert.False(t, tab.MainAlive())
	assert.EqualValues(t, 2000, tab.Totals().ReadBytes)
}

func TestTableLosesOneBetweenTwoScans(t *testing.T) {
	t.Parallel()
	p := newProcTree(t)
	tab := p.table()
	tab.Confirm(idV1)
	for pid := 20; pid < 24; pid++ {
		p.add(pid, "0::/docker/"+idV1, "node", 0, pid)
	}
	look(t, tab, 0)
	p.remove(20)
	p.remove(22)
	tab.Read(start)
	assert.ElementsMatch(t, []int{21, 23}, pids(tab))
	tab.Read(start)
	assert.ElementsMatch(t, []int{21, 23}, pids(tab), "the others are still followed")
	assert.EqualValues(t, 120, tab.Totals().UserTicks)
	assert.Equal(t, 20, tab.Main().PID)
	assert.False(t, tab.MainAlive())
}

func TestTableKnowsOneThatEndedBeforeItsContainerWasKnown(t *testing.T) {
	t.Parallel()
	p := newProcTree(t)
	tab := p.table()
	p.add(20, "0::/docker/"+idV1, "node", 0, 10)
	p.add(21, "0::/docker/other", "node", 0, 10)
	look(t, tab, 0)
	p.remove(20)
	p.remove(21)
	look(t, tab, 10*time.Millisecond)
	tab.Confirm(idV1)
	require.NotNil(t, tab.Main())
	assert.Equal(t, 20, tab.Main().PID)
	assert.Equal(t, start, tab.Main().Seen)
	assert.EqualValues(t, 30, tab.Totals().UserTicks)
}

func TestTableSeesZombies(t *testing.T) {
	t.Parallel()
	p := newProcTree(t)
	tab := p.table()
	tab.Confirm(idV1)
	p.add(20, "0::/docker/"+idV1, "node", 0, 10)
	p.add(21, "0::/docker/"+idV1, "orphan", 1, 11)
	look(t, tab, 0)
	p.stat(21, "orphan", 'Z', 1, 11)
	look(t, tab, 10*time.Millisecond)
	assert.Equal(t, []int{20}, pids(tab))
	assert.Equal(t, []int{21}, tab.Zombies(1, nil))
	assert.EqualValues(t, 60, tab.Totals().UserTicks, "its time still counts")
}

func TestTableFollowsRealProcesses(t *testing.T) {
	t.Parallel()
	tab, err := NewTable(Host())
	require.NoError(t, err)
	defer tab.Close()
	// A child, and a grandchild in a session of its own whose parent ends at once.
	cmd := exec.Command("sh", "-c", `sleep 30 & (setsid sleep 30 &) ; wait`)
	marker := fmt.Sprintf("ASSAY_TEST=%s-%d", t.Name(), os.Getpid())
	cmd.Env = append(os.Environ(), marker)
	require.NoError(t, cmd.Start())
	tab.Follow(cmd.Process.Pid, marker)
	defer func() {
		for _, p := range tab.Living() {
			if proc, err := os.FindProcess(p.PID); err == nil {
				_ = proc.Kill()
			}
		}
		_ = cmd.Wait() // killed
	}()
	require.Eventually(t, func() bool {
		look(t, tab, 0)
		return len(tab.Living()) == 3
	}, 10*time.Second, 2*time.Millisecond)
	require.NotNil(t, tab.Main())
	assert.Equal(t, cmd.Process.Pid, tab.Main().PID)
	assert.Positive(t, tab.Main().Status.RssAnonBytes)
	for _, p := range tab.Living() {
		assert.NotEqual(t, os.Getpid(), p.PID)
	}
}

func TestTableFollowsATreeWithoutItsRoot(t *testing.T) {
	t.Parallel()
	p := newProcTree(t)
	tab := p.table()
	p.add(31, "", "sh", 30, 11)
	p.add(32, "", "sleep", 31, 12)
	p.add(33, "", "somebody", 1, 12)
	tab.Follow(30, "")
	look(t, tab, 0)
	assert.ElementsMatch(t, []int{31, 32}, pids(tab))
	assert.Nil(t, tab.Main(), "none of them is it")
}

func TestSamplingDoesNotAllocate(t *testing.T) {
	p, err := Host().OpenProcess(os.Getpid())
	require.NoError(t, err)
	defer p.Close()
	buf := make([]byte, fileBytes)
	now := time.Now()
	require.True(t, p.Read(now, buf))
	assert.Zero(t, testing.AllocsPerRun(100, func() { p.Read(now, buf) }))
	c, err := treeV1(t, "v1", idV1).OpenCgroup("", idV1)
	require.NoError(t, err)
	defer c.Close()
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		c.ReadMemory()
		c.ReadCounters()
	}))
}

// BenchmarkSample is one sample of one process without a control group; it should stay well below 0.3 ms.
func BenchmarkSample(b *testing.B) {
	tab, err := NewTable(Host())
	require.NoError(b, err)
	defer tab.Close()
	cmd := exec.Command("sleep", "600")
	require.NoError(b, cmd.Start())
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	tab.Follow(cmd.Process.Pid, "")
	b.ReportAllocs()
	for b.Loop() {
		now := time.Now()
		if err := tab.Scan(now); err != nil {
			b.Fatal(err)
		}
		tab.Read(now)
	}
	if len(tab.Living()) != 1 {
		b.Fatal("lost the process")
	}
}

// BenchmarkRead is one sample without the search for new processes.
func BenchmarkRead(b *testing.B) {
	p, err := Host().OpenProcess(os.Getpid())
	require.NoError(b, err)
	defer p.Close()
	buf := make([]byte, fileBytes)
	b.ReportAllocs()
	for b.Loop() {
		p.Read(time.Now(), buf)
	}
}
