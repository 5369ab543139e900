package driver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// worked fills in samples each 10 ms, of a thread that works from one time to another (ms), with the kernel's books behind by a tick
// of 4 ms, and that uses 0.2 ms in each period otherwise.
func worked(from, to float64, offset float64) (*busy, func(ms float64) time.Time) {
	zero := time.Now()
	at := func(ms float64) time.Time { return zero.Add(time.Duration(ms * 1e6)) }
	b := &busy{}
	for t := offset; t < 1000; t += 10.3 {
		idle := min(t, from)
		idle += max(t-to, 0)
		used := 0.02*idle + max(min(t, to)-from, 0)
		if t > from && t < to { // as of the last tick
			used = 0.02*idle + max(float64(int(t/4)*4)-from, 0)
		}
		b.observe(at(t), time.Duration(used*1e6))
	}
	return b, at
}

func TestBegan(t *testing.T) {
	t.Parallel()
	for _, offset := range []float64{0, 1, 2.5, 5, 7, 9.9} {
		for _, length := range []float64{25, 100, 400} {
			b, at := worked(305, 305+length, offset)
			got, ok := b.began(at(302), at(310), at(305+length))
			assert.True(t, ok, "offset %g, length %g", offset, length)
			assert.WithinDuration(t, at(305), got, 2500*time.Microsecond, "offset %g, length %g", offset, length)
		}
	}
}

func TestBeganIsNotKnown(t *testing.T) {
	t.Parallel()
	b, at := worked(305, 405, 0)
	_, ok := b.began(at(500), at(510), at(600))
	assert.False(t, ok, "the thread slept")
	_, ok = b.began(at(1200), at(1210), at(1300))
	assert.False(t, ok, "there are no samples")
	_, ok = b.began(at(-20), at(-10), at(50))
	assert.False(t, ok, "there is none before it")
	_, ok = (&busy{}).began(at(1), at(2), at(3))
	assert.False(t, ok)
	got, ok := b.began(at(320), at(330), at(405))
	assert.True(t, ok)
	assert.False(t, got.Before(at(320)), "not before what is known")
}
