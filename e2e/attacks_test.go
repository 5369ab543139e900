//go:build integration

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/docker"
	"github.com/assay-run/assay/runner/probe"
)

// attack is attack.yaml: what a submission tries, and what must be seen of it.
type attack struct {
	Name  string `yaml:"-"`
	dir   string
	Group string `yaml:"group"`
	Tries string `yaml:"tries"`
	// Refused is how many things it must at least have tried, each refused; an attack that tries nothing proves nothing.
	Refused int `yaml:"refused"`
	// Status are the ways in which it may end; exited unless said otherwise.
	Status []evidence.ExitStatus `yaml:"status"`
	// Seconds is its time limit; 30 unless said otherwise.
	Seconds int `yaml:"seconds"`
	// Tool says that it brings the binary along.
	Tool bool `yaml:"tool"`
	// Read is a file that is read from its output directory, State what must be found there.
	Read  string             `yaml:"read"`
	State evidence.FileState `yaml:"state"`
	// Truncated says that its output must be cut off.
	Truncated bool `yaml:"truncated"`
	// Leftover is how many processes it leaves behind, which must be ended.
	Leftover int    `yaml:"leftover"`
	Contains string `yaml:"contains"`
}

const (
	attackState  = "attack-test" // the label of what these tests make
	attackMemory = 256 << 20
	attackTime   = 30
	// attackSlack is how long an attack may take beyond its time limit.
	attackSlack = 20 * time.Second
)

// TestAttacks runs every folder of attacks as a submission in a pod of its own. Each must fail at what it tries, end in time, and leave the
// host as it was; after it, the same engine must carry out an ordinary run.
func TestAttacks(t *testing.T) {
	list := attacks(t)
	bench := newAttackBench(t)
	before := lookAtHost(t)
	for _, a := range list {
		t.Run(a.Name, func(t *testing.T) {
			began := time.Now()
			got := bench.run(t, a)
			took := time.Since(began)
			a.check(t, got, took)
			assert.Zero(t, bench.canary.calls(), "the host was reached")
		})
	}
	calm := bench.run(t, newAttack("testdata/calm"))
	assert.Equal(t, []string{"note alone"}, lines(calm, "note "), "nothing of the attacks is there in the next run")
	assert.Equal(t, before, lookAtHost(t), "the host is as it was")
}

// attacks reads the corpus.
func attacks(t *testing.T) []attack {
	t.Helper()
	files, err := filepath.Glob("attacks/*/attack.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var list []attack
	for _, file := range files {
		a := newAttack(filepath.Dir(file))
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, yaml.UnmarshalWithOptions(raw, &a, yaml.Strict()), file)
		require.NotEmpty(t, a.Tries, file)
		require.True(t, strings.HasPrefix(a.Name, a.Group+"-"), "%s: the name begins with the group", file)
		list = append(list, a)
	}
	return list
}

// newAttack is a submission of which nothing else is said.
func newAttack(dir string) attack {
	return attack{Name: filepath.Base(dir), dir: dir, Seconds: attackTime, Status: []evidence.ExitStatus{evidence.Exited}}
}

func (a attack) check(t *testing.T, x evidence.Execution, took time.Duration) {
	t.Helper()
	assert.Contains(t, a.Status, x.Exit.Status, "%+v\n%s", x.Exit, x.Stderr.Text)
	if slices.Equal(a.Status, []evidence.ExitStatus{evidence.Exited}) {
		assert.Zero(t, x.Exit.Code, "it must have tried all that it wanted\n%s", x.Stderr.Text)
	}
	assert.Empty(t, lines(x, "SUCCEEDED "))
	assert.GreaterOrEqual(t, len(lines(x, "refused ")), a.Refused, x.Stdout.Text)
	assert.Less(t, took, time.Duration(a.Seconds)*time.Second+attackSlack)
	if a.Leftover > 0 {
		assert.Equal(t, a.Leftover, x.Exit.Leftover, "processes that outlived it")
	}
	if a.Truncated {
		assert.Positive(t, x.Stdout.Dropped)
		assert.LessOrEqual(t, int64(len(x.Stdout.Text)), runner.DefaultLimits().WithDefaults().OutputBytes+64, "kept of it")
	}
	assert.Contains(t, x.Stdout.Text, a.Contains)
	if a.Read != "" {
		require.NotNil(t, x.Output)
		assert.Equal(t, a.State, x.Output.State)
		assert.Empty(t, x.Output.Content)
	}
	for _, l := range lines(x, "note ") {
		t.Log(l)
	}
}

// lines are those of its output that begin in some way.
func lines(x evidence.Execution, prefix string) []string {
	list := []string{}
	for _, l := range strings.Split(x.Stdout.Text, "\n") {
		if strings.HasPrefix(l, prefix) {
			list = append(list, l)
		}
	}
	return list
}

// attackBench runs attacks on the real engine.
type attackBench struct {
	engine *docker.Engine
	tool   string
	canary *canary
}

func newAttackBench(t *testing.T) *attackBench {
	t.Helper()
	dir := t.TempDir()
	driver, tool := filepath.Join(dir, "driver"), filepath.Join(dir, "tool")
	for out, source := range map[string]string{driver: "../runner/driver/testdata/poddriver", tool: "./attacktool"} {
		build := exec.CommandContext(t.Context(), "go", "build", "-o", out, source)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		text, err := build.CombinedOutput()
		require.NoError(t, err, "%s", text)
	}
	engine, err := docker.New(t.Context(), docker.Config{
		Session: "attacks", StateID: attackState, DriverBinary: driver, Image: "assay/node:24", BuildImage: "assay/node-build:24",
		ProbeSource: probe.Source(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, engine.Close()) })
	return &attackBench{engine: engine, tool: tool, canary: newCanary(t)}
}

// run carries out one attack in a pod of its own.
func (b *attackBench) run(t *testing.T, a attack) evidence.Execution {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(a.dir)))
	copyFile(t, "attacks/attempt.mjs", filepath.Join(dir, "attempt.mjs"), 0o644)
	if a.Tool {
		copyFile(t, b.tool, filepath.Join(dir, "tool"), 0o755)
	}
	ws, err := b.engine.Stage(t.Context(), runner.StageSpec{Name: "candidate", Dir: dir})
	require.NoError(t, err)
	defer func() { assert.NoError(t, ws.Close(t.Context())) }()
	params, err := json.Marshal([]map[string]any{{
		"name": "attack", "args": []string{"main.mjs"}, "read": a.Read, "timeout": time.Duration(a.Seconds) * time.Second,
		"env": map[string]string{"CANARY_HOSTS": strings.Join(b.canary.hosts, ","), "CANARY_PORT": strconv.Itoa(b.canary.port)},
	}})
	require.NoError(t, err)
	limits := runner.DefaultLimits()
	limits.MemoryBytes = attackMemory
	run, err := runner.Drive(t.Context(), b.engine, runner.RunSpec{
		Scenario: "main", Role: evidence.Candidate, Workload: "commands", Params: params, Workspace: ws, Start: []string{"node"},
		Limits: limits, Probe: true, Timeout: 2 * time.Minute, Slot: runner.Slot{CandidateCores: "1", DriverCores: "0"},
	})
	require.NoError(t, err, "an attack is a result, not a fault of ours")
	require.Len(t, run.Executions, 1)
	return run.Executions[0]
}

func copyFile(t *testing.T, from, to string, mode os.FileMode) {
	t.Helper()
	raw, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, raw, mode))
}

// canary listens on every address of this host. Whoever reaches it has left its pod.
type canary struct {
	hosts []string
	port  int
	count atomic.Int64
}

func newCanary(t *testing.T) *canary {
	t.Helper()
	c := &canary{}
	tcp, err := net.Listen("tcp", ":0")
	require.NoError(t, err)
	c.port = tcp.Addr().(*net.TCPAddr).Port
	udp, err := net.ListenPacket("udp", fmt.Sprintf(":%d", c.port))
	require.NoError(t, err)
	done := make(chan struct{}, 2)
	go func() {
		defer func() { done <- struct{}{} }()
		for {
			conn, err := tcp.Accept()
			if err != nil {
				return
			}
			c.count.Add(1)
			conn.Close()
		}
	}()
	go func() {
		defer func() { done <- struct{}{} }()
		buffer := make([]byte, 64)
		for {
			if _, _, err := udp.ReadFrom(buffer); err != nil {
				return
			}
			c.count.Add(1)
		}
	}()
	t.Cleanup(func() {
		tcp.Close()
		udp.Close()
		<-done
		<-done
	})
	addrs, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, a := range addrs {
		if ip, ok := a.(*net.IPNet); ok && !ip.IP.IsLoopback() && !ip.IP.IsLinkLocalUnicast() {
			c.hosts = append(c.hosts, ip.IP.String())
		}
	}
	require.NotEmpty(t, c.hosts)
	// That it hears at all is seen here.
	conn, err := net.Dial("tcp", net.JoinHostPort(c.hosts[0], strconv.Itoa(c.port)))
	require.NoError(t, err)
	conn.Close()
	require.Eventually(t, func() bool { return c.count.CompareAndSwap(1, 0) }, 5*time.Second, time.Millisecond)
	return c
}

func (c *canary) calls() int64 { return c.count.Load() }

// host is what must be the same before and after.
type host struct {
	Mounts      []string
	CorePattern string
	Engine      []string // containers, volumes and networks of these tests
	Processes   []string // of the user that submissions have
	Temp        []string // what attacks might have left
}

func lookAtHost(t *testing.T) host {
	t.Helper()
	var h host
	// The last pod may still be on its way out.
	assert.Eventually(t, func() bool {
		h = readHost(t)
		return len(h.Processes) == 0
	}, 10*time.Second, 50*time.Millisecond, "processes of submissions: %v", h.Processes)
	return h
}

func readHost(t *testing.T) host {
	t.Helper()
	var h host
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(t, err)
	for _, line := range strings.Split(strings.TrimSpace(string(mounts)), "\n") {
		if f := strings.Fields(line); len(f) > 4 {
			h.Mounts = append(h.Mounts, f[4])
		}
	}
	slices.Sort(h.Mounts)
	pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	require.NoError(t, err)
	h.CorePattern = string(pattern)
	h.Engine = labelled(t, attackState)
	h.Processes = processesOf(runner.UID)
	for _, pattern := range []string{"/tmp/core*", "/core*", "/tmp/x", "/x"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		h.Temp = append(h.Temp, found...)
	}
	return h
}

// processesOf lists the processes of a user.
func processesOf(uid int) []string {
	var list []string
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		status, err := os.ReadFile(dir + "/status")
		if err != nil {
			continue // it has ended
		}
		if strings.Contains(string(status), fmt.Sprintf("\nUid:\t%d\t", uid)) {
			name, _, _ := strings.Cut(strings.TrimPrefix(string(status), "Name:\t"), "\n")
			list = append(list, filepath.Base(dir)+" "+name)
		}
	}
	return list
}
