package httpthresholds

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/graders/service/servicetest"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/schemas"
	"github.com/assay-run/assay/internal/workload"
)

// server echoes a number, with a fault.
type server struct {
	fault string
	asked atomic.Int64
	gone  chan struct{}
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/healthz" {
		return
	}
	if r.URL.Path == "/before" {
		if s.fault == "before" {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = io.WriteString(w, `{"token": "t-1"}`)
		return
	}
	n := s.asked.Add(1)
	body := map[string]any{}
	_ = json.NewDecoder(r.Body).Decode(&body)
	w.Header().Set("Content-Type", "application/json")
	switch {
	case s.fault == "wrong":
		body["number"] = -1
	case s.fault == "errors" && n%2 == 0:
		w.WriteHeader(http.StatusServiceUnavailable)
	case s.fault == "slow":
		time.Sleep(60 * time.Millisecond)
	case s.fault == "hangs":
		time.Sleep(400 * time.Millisecond)
	case s.fault == "ends" && n == 20:
		close(s.gone)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"number": body["number"], "token": r.Header.Get("X-Token")})
}

const load = `{
  "warmUp": "100ms", "within": "200ms", "heartbeat": {}, "arrivals": "even",
  "load": [{"rate": 100, "for": "500ms"}, {"rate": 200, "for": "300ms"}],
  "before": [{"request": "GET /before", "capture": {"token": "body.token"}}],
  "requests": [
    {"request": "POST /numbers", "headers": {"X-Token": "{{token}}"}, "body": {"number": "{{i}}"}, "status": 200, "share": 3,
     "expect": {"json": {"number": "{{i}}", "token": "{{token}}"}, "schema": {"type": "object"}, "headers": {"content-type": "application/json"}}},
    {"request": "GET /other"}
  ]
}`

func parsed(t testing.TB, text string) map[string]any {
	t.Helper()
	var with map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &with))
	return with
}

func judged(t *testing.T, fault string) evidence.Measures {
	t.Helper()
	g := New()
	with := parsed(t, load)
	require.NoError(t, g.Check(with))
	p, err := g.Prepare(t.Context(), graders.Preparation{Scenario: "main", With: with, Seed: bytes.Repeat([]byte{1}, 32), Timeout: 30 * time.Second})
	require.NoError(t, err)
	pod := &servicetest.Pod{
		Serve: func(workload.Command) (http.Handler, <-chan struct{}) {
			s := &server{fault: fault, gone: make(chan struct{})}
			return s, s.gone
		},
		Usage: evidence.Usage{MemoryPeakBytes: 50 << 20, CPUNs: 11e8, MaxThreads: 11},
	}
	executions, err := g.Drive(t.Context(), pod, p.Params)
	require.NoError(t, err)
	m, err := g.Measure(evidence.Run{Scenario: "main", Executions: executions}, p.Truth)
	require.NoError(t, err)
	known := map[string]bool{}
	for _, d := range g.Metrics() {
		known[d.Name] = true
	}
	for name := range m.Values {
		assert.True(t, known[name], "%s is not documented", name)
	}
	return m
}

func codes(m evidence.Measures) []string {
	list := []string{}
	for _, f := range m.Findings {
		list = append(list, f.Code)
	}
	return list
}

func TestLoads(t *testing.T) {
	t.Parallel()
	for fault, want := range map[string][]string{
		"": {}, "wrong": {"WRONG_OUTPUT"}, "errors": {"WRONG_OUTPUT"}, "slow": {}, "hangs": {"HANG"}, "ends": {"CRASH"}, "before": {"WRONG_OUTPUT"},
	} {
		t.Run("fault "+fault, func(t *testing.T) {
			t.Parallel()
			m := judged(t, fault)
			if fault == "ends" {
				assert.Contains(t, codes(m), "CRASH")
			} else {
				assert.Equal(t, want, codes(m), "%+v", m.Findings)
			}
			v := m.Values
			switch fault {
			case "":
				assert.InDelta(t, 0, v["errors.share"], 0.02)
				assert.InDelta(t, 1, v["answers.right"], 0)
				assert.InDelta(t, 1, v["survived"], 0)
				assert.InDelta(t, 100.0/0.7, v["rate.sent"], 25, "100 requests in the 0.7 s that count")
				assert.Positive(t, v["hb.p99"])
				assert.InDelta(t, 11e8/100, v["cpu.perRequest"], 2e6)
				assert.True(t, m.Cases[0].Right && m.Cases[1].Right, "%+v", m.Cases)
			case "wrong":
				assert.Less(t, v["answers.right"], 0.9)
				assert.False(t, m.Cases[0].Right)
				assert.Contains(t, m.Cases[0].Detail, "The first: Number in the body is -1, expected")
			case "errors":
				assert.InDelta(t, 0.5, v["errors.share"], 0.15)
			case "slow":
				assert.Greater(t, v["latency.p50"], 59e6)
				assert.GreaterOrEqual(t, v["latency.p99"], v["latency.p50"])
			case "hangs":
				assert.Greater(t, v["errors.share"], 0.9)
			case "ends":
				assert.Zero(t, v["survived"])
				assert.Greater(t, v["errors.share"], 0.5)
			case "before":
				assert.InDelta(t, 1, v["before.failed"], 0)
			}
		})
	}
}

func TestChoices(t *testing.T) {
	t.Parallel()
	p := params{Seed: bytes.Repeat([]byte{5}, 32), Requests: []request{{Share: 3}, {}}}
	list := p.choices(4000)
	assert.Equal(t, list, p.choices(4000))
	ones := 0
	for _, c := range list {
		ones += c
	}
	assert.InDelta(t, 1000, ones, 150)
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"requests": [{"request": "GET /"}]}`:                                                                                                     `has no "load"`,
		`{"load": [{"rate": 1, "for": "1s"}], "requests": [{"request": "GET /"}]}`:                                                                 "with.load: the warm-up of 1s leaves nothing of the load of 1s",
		`{"warmUp": "5s", "load": [{"rate": 1, "for": "1s"}], "requests": [{"request": "GET /"}]}`:                                                 "with.warmUp",
		`{"load": [{"rate": 2000, "for": "10m"}], "requests": [{"request": "GET /"}]}`:                                                             "the load has 1200000 requests",
		`{"load": [{"rate": 5000, "for": "10s"}], "requests": [{"request": "GET /"}]}`:                                                             "at most 2000 is allowed",
		`{"load": [{"rate": 5, "for": "10s"}], "requests": [{"request": "GET /{{x}}"}]}`:                                                           "with.requests[0].request: {{x}} is not captured",
		`{"load": [{"rate": 5, "for": "10s"}], "requests": [{"request": "GET /", "expect": {"all": "len(answers) > 1"}}]}`:                         "there is no list of answers in a load",
		`{"load": [{"rate": 5, "for": "10s"}], "requests": [{"request": "GET /", "expect": {"that": "body.a = 1"}}]}`:                              "with.requests[0].expect.that",
		`{"load": [{"rate": 5, "for": "10s"}], "before": [{"request": "GET /", "capture": {"text": "body"}}], "requests": [{"request": "GET /"}]}`: "has a meaning in expressions",
	} {
		err := New().Check(parsed(t, text))
		if assert.Error(t, err, text) {
			assert.Contains(t, err.Error(), want)
		}
	}
	with := parsed(t, `{"load": [{"rate": 5, "for": "10s"}], "requests": [{"request": "GET /", "expect": {"schema": "s.json"}}]}`)
	_, err := New().CheckFiles(with, fstest.MapFS{})
	require.ErrorContains(t, err, "with.requests[0].expect.schema: there is no file s.json")
	used, err := New().CheckFiles(with, fstest.MapFS{"s.json": &fstest.MapFile{Data: []byte(`{}`)}})
	require.NoError(t, err)
	assert.Equal(t, []string{"s.json"}, used)
	_, err = schemas.Compile("settings", New().SettingsSchema())
	require.NoError(t, err)
}

// TestExpectedStaysOnTheHost holds that the driver knows requests and statuses only.
func TestExpectedStaysOnTheHost(t *testing.T) {
	t.Parallel()
	p, err := New().Prepare(t.Context(), graders.Preparation{
		With: parsed(t, `{"load": [{"rate": 5, "for": "10s"}], "requests": [{"request": "GET /", "expect": {"json": "answer-secret"}}]}`), Seed: make([]byte, 32),
	})
	require.NoError(t, err)
	assert.NotContains(t, string(p.Params), "secret")
	assert.Contains(t, string(p.Truth), "secret")
}
