package platform

import (
	"encoding/json"
	"time"
)

// EventType is what an organisation's other systems are told.
type EventType string

// The events of webhooks.
const (
	EventInvited   EventType = "invitation.created"
	EventStarted   EventType = "attempt.started"
	EventSubmitted EventType = "submission.created"
	EventGraded    EventType = "attempt.graded"
	EventDecided   EventType = "attempt.decided"
)

// EventTypes are all of them.
func EventTypes() []EventType {
	return []EventType{EventInvited, EventStarted, EventSubmitted, EventGraded, EventDecided}
}

// Endpoint is where an organisation wants to be told of events.
type Endpoint struct {
	ID  ID
	Org OrgID
	URL string
	// Events are those that it wants.
	Events []EventType
	// SealedSecret signs deliveries. It must be readable, so it is encrypted by whoever stores it, under a key that is not
	// in the database.
	SealedSecret []byte
	CreatedAt    time.Time
	DisabledAt   time.Time
}

// Delivery is one event on its way to one endpoint.
type Delivery struct {
	ID         ID
	Org        OrgID
	EndpointID ID
	EventID    ID // the same for every endpoint and replay, so that a receiver can tell what it has seen
	Type       EventType
	// Payload holds ids and figures, no name and no address.
	Payload     json.RawMessage
	CandidateID ID // it goes when this candidate is erased; may be empty
	State       SendState
	Tries       int
	NextAt      time.Time // when it is due
	LastStatus  int       // HTTP status of the newest try; 0: no answer
	LastError   string
	CreatedAt   time.Time
	DoneAt      time.Time
}

// SendState is where a delivery or a mail stands.
type SendState string

// The states of what is sent.
const (
	SendPending SendState = "pending"
	SendDone    SendState = "done"
	SendFailed  SendState = "failed" // given up
)

// Mail is a mail to be sent. Whom to and with which words is found when it is sent: it names a candidate or a user, and
// a template.
type Mail struct {
	ID           ID
	Org          OrgID
	Template     string
	CandidateID  ID
	UserID       ID
	InvitationID ID
	// Sealed is what the words need and nobody may read in the database, e.g. the link; encrypted by whoever puts it in,
	// and emptied when the mail was sent or given up.
	Sealed    []byte
	State     SendState
	Tries     int
	NextAt    time.Time
	LastError string
	CreatedAt time.Time
	DoneAt    time.Time
}

// ActorKind says what kind of somebody did something.
type ActorKind string

// The kinds of actors.
const (
	ActorUser      ActorKind = "user"
	ActorToken     ActorKind = "token"
	ActorCandidate ActorKind = "candidate"
	ActorSystem    ActorKind = "system"
)

// Actor is who did something.
type Actor struct {
	Kind ActorKind
	ID   ID // empty for the system
}

// AuditEntry is a line of the audit log: who saw or did what. It holds ids, never names or addresses.
type AuditEntry struct {
	ID      ID
	Org     OrgID
	At      time.Time
	Actor   Actor
	Action  string // e.g. "report.view", "candidate.erase"
	Subject ID     // what it was done to
	Detail  string // figures or ids, as JSON; may be empty
	// RequestID ties it to the server's log.
	RequestID string
}

// Subject is what a line of the log is about, for people.
type Subject struct {
	ID   ID
	Name string // of a candidate or an assessment; may be empty
	// Invitation is where a candidate is found; empty for an assessment.
	Invitation ID
}

// Worker is a process that grades.
type Worker struct {
	ID        ID
	Name      string // of the machine
	Version   string
	Slots     int
	Draining  bool
	StartedAt time.Time
	LastSeen  time.Time
	// Busy is how many gradings it runs; Jobs are those of the organisation that asks.
	Busy int
	Jobs []ID
}

// Stored is the answer that an idempotency key remembers.
type Stored struct {
	Status int
	Body   []byte
}

// MaxStoredBytes bounds the answer that is remembered: a thousand invitations with their links fit.
const MaxStoredBytes = 1 << 20
