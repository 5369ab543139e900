package httpscript

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/graders/exchange"
	"github.com/assay-run/assay/graders/service/servicetest"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/schemas"
	"github.com/assay-run/assay/internal/workload"
)

// faults are what may be wrong with the service.
type faults struct {
	forgets    bool // notes are gone after a restart
	wrongText  bool
	sameIDs    bool
	neverReady bool
	ends       bool // at the first note
	slow       bool
	calls      int // to the upstream for each note
}

// notes is a service for notes; what it keeps outlives its processes.
type notes struct {
	mu     sync.Mutex
	faults faults
	kept   map[string]string
	next   int
	gone   chan struct{}
	env    map[string]string
}

func (n *notes) start(c workload.Command) (http.Handler, <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.env, n.gone = c.Env, make(chan struct{})
	if n.kept == nil || n.faults.forgets {
		n.kept = map[string]string{}
	}
	return n, n.gone
}

func (n *notes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/healthz" {
		if n.faults.neverReady {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodPost {
		n.create(w, r)
		return
	}
	n.mu.Lock()
	text, ok := n.kept[strings.TrimPrefix(r.URL.Path, "/notes/")]
	n.mu.Unlock()
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"text": text})
}

func (n *notes) create(w http.ResponseWriter, r *http.Request) {
	var body struct{ Text string }
	raw, _ := io.ReadAll(r.Body)
	if json.Unmarshal(raw, &body) != nil || body.Text == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.faults.ends {
		close(n.gone)
		time.Sleep(50 * time.Millisecond)
		return
	}
	if n.faults.slow {
		time.Sleep(300 * time.Millisecond)
	}
	for range n.faults.calls {
		resp, err := http.Post(n.env["AUDIT_URL"]+"/events", "application/json", bytes.NewReader(raw))
		if err == nil {
			_ = resp.Body.Close()
		}
	}
	n.next++
	id := fmt.Sprintf("n%d", n.next)
	if n.faults.sameIDs {
		id = "n1"
	}
	n.kept[id] = body.Text
	if n.faults.wrongText {
		body.Text += "!"
	}
	w.Header().Set("Location", "/notes/"+id)
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(map[string]any{"id": id, "text": body.Text})
}

// script is a script that uses most of what there is.
const script = `{
  "heartbeat": {"hz": 100},
  "upstreams": {"AUDIT_URL": {"status": 202, "keep": ["Content-Type"]}},
  "steps": [
    {"name": "create", "request": "POST /notes", "body": {"text": "of {{run}}"}, "within": "200ms", "capture": {"id": "body.id"},
     "expect": {"status": [200, 201], "headers": {"Location": "/^/notes/n[0-9]+$/"}, "schema": "note.json", "that": "body.text == 'of ' + run and len(calls.AUDIT_URL) == 1"}},
    {"request": "GET /notes/{{id}}", "expect": {"status": "2xx", "json": {"text": "of {{run}}"}, "headers": {"content-type": "application/json"}}},
    {"request": "POST /notes", "body": "no json", "expect": {"status": 400}, "code": "BAD_ERRORS"},
    {"name": "many", "request": "POST /notes", "body": {"text": "n {{i}}"}, "times": 6, "atOnce": 3, "expect": {"all": "len(groupBy(answers, .body.id)) == 6"}},
    {"wait": "20ms"},
    {"rounds": 2, "steps": [
      {"restart": "kill"},
      {"name": "kept", "request": "GET /notes/{{id}}", "expect": {"json": {"text": "of {{run}}"}}, "code": "STATE_LOST", "weight": 2}
    ]},
    {"name": "soon", "request": "GET /notes/{{id}}", "until": "status == 200", "for": "300ms", "expect": {"status": 200}}
  ]
}`

var noteSchema = fstest.MapFS{"note.json": &fstest.MapFile{Data: []byte(`{"type": "object", "required": ["id", "text"]}`)}}

func parsed(t *testing.T, text string) map[string]any {
	t.Helper()
	var with map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &with))
	return with
}

func judged(t *testing.T, f faults) evidence.Measures {
	t.Helper()
	g, n := New(), &notes{faults: f}
	with := parsed(t, script)
	require.NoError(t, g.Check(with))
	p, err := g.Prepare(t.Context(), graders.Preparation{Scenario: "main", With: with, Seed: bytes.Repeat([]byte{1}, 32), Timeout: 30 * time.Second, Files: noteSchema})
	require.NoError(t, err)
	pod := &servicetest.Pod{Serve: n.start, Usage: evidence.Usage{MemoryPeakBytes: 50 << 20, CPUNs: 1e8, MaxThreads: 11}}
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

func TestScripts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name         string
		faults       faults
		codes        []string
		right, after float64
		lost         string
	}{
		{"good", faults{calls: 1}, []string{}, 1, 1, ""},
		{"forgets", faults{calls: 1, forgets: true}, []string{"STATE_LOST", "WRONG_OUTPUT"}, 4.0 / 9, 0, "Status 404"},
		{"wrong text", faults{calls: 1, wrongText: true}, []string{"WRONG_OUTPUT"}, 8.0 / 9, 1, "does not hold; the body is"},
		{"same ids", faults{calls: 1, sameIDs: true}, []string{"WRONG_OUTPUT", "STATE_LOST"}, 4.0 / 9, 1.0 / 5, "Of 6 answers together"},
		{"no call", faults{}, []string{"WRONG_OUTPUT"}, 8.0 / 9, 1, "len(calls.AUDIT_URL) == 1"},
		{"slow", faults{calls: 1, slow: true}, []string{"HANG", "WRONG_OUTPUT", "STATE_LOST"}, -1, -1, "There was no complete answer within 200ms."},
		{"ends", faults{ends: true}, []string{"CRASH"}, -1, -1, "It was not sent: the service did not run"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := judged(t, tt.faults)
			if tt.name != "slow" && tt.name != "ends" {
				assert.Equal(t, tt.codes, codes(m), "%+v", m.Findings)
				assert.InDelta(t, tt.right, m.Values["cases.right"], 1e-9, "%+v", m.Cases)
				assert.InDelta(t, tt.after, m.Values["afterKill.right"], 1e-9)
			} else {
				assert.Contains(t, codes(m), tt.codes[0], "%+v", m.Findings)
				assert.Less(t, m.Values["cases.right"], 1.0)
			}
			found := tt.lost == ""
			for _, c := range m.Cases {
				found = found || strings.Contains(c.Detail, tt.lost)
			}
			if tt.name != "ends" {
				assert.True(t, found, "%+v", m.Cases)
			}
			_, counted := m.Values["cpu.total"]
			assert.Equal(t, tt.name == "good", counted)
			if tt.name == "good" {
				assert.InDelta(t, 1, m.Values["survived"], 0)
				assert.InDelta(t, 7, m.Values["upstream.calls"], 0)
				assert.Positive(t, m.Values["hb.p99"])
				assert.Positive(t, m.Values["restart.max"])
				assert.InDelta(t, 3e8, m.Values["cpu.total"], 0, "three processes")
				assert.Len(t, m.Cases, 7)
				assert.Equal(t, "kept (round 2)", m.Cases[5].Title)
			}
		})
	}
}

func TestNeverReady(t *testing.T) {
	t.Parallel()
	g := New()
	p, err := g.Prepare(t.Context(), graders.Preparation{With: parsed(t, `{"steps": [{"request": "GET /a"}]}`), Seed: make([]byte, 32), Timeout: 3300 * time.Millisecond})
	require.NoError(t, err)
	n := &notes{faults: faults{neverReady: true}}
	executions, err := g.Drive(t.Context(), &servicetest.Pod{Serve: n.start}, p.Params)
	require.NoError(t, err)
	m, err := g.Measure(evidence.Run{Executions: executions}, p.Truth)
	require.NoError(t, err)
	assert.Equal(t, []string{"HANG"}, codes(m))
	assert.Zero(t, m.Values["survived"])
	assert.Zero(t, m.Values["cases.right"])
	_, err = g.Measure(evidence.Run{Executions: []evidence.Execution{{Name: "other"}}}, p.Truth)
	require.Error(t, err)
}

// TestExpectedStaysOnTheHost holds that the driver knows requests only.
func TestExpectedStaysOnTheHost(t *testing.T) {
	t.Parallel()
	p, err := New().Prepare(t.Context(), graders.Preparation{
		With: parsed(t, `{"steps": [{"name": "name-secret", "code": "STATE_LOST", "request": "GET /a", "expect": {"json": {"a": "answer-secret"}, "that": "text != 'other-secret'"}}]}`), Seed: make([]byte, 32),
	})
	require.NoError(t, err)
	assert.NotContains(t, string(p.Params), "secret")
	assert.NotContains(t, string(p.Params), "STATE_LOST")
	assert.Contains(t, string(p.Truth), "answer-secret")
}

// TestHeadersOfConditionsAreKept holds that a condition can look at any header that it names.
func TestHeadersOfConditionsAreKept(t *testing.T) {
	t.Parallel()
	p, err := New().Prepare(t.Context(), graders.Preparation{
		With: parsed(t, `{"steps": [{"request": "GET /a", "expect": {"that": "headers[\"x-own\"] == 'a'"}, "capture": {"b": "headers.other"}}]}`), Seed: make([]byte, 32),
	})
	require.NoError(t, err)
	var d params
	require.NoError(t, json.Unmarshal(p.Params, &d))
	assert.Subset(t, d.Keep, []string{"X-Own", "Other", "Location"})
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for steps, want := range map[string]string{
		`[{"name": "x"}]`:                                                                                      "with.steps[0]: a step has exactly one of request, wait, restart and rounds; this one has 0",
		`[{"request": "GET /", "wait": "1s"}]`:                                                                 "this one has 2 of them",
		`[{"request": "FETCH /"}]`:                                                                             "expected a method and a path",
		`[{"request": "GET /{{id}}"}]`:                                                                         "with.steps[0].request: {{id}} is not captured in a step above; allowed: run",
		`[{"request": "POST /", "body": {"a": ["{{idd}}"]}}]`:                                                  "with.steps[0].body.a[0]: {{idd}} is not captured",
		`[{"request": "GET /", "capture": {"status": "body.x"}}]`:                                              `with.steps[0].capture.status: "status" has a meaning in expressions`,
		`[{"request": "GET /", "capture": {"a": "bdy.x"}}]`:                                                    "with.steps[0].capture.a: unknown name bdy",
		`[{"request": "GET /", "expect": {"that": "status + 1"}}]`:                                             "with.steps[0].expect.that: it must be true or false",
		`[{"request": "GET /", "expect": {"that": "answers[0].status == 1"}}]`:                                 "unknown name answers",
		`[{"request": "GET /", "expect": {"headers": {"A": "/(/"}}}]`:                                          "with.steps[0].expect.headers.A",
		`[{"request": "GET /", "expect": {"schema": {"type": "objekt"}}}]`:                                     "with.steps[0].expect.schema",
		`[{"request": "GET /", "expect": {"status": "4x"}}]`:                                                   "expected a status such as 201",
		`[{"request": "GET /", "expect": {"stauts": 200}}]`:                                                    "did you mean status?",
		`[{"request": "GET /", "code": "STATE_LOSS"}]`:                                                         "did you mean STATE_LOST?",
		`[{"request": "GET /", "until": "status == 200"}]`:                                                     "until and for belong together",
		`[{"wait": "2s", "expect": {"status": 200}}]`:                                                          "only a request has an answer",
		`[{"wait": "99s"}]`:                                                                                    "with.steps[0].wait: 99s is too long",
		`[{"rounds": 2}]`:                                                                                      "rounds need steps",
		`[{"rounds": 2, "steps": [{"rounds": 2, "steps": [{"wait": "1s"}]}]}]`:                                 "with.steps[0].steps[0].rounds: rounds within rounds",
		`[{"rounds": 50, "steps": [{"request": "GET /", "times": 1000}]}]`:                                     "50 steps and 50000 requests",
		`[{"request": "GET /", "expect": {"all": "len(answers) == 1"}}]`:                                       "with.steps[0].expect.all: all judges the answers of a repeated request together: add times",
		`[{"request": "GET /", "name": "a"}, {"wait": "1s", "name": "a"}]`:                                     `with.steps[1].name: there are two steps called "a"`,
		`[{"request": "GET /", "capture": {"a": "body.x"}}, {"request": "GET /", "capture": {"a": "body.x"}}]`: `with.steps[1].capture.a: "a" is captured in a step above already`,
		`[{"request": "GET /{{i}}"}]`:                                                                          "with.steps[0].request: {{i}} counts the repetitions of a request: add times",
		`[{"request": "GET /{{round}}"}]`:                                                                      "{{round}} counts rounds",
		`[{"request": "GET /", "expect": {"that": "headers.Location == '/'"}}]`:                                `with.steps[0].expect.that: write headers["location"] in place of headers.Location`,
		`[{"request": "GET /", "expect": {"that": "len(text) > 0 and headers[\"Location\"] == '/'"}}]`:         `write headers["location"] in place of headers["Location"]`,
		`[{"request": "GET /", "expect": {"that": "headers.content-type == 'a'"}}]`:                            `write headers["content-type"] in place of headers.content-type`,
		`[{"request": "GET /", "times": 2, "expect": {"all": "all(answers, .headers.Location == '/')"}}]`:      `write headers["location"]`,
		`[{"request": "GET /", "expect": {"that": "status != winner"}}]`:                                       "unknown name winner; there are body, calls, headers, ms, run, status, text, and the functions of the language (character 11, at \"winner\"); a captured value is known in the steps below",
	} {
		err := New().Check(parsed(t, `{"steps": `+steps+`}`))
		if assert.Error(t, err, steps) {
			assert.Contains(t, err.Error(), want)
		}
	}
	require.ErrorContains(t, New().Check(parsed(t, `{"steps": [{"wait": "1s"}], "upstreams": {"A_URL": {"down": [{"from": "2s", "to": "1s"}]}}}`)), "with.upstreams.A_URL.down[0]: times must ascend")
	require.ErrorContains(t, New().Check(parsed(t, `{"steps": [{"wait": "1s"}], "upstreams": {"A_URL": {"fault": "explode"}}}`)), "hang")
	for _, steps := range []string{
		`[{"request": "GET /", "capture": {"seq": "body.n"}}, {"rounds": 2, "steps": [{"request": "GET /{{seq}}", "capture": {"seq": "body.n"}}]}]`,
		`[{"request": "GET /", "expect": {"that": "body.headers.Accept == headers[\"x-own\"] and headers.etag != ''"}}]`,
	} {
		require.NoError(t, New().Check(parsed(t, `{"steps": `+steps+`}`)), steps)
	}
	_, err := New().CheckFiles(parsed(t, script), fstest.MapFS{})
	require.ErrorContains(t, err, "with.steps[0].expect.schema: there is no file note.json")
	_, err = New().CheckFiles(parsed(t, `{"steps": [{"request": "GET /", "expect": {"schema": "../x.json"}}]}`), fstest.MapFS{})
	require.ErrorContains(t, err, "without ..")
	used, err := New().CheckFiles(parsed(t, script), noteSchema)
	require.NoError(t, err)
	assert.Equal(t, []string{"note.json"}, used)
	_, err = schemas.Compile("settings", New().SettingsSchema())
	require.NoError(t, err)
}

// FuzzMeasure judges whatever a service may have said.
func FuzzMeasure(f *testing.F) {
	f.Add(201, `{"id": "n1", "text": "of 00"}`, "/notes/n1")
	f.Add(200, `[[[[`, "\r\n")
	f.Add(-1, `{"id": {"a": [1, null]}, "text": 5}`, "x")
	var with map[string]any
	if err := json.Unmarshal([]byte(script), &with); err != nil {
		f.Fatal(err)
	}
	p, err := New().Prepare(f.Context(), graders.Preparation{With: with, Seed: make([]byte, 32), Files: noteSchema})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, status int, body, location string) {
		a := &exchange.Answer{Status: status, Body: strings.ToValidUTF8(body, "\uFFFD"), Headers: map[string]string{"Location": strings.ToValidUTF8(location, "\uFFFD")}}
		fact := facts{ReadyNs: []int64{1}}
		for range 12 {
			fact.Steps = append(fact.Steps, done{Answers: []*exchange.Answer{a, nil, a}, Calls: map[string]int{"AUDIT_URL": 1 << 40}})
		}
		raw, err := json.Marshal(fact)
		require.NoError(t, err)
		m, err := New().Measure(evidence.Run{Executions: []evidence.Execution{{Name: "service", Facts: raw, Exit: evidence.Exit{Status: evidence.Signaled, Signal: "SIGKILL"}}}}, p.Truth)
		require.NoError(t, err)
		for _, c := range m.Cases {
			assert.NotContains(t, c.Detail, "\n")
			assert.Less(t, len(c.Detail), 3000)
		}
	})
}
