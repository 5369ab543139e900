package service_test

import (
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/service"
	"github.com/assay-run/assay/internal/platform/service/servicetest"
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

// Candidates with a slow line keep nobody else from handing in.
func TestSlowUploads(t *testing.T) {
	b := newBench(t)
	owner := b.owner()
	assessment := b.assessment(owner, settings()).ID
	const slow = 8
	var all sync.WaitGroup
	var send []io.WriteCloser
	for i := range slow {
		c, _ := b.invited(owner, assessment, fmt.Sprintf("slow%d@x.example", i))
		b.start(c)
		r, w := io.Pipe()
		send = append(send, w)
		all.Go(func() {
			up := b.upload(platform.DryRun, nil)
			up.Body = r
			out, err := b.Submit(t.Context(), c, up)
			if assert.NoError(t, err) {
				assert.True(t, out.Submission.Intake.Accepted)
			}
		})
	}
	body := servicetest.Archive(t, "slow")
	for _, w := range send { // the first bytes of each have arrived
		_, err := w.Write(body[:10])
		require.NoError(t, err)
	}
	quick, _ := b.invited(owner, assessment, "quick@x.example")
	b.start(quick)
	b.handIn(quick, platform.DryRun, "quick")
	for _, w := range send {
		_, err := w.Write(body[10:])
		require.NoError(t, err)
		require.NoError(t, w.Close())
	}
	all.Wait()
}
