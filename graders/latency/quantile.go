package latency

import (
	"math"
	"time"
)

// Quantile is the nearest-rank quantile in ns of sorted latencies, 0 when there are none. Records are complete and bounded, so it is
// exact and no histogram is needed.
func Quantile(sorted []time.Duration, q float64) int64 {
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return int64(sorted[max(int(math.Ceil(q*float64(n)))-1, 0)])
}
