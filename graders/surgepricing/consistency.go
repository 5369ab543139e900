package surgepricing

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// mostWrong is how many wrong quotes are described.
const mostWrong = 5

// seenEpoch is the newest epoch that somebody had been told at a time.
type seenEpoch struct {
	at    float64
	epoch float64
}

// wrongQuotes counts quotes whose numbers do not fit together, or that went back. before is the number of epochs that were made
// by single requests, whose tables the watched cells are not in.
func (r *run) wrongQuotes(before int64) int {
	q := &r.facts.Quotes
	ask := newAsker(r.truth.Seed, "questions")
	known := r.knownEpochs()
	wrong := 0
	note := func(format string, args ...any) {
		wrong++
		if len(r.wrong) < mostWrong {
			r.wrong = append(r.wrong, fmt.Sprintf(format, args...))
		}
	}
	for i, n := range q.Number {
		question := ask.question(n)
		epoch := int64(q.Epoch[i])
		if float64(epoch) != q.Epoch[i] || epoch < 0 {
			note("epoch %v is none.", q.Epoch[i])
			continue
		}
		multiplier, ok := r.multiplierOf(question.Cell, epoch, before)
		switch {
		case !ok && r.someUnanswered():
			// The table of a rebuild whose answer did not reach us.
		case !ok:
			note("epoch %d, which no rebuild was answered with.", epoch)
		case q.Epoch[i] < newest(known, q.Sent[i]):
			note("epoch %d, after somebody had been told epoch %v.", epoch, newest(known, q.Sent[i]))
		case !isMultiplier(q.Multiplier[i], multiplier):
			note("multiplier %v and epoch %d; that epoch has %v for the cell%s.", q.Multiplier[i], epoch, float64(multiplier)/unitMultiplier,
				r.other(question.Cell, q.Multiplier[i]))
		case q.Cents[i] != float64(cents(question.Base, multiplier)):
			note("%v cents for a base of %d and multiplier %v, expected %d.", q.Cents[i], question.Base, q.Multiplier[i], cents(question.Base, multiplier))
		}
	}
	return wrong
}

// multiplierOf is what a cell has in an epoch. A cell that is not watched is in no table of ours with any likelihood.
func (r *run) multiplierOf(id int32, epoch, before int64) (int32, bool) {
	if epoch == 0 {
		return unitMultiplier, true
	}
	i, isWatched := slices.BinarySearch(r.truth.Watched, id)
	k := r.epochs.byEpoch[epoch]
	switch {
	case k != nil && isWatched:
		return k.Multipliers[i], true
	case k != nil || epoch <= before || r.bad[epoch]:
		return unitMultiplier, true
	}
	return 0, false
}

// someUnanswered says whether there may be epochs that we were not told of.
func (r *run) someUnanswered() bool {
	for _, a := range r.facts.Loads {
		if a.Error != "" {
			return true
		}
	}
	return false
}

// other names the epoch in which a cell has a multiplier, if there is one.
func (r *run) other(id int32, multiplier float64) string {
	i, ok := slices.BinarySearch(r.truth.Watched, id)
	if !ok {
		return ""
	}
	for _, epoch := range slices.Sorted(maps.Keys(r.epochs.byEpoch)) {
		if isMultiplier(multiplier, r.epochs.byEpoch[epoch].Multipliers[i]) {
			return fmt.Sprintf("; it is that of epoch %d", epoch)
		}
	}
	return ""
}

// knownEpochs are the moments at which somebody was told a newer epoch than before, ascending in both.
func (r *run) knownEpochs() []seenEpoch {
	var list []seenEpoch
	for epoch, k := range r.epochs.byEpoch {
		list = append(list, seenEpoch{r.facts.Loads[k.ID].Got, float64(epoch)})
	}
	q := &r.facts.Quotes
	for i := range q.Number {
		list = append(list, seenEpoch{q.Got[i], q.Epoch[i]})
	}
	slices.SortFunc(list, func(a, b seenEpoch) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.epoch, b.epoch)) })
	rising := list[:0]
	for _, s := range list {
		if len(rising) == 0 || s.epoch > rising[len(rising)-1].epoch {
			rising = append(rising, s)
		}
	}
	return rising
}

// newest is what somebody had been told before a time, 0 when nothing.
func newest(list []seenEpoch, before float64) float64 {
	i, _ := slices.BinarySearchFunc(list, before, func(s seenEpoch, t float64) int { return cmp.Compare(s.at, t) })
	if i == 0 {
		return 0
	}
	return list[i-1].epoch
}
