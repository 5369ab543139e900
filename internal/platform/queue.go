package platform

// Whose turn it is. Between organisations, the one with the fewest running gradings comes first, and among those the one
// that has waited longest since its last turn. Within an organisation final submissions come before regrades and these
// before dry runs; among equals the candidates take turns (laps), then the older job comes first.

// NextLap is the lap of a new job. Candidates with one job each are in the same lap; whoever puts in more gets later
// laps, and whoever comes new joins the lap that is being served, not one long past.
func NextLap(candidatesLastWaiting, beingServed int64) int64 {
	return max(candidatesLastWaiting+1, beingServed)
}

// QueueShare is an organisation in the queue.
type QueueShare struct {
	Org     OrgID
	Running int   // gradings that run
	Waiting int   // jobs that could be claimed now
	Turn    int64 // number of its newest claim; the smaller, the longer ago
}

// Before says whether a comes before b when a slot is free. Of two that never had a turn the smaller id is first.
func (a QueueShare) Before(b QueueShare) bool {
	if a.Running != b.Running {
		return a.Running < b.Running
	}
	if a.Turn != b.Turn {
		return a.Turn < b.Turn
	}
	return a.Org < b.Org
}

// Ahead is how many claims come before the claim of an organisation's n-th waiting job, n from 0, if nothing ends and
// nothing new arrives meanwhile. all holds every organisation with waiting jobs, and org itself.
func Ahead(all []QueueShare, org OrgID, n int) int {
	var own QueueShare
	for _, s := range all {
		if s.Org == org {
			own = s
		}
	}
	// An organisation that gets a slot is at one running grading more; it is served at levels Running, Running+1, ….
	level := own.Running + n
	ahead := n
	for _, s := range all {
		if s.Org == org {
			continue
		}
		served := level - s.Running
		if s.before(own, level) {
			served++
		}
		ahead += min(max(served, 0), s.Waiting)
	}
	return ahead
}

// before orders two organisations at a level of running gradings. Whoever was at that level from the beginning was not
// served before it; the others had their turns in the order in which they reached it.
func (a QueueShare) before(b QueueShare, level int) bool {
	fresh, other := a.Running == level, b.Running == level
	if fresh != other {
		return fresh
	}
	if !fresh {
		// Both were served at the level below, in the order that held there.
		return a.before(b, level-1)
	}
	return a.Before(b)
}
