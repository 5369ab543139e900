package storetest

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

// belongings are ids of one organisation, one of each kind.
type belongings struct {
	user, assessment, candidate, invitation, attempt, working, submission, job, claimed, result, token, endpoint, delivery, mail platform.ID
}

// reach calls a method of the store with an organisation and with ids. empty says that a list was empty.
type reach struct {
	method string
	call   func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (empty bool, err error)
}

// list makes a reach of a method that lists.
func list[T any](read func(w *World, tx *store.Tx, org platform.OrgID, b belongings) ([]T, error)) func(*World, *store.Tx, platform.OrgID, belongings) (bool, error) {
	return func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (bool, error) {
		items, err := read(w, tx, org, b)
		return len(items) == 0, err
	}
}

// does makes a reach of a method that does not list.
func does(do func(w *World, tx *store.Tx, org platform.OrgID, b belongings) error) func(*World, *store.Tx, platform.OrgID, belongings) (bool, error) {
	return func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (bool, error) {
		return false, do(w, tx, org, b)
	}
}

// reads is does for a method that also returns something.
func reads[T any](do func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (T, error)) func(*World, *store.Tx, platform.OrgID, belongings) (bool, error) {
	return does(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) error {
		_, err := do(w, tx, org, b)
		return err
	})
}

// reaches are all methods that take an organisation and the id of something in it.
func reaches() []reach {
	return slices.Concat(reachesOfTeams(), reachesOfCandidates(), reachesOfAttempts(), reachesOfGradings(), reachesOfVerdicts(), reachesOfMessages())
}

func reachesOfTeams() []reach {
	return []reach{
		{"Member", reads(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (platform.Membership, error) {
			return tx.Member(w.ctx(), org, b.user)
		})},
		{"SetRole", does(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) error {
			return tx.SetRole(w.ctx(), org, b.user, platform.Owner)
		})},
		{"RemoveMember", does(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) error {
			return tx.RemoveMember(w.ctx(), org, b.user)
		})},
		{"RevokeToken", does(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) error {
			return tx.RevokeToken(w.ctx(), org, b.token)
		})},
		{"Assessment", reads(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (platform.Assessment, error) {
			return tx.Assessment(w.ctx(), org, b.assessment)
		})},
		{"AssessmentVersion", reads(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (platform.Assessment, error) {
			return tx.AssessmentVersion(w.ctx(), org, b.assessment, 1)
		})},
		{"UpdateAssessment", reads(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (platform.Assessment, error) {
			return tx.UpdateAssessment(w.ctx(), org, b.assessment, 1, w.Owner, one())
		})},
		{"ArchiveAssessment", does(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) error {
			return tx.ArchiveAssessment(w.ctx(), org, b.assessment, true)
		})},
		{"Invite", list(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) ([]store.InviteResult, error) {
			return tx.Invite(w.ctx(), org, store.Invite{AssessmentID: b.assessment, Invitees: []platform.Invitee{{Name: "X"}}, ExpiresAt: tx.Now().Add(time.Hour)})
		})},
		{"Overview", list(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) ([]platform.OverviewRow, error) {
			l, err := tx.Overview(w.ctx(), org, b.assessment, platform.OverviewFilter{}, "", platform.Page{})
			return l.Items, err
		})},
		{"StageCounts", reads(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (map[platform.Stage]int, error) {
			return tx.StageCounts(w.ctx(), org, b.assessment)
		})},
		{"AuditLog", list(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) ([]platform.AuditEntry, error) {
			l, err := tx.AuditLog(w.ctx(), org, b.candidate, platform.Page{})
			return l.Items, err
		})},
		{"Subjects", list(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) ([]platform.Subject, error) {
			l, err := tx.Subjects(w.ctx(), org, []platform.ID{b.assessment, b.candidate, b.invitation, b.attempt, b.submission, b.job, b.result, b.result, b.user})
			if org == w.Org && err == nil {
				assert.Len(w.T, l, 7, "each once, and no user")
				for _, s := range l {
					assert.NotEmpty(w.T, s.Name, s.ID)
					assert.Equal(w.T, s.ID != b.assessment, s.Invitation.Is(platform.KindInvitation), s.ID)
				}
			}
			return l, err
		})},
	}
}

func reachesOfCandidates() []reach {
	return []reach{
		{"Candidate", reads(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (platform.Candidate, error) {
			return tx.Candidate(w.ctx(), org, b.candidate)
		})},
		{"UpdateCandidate", does(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) error {
			return tx.UpdateCandidate(w.ctx(), org, b.candidate, platform.Invitee{Name: "X"})
		})},
		{"EraseCandidate", does(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) error {
			return tx.EraseCandidate(w.ctx(), org, b.candidate)
		})},
		{"ExportCandidate", reads(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (store.CandidateData, error) {
			return tx.ExportCandidate(w.ctx(), org, b.candidate)
		})},
		{"Invitations", list(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) ([]platform.Invitation, error) {
			return tx.Invitations(w.ctx(), org, b.candidate)
		})},
		{"Invitation", reads(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (platform.Invitation, error) {
			return tx.Invitation(w.ctx(), org, b.invitation)
		})},
		{"OpenInvitation", reads(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (platform.Invitation, error) {
			return tx.OpenInvitation(w.ctx(), org, b.invitation)
		})},
		{"RenewInvitation", does(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) error {
			_, _, err := tx.RenewInvitation(w.ctx(), org, b.invitation, tx.Now().Add(time.Hour))
			return err
		})},
		{"RevokeInvitation", does(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) error {
			return tx.RevokeInvitation(w.ctx(), org, b.invitation)
		})},
		{"WithdrawInvitation", does(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) error {
			return tx.WithdrawInvitation(w.ctx(), org, b.invitation)
		})},
		{"SetExtraTime", does(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) error {
			return tx.SetExtraTime(w.ctx(), org, b.invitation, 10)
		})},
		{"GiveAttempt", does(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) error {
			return tx.GiveAttempt(w.ctx(), org, b.invitation)
		})},
		{"EraseInvitation", does(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) error {
			return tx.EraseInvitation(w.ctx(), org, b.invitation)
		})},
	}
}

func reachesOfAttempts() []reach {
	return []reach{
		{"StartAttempt", does(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) error {
			_, _, err := tx.StartAttempt(w.ctx(), org, b.invitation, 1, "2026-11")
			return err
		})},
		{"Attempt", reads(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (platform.Attempt, error) {
			return tx.Attempt(w.ctx(), org, b.attempt)
		})},
		{"ExtendAttempt", reads(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (platform.Attempt, error) {
			return tx.ExtendAttempt(w.ctx(), org, b.working, platform.Extension{By: time.Hour})
		})},
		{"PauseAttempt", reads(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (platform.Pause, error) {
			return tx.PauseAttempt(w.ctx(), org, b.working, tx.Now(), "")
		})},
		{"CreditPause", reads(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (platform.Pause, error) {
			return tx.CreditPause(w.ctx(), org, b.working, tx.Now().Add(-time.Minute), tx.Now(), "")
		})},
		{"ResumeAttempt", does(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) error {
			return tx.ResumeAttempt(w.ctx(), org, b.working)
		})},
		{"FinishAttempt", reads(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (platform.Attempt, error) {
			return tx.FinishAttempt(w.ctx(), org, b.working)
		})},
		{"TimeOut", reads(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (platform.Attempt, error) {
			return tx.TimeOut(w.ctx(), org, b.working)
		})},
		{"SaveDraft", reads(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (platform.Draft, error) {
			return tx.SaveDraft(w.ctx(), org, platform.Draft{AttemptID: b.working, ChallengeID: "surge-pricing-cpu"})
		})},
		{"Drafts", list(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) ([]platform.Draft, error) {
			return tx.Drafts(w.ctx(), org, b.working)
		})},
	}
}

func reachesOfGradings() []reach {
	return []reach{
		{"Submit", reads(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (store.HandedIn, error) {
			return tx.Submit(w.ctx(), org, w.Upload(platform.Attempt{Org: org, ID: b.working}, "surge-pricing-cpu", platform.DryRun))
		})},
		{"Submission", reads(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (platform.Submission, error) {
			return tx.Submission(w.ctx(), org, b.submission)
		})},
		{"Submissions", list(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) ([]platform.Submission, error) {
			l, err := tx.Submissions(w.ctx(), org, b.attempt, platform.Page{})
			return l.Items, err
		})},
		{"Regrade", reads(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (platform.Job, error) {
			return tx.Regrade(w.ctx(), org, b.submission)
		})},
		{"Job", reads(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (platform.Job, error) {
			return tx.Job(w.ctx(), org, b.job)
		})},
		{"Jobs", list(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) ([]platform.Job, error) {
			l, err := tx.Jobs(w.ctx(), org, store.JobFilter{AttemptID: b.attempt}, platform.Page{})
			return l.Items, err
		})},
		{"Place", reads(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (store.Place, error) {
			return tx.Place(w.ctx(), org, b.job)
		})},
		{"ClaimJob", reads(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (*platform.Job, error) {
			return tx.ClaimJob(w.ctx(), org, b.job, "wrk_1", lease)
		})},
		{"CancelJob", does(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) error {
			_, _, err := tx.CancelJob(w.ctx(), org, b.claimed, "")
			return err
		})},
		{"Heartbeat", does(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) error {
			_, err := tx.Heartbeat(w.ctx(), org, b.claimed, 1, lease, "")
			return err
		})},
		{"Faulted", does(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) error {
			_, _, err := tx.Faulted(w.ctx(), org, b.claimed, 1, platform.FaultInfrastructure, "")
			return err
		})},
		{"Cancelled", does(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) error {
			_, _, err := tx.Cancelled(w.ctx(), org, b.claimed, 1)
			return err
		})},
		{"Release", reads(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (platform.Job, error) {
			return tx.Release(w.ctx(), org, b.claimed, 1)
		})},
		{"Rescue", does(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) error {
			_, _, err := tx.Rescue(w.ctx(), org, b.claimed)
			return err
		})},
		{"Finish", reads(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (store.Finished, error) {
			return tx.Finish(w.ctx(), org, b.claimed, 1, Verdict(50))
		})},
	}
}

func reachesOfVerdicts() []reach {
	return []reach{
		{"Result", reads(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (platform.Result, error) {
			return tx.Result(w.ctx(), org, b.result)
		})},
		{"Results", list(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) ([]platform.Result, error) {
			l, err := tx.Results(w.ctx(), org, store.ResultFilter{AttemptID: b.attempt}, platform.Page{})
			return l.Items, err
		})},
		{"Compare", list(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) ([]platform.ComparisonRow, error) {
			return tx.Compare(w.ctx(), org, "log-aggregate", 3, []platform.ID{b.attempt})
		})},
		{"Decide", reads(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (platform.Decision, error) {
			return tx.Decide(w.ctx(), org, platform.Decision{AttemptID: b.attempt, Outcome: platform.Reject, Reason: "x"})
		})},
		{"Undecide", does(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) error {
			return tx.Undecide(w.ctx(), org, b.attempt)
		})},
		{"Decisions", list(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) ([]platform.Decision, error) {
			return tx.Decisions(w.ctx(), org, b.attempt)
		})},
	}
}

func reachesOfMessages() []reach {
	return []reach{
		{"Endpoint", reads(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (platform.Endpoint, error) {
			return tx.Endpoint(w.ctx(), org, b.endpoint)
		})},
		{"EnableEndpoint", does(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) error {
			return tx.EnableEndpoint(w.ctx(), org, b.endpoint, false)
		})},
		{"SealEndpoint", does(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) error {
			return tx.SealEndpoint(w.ctx(), org, b.endpoint, []byte{4})
		})},
		{"DeliveredSince", list(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) ([]bool, error) {
			if err := tx.DeliveryDone(w.ctx(), w.Org, b.delivery, 200); err != nil {
				return nil, err
			}
			some, err := tx.DeliveredSince(w.ctx(), org, b.endpoint, time.Time{})
			if !some {
				return nil, err
			}
			return []bool{some}, err
		})},
		{"DeleteEndpoint", does(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) error {
			return tx.DeleteEndpoint(w.ctx(), org, b.endpoint)
		})},
		{"Deliveries", list(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) ([]platform.Delivery, error) {
			l, err := tx.Deliveries(w.ctx(), org, b.endpoint, platform.Page{})
			return l.Items, err
		})},
		{"Replay", reads(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (platform.Delivery, error) {
			return tx.Replay(w.ctx(), org, b.delivery)
		})},
		{"DeliveryDone", does(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) error {
			return tx.DeliveryDone(w.ctx(), org, b.delivery, 200)
		})},
		{"DeliveryFailed", does(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) error {
			return tx.DeliveryFailed(w.ctx(), org, b.delivery, 500, "", time.Time{})
		})},
		{"QueueMail", reads(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (platform.Mail, error) {
			return tx.QueueMail(w.ctx(), org, platform.Mail{Template: "x", CandidateID: b.candidate})
		})},
		{"Mail", reads(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) (platform.Mail, error) {
			return tx.Mail(w.ctx(), org, b.mail)
		})},
		{"MailDone", does(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) error {
			return tx.MailDone(w.ctx(), org, b.mail)
		})},
		{"MailFailed", does(func(w *World, tx *store.Tx, org platform.OrgID, b belongings) error {
			return tx.MailFailed(w.ctx(), org, b.mail, "", time.Time{})
		})},
	}
}

// notReaching are methods that take an organisation, but no id of something in it that is looked up: whatever they are given,
// they find or make only what is the organisation's.
func notReaching() []string {
	return []string{
		"Organization", "UpdateOrganization", "Members", "AddMember", "Tokens", "CreateToken", "TokenUsed", "CreateAssessment", "Assessments",
		"Audit", "Once", "Remember", "CreateEndpoint", "Endpoints", "Emit", "Workers", "Statistics",
	}
}

// fill gives an organisation one of everything.
func fill(w *World) belongings {
	w.T.Helper()
	b := belongings{assessment: w.Assessment(Settings()).ID}
	as := get(w, func(tx *store.Tx) (platform.Assessment, error) { return tx.Assessment(w.ctx(), w.Org, b.assessment) })
	user := get(w, func(tx *store.Tx) (platform.User, error) {
		return tx.CreateUser(w.ctx(), platform.User{Email: "r@" + strings.ReplaceAll(string(w.Org), "_", ".") + ".org", Name: "Rita Reviewer"})
	})
	w.Do(func(tx *store.Tx) error { return tx.AddMember(w.ctx(), w.Org, user.ID, platform.Reviewer) })
	a := w.Graded(w.Assessment(one()), "ada", 70)
	w.Do(func(tx *store.Tx) error {
		_, err := tx.Decide(w.ctx(), w.Org, platform.Decision{AttemptID: a.ID, Outcome: platform.Advance, Reason: "Exact.", DecidedBy: w.Owner})
		return err
	})
	in := w.Invite(as, platform.Invitee{Name: "Cid", Email: "cid@example.org"})
	working := w.Working(as, "bea")
	w.Submit(working, "log-aggregate", platform.Final)
	claimed := w.Claim("wrk_1")
	waits := w.Submit(working, "surge-pricing-cpu", platform.DryRun)
	w.Do(func(tx *store.Tx) error {
		_, err := tx.SaveDraft(w.ctx(), w.Org, platform.Draft{AttemptID: working.ID, ChallengeID: "log-aggregate", Body: "notes"})
		return err
	})
	b.user, b.invitation, b.candidate, b.attempt, b.working, b.claimed, b.job = user.ID, in.Invitation.ID, in.Candidate.ID, a.ID, working.ID, claimed.ID, waits.Job.ID
	result := get(w, func(tx *store.Tx) (platform.List[platform.Result], error) {
		return tx.Results(w.ctx(), w.Org, store.ResultFilter{AttemptID: a.ID}, platform.Page{})
	}).Items[0]
	b.result, b.submission = result.ID, result.SubmissionID
	b.token = get(w, func(tx *store.Tx) (platform.APIToken, error) {
		return tx.CreateToken(w.ctx(), w.Org, platform.APIToken{Name: "ATS", Scopes: platform.Scopes(), CreatedBy: w.Owner}, platform.HashToken(string(w.Org)))
	}).ID
	fillMessages(w, &b)
	return b
}

func fillMessages(w *World, b *belongings) {
	w.T.Helper()
	b.endpoint = get(w, func(tx *store.Tx) (platform.Endpoint, error) {
		return tx.CreateEndpoint(w.ctx(), w.Org, platform.Endpoint{URL: "https://ats.example.org", Events: platform.EventTypes(), SealedSecret: []byte{1, 2}})
	}).ID
	w.Do(func(tx *store.Tx) error {
		return tx.Emit(w.ctx(), w.Org, platform.EventStarted, b.candidate, json.RawMessage(`{}`))
	})
	b.delivery = get(w, func(tx *store.Tx) (platform.List[platform.Delivery], error) {
		return tx.Deliveries(w.ctx(), w.Org, b.endpoint, platform.Page{})
	}).Items[0].ID
	b.mail = get(w, func(tx *store.Tx) (platform.Mail, error) {
		return tx.QueueMail(w.ctx(), w.Org, platform.Mail{Template: "invitation", CandidateID: b.candidate, InvitationID: b.invitation, Sealed: []byte{3}})
	}).ID
	w.Do(func(tx *store.Tx) error {
		return tx.Audit(w.ctx(), w.Org, platform.AuditEntry{Actor: platform.Actor{Kind: platform.ActorUser, ID: w.Owner}, Action: "candidate.view", Subject: b.candidate})
	})
}

// testTenants hands every method an id of another organisation. It must be as if there were no such thing.
func testTenants(t *testing.T, open Open) {
	ours := NewWorld(t, open)
	b := fill(ours)
	theirs := ours.Second("second")
	fill(theirs)
	before := Dump(ours)
	undo := errors.New("undo")
	named := notReaching()
	for _, r := range reaches() {
		named = append(named, r.method)
		err := ours.Try(func(tx *store.Tx) error {
			empty, err := r.call(ours, tx, theirs.Org, b)
			if err == nil && empty {
				return platform.Errorf(platform.NotFound, "an empty list")
			}
			return err
		})
		if r.method == "Heartbeat" { // it says the same to whoever has no lease
			assert.Equal(t, platform.Conflict, platform.ErrorCode(err), "%s: %v", r.method, err)
		} else {
			assert.Equal(t, platform.NotFound, platform.ErrorCode(err), "%s with another organisation's id: %v", r.method, err)
		}
		// The same call in the right organisation finds what it looks for; else this test would prove nothing.
		err = ours.Try(func(tx *store.Tx) error {
			empty, err := r.call(ours, tx, ours.Org, b)
			if code := platform.ErrorCode(err); code == platform.NotFound || code == platform.Internal {
				t.Errorf("%s with an own id: %v", r.method, err)
			}
			if err == nil && empty && r.method != "Drafts" {
				assert.False(t, empty, "%s lists something of its own", r.method)
			}
			return undo
		})
		require.ErrorIs(t, err, undo, r.method)
	}
	assert.Equal(t, before, Dump(ours), "nothing has changed")

	var methods []string
	tx := reflect.TypeFor[*store.Tx]()
	for i := range tx.NumMethod() {
		m := tx.Method(i).Type
		for in := range m.NumIn() {
			if m.In(in) == reflect.TypeFor[platform.OrgID]() {
				methods = append(methods, tx.Method(i).Name)
			}
		}
	}
	slices.Sort(named)
	slices.Sort(methods)
	assert.Equal(t, methods, named, "every method that takes an organisation is in one of the two lists")
}
