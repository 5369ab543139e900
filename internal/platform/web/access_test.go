package web_test

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/auth"
	"github.com/assay-run/assay/internal/platform/service"
	"github.com/assay-run/assay/internal/platform/web"
)

// provider is an OpenID provider that sends everybody back at once, as whom the test says.
type provider struct {
	base string

	mu    sync.Mutex
	email string
}

func (p *provider) is(email string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.email = email
}

// Begin implements web.OIDC.
func (p *provider) Begin(context.Context) (string, auth.Flow, error) {
	return p.base + "/sign-in/example/back?state=s&code=c", auth.Flow{State: "s", Nonce: "n", Verifier: "v", Until: time.Now().Add(time.Minute)}, nil
}

// End implements web.OIDC.
func (p *provider) End(_ context.Context, f auth.Flow, query url.Values) (service.External, error) {
	if f.State == "" || f.State != query.Get("state") {
		return service.External{}, platform.Errorf(platform.Unauthorised, "This sign-in did not begin here.")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return service.External{Issuer: "https://id.example", Subject: p.email, Email: p.email, EmailVerified: true}, nil
}

func TestSigningInElsewhere(t *testing.T) {
	t.Parallel()
	at := &provider{email: "unknown@x.example"}
	b := newBench(t, func(o *web.Options) {
		at.base = o.URL
		o.Provider = &web.Provider{ID: "example", Name: "Example", OIDC: at}
	})
	b.owner()
	c := b.browser()
	page := c.get("/sign-in").ok(t)
	require.Contains(t, page.body, `href="/sign-in/example"`)
	refused := c.get("/sign-in/example")
	require.Equal(t, http.StatusForbidden, refused.status)
	require.Contains(t, refused.body, "There is no account for this address.")
	require.Equal(t, "/sign-in", c.get("/").path)

	at.is("olga@acme.example")
	require.Equal(t, "/", c.get("/sign-in/example").ok(t).path)
	require.Equal(t, http.StatusUnauthorized, b.browser().get("/sign-in/example/back?state=s&code=c").status, "it did not begin in this browser")
	require.Equal(t, http.StatusUnauthorized, c.get("/sign-in/example/back?state=s&code=c").status, "it is of use once")
	require.Equal(t, http.StatusNotFound, c.get("/sign-in/other").status)
	require.Equal(t, "/sign-in", c.fill(c.get("/").ok(t), "/sign-out").ok(t).path)
	require.Equal(t, "/sign-in", c.get("/").path)
}

func TestTwoOrganisations(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	owner := b.owner()
	stranger := b.stranger()
	owner.fill(owner.get("/people").ok(t), "/people", "name", "Eve", "email", "eve@elsewhere.example", "role", "reviewer").ok(t)
	c := b.browser()
	page := c.fill(c.get("/sign-in").ok(t), "/sign-in", "email", "eve@elsewhere.example", "password", password).ok(t)
	require.Equal(t, "/organisations", page.path, "she has to choose")
	require.Contains(t, page.body, "Acme")
	require.Contains(t, page.body, "Elsewhere")
	_, values := page.form(t, "/organisations")
	require.Empty(t, values.Get("org"), "a button has it")
	require.Equal(t, http.StatusNotFound, c.post("/organisations", url.Values{"org": {"org_other"}}).status)
	require.Equal(t, http.StatusNotFound, c.post("/organisations", nil).status)
	ids := orgOnPage.FindAllStringSubmatch(page.body, -1)
	require.Len(t, ids, 2)
	for _, id := range ids {
		home := c.post("/organisations", url.Values{"org": {id[1]}}).ok(t)
		require.Equal(t, "/", home.path)
		require.Contains(t, home.body, `<a href="/organisations">`, "the other one is a click away")
	}
	require.Equal(t, "/", stranger.get("/").ok(t).path, "a session keeps what it has chosen")
}
