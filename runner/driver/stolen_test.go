package driver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestStolen feeds samples each 10 ms. Per sample: how long the main thread waited (booked when the wait ends) and what the
// container used, in ms.
func TestStolen(t *testing.T) {
	t.Parallel()
	type sample struct{ waited, used int64 }
	quiet := func(n int) []sample { return make([]sample, n) }
	tests := []struct {
		name    string
		samples []sample
		want    time.Duration // in all
		count   int
	}{
		{"idle", quiet(20), 0, 0},
		{"turn-taking", []sample{{1, 9}, {2, 8}, {2, 8}, {1, 9}}, 0, 0},
		{"a stranger had the core for 40 ms", append(quiet(5), sample{0, 0}, sample{0, 0}, sample{0, 0}, sample{0, 0}, sample{40, 0}), 40 * time.Millisecond, 1},
		{"its own workers had it", append(quiet(5), sample{0, 10}, sample{0, 10}, sample{0, 10}, sample{0, 10}, sample{40, 10}), 0, 0},
		{"half and half", append(quiet(5), sample{0, 5}, sample{0, 5}, sample{0, 5}, sample{0, 5}, sample{40, 0}), 20 * time.Millisecond, 1},
		{"two strangers", []sample{{0, 0}, {0, 0}, {20, 0}, {0, 9}, {0, 9}, {0, 0}, {0, 0}, {20, 0}}, 40 * time.Millisecond, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var s stolen
			at := time.Now()
			var delay, cpu int64
			s.observe(at, 0, 0)
			for _, x := range tt.samples {
				at = at.Add(10 * time.Millisecond)
				delay += x.waited * 1e6
				cpu += x.used * 1e6
				s.observe(at, delay, cpu)
			}
			sum := time.Duration(0)
			for _, p := range s.pauses() {
				sum += p.To.Sub(p.From)
			}
			assert.Equal(t, tt.want, sum)
			assert.Len(t, s.pauses(), tt.count)
		})
	}
}
