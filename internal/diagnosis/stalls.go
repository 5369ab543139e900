package diagnosis

import (
	"cmp"
	"slices"
	"time"

	"github.com/assay-run/assay/internal/evidence"
)

const (
	// stallAtLeast is what is worth explaining: a wait that somebody notices, and well above what the diagnosis itself costs.
	stallAtLeast = 50 * time.Millisecond
	// sameEnd is how far apart two answers may come to have waited for the same thing.
	sameEnd = 25 * time.Millisecond
	// maxJudged bounds how many stalls are looked into, the longest first.
	maxJudged = 300
)

// window is a stall as it was seen, in seconds since the start of the execution.
type window struct{ from, to float64 }

func (w window) length() float64 { return w.to - w.from }

// fromHeartbeat finds the stalls in a curve of latencies: the requests whose answers came together waited for the same
// thing, and the one that waited longest tells when it began.
func fromHeartbeat(curve *evidence.Series) []window {
	if curve == nil {
		return nil
	}
	var waits []window
	for i := range min(len(curve.T), len(curve.Max)) {
		if v := curve.Max[i]; v >= float64(stallAtLeast) {
			waits = append(waits, window{curve.T[i], curve.T[i] + v/1e9})
		}
	}
	slices.SortFunc(waits, func(a, b window) int { return cmp.Compare(a.to, b.to) })
	var out []window
	for i, w := range waits {
		n := len(out)
		if i == 0 || w.to-waits[i-1].to > sameEnd.Seconds() {
			out = append(out, w)
			continue
		}
		if w.length() > out[n-1].length() {
			out[n-1] = w
		}
	}
	return out
}

// fromInside are the stalls that the process itself saw.
func (r *Recording) fromInside(started time.Duration) []window {
	var out []window
	for _, s := range r.stalls {
		out = append(out, window{r.seconds(s.from, started), r.seconds(s.to, started)})
	}
	return out
}

// worst sorts stalls by length, leaves out those that are too short, and bounds their number.
func worst(all []window) []window {
	all = slices.DeleteFunc(slices.Clone(all), func(w window) bool { return w.length() < stallAtLeast.Seconds() })
	slices.SortStableFunc(all, func(a, b window) int { return cmp.Compare(b.length(), a.length()) })
	return all[:min(len(all), maxJudged)]
}

// covered is the share of a time that lies in some of the spans.
func covered(w window, spans []window) float64 {
	sum := 0.0
	for _, s := range spans {
		sum += max(0, min(s.to, w.to)-max(s.from, w.from))
	}
	if w.length() <= 0 {
		return 0
	}
	return min(sum/w.length(), 1)
}
