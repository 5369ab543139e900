package storetest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

func testTransactions(t *testing.T, open Open) {
	w := NewWorld(t, open)
	own := errors.New("stop")
	err := w.Try(func(tx *store.Tx) error {
		if err := tx.UpdateOrganization(w.ctx(), w.Org, "Renamed", 10); err != nil {
			return err
		}
		return own
	})
	require.ErrorIs(t, err, own)
	org := get(w, func(tx *store.Tx) (platform.Organization, error) { return tx.Organization(w.ctx(), w.Org) })
	assert.Equal(t, platform.Organization{ID: w.Org, Name: "Example Logistics", CreatedAt: start, RetentionDays: 90}, org, "nothing of it is kept")

	err = w.Store.View(w.ctx(), func(tx *store.Tx) error { return tx.UpdateOrganization(w.ctx(), w.Org, "Renamed", 10) })
	require.Error(t, err, "a view cannot write")
	assert.Equal(t, platform.Internal, platform.ErrorCode(err))

	assert.Panics(t, func() { _ = w.Try(func(*store.Tx) error { panic("bug") }) })
	w.Do(func(tx *store.Tx) error { return tx.UpdateOrganization(w.ctx(), w.Org, "Renamed", 10) }) // the connection came back
	assert.NoError(t, w.Store.Ready(w.ctx()))
}

func testSetUp(t *testing.T, open Open) {
	clock := NewClock(start)
	w := &World{T: t, Clock: clock, Store: open(t, clock.Now)}
	isSetUp := func() bool { return get(w, func(tx *store.Tx) (bool, error) { return tx.IsSetUp(w.ctx()) }) }
	assert.False(t, isSetUp())
	refused(w, platform.Invalid, func(tx *store.Tx) error {
		_, _, err := tx.SetUp(w.ctx(), "Example", platform.User{Name: "Olga"})
		return err
	})
	assert.False(t, isSetUp(), "half a set-up is none")
	w.Do(func(tx *store.Tx) error {
		org, owner, err := tx.SetUp(w.ctx(), " Example ", platform.User{Email: " Olga@Example.org ", Name: "Olga", PasswordHash: "hash"})
		w.Org, w.Owner = org.ID, owner.ID
		return err
	})
	assert.True(t, isSetUp())
	m := get(w, func(tx *store.Tx) (platform.Membership, error) { return tx.Member(w.ctx(), w.Org, w.Owner) })
	assert.Equal(t, platform.Membership{
		Org: w.Org, OrgName: "Example", Role: platform.Owner, CreatedAt: start,
		User: platform.User{ID: w.Owner, Email: "olga@example.org", Name: "Olga", PasswordHash: "hash", CreatedAt: start},
	}, m)
	refused(w, platform.Conflict, func(tx *store.Tx) error {
		_, _, err := tx.SetUp(w.ctx(), "Another", platform.User{Email: "a@example.org", Name: "A"})
		return err
	})
}

func testSetUpRace(t *testing.T, open Open) {
	clock := NewClock(start)
	s := open(t, clock.Now)
	const n = 8
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			errs[i] = s.Tx(t.Context(), func(tx *store.Tx) error {
				_, _, err := tx.SetUp(t.Context(), "Example", platform.User{Email: string(rune('a'+i)) + "@example.org", Name: "Olga"})
				return err
			})
		})
	}
	all.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		assert.Equal(t, platform.Conflict, platform.ErrorCode(err), "%v", err)
	}
	assert.Equal(t, 1, won)
	w := &World{T: t, Clock: clock, Store: s}
	var orgs, users int
	w.Do(func(tx *store.Tx) error {
		return tx.SQL().QueryRowContext(w.ctx(), `SELECT (SELECT COUNT(*) FROM organizations), (SELECT COUNT(*) FROM users)`).Scan(&orgs, &users)
	})
	assert.Equal(t, []int{1, 1}, []int{orgs, users}, "the losers leave nothing")
}

func testMembers(t *testing.T, open Open) {
	w := NewWorld(t, open)
	other := w.Second("second")
	ann := get(w, func(tx *store.Tx) (platform.User, error) {
		return tx.CreateUser(w.ctx(), platform.User{Email: "ann@example.org", Name: "Ann"})
	})
	refused(w, platform.Conflict, func(tx *store.Tx) error {
		_, err := tx.CreateUser(w.ctx(), platform.User{Email: "ANN@example.org", Name: "Ann"})
		return err
	})
	refused(w, platform.Invalid, func(tx *store.Tx) error { return tx.AddMember(w.ctx(), w.Org, ann.ID, "admin") })
	refused(w, platform.NotFound, func(tx *store.Tx) error { return tx.AddMember(w.ctx(), w.Org, "usr_none", platform.Author) })
	w.Do(func(tx *store.Tx) error { return tx.AddMember(w.ctx(), w.Org, ann.ID, platform.Reviewer) })
	w.Do(func(tx *store.Tx) error { return tx.AddMember(w.ctx(), other.Org, ann.ID, platform.Author) })
	refused(w, platform.Conflict, func(tx *store.Tx) error { return tx.AddMember(w.ctx(), w.Org, ann.ID, platform.Author) })

	members := get(w, func(tx *store.Tx) ([]platform.Membership, error) { return tx.Members(w.ctx(), w.Org) })
	require.Len(t, members, 2)
	assert.Equal(t, []string{"Ann", "Olga Owner"}, []string{members[0].User.Name, members[1].User.Name})
	mine := get(w, func(tx *store.Tx) ([]platform.Membership, error) { return tx.Memberships(w.ctx(), ann.ID) })
	require.Len(t, mine, 2)
	assert.Equal(t, []platform.Role{platform.Reviewer, platform.Author}, []platform.Role{mine[0].Role, mine[1].Role}, "a role in each organisation")

	refused(w, platform.Conflict, func(tx *store.Tx) error { return tx.SetRole(w.ctx(), w.Org, w.Owner, platform.Author) })
	refused(w, platform.Conflict, func(tx *store.Tx) error { return tx.RemoveMember(w.ctx(), w.Org, w.Owner) })
	w.Do(func(tx *store.Tx) error { return tx.SetRole(w.ctx(), w.Org, ann.ID, platform.Owner) })
	w.Do(func(tx *store.Tx) error { return tx.RemoveMember(w.ctx(), w.Org, w.Owner) })
	refused(w, platform.NotFound, func(tx *store.Tx) error {
		_, err := tx.Member(w.ctx(), w.Org, w.Owner)
		return err
	})
	refused(w, platform.Conflict, func(tx *store.Tx) error { return tx.RemoveMember(w.ctx(), w.Org, ann.ID) })
}

func testSignIn(t *testing.T, open Open) {
	w := NewWorld(t, open)
	find := func() platform.User {
		return get(w, func(tx *store.Tx) (platform.User, error) { return tx.UserByEmail(w.ctx(), " OWNER@example.org") })
	}
	assert.Equal(t, w.Owner, find().ID)
	for range 2 {
		w.Do(func(tx *store.Tx) error { _, err := tx.SignInFailed(w.ctx(), w.Owner, 3, time.Minute); return err })
	}
	assert.Zero(t, find().LockedUntil)
	w.Do(func(tx *store.Tx) error { _, err := tx.SignInFailed(w.ctx(), w.Owner, 3, time.Minute); return err })
	assert.Equal(t, start.Add(time.Minute), find().LockedUntil, "the third one locks")
	assert.Equal(t, 3, find().FailedSignIns)
	w.Do(func(tx *store.Tx) error { return tx.SignedIn(w.ctx(), w.Owner) })
	assert.Zero(t, find().LockedUntil)
	assert.Zero(t, find().FailedSignIns)

	w.Clock.Move(time.Second)
	w.Do(func(tx *store.Tx) error { return tx.SetPassword(w.ctx(), w.Owner, "new") })
	assert.Equal(t, "new", find().PasswordHash)
	assert.Equal(t, start.Add(time.Second), find().SessionsFrom, "a new password ends sessions")
	w.Clock.Move(time.Second)
	w.Do(func(tx *store.Tx) error { return tx.EndSessions(w.ctx(), w.Owner) })
	assert.Equal(t, start.Add(2*time.Second), find().SessionsFrom)
	w.Do(func(tx *store.Tx) error { return tx.DisableUser(w.ctx(), w.Owner) })
	assert.Equal(t, start.Add(2*time.Second), find().DisabledAt)
	refused(w, platform.NotFound, func(tx *store.Tx) error { return tx.SetPassword(w.ctx(), "usr_none", "x") })

	link := platform.Identity{Issuer: "https://id.example.org", Subject: "42", UserID: w.Owner}
	w.Do(func(tx *store.Tx) error { return tx.LinkIdentity(w.ctx(), link) })
	refused(w, platform.Conflict, func(tx *store.Tx) error { return tx.LinkIdentity(w.ctx(), link) })
	refused(w, platform.NotFound, func(tx *store.Tx) error {
		return tx.LinkIdentity(w.ctx(), platform.Identity{Issuer: "i", Subject: "s", UserID: "usr_none"})
	})
	u := get(w, func(tx *store.Tx) (platform.User, error) {
		return tx.UserByIdentity(w.ctx(), link.Issuer, link.Subject)
	})
	assert.Equal(t, w.Owner, u.ID)
	refused(w, platform.NotFound, func(tx *store.Tx) error { _, err := tx.UserByIdentity(w.ctx(), link.Issuer, "43"); return err })
	refused(w, platform.NotFound, func(tx *store.Tx) error { _, err := tx.UserByEmail(w.ctx(), "nobody@example.org"); return err })
}

func testSessions(t *testing.T, open Open) {
	w := NewWorld(t, open)
	sessions := w.Store.Sessions()
	expiry := start.Add(time.Hour)
	require.NoError(t, sessions.Commit("token", []byte{0, 1, 2}, expiry))
	data, ok, err := sessions.Find("token")
	require.NoError(t, err)
	assert.True(t, ok)
	assert.Equal(t, []byte{0, 1, 2}, data)
	require.NoError(t, sessions.Commit("token", nil, expiry))
	data, ok, err = sessions.Find("token")
	require.NoError(t, err)
	assert.True(t, ok)
	assert.Empty(t, data)
	_, ok, err = sessions.Find(platform.HashToken("token"))
	require.NoError(t, err)
	assert.False(t, ok, "what is stored is no token")
	require.NoError(t, sessions.Delete("token"))
	_, ok, err = sessions.Find("token")
	require.NoError(t, err)
	assert.False(t, ok)

	require.NoError(t, sessions.Commit("old", []byte("x"), expiry))
	w.Clock.Move(time.Hour)
	_, ok, err = sessions.Find("old")
	require.NoError(t, err)
	assert.False(t, ok, "it has expired")
	w.Do(func(tx *store.Tx) error { return tx.SystemForget(w.ctx()) })
	assert.Empty(t, Dump(w)["sessions"])
}

func testTokens(t *testing.T, open Open) {
	w := NewWorld(t, open)
	token := platform.NewToken(platform.AccessToken)
	hash := platform.HashToken(token)
	made := get(w, func(tx *store.Tx) (platform.APIToken, error) {
		return tx.CreateToken(w.ctx(), w.Org, platform.APIToken{
			Name: "ATS", Scopes: []platform.Scope{platform.ScopeResultsRead, platform.ScopeInvitationsWrite}, CreatedBy: w.Owner, ExpiresAt: start.Add(time.Hour),
		}, hash)
	})
	byHash := func(tx *store.Tx) (platform.APIToken, error) { return tx.TokenByHash(w.ctx(), hash) }
	assert.Equal(t, made, get(w, byHash))
	w.Do(func(tx *store.Tx) error { return tx.TokenUsed(w.ctx(), w.Org, made.ID) })
	w.Clock.Move(59 * time.Second)
	w.Do(func(tx *store.Tx) error { return tx.TokenUsed(w.ctx(), w.Org, made.ID) })
	assert.Equal(t, start, get(w, byHash).LastUsedAt, "to a minute")
	w.Clock.Move(time.Second)
	w.Do(func(tx *store.Tx) error { return tx.TokenUsed(w.ctx(), w.Org, made.ID) })
	assert.Equal(t, start.Add(time.Minute), get(w, byHash).LastUsedAt)

	refused(w, platform.Unauthorised, func(tx *store.Tx) error { _, err := tx.TokenByHash(w.ctx(), platform.HashToken("other")); return err })
	w.Clock.Move(time.Hour)
	refused(w, platform.Unauthorised, func(tx *store.Tx) error { _, err := byHash(tx); return err })
	w.Clock.Move(-time.Hour)
	w.Do(func(tx *store.Tx) error { return tx.RevokeToken(w.ctx(), w.Org, made.ID) })
	w.Do(func(tx *store.Tx) error { return tx.RevokeToken(w.ctx(), w.Org, made.ID) })
	refused(w, platform.Unauthorised, func(tx *store.Tx) error { _, err := byHash(tx); return err })
	list := get(w, func(tx *store.Tx) ([]platform.APIToken, error) { return tx.Tokens(w.ctx(), w.Org) })
	require.Len(t, list, 1)
	assert.Equal(t, start.Add(time.Minute), list[0].RevokedAt)
}
