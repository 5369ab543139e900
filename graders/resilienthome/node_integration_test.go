//go:build integration

package resilienthome

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

// solutions are the bundled solutions of the challenge, seen from here.
const solutions = "../../challenges/resilient-home/solutions"

// hostPod runs a submission as a plain process of this machine.
type hostPod struct {
	dir   string
	start []string // of its assay.json
}

func (hostPod) ReadOutput(string, int64) evidence.File { return evidence.File{} }
func (hostPod) ClearOutput() error                     { return nil }
func (hostPod) Paths() workload.Paths                  { return workload.Paths{} }
func (hostPod) Report(workload.Progress)               {}

func (p hostPod) Start(_ context.Context, c workload.Command) (workload.Process, error) {
	h := &hostProcess{name: c.Name, cmd: exec.Command(p.start[0], p.start[1:]...), began: time.Now(), done: make(chan struct{})}
	h.cmd.Env, h.cmd.Dir = os.Environ(), p.dir
	for k, v := range c.Env {
		h.cmd.Env = append(h.cmd.Env, k+"="+v)
	}
	h.cmd.Stderr = &h.stderr
	if err := h.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = h.cmd.Wait() // how it ended is in the state
		close(h.done)
	}()
	return h, nil
}

type hostProcess struct {
	name   string
	cmd    *exec.Cmd
	stderr bytes.Buffer
	began  time.Time
	done   chan struct{}
}

func (h *hostProcess) Started() time.Time                            { return h.began }
func (h *hostProcess) Done() <-chan struct{}                         { return h.done }
func (*hostProcess) ReadBytes() int64                                { return 0 }
func (*hostProcess) Stolen() []workload.Pause                        { return nil }
func (*hostProcess) Began(_, _, _ time.Time) (at time.Time, ok bool) { return at, false }

func (h *hostProcess) Kill() error {
	if err := h.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

func (h *hostProcess) Wait(ctx context.Context) (evidence.Execution, error) {
	select {
	case <-h.done:
	case <-ctx.Done():
		return evidence.Execution{}, errors.New("still running")
	}
	e := evidence.Execution{Name: h.name, DurationNs: int64(time.Since(h.began)), Exit: evidence.Exit{Status: evidence.Signaled, Signal: "SIGKILL", Code: 137}}
	if code := h.cmd.ProcessState.ExitCode(); code >= 0 {
		e.Exit = evidence.Exit{Status: evidence.Exited, Code: code}
	}
	e.Stderr.Text = h.stderr.String()[:min(h.stderr.Len(), 4000)]
	e.Usage.CPUNs = int64(h.cmd.ProcessState.SystemTime() + h.cmd.ProcessState.UserTime())
	return e, nil
}

// nodeRun drives a bundled solution on the Node of this machine and judges it.
func nodeRun(t *testing.T, solution string, with map[string]any) evidence.Measures {
	t.Helper()
	m, err := driven(t, installed(t, solution), []byte(solution + "0123456789abcdef0123456789abcdef")[:32], with)
	require.NoError(t, err)
	shown, err := json.Marshal(m.Values)
	require.NoError(t, err)
	t.Logf("%s %v: %s %v", solution, with, shown, m.Findings)
	return m
}

// driven drives a program with the work of a seed, and judges it.
func driven(t *testing.T, pod hostPod, seed []byte, with map[string]any) (m evidence.Measures, err error) {
	p, err := New().Prepare(t.Context(), graders.Preparation{With: with, Seed: seed, Timeout: 2 * time.Minute})
	if err != nil {
		return m, err
	}
	executions, err := New().Drive(t.Context(), pod, p.Params)
	if err != nil {
		return m, err
	}
	return New().Measure(evidence.Run{Scenario: "outages", Executions: executions}, p.Truth)
}

// TestNodeSolutions drives real programs: good ones are right about everything, and the flawed ones get their codes. An outage takes half a
// minute, so here are those that hang on statistics; assay validate has them all.
func TestNodeSolutions(t *testing.T) {
	outages, contract := map[string]any{"kind": "outages"}, map[string]any{"kind": "contract"}
	for _, tt := range []struct {
		solution string
		with     map[string]any
		codes    []string
	}{
		{"reference", contract, []string{}},
		{"ref-min", contract, []string{}},
		{"flawed/promise-all", contract, []string{codeNoFallback}},
		{"flawed/retries-post", contract, []string{codeRetryUnsafe}},
		{"flawed/swallow-profile", contract, []string{codeErrorSwallowed}},
		{"flawed/no-timeout", contract, []string{codeHang}},
		{"reference", outages, []string{}},
		{"flawed/timeout-without-abort", outages, []string{codeLeak}},
		{"flawed/retry-no-cap", outages, []string{codeRetryStorm}},
		{"flawed/retry-no-jitter", outages, []string{codeNoJitter}},
	} {
		t.Run(tt.solution+" "+tt.with["kind"].(string), func(t *testing.T) {
			m := nodeRun(t, tt.solution, tt.with)
			assert.Equal(t, tt.codes, codes(m), "%+v", m.Findings)
		})
	}
}
