package process

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/runner"
)

func TestConfigValidate(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Session: "s"})
	for _, missing := range []string{"StateID", "Dir", "DriverBinary"} {
		require.ErrorContains(t, err, missing+" is empty")
	}
	_, err = New(Config{Session: "s", StateID: "x", DriverBinary: "x", Dir: filepath.Join(t.TempDir(), "no")})
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestInfo(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Config{Session: "info", Dir: sharedDir(t)})
	info, err := e.Info(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "process", info.Name)
	assert.False(t, info.Sandboxed)
	assert.NotEmpty(t, info.Kernel)
	assert.Contains(t, []int{0, 1, 2}, info.CgroupVersion)
}

func TestDriverThatCannotStart(t *testing.T) {
	t.Parallel()
	dir := sharedDir(t)
	e, err := New(Config{Session: "no-driver", StateID: "x", Dir: dir, DriverBinary: "/no/such/driver"})
	require.NoError(t, err)
	_, err = e.OpenPod(t.Context(), runner.PodSpec{})
	require.ErrorContains(t, err, "start driver")
	left, err := filepath.Glob(filepath.Join(e.dir, "*"))
	require.NoError(t, err)
	assert.Empty(t, left)
	require.NoError(t, e.Close())
}

// sh runs a shell command as a submission and returns what it wrote to standard output.
func sh(t *testing.T, e *Engine, spec runner.PodSpec, limits runner.Limits, script string) runner.CandidateResult {
	t.Helper()
	ws, err := e.Stage(t.Context(), runner.StageSpec{Name: "sh", Dir: t.TempDir()})
	require.NoError(t, err)
	pod, err := e.OpenPod(t.Context(), spec)
	require.NoError(t, err)
	c, err := pod.StartCandidate(t.Context(), runner.CandidateSpec{
		Name: "sh", Workspace: ws, Argv: []string{"sh", "-c", script}, Limits: limits,
	})
	require.NoError(t, err)
	res, err := c.Wait(t.Context())
	require.NoError(t, err)
	require.NoError(t, errors.Join(pod.Close(t.Context()), ws.Close(t.Context())))
	return res
}

func TestLimitsHoldFromTheStart(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Config{Session: "limits", Dir: sharedDir(t)})
	res := sh(t, e, runner.PodSpec{Slot: runner.Slot{CandidateCores: "0"}},
		runner.Limits{OpenFiles: 77, FileSizeBytes: 4096},
		`ulimit -n; ulimit -Hn; ulimit -c; grep -E "Cpus_allowed_list|NoNewPrivs" /proc/self/status; `+
			`id -u; id -G; exec head -c 5000 /dev/zero >"$HOME/big"`)
	require.Equal(t, evidence.Exit{Status: evidence.Signaled, Code: 153, Signal: "SIGXFSZ"}, res.Exit, res.Stderr.Text)
	got := strings.Fields(res.Stdout.Text)
	want := []string{"77", "77", "0", "Cpus_allowed_list:", "0", "NoNewPrivs:", "1"}
	// The kernel prints the two fields of status in an order of its own.
	assert.ElementsMatch(t, want, got[:len(want)])
	if os.Geteuid() == 0 {
		uid := strconv.Itoa(runner.UID)
		assert.Equal(t, []string{uid, uid}, got[len(want):], "root gives up itself and all its groups")
	}
}

// Not parallel: submissions of other tests have threads with what this looks for.
func TestThisProcessKeepsItsOwn(t *testing.T) {
	e := openEngine(t, Config{Session: "own", Dir: sharedDir(t)})
	sh(t, e, runner.PodSpec{Slot: runner.Slot{CandidateCores: "0", DriverCores: "0"}}, runner.Limits{}, "true")
	// What is set for a submission is set on a thread, which ends soon after it.
	assert.Eventually(t, func() bool {
		tasks, err := filepath.Glob("/proc/self/task/*/status")
		require.NoError(t, err)
		for _, task := range tasks {
			status, err := os.ReadFile(task)
			if err == nil && (strings.Contains(string(status), "NoNewPrivs:\t1") ||
				strings.Contains(string(status), "\nUid:\t"+strconv.Itoa(runner.UID))) {
				return false
			}
		}
		return true
	}, 10*time.Second, 10*time.Millisecond)
}

func TestDataOutOfReach(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		return // the submission's user is ours, who can reach what we can
	}
	e := openEngine(t, Config{Session: "data", Dir: sharedDir(t)})
	data := filepath.Join(sharedDir(t), "private", "data") // below a directory that only root can pass through
	require.NoError(t, os.MkdirAll(data, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(data, "input"), []byte("text"), 0o644))
	view, err := e.offerData(data, t.TempDir())
	require.NoError(t, err)
	require.NotEqual(t, data, view)
	text, err := os.ReadFile(filepath.Join(view, "input"))
	require.NoError(t, err)
	assert.Equal(t, "text", string(text))

	_, err = e.offerData(filepath.Join(data, "none"), t.TempDir())
	require.ErrorIs(t, err, os.ErrNotExist)
	same, err := e.offerData("/usr", t.TempDir())
	require.NoError(t, err)
	assert.Equal(t, "/usr", same, "what can be reached is used as it is")
}

// Not parallel: processes without their marker are ended when no other pod is open.
func TestForkBombEnds(t *testing.T) {
	e := openEngine(t, Config{Session: "bomb", Dir: sharedDir(t)})
	ws, err := e.Stage(t.Context(), runner.StageSpec{Name: "bomb", Dir: t.TempDir()})
	require.NoError(t, err)
	pod, err := e.OpenPod(t.Context(), runner.PodSpec{})
	require.NoError(t, err)
	// Each generation starts the next in a session of its own, with no environment, and ends.
	script := `if [ -n "$1" ]; then echo >"$1"; fi; env -i setsid sh ./again.sh &`
	require.NoError(t, os.WriteFile(filepath.Join(ws.(*workspace).app(), "again.sh"), []byte(script), 0o644))
	ready := filepath.Join(pod.Paths().Out, "ready")
	c, err := pod.StartCandidate(t.Context(), runner.CandidateSpec{
		Name: "bomb", Workspace: ws, Argv: []string{"sh", "./again.sh", ready},
	})
	require.NoError(t, err)
	_, err = c.Wait(t.Context())
	require.NoError(t, err)
	require.NoError(t, pod.Close(t.Context()))
	out, err := exec.CommandContext(t.Context(), "pgrep", "-f", "^sh ./again.sh").CombinedOutput()
	require.Error(t, err, "still alive: %s", out)
	require.NoError(t, ws.Close(t.Context()))
}

func TestSweepEndsProcesses(t *testing.T) {
	t.Parallel()
	dir := sharedDir(t)
	dead := filepath.Join(dir, "assay-conformance-dead", "pod-1")
	require.NoError(t, os.MkdirAll(dead, 0o755))
	sleeper := exec.CommandContext(t.Context(), "sleep", "1000")
	sleeper.Dir = dead
	require.NoError(t, sleeper.Start())
	e := openEngine(t, Config{Session: "sweeper", Dir: dir, SessionAlive: func(string) bool { return false }})
	swept, err := e.Sweep(t.Context())
	require.NoError(t, err)
	assert.Equal(t, runner.Swept{Containers: 1, Volumes: 1}, swept)
	var ended *exec.ExitError
	require.ErrorAs(t, sleeper.Wait(), &ended)
	assert.NoDirExists(t, filepath.Dir(dead))
}

func TestBuild(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Config{Session: "build", Dir: sharedDir(t)})
	step := func(script string) []string { return []string{"sh", "-c", script} }
	for _, tt := range []struct {
		name string
		spec runner.BuildSpec
		want []evidence.ExitStatus
		fail bool
		out  string // of the last step
	}{
		{"two steps share the workspace", runner.BuildSpec{Steps: [][]string{step("echo 1 >made"), step("cat made")}},
			[]evidence.ExitStatus{evidence.Exited, evidence.Exited}, false, "1\n"},
		{"the first failure ends it", runner.BuildSpec{Steps: [][]string{step("exit 3"), step("true")}},
			[]evidence.ExitStatus{evidence.Exited}, true, ""},
		{"no such command", runner.BuildSpec{Steps: [][]string{{"no-such-command"}}},
			[]evidence.ExitStatus{evidence.NotStarted}, true, ""},
		{"an empty command", runner.BuildSpec{Steps: [][]string{{}}}, []evidence.ExitStatus{evidence.NotStarted}, true, ""},
		{"too slow", runner.BuildSpec{Steps: [][]string{step("echo began; sleep 1000")}, Timeout: 300 * time.Millisecond},
			[]evidence.ExitStatus{evidence.TimedOut}, true, "began\n"},
		{"no lifecycle scripts", runner.BuildSpec{Steps: [][]string{step("echo $npm_config_ignore_scripts $OWN")},
			Env: map[string]string{"OWN": "x"}}, []evidence.ExitStatus{evidence.Exited}, false, "true x\n"},
		{"lifecycle scripts", runner.BuildSpec{Steps: [][]string{step("echo $npm_config_ignore_scripts")}, Scripts: true},
			[]evidence.ExitStatus{evidence.Exited}, false, "false\n"},
		{"bounded output", runner.BuildSpec{Steps: [][]string{step("echo 0123456789")}, OutputBytes: 4},
			[]evidence.ExitStatus{evidence.Exited}, false, "01\n[… 7 bytes left out …]\n9\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ws, err := e.Stage(t.Context(), runner.StageSpec{Name: "build", Dir: t.TempDir()})
			require.NoError(t, err)
			got, err := e.Build(t.Context(), ws, tt.spec)
			require.NoError(t, err)
			var statuses []evidence.ExitStatus
			for _, s := range got.Steps {
				statuses = append(statuses, s.Exit.Status)
			}
			assert.Equal(t, tt.want, statuses)
			assert.Equal(t, tt.fail, got.Failed)
			assert.Equal(t, tt.out, got.Steps[len(got.Steps)-1].Output.Text)
			require.NoError(t, ws.Close(t.Context()))
		})
	}
}

func TestBuildNothing(t *testing.T) {
	t.Parallel()
	e := openEngine(t, Config{Session: "nothing", Dir: sharedDir(t)})
	ws, err := e.Stage(t.Context(), runner.StageSpec{Name: "x", Dir: t.TempDir()})
	require.NoError(t, err)
	got, err := e.Build(t.Context(), ws, runner.BuildSpec{})
	require.NoError(t, err)
	assert.True(t, got.Skipped)

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = e.Build(cancelled, ws, runner.BuildSpec{Steps: [][]string{{"sleep", "1000"}}})
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, ws.Close(t.Context()))
}

func TestStepThatFailsOnAFullDisk(t *testing.T) {
	t.Parallel()
	require.NoError(t, hadRoom(t.TempDir()))
	err := hadRoom("/proc/sys/fs") // a file system of the kernel's own has no room
	require.ErrorIs(t, err, unix.ENOSPC)
	var path *fs.PathError
	require.ErrorAs(t, err, &path, "so that people are told which disk it is")
	assert.Equal(t, "/proc/sys/fs", path.Path)
}

func TestParseCores(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "a", "0-", "-1", "2-1", ",", "0,,1", "0-1-2", "5000", " 1"} {
		_, err := parseCores(bad)
		require.ErrorContains(t, err, "not a list of cores", bad)
	}
	set, err := parseCores("0,2-4,700")
	require.NoError(t, err)
	var cpus []int
	for cpu := range 1024 {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	assert.Equal(t, []int{0, 2, 3, 4, 700}, cpus)
}

func FuzzParseCores(f *testing.F) {
	f.Add("0,2-3")
	f.Fuzz(func(t *testing.T, list string) {
		set, err := parseCores(list)
		assert.Equal(t, err == nil, set != nil)
		if err == nil {
			assert.Positive(t, set.Count(), list)
		}
	})
}

func TestReachable(t *testing.T) {
	t.Parallel()
	dir := sharedDir(t)
	assert.True(t, reachable(dir))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "shut"), 0o700))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "shut", "open"), 0o755))
	assert.False(t, reachable(filepath.Join(dir, "shut", "open")))
	assert.False(t, reachable(filepath.Join(dir, "none")))
}

func TestParseStat(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		want proc
		ok   bool
	}{
		{"12 (node) S 3 12 7 0", proc{pid: 12, parent: 3, session: 7}, true},
		{"12 (a ) Z 9 (b) Z 3 12 7", proc{pid: 12, parent: 3, session: 7, zombie: true}, true},
		{"", proc{}, false},
		{"12 (node", proc{}, false},
		{"12 (node) S 3", proc{}, false},
		{"x (node) S 3 12 7", proc{}, false},
		{") (", proc{}, false},
	} {
		got, ok := parseStat([]byte(tt.in))
		assert.Equal(t, tt.ok, ok, tt.in)
		assert.Equal(t, tt.want, got, tt.in)
	}
	self, ok := readProc(os.Getpid())
	require.True(t, ok)
	assert.Equal(t, os.Getppid(), self.parent)
	sid, err := unix.Getsid(0)
	require.NoError(t, err)
	assert.Equal(t, sid, self.session)
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("12 (node) S 3 12 7 0"))
	f.Add([]byte("1 (a) b) Z"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, ok := parseStat(data); !ok {
			assert.Equal(t, proc{}, p)
		}
	})
}

func TestBelow(t *testing.T) {
	t.Parallel()
	list := []proc{{pid: 5, parent: 4}, {pid: 4, parent: 3}, {pid: 3, parent: 1}, {pid: 9, parent: 1}, {pid: 1, parent: 1}}
	var pids []int
	for _, p := range below(list, 3) {
		pids = append(pids, p.pid)
	}
	assert.ElementsMatch(t, []int{4, 5}, pids)
	assert.Empty(t, below(list, 77))
}
