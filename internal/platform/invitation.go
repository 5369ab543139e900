package platform

import (
	"strings"
	"time"
	"unicode/utf8"
)

// Candidate is a person who was invited. Name, address and reference are kept here and nowhere else.
type Candidate struct {
	ID          ID
	Org         OrgID
	Name        string
	Email       string // as given; may be empty when the link is handed over in another way
	ExternalRef string // of an applicant-tracking system; may be empty
	CreatedAt   time.Time
}

// Invitee is somebody to be invited.
type Invitee struct {
	Name        string
	Email       string
	ExternalRef string
	// ExtraPercent is the extra time of this person, in percent of the time limit. Why is nobody's business here.
	ExtraPercent int
}

// Validate checks an invitee; the error is an *Error that names the field.
func (i Invitee) Validate() error {
	local, domain, at := strings.Cut(i.Email, "@")
	switch {
	case strings.TrimSpace(i.Name) == "" && i.Email == "":
		return InvalidField("name", "A name or an address is needed.")
	case utf8.RuneCountInString(i.Name) > MaxNameRunes:
		return InvalidField("name", "The name may have %d characters at most.", MaxNameRunes)
	case hasControl(i.Name):
		return InvalidField("name", "The name has line breaks or control characters.")
	case i.Email != "" && (!at || local == "" || domain == "" || len(i.Email) > 254 || hasControl(i.Email) || strings.ContainsAny(i.Email, " ,;<>\"")):
		return InvalidField("email", "This is not an address: it needs the form name@example.org.")
	case len(i.ExternalRef) > 200 || hasControl(i.ExternalRef):
		return InvalidField("externalRef", "The reference may have 200 bytes at most, and no control characters.")
	case i.ExtraPercent < 0 || i.ExtraPercent > MaxExtraPercent:
		return InvalidField("extraPercent", "Extra time is from 0 to %d percent.", MaxExtraPercent)
	}
	return nil
}

// hasControl keeps line breaks out of what ends up in a mail's header.
func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError })
}

// Invitation gives one candidate the attempts of one assessment. Its token opens these and nothing else.
type Invitation struct {
	ID           ID
	Org          OrgID
	AssessmentID ID
	CandidateID  ID
	State        InvitationState
	ExtraPercent int
	ExpiresAt    time.Time // the first attempt must have begun before it
	CreatedBy    ID
	CreatedAt    time.Time
	OpenedAt     time.Time // the link was followed first
	EndedAt      time.Time // completed, withdrawn or revoked
	// AttemptID is the newest attempt; AttemptsUsed counts those that were charged.
	AttemptID    ID
	AttemptsUsed int
	// EraseAfter is when the personal data of it are erased; zero while an attempt runs.
	EraseAfter time.Time
}

// InvitationState is where an invitation stands.
type InvitationState string

// The states of an invitation. That it expired is a matter of the clock and not stored: see StateAt.
const (
	InvitationPending   InvitationState = "pending"   // nobody has followed the link
	InvitationOpened    InvitationState = "opened"    // the link was followed
	InvitationStarted   InvitationState = "started"   // an attempt has begun
	InvitationCompleted InvitationState = "completed" // an attempt is over
	InvitationWithdrawn InvitationState = "withdrawn" // by the candidate
	InvitationRevoked   InvitationState = "revoked"   // by the hiring team
	InvitationExpired   InvitationState = "expired"   // nobody began in time
)

// InvitationEvent is what happens to an invitation.
type InvitationEvent string

// The events.
const (
	InvitationOpen     InvitationEvent = "open"
	InvitationStart    InvitationEvent = "start"
	InvitationComplete InvitationEvent = "complete"
	InvitationReopen   InvitationEvent = "reopen" // an attempt that was over goes on: an extension
	InvitationWithdraw InvitationEvent = "withdraw"
	InvitationRevoke   InvitationEvent = "revoke"
)

// On is the state after an event, or a Conflict error when the event cannot happen in this state.
func (s InvitationState) On(e InvitationEvent) (InvitationState, error) {
	type step struct {
		from InvitationState
		on   InvitationEvent
	}
	switch (step{s, e}) {
	case step{InvitationPending, InvitationOpen}, step{InvitationOpened, InvitationOpen}:
		return InvitationOpened, nil
	case step{InvitationStarted, InvitationOpen}, step{InvitationCompleted, InvitationOpen}:
		return s, nil // the candidate looks in again
	case step{InvitationPending, InvitationStart}, step{InvitationOpened, InvitationStart},
		step{InvitationStarted, InvitationStart}, step{InvitationCompleted, InvitationStart},
		step{InvitationCompleted, InvitationReopen}:
		return InvitationStarted, nil
	case step{InvitationStarted, InvitationComplete}:
		return InvitationCompleted, nil
	case step{InvitationPending, InvitationWithdraw}, step{InvitationOpened, InvitationWithdraw},
		step{InvitationStarted, InvitationWithdraw}, step{InvitationCompleted, InvitationWithdraw}:
		return InvitationWithdrawn, nil
	case step{InvitationPending, InvitationRevoke}, step{InvitationOpened, InvitationRevoke},
		step{InvitationStarted, InvitationRevoke}:
		return InvitationRevoked, nil
	}
	return s, Errorf(Conflict, "An invitation that is %s cannot %s.", s, e)
}

// StateAt is the state with the clock taken into account.
func (i Invitation) StateAt(now time.Time) InvitationState {
	waiting := i.State == InvitationPending || i.State == InvitationOpened
	if waiting && !i.ExpiresAt.IsZero() && !now.Before(i.ExpiresAt) {
		return InvitationExpired
	}
	return i.State
}

// Usable is nil when the token may still open the invitation's pages at a time, and a Gone error otherwise. What is
// completed stays open, for the candidate's own report.
func (i Invitation) Usable(now time.Time) error {
	switch s := i.StateAt(now); s {
	case InvitationExpired:
		return Errorf(Gone, "This invitation has expired. Ask the team that invited you for a new one.")
	case InvitationRevoked:
		return Errorf(Gone, "This invitation was taken back by the team that sent it.")
	case InvitationWithdrawn:
		return Errorf(Gone, "You have withdrawn from this assessment.")
	default:
		return nil
	}
}
