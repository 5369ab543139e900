//go:build integration

package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// seed makes all gradings of these tests use the same data, so that they are made once.
var seed = strings.Repeat("5e", 32)

// process is assay while it runs.
type process struct {
	p   *place
	cmd *exec.Cmd
	out string // of the report

	mu     sync.Mutex
	stderr bytes.Buffer
	ended  chan struct{}
}

// Write keeps what it says to people.
func (a *process) Write(b []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stderr.Write(b)
}

func (a *process) text() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stderr.String()
}

// begin starts a grading of a submission.
func (p *place) begin(submission string, args ...string) *process {
	p.t.Helper()
	a := &process{p: p, out: filepath.Join(p.t.TempDir(), "result"), ended: make(chan struct{})}
	a.cmd, _, _ = p.command(append([]string{"run", submission, "--seed", seed, "--out", a.out, "--no-diagnosis"}, args...)...)
	a.cmd.Stderr = a
	require.NoError(p.t, a.cmd.Start())
	go func() {
		defer close(a.ended)
		_ = a.cmd.Wait()
	}()
	return a
}

// until waits for something to become true while the grading goes on.
func (a *process) until(what string, holds func() bool) {
	a.p.t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !holds(); {
		select {
		case <-a.ended:
			require.Fail(a.p.t, "it ended before: "+what, "%s", a.text())
		case <-time.After(5 * time.Millisecond):
			require.True(a.p.t, time.Now().Before(deadline), "%s: %s", what, a.text())
		}
	}
}

// says waits for a line on standard error.
func (a *process) says(line string) {
	a.p.t.Helper()
	a.until(line, func() bool { return strings.Contains(a.text(), line) })
}

// wait returns its exit code.
func (a *process) wait() int {
	<-a.ended
	return a.cmd.ProcessState.ExitCode()
}

// faulty checks that it ended as a fault of the machine: what the sentence must have, and that nothing was charged.
func (a *process) faulty(sentences ...string) {
	a.p.t.Helper()
	assert.Equal(a.p.t, 3, a.wait(), "%s", a.text())
	for _, s := range append(sentences, "Nothing was charged to the submission.") {
		assert.Contains(a.p.t, a.text(), s)
	}
	assert.NoDirExists(a.p.t, a.out)
	a.p.t.Logf("what people see:\n%s", a.text())
}

// containers are the ids of this place's running containers of a role.
func (p *place) containers(role string) []string {
	p.t.Helper()
	id, err := os.ReadFile(filepath.Join(p.state, "id"))
	if err != nil {
		return nil
	}
	cli, err := client.New(p.options()...)
	require.NoError(p.t, err)
	defer cli.Close()
	list, err := cli.ContainerList(p.t.Context(), client.ContainerListOptions{
		Filters: make(client.Filters).Add("label", "assay.state="+strings.TrimSpace(string(id)), "assay.role="+role),
	})
	if err != nil {
		return nil
	}
	var ids []string
	for _, c := range list.Items {
		ids = append(ids, c.ID)
	}
	return ids
}

// running waits for a container of a role, and returns its id and the process id of its main process.
func (a *process) running(role string) (id string, pid int) {
	a.p.t.Helper()
	a.until("a container of role "+role, func() bool { return len(a.p.containers(role)) > 0 })
	cli, err := client.New(a.p.options()...)
	require.NoError(a.p.t, err)
	defer cli.Close()
	a.until("its process", func() bool {
		for _, c := range a.p.containers(role) {
			res, err := cli.ContainerInspect(a.p.t.Context(), c, client.ContainerInspectOptions{})
			if err == nil && res.Container.State.Running {
				id, pid = c, res.Container.State.Pid
				return true
			}
		}
		return false
	})
	return id, pid
}

// clean lets the next command remove what was left, and checks that nothing is: on the engine, of temporary files, of sessions.
func (p *place) clean() {
	p.t.Helper()
	cmd, _, stderr := p.command("clean")
	require.Equal(p.t, 0, exitCode(p.t, cmd.Run()), "%s", stderr)
	p.nothingLeft()
}

func (p *place) nothingLeft() {
	p.t.Helper()
	assert.Empty(p.t, p.left(), "left on the engine")
	for _, pattern := range []string{"assay-tmp-*", "assay-[0-9a-f]*-*"} {
		found, err := filepath.Glob(filepath.Join(p.tmp, pattern))
		require.NoError(p.t, err)
		assert.Empty(p.t, found, "left of temporary files")
	}
	locks, err := filepath.Glob(filepath.Join(p.state, "sessions", "*"))
	require.NoError(p.t, err)
	assert.Empty(p.t, locks, "left of sessions")
}

// faultyPlace is a place whose temporary files are its own too.
func faultyPlace(t *testing.T, e *engine) *place {
	t.Helper()
	p := newPlace(t)
	p.tmp = t.TempDir()
	p.env = append(p.env, "TMPDIR="+p.tmp)
	if e != nil {
		p.host = e.host
		p.env = append(p.env, "DOCKER_HOST="+e.host)
	}
	return p
}

// in is the same place for a part of the test.
func (p *place) in(t *testing.T) *place {
	part := *p
	part.t = t
	return &part
}

// TestFaultsOfTheEngine does to an engine what happens to engines.
func TestFaultsOfTheEngine(t *testing.T) {
	e := newEngine(t)
	p := faultyPlace(t, e)
	t.Run("killed at twenty points", func(t *testing.T) { killedAtTwentyPoints(t, p.in(t)) })
	t.Run("image removed", func(t *testing.T) {
		p := p.in(t)
		a := p.begin(reference)
		a.running("candidate")
		_, err := e.cli.ImageRemove(t.Context(), image, client.ImageRemoveOptions{Force: true})
		require.NoError(t, err)
		a.faulty("image is missing", "assay setup")
		_, err = e.cli.ImageTag(t.Context(), client.ImageTagOptions{Source: keptImage, Target: image})
		require.NoError(t, err)
		p.nothingLeft()
	})
	t.Run("disk full", func(t *testing.T) {
		p := p.in(t)
		a := p.begin(reference)
		a.running("candidate")
		fill(t, e.root(), 0)
		a.faulty("the disk of the container engine is full", "docker system df")
		resize(t, e.root(), engineDisk)
		p.cleanEngine()
	})
	t.Run("disk full in a build", func(t *testing.T) {
		p := p.in(t)
		a := p.begin(submission(t, map[string]string{
			"assay.json": `{"challenge": "log-aggregate", "start": ["node", "main.mjs"], "build": [["node", "build.mjs"]]}`,
			"main.mjs":   "console.log(1);\n",
			// Like a package manager, it writes less than a build may, and removes everything when that fails.
			"build.mjs": `import { appendFileSync, rmSync, statfsSync } from 'node:fs';
const room = () => { const s = statfsSync('.'); return s.bavail * s.bsize; };
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
while (room() > 128 << 20) await pause(10);
try {
  for (let i = 0; i < 1500; i++) appendFileSync('large' + i % 5, Buffer.alloc(1 << 20, 1));
} finally {
  await pause(200);
  for (let i = 0; i < 5; i++) rmSync('large' + i);
}
`,
		}))
		a.running("disk-watch")
		fill(t, e.root(), 64<<20)
		a.faulty("the disk of the container engine is full: the step failed, and ", "were free meanwhile", "docker system df")
		resize(t, e.root(), engineDisk)
		p.cleanEngine()
	})
	t.Run("gone for good", func(t *testing.T) {
		p := p.in(t)
		a := p.begin(reference)
		a.running("candidate")
		e.kill()
		a.faulty("engine is not reachable", "assay doctor")
		e.start()
		p.cleanEngine()
	})
	t.Run("faults that pass", func(t *testing.T) { faultsThatPass(t, p.in(t), e) })
	p.clean()
}

// cleanEngine is clean, but for the data sets, which the next grading uses again.
func (p *place) cleanEngine() {
	p.t.Helper()
	other := *p
	other.env = append(p.env[:len(p.env):len(p.env)], "ASSAY_CACHE="+p.t.TempDir())
	other.clean()
}

// faultsThatPass lets one grading meet every fault that is over soon: it gives the verdict that it gives without them.
func faultsThatPass(t *testing.T, p *place, e *engine) {
	a := p.begin(reference)
	a.says("main, reference")
	_, driver := a.running("driver")
	a.running("candidate")
	require.NoError(t, unix.Kill(driver, unix.SIGKILL))

	a.says("main, candidate")
	id, _ := a.running("candidate")
	_, err := e.cli.ContainerRemove(t.Context(), id, client.ContainerRemoveOptions{Force: true})
	require.NoError(t, err)

	a.says("run 5 of")
	a.running("candidate")
	_, driver = a.running("driver")
	loopbackDown(t, driver)

	a.says("run 6 of")
	id, _ = a.running("candidate")
	_, err = e.cli.ContainerStop(t.Context(), id, client.ContainerStopOptions{})
	require.NoError(t, err)

	a.says("gzip, reference")
	id, _ = a.running("driver")
	namespaceGone(t, e, id)
	a.running("candidate")
	again := noNamespaces(t, e)
	a.says("retrying: run candidate on scenario gzip: engine failed")
	again()

	a.says("anomalies, reference")
	a.running("candidate")
	e.stop()
	e.start()

	a.says("anomalies, candidate")
	a.running("candidate")
	e.kill()
	e.start()

	require.Equal(t, 0, a.wait(), "%s", a.text())
	t.Logf("what people see:\n%s", a.text())
	stored, err := os.ReadFile(filepath.Join(a.out, "report.json"))
	require.NoError(t, err)
	var rep struct {
		Verdict string
		Codes   []any
		Notes   []string
		Noise   struct{ Faults int }
	}
	require.NoError(t, json.Unmarshal(stored, &rep))
	assert.Equal(t, "pass", rep.Verdict)
	assert.Empty(t, rep.Codes)
	assert.GreaterOrEqual(t, rep.Noise.Faults, 7)
	assert.Contains(t, strings.Join(rep.Notes, "\n"), "Nothing of it is charged to the submission.")
	p.nothingLeft() // also what could not be removed while the engine was away
}

// loopbackDown takes the network away from the pod of a process.
func loopbackDown(t *testing.T, pid int) {
	t.Helper()
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with this function
		failed <- func() error {
			ns, err := os.Open("/proc/" + strconv.Itoa(pid) + "/ns/net")
			if err != nil {
				return err
			}
			defer ns.Close()
			if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
				return err
			}
			s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer unix.Close(s)
			lo, err := unix.NewIfreq("lo")
			if err != nil {
				return err
			}
			lo.SetUint16(0)
			return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo)
		}()
	}()
	require.NoError(t, <-failed)
}

// namespaceGone removes the file by which the engine knows the network namespace of a pod.
func namespaceGone(t *testing.T, e *engine, driver string) {
	t.Helper()
	res, err := e.cli.ContainerInspect(t.Context(), driver, client.ContainerInspectOptions{})
	require.NoError(t, err)
	file := res.Container.NetworkSettings.SandboxKey
	require.Equal(t, e.namespaces(), filepath.Dir(file))
	require.NoError(t, unix.Unmount(file, unix.MNT_DETACH))
	require.NoError(t, os.Remove(file))
}

// noNamespaces keeps the engine from making network namespaces, until the returned function is called.
func noNamespaces(t *testing.T, e *engine) (again func()) {
	t.Helper()
	require.NoError(t, unix.Mount("tmpfs", e.namespaces(), "tmpfs", unix.MS_RDONLY, ""))
	var once sync.Once
	again = func() { once.Do(func() { require.NoError(t, unix.Unmount(e.namespaces(), unix.MNT_DETACH)) }) }
	t.Cleanup(again)
	return again
}

// killedAtTwentyPoints kills assay itself all over a run; the next command removes what it left.
func killedAtTwentyPoints(t *testing.T, p *place) {
	points := []func(a *process){}
	for _, ms := range []int{0, 20, 50, 100, 200, 300, 400} {
		points = append(points, func(*process) { time.Sleep(time.Duration(ms) * time.Millisecond) })
	}
	said := func(line string, after time.Duration) {
		points = append(points, func(a *process) {
			a.says(line)
			time.Sleep(after)
		})
	}
	points = append(points,
		func(a *process) { a.until("something on the engine", func() bool { return len(p.left()) > 0 }) },
		func(a *process) { a.until("more on the engine", func() bool { return len(p.left()) > 2 }) },
		func(a *process) { a.running("driver") },
		func(a *process) { a.running("candidate") })
	said("copying submission", 0)
	said("copying submission", 100*time.Millisecond)
	said("checking the harness", 0)
	said("checking the harness", 700*time.Millisecond)
	said("making the data of main", 0)
	said("making the data of main", 300*time.Millisecond)
	said("making the data of anomalies", 0)
	said("main, reference", 500*time.Millisecond)
	said("main, candidate", time.Second)
	require.Len(t, points, 20)
	for i, point := range points {
		a := p.begin(reference)
		point(a)
		require.NoError(t, a.cmd.Process.Kill())
		assert.Equal(t, -1, a.wait(), "point %d: %s", i, a.text())
		assert.NoDirExists(t, a.out, "point %d", i)
		if i%4 == 3 {
			p.cleanEngine()
		}
	}
	p.cleanEngine()
}

// submission is one of these files.
func submission(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	return dir
}

// TestFullDisks fills each place that assay writes to.
func TestFullDisks(t *testing.T) {
	failsToBuild := submission(t, map[string]string{
		"assay.json": `{"challenge": "log-aggregate", "start": ["node", "main.mjs"], "build": [["node", "--no-such-option"]]}`,
		"main.mjs":   "console.log(1);\n",
	})
	disk := func(t *testing.T, bytes int64) string {
		dir := t.TempDir()
		mount(t, dir, bytes)
		require.NoError(t, os.Chmod(dir, 0o755))
		return dir
	}
	t.Run("temporary files", func(t *testing.T) {
		p := faultyPlace(t, nil)
		p.tmp = disk(t, 4096)
		p.env = append(p.env, "TMPDIR="+p.tmp)
		p.begin(reference).faulty("The disk of "+p.tmp+" is full", "TMPDIR")
		p.nothingLeft()
	})
	t.Run("state", func(t *testing.T) {
		p := faultyPlace(t, nil)
		p.state = disk(t, 4096)
		require.NoError(t, os.WriteFile(filepath.Join(p.state, "full"), make([]byte, 4096), 0o600))
		p.env = append(p.env, "ASSAY_STATE="+p.state)
		p.begin(reference).faulty("The disk of "+p.state+" is full", "ASSAY_STATE")
		p.nothingLeft()
	})
	t.Run("data", func(t *testing.T) {
		p := faultyPlace(t, nil)
		p.cache = disk(t, 2<<30)
		p.env = append(p.env, "ASSAY_CACHE="+p.cache)
		a := p.begin(reference)
		a.until("half of a data set", func() bool {
			files, err := filepath.Glob(filepath.Join(p.cache, "data", ".partial-*", "files", "*"))
			return err == nil && len(files) > 0
		})
		fill(t, p.cache, 16<<20) // it is being written to meanwhile
		a.faulty("The disk of "+p.cache+" is full", "--cache")
		p.nothingLeft()
		sets, err := os.ReadDir(filepath.Join(p.cache, "data"))
		require.NoError(t, err)
		assert.Empty(t, sets, "half of a data set is nothing")
	})
	t.Run("report", func(t *testing.T) {
		p := faultyPlace(t, nil)
		out := disk(t, 8192)
		for _, dir := range []string{out, filepath.Join(out, "new")} {
			cmd, _, stderr := p.command("run", failsToBuild, "--out", dir)
			assert.Equal(t, 3, exitCode(t, cmd.Run()), "%s", stderr)
			assert.Contains(t, stderr.String(), "Nothing was charged to the submission. The disk of "+dir)
			t.Logf("what people see:\n%s", stderr)
			entries, err := os.ReadDir(out)
			require.NoError(t, err)
			assert.Empty(t, entries, "half of a report is none")
		}
		resize(t, out, 16<<20)
		cmd, _, stderr := p.command("run", failsToBuild, "--out", filepath.Join(out, "new"))
		require.Equal(t, 1, exitCode(t, cmd.Run()), "%s", stderr)
		entries, err := os.ReadDir(filepath.Join(out, "new"))
		require.NoError(t, err)
		assert.Len(t, entries, 3)
		p.nothingLeft()
	})
}
