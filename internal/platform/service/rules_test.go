package service_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/service"
	"github.com/assay-run/assay/internal/platform/store"
)

// who may do what, written down a second time and by hand: least role, scope, and others.
func who() map[service.UseCase]string {
	return map[service.UseCase]string{
		service.SetUpInstallation: "anyone", service.SignInUser: "anyone", service.ResetPassword: "anyone",
		service.ListMemberships: "signed-in", service.ChangePassword: "signed-in", service.EndSessions: "signed-in",
		service.ReadOrganization: "reviewer organization:read", service.ChangeOrganization: "owner organization:write",
		service.ListMembers: "reviewer organization:read", service.AddMember: "owner organization:write",
		service.ChangeMember: "owner organization:write", service.RemoveMember: "owner organization:write",
		service.ListTokens: "owner tokens:write", service.CreateToken: "owner tokens:write", service.RevokeToken: "owner tokens:write",
		service.ManageEndpoints: "owner webhooks:write", service.ListEndpoints: "owner webhooks:write", service.ReadAudit: "owner audit:read",
		service.ReadAssessments: "reviewer assessments:read", service.CreateAssessment: "author assessments:write",
		service.ChangeAssessment: "author assessments:write", service.ArchiveAssessment: "author assessments:write",
		service.Invite: "author invitations:write", service.RevokeInvitation: "author invitations:write",
		service.ResendInvitation: "author invitations:write", service.ExtendAttempt: "author invitations:write",
		service.SetExtraTime: "author invitations:write", service.GiveAttempt: "author invitations:write",
		service.ChangeCandidate: "author invitations:write", service.ReadInvitations: "reviewer invitations:read",
		service.ReadResults: "reviewer results:read", service.ViewReport: "reviewer results:read", service.ViewSubmission: "reviewer results:read",
		service.CompareCandidates: "reviewer results:read", service.ExportResults: "reviewer results:read",
		service.Regrade: "author decisions:write", service.CancelGrading: "author decisions:write",
		service.Decide: "reviewer decisions:write", service.Undecide: "reviewer decisions:write", service.ReadQueue: "reviewer queue:read",
		service.ExportCandidate: "owner candidates:export", service.EraseCandidate: "owner candidates:erase",
		service.CandidateOpen: "candidate", service.CandidateLook: "candidate", service.CandidateStart: "candidate",
		service.CandidateDraft: "candidate", service.CandidateSubmit: "candidate", service.CandidateFinish: "candidate",
		service.CandidateCancel: "candidate", service.CandidateReport: "candidate", service.CandidateExport: "candidate",
		service.CandidateWithdraw: "candidate", service.CandidateErase: "candidate",
		service.HouseKeep: "system",
	}
}

// things are ids of things of one organisation; the zero ids are of nothing.
type things struct {
	assessment, invitation, candidate, attempt, submission, job, result, member, token, endpoint platform.ID
}

// call is a method with the use case that it belongs to. foreign says that ids decide what it works on.
type call struct {
	name    string
	use     service.UseCase
	foreign bool
	do      func(ctx context.Context, s *service.Service, a service.Actor, x things) error
}

func second[A any](_ A, err error) error        { return err }
func third[A, B any](_ A, _ B, err error) error { return err }
func calls() []call {
	day := time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	type (
		c = context.Context
		s = *service.Service
		a = service.Actor
		x = things
	)
	first := platform.Page{}
	return []call{
		{"Memberships", service.ListMemberships, false, func(c c, s s, a a, _ x) error { return second(s.Memberships(c, a, service.Session{})) }},
		{"ChangePassword", service.ChangePassword, false, func(c c, s s, a a, _ x) error { return second(s.ChangePassword(c, a, "::1", "x", "short")) }},
		{"EndSessions", service.EndSessions, false, func(c c, s s, a a, _ x) error { return s.EndSessions(c, a) }},
		{"Organization", service.ReadOrganization, false, func(c c, s s, a a, _ x) error { return second(s.Organization(c, a)) }},
		{"ChangeOrganization", service.ChangeOrganization, false, func(c c, s s, a a, _ x) error { return s.ChangeOrganization(c, a, "", 1) }},
		{"Members", service.ListMembers, false, func(c c, s s, a a, _ x) error { return second(s.Members(c, a)) }},
		{"AddMember", service.AddMember, false, func(c c, s s, a a, _ x) error { return second(s.AddMember(c, a, "no address", "", platform.Owner)) }},
		{"ChangeMember", service.ChangeMember, true, func(c c, s s, a a, x x) error { return s.ChangeMember(c, a, x.member, platform.Author) }},
		{"RemoveMember", service.RemoveMember, true, func(c c, s s, a a, x x) error { return s.RemoveMember(c, a, x.member) }},
		{"Tokens", service.ListTokens, false, func(c c, s s, a a, _ x) error { return second(s.Tokens(c, a)) }},
		{"CreateToken", service.CreateToken, false, func(c c, s s, a a, _ x) error { return third(s.CreateToken(c, a, "t", nil, day)) }},
		{"RevokeToken", service.RevokeToken, true, func(c c, s s, a a, x x) error { return s.RevokeToken(c, a, x.token) }},
		{"CreateEndpoint", service.ManageEndpoints, false, func(c c, s s, a a, _ x) error { return third(s.CreateEndpoint(c, a, "http://x", nil)) }},
		{"EnableEndpoint", service.ManageEndpoints, true, func(c c, s s, a a, x x) error { return s.EnableEndpoint(c, a, x.endpoint, false) }},
		{"RotateEndpoint", service.ManageEndpoints, true, func(c c, s s, a a, x x) error { return second(s.RotateEndpoint(c, a, x.endpoint)) }},
		{"DeleteEndpoint", service.ManageEndpoints, true, func(c c, s s, a a, x x) error { return s.DeleteEndpoint(c, a, x.endpoint) }},
		{"Replay", service.ManageEndpoints, true, func(c c, s s, a a, x x) error { return second(s.Replay(c, a, x.endpoint)) }},
		{"Endpoints", service.ListEndpoints, false, func(c c, s s, a a, _ x) error { return second(s.Endpoints(c, a)) }},
		{"Deliveries", service.ListEndpoints, false, func(c c, s s, a a, x x) error { return second(s.Deliveries(c, a, x.endpoint, first)) }},
		{"AuditLog", service.ReadAudit, false, func(c c, s s, a a, _ x) error { return second(s.AuditLog(c, a, "", first)) }},
		{"Assessment", service.ReadAssessments, true, func(c c, s s, a a, x x) error { return second(s.Assessment(c, a, x.assessment)) }},
		{"Assessments", service.ReadAssessments, false, func(c c, s s, a a, _ x) error { return second(s.Assessments(c, a, false, first)) }},
		{"CreateAssessment", service.CreateAssessment, false, func(c c, s s, a a, _ x) error { return second(s.CreateAssessment(c, a, platform.Settings{})) }},
		{"ChangeAssessment", service.ChangeAssessment, true, func(c c, s s, a a, x x) error { return second(s.ChangeAssessment(c, a, x.assessment, 1, settings())) }},
		{"ArchiveAssessment", service.ArchiveAssessment, true, func(c c, s s, a a, x x) error { return s.ArchiveAssessment(c, a, x.assessment, true) }},
		{"Invite", service.Invite, true, func(c c, s s, a a, x x) error {
			return second(s.Invite(c, a, service.NewInvitations{AssessmentID: x.assessment, Invitees: []platform.Invitee{{Name: "N"}}}))
		}},
		{"InviteList", service.Invite, true, func(c c, s s, a a, x x) error {
			return second(s.InviteList(c, a, service.NewInvitations{AssessmentID: x.assessment}, strings.NewReader("name\nN\n")))
		}},
		{"RevokeInvitation", service.RevokeInvitation, true, func(c c, s s, a a, x x) error { return s.RevokeInvitation(c, a, x.invitation) }},
		{"ResendInvitation", service.ResendInvitation, true, func(c c, s s, a a, x x) error { return second(s.ResendInvitation(c, a, x.invitation, day, false)) }},
		{"ExtendAttempt", service.ExtendAttempt, true, func(c c, s s, a a, x x) error { return second(s.ExtendAttempt(c, a, x.attempt, time.Hour, "")) }},
		{"SetExtraTime", service.SetExtraTime, true, func(c c, s s, a a, x x) error { return s.SetExtraTime(c, a, x.invitation, 10) }},
		{"GiveAttempt", service.GiveAttempt, true, func(c c, s s, a a, x x) error { return s.GiveAttempt(c, a, x.invitation) }},
		{"ChangeCandidate", service.ChangeCandidate, true, func(c c, s s, a a, x x) error {
			return s.ChangeCandidate(c, a, x.candidate, platform.Invitee{Name: "N"})
		}},
		{"Invitation", service.ReadInvitations, true, func(c c, s s, a a, x x) error { return second(s.Invitation(c, a, x.invitation)) }},
		{"Candidates", service.ReadResults, true, func(c c, s s, a a, x x) error {
			return second(s.Candidates(c, a, x.assessment, platform.OverviewFilter{}, "", first))
		}},
		{"Attempt", service.ReadResults, true, func(c c, s s, a a, x x) error { return second(s.Attempt(c, a, x.attempt)) }},
		{"Submission", service.ReadResults, true, func(c c, s s, a a, x x) error { return second(s.Submission(c, a, x.submission)) }},
		{"Grading", service.ReadResults, true, func(c c, s s, a a, x x) error { return second(s.Grading(c, a, x.job)) }},
		{"Result", service.ReadResults, true, func(c c, s s, a a, x x) error { return second(s.Result(c, a, x.result)) }},
		{"Results", service.ReadResults, false, func(c c, s s, a a, _ x) error { return second(s.Results(c, a, store.ResultFilter{}, first)) }},
		{"Report", service.ViewReport, true, func(c c, s s, a a, x x) error { return third(s.Report(c, a, x.result)) }},
		{"ReportFiles", service.ViewReport, true, func(c c, s s, a a, x x) error { return third(s.ReportFiles(c, a, x.result)) }},
		{"Evidence", service.ViewReport, true, func(c c, s s, a a, x x) error { return third(s.Evidence(c, a, x.result)) }},
		{"Archive", service.ViewSubmission, true, func(c c, s s, a a, x x) error { return third(s.Archive(c, a, x.submission)) }},
		{"Compare", service.CompareCandidates, false, func(c c, s s, a a, x x) error { return second(s.Compare(c, a, "one", 3, []platform.ID{x.attempt})) }},
		{"Subjects", service.ReadAudit, false, func(c c, s s, a a, x x) error { return second(s.Subjects(c, a, []platform.ID{x.attempt})) }},
		{"ExportResults", service.ExportResults, true, func(c c, s s, a a, x x) error {
			return s.ExportResults(c, a, x.assessment, platform.OverviewFilter{}, "", service.CSV, io.Discard)
		}},
		{"Regrade", service.Regrade, true, func(c c, s s, a a, x x) error { return second(s.Regrade(c, a, x.submission)) }},
		{"CancelGrading", service.CancelGrading, true, func(c c, s s, a a, x x) error { return second(s.CancelGrading(c, a, x.job)) }},
		{"CancelGradings", service.CancelGrading, true, func(c c, s s, a a, x x) error { return second(s.CancelGradings(c, a, x.submission)) }},
		{"Decide", service.Decide, true, func(c c, s s, a a, x x) error { return second(s.Decide(c, a, x.attempt, platform.Hold, "r")) }},
		{"Undecide", service.Undecide, true, func(c c, s s, a a, x x) error { return s.Undecide(c, a, x.attempt) }},
		{"Queue", service.ReadQueue, false, func(c c, s s, a a, _ x) error { return second(s.Queue(c, a, first)) }},
		{"ExportCandidate", service.ExportCandidate, true, func(c c, s s, a a, x x) error { return s.ExportCandidate(c, a, x.candidate, io.Discard) }},
		{"EraseCandidate", service.EraseCandidate, true, func(c c, s s, a a, x x) error { return s.EraseCandidate(c, a, x.candidate) }},
		{"OpenOwn", service.CandidateOpen, false, func(c c, s s, a a, _ x) error { return second(s.OpenOwn(c, a)) }},
		{"OwnPulse", service.CandidateLook, false, func(c c, s s, a a, _ x) error { return second(s.OwnPulse(c, a)) }},
		{"LookOwn", service.CandidateLook, false, func(c c, s s, a a, _ x) error { return second(s.LookOwn(c, a)) }},
		{"OwnResults", service.CandidateLook, false, func(c c, s s, a a, _ x) error { return second(s.OwnResults(c, a)) }},
		{"Start", service.CandidateStart, false, func(c c, s s, a a, _ x) error { return second(s.Start(c, a, 1, "no")) }},
		{"OwnTask", service.CandidateLook, false, func(c c, s s, a a, _ x) error { return second(s.OwnTask(c, a, "one")) }},
		{"OwnStarter", service.CandidateLook, false, func(c c, s s, a a, _ x) error { return second(s.OwnStarter(c, a, "one")) }},
		{"OwnDraft", service.CandidateLook, false, func(c c, s s, a a, _ x) error { return second(s.OwnDraft(c, a, "one")) }},
		{"SaveDraft", service.CandidateDraft, false, func(c c, s s, a a, _ x) error { return second(s.SaveDraft(c, a, "one", 0, "")) }},
		{"Submit", service.CandidateSubmit, false, func(c c, s s, a a, _ x) error {
			return second(s.Submit(c, a, service.Upload{Body: strings.NewReader("")}))
		}},
		{"Finish", service.CandidateFinish, false, func(c c, s s, a a, _ x) error { return second(s.Finish(c, a)) }},
		{"OwnGrading", service.CandidateLook, true, func(c c, s s, a a, x x) error { return second(s.OwnGrading(c, a, x.job)) }},
		{"CancelDryRun", service.CandidateCancel, true, func(c c, s s, a a, x x) error { return second(s.CancelDryRun(c, a, x.job)) }},
		{"OwnReport", service.CandidateReport, true, func(c c, s s, a a, x x) error { return second(s.OwnReport(c, a, x.result)) }},
		{"OwnReportFiles", service.CandidateReport, true, func(c c, s s, a a, x x) error { return third(s.OwnReportFiles(c, a, x.result)) }},
		{"ExportOwn", service.CandidateExport, false, func(c c, s s, a a, _ x) error { return s.ExportOwn(c, a, io.Discard) }},
		{"HouseKeep", service.HouseKeep, false, func(c c, s s, a a, _ x) error { return second(s.HouseKeep(c, a)) }},
		{"Withdraw", service.CandidateWithdraw, false, func(c c, s s, a a, _ x) error { return s.Withdraw(c, a) }},
		{"EraseOwn", service.CandidateErase, false, func(c c, s s, a a, _ x) error { return s.EraseOwn(c, a) }},
	}
}

// everybody are actors by what who() calls them.
func everybody(b *bench) map[string]service.Actor {
	owner := b.owner()
	as := b.assessment(owner, settings())
	candidate, _ := b.invited(owner, as.ID, "c@x.example")
	session := service.Session{UserID: owner.Identity().ID, Begun: b.clock()}
	out := map[string]service.Actor{
		"nobody": {}, "owner": owner, "author": b.member(owner, platform.Author), "reviewer": b.member(owner, platform.Reviewer),
		"signed-in": b.user(session), "candidate": candidate, "system": service.SystemActor(""),
	}
	for _, scope := range platform.Scopes() {
		_, secret, err := b.CreateToken(b.t.Context(), owner, string(scope), []platform.Scope{scope}, b.clock().AddDate(0, 1, 0))
		require.NoError(b.t, err)
		out[string(scope)], err = b.TokenActor(b.t.Context(), secret)
		require.NoError(b.t, err)
	}
	return out
}

// may reads who().
func may(rule, actor string) bool {
	users := map[string][]string{
		"owner": {"owner"}, "author": {"owner", "author"}, "reviewer": {"owner", "author", "reviewer"},
		"signed-in": {"owner", "author", "reviewer", "signed-in"},
	}
	for _, word := range strings.Fields(rule) {
		if word == "anyone" || word == actor {
			return true
		}
		for _, u := range users[word] {
			if u == actor {
				return true
			}
		}
	}
	return false
}

func TestTheTableOfWhoMayWhat(t *testing.T) {
	b := newBench(t)
	actors, want := everybody(b), who()
	require.Len(t, want, len(service.Rules()))
	for use := range service.Rules() {
		rule, ok := want[use]
		require.True(t, ok, "%s is in the rules and not in the test", use)
		for name, a := range actors {
			require.Equal(t, may(rule, name), b.May(a, use), "%s: %s", use, name)
		}
	}
	require.False(t, b.May(actors["owner"], "no.such.thing"))
}

func TestEveryMethodKeepsToTheTable(t *testing.T) {
	b := newBench(t)
	actors, want := everybody(b), who()
	covered := map[service.UseCase]bool{service.SetUpInstallation: true, service.SignInUser: true, service.ResetPassword: true} // need no actor
	for _, c := range calls() {
		covered[c.use] = true
		for name, a := range actors {
			err := c.do(t.Context(), b.Service, a, things{})
			code := platform.ErrorCode(err)
			switch {
			case name == "nobody":
				require.Equal(t, platform.Unauthorised, code, "%s by %s: %v", c.name, name, err)
			case may(want[c.use], name):
				require.NotContains(t, []platform.Code{platform.Forbidden, platform.Unauthorised, platform.Internal}, code, "%s by %s: %v", c.name, name, err)
			default:
				require.Equal(t, platform.Forbidden, code, "%s by %s: %v", c.name, name, err)
			}
		}
	}
	for use := range service.Rules() {
		require.True(t, covered[use], "no method of %s is called here", use)
	}
}

func TestAnotherOrganisationsThingsAreNotFound(t *testing.T) {
	b := newBench(t)
	owner := b.owner()
	as := b.assessment(owner, settings())
	candidate, invited := b.invited(owner, as.ID, "c@x.example")
	own := b.start(candidate)
	handed := b.handIn(candidate, platform.Final, "x")
	result := b.finish(b.claim(), platform.Passed, 80)
	token, _, err := b.CreateToken(t.Context(), owner, "t", []platform.Scope{platform.ScopeResultsRead}, b.clock().AddDate(0, 1, 0))
	require.NoError(t, err)
	endpoint, _, err := b.CreateEndpoint(t.Context(), owner, "https://ats.example/hook", platform.EventTypes())
	require.NoError(t, err)
	x := things{
		assessment: as.ID, invitation: invited.Invitation.ID, candidate: invited.Candidate.ID, attempt: own.Attempt.ID,
		submission: handed.Submission.ID, job: handed.Job.ID, result: result.ID, member: owner.Identity().ID, token: token.ID, endpoint: endpoint.ID,
	}
	stranger := b.stranger()
	elsewhere := b.assessment(stranger, settings())
	foreigner, _ := b.invited(stranger, elsewhere.ID, "c@x.example") // the same person, invited by somebody else
	neighbour, _ := b.invited(owner, as.ID, "d@x.example")
	b.start(neighbour)
	walked := 0
	for _, c := range calls() {
		if !c.foreign {
			continue
		}
		walked++
		actors := []service.Actor{stranger}
		if who()[c.use] == "candidate" {
			actors = []service.Actor{foreigner, neighbour}
		}
		for _, a := range actors {
			err := c.do(t.Context(), b.Service, a, x)
			require.Equal(t, platform.NotFound, platform.ErrorCode(err), "%s: %v", c.name, err)
		}
	}
	require.Greater(t, walked, 25)
	compared, err := b.Compare(t.Context(), stranger, "one", 3, []platform.ID{own.Attempt.ID})
	require.NoError(t, err)
	require.Empty(t, compared.Columns)
	deliveries, err := b.Deliveries(t.Context(), stranger, endpoint.ID, platform.Page{})
	require.NoError(t, err)
	require.Empty(t, deliveries.Items)
	log, err := b.AuditLog(t.Context(), stranger, own.Attempt.ID, platform.Page{})
	require.NoError(t, err)
	require.Empty(t, log.Items)

	after, err := b.Attempt(t.Context(), owner, own.Attempt.ID)
	require.NoError(t, err)
	require.Equal(t, platform.AttemptReview, after.Attempt.State) // nothing of it was touched
	require.Empty(t, after.Decisions)
}
