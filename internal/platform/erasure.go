package platform

import (
	"encoding/json"
	"time"
)

// Actions of the audit log by which data of people go. Who restores a backup that is older finds out from them who must not
// come back.
const (
	ActionErase      = "candidate.erase" // of the team: a candidate, who is the subject
	ActionEraseOwn   = "own_data.erase"  // of a candidate, who is the subject: the invitation in the detail
	ActionEraseDue   = "retention.erase" // an invitation, which is the subject
	ActionEraseAgain = "restore.erase"   // a candidate or an invitation, after a backup was restored

	// ActionRestore says that everything comes from a backup; the detail says of when.
	ActionRestore = "installation.restore"
)

// ErasingActions are those by which data go.
func ErasingActions() []string {
	return []string{ActionErase, ActionEraseOwn, ActionEraseDue, ActionEraseAgain}
}

// Erasure is that the data of a candidate, or of one invitation, were erased. It has ids alone, which then lead to nobody.
type Erasure struct {
	Org        OrgID     `json:"org"`
	Candidate  ID        `json:"candidate,omitempty"`  // all of the candidate; else
	Invitation ID        `json:"invitation,omitempty"` // this invitation
	At         time.Time `json:"at"`
}

// ErasedInvitation is the detail of ActionEraseOwn.
type ErasedInvitation struct {
	Invitation ID `json:"invitation"`
}

// Erasure is the erasure that an entry tells of; false when it tells of none.
func (e AuditEntry) Erasure() (Erasure, bool) {
	out := Erasure{Org: e.Org, At: e.At}
	switch e.Action {
	case ActionErase:
		out.Candidate = e.Subject
	case ActionEraseDue:
		out.Invitation = e.Subject
	case ActionEraseOwn:
		var detail ErasedInvitation
		if json.Unmarshal([]byte(e.Detail), &detail) != nil {
			return Erasure{}, false
		}
		out.Invitation = detail.Invitation
	case ActionEraseAgain:
		if e.Subject.Is(KindCandidate) {
			out.Candidate = e.Subject
		} else {
			out.Invitation = e.Subject
		}
	}
	return out, out.Candidate != "" || out.Invitation != ""
}
