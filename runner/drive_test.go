package runner_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/driver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// localEngine runs the driver in this process, over pipes, and candidates as plain processes.
type localEngine struct {
	runner.Engine // what is not needed is nil

	workloads []workload.Workload
	out       string
	down      bool  // Info fails from the second call on
	openErr   error // of OpenPod
	startErr  error // of StartCandidate
	driver    func(in io.Reader, out io.Writer) error

	mu     sync.Mutex
	asked  int
	closed int
	kept   []int64 // limits of output of the candidates
}

func (e *localEngine) Info(context.Context) (runner.Info, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.asked++; e.down && e.asked > 1 {
		return runner.Info{}, runner.ErrEngineDown
	}
	return runner.Info{Name: "local"}, nil
}

func (e *localEngine) OpenPod(ctx context.Context, _ runner.PodSpec) (runner.Pod, error) {
	if e.openErr != nil {
		return nil, e.openErr
	}
	toDriver, fromHost := io.Pipe()
	toHost, fromDriver := io.Pipe()
	p := &localPod{e: e, r: toHost, w: fromHost, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		if e.driver != nil {
			p.err = e.driver(toDriver, fromDriver)
		} else {
			p.err = driver.Main(context.WithoutCancel(ctx), toDriver, fromDriver, &p.log, e.workloads, driver.Options{})
		}
		fromDriver.Close()
		toDriver.Close()
	}()
	return p, nil
}

type localPod struct {
	e    *localEngine
	r    *io.PipeReader
	w    *io.PipeWriter
	log  bytes.Buffer
	done chan struct{}
	err  error
}

func (p *localPod) Driver() io.ReadWriter {
	return struct {
		io.Reader
		io.Writer
	}{p.r, p.w}
}
func (p *localPod) DriverLog() string { return "driver log" }
func (p *localPod) Paths() workload.Paths {
	return workload.Paths{Out: p.e.out, App: filepath.Join(p.e.out, "app")}
}

func (p *localPod) Close(context.Context) error {
	p.w.Close()
	p.r.Close()
	<-p.done
	p.e.mu.Lock()
	defer p.e.mu.Unlock()
	p.e.closed++
	return nil
}

// StartService starts a service that goes on until the pod is closed, or says a word and ends at once where its name is "brief".
func (p *localPod) StartService(_ context.Context, s workload.Service) (runner.Service, error) {
	if s.Name == "absent" {
		return nil, runner.ErrImageMissing
	}
	return localService{brief: s.Name == "brief", closed: p.done}, nil
}

type localService struct {
	brief  bool
	closed chan struct{}
}

func (s localService) Wait(ctx context.Context) (runner.CandidateResult, error) {
	if !s.brief {
		select {
		case <-s.closed:
		case <-ctx.Done():
			return runner.CandidateResult{}, context.Cause(ctx)
		}
	}
	return runner.CandidateResult{Exit: evidence.Exit{Status: evidence.Exited, Code: 3}, Stderr: evidence.Log{Text: "no room"}}, nil
}

func (p *localPod) StartCandidate(_ context.Context, c runner.CandidateSpec) (runner.Candidate, error) {
	if p.e.startErr != nil {
		return nil, p.e.startErr
	}
	p.e.mu.Lock()
	p.e.kept = append(p.e.kept, c.Limits.OutputBytes)
	p.e.mu.Unlock()
	cmd := exec.Command(c.Argv[0], c.Argv[1:]...)
	if c.Stdin != "" {
		input, err := os.Open(c.Stdin)
		if err != nil {
			return nil, err
		}
		defer input.Close()
		cmd.Stdin = input
	}
	cmd.Env = os.Environ()
	for k, v := range c.Env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	lc := &localCandidate{cmd: cmd, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &lc.out, &lc.errs
	if err := cmd.Start(); err != nil {
		lc.exit = evidence.Exit{Status: evidence.NotStarted, Code: 127, Detail: err.Error()}
		close(lc.ended)
		return lc, nil //nolint:nilerr // that a command cannot be executed is how it ended
	}
	lc.id = "pid:" + itoa(cmd.Process.Pid)
	go func() {
		defer close(lc.ended)
		_ = cmd.Wait() // the state says it
		status := cmd.ProcessState.Sys().(syscall.WaitStatus)
		lc.exit = evidence.Exit{Status: evidence.Exited, Code: status.ExitStatus()}
		if status.Signaled() {
			lc.exit = evidence.Exit{Status: evidence.Signaled, Code: 128 + int(status.Signal()), Signal: "SIGKILL"}
		}
	}()
	return lc, nil
}

type localCandidate struct {
	id        string
	cmd       *exec.Cmd
	out, errs bytes.Buffer
	ended     chan struct{}
	exit      evidence.Exit
}

func (c *localCandidate) ID() string { return c.id }

func (c *localCandidate) Wait(ctx context.Context) (runner.CandidateResult, error) {
	select {
	case <-c.ended:
		return runner.CandidateResult{
			Exit:   c.exit,
			Stdout: evidence.Log{Text: c.out.String(), Bytes: int64(c.out.Len())},
			Stderr: evidence.Log{Text: c.errs.String(), Bytes: int64(c.errs.Len())},
		}, nil
	case <-ctx.Done():
		return runner.CandidateResult{}, context.Cause(ctx)
	}
}

func (c *localCandidate) Close(context.Context) error {
	if c.cmd.Process != nil {
		_ = c.cmd.Process.Kill()
	}
	<-c.ended
	return nil
}

func itoa(n int) string {
	b, _ := json.Marshal(n)
	return string(b)
}

// scripted is a workload that is a function.
type scripted func(ctx context.Context, pod workload.Pod) ([]evidence.Execution, error)

func (scripted) Name() string { return "scripted" }

func (s scripted) Drive(ctx context.Context, pod workload.Pod, _ json.RawMessage) ([]evidence.Execution, error) {
	return s(ctx, pod)
}

// once runs one command and waits for it.
func once(c workload.Command) scripted {
	return func(ctx context.Context, pod workload.Pod) ([]evidence.Execution, error) {
		p, err := pod.Start(ctx, c)
		if err != nil {
			return nil, err
		}
		x, err := p.Wait(ctx)
		return []evidence.Execution{x}, err
	}
}

func spec(command ...string) runner.RunSpec {
	return runner.RunSpec{
		Scenario: "main", Role: evidence.Candidate, Pair: 2, Workload: "scripted", Start: command,
		Limits: runner.DefaultLimits(), Timeout: 30 * time.Second,
	}
}

func drive(t *testing.T, s scripted, r runner.RunSpec) (evidence.Run, error) {
	t.Helper()
	e := &localEngine{workloads: []workload.Workload{s}, out: t.TempDir()}
	run, err := runner.Drive(t.Context(), e, r)
	assert.Equal(t, 1, e.closed, "the pod is closed once")
	return run, err
}

func TestDriveFillsEvidence(t *testing.T) {
	t.Parallel()
	r := spec("sh", "-c", `echo out; echo err >&2; head -c 3000000 /dev/zero | cat >/dev/null; i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done; exit 3`)
	run, err := drive(t, once(workload.Command{Name: "main", InputBytes: 42}), r)
	require.NoError(t, err)
	require.Len(t, run.Executions, 1)
	x := run.Executions[0]
	assert.Equal(t, "main", x.Name)
	assert.Equal(t, evidence.Exit{Status: evidence.Exited, Code: 3}, x.Exit)
	assert.Equal(t, "out\n", x.Stdout.Text)
	assert.Equal(t, "err\n", x.Stderr.Text)
	assert.EqualValues(t, 42, x.InputBytes)
	assert.Positive(t, x.DurationNs)
	assert.Positive(t, x.Usage.Samples)
	assert.Positive(t, x.Usage.MemoryPeakBytes)
	assert.GreaterOrEqual(t, x.Usage.ReadBytes, int64(3_000_000))
	assert.NotEmpty(t, x.Find(evidence.SeriesMemory).T)
	for _, phase := range []string{"pod", "handshake", "start", "execute", "collect", "close"} {
		assert.Contains(t, run.PhaseNs, phase)
	}
	assert.Equal(t, 2, run.Pair)
}

func TestDriveExits(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		command []string
		cmd     workload.Command
		limit   int64
		cpu     time.Duration
		want    evidence.ExitStatus
		reached []evidence.Limit
	}{
		"hang": {
			command: []string{"sleep", "60"}, cmd: workload.Command{Timeout: 150 * time.Millisecond},
			want: evidence.TimedOut, reached: []evidence.Limit{evidence.LimitTime},
		},
		"computes": {
			command: []string{"sh", "-c", "while :; do :; done"}, cpu: 300 * time.Millisecond,
			want: evidence.CPULimit, reached: []evidence.Limit{evidence.LimitCPU},
		},
		"no such":     {command: []string{"/no/such/command"}, want: evidence.NotStarted},
		"own sigkill": {command: []string{"sh", "-c", "kill -9 $$"}, want: evidence.Signaled},
		"memory": {
			command: []string{"sh", "-c", `x=$(head -c 40000000 /dev/zero | tr '\0' x); sleep 60`},
			limit:   20 << 20, want: evidence.OOMKilled, reached: []evidence.Limit{evidence.LimitMemory},
		},
		"at once": {command: []string{"true"}, want: evidence.Exited},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.cmd.Name = "main"
			r := spec(tc.command...)
			r.Limits.MemoryBytes, r.Limits.CPUNs = tc.limit, int64(tc.cpu)
			run, err := drive(t, once(tc.cmd), r)
			require.NoError(t, err)
			x := run.Executions[0]
			assert.Equal(t, tc.want, x.Exit.Status, "%+v", x.Exit)
			var reached []evidence.Limit
			for _, hit := range x.Limits {
				reached = append(reached, hit.Limit)
				assert.Positive(t, hit.Allowed)
				assert.InDelta(t, float64(x.DurationNs)/1e9, hit.AtSeconds, 1e-6, "it ended there")
			}
			assert.Equal(t, tc.reached, reached)
		})
	}
}

func TestDriveEndsWhatIsLeftRunning(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pidFile := filepath.Join(dir, "pid")
	r := spec("sh", "-c", `(setsid sleep 300 & echo $! >`+pidFile+`; wait) & sleep 0.2; exit 0`)
	run, err := drive(t, once(workload.Command{Name: "main"}), r)
	require.NoError(t, err)
	x := run.Executions[0]
	assert.Equal(t, evidence.Exited, x.Exit.Status)
	assert.GreaterOrEqual(t, x.Exit.Leftover, 1)
	b, err := os.ReadFile(pidFile)
	require.NoError(t, err)
	var pid int
	require.NoError(t, json.Unmarshal(bytes.TrimSpace(b), &pid))
	assert.Eventually(t, func() bool { // a zombie until its new parent looks
		stat, err := os.ReadFile(filepath.Join("/proc", itoa(pid), "stat"))
		return err != nil || bytes.Contains(stat, []byte(") Z "))
	}, 5*time.Second, 5*time.Millisecond)
}

func TestDriveFaults(t *testing.T) {
	t.Parallel()
	fine := once(workload.Command{Name: "main"})
	for name, tc := range map[string]struct {
		engine *localEngine
		load   scripted
		is     error
		says   string
	}{
		"no pod":           {engine: &localEngine{openErr: runner.ErrImageMissing}, is: runner.ErrImageMissing},
		"no start":         {engine: &localEngine{startErr: runner.ErrEngineDown}, is: runner.ErrEngineDown},
		"workload fails":   {engine: &localEngine{}, load: func(context.Context, workload.Pod) ([]evidence.Execution, error) { return nil, errors.New("no data") }, is: runner.ErrDriver, says: "no data"},
		"workload panics":  {engine: &localEngine{}, load: func(context.Context, workload.Pod) ([]evidence.Execution, error) { panic("oh") }, is: runner.ErrDriver, says: "oh"},
		"driver dies":      {engine: &localEngine{driver: func(io.Reader, io.Writer) error { return nil }}, is: runner.ErrDriver, says: "driver log"},
		"driver babbles":   {engine: &localEngine{driver: babble}, is: runner.ErrDriver},
		"engine dies too":  {engine: &localEngine{down: true, driver: func(io.Reader, io.Writer) error { return nil }}, is: runner.ErrEngineDown},
		"unknown workload": {engine: &localEngine{workloads: []workload.Workload{}}, is: runner.ErrDriver, says: "lacks"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.load == nil {
				tc.load = fine
			}
			if tc.engine.workloads == nil {
				tc.engine.workloads = []workload.Workload{tc.load}
			}
			tc.engine.out = t.TempDir()
			_, err := runner.Drive(t.Context(), tc.engine, spec("sleep", "1"))
			require.ErrorIs(t, err, tc.is)
			assert.ErrorContains(t, err, tc.says)
		})
	}
}

// serves is a workload that starts a service, and fails after it unless failing is nil.
func serves(name string, failing error) scripted {
	return func(ctx context.Context, pod workload.Pod) ([]evidence.Execution, error) {
		if err := pod.(workload.ServiceHost).StartService(ctx, workload.Service{Name: name}); err != nil {
			return nil, err
		}
		time.Sleep(100 * time.Millisecond) // for the host to see a service that has ended
		return nil, failing
	}
}

func TestDriveServices(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		load  scripted
		is    error
		says  string
		notes int
	}{
		"runs":                       {load: serves("steady", nil)},
		"ends before the run":        {load: serves("brief", nil), notes: 1},
		"ends, and the driver fails": {load: serves("brief", errors.New("no answer")), is: runner.ErrDriver, says: "service brief ended before the run (exited, code 3): no room"},
		"has no image":               {load: serves("absent", nil), is: runner.ErrImageMissing, says: "service absent"},
		"was not asked for":          {load: serves("other", nil), is: runner.ErrDriver, says: `service "other"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := spec("true")
			s.Services = []string{"steady", "brief", "absent"}
			run, err := runner.Drive(t.Context(), &localEngine{workloads: []workload.Workload{tc.load}, out: t.TempDir()}, s)
			if tc.is != nil {
				require.ErrorIs(t, err, tc.is)
				require.ErrorContains(t, err, tc.says)
				return
			}
			require.NoError(t, err)
			require.Len(t, run.DriverNotes, tc.notes)
		})
	}
}

// TestDriveStdin gives a process the input that the workload names, bounds what is kept of its output, and lets the driver name nothing else.
func TestDriveStdin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "1.in"), []byte("hello"), 0o644))
	e := &localEngine{workloads: []workload.Workload{once(workload.Command{Name: "main", Stdin: "1.in", OutputBytes: 3})}, out: t.TempDir()}
	s := spec("cat")
	s.StdinDir = dir
	run, err := runner.Drive(t.Context(), e, s)
	require.NoError(t, err)
	assert.Equal(t, "hello", run.Executions[0].Stdout.Text)
	assert.Equal(t, []int64{3}, e.kept, "of each of its streams")
	for _, name := range []string{"../1.in", "/etc/hostname"} {
		_, err = runner.Drive(t.Context(), &localEngine{workloads: []workload.Workload{once(workload.Command{Name: "main", Stdin: name})}, out: t.TempDir()}, s)
		require.ErrorIs(t, err, runner.ErrDriver)
		require.ErrorContains(t, err, "which the run does not have")
	}
	s.StdinDir = ""
	_, err = runner.Drive(t.Context(), e, s)
	require.ErrorIs(t, err, runner.ErrDriver)
}

func babble(in io.Reader, out io.Writer) error {
	_, _ = io.Copy(out, bytes.NewReader(bytes.Repeat([]byte("hello "), 100)))
	_, err := io.Copy(io.Discard, in)
	return err
}

func TestDriveCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the user pressed ctrl-c")
	running := scripted(func(ctx context.Context, pod workload.Pod) ([]evidence.Execution, error) {
		p, err := pod.Start(ctx, workload.Command{Name: "main"})
		if err != nil {
			return nil, err
		}
		cancel(why)
		x, err := p.Wait(ctx)
		return []evidence.Execution{x}, err
	})
	e := &localEngine{workloads: []workload.Workload{running}, out: t.TempDir()}
	_, err := runner.Drive(ctx, e, spec("sleep", "300"))
	require.ErrorIs(t, err, why)
	assert.Equal(t, 1, e.closed)
}

func TestDriveBackstop(t *testing.T) {
	t.Parallel()
	r := spec("sleep", "300")
	r.Timeout = 300 * time.Millisecond
	_, err := drive(t, once(workload.Command{Name: "main"}), r)
	require.ErrorIs(t, err, runner.ErrDriver)
	assert.ErrorContains(t, err, "took longer")
}

func TestDriveProgressAndOutput(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var last workload.Progress
	r := spec("sh", "-c", `printf hello > "$0"`)
	r.Progress = func(p workload.Progress) {
		mu.Lock()
		defer mu.Unlock()
		last = p
	}
	run, err := drive(t, func(ctx context.Context, pod workload.Pod) ([]evidence.Execution, error) {
		p, err := pod.Start(ctx, workload.Command{Name: "main", Args: []string{filepath.Join(pod.Paths().Out, "result")}})
		if err != nil {
			return nil, err
		}
		x, err := p.Wait(ctx)
		if err != nil {
			return nil, err
		}
		for i := range 1000 {
			pod.Report(workload.Progress{Phase: "main file", Done: int64(i + 1), Total: 1000})
		}
		f := pod.ReadOutput("result", 100)
		x.Output = &f
		return []evidence.Execution{x}, pod.ClearOutput()
	}, r)
	require.NoError(t, err)
	assert.Equal(t, "hello", run.Executions[0].Output.Content)
	mu.Lock()
	defer mu.Unlock()
	assert.EqualValues(t, 1000, last.Done, "the last progress is never lost")
}
