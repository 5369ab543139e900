package docker

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/runner"
)

// daemon is a container engine that answers from a script, by "METHOD path" without the version.
type daemon struct {
	t        *testing.T
	answers  map[string]http.HandlerFunc
	mu       sync.Mutex
	requests []string
}

func (d *daemon) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, path, versioned := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v"), "/")
	if !versioned || !strings.HasPrefix(r.URL.Path, "/v") {
		path = strings.TrimPrefix(r.URL.Path, "/")
	}
	key := r.Method + " " + path
	d.mu.Lock()
	d.requests = append(d.requests, key)
	d.mu.Unlock()
	if answer, ok := d.answers[key]; ok {
		answer(w, r)
		return
	}
	if path == "_ping" {
		w.Header().Set("Api-Version", "1.41")
		return
	}
	reply(http.StatusNotFound, map[string]string{"message": "no such thing: " + key})(w, r)
}

func (d *daemon) asked(key string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Contains(d.requests, key)
}

func reply(status int, body any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}
}

// hangUp drops the connection without an answer.
func hangUp(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

func testConfig(t *testing.T, host string) Config {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "driver")
	require.NoError(t, os.WriteFile(bin, []byte("binary"), 0o600))
	return Config{Host: host, Session: "mine", StateID: "here", DriverBinary: bin, Image: "assay/node:24"}
}

func connect(t *testing.T, answers map[string]http.HandlerFunc, change ...func(*Config)) (*Engine, *daemon) {
	t.Helper()
	d := &daemon{t: t, answers: answers}
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	cfg := testConfig(t, strings.Replace(server.URL, "http", "tcp", 1))
	for _, c := range change {
		c(&cfg)
	}
	e, err := New(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, e.Close()) })
	return e, d
}

func TestConfigValidate(t *testing.T) {
	t.Parallel()
	_, err := New(t.Context(), Config{Session: "s"})
	for _, missing := range []string{"StateID", "DriverBinary", "Image"} {
		require.ErrorContains(t, err, missing+" is empty")
	}
	require.NotContains(t, err.Error(), "Session")
}

func TestNewWithoutEngine(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	host := "tcp://" + l.Addr().String()
	require.NoError(t, l.Close())
	for _, host := range []string{host, "unix://" + filepath.Join(t.TempDir(), "none.sock")} {
		_, err = New(t.Context(), testConfig(t, host))
		require.ErrorIs(t, err, runner.ErrEngineDown)
		require.ErrorContains(t, err, "assay doctor", "it says what to do")
	}
}

func TestEngineGoesAway(t *testing.T) {
	t.Parallel()
	e, _ := connect(t, map[string]http.HandlerFunc{
		"GET info": hangUp, "GET containers/json": hangUp, "GET images/assay/driver:9a3a45d01531/json": hangUp,
		"POST volumes/create": hangUp,
	})
	_, err := e.Info(t.Context())
	require.ErrorIs(t, err, runner.ErrEngineDown)
	_, err = e.Sweep(t.Context())
	require.ErrorIs(t, err, runner.ErrEngineDown)
	_, err = e.OpenPod(t.Context(), runner.PodSpec{})
	require.ErrorIs(t, err, runner.ErrEngineDown)
	_, err = e.Stage(t.Context(), runner.StageSpec{Dir: t.TempDir()})
	require.ErrorIs(t, err, runner.ErrEngineDown)
}

func TestInfoAsksOnce(t *testing.T) {
	t.Parallel()
	asked := 0
	e, _ := connect(t, map[string]http.HandlerFunc{"GET info": func(w http.ResponseWriter, r *http.Request) {
		asked++
		reply(200, map[string]any{
			"ServerVersion": "20.10.24", "CgroupVersion": "1", "NCPU": 2, "KernelVersion": "6.1", "DefaultRuntime": "runc",
		})(w, r)
	}})
	for range 3 {
		info, err := e.Info(t.Context())
		require.NoError(t, err)
		assert.Equal(t, runner.Info{
			Name: "docker", Version: "20.10.24", APIVersion: "1.41", CgroupVersion: 1, Kernel: "6.1", Sandboxed: true, CPUs: 2,
			Runtime: "runc", Seccomp: "none",
		}, info)
	}
	assert.Equal(t, 1, asked)
}

func TestCancelledCallsKeepTheirCause(t *testing.T) {
	t.Parallel()
	e, d := connect(t, nil)
	cause := errors.New("the user has gone home")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	_, err := e.OpenPod(ctx, runner.PodSpec{})
	require.ErrorIs(t, err, cause)
	_, err = e.Sweep(ctx)
	require.ErrorIs(t, err, cause)
	assert.False(t, d.asked("POST containers/create"))
}

func TestSweepTakesTheDeadOnly(t *testing.T) {
	t.Parallel()
	labels := func(session string) map[string]string {
		return map[string]string{labelState: "here", labelSession: session}
	}
	gone := reply(http.StatusNoContent, nil)
	e, d := connect(t, map[string]http.HandlerFunc{
		"GET containers/json": reply(200, []map[string]any{
			{"Id": "c-dead", "Labels": labels("dead")}, {"Id": "c-live", "Labels": labels("live")},
			{"Id": "c-mine", "Labels": labels("mine")}, {"Id": "c-none", "Labels": map[string]string{labelState: "here"}},
			{"Id": "c-stuck", "Labels": labels("dead")},
		}),
		"GET volumes": reply(200, map[string]any{"Volumes": []map[string]any{
			{"Name": "v-dead", "Labels": labels("dead")}, {"Name": "v-live", "Labels": labels("live")},
		}}),
		"GET networks":              reply(200, []map[string]any{{"Id": "n-dead", "Labels": labels("dead")}, {"Id": "n-live", "Labels": labels("live")}}),
		"DELETE containers/c-dead":  gone,
		"DELETE containers/c-stuck": reply(500, map[string]string{"message": "device is busy"}),
		"DELETE volumes/v-dead":     gone,
		"DELETE networks/n-dead":    gone,
	}, func(c *Config) { c.SessionAlive = func(s string) bool { return s != "dead" } })
	swept, err := e.Sweep(t.Context())
	require.ErrorContains(t, err, "device is busy", "what cannot be removed is told")
	assert.Equal(t, runner.Swept{Containers: 1, Volumes: 1, Networks: 1}, swept, "and does not keep the rest")
	for _, key := range []string{
		"DELETE containers/c-live", "DELETE containers/c-mine", "DELETE containers/c-none", "DELETE volumes/v-live",
		"DELETE networks/n-live",
	} {
		assert.False(t, d.asked(key), key)
	}
}

func TestFailedPodLeavesNothing(t *testing.T) {
	t.Parallel()
	created := reply(http.StatusCreated, map[string]string{"Id": strings.Repeat("d", 64)})
	for _, tt := range []struct {
		name    string
		answers map[string]http.HandlerFunc
		want    error
		text    string
	}{
		{"image missing", map[string]http.HandlerFunc{
			"POST containers/create": reply(404, map[string]string{"message": "No such image: assay/driver"}),
		}, runner.ErrImageMissing, "assay setup"},
		{"bad request", map[string]http.HandlerFunc{
			"POST containers/create": reply(400, map[string]string{"message": "cpuset 99 is not available"}),
		}, nil, "cpuset 99"},
		{"attach fails", map[string]http.HandlerFunc{"POST containers/create": created}, nil, "attach to driver"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			removed := make(chan string, 8)
			tt.answers["GET info"] = reply(200, map[string]any{"ServerVersion": "20.10.24"})
			tt.answers["POST volumes/create"] = func(w http.ResponseWriter, r *http.Request) {
				var v struct{ Name string }
				assert.NoError(t, json.NewDecoder(r.Body).Decode(&v))
				removed <- v.Name
				reply(http.StatusCreated, v)(w, r)
			}
			e, d := connect(t, tt.answers)
			e.driver.ref = "assay/driver:test"
			_, err := e.OpenPod(t.Context(), runner.PodSpec{})
			require.ErrorContains(t, err, tt.text)
			if tt.want != nil {
				require.ErrorIs(t, err, tt.want)
			}
			assert.True(t, d.asked("DELETE volumes/"+<-removed))
			if tt.name == "attach fails" {
				assert.True(t, d.asked("DELETE containers/"+strings.Repeat("d", 64)))
			}
		})
	}
}
