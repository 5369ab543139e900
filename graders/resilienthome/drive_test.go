package resilienthome

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/assay-run/assay/graders/service/servicetest"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// home is the contract in Go, with faults to choose. It retries once, and has no breaker.
type home struct {
	env    map[string]string
	client *http.Client
	faults homeFaults
	gone   chan struct{}
	once   sync.Once
}

type homeFaults struct {
	allOrNothing bool // one part that fails fails the page
	twice        bool // plays are tried again
	swallows     bool // pages without a profile
	dies         bool // at the first page
}

func newHome(c workload.Command, f homeFaults) *home {
	return &home{env: c.Env, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}, faults: f, gone: make(chan struct{})}
}

// get asks a service for a document of a shape.
func (h *home) get(ctx context.Context, url string, into any, ok func() bool) (status int) {
	for range 2 {
		status = 0
		one, cancel := context.WithTimeout(ctx, 250*time.Millisecond)
		r, _ := http.NewRequestWithContext(one, http.MethodGet, url, nil)
		if resp, err := h.client.Do(r); err == nil {
			b, berr := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			status = resp.StatusCode
			if berr != nil || status == 200 && (json.Unmarshal(b, into) != nil || !ok()) {
				status = 0
			}
		}
		cancel()
		if status == 200 || status == 404 {
			return status
		}
	}
	return status
}

func problem(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"status":%d,"title":"no"}`, status)
}

func (h *home) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case r.URL.Path == "/healthz":
		return
	case len(parts) == 2 && parts[0] == "home":
		h.page(w, r, parts[1])
	case len(parts) == 3 && parts[2] == "plays":
		h.play(w, r, parts[1])
	default:
		problem(w, 404)
	}
}

func (h *home) page(w http.ResponseWriter, r *http.Request, user string) {
	if h.faults.dies {
		h.once.Do(func() { close(h.gone) })
		panic(http.ErrAbortHandler)
	}
	var profile map[string]any
	var recs struct{ Items []any }
	var experiments struct{ Experiments map[string]any }
	var status [3]int
	var wg sync.WaitGroup
	wg.Go(func() {
		status[0] = h.get(r.Context(), h.env["PROFILE_URL"]+"/profile/"+user, &profile, func() bool { return profile != nil })
	})
	wg.Go(func() {
		status[1] = h.get(r.Context(), h.env["RECS_URL"]+"/recs/"+user, &recs, func() bool { return recs.Items != nil })
	})
	wg.Go(func() {
		status[2] = h.get(r.Context(), h.env["AB_URL"]+"/experiments/"+user, &experiments, func() bool { return experiments.Experiments != nil })
	})
	wg.Wait()
	switch {
	case status[0] == 404:
		problem(w, 404)
		return
	case status[0] != 200 && !h.faults.swallows, h.faults.allOrNothing && status != [3]int{200, 200, 200}:
		problem(w, 503)
		return
	}
	page := map[string]any{"profile": profile, "recs": nil, "experiments": nil}
	if profile == nil {
		page["profile"] = map[string]any{}
	}
	degraded := []string{}
	if status[1] == 200 {
		page["recs"] = recs.Items
	} else {
		degraded = append(degraded, "recs")
	}
	if status[2] == 200 {
		page["experiments"] = experiments.Experiments
	} else {
		degraded = append(degraded, "experiments")
	}
	page["degraded"] = degraded
	_ = json.NewEncoder(w).Encode(page)
}

func (h *home) play(w http.ResponseWriter, r *http.Request, user string) {
	var body struct{ Title *string }
	if json.NewDecoder(r.Body).Decode(&body) != nil || body.Title == nil {
		problem(w, 400)
		return
	}
	tries := 1
	if h.faults.twice {
		tries = 2
	}
	text, _ := json.Marshal(map[string]string{"user": user, "title": *body.Title})
	for range tries {
		status, answer := h.pass(r.Context(), string(text))
		switch {
		case status >= 500 || status == 0:
			continue
		case status >= 400:
			problem(w, status)
		default:
			w.WriteHeader(status)
			_, _ = w.Write(answer)
		}
		return
	}
	problem(w, 502)
}

func (h *home) pass(ctx context.Context, text string) (int, []byte) {
	ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, http.MethodPost, h.env["PROFILE_URL"]+"/plays", strings.NewReader(text))
	resp, err := h.client.Do(r)
	if err != nil {
		return 0, nil
	}
	b, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return 0, nil
	}
	return resp.StatusCode, b
}

// graded drives a service through a scenario and judges it.
func graded(t *testing.T, k kind, scale float64, f homeFaults) (evidence.Measures, evidence.Execution) {
	t.Helper()
	var h *home
	pod := &servicetest.Pod{Serve: func(c workload.Command) (http.Handler, <-chan struct{}) {
		h = newHome(c, f)
		return h, h.gone
	}}
	raw, err := json.Marshal(params{Kind: k, Scale: scale, Rate: 50, Seed: []byte("0123456789abcdef0123456789abcdef"), TimeoutNs: time.Minute})
	require.NoError(t, err)
	executions, err := New().Drive(t.Context(), pod, raw)
	require.NoError(t, err)
	h.client.CloseIdleConnections()
	tr, err := json.Marshal(truth{Kind: k, Scale: scale})
	require.NoError(t, err)
	m, err := New().Measure(evidence.Run{Scenario: string(k), Executions: executions}, tr)
	require.NoError(t, err)
	return m, executions[0]
}

func lost(m evidence.Measures) []string {
	list := []string{}
	for _, c := range m.Cases {
		if !c.Right {
			list = append(list, c.Name)
		}
	}
	return list
}

func TestContract(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		faults homeFaults
		codes  []string
		lost   []string
	}{
		{"good", homeFaults{}, []string{}, []string{}},
		{"all or nothing", homeFaults{allOrNothing: true}, []string{codeNoFallback}, []string{
			"recs-500", "recs-garbage", "recs-other", "recs-midway", "recs-hang", "recs-slow", "ab-500", "ab-garbage", "ab-other", "both-down",
		}},
		{"plays twice", homeFaults{twice: true}, []string{codeRetryUnsafe}, []string{"play-500", "play-cut", "play-hang"}},
		{"swallows", homeFaults{swallows: true}, []string{codeErrorSwallowed}, []string{"profile-500", "profile-garbage", "profile-hang"}},
		{"dies", homeFaults{dies: true}, []string{codeCrash}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, _ := graded(t, kindContract, 1, tt.faults)
			assert.Equal(t, tt.codes, codes(m), "%v", m.Findings)
			if tt.lost == nil {
				assert.Len(t, lost(m), len(m.Cases), "nothing was asked")
				return
			}
			assert.Equal(t, tt.lost, lost(m), "%v", m.Cases)
		})
	}
}

// TestOutages drives a service through outages of a fifth of their length: what the log shows is joined with what was asked. Nothing runs beside
// it, since the service has time limits.
func TestOutages(t *testing.T) {
	for _, tt := range []struct {
		name   string
		faults homeFaults
		check  func(t *testing.T, m evidence.Measures)
	}{
		{"good", homeFaults{}, func(t *testing.T, m evidence.Measures) {
			v := m.Values
			assert.Greater(t, v[metricAvailability], 0.98, "%v", m.Findings)
			assert.Greater(t, v[metricPagesRight], 0.98, "%v", m.Cases)
			assert.InDelta(t, 1, v[metricPlaysRight], 0, "%v", m.Cases)
			assert.InDelta(t, 0, v[metricPlaysTwice], 0)
			assert.InDelta(t, 1.3, v[metricAmplification], 0.15, "one retry")
			assert.InDelta(t, 1, v[metricRetried], 0.1)
			assert.GreaterOrEqual(t, v[metricTries], 2.0, "net/http retries on its own, too, when an old connection is reset")
			assert.Less(t, v[metricRecovery], 2e9)
			assert.InDelta(t, 0, v[metricHeld], 0.1)
			assert.Greater(t, v[metricSockets], 10.0)
			assert.Greater(t, v[metricEarly], 0.5, "nobody waits")
			assert.Greater(t, v[metricCallsRequest], 2.0)
		}},
		{"plays twice", homeFaults{twice: true}, func(t *testing.T, m evidence.Measures) {
			assert.Contains(t, codes(m), codeRetryUnsafe)
			assert.Contains(t, codes(m), codeDuplicateEffect)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, e := graded(t, kindOutages, 0.2, tt.faults)
			tt.check(t, m)
			require.Len(t, e.Series, 1)
			assert.Equal(t, SeriesPages, e.Series[0].Name)
			assert.NotEmpty(t, e.Series[0].T)
			var f facts
			require.NoError(t, json.Unmarshal(e.Facts, &f))
			assert.True(t, f.fits())
			assert.Positive(t, f.BeginNs)
			assert.Zero(t, f.LostCalls)
			assert.NotContains(t, f.Calls.Request, int64(-2), "every call is about somebody who was here")
		})
	}
}

// TestDriveEndsWithItsContext: nothing of ours is left, and the cause is told.
func TestDriveEndsWithItsContext(t *testing.T) {
	t.Parallel()
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	var h *home
	pod := &servicetest.Pod{Serve: func(c workload.Command) (http.Handler, <-chan struct{}) {
		h = newHome(c, homeFaults{})
		time.AfterFunc(700*time.Millisecond, func() { cancel(cause) })
		return h, nil
	}}
	raw, err := json.Marshal(params{Kind: kindOutages, Scale: 1, Rate: 50, Seed: []byte("seed")})
	require.NoError(t, err)
	_, err = New().Drive(ctx, pod, raw)
	require.ErrorIs(t, err, cause)
	h.client.CloseIdleConnections()
	for _, bad := range []string{`[]`, `{}`} {
		_, err = New().Drive(t.Context(), pod, json.RawMessage(bad))
		require.Error(t, err)
	}
}
