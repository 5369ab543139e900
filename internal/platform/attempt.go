package platform

import "time"

// Attempt is one go of a candidate at an assessment.
type Attempt struct {
	ID                ID
	Org               OrgID
	InvitationID      ID
	CandidateID       ID
	AssessmentID      ID
	AssessmentVersion int
	Number            int // from 1, within the invitation
	State             AttemptState
	Clock             Clock
	Consent           Consent
	EndedAt           time.Time
	// Overall is nil until everything handed in is graded.
	Overall *Overall
	// Decision is that of the newest decision; empty: none.
	Decision Outcome
}

// Consent is what a candidate has agreed to, and when.
type Consent struct {
	TextVersion string
	At          time.Time
}

// Draft is the autosaved state of a candidate's work on one challenge: notes and what the page needs, never code.
type Draft struct {
	AttemptID   ID
	ChallengeID string
	Revision    int64 // from 1; each save must name the one it is based on
	Body        string
	SavedAt     time.Time
}

// MaxDraftBytes bounds a draft.
const MaxDraftBytes = 256 << 10

// AttemptState is where an attempt stands.
type AttemptState string

// The states of an attempt.
const (
	AttemptRunning   AttemptState = "running"   // the candidate works
	AttemptGrading   AttemptState = "grading"   // handed in; gradings are under way
	AttemptReview    AttemptState = "review"    // every grading is over; a person looks at it
	AttemptDecided   AttemptState = "decided"   // there is a decision
	AttemptExpired   AttemptState = "expired"   // time was up and nothing had been handed in
	AttemptWithdrawn AttemptState = "withdrawn" // by the candidate, or with a revoked invitation
)

// AttemptStates are all of them.
func AttemptStates() []AttemptState {
	return []AttemptState{AttemptRunning, AttemptGrading, AttemptReview, AttemptDecided, AttemptExpired, AttemptWithdrawn}
}

// AttemptEvent is what happens to an attempt.
type AttemptEvent string

// The events.
const (
	AttemptHandIn   AttemptEvent = "hand in"  // the candidate is done, or time is up and something was handed in
	AttemptTimeOut  AttemptEvent = "time out" // time is up and nothing was handed in
	AttemptExtend   AttemptEvent = "extend"   // there is time again
	AttemptSettle   AttemptEvent = "settle"   // the last grading is over
	AttemptRegrade  AttemptEvent = "regrade"
	AttemptDecide   AttemptEvent = "decide"
	AttemptUndecide AttemptEvent = "undecide" // a decision was taken back
	AttemptWithdraw AttemptEvent = "withdraw"
)

// AttemptEvents are all of them.
func AttemptEvents() []AttemptEvent {
	return []AttemptEvent{
		AttemptHandIn, AttemptTimeOut, AttemptExtend, AttemptSettle, AttemptRegrade, AttemptDecide, AttemptUndecide, AttemptWithdraw,
	}
}

// On is the state after an event, or a Conflict error when the event cannot happen in this state.
func (s AttemptState) On(e AttemptEvent) (AttemptState, error) {
	type step struct {
		from AttemptState
		on   AttemptEvent
	}
	switch (step{s, e}) {
	case step{AttemptRunning, AttemptExtend}, step{AttemptExpired, AttemptExtend}:
		return AttemptRunning, nil
	case step{AttemptRunning, AttemptHandIn}, step{AttemptReview, AttemptRegrade}, step{AttemptDecided, AttemptRegrade},
		step{AttemptGrading, AttemptRegrade}:
		return AttemptGrading, nil
	case step{AttemptRunning, AttemptTimeOut}:
		return AttemptExpired, nil
	case step{AttemptGrading, AttemptSettle}, step{AttemptDecided, AttemptUndecide}:
		return AttemptReview, nil
	case step{AttemptReview, AttemptDecide}, step{AttemptDecided, AttemptDecide}, step{AttemptExpired, AttemptDecide}:
		return AttemptDecided, nil
	case step{AttemptRunning, AttemptWithdraw}, step{AttemptGrading, AttemptWithdraw}, step{AttemptReview, AttemptWithdraw},
		step{AttemptDecided, AttemptWithdraw}, step{AttemptExpired, AttemptWithdraw}:
		return AttemptWithdrawn, nil
	}
	return s, Errorf(Conflict, "An attempt that is %s cannot %s.", attemptWord(s), e)
}

func attemptWord(s AttemptState) string {
	switch s {
	case AttemptGrading:
		return "being graded"
	case AttemptReview:
		return "to be reviewed"
	default:
		return string(s)
	}
}

// Outcome is what a hiring team has decided.
type Outcome string

// The outcomes.
const (
	Advance Outcome = "advance"
	Reject  Outcome = "reject"
	Hold    Outcome = "hold"
)

// Valid says whether it is one of the outcomes.
func (o Outcome) Valid() bool { return o == Advance || o == Reject || o == Hold }

// Decision is a decision on an attempt. A newer one supersedes it; none is changed.
type Decision struct {
	ID        ID
	AttemptID ID
	Outcome   Outcome
	Reason    string
	DecidedBy ID
	At        time.Time
}
