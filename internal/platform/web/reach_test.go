package web_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/pages"
)

// request is a request to a route, and who may make it: "owner", "author" and "reviewer" with those above them, "user" for
// whoever is signed in, "candidate" for the one whose invitation it is, "anyone".
type request struct {
	route, method, who string
}

// requests has every route with every method that it answers. What destroys comes last.
func requests() []request {
	const get, post = http.MethodGet, http.MethodPost
	return []request{
		{"setup", get, "anyone"}, {"setup", post, "anyone"}, {"signin", get, "anyone"}, {"signin", post, "anyone"},
		{"forgot", get, "anyone"}, {"forgot", post, "anyone"}, {"setpassword", get, "anyone"}, {"setpassword", post, "nobody"},
		{"oidc", get, "nobody"}, {"oidcback", get, "nobody"}, {"organisations", get, "user"}, {"organisations", post, "user"},
		{"home", get, "reviewer"}, {"new", get, "author"}, {"new", post, "author"}, {"assessment", get, "reviewer"},
		{"edit", get, "author"}, {"edit", post, "author"}, {"invite", get, "author"}, {"invite", post, "author"},
		{"invitecsv", get, "reviewer"}, {"invitecsv", post, "author"}, {"compare", get, "reviewer"}, {"export", get, "reviewer"},
		{"candidate", get, "reviewer"}, {"extend", get, "reviewer"}, {"extend", post, "author"}, {"decide", get, "reviewer"}, {"decide", post, "reviewer"},
		{"newlink", get, "reviewer"}, {"newlink", post, "author"}, {"persondata", get, "owner"}, {"report", get, "reviewer"},
		{"regrade", post, "author"}, {"cancel", post, "author"}, {"people", get, "owner"}, {"people", post, "owner"}, {"person", post, "owner"},
		{"tokens", get, "owner"}, {"tokens", post, "owner"}, {"revoketoken", post, "owner"}, {"webhooks", get, "owner"}, {"webhooks", post, "owner"},
		{"webhook", post, "owner"}, {"replay", post, "owner"}, {"audit", get, "owner"}, {"workers", get, "reviewer"},
		{"link", get, "nobody"}, {"invitation", get, "candidate"}, {"work", get, "candidate"}, {"task", get, "candidate"},
		{"brief", get, "candidate"}, {"starter", get, "candidate"}, {"tool", get, "nobody"}, {"draft", get, "candidate"}, {"draft", post, "candidate"},
		{"submit", get, "candidate"}, {"submit", post, "candidate"}, {"events", get, "candidate"}, {"mycancel", post, "candidate"},
		{"myreport", get, "candidate"}, {"result", get, "candidate"}, {"mydata", get, "candidate"}, {"withdraw", get, "candidate"},
		{"start", post, "candidate"}, {"finish", post, "candidate"}, {"withdraw", post, "candidate"},
		{"archive", post, "author"}, {"revoke", post, "author"}, {"erase", post, "owner"}, {"signout", post, "anyone"},
	}
}

// scene is an organisation with one of everything, and those who look at it.
type scene struct {
	*bench
	values   map[string]string // of the routes' wildcards
	secrets  []string          // that nobody else may see
	visitors map[string]*browser
}

func newScene(t *testing.T) *scene {
	b := newBench(t)
	s := &scene{bench: b, values: map[string]string{"format": "json", "provider": "oidc", "platform": "linux-amd64", "challenge": "one"}}
	owner := b.owner()
	assessment := owner.assessment("name", "Secret assessment")
	candidate, base := b.begun(owner.invited(assessment, "Cora Candidate", "cora@x.example"))
	candidate.handIn(base+"/work/one", platform.DryRun, archive(t, "x")).ok(t)
	b.grade(70)
	neighbour, _ := b.begun(owner.invited(assessment, "Ned Neighbour", "ned@x.example"))
	owner.fill(owner.get("/tokens").ok(t), "/tokens", "name", "Secret token", "scope", "results:read").ok(t)
	owner.fill(owner.get("/webhooks").ok(t), "/webhooks", "url", "https://secret.example/hook", "event", "attempt.decided").ok(t)
	page := owner.get("/candidates/" + strings.TrimPrefix(base, "/my/")).ok(t)
	owner.fill(page, "/extend", "minutes", "5", "extendReason", "x").ok(t)

	s.visitors = map[string]*browser{
		"nobody": b.browser(), "reviewer": b.member(owner, platform.Reviewer), "author": b.member(owner, platform.Author), "owner": owner,
		"stranger": b.stranger(), "candidate": candidate, "neighbour": neighbour,
	}
	// A member that can be changed without anybody missing it.
	owner.fill(owner.get("/people").ok(t), "/people", "name", "Spare", "email", "spare@acme.example", "role", "reviewer").ok(t)
	people := owner.get("/people").ok(t).body
	users := regexp.MustCompile(`/people/(usr_[0-9a-z]+)`).FindAllStringSubmatch(people, -1)
	s.values["user"] = users[len(users)-1][1]
	s.values["assessment"] = strings.TrimPrefix(assessment, "/assessments/")
	s.values["invitation"] = strings.TrimPrefix(base, "/my/")
	s.values["submission"] = regexp.MustCompile(`/submissions/(sub_[0-9a-z]+)/report`).FindStringSubmatch(candidate.get(base + "/work/one").ok(t).body)[1]
	s.values["token"] = regexp.MustCompile(`/tokens/(tok_[0-9a-z]+)/`).FindStringSubmatch(owner.get("/tokens").body)[1]
	s.values["endpoint"] = regexp.MustCompile(`/webhooks/(whe_[0-9a-z]+)"`).FindStringSubmatch(owner.get("/webhooks").body)[1]
	s.values["delivery"] = "whd_" + strings.Repeat("0", 26) // nothing was sent
	s.secrets = []string{"Secret assessment", "Cora", "cora@x.example", "Secret token", "secret.example", "spare@acme.example"}
	return s
}

var wildcard = regexp.MustCompile(`\{[a-z]+\}`)

func (s *scene) path(t *testing.T, name string) string {
	t.Helper()
	for _, r := range pages.Routes() {
		if r.Name != name {
			continue
		}
		return wildcard.ReplaceAllStringFunc(strings.TrimSuffix(r.Pattern, "{$}"), func(w string) string {
			value, ok := s.values[strings.Trim(w, "{}")]
			require.True(t, ok, "no value for %s of %s", w, r.Pattern)
			return url.PathEscape(value)
		})
	}
	require.Fail(t, "no such route", name)
	return ""
}

// ask makes a request without following where it leads to. A stream is left when it begins.
func (s *scene) ask(t *testing.T, c *browser, r request) shown {
	t.Helper()
	alone := *c
	alone.http = &http.Client{Jar: c.http.Jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	path := s.path(t, r.route)
	switch {
	case r.route == "events":
		req, err := http.NewRequestWithContext(t.Context(), r.method, alone.base+path, nil)
		require.NoError(t, err)
		out, err := alone.http.Do(req)
		require.NoError(t, err)
		require.NoError(t, out.Body.Close())
		return shown{status: out.StatusCode, path: path, header: out.Header}
	case r.method == http.MethodGet:
		return alone.get(path)
	default:
		return alone.post(path, url.Values{
			"version": {"1"}, "revision": {"0"}, "role": {"author"}, "minutes": {"5"}, "extendReason": {"x"}, "outcome": {"hold"}, "reason": {"x"},
		})
	}
}

func may(rule, visitor string) bool {
	switch rule {
	case "anyone":
		return true
	case "user":
		return visitor == "owner" || visitor == "author" || visitor == "reviewer" || visitor == "stranger"
	case "candidate":
		return visitor == "candidate"
	default:
		return platform.Role(visitor).May(platform.Role(rule)) && rule != "nobody"
	}
}

// Every route is asked by everybody. What somebody else has is not there, what a role may not do is refused, and nobody reads a
// word of what is not theirs.
func TestWhoReachesWhat(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	asked := map[string]bool{}
	for _, r := range requests() {
		asked[r.route] = true
		// Whoever may comes last: what was asked for is still there for the others.
		for _, visitor := range []string{"nobody", "stranger", "neighbour", "candidate", "reviewer", "author", "owner"} {
			if r.route == "signout" && visitor != "nobody" {
				continue
			}
			got := s.ask(t, s.visitors[visitor], r)
			about := r.method + " " + r.route + " by " + visitor
			assert.Less(t, got.status, 500, about)
			if may(r.who, visitor) {
				assert.NotContains(t, []int{http.StatusForbidden, http.StatusMethodNotAllowed}, got.status, about)
				if r.method == http.MethodGet {
					assert.NotEqual(t, http.StatusNotFound, got.status, about)
				}
				continue
			}
			s.refused(t, r, visitor, got, about)
		}
	}
	for _, r := range pages.Routes() {
		assert.True(t, asked[r.Name], "nobody asks for %s", r.Name)
	}
}

// The address names an invitation, and the cookie must be of that one: a token of another opens nothing, wherever it is shown.
func TestACookieOpensItsOwnInvitation(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	owner := b.owner()
	assessment := owner.assessment()
	_, cora := b.begun(owner.invited(assessment, "Cora", "cora@x.example"))
	ned, token, _ := strings.Cut(owner.invited(assessment, "Ned", "ned@x.example"), "/i/")
	require.Equal(t, b.server.URL, ned)
	c := b.browser()
	at, err := url.Parse(b.server.URL + cora)
	require.NoError(t, err)
	for _, value := range []string{token, "assay_inv_guessed", "", strings.Repeat("x", 3000)} {
		c.http.Jar.SetCookies(at, []*http.Cookie{{Name: "assay_my", Value: value, Path: "/my/"}})
		for _, path := range []string{"", "/work/one", "/result", "/data", "/events", "/withdraw"} {
			require.Equal(t, http.StatusNotFound, c.get(cora+path).status, "%s with %.20q", path, value)
		}
	}
}

func (s *scene) refused(t *testing.T, r request, visitor string, got shown, about string) {
	t.Helper()
	// What an organisation has of its own shows to everybody in it, by role; others see their own, or nothing.
	inside := visitor == "reviewer" || visitor == "author" || visitor == "owner"
	if !inside {
		for _, secret := range s.secrets {
			assert.NotContains(t, got.body, secret, about)
		}
	}
	pattern := ""
	for _, route := range pages.Routes() {
		if route.Name == r.route {
			pattern = route.Pattern
		}
	}
	signedIn := inside || visitor == "stranger"
	switch {
	case r.who == "nobody":
		assert.GreaterOrEqual(t, got.status, 300, about)
	case strings.HasPrefix(pattern, "/my/"):
		assert.Equal(t, http.StatusNotFound, got.status, about)
	case !signedIn:
		assert.Equal(t, http.StatusSeeOther, got.status, about)
		assert.True(t, strings.HasPrefix(got.header.Get("Location"), "/sign-in"), about)
	case visitor == "stranger" && strings.Contains(strings.TrimSuffix(pattern, "{$}"), "{"):
		assert.Contains(t, []int{http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusSeeOther}, got.status, about)
	case visitor == "stranger":
		assert.NotEqual(t, http.StatusNotFound, got.status, about) // the own organisation's
	default:
		assert.Equal(t, http.StatusForbidden, got.status, about)
	}
}
