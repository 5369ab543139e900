package report

import (
	"math"
	"slices"

	"github.com/assay-run/assay/internal/evidence"
)

// curve is a series ready to be drawn: finite, ascending in time, and bounded in length.
type curve struct {
	T  []float64 `json:"t"` // seconds
	Lo []float64 `json:"lo"`
	Hi []float64 `json:"hi"`
}

// toCurve copies a series, leaving out points that cannot be drawn, and thins it to at most limit points. It returns nil
// for a missing or empty series.
func toCurve(s *evidence.Series, limit int) *curve {
	if s == nil {
		return nil
	}
	c := &curve{}
	for i := range min(len(s.T), len(s.Min), len(s.Max)) {
		if !finite(s.T[i]) || !finite(s.Min[i]) || !finite(s.Max[i]) {
			continue
		}
		if n := len(c.T); n > 0 && s.T[i] <= c.T[n-1] {
			continue
		}
		c.T = append(c.T, s.T[i])
		c.Lo = append(c.Lo, min(s.Min[i], s.Max[i]))
		c.Hi = append(c.Hi, max(s.Min[i], s.Max[i]))
	}
	if len(c.T) == 0 {
		return nil
	}
	return c.thin(limit)
}

// thin merges neighbours until at most limit points are left; both extremes of every merged stretch stay.
func (c *curve) thin(limit int) *curve {
	n := len(c.T)
	if n <= limit {
		return c
	}
	step := (n + limit - 1) / limit
	out := &curve{}
	for i := 0; i < n; i += step {
		end := min(i+step, n)
		out.T = append(out.T, c.T[i])
		out.Lo = append(out.Lo, slices.Min(c.Lo[i:end]))
		out.Hi = append(out.Hi, slices.Max(c.Hi[i:end]))
	}
	return out
}

// round shortens the numbers for the page: milliseconds of time, four significant digits of value.
func (c *curve) round() *curve {
	out := &curve{T: make([]float64, len(c.T)), Lo: make([]float64, len(c.T)), Hi: make([]float64, len(c.T))}
	for i := range c.T {
		out.T[i] = math.Round(c.T[i]*1000) / 1000
		out.Lo[i], out.Hi[i] = fourDigits(c.Lo[i]), fourDigits(c.Hi[i])
	}
	return out
}

func fourDigits(v float64) float64 {
	if v == 0 {
		return 0
	}
	scale := math.Pow(10, math.Floor(math.Log10(math.Abs(v)))-3)
	if r := math.Round(v/scale) * scale; finite(r) {
		if math.Abs(r) >= 1000 {
			return math.Round(r)
		}
		return r
	}
	return v
}

// peak is the highest point; ok is false for a nil curve.
func (c *curve) peak() (t, v float64, ok bool) {
	if c == nil {
		return 0, 0, false
	}
	at := 0
	for i := range c.Hi {
		if c.Hi[i] > c.Hi[at] {
			at = i
		}
	}
	return c.T[at], c.Hi[at], true
}

// typical is the median of the middles; ok is false for a nil curve.
func (c *curve) typical() (float64, bool) {
	if c == nil {
		return 0, false
	}
	mid := make([]float64, len(c.T))
	for i := range mid {
		mid[i] = (c.Lo[i] + c.Hi[i]) / 2
	}
	slices.Sort(mid)
	return mid[len(mid)/2], true
}

// between is the range of the curve from one moment to another; ok is false where it has no point.
func (c *curve) between(from, to float64) (lo, hi float64, ok bool) {
	if c == nil {
		return 0, 0, false
	}
	for i, t := range c.T {
		if t < from || t >= to {
			continue
		}
		if !ok {
			lo, hi, ok = c.Lo[i], c.Hi[i], true
			continue
		}
		lo, hi = min(lo, c.Lo[i]), max(hi, c.Hi[i])
	}
	return lo, hi, ok
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
