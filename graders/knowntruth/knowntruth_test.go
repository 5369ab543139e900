package knowntruth

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/assay-run/assay/internal/workload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestProgramIsComplete(t *testing.T) {
	t.Parallel()
	start := Start()
	_, err := fs.Stat(Program(), start[len(start)-1])
	assert.NoError(t, err)
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	env, err := Environment(nil, "", "out")
	require.NoError(t, err)
	assert.Equal(t, map[string]string{scriptVariable: "[]", outVariable: "out"}, env)
	env, err = Environment([]Step{{Do: DoRest, Ms: 5}}, "80", "")
	require.NoError(t, err)
	assert.Equal(t, "80", env[portVariable])
	assert.JSONEq(t, `[{"do":"rest","ms":5}]`, env[scriptVariable])
}

func TestReadTruth(t *testing.T) {
	t.Parallel()
	truth, err := ReadTruth(`{"node":"v24","events":[{"do":"block","how":"cpu","ms":5,"from":7,"to":9,"longest":2}]}`)
	require.NoError(t, err)
	assert.Equal(t, []Event{{Do: DoBlock, How: BlockCPU, Ms: 5, From: 7, To: 9, Longest: 2}}, truth.Events)
	for _, text := range []string{"", "{", `{"events":[{"from":9,"to":7}]}`, `{"events":[{"to":7}]}`} {
		_, err := ReadTruth(text)
		assert.Error(t, err, text)
	}
}

func TestDriveRefusesParams(t *testing.T) {
	t.Parallel()
	_, err := New().Drive(t.Context(), nil, json.RawMessage("no"))
	assert.Error(t, err)
}

func testLoad() Load {
	return Load{Connections: 2, WarmUp: 10 * time.Millisecond, Closed: 50 * time.Millisecond, Open: 300 * time.Millisecond, Hz: 100}
}

func TestRunLoad(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != loadTarget {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer s.Close()
	r, err := RunLoad(t.Context(), strings.TrimPrefix(s.URL, "http://"), testLoad())
	require.NoError(t, err)
	assert.Positive(t, r.Requests)
	assert.Positive(t, r.PerSecond)
	assert.LessOrEqual(t, r.ClosedP50, r.ClosedP99)
	assert.Positive(t, r.Open.Due)
}

func TestRunLoadRefuses(t *testing.T) {
	t.Parallel()
	_, err := RunLoad(t.Context(), "127.0.0.1:1", Load{})
	assert.Error(t, err, "no load")
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	_, err = RunLoad(t.Context(), strings.TrimPrefix(s.URL, "http://"), testLoad())
	assert.ErrorContains(t, err, "404")
}

func TestNearest(t *testing.T) {
	t.Parallel()
	assert.Zero(t, nearest(nil, 0.5))
	assert.Equal(t, int64(2), nearest([]int64{1, 2, 3}, 0.5))
	assert.Equal(t, int64(3), nearest([]int64{1, 2, 3}, 0.99))
}

func TestOverlap(t *testing.T) {
	t.Parallel()
	zero := time.Now()
	at := func(ms int) time.Time { return zero.Add(time.Duration(ms) * time.Millisecond) }
	pauses := []workload.Pause{{From: at(0), To: at(10)}, {From: at(20), To: at(30)}}
	for want, span := range map[time.Duration][2]int{
		20 * time.Millisecond: {-5, 50},
		10 * time.Millisecond: {5, 25},
		3 * time.Millisecond:  {22, 25},
		0:                     {10, 20},
	} {
		assert.Equal(t, want, overlap(pauses, at(span[0]), at(span[1])))
	}
}
