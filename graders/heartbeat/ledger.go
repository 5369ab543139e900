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
	// began tells when a stall began, after the first of these times and before the second; nil when nobody knows.
	began func(after, at, until time.Duration) (time.Duration, bool)
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

// forgiven is what is taken out of latencies: none when it is too much.
func (l *ledger) forgiven(end time.Duration) forgiveness {
	f := forgiveness{own: l.pauses, stolen: l.stolen}
	if float64(length(joined(f.own, f.stolen))) > maxPaused*float64(end) {
		return forgiveness{}
	}
	return f
}

// forgiveness are the pauses of our own sender and the times stolen from the submission, each ascending.
type forgiveness struct{ own, stolen []pause }

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

// without takes from the latency of a beat what pauses added to it. Time stolen from the submission always did. A pause of
// ours did when the beat was due in it, or its answer came in it or at its end: between the two, what we were doing made no difference.
func (f *forgiveness) without(due, latency time.Duration) time.Duration {
	got := due + latency
	// Those that are over are over for later beats too.
	f.own, f.stolen = after(f.own, due), after(f.stolen, due)
	var own []pause
	for _, p := range f.own {
		if p.from >= got {
			break
		}
		if p.from <= due || p.to+noticed >= got {
			own = append(own, p)
		}
	}
	corrected := latency
	for _, p := range joined(own, before(f.stolen, got)) {
		corrected -= max(min(p.to, got)-max(p.from, due), 0)
	}
	return max(corrected, 1)
}

// noticed is how long after a pause an answer that came during it may be noticed.
const noticed = 2 * time.Millisecond

func after(list []pause, t time.Duration) []pause {
	for len(list) > 0 && list[0].to <= t {
		list = list[1:]
	}
	return list
}

func before(list []pause, t time.Duration) []pause {
	n := 0
	for n < len(list) && list[n].from < t {
		n++
	}
	return list[:n]
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
	forgiven := l.forgiven(end)
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
		b.latency = forgiven.without(b.due, b.latency)
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
	forgiven := l.forgiven(end)
	hb.OwnPausedNs, hb.StolenNs = int64(length(forgiven.own)), int64(length(forgiven.stolen))
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

// quantile is the nearest-rank quantile of sorted latencies, 0 when there are none. The record is complete and bounded, so
// it is exact and no histogram is needed.
func quantile(sorted []time.Duration, q float64) int64 {
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return int64(sorted[max(int(math.Ceil(q*float64(n)))-1, 0)])
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
