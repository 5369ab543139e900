package debugservice

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/graders/service/servicetest"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

// pod is one whose submission is a handler, with an output directory.
type pod struct {
	servicetest.Pod
	out string
}

func (p *pod) Paths() workload.Paths { return workload.Paths{Out: p.out} }

// TestDriveHostile puts services that do nothing right through both scenarios: each run ends in time, with a verdict and no error.
func TestDriveHostile(t *testing.T) {
	t.Parallel()
	endless := strings.Repeat("x", 64<<10)
	tests := []struct {
		name   string
		handle http.HandlerFunc
	}{
		{"knows nothing", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }},
		{"hangs", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
		{"never ends", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write([]byte(endless)); err != nil {
					return
				}
			}
		}},
		{"closes", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
	}
	for _, tt := range tests {
		for _, k := range []kind{kindChecks, kindLoad} {
			t.Run(tt.name+"/"+string(k), func(t *testing.T) {
				t.Parallel()
				handler := http.NewServeMux()
				handler.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
				handler.HandleFunc("/", tt.handle)
				p := &pod{out: t.TempDir()}
				p.Serve = func(workload.Command) (http.Handler, <-chan struct{}) { return handler, nil }
				raw, err := json.Marshal(params{Kind: k, Seed: []byte("seed"), Rate: 50, OpenNs: time.Second, FullNs: time.Second, TimeoutNs: 9 * time.Second})
				require.NoError(t, err)
				began := time.Now()
				list, err := New().Drive(t.Context(), p, raw)
				require.NoError(t, err)
				assert.Less(t, time.Since(began), time.Minute)
				require.Len(t, list, 1)
				assert.Less(t, len(list[0].Facts), 1<<20, "what is kept is bounded")

				with := map[string]any{"kind": string(k)}
				if k == kindLoad {
					with["rate"], with["seconds"], with["fullSeconds"] = 50, 1, 1
				}
				m, err := New().Measure(evidence.Run{Scenario: string(k), Executions: list}, prepared(t, with).Truth)
				require.NoError(t, err)
				if k == kindChecks {
					assert.InDelta(t, 16, m.Values[metricRemaining], 0)
					assert.Positive(t, m.Values[metricWrong])
					assert.Positive(t, m.Values[metricStale])
					assert.InDelta(t, 0, m.Values[metricAudited], 0)
					assert.Contains(t, codesOf(m), codeWrongOutput)
				} else {
					assert.Zero(t, m.Values[metricCPU], "nothing was used here, and nothing is divided by nothing")
					if tt.name == "knows nothing" {
						assert.Contains(t, codesOf(m), codeWrongOutput)
					} else {
						assert.InDelta(t, loadWithin, m.Values[metricP95], 1e9, "to fail at once is not to be quick")
						assert.Zero(t, m.Values[metricRate])
					}
				}
			})
		}
	}
	_, err := New().Drive(t.Context(), &pod{out: t.TempDir()}, []byte(`{"kind": "fast"}`))
	require.ErrorContains(t, err, `kind "fast" is unknown`)
}
