package platform

import (
	"slices"
	"time"
)

// Extension is more time that the hiring team has given.
type Extension struct {
	ID        ID
	By        time.Duration // > 0
	Reason    string
	GrantedBy ID
	At        time.Time
}

// Pause is time that is not charged because something of ours was broken.
type Pause struct {
	ID   ID
	From time.Time
	To   time.Time // zero: it lasts
	Why  string
}

// Clock is all that decides when an attempt is over.
type Clock struct {
	Started time.Time
	// Limit is the assessment's time limit; 0: none.
	Limit        time.Duration
	ExtraPercent int       // extra time of this candidate, in percent of Limit
	Deadline     time.Time // of the assessment; zero: none
	Extensions   []Extension
	Pauses       []Pause
}

// Ends is when the attempt is over, as known at a time; zero when nothing ends it.
//
// The limit with the candidate's extra time counts from the start, and the assessment's deadline cuts it off: who begins
// late has less time. Extensions and pauses move the end, also past the deadline. Time in which several pauses overlap
// counts once, and a pause that began when the attempt was already over gives nothing. While a pause lasts, the end
// moves on with the clock.
func (c Clock) Ends(now time.Time) time.Time {
	end := c.Deadline
	if c.Limit > 0 {
		byLimit := c.Started.Add(c.Limit + c.Limit*time.Duration(c.ExtraPercent)/100)
		if end.IsZero() || byLimit.Before(end) {
			end = byLimit
		}
	}
	if end.IsZero() {
		return end
	}
	for _, x := range c.Extensions {
		end = end.Add(x.By)
	}
	counted := c.Started // pauses are credited from here on
	for _, p := range c.byStart() {
		from, to := later(p.From, counted), p.To
		if to.IsZero() || to.After(now) {
			to = now
		}
		if !from.Before(end) || !from.Before(to) {
			continue
		}
		end = end.Add(to.Sub(from))
		counted = to
	}
	return end
}

func (c Clock) byStart() []Pause {
	return slices.SortedFunc(slices.Values(c.Pauses), func(a, b Pause) int { return a.From.Compare(b.From) })
}

// Left is the time that is left at a time, never negative. The second result is false when nothing ends the attempt.
func (c Clock) Left(now time.Time) (time.Duration, bool) {
	end := c.Ends(now)
	if end.IsZero() {
		return 0, false
	}
	return max(0, end.Sub(now)), true
}

// Over says whether the attempt is over at a time. The very end is over.
func (c Clock) Over(now time.Time) bool {
	end := c.Ends(now)
	return !end.IsZero() && !now.Before(end)
}

// Paused says whether a pause lasts at a time.
func (c Clock) Paused(now time.Time) bool {
	return slices.ContainsFunc(c.Pauses, func(p Pause) bool {
		return !p.From.After(now) && (p.To.IsZero() || now.Before(p.To))
	})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
