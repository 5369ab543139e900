//go:build integration

package knowntruth

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

// nodePod runs the program on the Node of this machine: enough of a pod to drive it.
type nodePod struct {
	app, out string
}

func newNodePod(t *testing.T) *nodePod {
	t.Helper()
	p := &nodePod{app: t.TempDir(), out: t.TempDir()}
	require.NoError(t, os.CopyFS(p.app, Program()))
	return p
}

func (p *nodePod) Paths() workload.Paths    { return workload.Paths{App: p.app, Out: p.out} }
func (p *nodePod) Report(workload.Progress) {}
func (p *nodePod) ClearOutput() error       { return nil }

func (p *nodePod) ReadOutput(name string, _ int64) evidence.File {
	text, err := os.ReadFile(filepath.Join(p.out, name))
	if err != nil {
		return evidence.File{Name: name, State: evidence.FileMissing}
	}
	return evidence.File{Name: name, State: evidence.FileOK, Content: string(text)}
}

func (p *nodePod) Start(_ context.Context, c workload.Command) (workload.Process, error) {
	cmd := exec.Command(Start()[0], Start()[1:]...)
	cmd.Dir, cmd.Env = p.app, os.Environ()
	for k, v := range c.Env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	n := &nodeProcess{cmd: cmd, done: make(chan struct{}), started: time.Now()}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	n.wg.Go(func() {
		defer close(n.done)
		n.code = -1
		if err := cmd.Wait(); err == nil {
			n.code = 0
		}
	})
	return n, nil
}

type nodeProcess struct {
	cmd     *exec.Cmd
	started time.Time
	done    chan struct{}
	code    int
	wg      sync.WaitGroup
}

func (n *nodeProcess) Started() time.Time     { return n.started }
func (n *nodeProcess) Done() <-chan struct{}  { return n.done }
func (*nodeProcess) ReadBytes() int64         { return 0 }
func (*nodeProcess) Stolen() []workload.Pause { return nil }

func (*nodeProcess) Began(_, _, _ time.Time) (time.Time, bool) { return time.Time{}, false }

func (n *nodeProcess) Kill() error {
	if err := n.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

func (n *nodeProcess) Wait(ctx context.Context) (evidence.Execution, error) {
	select {
	case <-n.done:
		n.wg.Wait()
		return evidence.Execution{Name: "known", Exit: evidence.Exit{Status: evidence.Exited, Code: n.code}}, nil
	case <-ctx.Done():
		return evidence.Execution{}, context.Cause(ctx)
	}
}

// play drives the program through steps and returns what it and the workload know.
func play(t *testing.T, p Params) (Truth, Facts, evidence.Execution) {
	t.Helper()
	raw, err := json.Marshal(p)
	require.NoError(t, err)
	list, err := New().Drive(t.Context(), newNodePod(t), raw)
	require.NoError(t, err)
	require.Len(t, list, 1)
	var facts Facts
	require.NoError(t, json.Unmarshal(list[0].Facts, &facts))
	if p.Load != nil {
		return Truth{}, facts, list[0]
	}
	require.True(t, list[0].Exit.OK())
	truth, err := ReadTruth(list[0].Output.Content)
	require.NoError(t, err)
	return truth, facts, list[0]
}

// TestProgramBlocks says nothing of how exact the truth is: a machine may be as slow as it likes. It says that a block is never
// shorter than asked for, that only setImmediate gives the loop back, and that the two clocks are one.
func TestProgramBlocks(t *testing.T) {
	t.Parallel()
	const length = 60
	var steps []Step
	for _, how := range Blocks() {
		steps = append(steps, Step{Do: DoBlock, How: how, Ms: length}, Step{Do: DoRest, Ms: 50})
	}
	began := Now()
	truth, facts, e := play(t, Params{Steps: steps, Hz: 100})
	ended := Now()
	require.Len(t, truth.Events, len(Blocks()))
	require.Len(t, facts.Stalls, len(Blocks()))
	require.NotNil(t, e.Heartbeat)
	for i, event := range truth.Events {
		assert.Equal(t, Blocks()[i], event.How)
		assert.Less(t, began, event.From, event.How)
		assert.Less(t, event.To, ended, event.How)
		assert.GreaterOrEqual(t, event.To-event.From, int64((length-1)*time.Millisecond), event.How) // Atomics.wait rounds
		if event.How == BlockImmediate {
			assert.Less(t, event.Longest, event.To-event.From)
		} else {
			assert.Equal(t, event.To-event.From, event.Longest, event.How)
		}
		assert.Positive(t, facts.Stalls[i].Due, event.How)
		assert.Positive(t, facts.Stalls[i].RawNs, event.How)
	}
}

func TestProgramHolds(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, how := range Holds() {
		wg.Go(func() {
			truth, _, _ := play(t, Params{Steps: []Step{{Do: DoHold, How: how, Bytes: 10_000_000, Ms: 5}}})
			if assert.Len(t, truth.Events, 1) {
				e := truth.Events[0]
				assert.True(t, e.BaseFrom < e.BaseTo && e.BaseTo <= e.Began && e.Began < e.From && e.From < e.To, "%+v", e)
				assert.Equal(t, int64(10_000_000), e.Bytes)
			}
		})
	}
}

func TestProgramUnderLoad(t *testing.T) {
	t.Parallel()
	load := testLoad()
	_, facts, _ := play(t, Params{Load: &load, Hz: 50})
	require.NotNil(t, facts.Load)
	assert.Positive(t, facts.Load.Requests)
}
