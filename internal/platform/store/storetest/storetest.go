// Package storetest is the suite that every database must pass.
package storetest

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

// Open opens a fresh, empty store that goes with the test.
type Open func(t *testing.T, now func() time.Time) *store.Store

// Run runs the suite.
func Run(t *testing.T, open Open) {
	for _, tt := range []struct {
		name string
		test func(*testing.T, Open)
	}{
		{"transactions", testTransactions},
		{"set-up", testSetUp},
		{"set-up race", testSetUpRace},
		{"members", testMembers},
		{"sign-in", testSignIn},
		{"sessions", testSessions},
		{"API tokens", testTokens},
		{"assessments", testAssessments},
		{"invitations", testInvitations},
		{"a thousand invitations", testThousandInvitations},
		{"start", testStart},
		{"more time", testMoreTime},
		{"pauses", testPauses},
		{"drafts", testDrafts},
		{"submissions", testSubmissions},
		{"end of an attempt", testEndOfAttempt},
		{"queue order", testQueueOrder},
		{"queue fairness", testQueueFairness},
		{"leases", testLeases},
		{"faults", testFaults},
		{"cancel", testCancel},
		{"two finishes", testTwoFinishes},
		{"many workers", testManyWorkers},
		{"results", testResults},
		{"regrade", testRegrade},
		{"compare", testCompare},
		{"decisions", testDecisions},
		{"overview", testOverview},
		{"overview pages", testOverviewPages},
		{"audit", testAudit},
		{"idempotency", testIdempotency},
		{"idempotency race", testIdempotencyRace},
		{"webhooks", testWebhooks},
		{"outbox", testOutbox},
		{"workers", testWorkers},
		{"erasure", testErasure},
		{"retention", testRetention},
		{"export", testExport},
		{"tenants", testTenants},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.test(t, open)
		})
	}
}

// Clock is a clock that stands until it is moved. It may be used by several goroutines.
type Clock struct{ ms atomic.Int64 }

// NewClock makes a clock at a time.
func NewClock(at time.Time) *Clock {
	c := &Clock{}
	c.ms.Store(at.UnixMilli())
	return c
}

// Now is the clock's time.
func (c *Clock) Now() time.Time { return time.UnixMilli(c.ms.Load()).UTC() }

// Move moves the clock.
func (c *Clock) Move(by time.Duration) { c.ms.Add(by.Milliseconds()) }

// World is a store with an organisation in it, and short ways to fill it.
type World struct {
	T     *testing.T
	Store *store.Store
	Clock *Clock
	Org   platform.OrgID
	Owner platform.ID
}

// start is when every world begins.
var start = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

// NewWorld sets up a fresh store.
func NewWorld(t *testing.T, open Open) *World {
	t.Helper()
	w := &World{T: t, Clock: NewClock(start)}
	w.Store = open(t, w.Clock.Now)
	w.Do(func(tx *store.Tx) error {
		org, owner, err := tx.SetUp(t.Context(), "Example Logistics", platform.User{Email: "Owner@Example.org", Name: "Olga Owner"})
		w.Org, w.Owner = org.ID, owner.ID
		return err
	})
	return w
}

// Do runs do in a transaction that must succeed.
func (w *World) Do(do func(*store.Tx) error) {
	w.T.Helper()
	require.NoError(w.T, w.Store.Tx(w.T.Context(), do))
}

// Try runs do in a transaction.
func (w *World) Try(do func(*store.Tx) error) error { return w.Store.Tx(w.T.Context(), do) }

// ctx is the test's context, for calls that are in a closure.
func (w *World) ctx() context.Context { return w.T.Context() }

// get is what do gives, in a transaction that must succeed.
func get[V any](w *World, do func(*store.Tx) (V, error)) V {
	w.T.Helper()
	var out V
	w.Do(func(tx *store.Tx) (err error) {
		out, err = do(tx)
		return err
	})
	return out
}

// refused checks that do fails with a code.
func refused(w *World, code platform.Code, do func(*store.Tx) error) {
	w.T.Helper()
	err := w.Try(do)
	require.Error(w.T, err)
	require.Equal(w.T, code, platform.ErrorCode(err), "%v", err)
}

// Settings are those of an assessment with two challenges, an hour and two attempts.
func Settings() platform.Settings {
	return platform.Settings{
		Name: "Backend engineer", RoleTitle: "Backend engineer, mid level", Message: "Welcome.\nTake your time.", Contact: "hiring@acme.example", Mode: "standard",
		Challenges: []platform.AssessmentChallenge{
			{ChallengeID: "log-aggregate", Version: 3, Weight: 2},
			{ChallengeID: "surge-pricing-cpu", Version: 1, Weight: 1, Mode: "full"},
		},
		TimeLimit: time.Hour, Attempts: 2, PassMark: 60, Visible: platform.SeesScore, RetentionDays: 30,
	}
}

// one are settings with a single challenge.
func one() platform.Settings {
	s := Settings()
	s.Challenges = s.Challenges[:1]
	return s
}

// Assessment makes an assessment.
func (w *World) Assessment(s platform.Settings) platform.Assessment {
	w.T.Helper()
	return get(w, func(tx *store.Tx) (platform.Assessment, error) {
		return tx.CreateAssessment(w.ctx(), w.Org, w.Owner, s)
	})
}

// Invite invites somebody for a week.
func (w *World) Invite(a platform.Assessment, who platform.Invitee) store.InviteResult {
	w.T.Helper()
	return get(w, func(tx *store.Tx) ([]store.InviteResult, error) {
		return tx.Invite(w.ctx(), a.Org, store.Invite{AssessmentID: a.ID, Invitees: []platform.Invitee{who}, ExpiresAt: tx.Now().AddDate(0, 0, 7), By: w.Owner})
	})[0]
}

// Start begins the first attempt of an invitation.
func (w *World) Start(i platform.Invitation) platform.Attempt {
	w.T.Helper()
	return get(w, func(tx *store.Tx) (platform.Attempt, error) {
		a, _, err := tx.StartAttempt(w.ctx(), i.Org, i.ID, 1, "2026-11")
		return a, err
	})
}

// Working invites somebody by name and begins.
func (w *World) Working(a platform.Assessment, name string) platform.Attempt {
	w.T.Helper()
	return w.Start(w.Invite(a, platform.Invitee{Name: name, Email: name + "@example.org"}).Invitation)
}

// Upload is an accepted submission, received now.
func (w *World) Upload(a platform.Attempt, challenge string, kind platform.SubmissionKind) store.HandIn {
	return store.HandIn{
		AttemptID: a.ID, ChallengeID: challenge, Kind: kind, ReceivedAt: w.Clock.Now(), DryRunMode: "quick",
		Archive: platform.Blob{Key: platform.BlobKey(a.Org, a.ID, "upload.tar.gz"), Digest: "sha256:aa", Bytes: 123},
		Intake:  platform.Intake{Accepted: true, Digest: "sha256:bb", Files: 7, Notes: []string{"node_modules were left out"}},
	}
}

// Submit hands something in.
func (w *World) Submit(a platform.Attempt, challenge string, kind platform.SubmissionKind) store.HandedIn {
	w.T.Helper()
	return get(w, func(tx *store.Tx) (store.HandedIn, error) {
		return tx.Submit(w.ctx(), a.Org, w.Upload(a, challenge, kind))
	})
}

// lease is that of every claim here.
const lease = time.Minute

// Claim claims the next job for a worker; nil when there is none.
func (w *World) Claim(worker platform.ID) *platform.Job {
	w.T.Helper()
	return get(w, func(tx *store.Tx) (*platform.Job, error) { return tx.Claim(w.ctx(), worker, lease) })
}

// Verdict is a result with a score.
func Verdict(score float64) platform.Result {
	value, reference := 12.5, 10.0
	r := platform.Result{
		ChallengeDigest: "sha256:cc", Official: true, Verdict: platform.Below, Score: score, Low: max(0, score-3), High: min(100, score+3), PassMark: 60,
		Band: "mid-like", Headline: "Memory stays flat, but the loop stops.", Codes: []string{"LOOP_BLOCKED", "GC_PRESSURE"},
		Criteria: []platform.CriterionResult{
			{ID: "exact", Title: "The result is right", Skill: "streams", Assessed: true, Score: score / 100, Low: score / 100, High: score / 100, Weight: 0.6, Points: 0.6 * score, MaxPoints: 60, Value: &value, Reference: &reference, Unit: "ms"},
			{ID: "flat", Title: "Memory stays flat", Skill: "memory", Weight: 0.4, MaxPoints: 40, Unit: "bytes"},
		},
		Report:   platform.Blob{Key: "report", Digest: "sha256:dd", Bytes: 1000},
		Evidence: platform.Blob{Key: "evidence", Digest: "sha256:ee", Bytes: 2000},
	}
	if score >= r.PassMark {
		r.Verdict = platform.Passed
	}
	return r
}

// Finish ends a claimed job with a score.
func (w *World) Finish(j *platform.Job, score float64) store.Finished {
	w.T.Helper()
	return get(w, func(tx *store.Tx) (store.Finished, error) {
		return tx.Finish(w.ctx(), j.Org, j.ID, j.Fence, Verdict(score))
	})
}

// Graded lets somebody hand in a single challenge and have it graded.
func (w *World) Graded(a platform.Assessment, name string, score float64) platform.Attempt {
	w.T.Helper()
	t := w.Working(a, name)
	w.Submit(t, a.Settings.Challenges[0].ChallengeID, platform.Final)
	j := w.Claim("wrk_1")
	require.NotNil(w.T, j)
	w.Finish(j, score)
	return w.Attempt(t)
}

// Attempt reads an attempt again.
func (w *World) Attempt(a platform.Attempt) platform.Attempt {
	w.T.Helper()
	return get(w, func(tx *store.Tx) (platform.Attempt, error) { return tx.Attempt(w.ctx(), a.Org, a.ID) })
}

// Second makes another organisation, with an owner, in the same store.
func (w *World) Second(name string) *World {
	w.T.Helper()
	other := &World{T: w.T, Store: w.Store, Clock: w.Clock}
	w.Do(func(tx *store.Tx) error {
		org, err := tx.CreateOrganization(w.ctx(), name)
		if err != nil {
			return err
		}
		user, err := tx.CreateUser(w.ctx(), platform.User{Email: name + "@example.net", Name: name})
		if err != nil {
			return err
		}
		other.Org, other.Owner = org.ID, user.ID
		return tx.AddMember(w.ctx(), org.ID, user.ID, platform.Owner)
	})
	return other
}
