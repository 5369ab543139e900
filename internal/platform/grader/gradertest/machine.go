// Package gradertest has a small challenge, and a machine whose runs are played, for tests of what is around gradings.
package gradertest

import (
	"archive/zip"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/graders/idle"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/gradework"
	"github.com/assay-run/assay/internal/platform/grader"
	"github.com/assay-run/assay/internal/platform/worker"
	"github.com/assay-run/assay/internal/workload"
	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/runnertest"
)

//go:embed testdata
var files embed.FS

// lines is a kind of work that measures what the facts of a run say.
type lines struct{}

func (lines) Name() string { return "lines" }

func (lines) Drive(context.Context, workload.Pod, json.RawMessage) ([]evidence.Execution, error) {
	return nil, errors.New("the tests play the runs")
}

func (lines) Metrics() []evidence.MetricDoc {
	return []evidence.MetricDoc{{Name: "exact", Unit: "share", Better: evidence.HigherIsBetter}, {Name: "mem.peak", Unit: "bytes", Better: evidence.LowerIsBetter}}
}

func (lines) Check(map[string]any) error { return nil }

func (lines) Prepare(context.Context, graders.Preparation) (graders.Prepared, error) {
	return graders.Prepared{Params: json.RawMessage(`{}`), Truth: json.RawMessage(`{}`)}, nil
}

func (lines) Measure(run evidence.Run, _ json.RawMessage) (m evidence.Measures, err error) {
	err = json.Unmarshal(run.Executions[0].Facts, &m)
	return m, err
}

func (lines) Compare(map[string]evidence.Run, map[string]json.RawMessage) (map[string]evidence.Measures, error) {
	return nil, nil
}

// Kinds are the graders of the challenge.
func Kinds() map[string]graders.Grader { return map[string]graders.Grader{"lines": lines{}} }

// Machine is where a test's gradings are made. Its fields are set before the first one.
type Machine struct {
	T         *testing.T
	Engine    *runnertest.Fake
	Slots     *runner.Slots
	Challenge *challenges.Challenge
	// Exact is the share of right counts, by role; what is not there counts right.
	Exact map[evidence.Role]float64
	// OpenError keeps the engine from being opened, and Hang makes every run wait for the end of its context.
	OpenError error
	Hang      bool
	Running   chan struct{} // gets a value when a run hangs

	mu     sync.Mutex
	closed int
	nodes  []string
}

// NewMachine makes a machine on which every submission is right, and the known bad solution wrong.
func NewMachine(t *testing.T) *Machine {
	t.Helper()
	slots, err := runner.NewSlots(t.TempDir())
	require.NoError(t, err)
	all, err := fs.Sub(files, "testdata")
	require.NoError(t, err)
	ch, err := challenges.Load(all, "tiny", challenges.Kinds{"lines": {Metrics: lines{}.Metrics(), Check: lines{}.Check}})
	require.NoError(t, err)
	return &Machine{
		T: t, Engine: &runnertest.Fake{Session: "test", Dir: t.TempDir()}, Slots: slots, Challenge: ch,
		Exact: map[evidence.Role]float64{evidence.Control: 0}, Running: make(chan struct{}, 1),
	}
}

// Grader is a real one, but for the runs.
func (m *Machine) Grader() *grader.Grader {
	m.T.Helper()
	g, err := grader.New(grader.Options{
		Challenges: []*challenges.Challenge{m.Challenge}, Graders: Kinds, Open: m.open, Slots: m.Slots, CacheDir: m.T.TempDir(),
		Log: slog.New(slog.DiscardHandler),
		Bench: func(o *gradework.Options) {
			o.Drive = m.drive
			o.Calibrate = func(context.Context, string) (int64, error) { return 1000, nil }
		},
	})
	require.NoError(m.T, err)
	return g
}

func (m *Machine) open(_ context.Context, _ *challenges.Challenge, node string) (grader.Place, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.nodes = append(m.nodes, node)
	if m.OpenError != nil {
		return grader.Place{}, m.OpenError
	}
	return grader.Place{Engine: m.Engine, Environment: evidence.Environment{Node: "v24.0.0"}, Close: func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.closed++
		return nil
	}}, nil
}

// Opened are the versions of Node that the engine was opened for, and how often it was closed.
func (m *Machine) Opened() (nodes []string, closed int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.nodes), m.closed
}

// drive plays a run.
func (m *Machine) drive(ctx context.Context, _ runner.Engine, spec runner.RunSpec) (evidence.Run, error) {
	run := evidence.Run{Scenario: spec.Scenario, Role: spec.Role, Pair: spec.Pair, PhaseNs: map[string]int64{"execute": 1e9}}
	x := evidence.Execution{Name: "main", Exit: evidence.Exit{Status: evidence.Exited}, DurationNs: 1e9}
	if spec.Workload == idle.Name {
		x.Heartbeat = &evidence.Heartbeat{Due: 100, Answered: 100, P99Ns: 1e6, MaxNs: 2e6}
		run.Executions = []evidence.Execution{x}
		return run, nil
	}
	if m.Hang {
		m.Running <- struct{}{}
		<-ctx.Done()
		return run, context.Cause(ctx)
	}
	exact, set := m.Exact[spec.Role]
	if !set {
		exact = 1
	}
	measures := evidence.Measures{Values: map[string]float64{"exact": exact, "mem.peak": 80 << 20}}
	if exact < 1 {
		measures.Findings = []evidence.Finding{{Code: "WRONG_OUTPUT", Execution: "main", Detail: "The count is wrong.", AtSeconds: -1}}
	}
	var err error
	x.Facts, err = json.Marshal(measures)
	run.Executions = []evidence.Execution{x}
	return run, err
}

// Task is one of a submission that is in order.
func (m *Machine) Task(change ...func(*worker.Task)) worker.Task {
	m.T.Helper()
	t := worker.Task{
		Job: "job_1", ChallengeID: "tiny", ChallengeVersion: 3, Mode: "quick",
		Archive: m.Archive(map[string]string{"assay.json": `{"challenge": "tiny", "start": ["node", "main.mjs"]}`, "main.mjs": "console.log(1);\n"}),
		Dir:     m.T.TempDir(), Progress: func(string) {},
	}
	for _, c := range change {
		c(&t)
	}
	return t
}

// Archive makes a zip.
func (m *Machine) Archive(files map[string]string) string {
	m.T.Helper()
	name := filepath.Join(m.T.TempDir(), "archive")
	f, err := os.Create(name)
	require.NoError(m.T, err)
	w := zip.NewWriter(f)
	for path, text := range files {
		into, err := w.Create(path)
		require.NoError(m.T, err)
		_, err = into.Write([]byte(text))
		require.NoError(m.T, err)
	}
	require.NoError(m.T, errors.Join(w.Close(), f.Close()))
	return name
}

// RequireClean sees that a grading has left nothing on the engine, and that its cores are free.
func (m *Machine) RequireClean() {
	m.T.Helper()
	assert.Empty(m.T, m.Engine.Left("test"))
	held, err := m.Slots.Acquire(m.T.Context(), func(s string) { m.T.Error("cores are not free:", s) })
	require.NoError(m.T, err)
	held.Release()
}
