package grading

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// FormatValue writes a figure with its unit and as many digits as a reader can use, e.g. "84 MB", "1.4 s", "12 ms",
// "118 MB/s", "98 %". unit is one of "bytes", "bytes/s", "ns", "share", "ratio" and "count"; others are appended as they
// are. KB, MB and GB are powers of 1,024, as in the limits that candidates are given.
func FormatValue(v float64, unit string) string {
	switch unit {
	case "bytes":
		return formatBytes(v)
	case "bytes/s":
		return formatBytes(v) + "/s"
	case "ns":
		return formatDuration(v)
	case "share":
		return formatShare(v)
	case "ratio":
		return FormatRatio(v)
	case "count", "":
		return formatCount(v)
	default:
		return formatCount(v) + " " + unit
	}
}

// FormatRatio writes how many times something is something else, e.g. "2.3 times".
func FormatRatio(v float64) string { return digits(v) + " times" }

func formatBytes(v float64) string {
	return scaled(v, 1024, []string{"B", "KB", "MB", "GB", "TB"})
}

func formatDuration(v float64) string {
	if math.Abs(v) < 59.95e9 {
		return scaled(v, 1000, []string{"ns", "µs", "ms", "s"})
	}
	seconds := int64(math.Round(v / 1e9))
	return fmt.Sprintf("%d min %d s", seconds/60, max(seconds, -seconds)%60)
}

// scaled picks the largest unit in which at least one whole is left after rounding.
func scaled(v, step float64, units []string) string {
	i := 0
	for i < len(units)-1 && math.Abs(v) >= step*0.9995 {
		v /= step
		i++
	}
	return digits(v) + " " + units[i]
}

// formatShare keeps "100 %" for what is whole and "0 %" for what is nothing: 99.97 % of the checks is not all of them.
func formatShare(v float64) string {
	percent := v * 100
	switch {
	case percent > 99.9 && percent < 100:
		return "over 99.9 %"
	case percent > 0 && percent < 0.1:
		return "under 0.1 %"
	case percent == math.Round(percent) || math.Abs(percent) < 99 && math.Abs(percent) >= 10:
		return strconv.FormatFloat(math.Round(percent), 'f', 0, 64) + " %"
	default:
		return strconv.FormatFloat(percent, 'f', 1, 64) + " %"
	}
}

func formatCount(v float64) string {
	if v == math.Round(v) && math.Abs(v) < 1e15 {
		return group(strconv.FormatInt(int64(v), 10))
	}
	return digits(v)
}

// digits keeps two significant digits below 10 and whole numbers above, e.g. "0.023", "2.3", "84", "1,381".
func digits(v float64) string {
	a := math.Abs(v)
	switch {
	case a == 0:
		return "0"
	case a >= 9.95:
		return group(strconv.FormatFloat(math.Round(v), 'f', 0, 64))
	case a >= 0.995:
		return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
	case a < 1e-6:
		return "under 0.000001"
	default:
		// Two significant digits without an exponent, which few readers like.
		decimals := 1 - int(math.Floor(math.Log10(a)))
		return strings.TrimRight(strconv.FormatFloat(v, 'f', decimals, 64), "0")
	}
}

// group puts a comma after every third digit of a whole number.
func group(whole string) string {
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return sign + whole
}

// count writes a number with its noun, e.g. "1 paired run", "3 paired runs".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return formatCount(float64(n)) + " " + noun + "s"
}

// points writes a score, e.g. "61.3".
func points(v float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(round(v, 1), 'f', 1, 64), ".0")
}
