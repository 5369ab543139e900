package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

func testAssessments(t *testing.T, open Open) {
	w := NewWorld(t, open)
	s := Settings()
	s.Deadline = start.AddDate(0, 1, 0)
	a := w.Assessment(s)
	assert.Equal(t, platform.Assessment{ID: a.ID, Org: w.Org, Version: 1, Settings: s, CreatedBy: w.Owner, CreatedAt: start, UpdatedAt: start}, a)
	refused(w, platform.Invalid, func(tx *store.Tx) error {
		_, err := tx.CreateAssessment(w.ctx(), w.Org, w.Owner, platform.Settings{})
		return err
	})

	w.Clock.Move(time.Hour)
	changed := one()
	changed.Name = "Backend engineer, second round"
	second := get(w, func(tx *store.Tx) (platform.Assessment, error) {
		return tx.UpdateAssessment(w.ctx(), w.Org, a.ID, 1, w.Owner, changed)
	})
	assert.Equal(t, 2, second.Version)
	assert.Equal(t, changed, second.Settings)
	assert.Equal(t, start.Add(time.Hour), second.UpdatedAt)
	refused(w, platform.Conflict, func(tx *store.Tx) error {
		_, err := tx.UpdateAssessment(w.ctx(), w.Org, a.ID, 1, w.Owner, s)
		return err
	})
	old := get(w, func(tx *store.Tx) (platform.Assessment, error) { return tx.AssessmentVersion(w.ctx(), w.Org, a.ID, 1) })
	assert.Equal(t, s, old.Settings, "an old version stays as it was")
	refused(w, platform.NotFound, func(tx *store.Tx) error { _, err := tx.AssessmentVersion(w.ctx(), w.Org, a.ID, 3); return err })

	for i := range 5 {
		if i%2 == 0 {
			w.Clock.Move(time.Second) // some are made at the same moment
		}
		w.Assessment(one())
	}
	w.Do(func(tx *store.Tx) error { return tx.ArchiveAssessment(w.ctx(), w.Org, a.ID, true) })
	var seen []platform.Assessment
	ask := platform.Page{Limit: 2}
	for pages := 1; ; pages++ {
		list := get(w, func(tx *store.Tx) (platform.List[platform.Assessment], error) {
			return tx.Assessments(w.ctx(), w.Org, false, ask)
		})
		seen = append(seen, list.Items...)
		if list.Next == "" {
			assert.Equal(t, 3, pages)
			break
		}
		ask.After = list.Next
	}
	require.Len(t, seen, 5, "each is listed once, and what is in the archive is not")
	for i := 1; i < len(seen); i++ {
		newer, older := seen[i-1], seen[i]
		assert.True(t, newer.CreatedAt.After(older.CreatedAt) || newer.CreatedAt.Equal(older.CreatedAt) && newer.ID > older.ID, "the newest first")
	}
	archive := get(w, func(tx *store.Tx) (platform.List[platform.Assessment], error) {
		return tx.Assessments(w.ctx(), w.Org, true, platform.Page{})
	})
	require.Len(t, archive.Items, 1)
	assert.Equal(t, a.ID, archive.Items[0].ID)
	refused(w, platform.Invalid, func(tx *store.Tx) error {
		_, err := tx.Assessments(w.ctx(), w.Org, false, platform.Page{After: "nonsense"})
		return err
	})
	w.Do(func(tx *store.Tx) error { return tx.ArchiveAssessment(w.ctx(), w.Org, a.ID, false) })
	assert.Zero(t, get(w, func(tx *store.Tx) (platform.Assessment, error) { return tx.Assessment(w.ctx(), w.Org, a.ID) }).ArchivedAt)
}

func testInvitations(t *testing.T, open Open) {
	w := NewWorld(t, open)
	a := w.Assessment(Settings())
	invite := func(who ...platform.Invitee) ([]store.InviteResult, error) {
		var out []store.InviteResult
		err := w.Try(func(tx *store.Tx) (err error) {
			out, err = tx.Invite(w.ctx(), w.Org, store.Invite{AssessmentID: a.ID, Invitees: who, ExpiresAt: tx.Now().Add(24 * time.Hour), By: w.Owner})
			return err
		})
		return out, err
	}
	out, err := invite(
		platform.Invitee{Name: "Ada", Email: "Ada@Example.org", ExtraPercent: 25},
		platform.Invitee{Email: "ada@example.org"},
		platform.Invitee{Name: "By link"},
		platform.Invitee{Name: "By link"},
	)
	require.NoError(t, err)
	assert.Equal(t, []store.InviteOutcome{store.Invited, store.AlreadyInvited, store.Invited, store.Invited},
		[]store.InviteOutcome{out[0].Outcome, out[1].Outcome, out[2].Outcome, out[3].Outcome}, "the same address is the same person; the same name is not")
	assert.Equal(t, out[0].Candidate, out[1].Candidate)
	assert.Equal(t, "Ada@Example.org", out[0].Candidate.Email, "as it was given")
	assert.NotEqual(t, out[2].Candidate.ID, out[3].Candidate.ID)
	assert.Empty(t, out[1].Token)

	ada := get(w, func(tx *store.Tx) (platform.Invitation, error) {
		return tx.InvitationByToken(w.ctx(), platform.HashToken(out[0].Token))
	})
	assert.Equal(t, platform.Invitation{
		ID: ada.ID, Org: w.Org, AssessmentID: a.ID, CandidateID: out[0].Candidate.ID, State: platform.InvitationPending, ExtraPercent: 25,
		ExpiresAt: start.Add(24 * time.Hour), CreatedBy: w.Owner, CreatedAt: start, EraseAfter: start.Add(24*time.Hour).AddDate(0, 0, 30),
	}, ada)
	assert.Empty(t, mentions(Dump(w), out[0].Token), "the token is not stored")
	refused(w, platform.NotFound, func(tx *store.Tx) error { _, err := tx.InvitationByToken(w.ctx(), out[0].Token); return err })

	_, err = invite(platform.Invitee{Name: "Fine"}, platform.Invitee{Email: "nonsense"})
	assert.Equal(t, platform.Invalid, platform.ErrorCode(err))
	assert.ErrorContains(t, err, "Line 2")
	assert.Empty(t, mentions(Dump(w), "Fine"), "all or none")
	_, err = invite()
	assert.Equal(t, platform.Invalid, platform.ErrorCode(err))
	refused(w, platform.Invalid, func(tx *store.Tx) error {
		_, err := tx.Invite(w.ctx(), w.Org, store.Invite{AssessmentID: a.ID, Invitees: []platform.Invitee{{Name: "A"}}, ExpiresAt: tx.Now(), By: w.Owner})
		return err
	})

	w.Clock.Move(time.Hour)
	opened := get(w, func(tx *store.Tx) (platform.Invitation, error) { return tx.OpenInvitation(w.ctx(), w.Org, ada.ID) })
	assert.Equal(t, platform.InvitationOpened, opened.State)
	w.Clock.Move(time.Hour)
	opened = get(w, func(tx *store.Tx) (platform.Invitation, error) { return tx.OpenInvitation(w.ctx(), w.Org, ada.ID) })
	assert.Equal(t, start.Add(time.Hour), opened.OpenedAt, "the first time is kept")
	testRenewal(w, a, out[0])
}

// testRenewal lets an invitation expire, renews and revokes it.
func testRenewal(w *World, a platform.Assessment, in store.InviteResult) {
	t, id := w.T, in.Invitation.ID
	w.Clock.Move(24 * time.Hour)
	refused(w, platform.Gone, func(tx *store.Tx) error { _, err := tx.OpenInvitation(w.ctx(), w.Org, id); return err })
	again := w.Invite(a, platform.Invitee{Email: "ada@example.org"})
	assert.Equal(t, store.Renewed, again.Outcome, "whoever is invited again after the end gets a new link")
	assert.Equal(t, id, again.Invitation.ID)
	refused(w, platform.NotFound, func(tx *store.Tx) error {
		_, err := tx.InvitationByToken(w.ctx(), platform.HashToken(in.Token))
		return err
	})
	fresh := get(w, func(tx *store.Tx) (platform.Invitation, error) {
		return tx.InvitationByToken(w.ctx(), platform.HashToken(again.Token))
	})
	assert.Equal(t, w.Clock.Now().AddDate(0, 0, 37), fresh.EraseAfter)

	w.Do(func(tx *store.Tx) error { return tx.RevokeInvitation(w.ctx(), w.Org, id) })
	refused(w, platform.Gone, func(tx *store.Tx) error { _, err := tx.OpenInvitation(w.ctx(), w.Org, id); return err })
	refused(w, platform.Conflict, func(tx *store.Tx) error { return tx.RevokeInvitation(w.ctx(), w.Org, id) })
	refused(w, platform.Conflict, func(tx *store.Tx) error {
		_, _, err := tx.RenewInvitation(w.ctx(), w.Org, id, tx.Now().Add(time.Hour))
		return err
	})
	third := w.Invite(a, platform.Invitee{Email: "ada@example.org"})
	assert.Equal(t, store.Invited, third.Outcome, "what was revoked does not stand in the way")
	list := get(w, func(tx *store.Tx) ([]platform.Invitation, error) {
		return tx.Invitations(w.ctx(), w.Org, in.Candidate.ID)
	})
	require.Len(t, list, 2)
	assert.Equal(t, third.Invitation.ID, list[0].ID)

	w.Do(func(tx *store.Tx) error { return tx.ArchiveAssessment(w.ctx(), w.Org, a.ID, true) })
	refused(w, platform.Conflict, func(tx *store.Tx) error {
		_, err := tx.Invite(w.ctx(), w.Org, store.Invite{AssessmentID: a.ID, Invitees: []platform.Invitee{{Name: "A"}}, ExpiresAt: tx.Now().Add(time.Hour), By: w.Owner})
		return err
	})
	w.Do(func(tx *store.Tx) error {
		return tx.UpdateCandidate(w.ctx(), w.Org, in.Candidate.ID, platform.Invitee{Name: "Ada L.", Email: "lovelace@example.org", ExternalRef: "ats-1"})
	})
	c := get(w, func(tx *store.Tx) (platform.Candidate, error) { return tx.Candidate(w.ctx(), w.Org, in.Candidate.ID) })
	assert.Equal(t, []string{"Ada L.", "lovelace@example.org", "ats-1"}, []string{c.Name, c.Email, c.ExternalRef})
}

func testThousandInvitations(t *testing.T, open Open) {
	w := NewWorld(t, open)
	a := w.Assessment(Settings())
	who := make([]platform.Invitee, store.MaxInvitees)
	for i := range who {
		who[i] = platform.Invitee{Name: fmt.Sprint("Candidate ", i), Email: fmt.Sprintf("c%d@example.org", i)}
	}
	invite := func(who []platform.Invitee) func(*store.Tx) ([]store.InviteResult, error) {
		return func(tx *store.Tx) ([]store.InviteResult, error) {
			return tx.Invite(w.ctx(), w.Org, store.Invite{AssessmentID: a.ID, Invitees: who, ExpiresAt: tx.Now().Add(time.Hour), By: w.Owner})
		}
	}
	out := get(w, invite(who))
	require.Len(t, out, len(who))
	tokens := map[string]bool{}
	for i, r := range out {
		assert.Equal(t, who[i].Email, r.Candidate.Email, "in order")
		tokens[r.Token] = true
	}
	assert.Len(t, tokens, len(who))
	counts := get(w, func(tx *store.Tx) (map[platform.Stage]int, error) { return tx.StageCounts(w.ctx(), w.Org, a.ID) })
	assert.Equal(t, map[platform.Stage]int{platform.StagePending: len(who)}, counts)
	for _, r := range get(w, invite(who)) {
		require.Equal(t, store.AlreadyInvited, r.Outcome)
	}
	refused(w, platform.Invalid, func(tx *store.Tx) error { _, err := invite(append(who, who[0]))(tx); return err })
}
