package heartbeat

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/assay-run/assay/graders/latency"
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
	// pauses are times in which the sender itself did not run, or the machine did not let the submission run.
	pauses latency.Pauses
	// began tells when a stall began, after the first of these times and before the second; nil when nobody knows.
	began func(after, at, until time.Duration) (time.Duration, bool)
}

// steal records the times that the machine took from the submission, given since the start of the schedule.
func (l *ledger) steal(list []workload.Pause, start time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pauses.Steal(list, start)
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
	l.pauses.Late(l.due(i), now)
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
	forgiven := l.pauses.Forgiven(end)
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
		b.latency = forgiven.Without(b.due, b.latency)
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
	return l.sum(beats, beats, end), curve.Series(evidence.SeriesHeartbeat, "ns")
}

// window sums up the beats that were due from one time to another.
func (l *ledger) window(from, to, end time.Duration) evidence.Heartbeat {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.settled(end)
	beats := slices.DeleteFunc(slices.Clone(all), func(b beat) bool { return b.due < from || b.due > to })
	return l.sum(beats, all, end)
}

// sum is what is said about some beats of all. The caller holds mu.
func (l *ledger) sum(beats, all []beat, end time.Duration) evidence.Heartbeat {
	hb := evidence.Heartbeat{
		Hz: float64(time.Second) / float64(l.period), Sent: l.sent, Failed: l.failed, FirstAnswerNs: int64(l.first), OwnLateNs: int64(l.late),
	}
	forgiven := l.pauses.Forgiven(end)
	hb.OwnPausedNs, hb.StolenNs = int64(forgiven.Own()), int64(forgiven.Stolen())
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
	hb.P50Ns, hb.P99Ns = latency.Quantile(latencies, 0.5), latency.Quantile(latencies, 0.99)
	hb.P999Ns, hb.MaxNs = latency.Quantile(latencies, 0.999), latency.Quantile(latencies, 1)
	longest := longestStall(beats)
	for _, b := range all { // the answer before it may be to a beat that is not of these
		if got := b.due + b.latency; got <= longest.from {
			longest.after = max(longest.after, got)
		}
	}
	stall, unsure := l.stallOf(longest)
	hb.StallNs, hb.StallErrorNs = int64(stall), int64(unsure)
	return hb
}

// silence is a time in which no beat was completed although one was due.
type silence struct {
	after    time.Duration // the last answer before it
	from, to time.Duration // when a beat was due first, and the answer that ended it
}

// longestStall is the longest silence. One slow answer beside quick ones is none.
func longestStall(beats []beat) silence {
	byEnd := slices.Clone(beats)
	slices.SortFunc(byEnd, func(a, b beat) int { return cmp.Compare(a.due+a.latency, b.due+b.latency) })
	var longest silence
	earliest := time.Duration(math.MaxInt64) // due time among those that end at or after the current one
	for i := len(byEnd) - 1; i >= 0; i-- {
		earliest = min(earliest, byEnd[i].due)
		s := silence{from: earliest, to: byEnd[i].due + byEnd[i].latency}
		if i > 0 {
			s.after = byEnd[i-1].due + byEnd[i-1].latency
			s.from = max(s.from, s.after)
		}
		if s.to-s.from > longest.to-longest.from {
			longest = s
		}
	}
	return longest
}

// stallOf is how long a silence was from its true beginning, which is after the last answer and before the beat that was due next: when the
// kernel says that the thread began to work, or else the middle. unsure is what it may be wrong by, either way.
func (l *ledger) stallOf(s silence) (stall, unsure time.Duration) {
	seen := s.to - s.from
	// The first beat of all has none before it, and an answer long before is that of another window.
	earliest := max(s.after, s.from-l.period)
	gap := s.from - earliest
	if seen < stallAtLeast || gap <= 0 || s.after == 0 {
		return seen, gap
	}
	if l.began != nil {
		if at, ok := l.began(earliest, s.from, s.to); ok {
			return s.to - min(max(at, earliest), s.from), min(tick, gap)
		}
	}
	return seen + gap/2, gap / 2
}

const (
	// stallAtLeast is the silence that is worth a closer look; below, an answer is merely slow.
	stallAtLeast = 5 * time.Millisecond
	// tick is how exactly the kernel's books tell when work began.
	tick = 2 * time.Millisecond
)
