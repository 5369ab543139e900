package idle

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

// pod starts a server in this process instead of Node's.
type pod struct {
	handler http.Handler
	ends    bool // at once
}

func (p pod) Start(_ context.Context, c workload.Command) (workload.Process, error) {
	proc := &process{began: time.Now(), done: make(chan struct{})}
	if p.ends {
		proc.end()
		return proc, nil
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", c.Env["PORT"]))
	if err != nil {
		return nil, err
	}
	proc.server = &http.Server{Handler: p.handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = proc.server.Serve(l) }()
	return proc, nil
}

func (pod) ReadOutput(string, int64) evidence.File { return evidence.File{} }
func (pod) ClearOutput() error                     { return nil }
func (pod) Paths() workload.Paths                  { return workload.Paths{} }
func (pod) Report(workload.Progress)               {}

type process struct {
	began  time.Time
	server *http.Server
	done   chan struct{}
	once   sync.Once
}

func (p *process) end() { p.once.Do(func() { close(p.done) }) }

func (p *process) Started() time.Time       { return p.began }
func (p *process) Done() <-chan struct{}    { return p.done }
func (p *process) ReadBytes() int64         { return 0 }
func (p *process) Stolen() []workload.Pause { return nil }

func (*process) Began(_, _, _ time.Time) (time.Time, bool) { return time.Time{}, false }

func (p *process) Kill() error {
	p.end()
	if p.server == nil {
		return nil
	}
	return p.server.Close()
}

func (p *process) Wait(context.Context) (evidence.Execution, error) {
	<-p.done
	return evidence.Execution{Name: Name}, nil
}

func TestDrive(t *testing.T) {
	t.Parallel()
	got, err := New().Drive(t.Context(), pod{handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}, nil)
	require.NoError(t, err)
	require.Len(t, got, 1)
	hb := got[0].Heartbeat
	require.NotNil(t, hb)
	assert.GreaterOrEqual(t, hb.Due, 149)
	assert.LessOrEqual(t, hb.Due, 151, "only what was due while it was idle")
	assert.NotEmpty(t, got[0].Series)
}

func TestDriveOfAServerThatEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := New().Drive(ctx, pod{ends: true}, nil)
	require.ErrorIs(t, err, errNotReady)
}
