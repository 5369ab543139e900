package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

func testStart(t *testing.T, open Open) {
	w := NewWorld(t, open)
	s := Settings()
	s.Deadline = start.AddDate(0, 0, 3)
	a := w.Assessment(s)
	i := w.Invite(a, platform.Invitee{Name: "Ada", ExtraPercent: 50}).Invitation
	begin := func(n int, consent string) (out platform.Attempt, begun bool, err error) {
		err = w.Try(func(tx *store.Tx) (err error) {
			out, begun, err = tx.StartAttempt(w.ctx(), w.Org, i.ID, n, consent)
			return err
		})
		return out, begun, err
	}
	_, _, err := begin(1, "")
	assert.Equal(t, platform.Invalid, platform.ErrorCode(err), "no consent, no start")
	_, _, err = begin(2, "2026-11")
	assert.Equal(t, platform.Conflict, platform.ErrorCode(err))
	first, begun, err := begin(1, "2026-11")
	require.NoError(t, err)
	assert.True(t, begun)
	assert.Equal(t, platform.Attempt{
		ID: first.ID, Org: w.Org, InvitationID: i.ID, CandidateID: i.CandidateID, AssessmentID: a.ID, AssessmentVersion: 1, Number: 1,
		State: platform.AttemptRunning, Consent: platform.Consent{TextVersion: "2026-11", At: start},
		Clock: platform.Clock{
			Started: start, Limit: time.Hour, ExtraPercent: 50, Deadline: s.Deadline, Extensions: []platform.Extension{}, Pauses: []platform.Pause{},
		},
	}, first)
	w.Clock.Move(time.Minute)
	again, begun, err := begin(1, "2026-11")
	require.NoError(t, err)
	assert.False(t, begun)
	assert.Equal(t, first, again, "asked twice, the clock still runs from the first time")
	_, _, err = begin(2, "2026-11")
	assert.Equal(t, platform.Conflict, platform.ErrorCode(err), "one at a time")

	w.Clock.Move(2 * time.Hour)
	w.Do(func(tx *store.Tx) error { _, err := tx.TimeOut(w.ctx(), w.Org, first.ID); return err })
	second, begun, err := begin(2, "2026-11")
	require.NoError(t, err)
	assert.True(t, begun)
	w.Clock.Move(2 * time.Hour)
	w.Do(func(tx *store.Tx) error { _, err := tx.TimeOut(w.ctx(), w.Org, second.ID); return err })
	_, _, err = begin(3, "2026-11")
	assert.Equal(t, platform.Conflict, platform.ErrorCode(err), "both attempts are used")
	w.Do(func(tx *store.Tx) error { return tx.GiveAttempt(w.ctx(), w.Org, i.ID) })
	third, _, err := begin(3, "2026-11")
	require.NoError(t, err, "one was given back")
	w.Clock.Move(2 * time.Hour)
	w.Do(func(tx *store.Tx) error { _, err := tx.TimeOut(w.ctx(), w.Org, third.ID); return err })
	w.Do(func(tx *store.Tx) error { return tx.GiveAttempt(w.ctx(), w.Org, i.ID) })
	w.Clock.Move(72 * time.Hour)
	_, _, err = begin(4, "2026-11")
	assert.Equal(t, platform.Gone, platform.ErrorCode(err), "the deadline is over")

	late := w.Invite(w.Assessment(Settings()), platform.Invitee{Name: "Late"}).Invitation
	w.Clock.Move(8 * 24 * time.Hour)
	refused(w, platform.Gone, func(tx *store.Tx) error {
		_, _, err := tx.StartAttempt(w.ctx(), w.Org, late.ID, 1, "2026-11")
		return err
	})
}

func testMoreTime(t *testing.T, open Open) {
	w := NewWorld(t, open)
	a := w.Working(w.Assessment(Settings()), "ada")
	ends := func() time.Time { return w.Attempt(a).Clock.Ends(w.Clock.Now()) }
	over := func() []store.Ref {
		return get(w, func(tx *store.Tx) ([]store.Ref, error) { return tx.SystemAttemptsOver(w.ctx(), tx.Now(), 10) })
	}
	extend := func(by time.Duration) error {
		return w.Try(func(tx *store.Tx) error {
			_, err := tx.ExtendAttempt(w.ctx(), w.Org, a.ID, platform.Extension{By: by, Reason: "The fire alarm rang.", GrantedBy: w.Owner})
			return err
		})
	}
	assert.Equal(t, start.Add(time.Hour), ends())
	require.NoError(t, extend(10*time.Minute))
	assert.Equal(t, start.Add(70*time.Minute), ends())
	x := w.Attempt(a).Clock.Extensions[0]
	assert.Equal(t, platform.Extension{ID: x.ID, By: 10 * time.Minute, Reason: "The fire alarm rang.", GrantedBy: w.Owner, At: start}, x)
	assert.Equal(t, platform.Invalid, platform.ErrorCode(extend(0)))
	w.Do(func(tx *store.Tx) error { return tx.SetExtraTime(w.ctx(), w.Org, a.InvitationID, 50) })
	assert.Equal(t, start.Add(100*time.Minute), ends(), "extra time counts for an attempt that runs, too")
	refused(w, platform.Invalid, func(tx *store.Tx) error { return tx.SetExtraTime(w.ctx(), w.Org, a.InvitationID, 301) })

	w.Clock.Move(100 * time.Minute)
	assert.Empty(t, over(), "the very end is not yet past")
	w.Clock.Move(time.Millisecond)
	assert.Equal(t, []store.Ref{{Org: w.Org, ID: a.ID}}, over())
	w.Do(func(tx *store.Tx) error { _, err := tx.TimeOut(w.ctx(), w.Org, a.ID); return err })
	assert.Empty(t, over())
	assert.Equal(t, platform.AttemptExpired, w.Attempt(a).State)
	i := get(w, func(tx *store.Tx) (platform.Invitation, error) { return tx.Invitation(w.ctx(), w.Org, a.InvitationID) })
	assert.Equal(t, platform.InvitationCompleted, i.State)
	assert.Equal(t, w.Clock.Now().AddDate(0, 0, 30), i.EraseAfter)

	w.Clock.Move(10 * time.Minute)
	assert.Equal(t, platform.Invalid, platform.ErrorCode(extend(5*time.Minute)), "that would be over as well")
	assert.Equal(t, platform.AttemptExpired, w.Attempt(a).State)
	require.NoError(t, extend(30*time.Minute))
	assert.Equal(t, platform.AttemptRunning, w.Attempt(a).State, "there is time again")
	assert.Zero(t, w.Attempt(a).EndedAt)
	i = get(w, func(tx *store.Tx) (platform.Invitation, error) { return tx.Invitation(w.ctx(), w.Org, a.InvitationID) })
	assert.Equal(t, platform.InvitationStarted, i.State)
	assert.Zero(t, i.EraseAfter)
}

func testPauses(t *testing.T, open Open) {
	w := NewWorld(t, open)
	a := w.Working(w.Assessment(Settings()), "ada")
	w.Clock.Move(20 * time.Minute)
	pause := func(tx *store.Tx) (platform.Pause, error) {
		return tx.PauseAttempt(w.ctx(), w.Org, a.ID, tx.Now().Add(-5*time.Minute), "The engine is down.")
	}
	p := get(w, pause)
	assert.Equal(t, p, get(w, pause), "it lasts already")
	w.Clock.Move(10 * time.Hour)
	due := get(w, func(tx *store.Tx) ([]store.Ref, error) { return tx.SystemAttemptsOver(w.ctx(), tx.Now(), 10) })
	assert.Empty(t, due, "while the clock stands nothing ends")
	left, _ := w.Attempt(a).Clock.Left(w.Clock.Now())
	assert.Equal(t, 45*time.Minute, left)
	w.Do(func(tx *store.Tx) error { return tx.ResumeAttempt(w.ctx(), w.Org, a.ID) })
	w.Do(func(tx *store.Tx) error { return tx.ResumeAttempt(w.ctx(), w.Org, a.ID) })
	w.Clock.Move(40 * time.Minute)
	left, _ = w.Attempt(a).Clock.Left(w.Clock.Now())
	assert.Equal(t, 5*time.Minute, left)

	w.Do(func(tx *store.Tx) error {
		_, err := tx.CreditPause(w.ctx(), w.Org, a.ID, tx.Now().Add(-3*time.Minute), tx.Now(), "A dry run was lost.")
		return err
	})
	left, _ = w.Attempt(a).Clock.Left(w.Clock.Now())
	assert.Equal(t, 8*time.Minute, left)
	refused(w, platform.Invalid, func(tx *store.Tx) error {
		_, err := tx.CreditPause(w.ctx(), w.Org, a.ID, tx.Now(), tx.Now().Add(time.Minute), "not yet")
		return err
	})
	w.Clock.Move(8*time.Minute + time.Millisecond)
	due = get(w, func(tx *store.Tx) ([]store.Ref, error) { return tx.SystemAttemptsOver(w.ctx(), tx.Now(), 10) })
	assert.Len(t, due, 1)
	w.Do(func(tx *store.Tx) error { _, err := tx.TimeOut(w.ctx(), w.Org, a.ID); return err })
	refused(w, platform.Conflict, func(tx *store.Tx) error { _, err := pause(tx); return err })
}

func testDrafts(t *testing.T, open Open) {
	w := NewWorld(t, open)
	a := w.Working(w.Assessment(Settings()), "ada")
	save := func(revision int64, body string) (platform.Draft, error) {
		var out platform.Draft
		err := w.Try(func(tx *store.Tx) (err error) {
			out, err = tx.SaveDraft(w.ctx(), w.Org, platform.Draft{AttemptID: a.ID, ChallengeID: "log-aggregate", Revision: revision, Body: body})
			return err
		})
		return out, err
	}
	_, err := save(4, "not yet")
	assert.Equal(t, platform.Conflict, platform.ErrorCode(err), "there is no revision 4")
	first, err := save(0, "one")
	require.NoError(t, err)
	assert.Equal(t, int64(1), first.Revision)
	_, err = save(0, "another tab")
	assert.Equal(t, platform.Conflict, platform.ErrorCode(err))
	w.Clock.Move(time.Minute)
	second, err := save(1, "two")
	require.NoError(t, err)
	drafts := get(w, func(tx *store.Tx) ([]platform.Draft, error) { return tx.Drafts(w.ctx(), w.Org, a.ID) })
	assert.Equal(t, []platform.Draft{second}, drafts)
	assert.Equal(t, platform.Draft{AttemptID: a.ID, ChallengeID: "log-aggregate", Revision: 2, Body: "two", SavedAt: start.Add(time.Minute)}, second)
	for _, bad := range []string{strings.Repeat("x", platform.MaxDraftBytes+1), "\xff", "a\x00b"} {
		_, err = save(2, bad)
		assert.Equal(t, platform.Invalid, platform.ErrorCode(err))
	}
	refused(w, platform.NotFound, func(tx *store.Tx) error {
		_, err := tx.SaveDraft(w.ctx(), w.Org, platform.Draft{AttemptID: a.ID, ChallengeID: "other"})
		return err
	})
	w.Clock.Move(time.Hour)
	_, err = save(2, "too late")
	assert.Equal(t, platform.Gone, platform.ErrorCode(err))
}

func testSubmissions(t *testing.T, open Open) {
	w := NewWorld(t, open)
	a := w.Working(w.Assessment(Settings()), "ada")
	submit := func(change func(*store.HandIn)) (store.HandedIn, error) {
		in := w.Upload(a, "log-aggregate", platform.DryRun)
		change(&in)
		var out store.HandedIn
		err := w.Try(func(tx *store.Tx) (err error) {
			out, err = tx.Submit(w.ctx(), w.Org, in)
			return err
		})
		return out, err
	}
	w.Clock.Move(time.Minute)
	dry := w.Submit(a, "log-aggregate", platform.DryRun)
	assert.Equal(t, platform.Submission{
		ID: dry.Submission.ID, Org: w.Org, AttemptID: a.ID, CandidateID: a.CandidateID, ChallengeID: "log-aggregate", ChallengeVersion: 3,
		Kind: platform.DryRun, Archive: platform.Blob{Key: platform.BlobKey(w.Org, a.ID, "upload.tar.gz"), Digest: "sha256:aa", Bytes: 123},
		Intake:     platform.Intake{Accepted: true, Digest: "sha256:bb", Files: 7, Notes: []string{"node_modules were left out"}},
		ReceivedAt: start.Add(time.Minute), CreatedAt: start.Add(time.Minute),
	}, dry.Submission)
	assert.Equal(t, dry.Submission, get(w, func(tx *store.Tx) (platform.Submission, error) {
		return tx.Submission(w.ctx(), w.Org, dry.Submission.ID)
	}))
	assert.Equal(t, []any{platform.JobDryRun, "quick", platform.JobQueued}, []any{dry.Job.Kind, dry.Job.Mode, dry.Job.State})
	w.Clock.Move(time.Minute)
	_, err := submit(func(in *store.HandIn) {
		in.Intake = platform.Intake{Problem: "assay.json is missing\x00\xff"}
		in.Archive = platform.Blob{}
	})
	require.NoError(t, err, "what intake refuses is kept as a line, whatever bytes are in it")

	for name, tt := range map[string]struct {
		code   platform.Code
		change func(*store.HandIn)
	}{
		"another challenge": {platform.NotFound, func(in *store.HandIn) { in.ChallengeID = "queue" }},
		"another kind":      {platform.Invalid, func(in *store.HandIn) { in.Kind = "try" }},
		"from the future":   {platform.Invalid, func(in *store.HandIn) { in.ReceivedAt = w.Clock.Now().Add(time.Second) }},
		"before the start":  {platform.Invalid, func(in *store.HandIn) { in.ReceivedAt = start.Add(-time.Second) }},
	} {
		_, err := submit(tt.change)
		assert.Equal(t, tt.code, platform.ErrorCode(err), name)
	}
	w.Clock.Move(time.Minute)
	final := w.Submit(a, "log-aggregate", platform.Final)
	assert.Equal(t, []any{platform.JobFinal, "standard", false}, []any{final.Job.Kind, final.Job.Mode, final.Complete})
	_, err = submit(func(in *store.HandIn) { in.Kind = platform.Final })
	assert.Equal(t, platform.Conflict, platform.ErrorCode(err), "one final submission")
	_, err = submit(func(in *store.HandIn) { in.Kind = platform.Final; in.Intake.Accepted = false })
	require.NoError(t, err, "one that is refused is none")

	first := get(w, func(tx *store.Tx) (platform.List[platform.Submission], error) {
		return tx.Submissions(w.ctx(), w.Org, a.ID, platform.Page{Limit: 3})
	})
	require.NotEmpty(t, first.Next)
	rest := get(w, func(tx *store.Tx) (platform.List[platform.Submission], error) {
		return tx.Submissions(w.ctx(), w.Org, a.ID, platform.Page{Limit: 3, After: first.Next})
	})
	require.Len(t, rest.Items, 1)
	assert.Equal(t, dry.Submission, rest.Items[0], "the oldest comes last")
	assert.Empty(t, rest.Next)

	w.Clock.Move(58 * time.Minute)
	_, err = submit(func(in *store.HandIn) { in.ReceivedAt = start.Add(time.Hour - time.Second) })
	require.NoError(t, err, "an upload that began in time is in time")
	_, err = submit(func(in *store.HandIn) { in.ReceivedAt = start.Add(time.Hour) })
	assert.Equal(t, platform.Gone, platform.ErrorCode(err))
}

func testEndOfAttempt(t *testing.T, open Open) {
	w := NewWorld(t, open)
	as := w.Assessment(Settings())
	all := w.Working(as, "all")
	w.Submit(all, "log-aggregate", platform.Final)
	out := w.Submit(all, "surge-pricing-cpu", platform.Final)
	assert.True(t, out.Complete)
	assert.Equal(t, "full", out.Job.Mode, "the challenge's own mode")
	assert.Equal(t, platform.AttemptGrading, w.Attempt(all).State, "the last final submission hands the attempt in")
	refused(w, platform.Gone, func(tx *store.Tx) error {
		_, err := tx.Submit(w.ctx(), w.Org, w.Upload(all, "log-aggregate", platform.DryRun))
		return err
	})

	some := w.Working(as, "some")
	refused(w, platform.Conflict, func(tx *store.Tx) error { _, err := tx.FinishAttempt(w.ctx(), w.Org, some.ID); return err })
	w.Submit(some, "log-aggregate", platform.Final)
	done := get(w, func(tx *store.Tx) (platform.Attempt, error) { return tx.FinishAttempt(w.ctx(), w.Org, some.ID) })
	assert.Equal(t, platform.AttemptGrading, done.State)
	assert.Equal(t, w.Clock.Now(), done.EndedAt)

	slow, idle := w.Working(as, "slow"), w.Working(as, "idle")
	w.Submit(slow, "log-aggregate", platform.Final)
	w.Submit(idle, "log-aggregate", platform.DryRun)
	untouched := get(w, func(tx *store.Tx) (platform.Attempt, error) { return tx.TimeOut(w.ctx(), w.Org, slow.ID) })
	assert.Equal(t, platform.AttemptRunning, untouched.State, "its time is not up")
	w.Clock.Move(time.Hour)
	out2 := get(w, func(tx *store.Tx) (platform.Attempt, error) { return tx.TimeOut(w.ctx(), w.Org, slow.ID) })
	assert.Equal(t, platform.AttemptGrading, out2.State, "what was handed in is graded")
	out2 = get(w, func(tx *store.Tx) (platform.Attempt, error) { return tx.TimeOut(w.ctx(), w.Org, idle.ID) })
	assert.Equal(t, platform.AttemptExpired, out2.State, "a dry run is not handed in")

	gone := w.Working(as, "gone")
	w.Submit(gone, "log-aggregate", platform.DryRun)
	w.Do(func(tx *store.Tx) error { return tx.WithdrawInvitation(w.ctx(), w.Org, gone.InvitationID) })
	assert.Equal(t, platform.AttemptWithdrawn, w.Attempt(gone).State)
	jobs := get(w, func(tx *store.Tx) (platform.List[platform.Job], error) {
		return tx.Jobs(w.ctx(), w.Org, store.JobFilter{AttemptID: gone.ID}, platform.Page{})
	})
	require.Len(t, jobs.Items, 1)
	assert.Equal(t, platform.JobCancelled, jobs.Items[0].State)
}
