package grading

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

func TestFormatValue(t *testing.T) {
	t.Parallel()
	tests := []struct {
		v    float64
		unit string
		want string
	}{
		{84 << 20, "bytes", "84 MB"},
		{1.5 * (1 << 30), "bytes", "1.5 GB"},
		{256 << 20, "bytes", "256 MB"},
		{1023.9 * (1 << 20), "bytes", "1 GB"},
		{0, "bytes", "0 B"},
		{512, "bytes", "512 B"},
		{-3 << 20, "bytes", "-3 MB"},
		{118 << 20, "bytes/s", "118 MB/s"},
		{1.4e9, "ns", "1.4 s"},
		{12e6, "ns", "12 ms"},
		{1381e6, "ns", "1.4 s"},
		{999.9e6, "ns", "1 s"},
		{350e3, "ns", "350 µs"},
		{95, "ns", "95 ns"},
		{59e9, "ns", "59 s"},
		{61.4e9, "ns", "1 min 1 s"},
		{754e9, "ns", "12 min 34 s"},
		{1, "share", "100 %"},
		{0.98, "share", "98 %"},
		{0.985, "share", "99 %"},
		{0.9951, "share", "99.5 %"},
		{0.9999, "share", "over 99.9 %"},
		{0.011, "share", "1.1 %"},
		{0.0001, "share", "under 0.1 %"},
		{0, "share", "0 %"},
		{2.34, "ratio", "2.3 times"},
		{0.5, "ratio", "0.5 times"},
		{12.4, "ratio", "12 times"},
		{4000, "count", "4,000"},
		{1234567, "count", "1,234,567"},
		{-1234, "", "-1,234"},
		{2.5, "count", "2.5"},
		{0.0234, "count", "0.023"},
		{1e-9, "count", "under 0.000001"},
		{3, "rows", "3 rows"},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, FormatValue(tt.v, tt.unit), "%v %s", tt.v, tt.unit)
	}
}

func TestFormatValueIsShortAndKeepsWholeThingsApart(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Float64Range(0, 1e15).Draw(t, "v")
		unit := rapid.SampledFrom([]string{"bytes", "bytes/s", "ns", "share", "ratio", "count"}).Draw(t, "unit")
		text := FormatValue(v, unit)
		assert.LessOrEqual(t, len(text), 32, text)
		assert.NotContains(t, text, "e+")
		if unit == "share" && v < 1 {
			assert.False(t, strings.HasPrefix(text, "100 %"), "%v is not all", v)
		}
	})
}

func TestRound(t *testing.T) {
	t.Parallel()
	assert.InDelta(t, 61.3, round(61.25000001, 1), 1e-12)
	assert.InDelta(t, 0, round(math.Copysign(0, -1), 1), 0)
	assert.Equal(t, "61.3", points(61.34))
	assert.Equal(t, "40", points(40))
	assert.Equal(t, "1 time", count(1, "time"))
	assert.Equal(t, "0 times", count(0, "time"))
}
