package service_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/service"
)

// A pulse differs when a candidate's page does, and stays when nothing has happened.
func TestPulse(t *testing.T) {
	b := newBench(t)
	owner := b.owner()
	candidate, invited := b.invited(owner, b.assessment(owner, settings()).ID, "c@x.example")
	var last service.Pulse
	look := func() service.Pulse {
		t.Helper()
		p, err := b.OwnPulse(t.Context(), candidate)
		require.NoError(t, err)
		return p
	}
	changed := func(what string) {
		t.Helper()
		now := look()
		require.NotEqual(t, last.Sum, now.Sum, what)
		require.Equal(t, now.Sum, look().Sum, "and nothing since")
		last = now
	}
	last = look()
	require.Zero(t, last.EndsAt)
	_, err := b.OpenOwn(t.Context(), candidate)
	require.NoError(t, err)
	changed("it was opened")
	own := b.start(candidate)
	changed("it was begun")
	require.Equal(t, own.EndsAt, last.EndsAt)
	_, err = b.ExtendAttempt(t.Context(), owner, own.Attempt.ID, time.Hour, "a fire alarm")
	require.NoError(t, err)
	require.Equal(t, own.EndsAt.Add(time.Hour), look().EndsAt)
	b.handIn(candidate, platform.DryRun, "one")
	changed("a dry run waits")
	job := b.claim()
	changed("it runs")
	b.finish(job, platform.Passed, 80)
	changed("it is graded")
	b.handIn(candidate, platform.DryRun, "two")
	changed("another one waits")
	require.NoError(t, b.RevokeInvitation(t.Context(), owner, invited.Invitation.ID))
	_, err = b.OwnPulse(t.Context(), candidate)
	require.Equal(t, platform.Gone, platform.ErrorCode(err))
}

// Those who wait are told what one of them has read, for so long; a job that came since is not among it and is read.
func TestPlacesAreShared(t *testing.T) {
	b := newBench(t, func(o *service.Options) { o.PlaceAge = time.Second })
	owner := b.owner()
	assessment := b.assessment(owner, settings()).ID
	first, _ := b.invited(owner, assessment, "a@x.example")
	second, _ := b.invited(owner, assessment, "b@x.example")
	ahead := func(c service.Actor) int {
		t.Helper()
		own, err := b.LookOwn(t.Context(), c)
		require.NoError(t, err)
		require.Len(t, own.Gradings, 1)
		return own.Gradings[0].Place.Ahead
	}
	b.start(first)
	b.start(second)
	b.handIn(first, platform.DryRun, "one")
	require.Equal(t, 0, ahead(first))
	b.pass(time.Millisecond) // of the same moment, either could be first
	b.handIn(second, platform.DryRun, "two")
	require.Equal(t, 1, ahead(second), "it came after the last look")
	b.pass(time.Second)
	require.Equal(t, 1, ahead(second))
	b.claim()
	b.pass(400 * time.Millisecond)
	require.Equal(t, 1, ahead(second), "nobody has looked since")
	b.pass(time.Second)
	require.Equal(t, 0, ahead(second))
}
