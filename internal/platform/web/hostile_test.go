package web_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform/web"
)

func TestSigningInLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.owner()
	for _, next := range []string{
		"https://evil.example/", "//evil.example/", `/\evil.example`, "javascript:alert(1)", "/%0d%0aX: y", "\\\\evil.example", "http:evil.example", "/\tevil",
	} {
		c := b.browser()
		page := c.get("/sign-in?next=" + url.QueryEscape(next)).ok(t)
		assert.NotContains(t, page.body, "evil.example", next)
		alone := http.Client{Jar: c.http.Jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		out, err := alone.PostForm(c.base+"/sign-in", url.Values{"email": {"olga@acme.example"}, "password": {password}, "next": {next}})
		require.NoError(t, err)
		require.NoError(t, out.Body.Close())
		at, err := url.Parse(out.Header.Get("Location"))
		require.NoError(t, err)
		assert.Empty(t, at.Host, next)
		assert.Empty(t, at.Scheme, next)
		assert.False(t, strings.HasPrefix(at.Path, "//"), next)
	}
	c := b.browser()
	page := c.get("/workers").ok(t)
	require.Equal(t, "/sign-in?next=%2Fworkers", page.path)
	page = c.fill(page, "/sign-in", "email", "olga@acme.example", "password", "wrong")
	require.Equal(t, http.StatusUnauthorized, page.status)
	page = c.fill(page, "/sign-in", "email", "olga@acme.example", "password", password).ok(t)
	require.Equal(t, "/workers", page.path, "where to go outlives a wrong password")
}

func TestHostileForms(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	owner := b.owner()
	assessment := owner.assessment()
	many := url.Values{}
	for i := range 1500 {
		many.Set("f"+strconv.Itoa(i), "x")
	}
	for name, values := range map[string]url.Values{
		"not text":        {"name": {"a\xff"}},
		"a zero":          {"name": {"a\x00b"}},
		"too many fields": many,
		"line breaks":     {"name": {"a\r\nBcc: x@y.example"}},
		"turned":          {"name": {"a\u202eb"}},
	} {
		got := owner.post(assessment+"/invite", values)
		assert.Equal(t, http.StatusUnprocessableEntity, got.status, name)
	}
	got := owner.post(assessment+"/invite", url.Values{"name": {strings.Repeat("x", 1<<20+1000)}})
	assert.Equal(t, http.StatusRequestEntityTooLarge, got.status)
	assert.Equal(t, http.StatusUnprocessableEntity, owner.get(assessment+"?q=%00").status)
	assert.Equal(t, http.StatusUnprocessableEntity, owner.get(assessment+"?after=nonsense").status)
	assert.Equal(t, http.StatusOK, owner.get(assessment+"?min=NaN&stage=%3Cscript%3E&sort=x").status)
	for _, path := range []string{"/assessments/asm_1", "/candidates/..%2f..", "/assessments/%00", "/i/" + strings.Repeat("x", 5000), "/nothing"} {
		assert.Equal(t, http.StatusNotFound, owner.get(path).status, path)
	}
	list := owner.send(assessment+"/invite/csv", field{"csv", "x.csv", "name,email\nA,a@x.example\nB,no address\n"})
	assert.Equal(t, http.StatusUnprocessableEntity, list.status)
	assert.Contains(t, list.body, "2 lines were read. Nobody was invited.")
	link := owner.send(assessment+"/invite/csv", field{"csv", "x.csv", "name,email,reference,extra_percent\nA,a@x.example,<b>,25\n"}).ok(t)
	assert.Len(t, linkOnPage.FindAllString(link.body, -1), 1)
}

func TestNamesAreText(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	owner := b.owner()
	assessment := owner.assessment("name", `<script>alert(1)</script>`, "message", `<img src=x onerror=alert(2)>`)
	c := b.browser()
	page := c.get(owner.invited(assessment, `"><svg onload=alert(3)>`, "c@x.example")).ok(t)
	for _, body := range []string{page.body, owner.get(assessment).body, owner.get("/").body} {
		assert.NotContains(t, body, "<script>alert")
		assert.NotContains(t, body, "<img src=x")
		assert.NotContains(t, body, "<svg onload")
	}
}

func TestOtherSitesPostNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	owner := b.owner()
	for _, header := range []http.Header{{"Origin": {"https://evil.example"}}, {"Sec-Fetch-Site": {"cross-site"}}, {"Origin": {"null"}}} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.server.URL+"/sign-out", nil)
		require.NoError(t, err)
		r.Header = header
		assert.Equal(t, http.StatusForbidden, owner.do(r).status)
	}
	require.Equal(t, "/", owner.get("/").ok(t).path, "and nobody is signed out")
}

func TestCookies(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *web.Options) { o.HTTP.Secure = true })
	owner := b.owner()
	link := owner.invited(owner.assessment(), "Ann", "ann@x.example")
	alone := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	out, err := alone.Get(link)
	require.NoError(t, err)
	require.NoError(t, out.Body.Close())
	require.Equal(t, http.StatusSeeOther, out.StatusCode)
	require.NotContains(t, out.Header.Get("Location"), "assay_inv_")
	require.Len(t, out.Cookies(), 1)
	cookie := out.Cookies()[0]
	assert.Equal(t, []any{"__Secure-assay_my", out.Header.Get("Location"), true, true, http.SameSiteLaxMode, 0},
		[]any{cookie.Name, cookie.Path, cookie.Secure, cookie.HttpOnly, cookie.SameSite, cookie.MaxAge})
	assert.Equal(t, "no-referrer", out.Header.Get("Referrer-Policy"))
}

func TestEveryPageHasItsPolicy(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	owner := b.owner()
	for _, path := range []string{"/", "/people", "/tokens", "/webhooks", "/audit", "/workers", "/assessments/new", "/nothing"} {
		got := owner.get(path)
		assert.Contains(t, got.header.Get("Content-Security-Policy"), "default-src 'none'; script-src 'self'", path)
		assert.Equal(t, "no-store", got.header.Get("Cache-Control"), path)
	}
	sheet := strings.Split(strings.SplitAfter(owner.get("/").body, `rel="stylesheet" href="`)[1], `"`)[0]
	assert.Contains(t, owner.get(sheet).ok(t).header.Get("Cache-Control"), "immutable")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, b.server.URL+"/people", nil)
	require.NoError(t, err)
	got := owner.do(r)
	assert.Equal(t, http.StatusMethodNotAllowed, got.status)
	assert.Equal(t, "GET, HEAD, POST", got.header.Get("Allow"))
}

func TestSetUpNeedsTheCode(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := b.browser()
	page := c.get("/setup").ok(t)
	got := c.fill(page, "/setup", "code", "guessed", "organisation", "Evil", "name", "E", "email", "e@x.example", "password", password)
	require.Equal(t, http.StatusUnprocessableEntity, got.status)
	require.Contains(t, got.body, `href="#f-code"`)
	b.owner()
	require.Equal(t, "/sign-in", c.get("/setup").ok(t).path, "it is done once")
	require.Equal(t, http.StatusConflict, c.fill(page, "/setup", "code", setUpCode, "organisation", "Evil", "name", "E", "email", "e@x.example", "password", password).status)
}

func TestAPasswordByLink(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	owner := b.owner()
	c := b.browser()
	for _, email := range []string{"olga@acme.example", "nobody@acme.example"} {
		page := c.fill(c.get("/forgot-password").ok(t), "/forgot-password", "email", email).ok(t)
		require.Contains(t, page.body, "If this address has an account")
	}
	dead := c.fill(c.get("/set-password/assay_pwd_x").ok(t), "/set-password/assay_pwd_x", "password", password)
	require.Equal(t, http.StatusGone, dead.status)
	require.Equal(t, "/", owner.get("/").ok(t).path)
}
