package httpload

import (
	"context"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/assay-run/assay/graders/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ms = time.Millisecond

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

func run(t *testing.T, o Options) *Result {
	t.Helper()
	if o.Start.IsZero() {
		o.Start = time.Now()
	}
	if o.Request == nil {
		o.Request = func(i int) Request { return Request{Path: "/" + strconv.Itoa(i)} }
	}
	r, err := Run(t.Context(), o)
	require.NoError(t, err)
	return r
}

func even(rate float64, d time.Duration) Schedule { return Schedule{Steps: []Step{{rate, d}}} }

// TestKnownDelays asks a server that answers each request after a time of its own.
func TestKnownDelays(t *testing.T) {
	t.Parallel()
	delay := func(i int) time.Duration { return time.Duration(5+(i*7)%90) * ms }
	addr := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		i, _ := strconv.Atoi(r.URL.Path[1:])
		time.Sleep(delay(i))
	})
	r := run(t, Options{Addr: addr, Schedule: even(200, time.Second)})
	require.Len(t, r.Records, 200)
	for i, one := range r.Records {
		assert.Equal(t, time.Duration(i)*5*ms, one.Intended)
		assert.Equal(t, Good, one.Outcome)
		assert.Equal(t, 1, one.Tries)
		assert.GreaterOrEqual(t, one.Got-one.Sent, delay(i), "the answer cannot be quicker than the server")
		assert.GreaterOrEqual(t, one.Sent, one.Intended, "nothing is sent before it is due")
	}
	s := r.Window(0, time.Second)
	assert.Equal(t, 200, s.Due)
	assert.Equal(t, 200, s.Good)
	assert.InDelta(t, 200, s.Rate, 0.001)
	assert.InDelta(t, 200, s.GoodRate, 0.001)
	// Half of the delays are below 50 ms. What the machine adds is not known; what it takes away is bounded.
	assert.GreaterOrEqual(t, s.P50Ns, int64(45*ms)-int64(r.Paused))
	assert.GreaterOrEqual(t, s.P99Ns, int64(90*ms)-int64(r.Paused))
	assert.GreaterOrEqual(t, s.MaxNs, s.P999Ns)
	half := r.Window(0, 500*ms)
	assert.Equal(t, 100, half.Due, "a window ends before its end")
	c := r.Curve("load", 2*time.Second)
	assert.Equal(t, "load", c.Name)
	assert.InDelta(t, 2, c.T[0], 0.001)
	assert.GreaterOrEqual(t, c.Max[len(c.Max)-1], float64(5*ms))
}

// TestNoCoordinatedOmission stops the server for a known time. Every request that was due in it counts from when it was due, although only
// four could be out.
func TestNoCoordinatedOmission(t *testing.T) {
	t.Parallel()
	var gate sync.RWMutex
	addr := serve(t, func(http.ResponseWriter, *http.Request) {
		gate.RLock()
		gate.RUnlock() //nolint:staticcheck // only waits for the writer
	})
	time.AfterFunc(300*ms, gate.Lock)
	time.AfterFunc(700*ms, gate.Unlock)
	r := run(t, Options{Addr: addr, Schedule: even(100, time.Second), MaxInFlight: 4})
	assert.Equal(t, 100, r.Window(0, time.Second).Good)
	stalled := r.Window(310*ms, 690*ms)
	// 38 requests wait 390, 380 … 10 ms: half of them 200 ms or more. A closed loop would have had four.
	assert.Equal(t, 38, stalled.Due)
	assert.GreaterOrEqual(t, stalled.P50Ns+int64(r.Paused), int64(150*ms))
	assert.GreaterOrEqual(t, stalled.MaxNs+int64(r.Paused), int64(300*ms))
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hang":
			select {
			case <-release:
			case <-r.Context().Done():
			}
		case "/reset":
			panic(http.ErrAbortHandler)
		case "/endless":
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 32<<10)); err != nil {
					return
				}
			}
		case "/wrong":
			w.WriteHeader(http.StatusTeapot)
		}
	})
	t.Cleanup(func() { close(release) })
	paths := []string{"/good", "/hang", "/reset", "/endless", "/wrong"}
	r := run(t, Options{
		Addr: addr, Schedule: even(20, 250*ms), Timeout: 200 * ms,
		Request: func(i int) Request { return Request{Method: http.MethodPost, Path: paths[i], Body: []byte("{}")} },
	})
	require.Len(t, r.Records, 5)
	want := []Outcome{Good, TimedOut, Broken, TooLarge, Wrong}
	for i, one := range r.Records {
		assert.Equal(t, want[i], one.Outcome, paths[i])
		assert.Equal(t, 1, one.Tries, "a POST is written once: %s", paths[i])
	}
	assert.GreaterOrEqual(t, r.Records[1].Got-r.Records[1].Sent, 190*ms)
	s := r.Window(0, time.Second)
	assert.Equal(t, 1, s.Good)
	assert.Equal(t, map[Outcome]int{Good: 1, TimedOut: 1, Broken: 1, TooLarge: 1, Wrong: 1}, s.Count)
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	r := run(t, Options{Addr: l.Addr().String(), Schedule: even(100, 50*ms)})
	s := r.Window(0, 50*ms)
	assert.Equal(t, map[Outcome]int{Refused: 5}, s.Count)
	assert.Zero(t, s.Sent)
}

// TestConnectionsClosedWhileIdle: a server may close a connection that nobody uses. A request that finds it closed is no failure, and a
// POST is never written twice.
func TestConnectionsClosedWhileIdle(t *testing.T) {
	t.Parallel()
	var posts atomic.Int64
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		posts.Add(1)
	}))
	srv.Config.IdleTimeout = ms
	srv.Start()
	t.Cleanup(srv.Close)
	r := run(t, Options{Addr: srv.Listener.Addr().String(), Schedule: even(50, 500*ms), Request: func(int) Request {
		return Request{Method: http.MethodPost, Path: "/", Body: []byte("x")}
	}})
	assert.Equal(t, 25, r.Window(0, time.Second).Good)
	assert.Equal(t, int64(25), posts.Load())
}

func TestEndOfContext(t *testing.T) {
	t.Parallel()
	got := make(chan struct{}, 100)
	addr := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		got <- struct{}{}
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for range 5 {
			<-got
		}
		cancel()
	}()
	r, err := Run(ctx, Options{Addr: addr, Start: time.Now(), Schedule: even(100, time.Minute), Request: func(int) Request { return Request{Path: "/"} }})
	require.NoError(t, err)
	s := r.Window(0, time.Minute)
	assert.Zero(t, s.Due, "what we cut is nobody's fault")
	assert.Equal(t, 6000, s.Count[Cut])
}

func TestRequestOnTheWire(t *testing.T) {
	t.Parallel()
	type seen struct{ method, path, body, id, host string }
	all := make(chan seen, 10)
	addr := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		all <- seen{r.Method, r.URL.String(), string(b), r.Header.Get("X-Id"), r.Host}
	})
	run(t, Options{Addr: addr, Schedule: even(10, 200*ms), Request: func(i int) Request {
		if i == 0 {
			return Request{Path: "/a?b=c", Header: []Header{{"X-Id", "7"}}}
		}
		return Request{Method: http.MethodPost, Path: "/p", Body: []byte("text")}
	}})
	assert.Equal(t, seen{"GET", "/a?b=c", "", "7", addr}, <-all)
	assert.Equal(t, seen{"POST", "/p", "text", "", addr}, <-all)
}

func TestCheckSeesTheAnswer(t *testing.T) {
	t.Parallel()
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Path", r.URL.Path)
		_, _ = io.WriteString(w, strings.Repeat("x", wire.BodyLimit))
	})
	r := run(t, Options{Addr: addr, Schedule: even(100, 100*ms), Check: func(i int, a wire.Answer) bool {
		return a.Header.Get("X-Path") == "/"+strconv.Itoa(i) && len(a.Body) == wire.BodyLimit && i%2 == 0
	}})
	s := r.Window(0, time.Second)
	assert.Equal(t, map[Outcome]int{Good: 5, Wrong: 5}, s.Count)
}

func TestSchedule(t *testing.T) {
	t.Parallel()
	s := Schedule{Steps: []Step{{100, time.Second}, {0, time.Second}, {50, time.Second}}}
	due := s.Due()
	require.Len(t, due, 150)
	assert.Equal(t, 990*ms, due[99])
	assert.Equal(t, 2*time.Second, due[100])
	assert.Equal(t, 3*time.Second, s.Duration())

	s = Schedule{Steps: []Step{{400, 30 * time.Second}, {0, 10 * time.Second}, {100, 30 * time.Second}}, Seed: []byte("a")}
	random := s.Due()
	assert.Equal(t, random, s.Due(), "the same for the same seed")
	assert.NotEqual(t, random, Schedule{Steps: s.Steps, Seed: []byte("b")}.Due())
	assert.IsNonDecreasing(t, random)
	var first, silent int
	var gaps, squares float64
	for i, at := range random {
		switch {
		case at < 30*time.Second:
			first++
			if i > 0 {
				gap := (at - random[i-1]).Seconds()
				gaps, squares = gaps+gap, squares+gap*gap
			}
		case at < 40*time.Second:
			silent++
		}
	}
	// The seed is fixed, so these hold always; the bounds are those of a Poisson process, five standard deviations.
	assert.InDelta(t, 12_000, first, 5*math.Sqrt(12_000))
	assert.InDelta(t, 3_000, len(random)-first, 5*math.Sqrt(3_000))
	assert.Zero(t, silent)
	mean := gaps / float64(first)
	assert.InDelta(t, 1, math.Sqrt(squares/float64(first)-mean*mean)/mean, 0.05, "exponential gaps have a coefficient of variation of 1")
}

func TestOptions(t *testing.T) {
	t.Parallel()
	ok := Options{Addr: "127.0.0.1:1", Start: time.Now(), Schedule: even(1, time.Second), Request: func(int) Request { return Request{} }}
	for _, tt := range []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"no address", func(o *Options) { o.Addr = "" }, "address"},
		{"no start", func(o *Options) { o.Start = time.Time{} }, "start"},
		{"no request", func(o *Options) { o.Request = nil }, "what to ask"},
		{"negative timeout", func(o *Options) { o.Timeout = -1 }, "bounds"},
		{"no connections", func(o *Options) { o.MaxInFlight = -1 }, "bounds"},
		{"no steps", func(o *Options) { o.Schedule.Steps = nil }, "no steps"},
		{"no time", func(o *Options) { o.Schedule = even(1, 0) }, "step 1"},
		{"negative rate", func(o *Options) { o.Schedule = even(-1, 1) }, "step 1"},
		{"no number", func(o *Options) { o.Schedule = even(math.NaN(), 1) }, "step 1"},
		{"too many", func(o *Options) { o.Schedule = even(10_000, time.Hour) }, "at most"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := ok
			tt.change(&o)
			_, err := Run(t.Context(), o)
			require.ErrorContains(t, err, tt.want)
		})
	}
}
