package platform

import "time"

// Stage is where a candidate stands in an assessment, in one word: the state of the invitation until an attempt begins,
// then that of the newest attempt.
type Stage string

// The stages.
const (
	StagePending   Stage = "pending"
	StageOpened    Stage = "opened"
	StageExpired   Stage = "expired" // of the invitation or the attempt
	StageRunning   Stage = "running"
	StageGrading   Stage = "grading"
	StageReview    Stage = "review"
	StageDecided   Stage = "decided"
	StageWithdrawn Stage = "withdrawn"
	StageRevoked   Stage = "revoked"
)

// Stages are all of them, in the order of the way.
func Stages() []Stage {
	return []Stage{
		StagePending, StageOpened, StageRunning, StageGrading, StageReview, StageDecided, StageExpired, StageWithdrawn, StageRevoked,
	}
}

// OverviewRow is one invitation in an assessment's list of candidates.
type OverviewRow struct {
	Invitation Invitation
	Candidate  Candidate
	Stage      Stage
	// Attempt is the newest; nil before the first. Its clock lacks extensions and pauses, which EndsAt has in it.
	Attempt *Attempt
	EndsAt  time.Time // of the attempt, as computed at the last change; zero: nothing ends it, or its clock stands
	// JobsWaiting and JobsRunning are of the newest attempt, dry runs included.
	JobsWaiting, JobsRunning int
	HandedInAt               time.Time // the newest final submission
	Headline                 string    // of the result with the lowest score
}

// OverviewSort is an order of that list.
type OverviewSort string

// The orders.
const (
	ByInvited  OverviewSort = "invited"  // newest first
	ByName     OverviewSort = "name"     // from A
	ByScore    OverviewSort = "score"    // best first, those without a score last
	ByHandedIn OverviewSort = "handedIn" // newest first, those who have not last
)

// Valid says whether it is one of the orders.
func (s OverviewSort) Valid() bool {
	switch s {
	case ByInvited, ByName, ByScore, ByHandedIn:
		return true
	}
	return false
}

// OverviewFilter narrows that list. Empty fields narrow nothing.
type OverviewFilter struct {
	Stages   []Stage
	Verdict  Verdict
	Decision Outcome
	Search   string   // part of name, address or reference
	MinScore *float64 // those with a score of at least this
}
