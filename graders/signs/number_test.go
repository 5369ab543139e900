package signs

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestNumber(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0", 7: "7", 999: "999", 1000: "1,000", 854284: "854,284", 1234567: "1,234,567", -1: "-1", -999: "-999", -1000: "-1,000", -123456: "-123,456",
		math.MaxInt64: "9,223,372,036,854,775,807", math.MinInt64: "-9,223,372,036,854,775,808",
	} {
		assert.Equal(t, want, Number(n))
	}
}

func FuzzNumber(f *testing.F) {
	for _, n := range []int64{0, -1, 999, -1000, math.MaxInt64, math.MinInt64} {
		f.Add(n)
	}
	f.Fuzz(func(t *testing.T, n int64) {
		text := Number(n)
		assert.Equal(t, strconv.FormatInt(n, 10), strings.ReplaceAll(text, ",", ""))
		for i, group := range strings.Split(strings.TrimPrefix(text, "-"), ",") {
			assert.True(t, len(group) == 3 || i == 0 && len(group) > 0 && len(group) < 3, text)
		}
	})
}
