package report

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rivo/uniseg"
)

func TestPoints(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{0: "0", 61: "61", 64.96: "65", 64.94: "64.9", 100: "100", 0.04: "0"} {
		assert.Equal(t, want, points(v))
	}
}

func TestRatioText(t *testing.T) {
	t.Parallel()
	inf := math.Inf(1)
	tests := []struct {
		in   *float64
		want string
	}{{nil, ""}, {&inf, ""}, {new(1.3), "1.30"}, {new(0.719), "0.72"}, {new(113.2), "113"}, {new(12345.6), "12,346"}}
	for _, tt := range tests {
		assert.Equal(t, tt.want, ratioText(tt.in))
	}
}

func TestQuantityOfNothing(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "unknown", quantity(math.NaN(), "bytes"))
	assert.Equal(t, "unknown", quantity(math.Inf(-1), "ns"))
	assert.Empty(t, quantityPtr(nil, "ns"))
}

func TestLinearAxis(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		top  float64
		unit string
		want []string
	}{
		{"memory limit", 256 << 20, "bytes", []string{"0", "64 MB", "128 MB", "192 MB", "256 MB"}},
		{"rate", 110 << 20, "bytes/s", []string{"0", "32 MB/s", "64 MB/s", "96 MB/s"}},
		{"share", 1, "share", []string{"0", "20 %", "40 %", "60 %", "80 %", "100 %"}},
		{"tiny share", 0.0004, "share", []string{"0", "0.01 %", "0.02 %", "0.03 %", "0.04 %"}},
		{"nothing", 0, "share", []string{"0", "20 %", "40 %", "60 %", "80 %", "100 %"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := linearAxis(tt.top, tt.unit)
			var got []string
			for _, k := range a.Ticks {
				got = append(got, k.Label)
			}
			assert.Equal(t, tt.want, got)
			assert.GreaterOrEqual(t, a.Max, tt.top)
		})
	}
}

func TestLogAxis(t *testing.T) {
	t.Parallel()
	a := logAxis(0.6e6, 1.4e9)
	require.Len(t, a.Ticks, 6)
	assert.Equal(t, "100 µs", a.Ticks[0].Label)
	assert.Equal(t, "10 s", a.Ticks[5].Label)
	assert.InDelta(t, 0.2, a.height(1e6), 1e-9)
	assert.Zero(t, a.height(0), "a wait of nothing lies at the bottom")
	assert.Len(t, logAxis(0, 0).Ticks, 3, "never less than two decades")
}

func TestAxesHoldWhatTheyShow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		top := rapid.Float64Range(1e-9, 1e15).Draw(t, "top")
		unit := rapid.SampledFrom([]string{"bytes", "bytes/s", "share"}).Draw(t, "unit")
		a := linearAxis(top, unit)
		if n := len(a.Ticks); n < 2 || n > 7 {
			t.Fatalf("%d ticks for %g %s", n, top, unit)
		}
		if h := a.height(top); h <= 0.5 || h > 1 {
			t.Fatalf("%g at height %g", top, h)
		}
		low := rapid.Float64Range(0, 1e12).Draw(t, "low")
		l := logAxis(low, low+top)
		if h := l.height(low + top); h < 0 || h > 1 || len(l.Ticks) < 3 {
			t.Fatalf("%g at height %g of %v", low+top, h, l.Ticks)
		}
		if n := len(timeTicks(top)); n < 2 || n > 8 {
			t.Fatalf("%d ticks for %g s", n, top)
		}
	})
}

func TestWrap(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		width    int
		want     []string
	}{
		{"empty", "", 20, nil},
		{"spaces only", " \n ", 20, nil},
		{"fits", "one two", 20, []string{"one two"}},
		{"breaks at spaces", "one two three", 9, []string{"one two", "three"}},
		{"keeps line feeds", "a\nb", 20, []string{"a", "b"}},
		{"cuts long words", "abcdefghijkl", 8, []string{"abcdefgh", "ijkl"}},
		{"wide characters count double", "日本語日本語", 8, []string{"日本語日", "本語"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, wrap(tt.in, tt.width))
		})
	}
}

func TestWrapNeverExceedsTheWidth(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.IntRange(8, 60).Draw(t, "width")
		for _, line := range wrap(Visible(rapid.String().Draw(t, "text")), width) {
			if uniseg.StringWidth(line) > width {
				t.Fatalf("%q is wider than %d", line, width)
			}
		}
	})
}
