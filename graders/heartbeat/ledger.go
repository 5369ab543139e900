package heartbeat

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

// ledger knows what became of every beat. All times are since the start of the process.
type ledger struct {
	period   time.Duration
	grace    time.Duration
	maxBeats int

	mu sync.Mutex
	// latency of each beat by number: positive when answered, negative when it failed and a later answer (or the end) came
	// after that time, 0 while it is open.
	latency []time.Duration
	unpaid  []int // failed beats since the last good answer, in the order of failing
	sent    int
	failed  int
	first   time.Duration // of the first good answer; negative before it
	late    time.Duration // largest lateness of the sender itself
	// pauses are times in which the sender itself did not run, ascending and apart from each other.
	pauses []pause
	// stolen are times in which the machine did not let the submission run, in the same form.
	stolen []pause
}

// pause is a time in which the machine did not let this process run: a beat was due, and was noticed only at its end.
type pause struct{ from, to time.Duration }

const (
	// pauseAtLeast is the lateness of the sender from which on it counts as not running. What is shorter is timer noise.
	pauseAtLeast = 5 * time.Millisecond
	// maxPaused is the share of a run that pauses may take to be forgiven. A submission that could keep this process from
	// running would hide its own stalls, and a machine that does so all the time measures nothing.
	maxPaused = 0.1
)

// paused records how late the sender noticed a beat. The caller holds mu.
func (l *ledger) paused(due, now time.Duration) {
	if now-due < pauseAtLeast {
		return
	}
	if n := len(l.pauses); n > 0 && due <= l.pauses[n-1].to {
		l.pauses[n-1].to = max(l.pauses[n-1].to, now)
		return
	}
	l.pauses = append(l.pauses, pause{due, now})
}

// steal records the times that the machine took from the submission, given since the start of the schedule.
func (l *ledger) steal(list []workload.Pause, start time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range list {
		if to := p.To.Sub(start); to > 0 {
			l.stolen = append(l.stolen, pause{max(p.From.Sub(start), 0), to})
		}
	}
}

// forgiven are the pauses that are taken out of latencies, ours and the machine's as one list, and the sum of each: none when
// there are too many.
func (l *ledger) forgiven(end time.Duration) (list []pause, own, stolen time.Duration) {
	own, stolen = length(l.pauses), length(l.stolen)
	list = joined(l.pauses, l.stolen)
	if float64(length(list)) > maxPaused*float64(end) {
		return nil, 0, 0
	}
	return list, own, stolen
}

func length(list []pause) (sum time.Duration) {
	for _, p := range list {
		sum += p.to - p.from
	}
	return sum
}

// joined is the union of two lists, ascending and apart from each other.
func joined(a, b []pause) []pause {
	all := slices.Concat(a, b)
	slices.SortFunc(all, func(x, y pause) int { return cmp.Compare(x.from, y.from) })
	var out []pause
	for _, p := range all {
		if n := len(out); n > 0 && p.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, p.to)
			continue
		}
		out = append(out, p)
	}
	return out
}

// without takes from the latency of a beat what our own pauses added to it. pauses are ascending, so those before the
// beat are skipped; next is where to begin with a later beat.
func without(pauses []pause, next int, due, latency time.Duration) (corrected time.Duration, from int) {
	for next < len(pauses) && pauses[next].to <= due {
		next++
	}
	corrected = latency
	for _, p := range pauses[next:] {
		if p.from >= due+latency {
			break
		}
		corrected -= min(p.to, due+latency) - max(p.from, due)
	}
	return max(corrected, 1), next
}

func newLedger(o Options) *ledger {
	return &ledger{period: time.Duration(float64(time.Second) / o.Hz), grace: o.Grace, maxBeats: o.MaxBeats, first: -1}
}

// due is when beat i is due.
func (l *ledger) due(i int) time.Duration { return time.Duration(i) * l.period }

// number is how many beats were due before or at a time, as far as there is room for them.
func (l *ledger) number(at time.Duration) int {
	if at < 0 {
		return 0
	}
	return min(int(at/l.period)+1, l.maxBeats)
}

// grow makes room for the beats before number n.
func (l *ledger) grow(n int) {
	if n > len(l.latency) {
		l.latency = append(l.latency, make([]time.Duration, n-len(l.latency))...)
	}
}

// open records that a beat exists and how late the sender noticed.
func (l *ledger) open(i int, now time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.grow(i + 1)
	l.late = max(l.late, now-l.due(i))
	l.paused(l.due(i), now)
}

// countSent counts a request that is about to be written.
func (l *ledger) countSent() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
}

// knocked records that the program answered for the first time. All beats due until then are settled by it. It returns the
// number of the next beat.
func (l *ledger) knocked(at time.Duration) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.first = at
	next := l.number(at)
	l.grow(next)
	for i := range next {
		l.latency[i] = max(at-l.due(i), 1)
	}
	return next
}

// firstAnswer is when the first good answer came; negative before it.
func (l *ledger) firstAnswer() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first
}

// countFailed counts a failed try that settles no beat.
func (l *ledger) countFailed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed++
}

// fail records that beat i failed.
func (l *ledger) fail(i int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed++
	l.unpaid = append(l.unpaid, i)
}

// answer records a good answer to beat i, and settles beats that failed before.
func (l *ledger) answer(i int, at time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.latency[i] = max(at-l.due(i), 1)
	for _, j := range l.unpaid {
		l.latency[j] = -max(at-l.due(j), 1)
	}
	l.unpaid = l.unpaid[:0]
}

// beat is one beat that counts, settled.
type beat struct {
	due, latency time.Duration
	answered     bool
}

// settled returns the beats that count when the process ended at end.
func (l *ledger) settled(end time.Duration) []beat {
	begin := l.grace
	if l.first >= 0 {
		begin = min(begin, l.first)
	}
	l.grow(l.number(end))
	pauses, _, _ := l.forgiven(end)
	skip := 0
	beats := make([]beat, 0, len(l.latency))
	for i, latency := range l.latency {
		b := beat{due: l.due(i), latency: latency, answered: latency > 0}
		switch {
		case b.due < begin || b.due > end:
			continue
		case latency < 0:
			b.latency = -latency
		case latency == 0:
			b.latency = end - b.due
			if b.latency <= tail {
				continue
			}
		}
		b.latency, skip = without(pauses, skip, b.due, b.latency)
		beats = append(beats, b)
	}
	return beats
}

// close sums up at the end of the process.
func (l *ledger) close(end time.Duration) (evidence.Heartbeat, evidence.Series) {
	l.mu.Lock()
	defer l.mu.Unlock()
	beats := l.settled(end)
	var curve evidence.Thinner
	for _, b := range beats {
		curve.Add(b.due.Seconds(), float64(b.latency))
	}
	return l.sum(beats, end), curve.Series(evidence.SeriesHeartbeat, "ns")
}

// window sums up the beats that were due from one time to another.
func (l *ledger) window(from, to, end time.Duration) evidence.Heartbeat {
	l.mu.Lock()
	defer l.mu.Unlock()
	beats := slices.DeleteFunc(l.settled(end), func(b beat) bool { return b.due < from || b.due > to })
	return l.sum(beats, end)
}

// sum is what is said about some beats. The caller holds mu.
func (l *ledger) sum(beats []beat, end time.Duration) evidence.Heartbeat {
	hb := evidence.Heartbeat{
		Hz: float64(time.Second) / float64(l.period), Sent: l.sent, Failed: l.failed, FirstAnswerNs: int64(l.first), OwnLateNs: int64(l.late),
	}
	_, own, stolen := l.forgiven(end)
	hb.OwnPausedNs, hb.StolenNs = int64(own), int64(stolen)
	latencies := make([]time.Duration, len(beats))
	for i, b := range beats {
		latencies[i] = b.latency
		hb.Due++
		if b.answered {
			hb.Answered++
		}
		if b.answered && b.latency <= prompt {
			hb.Prompt++
		}
	}
	slices.Sort(latencies)
	hb.P50Ns, hb.P99Ns = quantile(latencies, 0.5), quantile(latencies, 0.99)
	hb.P999Ns, hb.MaxNs = quantile(latencies, 0.999), quantile(latencies, 1)
	hb.StallNs = int64(longestStall(beats))
	return hb
}

// quantile is the nearest-rank quantile of sorted latencies, 0 when there are none. The record is complete and bounded, so
// it is exact and no histogram is needed.
func quantile(sorted []time.Duration, q float64) int64 {
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return int64(sorted[max(int(math.Ceil(q*float64(n)))-1, 0)])
}

// longestStall is the longest time in which no beat was completed although one was due. One slow answer beside quick ones
// is no stall.
func longestStall(beats []beat) time.Duration {
	byEnd := slices.Clone(beats)
	slices.SortFunc(byEnd, func(a, b beat) int { return cmp.Compare(a.due+a.latency, b.due+b.latency) })
	longest := time.Duration(0)
	earliest := time.Duration(math.MaxInt64) // due time among those that end at or after the current one
	for i := len(byEnd) - 1; i >= 0; i-- {
		earliest = min(earliest, byEnd[i].due)
		from := earliest
		if i > 0 {
			from = max(from, byEnd[i-1].due+byEnd[i-1].latency)
		}
		longest = max(longest, byEnd[i].due+byEnd[i].latency-from)
	}
	return longest
}
