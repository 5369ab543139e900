package latency

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/assay-run/assay/internal/workload"
)

const ms = time.Millisecond

func TestQuantile(t *testing.T) {
	t.Parallel()
	assert.Zero(t, Quantile(nil, 0.5))
	list := make([]time.Duration, 1000)
	for i := range list {
		list[i] = time.Duration(i + 1)
	}
	for q, want := range map[float64]int64{0: 1, 0.5: 500, 0.99: 990, 0.999: 999, 1: 1000} {
		assert.Equal(t, want, Quantile(list, q), q)
	}
	assert.Equal(t, int64(7), Quantile([]time.Duration{7}, 0.001))
}

// TestForgiven has pauses of the sender from 100 to 150 ms and a time stolen from the submission from 140 to 170 ms, in a second.
func TestForgiven(t *testing.T) {
	t.Parallel()
	start := time.Now()
	var p Pauses
	p.Late(50*ms, 54*ms) // timer noise
	p.Late(100*ms, 150*ms)
	p.Late(110*ms, 150*ms) // noticed at the same end
	p.Steal([]workload.Pause{
		{From: start.Add(-20 * ms), To: start.Add(-10 * ms)},
		{From: start.Add(140 * ms), To: start.Add(170 * ms)},
	}, start)
	f := p.Forgiven(time.Second)
	assert.Equal(t, 50*ms, f.Own())
	assert.Equal(t, 30*ms, f.Stolen())
	for _, tt := range []struct {
		name               string
		due, latency, want time.Duration
	}{
		{"before", 10 * ms, 20 * ms, 20 * ms},
		{"over all of it: only what was stolen", 90 * ms, 100 * ms, 70 * ms},
		{"due in our pause", 110 * ms, 25 * ms, 1},
		{"due in our pause, answered after the stolen time", 120 * ms, 70 * ms, 20 * ms},
		{"after", 180 * ms, 20 * ms, 20 * ms},
	} {
		assert.Equal(t, tt.want, f.Without(tt.due, tt.latency), tt.name)
	}
	tooMuch := p.Forgiven(600 * ms)
	assert.Zero(t, tooMuch.Own()+tooMuch.Stolen(), "70 of 600 ms is more than a tenth")
	assert.Equal(t, 100*ms, tooMuch.Without(90*ms, 100*ms))
}
