package report

import (
	"math"
)

// axis is the vertical axis of a chart, the same for every run, so that switching runs keeps heights comparable.
type axis struct {
	Min, Max float64
	Log      bool
	Ticks    []tick
}

// tick is a mark with its label.
type tick struct {
	At    float64 `json:"at"`
	Label string  `json:"label"`
}

// leastNs is the bottom of logarithmic axes at the lowest: no wait below 0.1 ms matters here.
const leastNs = 1e5

// linearAxis runs from 0 to a little above top.
func linearAxis(top float64, unit string) axis {
	if top <= 0 {
		top = 1
	}
	a := axis{Max: top * 1.06}
	step := niceStep(top, unit)
	for i := 0; float64(i)*step <= a.Max && i < 12; i++ {
		v := float64(i) * step
		label := quantity(v, unit)
		switch {
		case i == 0:
			label = "0"
		case unit == "share": // exact where quantity says “under 0.1 %”
			label = significant(v*100) + " %"
		}
		a.Ticks = append(a.Ticks, tick{v, label})
	}
	return a
}

// niceStep gives three to five steps up to top: powers of two for bytes, 1-2-5 for the rest.
func niceStep(top float64, unit string) float64 {
	if unit == "bytes" || unit == "bytes/s" {
		return math.Exp2(math.Ceil(math.Log2(top / 5)))
	}
	return decimalStep(top / 5)
}

// decimalStep rounds up to 1, 2 or 5 times a power of ten.
func decimalStep(least float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= least*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// logAxis covers whole decades from low to high nanoseconds, at least two.
func logAxis(low, high float64) axis {
	from := math.Floor(math.Log10(max(low, leastNs)))
	to := max(math.Ceil(math.Log10(max(high, leastNs))), from+2)
	a := axis{Min: math.Pow(10, from), Max: math.Pow(10, to), Log: true}
	for k := from; k <= to; k++ {
		v := math.Pow(10, k)
		a.Ticks = append(a.Ticks, tick{v, quantity(v, "ns")})
	}
	return a
}

// height is where v lies on the axis, 0 at the bottom and 1 at the top.
func (a axis) height(v float64) float64 {
	lo, hi := a.Min, a.Max
	if a.Log {
		lo, hi, v = math.Log10(lo), math.Log10(hi), math.Log10(max(v, a.Min))
	}
	return min(max((v-lo)/(hi-lo), 0), 1)
}

// timeTicks are round seconds from 0 to length, at most seven.
func timeTicks(length float64) []tick {
	if length <= 0 {
		return nil
	}
	step := decimalStep(length / 6)
	var out []tick
	for i := 0; float64(i)*step <= length*1.0001 && i < 8; i++ {
		v := float64(i) * step
		out = append(out, tick{v, significant(v) + " s"})
	}
	return out
}
