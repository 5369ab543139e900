package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/graders/knowntruth"
)

func TestStallScript(t *testing.T) {
	t.Parallel()
	steps, total := stallScript(shortStalls(), 3)
	again, _ := stallScript(shortStalls(), 3)
	other, _ := stallScript(shortStalls(), 4)
	assert.Equal(t, steps, again)
	assert.NotEqual(t, steps, other)
	count := map[string]int{}
	ms := 0.0
	for _, s := range steps {
		count[s.How]++
		ms += s.Ms
	}
	for _, how := range knowntruth.Blocks() {
		assert.Equal(t, len(shortStalls()), count[how], how)
	}
	assert.InDelta(t, ms, total.Seconds()*1e3, 2*restMs+1)
}

func TestAlternately(t *testing.T) {
	t.Parallel()
	order := ""
	note := func(s string) func() error { return func() error { order += s; return nil } }
	for i := range 4 {
		require.NoError(t, alternately(i, note("a"), note("b")))
	}
	assert.Equal(t, "abbaabba", order)
	assert.ErrorIs(t, alternately(0, func() error { return errDone }, note("c")), errDone)
	assert.Equal(t, "abbaabba", order, "nothing is run after a failure")
}

const wrkOutput = `Running 20s test @ http://127.0.0.1:20001/healthz
  1 threads and 10 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.51ms    8.75ms 100.94ms   97.58%
    Req/Sec    14.91k     2.30k   17.03k    89.50%
  Latency Distribution
     50%  590.00us
     75%  633.00us
     90%  742.00us
     99%   59.84ms
  296910 requests in 20.01s, 55.78MB read
Requests/sec:  14838.35
Transfer/sec:      2.79MB
`

func TestReadWrk(t *testing.T) {
	t.Parallel()
	g, err := readWrk(wrkOutput)
	require.NoError(t, err)
	assert.InDeltaSlice(t, []float64{14838.35, 0.59, 59.84, 100.94}, []float64{g.ActualHz, g.P50Ms, g.P99Ms, g.MaxMs}, 1e-9)
	for _, bad := range []string{"", "unable to connect"} {
		_, err := readWrk(bad)
		assert.Error(t, err)
	}
}

func TestReadAutocannon(t *testing.T) {
	t.Parallel()
	g, err := readAutocannon([]byte(`{"requests":{"average":998.4,"total":1},"latency":{"p50":0,"p99":92,"max":101.2}}`))
	require.NoError(t, err)
	assert.InDeltaSlice(t, []float64{998.4, 0, 92, 101.2}, []float64{g.ActualHz, g.P50Ms, g.P99Ms, g.MaxMs}, 1e-9)
	_, err = readAutocannon([]byte("no"))
	assert.Error(t, err)
}

func TestBenchOptions(t *testing.T) {
	t.Parallel()
	o, err := benchOptions{hz: 100}.complete()
	require.NoError(t, err)
	assert.Equal(t, 5, o.pairs)
	assert.Equal(t, "512MiB", o.size)
	o, err = benchOptions{hz: 100, quick: true, size: "1GiB"}.complete()
	require.NoError(t, err)
	assert.Equal(t, 2, o.pairs)
	assert.Equal(t, "1GiB", o.size)
	for _, bad := range []benchOptions{{hz: 0}, {hz: 2000}, {hz: 100, pairs: -1}, {hz: 100, pairs: 101}} {
		_, err := bad.complete()
		assert.Error(t, err)
	}
}
