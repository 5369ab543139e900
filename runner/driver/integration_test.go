//go:build integration

package driver_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/docker"
	"github.com/assay-run/assay/runner/probe"
	"github.com/assay-run/assay/runner/process"
)

const mib = 1 << 20

// programs are submissions, by name. Each is run as "node <name>.mjs".
var programs = map[string]string{
	"idle":  `setTimeout(() => {}, 600);`,
	"alloc": `const b = Buffer.alloc(100 << 20, 1); setTimeout(() => console.log(b.length), 600);`,
	"spike": `import { setTimeout as sleep } from 'node:timers/promises';
		let b = Buffer.alloc(80 << 20, 1); b = null; gc(); await sleep(300);`,
	"shm": `import { writeFileSync } from 'node:fs';
		writeFileSync('/tmp/a', Buffer.alloc(40 << 20, 1)); gc(); setTimeout(() => {}, 400);`,
	"files": `import { openSync } from 'node:fs';
		try { for (;;) openSync('/dev/null'); } catch (e) { setTimeout(() => console.log(e.code), 500); }`,
	"fill": `import { writeFileSync } from 'node:fs';
		try { for (let i = 0; ; i++) writeFileSync('/tmp/' + i, Buffer.alloc(1 << 20, 1)); } catch (e) { setTimeout(() => console.log(e.code), 500); }`,
	"fillout": `import { writeFileSync } from 'node:fs';
		try { for (let i = 0; ; i++) writeFileSync('/out/' + i, ''); } catch (e) { setTimeout(() => console.log(e.code), 500); }`,
	"forks": `import { spawn } from 'node:child_process';
		for (let i = 0; i < 8; i++) spawn(process.execPath, ['hang.mjs'], { stdio: 'ignore' }).on('error', () => {});
		setTimeout(() => process.exit(0), 700);`,
	"flood": `import { writeSync } from 'node:fs'; const some = Buffer.alloc(1 << 20, 'x');
		setTimeout(() => { for (let i = 0; i < 20; i++) writeSync(1, some); }, 400);`,
	"spin": `for (;;);`,
	"busy": `let c; do c = process.cpuUsage(); while (c.user + c.system < 1e6);
		console.log((c.user + c.system) * 1000); console.error('err');`,
	"oom":   `const all = []; for (;;) all.push(Buffer.alloc(8 << 20, 1));`,
	"child": `import { spawnSync } from 'node:child_process'; console.log(spawnSync(process.execPath, ['oom.mjs']).signal);`,
	"hang":  `setInterval(() => {}, 1000);`,
	"leave": `import { spawn } from 'node:child_process';
		const c = spawn(process.execPath, ['hang.mjs'], { detached: true, stdio: 'ignore' }); c.unref(); setTimeout(() => process.exit(0), 300);`,
	"bomb": `import { spawn } from 'node:child_process';
		for (;;) { try { spawn(process.execPath, ['bomb.mjs'], { detached: true, stdio: 'ignore' }).on('error', () => {}); } catch {} }`,
	"orphans": `import { spawnSync } from 'node:child_process';
		const grand = "require('child_process').spawn(process.execPath, ['-e', ''], { detached: true, stdio: 'ignore' }).unref()";
		for (let i = 0; i < 8; i++) spawnSync(process.execPath, ['-e', grand], { stdio: 'ignore' });
		setTimeout(() => {}, 300);`,
	"spy": `import { readFileSync, readdirSync } from 'node:fs';
		for (const f of ['/proc/1/environ', '/proc/1/mem', '/proc/1/fd/0', '/proc/1/maps', '/proc/1/root/assay']) {
			try { readFileSync(f); console.log('READ', f); } catch (e) { console.log(e.code); }
		}
		try { process.kill(1, 'SIGKILL'); console.log('KILLED'); } catch (e) { console.log(e.code); }`,
}

func driverBinary(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "driver")
	build := exec.Command("go", "build", "-o", binary, "./testdata/poddriver")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return binary
}

// pods runs commands in a pod of containers and returns what was measured, by name.
func pods(t *testing.T, withProbe bool, list ...workload.Command) map[string]evidence.Execution {
	t.Helper()
	return measure(t, containers(t), withProbe, list...)
}

func containers(t *testing.T) runner.Engine {
	t.Helper()
	e, err := docker.New(t.Context(), docker.Config{
		Session: "driver", StateID: "driver-integration-test", DriverBinary: driverBinary(t), Image: "assay/node:24",
		BuildImage: "assay/node-build:24", ProbeSource: probe.Source(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, e.Close()) })
	return e
}

// processes runs commands as plain processes.
func processes(t *testing.T, list ...workload.Command) map[string]evidence.Execution {
	t.Helper()
	// A submission runs as another user where this is root, so the directory must be open to it.
	dir, err := os.MkdirTemp("", "assay-driver-test-") //nolint:usetesting // t.TempDir is closed to other users
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	e, err := process.New(process.Config{
		Session: "driver", StateID: "driver-integration-test", Dir: dir, DriverBinary: driverBinary(t),
		Path: os.Getenv("PATH"), ProbeSource: probe.Source(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, e.Close()) })
	return measure(t, e, true, list...)
}

func measure(t *testing.T, e runner.Engine, withProbe bool, list ...workload.Command) map[string]evidence.Execution {
	t.Helper()
	limits := runner.DefaultLimits()
	limits.MemoryBytes = 192 * mib
	return measureWithin(t, e, withProbe, limits, list...)
}

func measureWithin(
	t *testing.T, e runner.Engine, withProbe bool, limits runner.Limits, list ...workload.Command,
) map[string]evidence.Execution {
	t.Helper()
	dir := t.TempDir()
	for name, source := range programs {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".mjs"), []byte(source), 0o644))
	}
	ws, err := e.Stage(t.Context(), runner.StageSpec{Name: "candidate", Dir: dir})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, ws.Close(t.Context())) })
	params, err := json.Marshal(list)
	require.NoError(t, err)
	run, err := runner.Drive(t.Context(), e, runner.RunSpec{
		Scenario: "main", Role: evidence.Candidate, Workload: "commands", Params: params, Workspace: ws,
		Start: []string{"node", "--expose-gc"}, Limits: limits, Probe: withProbe, Timeout: 5 * time.Minute,
		Slot: runner.Slot{CandidateCores: "1", DriverCores: "0"},
	})
	require.NoError(t, err)
	t.Log("phases", run.PhaseNs, "notes", run.DriverNotes)
	all := map[string]evidence.Execution{}
	for _, x := range run.Executions {
		u := x.Usage
		t.Logf("%-8s %+v %.3fs peak %d proc %d cgroup %d hwm %d MiB, cpu %d main %d delay %d ms, %d threads %d procs, %.1f Hz gap %d ms",
			x.Name, x.Exit, float64(x.DurationNs)/1e9, u.MemoryPeakBytes/mib, u.ProcPeakBytes/mib, u.CgroupPeakBytes/mib,
			u.HWMBytes/mib, u.CPUNs/1e6, u.MainThreadNs/1e6, u.RunDelayNs/1e6, u.MaxThreads, u.MaxProcesses, u.SampleHz, u.MaxGapNs/1e6)
		all[x.Name] = x
	}
	return all
}

func program(name string) workload.Command {
	return workload.Command{Name: name, Args: []string{name + ".mjs"}, Timeout: 60 * time.Second}
}

func TestPodMeasuresKnownWork(t *testing.T) {
	got := pods(t, false, program("idle"), program("alloc"), program("spike"), program("shm"), program("busy"), program("spy"))
	for name, x := range got {
		assert.True(t, x.Exit.OK(), "%s %+v", name, x.Exit)
	}
	idle := got["idle"].Usage.MemoryPeakBytes
	assert.InEpsilon(t, 100*mib, got["alloc"].Usage.MemoryPeakBytes-idle, 0.05)
	assert.InEpsilon(t, 80*mib, got["spike"].Usage.MemoryPeakBytes-idle, 0.10, "what was freed before a sample is seen")
	assert.GreaterOrEqual(t, got["shm"].Usage.MemoryPeakBytes-idle, int64(38*mib), "tmpfs counts")
	said, err := strconv.ParseInt(strings.TrimSpace(got["busy"].Stdout.Text), 10, 64)
	require.NoError(t, err, "standard output")
	assert.InEpsilon(t, said, got["busy"].Usage.CPUNs, 0.05)
	assert.InEpsilon(t, said, got["busy"].Usage.MainThreadNs, 0.15)
	assert.Equal(t, "err\n", got["busy"].Stderr.Text)
	assert.GreaterOrEqual(t, got["idle"].DurationNs, int64(600*time.Millisecond))
	assert.NotContains(t, got["spy"].Stdout.Text, "READ")
	assert.NotContains(t, got["spy"].Stdout.Text, "KILLED")
}

func TestPodSeesHowItEnds(t *testing.T) {
	hang, bomb := program("hang"), program("bomb")
	hang.Timeout, bomb.Timeout = time.Second, 2*time.Second
	got := pods(t, false, program("oom"), program("child"), hang, program("leave"), bomb, program("orphans"), program("idle"))
	assert.Equal(t, evidence.OOMKilled, got["oom"].Exit.Status)
	assert.Equal(t, evidence.OOMKilled, got["child"].Exit.Status, "a child's death for memory counts")
	assert.Equal(t, evidence.TimedOut, got["hang"].Exit.Status)
	assert.GreaterOrEqual(t, got["hang"].DurationNs, int64(time.Second))
	assert.Equal(t, evidence.Exited, got["leave"].Exit.Status)
	assert.Equal(t, 1, got["leave"].Exit.Leftover)
	assert.Contains(t, []evidence.ExitStatus{evidence.TimedOut, evidence.OOMKilled}, got["bomb"].Exit.Status)
	assert.True(t, got["orphans"].Exit.OK(), "%+v", got["orphans"].Exit)
	assert.True(t, got["idle"].Exit.OK(), "after all that a pod still works")
	assert.Equal(t, 1, got["idle"].Usage.MaxProcesses, "nothing is left of the others")
}

// TestPodSeesLimits drives a program into each limit, and looks that this was seen, when, and that no other was.
func TestPodSeesLimits(t *testing.T) {
	limits := runner.DefaultLimits()
	limits.CPUNs, limits.Pids = int64(3*time.Second), 40
	got := measureWithin(t, containers(t), false, limits, program("files"), program("fill"), program("forks"),
		program("flood"), program("spin"), program("oom"), program("idle"), program("fillout"))
	for name, want := range map[string]struct {
		limit   evidence.Limit
		allowed int64
	}{
		"files":   {evidence.LimitFiles, limits.OpenFiles},
		"fill":    {evidence.LimitTmp, limits.TmpBytes},
		"fillout": {evidence.LimitOut, 64 * mib},
		"forks":   {evidence.LimitProcesses, limits.Pids},
		"flood":   {evidence.LimitOutput, limits.OutputBytes},
		"spin":    {evidence.LimitCPU, limits.CPUNs},
		"oom":     {evidence.LimitMemory, limits.MemoryBytes},
	} {
		x := got[name]
		require.Len(t, x.Limits, 1, "%s: %+v %+v %s", name, x.Limits, x.Exit, x.Stderr.Text)
		hit := x.Limits[0]
		assert.Equal(t, want.limit, hit.Limit, name)
		assert.Equal(t, want.allowed, hit.Allowed, name)
		assert.Positive(t, hit.AtSeconds, name)
		assert.LessOrEqual(t, hit.AtSeconds, time.Duration(x.DurationNs).Seconds(), name)
		assert.Equal(t, want.limit == evidence.LimitProcesses, hit.Refused > 0, name)
	}
	assert.Equal(t, evidence.CPULimit, got["spin"].Exit.Status)
	assert.Equal(t, "EMFILE\n", got["files"].Stdout.Text)
	assert.Equal(t, "ENOSPC\n", got["fill"].Stdout.Text)
	assert.Equal(t, "ENOSPC\n", got["fillout"].Stdout.Text)
	assert.Greater(t, got["flood"].Limits[0].AtSeconds, 0.3, "not before it wrote")
	assert.Empty(t, got["idle"].Limits)
}

func TestPodHearsTheProbe(t *testing.T) {
	x := pods(t, true, program("busy"))["busy"]
	require.NotNil(t, x.Probe)
	assert.Equal(t, 0, x.Probe.Dropped)
	assert.GreaterOrEqual(t, x.Probe.GapMaxNs, x.DurationNs/2, "a block that lasts for most of its life shows as a silence")
	assert.NotEmpty(t, x.Find(evidence.SeriesProbeGap).T)
	assert.Regexp(t, `^v24\.`, x.Probe.NodeVersion)
}

func TestPlainProcesses(t *testing.T) {
	hang := program("hang")
	hang.Timeout = time.Second
	got := processes(t, program("idle"), program("alloc"), program("oom"), hang, program("leave"), program("orphans"))
	idle := got["idle"].Usage.MemoryPeakBytes
	assert.InEpsilon(t, 100*mib, got["alloc"].Usage.MemoryPeakBytes-idle, 0.05)
	assert.Equal(t, evidence.OOMKilled, got["oom"].Exit.Status)
	assert.Equal(t, evidence.TimedOut, got["hang"].Exit.Status)
	assert.Equal(t, 1, got["leave"].Exit.Leftover)
	assert.True(t, got["orphans"].Exit.OK())
	assert.Positive(t, got["idle"].Probe.Records)
}
