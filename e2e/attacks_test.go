//go:build integration

package e2e

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/graders/surgepricing"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
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
	// Kind is the workload that drives it: attack unless said otherwise, serve, or that of a grader. See attackdriver.
	Kind string `yaml:"kind"`
	// Refused is how many things it must at least have tried, each refused; an attack that tries nothing proves nothing.
	Refused int `yaml:"refused"`
	// Status are the ways in which it may end; exited unless said otherwise. Served ones are ended by us.
	Status []evidence.ExitStatus `yaml:"status"`
	// Seconds is its time limit; 30 unless said otherwise.
	Seconds int `yaml:"seconds"`
	// Tool says that it brings the binary along.
	Tool bool `yaml:"tool"`
	// Diagnose says that it runs with the diagnosis, as the last run of a grading does.
	Diagnose bool `yaml:"diagnose"`
	// Beside says that another submission runs beside it, in a pod of its own, which must not be reached.
	Beside bool `yaml:"beside"`
	// Planted says that there are secrets about, which it must not find.
	Planted bool `yaml:"planted"`

	// Read is a file that is read from its output directory, State what must be found there.
	Read  string             `yaml:"read"`
	State evidence.FileState `yaml:"state"`
	// During says that it is read all the time, Own what characters the submission writes into it.
	During bool   `yaml:"during"`
	Own    string `yaml:"own"`
	// Truncated names the stream, stdout or stderr, that must be cut off.
	Truncated string `yaml:"truncated"`
	// Leftover is how many processes it leaves behind, which must be ended.
	Leftover int    `yaml:"leftover"`
	Contains string `yaml:"contains"`
	// Report says that reports are made of its output, in which nothing may act.
	Report bool `yaml:"report"`
	// Flooded says that the probe must have told garbage and forged records from its own.
	Flooded bool `yaml:"flooded"`

	// Answers says that some of its answers are good ones; none may count unless it does. StallMs is the stall that must be seen.
	Answers bool  `yaml:"answers"`
	StallMs int64 `yaml:"stallMs"`
	// Steps are those of a build, which must fail if Failed says so, with the hosts named in RefusedHosts refused by the proxy. When it
	// does not fail, the submission is run afterwards.
	Steps        [][]string `yaml:"steps"`
	Failed       bool       `yaml:"failed"`
	RefusedHosts []string   `yaml:"refusedHosts"`

	// Then is a program that is served after it, in the same pod, and must be answered.
	Then string `yaml:"then"`
}

const (
	attackState  = "attack-test" // the label of what these tests make
	attackMemory = 256 << 20
	attackTime   = 30
	// attackSlack is how long an attack may take beyond its time limit.
	attackSlack = 20 * time.Second
	// attackServed is how long a server is asked.
	attackServed = 3 * time.Second
	// attackGraded is the time limit of a run of a real grader.
	attackGraded = 9 * time.Second
	// attackDriver bounds the memory of the driver, which is some 20 MiB without an attack.
	attackDriver = 96 << 20

	kindAttack, kindServe, kindBuild = "attack", "serve", "build"
)

// rounds is how often the corpus is run: what one round leaves behind a second one may meet, or double.
var rounds = flag.Int("rounds", 1, "how often TestAttacks runs the corpus")

// TestAttacks runs every folder of attacks as a submission in a pod of its own. Each must fail at what it tries, end in time, and leave the
// host as it was; after it, the same engine must carry out an ordinary run.
func TestAttacks(t *testing.T) {
	list := attacks(t)
	bench := newAttackBench(t)
	before := lookAtHost(t)
	bench.run(t, newAttack("testdata/calm")) // makes the driver's image, which stays
	free := bench.freeDisk(t)
	for round := range *rounds {
		for _, a := range list {
			t.Run(fmt.Sprintf("%s/%d", a.Name, round+1), func(t *testing.T) {
				began := time.Now()
				if a.Kind == kindBuild {
					bench.build(t, a)
				} else {
					a.check(t, bench.run(t, a), time.Since(began))
				}
				assert.Zero(t, bench.canary.calls(), "the host was reached")
			})
		}
		calm := bench.run(t, newAttack("testdata/calm")).Executions[0]
		assert.Equal(t, []string{"note alone"}, lines(calm, "note "), "nothing of the attacks is there in the next run")
		assert.Equal(t, before, lookAtHost(t), "the host is as it was")
		// Others write to this disk as well.
		assert.Eventually(t, func() bool { return free-bench.freeDisk(t) < 64<<20 }, 20*time.Second, time.Second, "the disk is as free as it was")
		t.Logf("%d KiB less are free on the disk", (free-bench.freeDisk(t))>>10)
	}
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
		if a.Kind == kindServe && len(a.Status) == 0 {
			a.Status = []evidence.ExitStatus{evidence.Signaled}
		}
		if len(a.Status) == 0 {
			a.Status = []evidence.ExitStatus{evidence.Exited}
		}
		list = append(list, a)
	}
	return list
}

// newAttack is a submission of which nothing else is said.
func newAttack(dir string) attack {
	return attack{Name: filepath.Base(dir), dir: dir, Kind: kindAttack, Seconds: attackTime}
}

// attackFacts are what attackdriver saw.
type attackFacts struct {
	DriverBytes int64                      `json:"driverBytes"`
	Reads       map[evidence.FileState]int `json:"reads"`
	Foreign     int                        `json:"foreign"`
	Moved       bool                       `json:"moved"`
}

func (a attack) check(t *testing.T, run evidence.Run, took time.Duration) {
	t.Helper()
	x := run.Executions[0]
	for _, l := range lines(x, "note ") {
		t.Log(l)
	}
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
	kept := map[string]evidence.Log{"stdout": x.Stdout, "stderr": x.Stderr}
	if a.Truncated != "" {
		assert.Positive(t, kept[a.Truncated].Dropped)
	}
	for name, log := range kept {
		assert.LessOrEqual(t, int64(len(log.Text)), runner.DefaultLimits().WithDefaults().OutputBytes+64, "kept of %s", name)
	}
	assert.Contains(t, x.Stdout.Text, a.Contains)
	var facts attackFacts
	require.NoError(t, json.Unmarshal(x.Facts, &facts))
	t.Logf("took %s, the driver had %d MiB, %v", took.Round(time.Millisecond), facts.DriverBytes>>20, facts.Reads)
	assert.Less(t, facts.DriverBytes, int64(attackDriver), "the driver's memory")
	a.checkOutput(t, x, facts)
	a.checkServed(t, run)
	if a.Flooded {
		require.NotNil(t, x.Probe)
		assert.Positive(t, x.Probe.Records, "its own records")
		assert.Positive(t, x.Probe.Forged)
		assert.Positive(t, x.Probe.Dropped)
	}
	if a.Report {
		reportsAreInert(t, x)
	}
}

// checkOutput looks at what was read of the output directory.
func (a attack) checkOutput(t *testing.T, x evidence.Execution, facts attackFacts) {
	t.Helper()
	if a.Read == "" {
		return
	}
	require.NotNil(t, x.Output)
	if a.State != "" {
		assert.Equal(t, a.State, x.Output.State)
	}
	if x.Output.State != evidence.FileOK {
		assert.Empty(t, x.Output.Content)
	}
	assert.Zero(t, facts.Foreign, "something was read that the submission did not write")
	assert.False(t, facts.Moved, "the result changed after everything of the submission had been ended")
	if a.During {
		all := 0
		for _, n := range facts.Reads {
			all += n
		}
		assert.GreaterOrEqual(t, all, 100, "reads while it ran")
		assert.GreaterOrEqual(t, len(facts.Reads), 2, "what was read changed: %v", facts.Reads)
	}
}

// checkServed looks at what the heartbeat made of the answers.
func (a attack) checkServed(t *testing.T, run evidence.Run) {
	t.Helper()
	if a.Kind != kindServe {
		return
	}
	hb := run.Executions[0].Heartbeat
	require.NotNil(t, hb)
	assert.Positive(t, hb.Sent, "it was asked")
	assert.Positive(t, hb.Due)
	if a.Answers {
		assert.Positive(t, hb.Answered, "%+v", hb)
	} else {
		assert.Zero(t, hb.Answered, "%+v", hb)
	}
	assert.GreaterOrEqual(t, (hb.StallNs+hb.OwnPausedNs+hb.StolenNs)/1e6, a.StallMs, "%+v", hb)
	if a.Then != "" {
		require.Len(t, run.Executions, 2)
		assert.Positive(t, run.Executions[1].Heartbeat.Answered, "what comes after it is served: %+v", run.Executions[1])
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
	engine   *docker.Engine
	tool     string
	canary   *canary
	registry string
}

// newAttackBench builds its programs with these arguments of Go.
func newAttackBench(t *testing.T, args ...string) *attackBench {
	t.Helper()
	dir := t.TempDir()
	driver, tool := filepath.Join(dir, "driver"), filepath.Join(dir, "tool")
	for out, source := range map[string]string{driver: "./attackdriver", tool: "./attacktool"} {
		goBuild(t, out, source, args...)
	}
	canary := newCanary(t)
	registry := newRegistry(t, canary.hosts[0])
	engine, err := docker.New(t.Context(), docker.Config{
		Egress: docker.Egress{Registry: registry}, Session: "attacks", StateID: attackState, DriverBinary: driver, Image: "assay/node:24", BuildImage: "assay/node-build:24",
		ProbeSource: probe.Source(), DiagnoseSource: probe.DiagnoseSource(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, engine.Close()) })
	return &attackBench{engine: engine, tool: tool, canary: canary, registry: registry}
}

// goBuild builds a program without libraries.
func goBuild(t *testing.T, out, source string, args ...string) {
	t.Helper()
	build := exec.CommandContext(t.Context(), "go", append(append([]string{"build"}, args...), "-o", out, source)...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	text, err := build.CombinedOutput()
	require.NoError(t, err, "%s", text)
}

// stage puts the files of an attack, with what all of them share, into a workspace. The caller closes it.
func (b *attackBench) stage(t *testing.T, a attack) runner.Workspace {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(a.dir)))
	for _, shared := range []string{"attempt.mjs", "hostile.mjs", "built.mjs"} {
		copyFile(t, filepath.Join("attacks", shared), filepath.Join(dir, shared), 0o644)
	}
	if a.Tool {
		copyFile(t, b.tool, filepath.Join(dir, "tool"), 0o755)
	}
	ws, err := b.engine.Stage(t.Context(), runner.StageSpec{Name: "candidate", Dir: dir})
	require.NoError(t, err)
	return ws
}

// env tells an attack where the host can be found.
func (b *attackBench) env() map[string]string {
	return map[string]string{"CANARY_HOSTS": strings.Join(b.canary.hosts, ","), "CANARY_PORT": strconv.Itoa(b.canary.port)}
}

// run carries out one attack in a pod of its own.
func (b *attackBench) run(t *testing.T, a attack) evidence.Run {
	t.Helper()
	ws := b.stage(t, a)
	defer func() { assert.NoError(t, ws.Close(t.Context())) }()
	env := b.env()
	secret := ""
	if a.Planted {
		secret = b.plant(t, env)
	}
	if a.Beside {
		defer b.beside(t, env)()
	}
	spec := b.spec(ws, a.Kind, nil)
	spec.Diagnose = a.Diagnose
	command := workload.Command{Name: "attack", Args: []string{"main.mjs"}, Timeout: time.Duration(a.Seconds) * time.Second, Env: env}
	judge := func(evidence.Run) {}
	switch a.Kind {
	case kindAttack:
		spec.Params = marshal(t, struct {
			workload.Command
			Read, Own, Secret string
			During            bool
		}{command, a.Read, a.Own, secret, a.During})
	case kindServe:
		type served struct {
			workload.Command
			For time.Duration
		}
		list := []served{{command, attackServed}}
		if a.Then != "" {
			command.Name, command.Args = "then", []string{a.Then}
			list = append(list, served{command, time.Second})
		}
		spec.Params = marshal(t, list)
	default:
		spec.Start = append(spec.Start, "main.mjs")
		spec.Params, judge = graded(t)
	}
	run, err := runner.Drive(t.Context(), b.engine, spec)
	require.NoError(t, err, "an attack is a result, not a fault of ours")
	require.NotEmpty(t, run.Executions)
	judge(run)
	return run
}

func (b *attackBench) spec(ws runner.Workspace, kind string, params json.RawMessage) runner.RunSpec {
	limits := runner.DefaultLimits()
	limits.MemoryBytes = attackMemory
	return runner.RunSpec{
		Scenario: "main", Role: evidence.Candidate, Workload: kind, Params: params, Workspace: ws, Start: []string{"node"},
		Limits: limits, Probe: true, Timeout: 2 * time.Minute, Slot: runner.Slot{CandidateCores: "1", DriverCores: "0"},
	}
}

func marshal(t *testing.T, v any) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	return raw
}

// graded prepares a run of a real grader, and returns what judges it: nothing of it may come out right, and the submission must not
// have learnt the seed.
func graded(t *testing.T) (params json.RawMessage, judge func(evidence.Run)) {
	t.Helper()
	seed := make([]byte, 32)
	_, _ = rand.Read(seed) // never fails, by its documentation
	g := surgepricing.New()
	p, err := g.Prepare(t.Context(), graders.Preparation{
		Scenario: "main", With: map[string]any{"kind": "burst", "work": 1_000_000}, Seed: seed, Timeout: attackGraded,
		Report: func(workload.Progress) {},
	})
	require.NoError(t, err)
	var inner struct{ Seed []byte }
	require.NoError(t, json.Unmarshal(p.Params, &inner))
	require.NotEmpty(t, inner.Seed)
	return p.Params, func(run evidence.Run) {
		m, err := g.Measure(run, p.Truth)
		require.NoError(t, err)
		for _, c := range m.Cases {
			assert.False(t, c.Right && c.Name != "contract/health", "%+v", c)
		}
		x := run.Executions[0]
		for _, secret := range [][]byte{seed, inner.Seed} {
			for _, text := range []string{string(secret), hex.EncodeToString(secret), base64.StdEncoding.EncodeToString(secret)} {
				assert.NotContains(t, x.Stdout.Text, text, "the seed")
			}
		}
	}
}

// plant puts the same secret where attacks must not find it: into another submission's workspace, into a folder of this host, and,
// by what it returns, into the driver.
func (b *attackBench) plant(t *testing.T, env map[string]string) string {
	t.Helper()
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails, by its documentation
	secret := "planted-assay-" + hex.EncodeToString(id)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret"), []byte(secret), 0o644))
	ws, err := b.engine.Stage(t.Context(), runner.StageSpec{Name: "other", Dir: dir})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, ws.Close(context.WithoutCancel(t.Context()))) })
	env["PLANTED_PATH"] = dir
	return secret
}

// beside runs another submission beside an attack until the returned function is called, which checks that nobody came to it.
func (b *attackBench) beside(t *testing.T, env map[string]string) (end func()) {
	t.Helper()
	env["OTHER_PORT"] = "20777"
	other := newAttack("testdata/other")
	ws := b.stage(t, other)
	t.Cleanup(func() { assert.NoError(t, ws.Close(context.WithoutCancel(t.Context()))) })
	data := t.TempDir()
	require.NoError(t, os.Chmod(data, 0o755))
	ready := make(chan struct{})
	var once sync.Once
	spec := b.spec(ws, kindAttack, marshal(t, map[string]any{
		"name": "other", "args": []string{"main.mjs"}, "env": env, "timeout": time.Minute, "read": "ready", "during": true,
	}))
	spec.DataDir = data
	spec.Progress = func(p workload.Progress) {
		if p.Done > 0 {
			once.Do(func() { close(ready) })
		}
	}
	type outcome struct {
		run evidence.Run
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		run, err := runner.Drive(t.Context(), b.engine, spec)
		done <- outcome{run, err}
	}()
	select {
	case <-ready:
	case got := <-done:
		t.Fatalf("the other submission ended: %+v %v", got.run, got.err)
	case <-time.After(time.Minute):
		t.Fatal("the other submission is not ready")
	}
	return func() {
		select {
		case <-done:
			t.Error("the other submission was gone before the attack was over")
			return
		default:
		}
		require.NoError(t, os.WriteFile(filepath.Join(data, "stop"), nil, 0o644))
		got := <-done
		require.NoError(t, got.err)
		assert.Equal(t, []string{"note 0 came"}, lines(got.run.Executions[0], "note "))
	}
}

func copyFile(t *testing.T, from, to string, mode os.FileMode) {
	t.Helper()
	raw, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, raw, mode))
}
