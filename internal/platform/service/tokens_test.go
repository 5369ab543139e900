package service_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/service"
)

func (b *bench) program(owner service.Actor, scopes ...platform.Scope) service.Actor {
	b.t.Helper()
	_, secret, err := b.CreateToken(b.t.Context(), owner, "program", scopes, b.clock().AddDate(0, 1, 0))
	require.NoError(b.t, err)
	out, err := b.TokenActor(b.t.Context(), secret)
	require.NoError(b.t, err)
	return out
}

// A token makes none that may more, or for longer.
func TestATokenHandsOnWhatItHas(t *testing.T) {
	b := newBench(t)
	owner := b.owner()
	program := b.program(owner, platform.ScopeTokensWrite, platform.ScopeQueueRead)
	ends := b.clock().AddDate(0, 1, 0)
	_, secret, err := b.CreateToken(t.Context(), program, "child", []platform.Scope{platform.ScopeQueueRead}, ends)
	require.NoError(t, err)
	child, err := b.TokenActor(t.Context(), secret)
	require.NoError(t, err)
	require.True(t, b.May(child, service.ReadQueue))
	require.False(t, b.May(child, service.CreateToken))

	_, _, err = b.CreateToken(t.Context(), program, "child", []platform.Scope{platform.ScopeQueueRead, platform.ScopeResultsRead}, ends)
	b.requireCode(platform.Forbidden, err)
	_, _, err = b.CreateToken(t.Context(), program, "child", []platform.Scope{platform.ScopeQueueRead}, ends.AddDate(0, 0, 1))
	b.requireCode(platform.Invalid, err)
}

// Who owns the organisation is for its owners to say.
func TestATokenMakesNoOwners(t *testing.T) {
	b := newBench(t)
	owner := b.owner()
	second := b.member(owner, platform.Author)
	program := b.program(owner, platform.ScopeOrganizationWrite)
	for _, id := range []platform.ID{owner.Identity().ID, second.Identity().ID} {
		b.requireCode(platform.Forbidden, b.ChangeMember(t.Context(), program, id, platform.Owner))
	}
	_, err := b.AddMember(t.Context(), program, "new@acme.example", "New", platform.Owner)
	b.requireCode(platform.Forbidden, err)
	require.NoError(t, b.ChangeMember(t.Context(), owner, second.Identity().ID, platform.Owner))
	b.requireCode(platform.Forbidden, b.ChangeMember(t.Context(), program, second.Identity().ID, platform.Reviewer))
	b.requireCode(platform.Forbidden, b.RemoveMember(t.Context(), program, second.Identity().ID))
	b.requireCode(platform.NotFound, b.RemoveMember(t.Context(), program, "usr_00000000000000000000000000"))

	made, err := b.AddMember(t.Context(), program, "new@acme.example", "New", platform.Author)
	require.NoError(t, err)
	require.NoError(t, b.ChangeMember(t.Context(), program, made.User.ID, platform.Reviewer))
	require.NoError(t, b.RemoveMember(t.Context(), program, made.User.ID))
}
