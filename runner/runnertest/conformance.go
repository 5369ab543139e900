package runnertest

import (
	"context"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/runnertest/lines"
)

// caseTimeout ends a case that hangs.
const caseTimeout = 60 * time.Second

// Fixture is what the suite knows of an engine besides its methods.
type Fixture struct {
	Session string
	// Open makes another engine on the same machine with another session. alive is its Config's SessionAlive.
	Open func(t *testing.T, session string, alive func(session string) bool) runner.Engine
	// Left lists what exists of a session at the moment, for a person to read.
	Left func(t *testing.T, session string) []string
	// Processes says that a candidate is a real process running the program it was given.
	Processes bool
	// Sandboxed says that the data directory cannot be written to.
	Sandboxed bool
	// Service is one that the engine can start, with what it needs; nil where the engine has none and says so.
	Service *workload.Service
	// OOM says that the engine enforces the memory limit.
	OOM bool
}

// BuildDriver builds the test driver as a static executable and returns its path.
func BuildDriver(tb testing.TB) string {
	tb.Helper()
	_, file, _, ok := runtime.Caller(0)
	require.True(tb, ok)
	bin := filepath.Join(tb.TempDir(), "testdriver")
	cmd := exec.CommandContext(tb.Context(), "go", "build", "-o", bin, "./testdriver")
	cmd.Dir = filepath.Dir(file)
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOFLAGS=")
	out, err := cmd.CombinedOutput()
	require.NoError(tb, err, "build test driver: %s", out)
	return bin
}

// Conformance checks that an engine keeps the contract of runner.Engine. open is called once; its driver must speak
// package lines. Cases run one after another: what each leaves behind shows in the next.
func Conformance(t *testing.T, open func(t *testing.T) (runner.Engine, Fixture)) {
	t.Helper()
	engine, fixture := open(t)
	s := &suite{engine: engine, fixture: fixture, data: writeData(t)}
	ws, err := engine.Stage(t.Context(), runner.StageSpec{Name: "programs", Dir: writePrograms(t)})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, ws.Close(context.Background())) })
	s.ws = ws

	for _, c := range []struct {
		name string
		skip bool // the engine makes no such promise
		run  func(*testing.T, *suite)
	}{
		{"says what it is", false, testInfo},
		{"stages and removes a submission", false, testStage},
		{"refuses to stage what is not there", false, testStageMissing},
		{"opens and closes a pod", false, testPod},
		{"keeps the driver's log", false, testDriverLog},
		{"notices the end of the driver", false, testDriverEnd},
		{"reports exit codes", false, testExitCodes},
		{"reports signals", !fixture.Processes, testSignals},
		{"reports a command that cannot be executed", !fixture.Processes, testNotStarted},
		{"captures output and bounds it", false, testOutput},
		{"gives standard input", !fixture.Processes, testStdin},
		{"sets environment and working directory", !fixture.Processes, testEnvironment},
		{"offers data", false, testData},
		{"shares the output directory with the driver", false, testOut},
		{"kills a candidate that is closed", false, testKill},
		{"starts candidates one after another", false, testRestart},
		{"ends what outlives a candidate", !fixture.Processes, testOrphan},
		{"stops waiting when cancelled", false, testCancelWait},
		{"leaves nothing when cancelled half-way", false, testCancelOpen},
		{"leaves nothing when a start is cancelled", false, testCancelStart},
		{"keeps pods apart", false, testConcurrentPods},
		{"starts a service that ends with its pod", fixture.Service == nil, testService},
		{"refuses a service", fixture.Service != nil, testNoServices},
		{"sweeps what dead sessions left", false, testSweep},
		{"reports the end at the memory limit", !fixture.OOM, testOOM},
	} {
		if !c.skip {
			t.Run(c.name, func(t *testing.T) { c.run(t, s) })
		}
	}
}

// suite is what the cases share.
type suite struct {
	engine  runner.Engine
	fixture Fixture
	ws      runner.Workspace
	data    string
}

// deadline is the context of a case.
func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), caseTimeout)
	t.Cleanup(cancel)
	return ctx
}

// left is what exists of the suite's session, but for the shared workspace.
func (s *suite) left(t *testing.T) []string {
	t.Helper()
	return s.fixture.Left(t, s.fixture.Session)
}

// open opens a pod that is closed at the end of the case at the latest.
func (s *suite) open(ctx context.Context, t *testing.T) (runner.Pod, *lines.Client) {
	t.Helper()
	pod, err := s.engine.OpenPod(ctx, runner.PodSpec{DataDir: s.data, OutBytes: 4 << 20})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, pod.Close(context.Background())) })
	return pod, lines.NewClient(pod.Driver())
}

// start starts one of the programs.
func (s *suite) start(ctx context.Context, t *testing.T, pod runner.Pod, args ...string) runner.Candidate {
	t.Helper()
	c, err := pod.StartCandidate(ctx, s.spec(args...))
	require.NoError(t, err)
	return c
}

func (s *suite) spec(args ...string) runner.CandidateSpec {
	return runner.CandidateSpec{
		Name: "case", Workspace: s.ws, Argv: append([]string{"node"}, args...),
		Env: map[string]string{"ASSAY_CASE": "a value"},
	}
}

// result waits for the end of a candidate.
func result(ctx context.Context, t *testing.T, c runner.Candidate) runner.CandidateResult {
	t.Helper()
	res, err := c.Wait(ctx)
	require.NoError(t, err)
	return res
}

// run starts a program and waits for its end.
func (s *suite) run(ctx context.Context, t *testing.T, pod runner.Pod, args ...string) runner.CandidateResult {
	t.Helper()
	return result(ctx, t, s.start(ctx, t, pod, args...))
}

// awaitFile waits until the driver sees a file of that name in the output directory.
func awaitFile(t *testing.T, driver *lines.Client, pod runner.Pod, name string) {
	t.Helper()
	require.Eventually(t, func() bool {
		a, err := driver.Ask(lines.Request{Op: lines.OpList, Path: pod.Paths().Out})
		if err != nil {
			return false
		}
		for _, n := range a.Names {
			if n == name {
				return true
			}
		}
		return false
	}, caseTimeout/2, 20*time.Millisecond, "no file %s appeared", name)
}

func exited(code int) evidence.Exit {
	return evidence.Exit{Status: evidence.Exited, Code: code}
}
