package logaggregate

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/graders/heartbeat"
	"github.com/assay-run/assay/internal/evidence"
)

// podFor is a pod whose submission is this test binary.
func podFor(t *testing.T, dataDir, mode string) *hostPod {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	pod := newHostPod(t, dataDir, self)
	pod.env = []string{submissionMode + "=" + mode}
	return pod
}

// TestDriveAndMeasure is the whole way: data, processes, heartbeat, result, judgement.
func TestDriveAndMeasure(t *testing.T) {
	t.Parallel()
	cache := t.TempDir()
	plain := map[string]any{"kind": "plain", "size": "1MiB"}
	tests := []struct {
		name    string
		with    map[string]any
		mode    string
		timeout time.Duration
		codes   []string
		check   func(t *testing.T, m evidence.Measures)
	}{
		{"plain", plain, "good", time.Minute, []string{}, func(t *testing.T, m evidence.Measures) {
			assert.InDelta(t, 1, m.Values[metricExact], 0)
			assert.InDelta(t, 1, m.Values[metricMonotonic], 0)
			assert.Positive(t, m.Values[heartbeat.MetricAnswered])
			assert.Positive(t, m.Values[metricThroughput])
			assert.Positive(t, m.Values[metricMemPeak])
		}},
		{"gzip", map[string]any{"kind": "gzip", "size": "512KiB"}, "good", time.Minute, []string{}, func(t *testing.T, m evidence.Measures) {
			assert.InDelta(t, 1, m.Values[metricExact], 0)
		}},
		{"wrong", plain, "wrong", time.Minute, []string{codeWrongOutput}, func(t *testing.T, m evidence.Measures) {
			assert.InDelta(t, 5.0/6, m.Values[metricRightFields], 1e-9)
		}},
		{"crash", plain, "crash", time.Minute, []string{codeCrash}, func(t *testing.T, m evidence.Measures) {
			assert.Contains(t, m.Findings[0].Detail, "TypeError: nothing works")
		}},
		{"hang", plain, "hang", 1500 * time.Millisecond, []string{codeHang}, nil},
		{"no progress", plain, "mute", time.Minute, []string{}, func(t *testing.T, m evidence.Measures) {
			assert.InDelta(t, 0, m.Values[heartbeat.MetricAnswered], 0)
			assert.InDelta(t, 0, m.Values[metricMonotonic], 0)
			assert.InDelta(t, 1, m.Values[metricExact], 0)
		}},
		{"progress goes back", plain, "backwards", time.Minute, []string{}, func(t *testing.T, m evidence.Measures) {
			assert.InDelta(t, 0, m.Values[metricMonotonic], 0)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := prepareFor(t, cache, tt.with, tt.timeout)
			pod := podFor(t, p.DataDir, tt.mode)
			executions, err := New().Drive(t.Context(), pod, p.Params)
			require.NoError(t, err)
			require.Len(t, executions, 1)
			assert.NotNil(t, executions[0].Find(evidence.SeriesHeartbeat))
			require.Len(t, pod.started, 1)
			assert.Equal(t, executions[0].InputBytes, pod.started[0].InputBytes)
			m := measure(t, evidence.Run{Scenario: "main", Executions: executions}, decode(t, p.Truth))
			assert.Equal(t, tt.codes, codes(m))
			if tt.check != nil {
				tt.check(t, m)
			}
		})
	}
}

func decode(t *testing.T, raw json.RawMessage) truth {
	t.Helper()
	var tr truth
	require.NoError(t, json.Unmarshal(raw, &tr))
	return tr
}

// someFiles is the params of a few files of the anomaly pack that are small.
func someFiles(t *testing.T, p prepared, timeout time.Duration, names ...string) json.RawMessage {
	t.Helper()
	var all params
	require.NoError(t, json.Unmarshal(p.Params, &all))
	some := params{TimeoutNs: timeout}
	for _, f := range all.Files {
		for _, name := range names {
			if f.Case == name {
				some.Files = append(some.Files, f)
			}
		}
	}
	require.Len(t, some.Files, len(names))
	return encode(t, some)
}

func TestDriveSeveralFiles(t *testing.T) {
	t.Parallel()
	p := prepareFor(t, t.TempDir(), map[string]any{"kind": "anomalies"}, time.Minute)
	checkPack(t, p)
	names := []string{"empty", "crlf", "names", "gz-members", "gz-truncated", "gz-damaged", "invalid-utf8"}

	t.Run("good", func(t *testing.T) {
		t.Parallel()
		pod := podFor(t, p.DataDir, "quick")
		executions, err := New().Drive(t.Context(), pod, someFiles(t, p, time.Minute, names...))
		require.NoError(t, err)
		require.Len(t, executions, len(names))
		m := measure(t, evidence.Run{Scenario: "anomalies", Executions: executions}, decode(t, p.Truth))
		assert.Empty(t, codes(m))
		right := 0
		for _, c := range m.Cases {
			if c.Right {
				right++
			}
		}
		assert.Equal(t, len(names), right)
		used := map[string]bool{}
		for i, c := range pod.started {
			assert.Nil(t, executions[i].Heartbeat)
			assert.False(t, used[c.Args[3]], "the same result file twice")
			used[c.Args[3]] = true
		}
		last := pod.reported[len(pod.reported)-1]
		assert.LessOrEqual(t, last.Done, last.Total)
	})
	t.Run("dies on each", func(t *testing.T) {
		t.Parallel()
		executions, err := New().Drive(t.Context(), podFor(t, p.DataDir, "crash"), someFiles(t, p, time.Minute, "empty", "crlf", "names"))
		require.NoError(t, err)
		assert.Len(t, executions, 3, "what one file does to a program keeps it from the next one")
	})
	t.Run("hangs on each", func(t *testing.T) {
		t.Parallel()
		begin := time.Now()
		executions, err := New().Drive(t.Context(), podFor(t, p.DataDir, "hang"), someFiles(t, p, 1500*time.Millisecond, "empty", "crlf", "names"))
		require.NoError(t, err)
		assert.Len(t, executions, 1, "the time was used up by the first file")
		assert.Equal(t, evidence.TimedOut, executions[0].Exit.Status)
		assert.Less(t, time.Since(begin), 20*time.Second)
	})
}

func TestTimeLimits(t *testing.T) {
	t.Parallel()
	several := func(n int) params { return params{TimeoutNs: time.Minute, Files: make([]input, n)} }
	tests := []struct {
		name string
		d    driver
		at   time.Duration
		want time.Duration
		ok   bool
	}{
		{"none", driver{params: params{Files: make([]input, 20)}}, time.Hour, 0, true},
		{"one file has all of it", driver{params: several(1)}, 0, time.Minute, true},
		{"several share it", driver{params: several(20)}, 0, fileTimeout, true},
		{"what is left", driver{params: several(20)}, 50 * time.Second, 10 * time.Second, true},
		{"after two hangs", driver{params: several(20), hangs: 2}, 0, shortTimeout, true},
		{"one file, after a hang", driver{params: several(1), hangs: 9}, 0, time.Minute, true},
		{"used up", driver{params: several(20)}, time.Minute, 0, false},
		{"too little for a start", driver{params: several(20)}, time.Minute - startShare, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			limit, ok := tt.d.timeLimit(tt.at)
			assert.Equal(t, tt.ok, ok)
			if ok {
				assert.Equal(t, tt.want, limit)
			}
		})
	}
}

func TestDriveSadPaths(t *testing.T) {
	t.Parallel()
	one := encode(t, params{Files: []input{{Case: "main", File: "x", Bytes: 1}}, Hz: 100})
	t.Run("params", func(t *testing.T) {
		t.Parallel()
		_, err := New().Drive(t.Context(), podFor(t, t.TempDir(), "good"), json.RawMessage(`{`))
		require.ErrorContains(t, err, "read params")
		_, err = New().Drive(t.Context(), podFor(t, t.TempDir(), "good"), json.RawMessage(`{}`))
		require.ErrorContains(t, err, "no files")
	})
	t.Run("start fails", func(t *testing.T) {
		t.Parallel()
		pod := podFor(t, t.TempDir(), "good")
		pod.startErr = errors.New("engine is gone")
		_, err := New().Drive(t.Context(), pod, one)
		require.ErrorIs(t, err, pod.startErr)
	})
	t.Run("output cannot be cleared", func(t *testing.T) {
		t.Parallel()
		pod := podFor(t, t.TempDir(), "good")
		pod.paths.Out = filepath.Join(t.TempDir(), "none")
		_, err := New().Drive(t.Context(), pod, one)
		require.ErrorIs(t, err, os.ErrNotExist)
	})
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		pod := podFor(t, t.TempDir(), "hang")
		ctx, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("second signal")
		time.AfterFunc(200*time.Millisecond, func() { cancel(cause) })
		_, err := New().Drive(ctx, pod, one)
		require.ErrorIs(t, err, cause) // and goleak sees that the process is gone
	})
}
