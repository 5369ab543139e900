//go:build integration

package docker_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/runner"
	"github.com/assay-run/assay/runner/docker"
	"github.com/assay-run/assay/runner/runnertest"
	"github.com/assay-run/assay/runner/runnertest/lines"
)

// BenchmarkPod measures the fixed cost of a run: what opening a pod until its driver answers, starting a candidate and
// closing the pod take, without the candidate's own time. The bar is a 95th percentile of 1 s.
func BenchmarkPod(b *testing.B) {
	e, err := docker.New(b.Context(), docker.Config{
		Session: "bench", StateID: state, DriverBinary: runnertest.BuildDriver(b), Image: "assay/node:24",
	})
	require.NoError(b, err)
	defer e.Close()
	ws, err := e.Stage(b.Context(), runner.StageSpec{Name: "bench", Dir: "testdata/hardening"})
	require.NoError(b, err)
	defer ws.Close(b.Context())
	var open, start, end, all []time.Duration
	for b.Loop() {
		t0 := time.Now()
		pod, err := e.OpenPod(b.Context(), runner.PodSpec{})
		require.NoError(b, err)
		_, err = lines.NewClient(pod.Driver()).Ask(lines.Request{Op: lines.OpEcho})
		require.NoError(b, err)
		t1 := time.Now()
		c, err := pod.StartCandidate(b.Context(), runner.CandidateSpec{Name: "bench", Workspace: ws, Argv: []string{"node", "-e", "0"}})
		require.NoError(b, err)
		t2 := time.Now()
		_, err = c.Wait(b.Context())
		require.NoError(b, err)
		t3 := time.Now()
		require.NoError(b, pod.Close(b.Context()))
		t4 := time.Now()
		open, start, end = append(open, t1.Sub(t0)), append(start, t2.Sub(t1)), append(end, t4.Sub(t3))
		all = append(all, t2.Sub(t0)+t4.Sub(t3))
	}
	for name, took := range map[string][]time.Duration{"open": open, "start": start, "close": end, "fixed": all} {
		slices.Sort(took)
		b.ReportMetric(took[len(took)/2].Seconds()*1000, name+"-p50-ms")
		b.ReportMetric(took[len(took)*95/100].Seconds()*1000, name+"-p95-ms")
	}
}
