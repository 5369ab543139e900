package evidence_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-run/assay/internal/evidence"
)

func TestThinnerKeepsFewObservationsAsTheyAre(t *testing.T) {
	t.Parallel()
	var s evidence.Thinner
	s.Add(0, 5)
	s.Add(0.01, 7)
	s.Add(0.02, 6)
	got := s.Series("memory", "bytes")
	assert.Equal(t, evidence.Series{
		Name: "memory", Unit: "bytes",
		T: []float64{0, 0.01, 0.02}, Min: []float64{5, 7, 6}, Max: []float64{5, 7, 6},
	}, got)
}

func TestThinnerEmptySeriesHasNoNilSlices(t *testing.T) {
	t.Parallel()
	var s evidence.Thinner
	got := s.Series("cpu", "ratio")
	assert.NotNil(t, got.T)
	assert.NotNil(t, got.Min)
	assert.NotNil(t, got.Max)
}

func TestThinnerIgnoresWhatIsNoNumber(t *testing.T) {
	t.Parallel()
	for name, in := range map[string][2]float64{
		"NaN value":     {1, math.NaN()},
		"NaN time":      {math.NaN(), 1},
		"infinite":      {1, math.Inf(1)},
		"infinite time": {math.Inf(-1), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s evidence.Thinner
			s.Add(in[0], in[1])
			assert.Zero(t, s.Len())
		})
	}
}

func TestThinnerBoundsAnHour(t *testing.T) {
	t.Parallel()
	var s evidence.Thinner
	for i := range 360_000 { // one hour at 100 Hz, with one spike of one sample
		v := 100.0
		if i == 123_456 {
			v = 1e9
		}
		s.Add(float64(i)/100, v)
	}
	got := s.Series("memory", "bytes")
	require.LessOrEqual(t, len(got.T), evidence.MaxBuckets)
	assert.Greater(t, len(got.T), evidence.MaxBuckets/3, "buckets are not wasted")
	i := slices.Index(got.Max, 1e9)
	require.GreaterOrEqual(t, i, 0, "the spike is kept")
	assert.InDelta(t, 1234.56, got.T[i], 8, "and stays where it was")
}

func TestThinnerProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.SliceOfN(rapid.Float64Range(-1, 1e7), 1, 4000).Draw(t, "times")
		if rapid.Bool().Draw(t, "ordered") {
			slices.Sort(times)
		}
		value := rapid.Float64Range(-1e12, 1e12)
		var s evidence.Thinner
		low, high := math.Inf(1), math.Inf(-1)
		first, last := math.Inf(1), 0.0
		for _, at := range times {
			v := value.Draw(t, "v")
			s.Add(at, v)
			low, high = min(low, v), max(high, v)
			first, last = min(first, max(at, 0)), max(last, at)
		}
		got := s.Series("x", "count")
		if n := len(got.T); n == 0 || n > evidence.MaxBuckets || n != len(got.Min) || n != len(got.Max) {
			t.Fatalf("%d, %d and %d points", len(got.T), len(got.Min), len(got.Max))
		}
		if slices.Min(got.Min) != low || slices.Max(got.Max) != high {
			t.Fatalf("extremes %g…%g became %g…%g", low, high, slices.Min(got.Min), slices.Max(got.Max))
		}
		if got.T[0] != first || got.T[len(got.T)-1] > last {
			t.Fatalf("times %g…%g became %g…%g", first, last, got.T[0], got.T[len(got.T)-1])
		}
		for i := range got.T {
			if i > 0 && got.T[i] <= got.T[i-1] {
				t.Fatalf("T is not ascending at %d: %g after %g", i, got.T[i], got.T[i-1])
			}
			if got.Min[i] > got.Max[i] {
				t.Fatalf("bucket %d has min %g above max %g", i, got.Min[i], got.Max[i])
			}
		}
	})
}
