package heartbeat

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/assay-run/assay/graders/wire"
	"github.com/assay-run/assay/internal/evidence"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// gate is a server whose handlers can be held, like those of a program with a blocked event loop.
type gate struct {
	*httptest.Server
	mu      sync.RWMutex // held for writing while blocked
	asked   atomic.Int64
	handler atomic.Pointer[http.HandlerFunc]
}

func newGate(t *testing.T) *gate {
	t.Helper()
	g := &gate{}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.asked.Add(1)
		g.mu.RLock()
		g.mu.RUnlock() //nolint:staticcheck // only waits for the writer
		if h := g.handler.Load(); h != nil {
			(*h)(w, r)
		}
	}))
	t.Cleanup(g.Close)
	return g
}

func (g *gate) respond(h http.HandlerFunc) { g.handler.Store(&h) }

// wait returns once n more requests have come.
func (g *gate) wait(t *testing.T, n int64) {
	t.Helper()
	until := g.asked.Load() + n
	require.Eventually(t, func() bool { return g.asked.Load() >= until }, 20*time.Second, time.Millisecond)
}

func (g *gate) start(t *testing.T, change func(*Options)) *Monitor {
	t.Helper()
	o := Options{Addr: g.Listener.Addr().String(), Path: "/progress", Start: time.Now()}
	if change != nil {
		change(&o)
	}
	m, err := Start(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { m.Stop() })
	return m
}

func TestIdleServer(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	m := g.start(t, nil)
	g.wait(t, 40)
	hb, curve := m.Stop()
	assert.Equal(t, "GET /progress", hb.Target)
	assert.InDelta(t, 100, hb.Hz, 0.001)
	assert.Zero(t, hb.Failed)
	assert.GreaterOrEqual(t, hb.Due, 30)
	assert.GreaterOrEqual(t, hb.Answered, hb.Due-hb.Due/5)
	assert.GreaterOrEqual(t, hb.FirstAnswerNs, int64(0))
	assert.LessOrEqual(t, hb.P50Ns, hb.P99Ns)
	assert.LessOrEqual(t, hb.P99Ns, hb.P999Ns)
	assert.LessOrEqual(t, hb.P999Ns, hb.MaxNs)
	assert.LessOrEqual(t, hb.StallNs, hb.MaxNs+int64(10*time.Millisecond))
	assert.Equal(t, evidence.SeriesHeartbeat, curve.Name)
	assert.NotEmpty(t, curve.T)
	assert.IsIncreasing(t, curve.T)
}

// TestStall holds the server for a known time. All beats that were due in it must count, which a closed loop misses.
func TestStall(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	m := g.start(t, func(o *Options) { o.MaxInFlight = 8 }) // most of the beats have to wait here
	g.wait(t, 10)
	g.mu.Lock()
	begin := time.Now()
	time.Sleep(400 * time.Millisecond)
	stall := time.Since(begin)
	g.mu.Unlock()
	g.wait(t, 40)
	hb, _ := m.Stop()
	// On a busy machine our own sender may not run for a part of it, which is then not the server's.
	assert.GreaterOrEqual(t, hb.StallNs+hb.OwnPausedNs, int64(stall)*9/10)
	assert.LessOrEqual(t, hb.StallNs, int64(stall)*3)
	assert.GreaterOrEqual(t, hb.MaxNs+int64(10*time.Millisecond), hb.StallNs)
	assert.GreaterOrEqual(t, hb.P99Ns+hb.OwnPausedNs, int64(stall)/2, "the schedule stood still with the server")
	// The stall alone is 40 beats.
	assert.GreaterOrEqual(t, hb.Due, 45)
}

func TestSlowBeatBesideQuickOnesIsNoStall(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	release := make(chan struct{})
	var n atomic.Int64
	g.respond(func(http.ResponseWriter, *http.Request) {
		if n.Add(1) == 10 {
			<-release
		}
	})
	m := g.start(t, nil)
	g.wait(t, 50)
	close(release)
	g.wait(t, 10)
	hb, _ := m.Stop()
	assert.Greater(t, hb.MaxNs, int64(200*time.Millisecond))
	assert.Less(t, hb.StallNs, hb.MaxNs*3/4)
}

func TestServerThatComesLate(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	start := time.Now()
	m, err := Start(t.Context(), Options{Addr: addr, Path: "/", Start: start, Grace: 100 * time.Millisecond})
	require.NoError(t, err)
	defer m.Stop()
	time.Sleep(400 * time.Millisecond) // the submission's start-up
	answered := make(chan struct{}, 1000)
	srv := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { answered <- struct{}{} })}
	l, err = net.Listen("tcp", addr)
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	for range 20 {
		<-answered
	}
	hb, _ := m.Stop()
	require.NoError(t, srv.Close())
	require.ErrorIs(t, <-served, http.ErrServerClosed)
	assert.GreaterOrEqual(t, hb.FirstAnswerNs, int64(400*time.Millisecond))
	// What went beyond the grace counts: beats were due from 100 ms on and answered with the first answer.
	assert.GreaterOrEqual(t, hb.MaxNs, hb.FirstAnswerNs-int64(115*time.Millisecond))
	assert.LessOrEqual(t, hb.MaxNs, max(hb.FirstAnswerNs-int64(100*time.Millisecond), hb.StallNs))
	assert.Greater(t, hb.Due, hb.Sent)
}

func TestServerThatNeverAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		respond http.HandlerFunc
	}{
		{"wrong status", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }},
		{"body without end", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 32<<10)); err != nil {
					return
				}
			}
		}},
		{"header without end", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("x", wire.HeadLimit+wire.BodyLimit))
		}},
		{"connection closed", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGate(t)
			g.respond(tt.respond)
			m := g.start(t, func(o *Options) { o.Grace = 50 * time.Millisecond; o.Start = o.Start.Add(-300 * time.Millisecond) })
			g.wait(t, 8)
			hb, _ := m.Stop()
			assert.Equal(t, int64(-1), hb.FirstAnswerNs)
			assert.Positive(t, hb.Failed)
			assert.Zero(t, hb.Answered)
			assert.Zero(t, hb.Prompt)
			assert.Greater(t, hb.Due, 15)
			assert.GreaterOrEqual(t, hb.MaxNs, int64(200*time.Millisecond), "never answering must not look quick")
			assert.Equal(t, hb.MaxNs, hb.StallNs)
		})
	}
}

func TestServerThatHoldsTheFirstRequest(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	g.mu.Lock()
	m := g.start(t, func(o *Options) { o.Start = o.Start.Add(-2 * time.Second) })
	g.wait(t, 1)
	hb, _ := m.Stop()
	g.mu.Unlock()
	assert.Equal(t, int64(-1), hb.FirstAnswerNs)
	assert.GreaterOrEqual(t, hb.MaxNs, int64(1400*time.Millisecond))
}

func TestFailuresLastUntilTheNextGoodAnswer(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	m := g.start(t, nil)
	g.wait(t, 5)
	g.respond(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	g.wait(t, 30)
	g.respond(func(http.ResponseWriter, *http.Request) {})
	g.wait(t, 5)
	hb, _ := m.Stop()
	assert.GreaterOrEqual(t, hb.Failed, 25)
	assert.GreaterOrEqual(t, hb.StallNs, int64(200*time.Millisecond), "25 failures at 100 Hz")
	assert.Less(t, hb.Answered, hb.Due-20)
}

func TestServerThatKeepsNoConnection(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	g.respond(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") })
	m := g.start(t, nil)
	g.wait(t, 30)
	hb, _ := m.Stop()
	assert.Zero(t, hb.Failed)
	assert.Positive(t, hb.Answered)
}

func TestConnectionsClosedWhileIdleAreNoFailures(t *testing.T) {
	t.Parallel()
	g := &gate{}
	g.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { g.asked.Add(1) }))
	g.Config.IdleTimeout = time.Millisecond // every connection is closed before its next beat
	g.Start()
	t.Cleanup(g.Close)
	m := g.start(t, func(o *Options) { o.Hz = 50 })
	g.wait(t, 25)
	hb, _ := m.Stop()
	assert.Zero(t, hb.Failed)
	assert.GreaterOrEqual(t, hb.Due, 15)
}

func TestCheckSeesTheAnswer(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	g.respond(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("42")) })
	var seen, odd atomic.Int64
	m := g.start(t, func(o *Options) {
		o.Check = func(a Answer) bool {
			if a.Status != 200 || string(a.Body) != "42" || a.Got.Before(a.Sent) {
				odd.Add(1)
			}
			return seen.Add(1)%2 == 0
		}
	})
	g.wait(t, 20)
	hb, _ := m.Stop()
	assert.Zero(t, odd.Load())
	assert.Positive(t, hb.Failed)
	assert.Positive(t, hb.Answered)
}

func TestEndOfContext(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	ctx, cancel := context.WithCancel(t.Context())
	m, err := Start(ctx, Options{Addr: g.Listener.Addr().String(), Path: "/", Start: time.Now()})
	require.NoError(t, err)
	g.wait(t, 5)
	cancel()
	m.wait() // ends without Stop
	hb, _ := m.Stop()
	again, _ := m.Stop()
	assert.Equal(t, hb, again)
}

func TestMaxBeats(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	m := g.start(t, func(o *Options) { o.MaxBeats = 10 })
	require.Eventually(t, func() bool { return time.Since(m.o.Start) > 300*time.Millisecond }, 5*time.Second, 10*time.Millisecond)
	hb, _ := m.Stop()
	assert.LessOrEqual(t, hb.Due, 10)
}

func TestOptions(t *testing.T) {
	t.Parallel()
	ok := Options{Addr: "127.0.0.1:1", Start: time.Now()}
	tests := []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"no address", func(o *Options) { o.Addr = "" }, "address"},
		{"no start", func(o *Options) { o.Start = time.Time{} }, "start"},
		{"too fast", func(o *Options) { o.Hz = 5000 }, "rate"},
		{"negative rate", func(o *Options) { o.Hz = -1 }, "rate"},
		{"negative bound", func(o *Options) { o.MaxInFlight = -1 }, "bounds"},
		{"negative grace", func(o *Options) { o.Grace = -1 }, "bounds"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := ok
			tt.change(&o)
			_, err := Start(t.Context(), o)
			require.ErrorContains(t, err, tt.want)
		})
	}
}
