package driver_test

import (
	"context"
	"encoding/json"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
	"github.com/assay-run/assay/runner/driver"
	"github.com/assay-run/assay/runner/driver/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// load is a workload that is a function.
type load func(ctx context.Context, pod workload.Pod) ([]evidence.Execution, error)

func (load) Name() string { return "load" }

func (l load) Drive(ctx context.Context, pod workload.Pod, _ json.RawMessage) ([]evidence.Execution, error) {
	return l(ctx, pod)
}

// host is the other end of a driver.
type host struct {
	t    *testing.T
	conn *protocol.Conn
	in   *io.PipeWriter
	out  *io.PipeReader
	end  chan error
}

func newHost(ctx context.Context, t *testing.T, l load) *host {
	toDriver, in := io.Pipe()
	out, fromDriver := io.Pipe()
	h := &host{t: t, in: in, out: out, end: make(chan error, 1)}
	go func() {
		err := driver.Main(ctx, toDriver, fromDriver, io.Discard, []workload.Workload{l}, driver.Options{Version: "test"})
		fromDriver.Close()
		h.end <- err
	}()
	t.Cleanup(func() {
		in.Close()
		out.Close()
	})
	hello := &protocol.Hello{Workloads: []string{"load"}, Paths: workload.Paths{Out: t.TempDir()}}
	h.conn = protocol.NewHost(struct {
		io.Reader
		io.Writer
	}{out, in}, hello)
	h.send(hello)
	welcome := receive[*protocol.Welcome](h)
	assert.Equal(t, []string{"load"}, welcome.Workloads)
	return h
}

func (h *host) send(m protocol.Message) {
	h.t.Helper()
	require.NoError(h.t, h.conn.Send(m))
}

// receive skips progress.
func receive[M protocol.Message](h *host) M {
	h.t.Helper()
	for {
		m, err := h.conn.Receive()
		require.NoError(h.t, err)
		if _, ok := m.(*protocol.Progress); ok {
			continue
		}
		got, ok := m.(M)
		require.True(h.t, ok, "%#v", m)
		return got
	}
}

func (h *host) wait() error {
	h.t.Helper()
	select {
	case err := <-h.end:
		return err
	case <-time.After(20 * time.Second):
		h.t.Fatal("the driver did not end")
		return nil
	}
}

// startAndWait starts one process that never appears in /proc.
func startAndWait(ctx context.Context, pod workload.Pod) ([]evidence.Execution, error) {
	p, err := pod.Start(ctx, workload.Command{Name: "main", Args: []string{"a"}, Timeout: time.Minute})
	if err != nil {
		return nil, err
	}
	x, err := p.Wait(ctx)
	return []evidence.Execution{x}, err
}

func TestDriverWithAProcessNobodySaw(t *testing.T) {
	t.Parallel()
	h := newHost(t.Context(), t, startAndWait)
	h.send(&protocol.Run{Workload: "load"})
	start := receive[*protocol.StartCandidate](h)
	assert.Equal(t, []string{"a"}, start.Args)
	assert.Zero(t, start.ProbePort, "no probe was asked for")
	h.send(&protocol.CandidateStarted{Ref: start.Ref, ID: "c0ffee"})
	h.send(&protocol.CandidateExited{Ref: start.Ref, Exit: evidence.Exit{Status: evidence.Exited, Code: 7}})
	got := receive[*protocol.Result](h)
	require.Len(t, got.Executions, 1)
	assert.Equal(t, 7, got.Executions[0].Exit.Code)
	assert.NotEmpty(t, got.Notes, "that there is no control group is noted")
	h.send(&protocol.Stop{})
	assert.NoError(t, h.wait())
}

func TestDriverRunsOneAfterAnother(t *testing.T) {
	t.Parallel()
	h := newHost(t.Context(), t, func(context.Context, workload.Pod) ([]evidence.Execution, error) { return nil, nil })
	for range 3 {
		h.send(&protocol.Run{Workload: "load"})
		receive[*protocol.Result](h)
	}
	h.send(&protocol.Run{Workload: "unheard of"})
	assert.Contains(t, receive[*protocol.Failure](h).Message, "unheard of")
	h.send(&protocol.Stop{})
	assert.NoError(t, h.wait())
}

func TestDriverEndsWhenTheHostIsGone(t *testing.T) {
	t.Parallel()
	h := newHost(t.Context(), t, startAndWait)
	h.send(&protocol.Run{Workload: "load"})
	receive[*protocol.StartCandidate](h)
	require.NoError(t, h.in.Close())
	require.NoError(t, h.out.Close())
	assert.ErrorIs(t, h.wait(), driver.ErrHostGone)
}

func TestDriverEndsWhenItsContextDoes(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	h := newHost(ctx, t, startAndWait)
	h.send(&protocol.Run{Workload: "load"})
	receive[*protocol.StartCandidate](h)
	cancel(io.ErrNoProgress)
	receive[*protocol.Failure](h)
	assert.ErrorIs(t, h.wait(), io.ErrNoProgress)
}

func TestDriverRefusesNoise(t *testing.T) {
	t.Parallel()
	h := newHost(t.Context(), t, startAndWait)
	// The driver stops reading as soon as it knows, so the write may be cut short.
	_, _ = h.in.Write([]byte("this is what a submission might get printed somewhere"))
	assert.ErrorIs(t, h.wait(), protocol.ErrMagic)
}

func TestDriverFaultsOfTheEngine(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(h *host, ref uint64){
		"could not start": func(h *host, ref uint64) { h.send(&protocol.CandidateStarted{Ref: ref, Failed: "disk full"}) },
		"lost it": func(h *host, ref uint64) {
			h.send(&protocol.CandidateStarted{Ref: ref, ID: "c0ffee"})
			h.send(&protocol.CandidateExited{Ref: ref, Failed: "disk full"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t.Context(), t, startAndWait)
			h.send(&protocol.Run{Workload: "load"})
			answer(h, receive[*protocol.StartCandidate](h).Ref)
			assert.Contains(t, receive[*protocol.Failure](h).Message, "disk full")
			h.send(&protocol.Stop{})
			assert.NoError(t, h.wait())
		})
	}
}

func TestDriverAsksTheHostToKillWhatItCannotSee(t *testing.T) {
	t.Parallel()
	h := newHost(t.Context(), t, func(ctx context.Context, pod workload.Pod) ([]evidence.Execution, error) {
		p, err := pod.Start(ctx, workload.Command{Name: "main", Timeout: 10 * time.Millisecond})
		if err != nil {
			return nil, err
		}
		x, err := p.Wait(ctx)
		return []evidence.Execution{x}, err
	})
	h.send(&protocol.Run{Workload: "load"})
	ref := receive[*protocol.StartCandidate](h).Ref
	h.send(&protocol.CandidateStarted{Ref: ref, ID: "c0ffee"})
	assert.Equal(t, ref, receive[*protocol.Kill](h).Ref)
	h.send(&protocol.CandidateExited{Ref: ref, Exit: evidence.Exit{Status: evidence.Signaled, Code: 137, Signal: "SIGKILL"}})
	assert.Equal(t, evidence.TimedOut, receive[*protocol.Result](h).Executions[0].Exit.Status)
	h.send(&protocol.Stop{})
	assert.NoError(t, h.wait())
}

func TestDriverRefusesANameTwice(t *testing.T) {
	t.Parallel()
	h := newHost(t.Context(), t, func(ctx context.Context, pod workload.Pod) ([]evidence.Execution, error) {
		_, err := startAndWait(ctx, pod)
		if err != nil {
			return nil, err
		}
		return startAndWait(ctx, pod)
	})
	h.send(&protocol.Run{Workload: "load"})
	ref := receive[*protocol.StartCandidate](h).Ref
	h.send(&protocol.CandidateStarted{Ref: ref, ID: "c0ffee"})
	h.send(&protocol.CandidateExited{Ref: ref, Exit: evidence.Exit{Status: evidence.Exited}})
	assert.Contains(t, receive[*protocol.Failure](h).Message, `"main"`)
	h.send(&protocol.Stop{})
	assert.NoError(t, h.wait())
}
