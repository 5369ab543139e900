package platform

import (
	"slices"
	"strings"
	"time"
)

// Organization is a hiring team. All data but users belongs to exactly one.
type Organization struct {
	ID        OrgID
	Name      string
	CreatedAt time.Time
	// RetentionDays is what new assessments are offered; 1…3650.
	RetentionDays int
}

// User is somebody of a hiring team. A user may belong to several organisations, with a role in each.
type User struct {
	ID           ID
	Email        string // normalised; unique in the installation
	Name         string
	PasswordHash string // argon2id, in its own text form; empty when the user signs in elsewhere
	CreatedAt    time.Time
	DisabledAt   time.Time
	// SessionsFrom voids every session that began before it: a password was changed, or "sign out everywhere".
	SessionsFrom time.Time
	// FailedSignIns counts those since the last success; LockedUntil is when signing in is possible again.
	FailedSignIns int
	LockedUntil   time.Time
}

// Role is what a user may do in an organisation. Each role may do all that the next one may.
type Role string

// The roles, the most powerful first.
const (
	Owner    Role = "owner"    // people, tokens, webhooks, retention, erasure
	Author   Role = "author"   // assessments and invitations
	Reviewer Role = "reviewer" // reads results, decides
)

// Roles are all of them, the most powerful first.
func Roles() []Role { return []Role{Owner, Author, Reviewer} }

// Valid says whether it is one of Roles.
func (r Role) Valid() bool { return slices.Contains(Roles(), r) }

// May says whether r may do what needs the role needed. A role that does not exist may nothing.
func (r Role) May(needed Role) bool {
	have, want := slices.Index(Roles(), r), slices.Index(Roles(), needed)
	return have >= 0 && want >= 0 && have <= want
}

// Membership is a user in an organisation.
type Membership struct {
	Org       OrgID
	OrgName   string
	User      User
	Role      Role
	CreatedAt time.Time
}

// Identity is how a user is known to an OpenID provider.
type Identity struct {
	Issuer  string
	Subject string
	UserID  ID
}

// NormalEmail is the form in which addresses are compared: trimmed and in lower case. The part before the @ may be case
// sensitive by the letter of the standard, but nobody has two mailboxes that differ in it.
func NormalEmail(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// Scope is a right of an API token.
type Scope string

// The scopes.
const (
	ScopeAssessmentsRead   Scope = "assessments:read"
	ScopeAssessmentsWrite  Scope = "assessments:write"
	ScopeInvitationsRead   Scope = "invitations:read"
	ScopeInvitationsWrite  Scope = "invitations:write"
	ScopeResultsRead       Scope = "results:read"
	ScopeDecisionsWrite    Scope = "decisions:write"
	ScopeWebhooksWrite     Scope = "webhooks:write"
	ScopeCandidatesErase   Scope = "candidates:erase"
	ScopeQueueRead         Scope = "queue:read"
	ScopeAuditRead         Scope = "audit:read"
	ScopeCandidatesExport  Scope = "candidates:export"
	ScopeOrganizationRead  Scope = "organization:read"  // and who is in it
	ScopeOrganizationWrite Scope = "organization:write" // and who is in it, but for owners
	ScopeTokensWrite       Scope = "tokens:write"       // with no more than the token that has it may itself
)

// Scopes are all of them.
func Scopes() []Scope {
	return []Scope{
		ScopeAssessmentsRead, ScopeAssessmentsWrite, ScopeInvitationsRead, ScopeInvitationsWrite, ScopeResultsRead,
		ScopeDecisionsWrite, ScopeWebhooksWrite, ScopeCandidatesErase, ScopeQueueRead, ScopeAuditRead,
		ScopeCandidatesExport, ScopeOrganizationRead, ScopeOrganizationWrite, ScopeTokensWrite,
	}
}

// APIToken lets a program act for an organisation, as far as its scopes go.
type APIToken struct {
	ID         ID
	Org        OrgID
	Name       string
	Scopes     []Scope
	CreatedBy  ID
	CreatedAt  time.Time
	ExpiresAt  time.Time // zero: never
	LastUsedAt time.Time
	RevokedAt  time.Time
}

// Has says whether the token has a scope.
func (t APIToken) Has(s Scope) bool { return slices.Contains(t.Scopes, s) }

// UsableAt says whether the token may be used at a time.
func (t APIToken) UsableAt(now time.Time) bool {
	return t.RevokedAt.IsZero() && (t.ExpiresAt.IsZero() || now.Before(t.ExpiresAt))
}
