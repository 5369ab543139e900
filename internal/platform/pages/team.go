package pages

import (
	"slices"
	"time"

	"github.com/assay-run/assay/internal/platform"
)

// Setup is the first page of a new installation: who owns it. Fields: organisation, name, email, password, and code where
// NeedsCode.
type Setup struct {
	Frame
	Form      Form
	NeedsCode bool // the code that was written to the server's log, so that nobody else takes the installation
}

// SignIn is the page for who is not known. Fields: email, password.
type SignIn struct {
	Frame
	Form      Form
	Next      string // path to go to then
	Providers []Provider
	Passwords bool // whether signing in by password is possible
}

// Provider is another place to sign in at.
type Provider struct{ ID, Name string }

// Forgot asks for a link that sets a new password. Fields: email.
type Forgot struct {
	Frame
	Form Form
	Sent bool // if there is such an account, the link is on its way
}

// SetPassword sets a password, by a link. Fields: password.
type SetPassword struct {
	Frame
	Token string // of the link
	Form  Form
}

// Account is of who is signed in. Fields of the form: current, newPassword.
type Account struct {
	Frame
	Email string
	Form  Form
}

// Organisations are those that the reader belongs to, to choose one. Fields: org.
type Organisations struct {
	Frame
	Organisations []Organisation
}

// Organisation is one of them.
type Organisation struct {
	ID, Name string
	Role     platform.Role
}

// Home lists the assessments.
type Home struct {
	Frame
	Assessments []AssessmentLine
	Archived    bool   // those that are archived are shown instead
	More        string // query of the next page, e.g. "after=…&sort=name"; empty: this is the last
}

// AssessmentLine is an assessment in a list, with how many candidates are where.
type AssessmentLine struct {
	ID, Name, RoleTitle                 string
	Challenges                          int
	Invited, Working, Grading, ToReview int
	Decided                             int
	Deadline                            time.Time // zero: none
}

// People are the users of an organisation. Fields: email, name, role; and email, name, role in Invited.
type People struct {
	Frame
	Form    Form
	Members []Member
	// Link is the link for somebody who was just added, shown once; empty: none.
	Link string
}

// Member is a user with a role.
type Member struct {
	ID, Name, Email string
	Role            platform.Role
	Self            bool // the reader; nobody takes the own role away
	Disabled        bool
	Locked          bool // after too many wrong passwords
	Since           time.Time
}

// Roles are those that may be given.
func (People) Roles() []platform.Role { return platform.Roles() }

// Tokens are the API tokens of an organisation. Fields: name, expires (days), and "scope" any number of times.
type Tokens struct {
	Frame
	Form   Form
	Chosen []string // scopes that were sent
	Tokens []Token
	// Secret is the new token, shown once; empty: none was made.
	Secret string
}

// Token is an API token without its secret.
type Token struct {
	ID, Name  string
	Scopes    []string
	CreatedBy string
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
	LastUsed  time.Time // zero: never
	Revoked   bool
	Expired   bool
}

// Scopes are those that may be given.
func (Tokens) Scopes() []platform.Scope { return platform.Scopes() }

// Webhooks are the endpoints that are told of events, and what was sent to them. Fields: url, and "event" any number of
// times.
type Webhooks struct {
	Frame
	Form       Form
	Chosen     []string // events that were sent
	Endpoints  []Endpoint
	Deliveries []Delivery
	// Secret signs the deliveries of the endpoint that was just made, shown once; empty: none was made.
	Secret string
	More   string // query of the next page, e.g. "after=…&sort=name"; empty: this is the last
}

// Endpoint is where events go.
type Endpoint struct {
	ID, URL  string
	Events   []string
	Disabled bool
}

// Delivery is an event on its way to an endpoint.
type Delivery struct {
	ID, EventID, Endpoint string
	Type                  string
	State                 platform.SendState
	Tries                 int
	Status                int    // of HTTP, of the newest try; 0: no answer
	Problem               string // of the newest try
	At                    time.Time
	NextAt                time.Time // of what is pending
}

// EventTypes are those that may be wanted.
func (Webhooks) EventTypes() []platform.EventType { return platform.EventTypes() }

// Audit is the log of who saw and did what. Filter fields: actor, action, subject.
type Audit struct {
	Frame
	Filter  Form
	Entries []AuditLine
	More    string // query of the next page; empty: this is the last
}

// AuditLine is an entry of it. Names are looked up when it is shown; the log itself holds ids.
type AuditLine struct {
	At      time.Time
	Kind    platform.ActorKind
	Actor   string // name, or id of who is gone
	Action  string // e.g. "report.view"
	Subject string // id
	// Name is that of the candidate or assessment that it is about; empty when it is gone, or nobody's. Invitation or Assessment
	// leads there.
	Name, Invitation, Assessment string
	Detail                       string
	RequestID                    string
}

// Workers are the processes that grade.
type Workers struct {
	Frame
	Workers []Worker
	Waiting int // gradings of this organisation in the queue
	Running int // of this organisation
}

// Alive says whether one of them has been heard of lately.
func (w Workers) Alive() bool {
	return slices.ContainsFunc(w.Workers, func(one Worker) bool { return !one.Lost })
}

// Worker is one of them.
type Worker struct {
	Name, Version string
	Slots, Busy   int
	Draining      bool // it takes no new gradings
	Lost          bool // silent for too long
	Started, Seen time.Time
	Jobs          []WorkerJob
}

// WorkerJob is a grading that it makes now. Those of other organisations are counted in Busy and not listed.
type WorkerJob struct {
	Candidate, Challenge string
	InvitationID         string
	Kind                 platform.JobKind
	Progress             string
	Since                time.Time
}

// Error is a page for what went wrong.
type Error struct {
	Frame
	Status    int    // 400, 403, 404, 405, 409, 410, 413, 429 or 500; others are shown as 500
	Message   string // in addition, a sentence that the reader may see; may be empty
	RequestID string // for the operator
	// RetryIn is when it may be tried again; 0: not known.
	RetryIn time.Duration
	// Candidate says that the reader is not of a team: there is no way home to be offered.
	Candidate bool
}

// Known is the status whose words are shown.
func (e Error) Known() int {
	switch e.Status {
	case 400, 403, 404, 405, 409, 410, 413, 429:
		return e.Status
	}
	return 500
}
