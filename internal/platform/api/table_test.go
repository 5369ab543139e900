package api_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/pages"
)

// row is a route of the pages with a method, or an operation of the API, and who reaches it.
type row struct {
	name string
	// who reaches it: at the pages "owner", "author" or "reviewer" with those above them, "user" for whoever is signed in,
	// "anyone"; on both sides "candidate" for the one whose invitation it is; at the API the scope of a token, and those that
	// its input needs besides.
	who string

	// At the pages alone.
	method string
	of     string // the person whom the address names; ann unless set
	want   int    // for those who reach it
	again  int    // for those who ask after the first; want unless set
	ended  int    // for a candidate whose invitation has ended; 410 unless set
	form   string
}

// apiRows and pageRows are the table: every operation, and every route with its methods. What destroys comes last.
func apiRows() []row {
	var out []row
	for _, group := range [][2]string{
		{"assessments:read", "list-challenges list-assessments get-assessment"},
		{"assessments:write", "create-assessment change-assessment"},
		{"results:read", "export-results list-candidates get-attempt get-submission get-archive get-grading list-results get-result get-report get-evidence compare"},
		{"invitations:read", "get-invitation"},
		{"invitations:write", "invite invite-many invite-list resend-invitation set-extra-time give-attempt revoke-invitation change-candidate extend-attempt"},
		{"candidates:export", "export-candidate"},
		{"decisions:write", "decide undecide cancel-grading"},
		{"candidate", "look open start get-brief get-starter get-draft save-draft submit get-own-grading cancel-dry-run list-own-results get-own-report export-own-data finish withdraw"},
		{"decisions:write", "regrade"}, // the result is not to be seen meanwhile
		{"webhooks:write", "list-endpoints create-endpoint enable-endpoint rotate-secret list-deliveries replay-delivery delete-endpoint"},
		{"queue:read", "get-queue"}, {"audit:read", "list-audit"},
		{"organization:read", "get-organization list-members"},
		{"organization:write", "change-organization add-member change-member remove-member"},
		{"tokens:write", "list-tokens revoke-token"}, {"tokens:write results:read", "create-token"},
		{"assessments:write", "archive-assessment restore-assessment"},
		{"candidates:erase", "erase-candidate"}, {"candidate", "erase-own-data"},
	} {
		for name := range strings.FieldsSeq(group[1]) {
			out = append(out, row{name: name, who: group[0]})
		}
	}
	return out
}

func pageRows() []row {
	const get, post = http.MethodGet, http.MethodPost
	const setUp = "name=Changed&mode=standard&use.one=on&weight.one=1&timeLimit=60&attempts=1&passMark=60&visible=score&retentionDays=30"
	return []row{
		{name: "setup", method: get, who: "anyone", want: 303}, {name: "setup", method: post, who: "anyone", want: 422},
		{name: "signin", method: get, who: "anyone", want: 200}, {name: "signin", method: post, who: "anyone", want: 401, again: 429},
		{name: "forgot", method: get, who: "anyone", want: 200}, {name: "forgot", method: post, who: "anyone", want: 200, again: 429},
		{name: "setpassword", method: get, who: "anyone", want: 200}, {name: "setpassword", method: post, who: "anyone", want: 410, form: "password=long+enough+for+this"},
		{name: "oidc", method: get, who: "anyone", want: 404}, {name: "oidcback", method: get, who: "anyone", want: 404}, // there is no provider
		{name: "organisations", method: get, who: "user", want: 200}, {name: "organisations", method: post, who: "user", want: 404},
		{name: "account", method: get, who: "user", want: 200}, {name: "account", method: post, who: "user", want: 422, form: "current=x&newPassword=y"},
		{name: "home", method: get, who: "reviewer", want: 200},
		{name: "new", method: get, who: "author", want: 200}, {name: "new", method: post, who: "author", want: 303, form: setUp},
		{name: "assessment", method: get, who: "reviewer", want: 200},
		{name: "edit", method: get, who: "author", want: 200}, {name: "edit", method: post, who: "author", want: 303, again: 409, form: "version=1&" + setUp},
		{name: "invite", method: get, who: "author", want: 200}, {name: "invite", method: post, who: "author", want: 200, again: 200, form: "name=Iris"},
		{name: "invitecsv", method: get, who: "blind", want: 303}, {name: "invitecsv", method: post, who: "author", want: 422},
		{name: "compare", method: get, who: "reviewer", want: 200}, {name: "export", method: get, who: "reviewer", want: 200},
		{name: "candidate", method: get, who: "reviewer", want: 200},
		{name: "extend", method: get, who: "blind", want: 303}, {name: "extend", method: post, who: "author", of: "bob", want: 303, form: "minutes=5&extendReason=x"},
		{name: "decide", method: get, who: "blind", want: 303}, {name: "decide", method: post, who: "reviewer", want: 303, form: "outcome=hold&reason=x"},
		{name: "undecide", method: post, who: "reviewer", want: 303, again: 409},
		{name: "giveattempt", method: post, who: "author", want: 303},
		{name: "details", method: get, who: "blind", want: 303},
		{name: "details", method: post, who: "author", of: "bob", want: 303, form: "name=Bob&extraPercent=0"},
		{name: "newlink", method: get, who: "blind", want: 303}, {name: "newlink", method: post, who: "author", of: "cyd", want: 200},
		{name: "persondata", method: get, who: "owner", want: 200}, {name: "report", method: get, who: "reviewer", want: 200},
		{name: "people", method: get, who: "owner", want: 200}, {name: "people", method: post, who: "owner", want: 303, form: "name=P&email=p@acme.example&role=reviewer"},
		{name: "person", method: post, who: "owner", want: 303, form: "role=author"},
		{name: "organisation", method: get, who: "blind", want: 303},
		{name: "organisation", method: post, who: "owner", want: 303, form: "organisation=Renamed&retentionDays=90"},
		{name: "tokens", method: get, who: "owner", want: 200}, {name: "tokens", method: post, who: "owner", want: 200, form: "name=t&scope=queue:read"},
		{name: "revoketoken", method: post, who: "owner", want: 303},
		{name: "webhooks", method: get, who: "owner", want: 200}, {name: "webhooks", method: post, who: "owner", want: 200, form: "url=https://x.example&event=attempt.graded"},
		{name: "webhook", method: post, who: "owner", want: 303, form: "disabled=on"}, {name: "replay", method: post, who: "owner", want: 303},
		{name: "audit", method: get, who: "owner", want: 200}, {name: "workers", method: get, who: "reviewer", want: 200},

		{name: "link", method: get, who: "anyone", want: 303}, // it is the token that opens
		{name: "invitation", method: get, who: "candidate", of: "bob", want: 303}, {name: "work", method: get, who: "candidate", of: "bob", want: 303},
		{name: "task", method: get, who: "candidate", of: "bob", want: 200}, {name: "brief", method: get, who: "candidate", of: "bob", want: 200},
		{name: "starter", method: get, who: "candidate", of: "bob", want: 200}, {name: "tool", method: get, who: "candidate", of: "bob", want: 200},
		{name: "draft", method: get, who: "candidate", of: "bob", want: 303, ended: 303},
		{name: "draft", method: post, who: "candidate", of: "bob", want: 303, form: "revision=0&body=x"},
		{name: "submit", method: get, who: "candidate", of: "bob", want: 303, ended: 303}, {name: "submit", method: post, who: "candidate", of: "bob", want: 422},
		{name: "events", method: get, who: "candidate", of: "bob", want: 200},
		{name: "mycancel", method: post, who: "candidate", of: "bob", want: 303},
		{name: "myreport", method: get, who: "candidate", want: 200}, {name: "result", method: get, who: "candidate", want: 200},
		{name: "mydata", method: get, who: "candidate", want: 200}, {name: "withdraw", method: get, who: "candidate", want: 200, ended: 200},
		{name: "start", method: post, who: "candidate", of: "dan", want: 303, form: "consent=on"},
		{name: "finish", method: post, who: "candidate", of: "hal", want: 303, form: "sure=on"},
		{name: "withdraw", method: post, who: "candidate", of: "dan", want: 200, form: "sure=on"},

		{name: "regrade", method: post, who: "author", want: 303, again: 409}, {name: "cancel", method: post, who: "author", want: 303, again: 409},
		{name: "archive", method: post, who: "author", want: 303}, {name: "revoke", method: post, who: "author", of: "eve", want: 303, again: 409},
		{name: "erase", method: post, who: "owner", of: "eve", want: 303, form: "sure=on"},
		{name: "signout", method: post, who: "anyone", want: 303}, {name: "signoutall", method: post, who: "user", want: 303},
	}
}

// The table has every route and operation, and nothing else.
func TestTheTableHasEveryRoute(t *testing.T) {
	r := newRig(t)
	_, operations := readDocument(t, r.api.Document())
	same := func(what string, there map[string]bool, rows []row) {
		for _, y := range rows {
			require.Contains(t, there, y.name, "it is in the table and nowhere else")
			there[y.name] = true
		}
		for name, asked := range there {
			require.True(t, asked, "%s %s is not in the table", what, name)
		}
	}
	there := map[string]bool{}
	for _, route := range pages.Routes() {
		there[route.Name] = false
	}
	same("route", there, pageRows())
	there = map[string]bool{}
	for id := range operations {
		there[id] = false
	}
	same("operation", there, apiRows())
	// Candidates' and teams' operations have the security that the table says.
	for _, y := range apiRows() {
		want := []map[string][]string{{"token": {strings.Fields(y.who)[0]}}}
		if y.who == "candidate" {
			want = []map[string][]string{{"invitation": {}}}
		}
		require.Equal(t, want, operations[y.name].Security, y.name)
	}
}

// Nothing is registered past the lists that the table is checked against: a mux does not tell what it has, so the places where
// something is registered are looked for in the code.
func TestRoutesAreRegisteredInFewPlaces(t *testing.T) {
	want := map[string]string{
		"web/web.go pattern": "the pages' routes", "web/web.go a.Path": "style sheets and scripts", `web/web.go "/"`: "what is not there",
		`api/reference.go "GET " + Prefix + path`: "document and reference", `api/reference.go Prefix + "/"`: "what is not there",
		`web/httpbase/server.go "GET /healthz"`: "health", `web/httpbase/server.go "GET /readyz"`: "health", `web/httpbase/metrics.go "GET /metrics"`: "on another address",
	}
	found := map[string]bool{}
	for _, dir := range []string{"api", "web", "web/httpbase", "auth", "pages", "service", "webhook"} {
		names, err := filepath.Glob("../" + dir + "/*.go")
		require.NoError(t, err)
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			files := token.NewFileSet()
			file, err := parser.ParseFile(files, name, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			ast.Inspect(file, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok || len(call.Args) != 2 {
					return true
				}
				if f, ok := call.Fun.(*ast.SelectorExpr); ok && (f.Sel.Name == "HandleFunc" || f.Sel.Name == "Handle") {
					var pattern bytes.Buffer
					require.NoError(t, printer.Fprint(&pattern, files, call.Args[0]))
					if pattern.String() != "next" { // sessions around all routes
						found[dir+"/"+filepath.Base(name)+" "+pattern.String()] = true
					}
				}
				return true
			})
		}
	}
	for place := range found {
		require.NotEmpty(t, want[place], "%s: what is registered here is in no table", place)
	}
	for place := range want {
		require.True(t, found[place], "nothing is registered at %s any more", place)
	}
}

// caller is somebody who asks: with a token in a header, or with cookies.
type caller struct {
	name   string
	token  string
	cookie string
}

// scene is a world with those who look at it.
type scene struct {
	*world
	server                                    string
	bearer, owner, author, reviewer           caller
	outsider, former, revoked, expired, ended caller
	formerInvitation                          platform.ID
	secrets                                   []string // that nobody outside may read
	people                                    map[string]person
}

func (s *scene) own(p person) caller {
	return caller{name: "a candidate", token: p.token, cookie: "assay_my=" + p.token}
}

// scopes are all but those that are left out.
func scopesBut(left ...string) []platform.Scope {
	return slices.DeleteFunc(platform.Scopes(), func(s platform.Scope) bool { return slices.Contains(left, string(s)) })
}

// signedIn is a browser of somebody who signs in, with a password that the account gets here.
func (s *scene) signedIn(name, email string) caller {
	s.t.Helper()
	const password = "correct horse battery"
	s.setPassword(email, "hash of "+password)
	answer := s.ask(caller{}, http.MethodPost, "/sign-in", url.Values{"email": {email}, "password": {password}}.Encode())
	require.Equal(s.t, http.StatusSeeOther, answer.status, answer.body)
	for _, c := range answer.cookies {
		if c.Name == "assay_session" {
			return caller{name: name, cookie: c.Name + "=" + c.Value}
		}
	}
	require.Fail(s.t, "no session")
	return caller{}
}
