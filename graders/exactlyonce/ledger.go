package exactlyonce

// effect is what became of a message in the database.
type effect struct {
	times int   // how often it took effect
	atMs  int64 // the first time
}

// ledger reads the changes of one row. All deltas of a key are different, so a change by the delta of a message is its effect. A submission
// may also make the changes of several consecutive messages at once.
type ledger struct {
	messages []int         // good ones, ascending by n: numbers of messages
	deltas   []int64       // of them
	byDelta  map[int64]int // position by delta
	sums     []int64       // sums[i] is that of the first i
	bySum    map[int64]int // the largest position by sum
	effects  []effect      // by position
	budget   int           // comparisons left
	next     int           // behind the last message of the last change
	furthest int           // behind the last message that had an effect

	disorder []int // positions of messages whose first effect came after that of a later one
	wrong    int   // changes that nothing explains
}

// mostAtOnce bounds how many messages a change may stand for.
const mostAtOnce = 2000

// ledgerBudget bounds the search for explanations: a submission may make as many changes as it likes that have none.
const ledgerBudget = 100_000_000

func newLedger(messages []int, all []message) *ledger {
	l := &ledger{messages: messages, budget: ledgerBudget, byDelta: map[int64]int{}, bySum: map[int64]int{0: 0}, sums: []int64{0}}
	sum := int64(0)
	for i, m := range messages {
		delta := all[m].delta
		sum += delta
		l.deltas = append(l.deltas, delta)
		l.byDelta[delta] = i
		l.sums = append(l.sums, sum)
		l.bySum[sum] = i + 1
	}
	l.effects = make([]effect, len(messages))
	return l
}

// change finds the messages that explain a change: the next ones in order, else one alone, else any that are consecutive.
func (l *ledger) change(by, atMs int64) {
	if to, ok := l.following(by); ok {
		l.apply(l.next, to, atMs)
		return
	}
	if i, ok := l.byDelta[by]; ok {
		l.apply(i, i+1, atMs)
		return
	}
	for from := range l.messages {
		if l.budget--; l.budget < 0 {
			break
		}
		if to, ok := l.bySum[l.sums[from]+by]; ok && to > from && to-from <= mostAtOnce {
			l.apply(from, to, atMs)
			return
		}
	}
	l.wrong++
}

// following looks for messages right behind those of the last change.
func (l *ledger) following(by int64) (to int, ok bool) {
	for to := l.next + 1; to <= min(len(l.messages), l.next+mostAtOnce) && l.budget >= 0; to++ {
		l.budget--
		if l.sums[to]-l.sums[l.next] == by {
			return to, true
		}
	}
	return 0, false
}

func (l *ledger) apply(from, to int, atMs int64) {
	for i := from; i < to; i++ {
		e := &l.effects[i]
		if e.times++; e.times > 1 {
			continue
		}
		e.atMs = atMs
		if i < l.furthest {
			l.disorder = append(l.disorder, i)
		}
	}
	l.furthest = max(l.furthest, to)
	l.next = l.furthest
}
