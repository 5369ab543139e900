package evidence

import (
	"math"
	"slices"
)

// MaxBuckets is the most buckets a Thinner keeps, and so the most points of a Series it makes.
const MaxBuckets = 1000

// thinnestBucket is the first width of a Thinner's buckets in seconds. It is a power of two, so that doubling and
// halving are exact.
const thinnestBucket = 1.0 / 1024

// longestSeconds bounds the time axis (about 30 years), so that bucket numbers never overflow.
const longestSeconds = 1e9

// Thinner turns any number of observations into a Series of at most MaxBuckets buckets. Buckets have one width, a
// power of two; when there are too many of them, the width doubles and neighbours are merged. A bucket keeps its
// smallest and its largest value, so no extreme is ever lost, whatever the length. Observations may come in any order
// of time, because a latency is known only when the answer is. The zero value is ready to use; it is not safe for
// concurrent use.
type Thinner struct {
	width   float64 // seconds
	buckets []bucket
}

type bucket struct {
	index    int64   // of the bucket on the time axis: floor(t / width)
	t        float64 // the earliest observation in it
	min, max float64
}

// Add records v at t seconds since the start of the execution. Times before the start count as 0; values and times
// that are not finite numbers are ignored.
func (s *Thinner) Add(t, v float64) {
	if math.IsNaN(t) || math.IsNaN(v) || math.IsInf(t, 0) || math.IsInf(v, 0) {
		return
	}
	t = min(max(t, 0), longestSeconds)
	if s.width == 0 {
		s.width = thinnestBucket
	}
	b := bucket{index: int64(t / s.width), t: t, min: v, max: v}
	at, found := s.find(b.index)
	if found {
		s.buckets[at].merge(b)
		return
	}
	s.buckets = slices.Insert(s.buckets, at, b)
	for len(s.buckets) > MaxBuckets {
		s.halve()
	}
}

// find returns the position of a bucket, or where it belongs. Almost every observation is the newest one.
func (s *Thinner) find(index int64) (int, bool) {
	n := len(s.buckets)
	switch {
	case n == 0 || s.buckets[n-1].index < index:
		return n, false
	case s.buckets[n-1].index == index:
		return n - 1, true
	}
	return slices.BinarySearchFunc(s.buckets, index, func(b bucket, i int64) int {
		switch {
		case b.index < i:
			return -1
		case b.index > i:
			return 1
		}
		return 0
	})
}

// halve doubles the width of the buckets and merges those that now share one.
func (s *Thinner) halve() {
	s.width *= 2
	kept := s.buckets[:0]
	for _, b := range s.buckets {
		b.index /= 2
		if n := len(kept); n > 0 && kept[n-1].index == b.index {
			kept[n-1].merge(b)
			continue
		}
		kept = append(kept, b)
	}
	s.buckets = kept
}

func (b *bucket) merge(o bucket) {
	b.t = min(b.t, o.t)
	b.min = min(b.min, o.min)
	b.max = max(b.max, o.max)
}

// Len is the number of buckets.
func (s *Thinner) Len() int { return len(s.buckets) }

// Series returns what was added so far. The slices are copies and never nil.
func (s *Thinner) Series(name, unit string) Series {
	n := len(s.buckets)
	out := Series{Name: name, Unit: unit, T: make([]float64, n), Min: make([]float64, n), Max: make([]float64, n)}
	for i, b := range s.buckets {
		out.T[i], out.Min[i], out.Max[i] = b.t, b.min, b.max
	}
	return out
}
