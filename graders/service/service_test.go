package service

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/graders/service/servicetest"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

// healthy answers GET /healthz by 200 from the n-th time on.
func healthy(n int64) http.Handler {
	var asked atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" || asked.Add(1) < n {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
}

func pod(h http.Handler, gone <-chan struct{}, seen *workload.Command) *servicetest.Pod {
	return &servicetest.Pod{Serve: func(c workload.Command) (http.Handler, <-chan struct{}) {
		if seen != nil {
			*seen = c
		}
		return h, gone
	}}
}

func TestServiceLives(t *testing.T) {
	t.Parallel()
	var c workload.Command
	s, err := Start(t.Context(), pod(healthy(3), nil, &c), Options{Env: map[string]string{"UPSTREAM": "x"}})
	require.NoError(t, err)
	assert.Equal(t, "service", c.Name)
	assert.Equal(t, map[string]string{"PORT": s.Port, "UPSTREAM": "x"}, c.Env)
	assert.Equal(t, "127.0.0.1:"+s.Port, s.Addr)
	assert.Equal(t, int64(-1), s.ReadyNs)
	require.True(t, s.Ready())
	assert.Positive(t, s.ReadyNs)
	assert.Equal(t, s.ReadyNs, int64(s.Epoch.Sub(s.Process.Started())))
	assert.False(t, s.Ended())
	require.NoError(t, s.Within().Err())

	e, err := s.End(t.Context(), map[string]int{"answers": 4})
	require.NoError(t, err)
	assert.True(t, s.Ended())
	require.Error(t, s.Within().Err())
	assert.JSONEq(t, `{"answers":4}`, string(e.Facts))
	assert.Equal(t, evidence.Signaled, e.Exit.Status)

	again, err := Start(t.Context(), pod(healthy(1), nil, &c), Options{Name: "service-2", Port: s.Port})
	require.NoError(t, err, "a restarted service gets its old port")
	assert.True(t, again.Ready())
	assert.Equal(t, s.Addr, again.Addr)
	e, err = again.End(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, "service-2", e.Name)
	assert.Empty(t, e.Facts)
}

func TestServiceThatEndsByItself(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	s, err := Start(t.Context(), pod(healthy(1<<40), gone, nil), Options{})
	require.NoError(t, err)
	time.AfterFunc(50*time.Millisecond, func() { close(gone) })
	began := time.Now()
	assert.False(t, s.Ready())
	assert.Less(t, time.Since(began), ReadyWithin, "nobody waits for a process that is gone")
	assert.True(t, s.Ended())
	require.Error(t, s.Within().Err())
	e, err := s.End(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, evidence.Exited, e.Exit.Status)
}

// TestServiceWithoutTime is given up when the time of the run is used up, and when the run itself is.
func TestServiceWithoutTime(t *testing.T) {
	t.Parallel()
	s, err := Start(t.Context(), pod(healthy(1<<40), nil, nil), Options{Timeout: reserve + 50*time.Millisecond})
	require.NoError(t, err)
	began := time.Now()
	assert.False(t, s.Ready())
	assert.Less(t, time.Since(began), ReadyWithin)
	assert.False(t, s.Ended(), "it is not its fault, nor is it dead")
	_, err = s.End(t.Context(), nil)
	require.NoError(t, err)

	cause := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	s, err = Start(ctx, pod(healthy(1), nil, nil), Options{})
	require.NoError(t, err)
	cancel(cause)
	_, err = s.End(ctx, nil)
	require.ErrorIs(t, err, cause)
	require.NoError(t, s.Abandon(ctx))
	assert.True(t, s.Ended())
}

// tardy is a process whose end is told later than its sockets close.
type tardy struct {
	workload.Process
	told chan struct{}
}

func (p *tardy) Done() <-chan struct{} { return p.told }

type tardyPod struct {
	*servicetest.Pod
	after time.Duration
}

func (p tardyPod) Start(ctx context.Context, c workload.Command) (workload.Process, error) {
	proc, err := p.Pod.Start(ctx, c)
	if err != nil {
		return nil, err
	}
	t := &tardy{Process: proc, told: make(chan struct{})}
	go func() {
		<-proc.Done()
		time.Sleep(p.after)
		close(t.told)
	}()
	return t, nil
}

func TestGone(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	s, err := Start(t.Context(), tardyPod{pod(healthy(1), gone, nil), endTold / 5}, Options{})
	require.NoError(t, err)
	require.True(t, s.Ready())
	assert.False(t, s.Gone(), "it listens")
	close(gone)
	require.Eventually(t, func() bool {
		nc, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Addr)
		if err == nil {
			_ = nc.Close()
		}
		return err != nil
	}, 10*time.Second, time.Millisecond)
	assert.True(t, s.Gone(), "nobody listens: its end is waited for")
	require.NoError(t, s.Abandon(t.Context()))
}

func TestGoneIsBounded(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	s, err := Start(t.Context(), tardyPod{pod(healthy(1), gone, nil), 3 * endTold}, Options{})
	require.NoError(t, err)
	require.True(t, s.Ready())
	close(gone)
	<-s.Process.(*tardy).Process.Done()
	assert.False(t, s.Gone(), "a process may stop to listen, and live")
	require.NoError(t, s.Abandon(t.Context()))
}
