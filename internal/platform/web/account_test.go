package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/service/servicetest"
)

// Whoever changes the own password stays, and all others who are signed in with it go.
func TestTheOwnPasswordIsChanged(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	here := b.owner()
	there := b.signedIn("olga@acme.example")
	b.pass(time.Second)
	page := there.get("/account").ok(t)
	require.Contains(t, page.body, "olga@acme.example")
	wrong := here.fill(here.get("/account").ok(t), "/account", "current", "not this one", "newPassword", "another long phrase")
	require.Equal(t, http.StatusUnprocessableEntity, wrong.status)
	require.Contains(t, wrong.body, `href="#f-current"`)
	require.NotContains(t, wrong.body, "another long phrase")
	short := here.fill(wrong, "/account", "current", password, "newPassword", "short")
	require.Equal(t, http.StatusUnprocessableEntity, short.status)
	require.Contains(t, short.body, `href="#f-newPassword"`)

	done := here.fill(short, "/account", "current", password, "newPassword", "another long phrase").ok(t)
	require.Equal(t, "/account?done=newpassword", done.path)
	require.Equal(t, "/people", here.get("/people").ok(t).path, "in the same organisation")
	require.True(t, strings.HasPrefix(there.get("/people").path, "/sign-in"))
	c := b.browser()
	require.Equal(t, http.StatusUnauthorized, c.fill(c.get("/sign-in").ok(t), "/sign-in", "email", "olga@acme.example", "password", password).status)
	require.Equal(t, "/", c.fill(c.get("/sign-in").ok(t), "/sign-in", "email", "olga@acme.example", "password", "another long phrase").ok(t).path)

	b.pass(time.Second)
	gone := here.fill(here.get("/account").ok(t), "/account/sign-out-everywhere").ok(t)
	require.True(t, strings.HasPrefix(gone.path, "/sign-in"), gone.path)
	after := c.get("/people")
	require.True(t, strings.HasPrefix(after.path, "/sign-in"), "%d %s", after.status, after.path)
}

// What a team got wrong about a candidate can be set right.
func TestACandidatesDetails(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	team := b.owner()
	assessment := team.assessment("attempts", "1")
	link := team.invited(assessment, "Ann", "anne@x.example")
	c, base := b.begun(link)
	path := "/candidates/" + strings.TrimPrefix(base, "/my/")
	page := team.get(path).ok(t)
	_, values := page.form(t, "/details")
	require.Equal(t, "anne@x.example", values.Get("email"))
	wrong := team.fill(page, "/details", "email", "no address")
	require.Equal(t, http.StatusUnprocessableEntity, wrong.status)
	require.Contains(t, wrong.body, `href="#f-email"`)
	_, values = wrong.form(t, "/details")
	require.Equal(t, "no address", values.Get("email"), "what was typed stays")
	page = team.fill(wrong, "/details", "name", "Ann Example", "email", "ann@x.example", "extraPercent", "25").ok(t)
	require.Contains(t, page.body, "ann@x.example")
	require.NotContains(t, page.body, "anne@x.example")
	_, values = page.form(t, "/details")
	require.Equal(t, "25", values.Get("extraPercent"))
	require.Equal(t, base+"/work/one", c.get(base+"/work/one").ok(t).path, "the link stays as it is")

	require.NotContains(t, page.body, path+"/attempt", "one is running")
	c.handIn(base+"/work/one", platform.Final, string(servicetest.Archive(t, "done"))).ok(t)
	b.grade(70)
	page = team.fill(team.get(path).ok(t), "/decide", "outcome", "reject", "reason", "Too early.").ok(t)
	require.Contains(t, page.body, path+"/attempt")
	page = team.fill(page, "/undecide").ok(t)
	require.Contains(t, page.body, "Too early.", "it stays in the history")
	require.NotContains(t, page.body, path+"/undecide")
	require.NotRegexp(t, `/my/inv_[0-9a-z]+/start`, c.get(base).ok(t).body)
	page = team.fill(page, "/attempt").ok(t)
	require.NotContains(t, page.body, path+"/attempt", "it can be begun now")
	again := c.fill(c.get(base).ok(t), "/start", "consent", "on").ok(t)
	require.Equal(t, base+"/work/one", again.path)
}
