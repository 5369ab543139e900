//go:build integration

package docker_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/docker"
	"github.com/assay-run/assay/runner/runnertest"
	"github.com/assay-run/assay/runner/runnertest/lines"
)

// inside is what testdata/hardening/look.mjs prints.
type inside struct {
	UID, GID   int
	Groups     []int
	Hostname   string
	Env        []string
	Status     map[string]string
	Limits     map[string][]string
	Mounts     map[string][]string
	Interfaces []string
	Devices    []string
	Write      map[string]string
	Fill       string
	Execute    string
	Kill       string
	Read       map[string]string
	List       map[string]string
	Reach      []string
}

func TestHardening(t *testing.T) {
	t.Parallel()
	pod, start := openPod(t, "hardening", runner.PodSpec{
		Slot: runner.Slot{CandidateCores: "0", DriverCores: "0"}, DataDir: t.TempDir(), OutBytes: 4 << 20,
	})
	c := start(runner.CandidateSpec{Argv: []string{"node", "look.mjs"}, Limits: runner.Limits{MemoryBytes: 512 << 20, TmpBytes: 256 << 20, FileSizeBytes: 256 << 20}})
	res, err := c.Wait(t.Context())
	require.NoError(t, err)
	require.True(t, res.Exit.OK(), "%+v\n%s", res.Exit, res.Stderr.Text)
	var got inside
	require.NoError(t, json.Unmarshal([]byte(res.Stdout.Text), &got))

	assert.Equal(t, []int{runner.UID, runner.UID}, []int{got.UID, got.GID})
	assert.Equal(t, []int{runner.UID}, got.Groups)
	assert.Equal(t, "candidate", got.Hostname)
	assert.Equal(t, []string{"HOME", "HOSTNAME", "LANG", "PATH", "TZ"}, got.Env)
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		assert.Equal(t, "0000000000000000", got.Status[set], set)
	}
	assert.Equal(t, "1", got.Status["NoNewPrivs"])
	assert.Equal(t, "2", got.Status["Seccomp"])
	assert.Equal(t, "0", got.Status["Cpus_allowed_list"])
	assert.Equal(t, []string{"0", "0"}, got.Limits["Max core file size"])
	assert.Equal(t, []string{"1024", "1024"}, got.Limits["Max open files"])
	assert.Equal(t, strconv.Itoa(256<<20), got.Limits["Max file size"][1])

	assert.Equal(t, []string{"lo"}, got.Interfaces)
	assert.Equal(t, []string{"lo"}, got.Devices)
	assert.Equal(t, "ENETUNREACH", got.Reach[0])
	assert.Contains(t, []string{"ENOTFOUND", "EAI_AGAIN"}, got.Reach[1])

	assert.Contains(t, got.Mounts["/"], "ro")
	for _, m := range []string{"/tmp", "/out"} {
		for _, option := range []string{"tmpfs", "noexec", "nosuid", "nodev"} {
			assert.Contains(t, got.Mounts[m], option, m)
		}
	}
	assert.Contains(t, got.Mounts["/tmp"], "size=262144k")
	assert.Equal(t, map[string]string{
		"/x": "EROFS", "/usr/x": "EROFS", "/etc/passwd": "EROFS", "/sys/x": "EROFS",
		"/assay/x": "EROFS", "/assay/probe.mjs": "EROFS", "/assay/app/x": "EROFS", "/data/x": "EROFS",
		"/out/x": "ok", "/tmp/x": "ok", "/dev/shm/x": "ok",
	}, got.Write)
	assert.Equal(t, "ENOSPC", got.Fill, "the output directory is bounded")
	assert.Equal(t, "EACCES", got.Execute, "nothing that it has written can be executed")

	assert.Equal(t, "EPERM", got.Kill, "the driver cannot be signalled")
	for path, code := range got.Read {
		assert.Contains(t, []string{"EACCES", "EPERM"}, code, path)
	}
	for path, code := range got.List {
		assert.Equal(t, "EACCES", code, path)
	}
	a, err := lines.NewClient(pod.Driver()).Ask(lines.Request{Op: lines.OpEcho, Text: "alive"})
	require.NoError(t, err)
	assert.Equal(t, "alive", a.Text)
}

// The driver needs to see of a candidate what the kernel knows, and may do little else.
func TestDriverSeesCandidate(t *testing.T) {
	t.Parallel()
	pod, start := openPod(t, "driver-sees", runner.PodSpec{})
	driver := lines.NewClient(pod.Driver())
	c := start(runner.CandidateSpec{Argv: []string{"node", "-e", "setInterval(() => {}, 1000) // to-be-seen"}})
	var pid string
	require.Eventually(t, func() bool {
		a, err := driver.Ask(lines.Request{Op: lines.OpCount, Text: "to-be-seen"})
		if err != nil || a.N != 1 {
			return false
		}
		pid = a.Names[0]
		return true
	}, 30*time.Second, 20*time.Millisecond)

	read := func(path string) string {
		a, err := driver.Ask(lines.Request{Op: lines.OpRead, Path: path})
		require.NoError(t, err)
		return a.Text
	}
	assert.Contains(t, read(filepath.Join("/proc", pid, "cgroup")), c.ID(), "a process is found by the candidate's id")
	for _, name := range []string{"io", "status", "stat", "schedstat", "environ", "maps"} {
		assert.NotEmpty(t, read(filepath.Join("/proc", pid, name)), name)
	}
	a, err := driver.Ask(lines.Request{Op: lines.OpList, Path: "/sys/fs/cgroup"})
	require.NoError(t, err)
	if slices.Contains(a.Names, "memory") { // cgroup v1
		assert.Contains(t, read("/sys/fs/cgroup/memory/docker/"+c.ID()+"/memory.stat"), "total_rss")
	} else {
		assert.Contains(t, a.Names, "cgroup.controllers")
	}
	// SYS_PTRACE (19), KILL (5), DAC_OVERRIDE (1).
	assert.Contains(t, read("/proc/1/status"), "CapEff:\t0000000000080022\n")

	a, err = driver.Ask(lines.Request{Op: lines.OpKill, Text: "to-be-seen"})
	require.NoError(t, err)
	assert.Equal(t, 1, a.N)
	res, err := c.Wait(t.Context())
	require.NoError(t, err)
	assert.Equal(t, evidence.Exit{Status: evidence.Signaled, Code: 137, Signal: "SIGKILL"}, res.Exit)
}

func TestPodDiesWithItsDriver(t *testing.T) {
	t.Parallel()
	pod, start := openPod(t, "driver-dies", runner.PodSpec{})
	c := start(runner.CandidateSpec{Argv: []string{"node", "-e", "setInterval(() => {}, 1000)"}})
	_, err := lines.NewClient(pod.Driver()).Ask(lines.Request{Op: lines.OpExit, N: 1})
	require.Error(t, err)
	res, err := c.Wait(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "SIGKILL", res.Exit.Signal)
	require.NoError(t, pod.Close(t.Context()))
}

func TestMissingImage(t *testing.T) {
	t.Parallel()
	e, err := docker.New(t.Context(), docker.Config{
		Session: "missing", StateID: state, DriverBinary: runnertest.BuildDriver(t), Image: "assay/no-such-image:0",
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, e.Close()) })
	ws, err := e.Stage(t.Context(), runner.StageSpec{Name: "x", Dir: t.TempDir()})
	require.NoError(t, err)
	pod, err := e.OpenPod(t.Context(), runner.PodSpec{})
	require.NoError(t, err)
	_, err = pod.StartCandidate(t.Context(), runner.CandidateSpec{Name: "x", Workspace: ws, Argv: []string{"node"}})
	require.ErrorIs(t, err, runner.ErrImageMissing)
	require.ErrorContains(t, err, "assay setup")
	require.NoError(t, pod.Close(t.Context()))
	require.NoError(t, ws.Close(t.Context()))
	assert.Empty(t, left(t, "missing"))
}

// openPod opens a pod in a session of its own, and gives what starts candidates of testdata/hardening in it. All is closed at
// the end of the test.
func openPod(t *testing.T, session string, spec runner.PodSpec) (runner.Pod, func(runner.CandidateSpec) runner.Candidate) {
	t.Helper()
	e := openEngine(t, docker.Config{Session: session, DriverBinary: runnertest.BuildDriver(t)})
	ws, err := e.Stage(t.Context(), runner.StageSpec{Name: session, Dir: filepath.Join("testdata", "hardening")})
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, ws.Close(context.Background()))
		assert.Empty(t, left(t, session))
	})
	pod, err := e.OpenPod(t.Context(), spec)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, pod.Close(context.Background())) })
	return pod, func(c runner.CandidateSpec) runner.Candidate {
		c.Name, c.Workspace = session, ws
		started, err := pod.StartCandidate(t.Context(), c)
		require.NoError(t, err)
		return started
	}
}
