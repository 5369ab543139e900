package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// quantity writes v with its unit and three significant digits, e.g. "84.2 MiB", "1.38 s", "92.5 %". The units are those
// of evidence.MetricDoc; another unit is written after the number as it is.
func quantity(v float64, unit string) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "unknown"
	}
	switch unit {
	case "bytes":
		return bytesText(v, "")
	case "bytes/s":
		return bytesText(v, "/s")
	case "ns":
		return nsText(v)
	case "share":
		return shareText(v)
	case "ratio":
		return ratioText(v)
	case "count", "":
		return countText(v)
	default:
		return countText(v) + " " + unit
	}
}

// quantityPtr is quantity for a figure that may be missing.
func quantityPtr(v *float64, unit string) string {
	if v == nil {
		return ""
	}
	return quantity(*v, unit)
}

// ratioText keeps two decimals, which align in a column, as long as they mean something.
func ratioText(v float64) string {
	if math.Abs(v) >= 99.5 {
		return countText(math.Round(v))
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

func bytesText(v float64, per string) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for math.Abs(v) >= 1023.5 && i < len(units)-1 { // 1023.5 and more would round to 1024
		v /= 1024
		i++
	}
	return significant(v) + " " + units[i] + per
}

func nsText(v float64) string {
	switch a := math.Abs(v); {
	case a == 0:
		return "0 ms"
	case a < 999.5:
		return significant(v) + " ns"
	case a < 999.5e3:
		return significant(v/1e3) + " µs"
	case a < 999.5e6:
		return significant(v/1e6) + " ms"
	case a < 120e9:
		return significant(v/1e9) + " s"
	default:
		d := time.Duration(v).Round(time.Second)
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
}

// shareText never rounds up to 100 %: "all" is a claim.
func shareText(v float64) string {
	p := v * 100
	if p > 99.9 && p < 100 {
		return "99.9 %"
	}
	return significant(p) + " %"
}

// countText groups whole numbers by thousands and writes others with three significant digits.
func countText(v float64) string {
	if v != math.Trunc(v) || math.Abs(v) >= 1e15 {
		return significant(v)
	}
	digits := strconv.FormatInt(int64(math.Abs(v)), 10)
	var b strings.Builder
	if v < 0 {
		b.WriteByte('-')
	}
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// significant writes three significant digits without trailing zeros; numbers from 1,000 keep their whole part.
func significant(v float64) string {
	if v == 0 {
		return "0"
	}
	places := 2 - int(math.Floor(math.Log10(math.Abs(v))))
	places = min(max(places, 0), 6)
	s := strconv.FormatFloat(v, 'f', places, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if s == "-0" {
		return "0"
	}
	return s
}

// points writes a score: whole when it is whole, else one decimal, so that 64.6 never looks like a pass at 65.
func points(v float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
}

// seconds writes a moment on a curve.
func seconds(v float64) string {
	if v >= 100 {
		return strconv.FormatFloat(v, 'f', 0, 64) + " s"
	}
	return strconv.FormatFloat(v, 'f', 1, 64) + " s"
}

// plural writes a number with its noun: "1 run", "3 runs".
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return countText(float64(n)) + " " + many
}
