package storetest

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

func testAudit(t *testing.T, open Open) {
	w := NewWorld(t, open)
	write := func(action string, subject platform.ID) {
		w.Clock.Move(time.Second)
		w.Do(func(tx *store.Tx) error {
			return tx.Audit(w.ctx(), w.Org, platform.AuditEntry{
				Actor: platform.Actor{Kind: platform.ActorUser, ID: w.Owner}, Action: action, Subject: subject, Detail: `{"n":1}`, RequestID: "r-1",
			})
		})
	}
	write("report.view", "att_1")
	write("candidate.erase", "can_1")
	write("report.view", "att_2")
	read := func(subject platform.ID, page platform.Page) platform.List[platform.AuditEntry] {
		return get(w, func(tx *store.Tx) (platform.List[platform.AuditEntry], error) {
			return tx.AuditLog(w.ctx(), w.Org, subject, page)
		})
	}
	first := read("", platform.Page{Limit: 2})
	require.Len(t, first.Items, 2)
	assert.Equal(t, platform.AuditEntry{
		ID: first.Items[0].ID, Org: w.Org, At: start.Add(3 * time.Second), Actor: platform.Actor{Kind: platform.ActorUser, ID: w.Owner},
		Action: "report.view", Subject: "att_2", Detail: `{"n":1}`, RequestID: "r-1",
	}, first.Items[0])
	rest := read("", platform.Page{Limit: 2, After: first.Next})
	require.Len(t, rest.Items, 1)
	assert.Equal(t, platform.ID("att_1"), rest.Items[0].Subject)
	require.Len(t, read("can_1", platform.Page{}).Items, 1)
}

func testIdempotency(t *testing.T, open Open) {
	w := NewWorld(t, open)
	once := func(key, body string, do func(tx *store.Tx) error) (*platform.Stored, error) {
		var out *platform.Stored
		err := w.Try(func(tx *store.Tx) (err error) {
			if out, err = tx.Once(w.ctx(), w.Org, "tok_1 POST /invitations", key, body); err != nil || out != nil {
				return err
			}
			return do(tx)
		})
		return out, err
	}
	answer := platform.Stored{Status: 201, Body: []byte{'{', 0, '}'}}
	remember := func(key string) func(*store.Tx) error {
		return func(tx *store.Tx) error { return tx.Remember(w.ctx(), w.Org, "tok_1 POST /invitations", key, answer) }
	}
	_, err := once("k", "h1", func(*store.Tx) error { return platform.Errorf(platform.Invalid, "no") })
	assert.Equal(t, platform.Invalid, platform.ErrorCode(err))
	out, err := once("k", "h2", remember("k"))
	require.NoError(t, err, "what failed is not remembered")
	assert.Nil(t, out)
	out, err = once("k", "h2", func(*store.Tx) error { t.Error("done twice"); return nil })
	require.NoError(t, err)
	assert.Equal(t, &answer, out)
	_, err = once("k", "h3", remember("k"))
	assert.Equal(t, platform.Conflict, platform.ErrorCode(err), "the same key with another body")
	_, err = once("", "h", remember(""))
	assert.Equal(t, platform.Invalid, platform.ErrorCode(err))
	refused(w, platform.Internal, func(tx *store.Tx) error {
		return tx.Remember(w.ctx(), w.Org, "tok_1 POST /invitations", "k", platform.Stored{Body: make([]byte, platform.MaxStoredBytes+1)})
	})
	w.Clock.Move(24 * time.Hour)
	out, err = once("k", "h4", remember("k"))
	require.NoError(t, err)
	assert.Nil(t, out, "after a day it is a new request")
	w.Clock.Move(24 * time.Hour)
	w.Do(func(tx *store.Tx) error { return tx.SystemForget(w.ctx()) })
	assert.Empty(t, Dump(w)["idempotency_keys"])
}

func testIdempotencyRace(t *testing.T, open Open) {
	w := NewWorld(t, open)
	as := w.Assessment(one())
	const n = 8
	answers, errs := make([]string, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			errs[i] = w.Store.Tx(w.ctx(), func(tx *store.Tx) error {
				stored, err := tx.Once(w.ctx(), w.Org, "scope", "key", "same body")
				if err != nil {
					return err
				}
				if stored != nil {
					answers[i] = string(stored.Body)
					return nil
				}
				made, err := tx.Invite(w.ctx(), w.Org, store.Invite{AssessmentID: as.ID, Invitees: []platform.Invitee{{Name: "Ada"}}, ExpiresAt: tx.Now().Add(time.Hour), By: w.Owner})
				if err != nil {
					return err
				}
				answers[i] = string(made[0].Invitation.ID)
				return tx.Remember(w.ctx(), w.Org, "scope", "key", platform.Stored{Status: 201, Body: []byte(answers[i])})
			})
		})
	}
	all.Wait()
	for i := range n {
		require.NoError(t, errs[i])
		assert.Equal(t, answers[0], answers[i], "all get the answer of the first")
	}
	assert.Len(t, Dump(w)["invitations"], 1)
}

func testWebhooks(t *testing.T, open Open) {
	w := NewWorld(t, open)
	endpoint := func(url string, events ...platform.EventType) platform.Endpoint {
		return get(w, func(tx *store.Tx) (platform.Endpoint, error) {
			return tx.CreateEndpoint(w.ctx(), w.Org, platform.Endpoint{URL: url, Events: events, SealedSecret: []byte{0, 1}})
		})
	}
	refused(w, platform.Invalid, func(tx *store.Tx) error {
		_, err := tx.CreateEndpoint(w.ctx(), w.Org, platform.Endpoint{URL: "https://ats.example.org", Events: []platform.EventType{"all"}})
		return err
	})
	ats := endpoint("https://ats.example.org/hook", platform.EventInvited, platform.EventGraded)
	off := endpoint("https://off.example.org", platform.EventGraded)
	endpoint("https://other.example.org", platform.EventDecided)
	assert.Equal(t, ats, get(w, func(tx *store.Tx) (platform.Endpoint, error) { return tx.Endpoint(w.ctx(), w.Org, ats.ID) }))
	w.Do(func(tx *store.Tx) error { return tx.EnableEndpoint(w.ctx(), w.Org, off.ID, false) })
	ada := w.Invite(w.Assessment(one()), platform.Invitee{Name: "Ada"}).Candidate
	w.Do(func(tx *store.Tx) error {
		return tx.Emit(w.ctx(), w.Org, platform.EventGraded, ada.ID, json.RawMessage(`{"attempt":"att_1"}`))
	})
	due := func() []platform.Delivery {
		return get(w, func(tx *store.Tx) ([]platform.Delivery, error) { return tx.SystemDeliveriesDue(w.ctx(), lease, 10) })
	}
	taken := due()
	require.Len(t, taken, 1, "those that want it and are enabled")
	d := taken[0]
	assert.Equal(t, platform.Delivery{
		ID: d.ID, Org: w.Org, EndpointID: ats.ID, EventID: d.EventID, Type: platform.EventGraded, Payload: json.RawMessage(`{"attempt":"att_1"}`),
		CandidateID: ada.ID, State: platform.SendPending, Tries: 1, NextAt: start.Add(lease), CreatedAt: start,
	}, d)
	assert.Empty(t, due(), "another sender has it")
	w.Clock.Move(lease)
	assert.Equal(t, 2, due()[0].Tries, "whoever died leaves it to others")
	w.Do(func(tx *store.Tx) error {
		return tx.DeliveryFailed(w.ctx(), w.Org, d.ID, 503, "busy\x00", tx.Now().Add(time.Hour))
	})
	w.Clock.Move(lease)
	assert.Empty(t, due())
	w.Clock.Move(time.Hour)
	require.Len(t, due(), 1)
	w.Do(func(tx *store.Tx) error { return tx.DeliveryDone(w.ctx(), w.Org, d.ID, 200) })
	delivered := func(org platform.OrgID, since time.Time) bool {
		return get(w, func(tx *store.Tx) (bool, error) { return tx.DeliveredSince(w.ctx(), org, ats.ID, since) })
	}
	assert.True(t, delivered(w.Org, start))
	assert.False(t, delivered(w.Org, w.Clock.Now().Add(time.Millisecond)))
	assert.False(t, delivered("org_other", start))
	w.Do(func(tx *store.Tx) error { return tx.SealEndpoint(w.ctx(), w.Org, ats.ID, []byte("new")) })
	assert.Equal(t, []byte("new"), get(w, func(tx *store.Tx) (platform.Endpoint, error) { return tx.Endpoint(w.ctx(), w.Org, ats.ID) }).SealedSecret)
	refused(w, platform.NotFound, func(tx *store.Tx) error { return tx.SealEndpoint(w.ctx(), "org_other", ats.ID, []byte("theirs")) })
	refused(w, platform.NotFound, func(tx *store.Tx) error { return tx.DeliveryDone(w.ctx(), w.Org, d.ID, 200) })
	again := get(w, func(tx *store.Tx) (platform.Delivery, error) { return tx.Replay(w.ctx(), w.Org, d.ID) })
	assert.Equal(t, d.EventID, again.EventID, "a replay is of the same event")
	w.Do(func(tx *store.Tx) error {
		return tx.DeliveryFailed(w.ctx(), w.Org, again.ID, 0, "no answer", time.Time{})
	})
	assert.Empty(t, due(), "it was given up")
	log := get(w, func(tx *store.Tx) (platform.List[platform.Delivery], error) {
		return tx.Deliveries(w.ctx(), w.Org, ats.ID, platform.Page{})
	})
	require.Len(t, log.Items, 2)
	assert.Equal(t, []any{platform.SendFailed, "no answer"}, []any{log.Items[0].State, log.Items[0].LastError})
	assert.Equal(t, []any{platform.SendDone, 200, ""}, []any{log.Items[1].State, log.Items[1].LastStatus, log.Items[1].LastError})
	w.Do(func(tx *store.Tx) error { return tx.DeleteEndpoint(w.ctx(), w.Org, ats.ID) })
	assert.Empty(t, Dump(w)["webhook_deliveries"])
	assert.Len(t, get(w, func(tx *store.Tx) ([]platform.Endpoint, error) { return tx.Endpoints(w.ctx(), w.Org) }), 2)
}

func testOutbox(t *testing.T, open Open) {
	w := NewWorld(t, open)
	in := w.Invite(w.Assessment(one()), platform.Invitee{Name: "Ada", Email: "ada@example.org"})
	queue := func(m platform.Mail) (out platform.Mail, err error) {
		err = w.Try(func(tx *store.Tx) (err error) { out, err = tx.QueueMail(w.ctx(), w.Org, m); return err })
		return out, err
	}
	mail, err := queue(platform.Mail{Template: "invitation", CandidateID: in.Candidate.ID, InvitationID: in.Invitation.ID, Sealed: []byte("sealed link")})
	require.NoError(t, err)
	_, err = queue(platform.Mail{Template: "reset", UserID: w.Owner})
	require.NoError(t, err)
	_, err = queue(platform.Mail{Template: "nobody"})
	assert.Equal(t, platform.Internal, platform.ErrorCode(err))
	_, err = queue(platform.Mail{Template: "stranger", UserID: w.Second("other").Owner})
	assert.Equal(t, platform.NotFound, platform.ErrorCode(err))
	due := func() []platform.Mail {
		return get(w, func(tx *store.Tx) ([]platform.Mail, error) { return tx.SystemMailsDue(w.ctx(), lease, 10) })
	}
	taken := due()
	require.Len(t, taken, 2)
	assert.Empty(t, due())
	w.Do(func(tx *store.Tx) error {
		return tx.MailFailed(w.ctx(), w.Org, mail.ID, "mailbox full", tx.Now().Add(time.Hour))
	})
	w.Clock.Move(time.Hour)
	require.Len(t, due(), 2, "the one that failed, and the one whose sender said nothing")
	w.Do(func(tx *store.Tx) error { return tx.MailDone(w.ctx(), w.Org, mail.ID) })
	sent := get(w, func(tx *store.Tx) (platform.Mail, error) { return tx.Mail(w.ctx(), w.Org, mail.ID) })
	assert.Equal(t, platform.SendDone, sent.State)
	assert.Equal(t, 2, sent.Tries)
	assert.Empty(t, mentions(Dump(w), "sealed link"), "once sent, the link is forgotten")
	refused(w, platform.NotFound, func(tx *store.Tx) error { return tx.MailDone(w.ctx(), w.Org, mail.ID) })

	lost, err := queue(platform.Mail{Template: "invitation", CandidateID: in.Candidate.ID, Sealed: []byte("sealed link")})
	require.NoError(t, err)
	w.Do(func(tx *store.Tx) error {
		return tx.MailFailed(w.ctx(), w.Org, lost.ID, "no such mailbox", time.Time{})
	})
	gone := get(w, func(tx *store.Tx) (platform.Mail, error) { return tx.Mail(w.ctx(), w.Org, lost.ID) })
	assert.Equal(t, []any{platform.SendFailed, "no such mailbox", 0}, []any{gone.State, gone.LastError, len(gone.Sealed)})
}

func testWorkers(t *testing.T, open Open) {
	w := NewWorld(t, open)
	other := w.Second("second")
	seen := func(worker platform.Worker) {
		w.Do(func(tx *store.Tx) error { return tx.SystemSeen(w.ctx(), worker) })
	}
	worker := platform.Worker{ID: "wrk_1", Name: "grader-1", Version: "1.2", Slots: 2}
	seen(worker)
	seen(platform.Worker{ID: "wrk_2", Name: "grader-2", Version: "1.2", Slots: 1})
	job := w.Submit(w.Working(w.Assessment(one()), "ada"), "log-aggregate", platform.DryRun).Job
	theirs := other.Submit(other.Working(other.Assessment(one()), "bea"), "log-aggregate", platform.DryRun).Job
	for _, j := range []*platform.Job{job, theirs} {
		require.NotNil(t, get(w, func(tx *store.Tx) (*platform.Job, error) {
			return tx.ClaimJob(w.ctx(), j.Org, j.ID, "wrk_1", time.Hour)
		}))
	}
	w.Clock.Move(time.Minute)
	worker.Draining = true
	seen(worker)
	list := func(w *World) []platform.Worker {
		return get(w, func(tx *store.Tx) ([]platform.Worker, error) { return tx.Workers(w.ctx(), w.Org) })
	}
	worker.StartedAt, worker.LastSeen, worker.Busy, worker.Jobs = start, start.Add(time.Minute), 2, []platform.ID{job.ID}
	assert.Equal(t, worker, list(w)[0], "another organisation's job is only a number")
	assert.Equal(t, []platform.ID{theirs.ID}, list(other)[0].Jobs)
	w.Do(func(tx *store.Tx) error { return tx.SystemForgetWorkers(w.ctx(), tx.Now().Add(time.Second)) })
	require.Len(t, list(w), 1, "one with jobs is not forgotten")
	assert.Equal(t, platform.ID("wrk_1"), list(w)[0].ID)
}

func testErasure(t *testing.T, open Open) {
	w := NewWorld(t, open)
	as := w.Assessment(one())
	in := w.Invite(as, platform.Invitee{Name: "Ada Lovelace", Email: "ada@example.org", ExternalRef: "ats-77"})
	a := w.Start(in.Invitation)
	w.Do(func(tx *store.Tx) error {
		_, err := tx.SaveDraft(w.ctx(), w.Org, platform.Draft{AttemptID: a.ID, ChallengeID: "log-aggregate", Body: "my notes"})
		return err
	})
	w.Submit(a, "log-aggregate", platform.DryRun)
	w.Finish(w.Claim("wrk_1"), 99)
	final := w.Submit(a, "log-aggregate", platform.Final).Submission
	w.Finish(w.Claim("wrk_1"), 80)
	get(w, func(tx *store.Tx) (platform.Job, error) { return tx.Regrade(w.ctx(), w.Org, final.ID) })
	running := w.Claim("wrk_1")
	get(w, func(tx *store.Tx) (platform.Endpoint, error) {
		return tx.CreateEndpoint(w.ctx(), w.Org, platform.Endpoint{URL: "https://ats.example.org", Events: platform.EventTypes()})
	})
	w.Do(func(tx *store.Tx) error {
		return tx.Emit(w.ctx(), w.Org, platform.EventGraded, in.Candidate.ID, json.RawMessage(fmt.Sprintf(`{"candidate":%q}`, in.Candidate.ID)))
	})
	w.Do(func(tx *store.Tx) error {
		_, err := tx.QueueMail(w.ctx(), w.Org, platform.Mail{Template: "invitation", CandidateID: in.Candidate.ID, Sealed: []byte("ada's link")})
		return err
	})
	stays := w.Graded(as, "bea", 50)
	w.Do(func(tx *store.Tx) error {
		return tx.Audit(w.ctx(), w.Org, platform.AuditEntry{Actor: platform.Actor{Kind: platform.ActorCandidate, ID: in.Candidate.ID}, Action: "candidate.erase", Subject: in.Candidate.ID})
	})
	w.Do(func(tx *store.Tx) error { return tx.EraseCandidate(w.ctx(), w.Org, in.Candidate.ID) })

	dump := Dump(w)
	for _, secret := range []string{"Ada", "ats-77", "my notes", string(in.Invitation.ID), string(final.ID), string(running.ID)} {
		assert.Empty(t, mentions(dump, secret), "%q is gone", secret)
	}
	assert.Equal(t, []string{"audit_log.actor_id", "audit_log.subject"}, mentions(dump, string(in.Candidate.ID)), "that it was erased can be shown")
	assert.Equal(t, []string{"blob_erasures.prefix"}, mentions(dump, string(a.ID)), "its files are on the list")
	assert.Equal(t, platform.AttemptReview, w.Attempt(stays).State, "others are as they were")
	refused(w, platform.NotFound, func(tx *store.Tx) error {
		_, err := tx.Finish(w.ctx(), w.Org, running.ID, running.Fence, Verdict(80))
		return err
	})
	refused(w, platform.NotFound, func(tx *store.Tx) error { return tx.EraseCandidate(w.ctx(), w.Org, in.Candidate.ID) })

	left := get(w, func(tx *store.Tx) ([]store.Statistic, error) {
		return tx.Statistics(w.ctx(), w.Org, "log-aggregate", 3)
	})
	assert.Equal(t, []store.Statistic{{
		AssessmentID: as.ID, AssessmentVersion: 1, ChallengeID: "log-aggregate", ChallengeVersion: 3, Mode: "standard", Month: "2026-12",
		Verdict: platform.Passed, Score: 80, Band: "mid-like",
	}}, left, "the figures of the final result stay, those of a dry run do not")
	require.Len(t, dump["statistic_criteria"], 1, "of criteria that were assessed")
	blobs := get(w, func(tx *store.Tx) ([]store.BlobErasure, error) { return tx.SystemBlobErasures(w.ctx(), 10) })
	assert.Equal(t, []store.BlobErasure{{Prefix: platform.BlobPrefix(w.Org, a.ID), DueAt: start}}, blobs)
	w.Do(func(tx *store.Tx) error { return tx.SystemBlobsErased(w.ctx(), blobs[0].Prefix) })
	assert.Empty(t, get(w, func(tx *store.Tx) ([]store.BlobErasure, error) { return tx.SystemBlobErasures(w.ctx(), 10) }))
}

func testRetention(t *testing.T, open Open) {
	w := NewWorld(t, open)
	as := w.Assessment(one())
	never := w.Invite(as, platform.Invitee{Name: "never came", Email: "never@example.org"})
	done := w.Graded(as, "done", 80)
	working := w.Working(as, "working")
	due := func() []platform.ID {
		out := []platform.ID{}
		for _, r := range get(w, func(tx *store.Tx) ([]store.Ref, error) { return tx.SystemErasureDue(w.ctx(), 10) }) {
			assert.Equal(t, w.Org, r.Org)
			out = append(out, r.ID)
		}
		return out
	}
	w.Clock.Move(30*24*time.Hour - time.Millisecond)
	assert.Empty(t, due())
	w.Clock.Move(time.Millisecond)
	assert.Equal(t, []platform.ID{done.InvitationID}, due(), "30 days after it was over")
	w.Do(func(tx *store.Tx) error { return tx.EraseInvitation(w.ctx(), w.Org, done.InvitationID) })
	refused(w, platform.NotFound, func(tx *store.Tx) error { _, err := tx.Candidate(w.ctx(), w.Org, done.CandidateID); return err })
	w.Clock.Move(7 * 24 * time.Hour)
	assert.Equal(t, []platform.ID{never.Invitation.ID}, due(), "30 days after the invitation expired")

	elsewhere := w.Invite(w.Assessment(one()), platform.Invitee{Email: "never@example.org"})
	assert.Equal(t, never.Candidate.ID, elsewhere.Candidate.ID)
	w.Do(func(tx *store.Tx) error { return tx.EraseInvitation(w.ctx(), w.Org, never.Invitation.ID) })
	assert.Equal(t, "never came", get(w, func(tx *store.Tx) (platform.Candidate, error) {
		return tx.Candidate(w.ctx(), w.Org, never.Candidate.ID)
	}).Name, "who has another invitation stays")
	w.Clock.Move(365 * 24 * time.Hour)
	assert.Equal(t, []platform.ID{elsewhere.Invitation.ID}, due())
	assert.Equal(t, platform.AttemptRunning, w.Attempt(working).State)
	w.Do(func(tx *store.Tx) error { _, err := tx.TimeOut(w.ctx(), w.Org, working.ID); return err })
	w.Clock.Move(31 * 24 * time.Hour)
	assert.Len(t, due(), 2, "an attempt must be over first")
}

func testExport(t *testing.T, open Open) {
	w := NewWorld(t, open)
	as := w.Assessment(one())
	ada := w.Graded(as, "ada", 80)
	w.Graded(as, "bea", 60)
	w.Do(func(tx *store.Tx) error {
		_, err := tx.Decide(w.ctx(), w.Org, platform.Decision{AttemptID: ada.ID, Outcome: platform.Advance, Reason: "Exact.", DecidedBy: w.Owner})
		return err
	})
	w.Do(func(tx *store.Tx) error {
		return tx.Audit(w.ctx(), w.Org, platform.AuditEntry{Actor: platform.Actor{Kind: platform.ActorUser, ID: w.Owner}, Action: "candidate.export", Subject: ada.CandidateID})
	})
	data := get(w, func(tx *store.Tx) (store.CandidateData, error) {
		return tx.ExportCandidate(w.ctx(), w.Org, ada.CandidateID)
	})
	assert.Equal(t, "ada@example.org", data.Candidate.Email)
	assert.Equal(t, []int{1, 1, 0, 1, 1, 1, 1, 1}, []int{
		len(data.Invitations), len(data.Attempts), len(data.Drafts), len(data.Submissions), len(data.Jobs), len(data.Results), len(data.Decisions), len(data.Audit),
	}, "all of hers, and nothing of others")
	assert.Equal(t, "Exact.", data.Decisions[0].Reason)
	assert.Len(t, data.Results[0].Criteria, 2)
}
