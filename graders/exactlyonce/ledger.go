package exactlyonce

import "slices"

// effect is what became of a message in the database.
type effect struct {
	times int   // how often it took effect
	atMs  int64 // the first time
}

// ledger reads the changes of one row. All deltas of a key are different, so a change by the delta of a message is its effect. A submission
// may also make the changes of several consecutive messages at once, and a wrong one adds to them what it has done already, or poison.
type ledger struct {
	messages []int         // good ones, ascending by n: numbers of messages
	deltas   []int64       // of them
	byDelta  map[int64]int // position by delta
	sums     []int64       // sums[i] is that of the first i
	bySum    map[int64]int // the largest position by sum
	effects  []effect      // by position
	poison   []poison
	repeated []int // positions of those that were given out more than once, ascending
	budget   int   // comparisons left
	mixing   int   // comparisons left for mixed
	next     int   // behind the last message of the last change
	furthest int   // behind the last message that had an effect

	disorder []int // positions of messages whose first effect came after that of a later one
	wrong    int   // changes that nothing explains
	rest     int64 // the sum of these
	restAtMs int64 // the last of them
}

// poison is a message that must have no effect and would have one where nobody looks at its delta.
type poison struct {
	message int
	value   int64
	times   int
}

// span is a run of consecutive positions.
type span struct{ from, to int }

// mostAtOnce bounds how many messages a change may stand for.
const mostAtOnce = 2000

// A change that holds the next messages and earlier ones is looked for among so many next ones, with a run of earlier ones or any four of the
// last so many, all of which were given out more than once. Wider, and other sums would fit by chance: with these there are some 10⁶ of them,
// in a range of 10¹⁰.
const (
	mixedNext = 64
	mixedFew  = 32
)

// These bound the search for explanations, in comparisons: a submission may make as many changes as it likes that have none.
const (
	ledgerBudget = 20_000_000
	mixedBudget  = 200_000 // for changes that hold earlier messages as well
)

// newLedger is that of a key's good messages, ascending by n, and of its poison. deliveries says how often each of all messages was given out.
func newLedger(messages []int, poison []poison, all []message, deliveries []int) *ledger {
	l := &ledger{messages: messages, poison: poison, budget: ledgerBudget, mixing: mixedBudget, byDelta: map[int64]int{}, bySum: map[int64]int{0: 0}, sums: []int64{0}}
	sum := int64(0)
	for i, m := range messages {
		if deliveries[m] > 1 {
			l.repeated = append(l.repeated, i)
		}
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

// change finds the messages that explain a change: good ones alone, else with one of poison, else with some that are done again.
func (l *ledger) change(by, atMs int64) {
	for _, explain := range []func(int64) []span{l.plain, l.mixed} {
		if spans := explain(by); spans != nil {
			l.apply(spans, atMs)
			return
		}
		for i := range l.poison {
			p := &l.poison[i]
			spans := explain(by - p.value)
			if spans == nil && by != p.value {
				continue
			}
			p.times++
			l.apply(spans, atMs)
			return
		}
	}
	l.wrong++
	l.rest += by
	l.restAtMs = max(l.restAtMs, atMs)
}

// plain explains a change by the next messages in order, else by one alone, else by any that are consecutive.
func (l *ledger) plain(by int64) []span {
	if to, ok := l.following(by); ok {
		return []span{{l.next, to}}
	}
	if i, ok := l.byDelta[by]; ok {
		return []span{{i, i + 1}}
	}
	for from := range l.messages {
		if l.budget--; l.budget < 0 {
			break
		}
		if to, ok := l.bySum[l.sums[from]+by]; ok && to > from && to-from <= mostAtOnce {
			return []span{{from, to}}
		}
	}
	return nil
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

// mixed explains a change by the next messages in order and earlier ones that were given out again: a run of them, or a few.
func (l *ledger) mixed(by int64) []span {
	if l.mixing < 0 {
		return nil
	}
	end, _ := slices.BinarySearch(l.repeated, l.next)
	last := l.repeated[max(0, end-mixedFew):end]
	few := l.few(last)
	l.mixing -= len(few.pairs)
	for to := l.next + 1; to <= min(len(l.messages), l.next+mixedNext); to++ {
		again := by - (l.sums[to] - l.sums[l.next])
		for i, from := range last {
			for k := i; k < len(last) && last[k]-from == k-i; k++ {
				if l.mixing--; l.mixing < 0 {
					return nil
				}
				if l.sums[last[k]+1]-l.sums[from] == again {
					return []span{{from, last[k] + 1}, {l.next, to}}
				}
			}
		}
		if spans := few.find(again, &l.mixing); spans != nil {
			return append(spans, span{l.next, to})
		}
	}
	return nil
}

// few are some messages of which any four may be in a sum.
type few struct {
	positions []int
	deltas    []int64
	pairs     map[int64][2]int // of two, of one (the second is -1) and of none, by their sum
}

func (l *ledger) few(positions []int) few {
	f := few{positions: positions, pairs: map[int64][2]int{0: {-1, -1}}}
	for i, p := range positions {
		f.deltas = append(f.deltas, l.deltas[p])
		f.pairs[l.deltas[p]] = [2]int{i, -1}
		for j := range i {
			f.pairs[l.deltas[p]+f.deltas[j]] = [2]int{j, i}
		}
	}
	return f
}

// find makes a sum of one to four of them: one or two, and up to two others.
func (f *few) find(sum int64, budget *int) []span {
	for i := range f.positions {
		for j := i; j < len(f.positions); j++ {
			if *budget--; *budget < 0 {
				return nil
			}
			rest := sum - f.deltas[i]
			if j > i {
				rest -= f.deltas[j]
			}
			pair, ok := f.pairs[rest]
			if chosen := []int{i, j}; ok && !slices.Contains(chosen, pair[0]) && !slices.Contains(chosen, pair[1]) {
				return f.spans(append(chosen, pair[:]...))
			}
		}
	}
	return nil
}

// spans are the positions of some of them, each by itself.
func (f *few) spans(chosen []int) []span {
	slices.Sort(chosen)
	var list []span
	for _, c := range slices.Compact(chosen) {
		if c >= 0 {
			list = append(list, span{f.positions[c], f.positions[c] + 1})
		}
	}
	return list
}

func (l *ledger) apply(spans []span, atMs int64) {
	for _, s := range spans {
		for i := s.from; i < s.to; i++ {
			e := &l.effects[i]
			if e.times++; e.times > 1 {
				continue
			}
			e.atMs = atMs
			if i < l.furthest {
				l.disorder = append(l.disorder, i)
			}
		}
	}
	for _, s := range spans {
		l.furthest = max(l.furthest, s.to)
	}
	l.next = l.furthest
}

// maxTogether bounds the poison that is taken together: all its subsets are tried.
const maxTogether = 10

// settle looks at what is left when all changes are read: when those that nothing explains make together what the messages without an effect
// make, with or without poison, then these had it, in whatever mixture. settled says which are no longer with the broker.
func (l *ledger) settle(settled func(message int) bool) {
	if l.wrong == 0 {
		return
	}
	var missing []int
	sum := int64(0)
	for i := range l.effects {
		if l.effects[i].times == 0 && settled(l.messages[i]) {
			missing = append(missing, i)
			sum += l.deltas[i]
		}
	}
	among := l.poison[:min(len(l.poison), maxTogether)]
	for set := range 1 << len(among) {
		rest := l.rest - sum
		for i, p := range among {
			if set>>i&1 == 1 {
				rest -= p.value
			}
		}
		if rest != 0 {
			continue
		}
		for _, i := range missing {
			l.effects[i] = effect{times: 1, atMs: l.restAtMs}
		}
		for i := range among {
			among[i].times += set >> i & 1
		}
		return
	}
}
