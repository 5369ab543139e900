package service

import "github.com/assay-run/assay/internal/platform"

// UseCase names something that can be done. It is also what the audit log calls it.
type UseCase string

// The use cases. What the names mean is said at the methods.
const (
	SetUpInstallation UseCase = "installation.setup"
	SignInUser        UseCase = "session.begin"
	ResetPassword     UseCase = "password.reset"

	ListMemberships UseCase = "membership.list"
	ChangePassword  UseCase = "password.change"
	EndSessions     UseCase = "session.end_all"

	ReadOrganization   UseCase = "organization.read"
	ChangeOrganization UseCase = "organization.change"
	ListMembers        UseCase = "member.list"
	AddMember          UseCase = "member.add"
	ChangeMember       UseCase = "member.change"
	RemoveMember       UseCase = "member.remove"
	ListTokens         UseCase = "token.list"
	CreateToken        UseCase = "token.create"
	RevokeToken        UseCase = "token.revoke"
	ManageEndpoints    UseCase = "endpoint.manage"
	ListEndpoints      UseCase = "endpoint.list"
	ReadAudit          UseCase = "audit.read"

	ReadAssessments   UseCase = "assessment.read"
	CreateAssessment  UseCase = "assessment.create"
	ChangeAssessment  UseCase = "assessment.change"
	ArchiveAssessment UseCase = "assessment.archive"

	Invite            UseCase = "invitation.create"
	RevokeInvitation  UseCase = "invitation.revoke"
	ResendInvitation  UseCase = "invitation.resend"
	ExtendAttempt     UseCase = "attempt.extend"
	SetExtraTime      UseCase = "invitation.extra_time"
	GiveAttempt       UseCase = "invitation.give_attempt"
	ChangeCandidate   UseCase = "candidate.change"
	ReadInvitations   UseCase = "invitation.read"
	ReadResults       UseCase = "result.read"
	ViewReport        UseCase = "report.view"
	ViewSubmission    UseCase = "submission.view"
	CompareCandidates UseCase = "comparison.view"
	ExportResults     UseCase = "result.export"
	Regrade           UseCase = "submission.regrade"
	CancelGrading     UseCase = "grading.cancel"
	Decide            UseCase = "attempt.decide"
	Undecide          UseCase = "attempt.undecide"
	ReadQueue         UseCase = "queue.read"
	ExportCandidate   UseCase = "candidate.export"
	EraseCandidate    UseCase = platform.ActionErase

	CandidateOpen     UseCase = "invitation.open"
	CandidateLook     UseCase = "invitation.look"
	CandidateStart    UseCase = "attempt.start"
	CandidateDraft    UseCase = "draft.save"
	CandidateSubmit   UseCase = "submission.create"
	CandidateFinish   UseCase = "attempt.finish"
	CandidateCancel   UseCase = "dry_run.cancel"
	CandidateReport   UseCase = "own_report.view"
	CandidateExport   UseCase = "own_data.export"
	CandidateWithdraw UseCase = "invitation.withdraw"
	CandidateErase    UseCase = platform.ActionEraseOwn

	HouseKeep UseCase = "installation.keep"
)

// Access is what a use case does to the data.
type Access string

// The accesses.
const (
	Reads   Access = "reads"   // not in the audit log
	Saves   Access = "saves"   // writes, too often for the audit log or with lines of its own
	Views   Access = "views"   // reads what somebody may want to know was read: in the audit log
	Changes Access = "changes" // in the audit log
)

// Rule says who may do something. Whom it does not name may not.
type Rule struct {
	Role      platform.Role  // the least role of a user; empty: no user
	Scope     platform.Scope // of an API token; empty: no token
	Candidate bool           // with the own invitation
	System    bool           // the installation itself
	SignedIn  bool           // any user, for what is the user's own
	Anyone    bool           // also who is not known
	Access    Access
}

// Rules is the table of who may do what. Every use case is in it.
func Rules() map[UseCase]Rule {
	const (
		owner, author, reviewer = platform.Owner, platform.Author, platform.Reviewer
	)
	return map[UseCase]Rule{
		SetUpInstallation: {Anyone: true, Access: Changes},
		SignInUser:        {Anyone: true, Access: Saves},
		ResetPassword:     {Anyone: true, Access: Saves},

		ListMemberships: {SignedIn: true, Access: Reads},
		ChangePassword:  {SignedIn: true, Access: Changes},
		EndSessions:     {SignedIn: true, Access: Changes},

		ReadOrganization:   {Role: reviewer, Scope: platform.ScopeOrganizationRead, Access: Reads},
		ChangeOrganization: {Role: owner, Scope: platform.ScopeOrganizationWrite, Access: Changes},
		ListMembers:        {Role: reviewer, Scope: platform.ScopeOrganizationRead, Access: Reads},
		AddMember:          {Role: owner, Scope: platform.ScopeOrganizationWrite, Access: Changes},
		ChangeMember:       {Role: owner, Scope: platform.ScopeOrganizationWrite, Access: Changes},
		RemoveMember:       {Role: owner, Scope: platform.ScopeOrganizationWrite, Access: Changes},
		ListTokens:         {Role: owner, Scope: platform.ScopeTokensWrite, Access: Reads},
		CreateToken:        {Role: owner, Scope: platform.ScopeTokensWrite, Access: Changes},
		RevokeToken:        {Role: owner, Scope: platform.ScopeTokensWrite, Access: Changes},
		ManageEndpoints:    {Role: owner, Scope: platform.ScopeWebhooksWrite, Access: Changes},
		ListEndpoints:      {Role: owner, Scope: platform.ScopeWebhooksWrite, Access: Reads},
		ReadAudit:          {Role: owner, Scope: platform.ScopeAuditRead, Access: Reads},

		ReadAssessments:   {Role: reviewer, Scope: platform.ScopeAssessmentsRead, Access: Reads},
		CreateAssessment:  {Role: author, Scope: platform.ScopeAssessmentsWrite, Access: Changes},
		ChangeAssessment:  {Role: author, Scope: platform.ScopeAssessmentsWrite, Access: Changes},
		ArchiveAssessment: {Role: author, Scope: platform.ScopeAssessmentsWrite, Access: Changes},

		Invite:            {Role: author, Scope: platform.ScopeInvitationsWrite, Access: Changes},
		RevokeInvitation:  {Role: author, Scope: platform.ScopeInvitationsWrite, Access: Changes},
		ResendInvitation:  {Role: author, Scope: platform.ScopeInvitationsWrite, Access: Changes},
		ExtendAttempt:     {Role: author, Scope: platform.ScopeInvitationsWrite, Access: Changes},
		SetExtraTime:      {Role: author, Scope: platform.ScopeInvitationsWrite, Access: Changes},
		GiveAttempt:       {Role: author, Scope: platform.ScopeInvitationsWrite, Access: Changes},
		ChangeCandidate:   {Role: author, Scope: platform.ScopeInvitationsWrite, Access: Changes},
		ReadInvitations:   {Role: reviewer, Scope: platform.ScopeInvitationsRead, Access: Reads},
		ReadResults:       {Role: reviewer, Scope: platform.ScopeResultsRead, Access: Reads},
		ViewReport:        {Role: reviewer, Scope: platform.ScopeResultsRead, Access: Views},
		ViewSubmission:    {Role: reviewer, Scope: platform.ScopeResultsRead, Access: Views},
		CompareCandidates: {Role: reviewer, Scope: platform.ScopeResultsRead, Access: Views},
		ExportResults:     {Role: reviewer, Scope: platform.ScopeResultsRead, Access: Views},
		Regrade:           {Role: author, Scope: platform.ScopeDecisionsWrite, Access: Changes},
		CancelGrading:     {Role: author, Scope: platform.ScopeDecisionsWrite, Access: Changes},
		Decide:            {Role: reviewer, Scope: platform.ScopeDecisionsWrite, Access: Changes},
		Undecide:          {Role: reviewer, Scope: platform.ScopeDecisionsWrite, Access: Changes},
		ReadQueue:         {Role: reviewer, Scope: platform.ScopeQueueRead, Access: Reads},
		ExportCandidate:   {Role: owner, Scope: platform.ScopeCandidatesExport, Access: Views},
		EraseCandidate:    {Role: owner, Scope: platform.ScopeCandidatesErase, Access: Changes},

		CandidateOpen:     {Candidate: true, Access: Saves},
		CandidateLook:     {Candidate: true, Access: Reads},
		CandidateStart:    {Candidate: true, Access: Changes},
		CandidateDraft:    {Candidate: true, Access: Saves},
		CandidateSubmit:   {Candidate: true, Access: Changes},
		CandidateFinish:   {Candidate: true, Access: Changes},
		CandidateCancel:   {Candidate: true, Access: Changes},
		CandidateReport:   {Candidate: true, Access: Views},
		CandidateExport:   {Candidate: true, Access: Views},
		CandidateWithdraw: {Candidate: true, Access: Changes},
		CandidateErase:    {Candidate: true, Access: Changes},

		HouseKeep: {System: true, Access: Saves},
	}
}

// authorise gives the rule of a use case when the actor may do it. Whoever is not known at all gets an Unauthorised error,
// everybody else a Forbidden one.
func (s *Service) authorise(a Actor, u UseCase) (Rule, error) {
	rule, ok := s.rules[u]
	if !ok {
		return Rule{}, platform.Errorf(platform.Internal, "there is no rule for %s", u)
	}
	if rule.Anyone {
		return rule, nil
	}
	may := false
	switch a.kind {
	case platform.ActorUser:
		may = rule.SignedIn || rule.Role != "" && a.org != "" && a.role.May(rule.Role)
	case platform.ActorToken:
		may = rule.Scope != "" && a.org != "" && a.token.Has(rule.Scope)
	case platform.ActorCandidate:
		may = rule.Candidate && a.org != "" && a.invitation != ""
	case platform.ActorSystem:
		may = rule.System
	default:
		return Rule{}, platform.Errorf(platform.Unauthorised, "Sign in first.")
	}
	if !may {
		return Rule{}, platform.Errorf(platform.Forbidden, "%s", forbidden(a, rule))
	}
	return rule, nil
}

// forbidden says why somebody may not, and what would help.
func forbidden(a Actor, rule Rule) string {
	switch {
	case a.kind == platform.ActorUser && rule.Role != "" && a.org == "":
		return "Choose an organisation first."
	case a.kind == platform.ActorUser && rule.Role != "":
		return "This needs the role " + string(rule.Role) + ". Ask an owner of the organisation."
	case a.kind == platform.ActorToken && rule.Scope != "":
		return "This needs a token with the scope " + string(rule.Scope) + "."
	default:
		return "You may not do this."
	}
}

// May says whether an actor may do something, so that pages show only what works.
func (s *Service) May(a Actor, u UseCase) bool {
	_, err := s.authorise(a, u)
	return err == nil
}
