package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/api"
	"github.com/assay-run/assay/internal/platform/pages"
	"github.com/assay-run/assay/internal/platform/service"
	"github.com/assay-run/assay/internal/platform/store"
)

func (s *scene) setPassword(email, hash string) {
	s.t.Helper()
	require.NoError(s.t, s.store.Tx(s.t.Context(), func(tx *store.Tx) error {
		u, err := tx.UserByEmail(s.t.Context(), email)
		if err != nil {
			return err
		}
		return tx.SetPassword(s.t.Context(), u.ID, hash)
	}))
}

func newScene(w *world) *scene {
	t := w.t
	t.Helper()
	s := &scene{world: w}
	server := httptest.NewServer(s.handler)
	t.Cleanup(server.Close)
	s.server = server.URL
	ctx, soon := t.Context(), s.clock().Add(time.Minute)
	_, expired, err := s.service.CreateToken(ctx, s.world.owner, "expired", platform.Scopes(), soon)
	require.NoError(t, err)
	made, revoked, err := s.service.CreateToken(ctx, s.world.owner, "revoked", platform.Scopes(), s.clock().AddDate(0, 1, 0))
	require.NoError(t, err)
	require.NoError(t, s.service.RevokeToken(ctx, s.world.owner, made.ID))
	late, err := s.service.Invite(ctx, s.world.owner, service.NewInvitations{AssessmentID: s.assessment, Invitees: []platform.Invitee{{Name: "Late"}}, ExpiresAt: soon})
	require.NoError(t, err)
	back := s.invited(s.world.owner, s.assessment, "back")
	require.NoError(t, s.service.RevokeInvitation(ctx, s.world.owner, back.invitation))
	s.pass(2 * time.Minute)
	s.formerInvitation = late[0].Invitation.ID
	s.former = s.own(person{token: late[0].Token})
	s.ended = s.own(back)
	s.expired, s.revoked = caller{name: "an expired token", token: expired}, caller{name: "a revoked token", token: revoked}
	s.bearer = caller{name: "a token", token: s.team}
	for role, to := range map[platform.Role]*caller{platform.Author: &s.author, platform.Reviewer: &s.reviewer} {
		email := string(role) + "@acme.example"
		_, err := s.service.AddMember(ctx, s.world.owner, email, "A "+string(role), role)
		require.NoError(t, err)
		*to = s.signedIn(string(role), email)
	}
	s.owner = s.signedIn("owner", "olga@acme.example")
	s.outsider = s.signedIn("the owner of another organisation", "eve@other.example")
	s.outsider.token = s.stranger
	s.people = map[string]person{"": s.ann, "bob": s.bob, "cyd": s.cyd, "dan": s.dan, "eve": s.eve, "hal": s.hal}
	for _, p := range []person{s.ann, s.bob, s.cyd, s.dan, s.eve, s.fay, s.gus, s.hal} {
		for _, id := range []platform.ID{p.invitation, p.candidate, p.attempt, p.submission, p.job, p.dry, p.tried, p.result} {
			if id != "" {
				s.secrets = append(s.secrets, string(id))
			}
		}
		s.secrets = append(s.secrets, p.token)
	}
	for _, id := range []platform.ID{s.assessment, s.spare, s.endpoint, s.delivery, s.member, s.leaver, s.keepsake, s.world.owner.Identity().ID, platform.ID(s.world.owner.Org())} {
		s.secrets = append(s.secrets, string(id))
	}
	s.secrets = append(s.secrets, "Acme", "olga@acme", "ats.example/hook", "member0@", "cand0@x", "hal@x", "keepsake", "Late")
	return s
}

// told is an answer.
type told struct {
	status  int
	body    string
	header  http.Header
	cookies []*http.Cookie
}

var requestID = regexp.MustCompile(`req_[0-9a-z]+`)

// like is what two answers must have in common that tell nothing apart. ids are those that were asked for.
func (a told) like(ids ...string) string {
	body := requestID.ReplaceAllString(a.body, "req")
	at := a.header.Get("Location")
	for _, id := range ids {
		body, at = strings.ReplaceAll(body, id, "ID"), strings.ReplaceAll(at, id, "ID")
	}
	return fmt.Sprint(a.status, " ", a.header.Get("Content-Type"), " ", at, " ", body)
}

// ask makes a request, without following where it leads to. A stream is left when it begins.
func (s *scene) ask(c caller, method, path string, body any) told {
	s.t.Helper()
	var reader io.Reader
	media := "application/json"
	switch b := body.(type) {
	case nil:
	case []byte:
		reader, media = bytes.NewReader(b), "application/octet-stream"
	case string:
		reader, media = strings.NewReader(b), "application/x-www-form-urlencoded"
	default:
		text, err := json.Marshal(b)
		require.NoError(s.t, err)
		reader = bytes.NewReader(text)
	}
	q, err := http.NewRequestWithContext(s.t.Context(), method, s.server+path, reader)
	require.NoError(s.t, err)
	q.Header.Set("Content-Type", media)
	if c.token != "" {
		q.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.cookie != "" {
		q.Header.Set("Cookie", c.cookie)
	}
	out, err := http.DefaultTransport.RoundTrip(q)
	require.NoError(s.t, err)
	defer out.Body.Close()
	a := told{status: out.StatusCode, header: out.Header, cookies: out.Cookies()}
	if !strings.HasPrefix(out.Header.Get("Content-Type"), "text/event-stream") {
		text, err := io.ReadAll(out.Body)
		require.NoError(s.t, err)
		a.body = string(text)
	}
	return a
}

// without leaves out what the caller has asked for, which an answer may say again.
func (a told) without(path string) told {
	for _, id := range anID.FindAllString(path, -1) {
		a.body = strings.ReplaceAll(a.body, id, "")
	}
	return a
}

var anID = regexp.MustCompile(`[a-z]{3}_[0-9a-z]{26}`)

// hides fails when somebody outside is told what is inside.
func (s *scene) hides(a told, about string) {
	s.t.Helper()
	for _, secret := range s.secrets {
		if strings.Contains(a.body, secret) {
			assert.Fail(s.t, "it tells of others", "%s: %s in %.2000s", about, secret, a.body)
			return
		}
	}
}

// neverWas is an id of the same kind as another that nothing has.
func neverWas(id string) string {
	kind, _, ok := strings.Cut(id, "_")
	if !ok {
		return id
	}
	return kind + "_" + strings.Repeat("0", 26)
}

// Every operation of the API is asked for by everybody. See apiRows.
func TestWhoReachesWhatOfTheAPI(t *testing.T) { reachOperations(newScene(newWorld(t))) }

func reachOperations(s *scene) {
	t := s.t
	_, operations := readDocument(t, s.api.Document())
	good := map[string]try{}
	for _, y := range append([]try{{"get-own-report", 200, s.ann.result, "", nil, ""}, {"finish", 204, "", "", nil, s.hal.token}}, tries(s.world)...) {
		if _, there := good[y.op]; !there && y.want < 400 {
			good[y.op] = y
		}
	}
	for _, line := range apiRows() {
		y, ok := good[line.name]
		require.True(t, ok, "no good call of %s", line.name)
		s.reachOperation(line, operations[line.name], y)
	}
}

func (s *scene) reachOperation(line row, o operation, y try) {
	s.t.Helper()
	c := y.call(s.world, o)
	ask := func(who caller, path string) told { return s.ask(who, c.method, path, c.body) }
	refused := func(who caller, want int) {
		got := ask(who, c.path)
		about := line.name + " by " + who.name
		assert.Equal(s.t, want, got.status, "%s: %s", about, got.body)
		assert.Equal(s.t, "application/problem+json", got.header.Get("Content-Type"), about)
		s.hides(got, about)
	}
	nobody := []caller{{name: "nobody"}, {name: "nonsense", token: "nonsense"}, {name: "a token that never was", token: platform.NewToken(platform.AccessToken)},
		{name: "an invitation that never was", token: platform.NewToken(platform.InvitationToken)}, {name: "cookies", cookie: s.owner.cookie},
		{name: "a candidate's cookie", cookie: s.own(s.ann).cookie}, s.expired, s.revoked}
	for _, who := range nobody {
		refused(who, http.StatusUnauthorized)
	}
	if line.who == "candidate" {
		refused(s.bearer, http.StatusForbidden)
		s.reachOwn(line, c)
	} else {
		refused(s.own(s.bob), http.StatusForbidden)
		refused(s.former, http.StatusForbidden)
		refused(caller{name: "a token without the scope", token: s.token(s.world.owner, scopesBut(strings.Fields(line.who)[0])...)}, http.StatusForbidden)
		s.asForeign(line.name, c, caller{name: s.outsider.name, token: s.stranger})
		var scopes []platform.Scope
		for scope := range strings.FieldsSeq(line.who) {
			scopes = append(scopes, platform.Scope(scope))
		}
		c.token = s.token(s.world.owner, scopes...)
	}
	got := ask(caller{token: c.token}, c.path)
	assert.Equal(s.t, y.want, got.status, "%s by whoever may: %s", line.name, got.body)
}

// reachOwn asks for what is a candidate's as another one, of the same assessment and of another organisation, and as one whose
// invitation has ended.
func (s *scene) reachOwn(line row, c call) {
	s.t.Helper()
	for _, who := range []caller{s.former, s.ended} {
		if line.name == "erase-own-data" { // the right to that does not end
			continue
		}
		got := s.ask(who, c.method, c.path, c.body)
		assert.Equal(s.t, http.StatusGone, got.status, "%s after the end: %s", line.name, got.body)
		s.hides(got, line.name)
	}
	neighbour := s.invited(s.world.owner, s.spare, "n-"+line.name)
	s.start(&neighbour)
	foreigner := s.invited(s.outsiderActor(), s.foreignAssessment(), "f-"+line.name)
	s.start(&foreigner)
	for name, p := range map[string]person{"a neighbour": neighbour, "a candidate of others": foreigner} {
		s.asForeign(line.name, c, caller{name: name, token: p.token})
	}
}

// asForeign asks for what is somebody else's. Where an id says what is asked for, the answer is the same as for one that
// never was.
func (s *scene) asForeign(name string, c call, who caller) {
	s.t.Helper()
	about := name + " by " + who.name
	got := s.ask(who, c.method, c.path, c.body)
	assert.Less(s.t, got.status, 500, about)
	s.hidesBut(got, about, who)
	text, err := json.Marshal(c.body)
	require.NoError(s.t, err)
	if !anID.MatchString(c.path) && (c.body == nil || !anID.Match(text)) {
		return
	}
	other := c
	other.path = anID.ReplaceAllStringFunc(c.path, neverWas)
	if _, raw := c.body.([]byte); !raw && c.body != nil {
		other.body = json.RawMessage(anID.ReplaceAllStringFunc(string(text), neverWas))
	}
	never := s.ask(who, other.method, other.path, other.body)
	assert.Equal(s.t, never.like(), got.like(), "%s can be told from what never was", about)
	if strings.Contains(name, "compare") || strings.HasPrefix(name, "list-") {
		return // lists that are narrowed to nothing
	}
	assert.Equal(s.t, http.StatusNotFound, got.status, "%s: %s", about, got.body)
}

// hidesBut is hides for somebody who is known in the organisation: a neighbour knows its name.
func (s *scene) hidesBut(a told, about string, who caller) {
	s.t.Helper()
	if who.name == "a neighbour" {
		for _, known := range []string{"Acme", string(s.world.owner.Org()), string(s.spare)} {
			a.body = strings.ReplaceAll(a.body, known, "")
		}
	}
	s.hides(a, about)
}

func (s *scene) outsiderActor() service.Actor {
	a, err := s.service.TokenActor(s.t.Context(), s.stranger)
	require.NoError(s.t, err)
	return a
}

func (s *scene) foreignAssessment() platform.ID {
	list, err := s.service.Assessments(s.t.Context(), s.outsiderActor(), false, platform.Page{})
	require.NoError(s.t, err)
	return list.Items[len(list.Items)-1].ID
}

// What others may not have was looked at by all of them above; nothing of it was touched.
func TestNothingIsTouchedByOthers(t *testing.T) { nothingIsTouched(newScene(newWorld(t))) }

func nothingIsTouched(s *scene) {
	t := s.t
	_, operations := readDocument(t, s.api.Document())
	look := func() string {
		return s.ask(s.bearer, http.MethodGet, api.Prefix+"/attempts/"+string(s.ann.attempt), nil).body +
			s.ask(s.bearer, http.MethodGet, api.Prefix+"/assessments/"+string(s.assessment), nil).body +
			s.ask(s.bearer, http.MethodGet, api.Prefix+"/assessments/"+string(s.assessment)+"/candidates", nil).body +
			s.ask(s.bearer, http.MethodGet, api.Prefix+"/members", nil).body + s.ask(s.bearer, http.MethodGet, api.Prefix+"/webhook-endpoints", nil).body
	}
	before := look()
	for _, y := range tries(s.world) {
		c := y.call(s.world, operations[y.op])
		if c.token == s.team {
			s.ask(caller{token: s.stranger}, c.method, c.path, c.body)
		}
	}
	require.Equal(t, before, look())
}

var wildcard = regexp.MustCompile(`\{[a-z]+\}`)

// path is that of a route, with what a person has.
func (s *scene) path(name string, p person) string {
	s.t.Helper()
	values := map[string]string{
		"provider": "oidc", "platform": "linux-amd64", "challenge": "one", "format": "json", "assessment": string(s.assessment), "invitation": string(p.invitation),
		"submission": string(p.submission), "user": string(s.member), "token": string(s.keepsake), "endpoint": string(s.endpoint), "delivery": string(s.delivery),
	}
	switch {
	case name == "mycancel":
		values["submission"] = string(p.tried)
	case name == "link":
		values["token"] = p.token
	case name == "setpassword":
		values["token"] = "assay_pwd_x"
	}
	for _, r := range pages.Routes() {
		if r.Name == name {
			return wildcard.ReplaceAllStringFunc(strings.TrimSuffix(r.Pattern, "{$}"), func(w string) string { return url.PathEscape(values[strings.Trim(w, "{}")]) })
		}
	}
	require.Fail(s.t, "no such route", name)
	return ""
}

// Every page is asked for by everybody. See pageRows.
func TestWhoReachesWhatOfThePages(t *testing.T) { reachPages(newScene(newWorld(t))) }

func reachPages(s *scene) {
	for _, line := range pageRows() {
		p := s.people[line.of]
		path := s.path(line.name, p)
		switch {
		case line.who == "anyone":
			s.reachOpen(line, path)
		case line.who == "candidate":
			s.reachOwnPage(line, p, path)
		default:
			s.reachTeamPage(line, path)
		}
	}
}

func (s *scene) asks(line row, who caller, path string) told {
	s.t.Helper()
	var body any
	if line.method == http.MethodPost {
		body = line.form
	}
	got := s.ask(who, line.method, path, body)
	assert.Less(s.t, got.status, 500, "%s %s by %s", line.method, line.name, who.name)
	return got
}

func (s *scene) reachOpen(line row, path string) {
	s.t.Helper()
	for _, who := range []caller{{name: "nobody"}, s.bearer, s.outsider, s.own(s.bob), s.former, s.reviewer, s.owner} {
		if line.name == "signout" && who.cookie != "" {
			continue
		}
		got := s.asks(line, who, path)
		if got.status != line.again { // too many tries from one address, once it was asked often
			assert.Equal(s.t, line.want, got.status, "%s %s by %s", line.method, line.name, who.name)
		}
		if line.name != "link" { // which leads to the invitation that its token opens
			s.hides(got, line.name)
		}
	}
}

func (s *scene) reachOwnPage(line row, p person, path string) {
	s.t.Helper()
	others := []caller{{name: "nobody"}, s.bearer, s.outsider, s.reviewer, s.author, s.owner, s.own(s.gus), s.own(person{token: s.foreigner}), s.former,
		{name: "the own token in a header", token: p.token}, {name: "an API token as cookie", cookie: "assay_my=" + s.team}}
	never := strings.NewReplacer(string(p.invitation), neverWas(string(p.invitation))).Replace(path)
	for _, who := range others {
		about := fmt.Sprintf("%s %s by %s", line.method, line.name, who.name)
		got := s.asks(line, who, path)
		assert.Equal(s.t, http.StatusNotFound, got.status, about)
		assert.Equal(s.t, s.asks(line, who, never).like(), got.like(), about)
		s.hides(got, about)
	}
	// What else the address names must be of the same candidate.
	if strings.Contains(path, "/sub_") {
		foreign := path
		for _, id := range []platform.ID{p.submission, p.tried} {
			if id != "" {
				foreign = strings.Replace(foreign, string(id), string(s.gus.tried), 1)
			}
		}
		require.NotEqual(s.t, path, foreign)
		got := s.asks(line, s.own(p), foreign)
		assert.Equal(s.t, http.StatusNotFound, got.status, "%s of another candidate", line.name)
		s.hides(got, line.name)
	}
	ended := strings.Replace(path, string(p.invitation), string(s.formerInvitation), 1)
	want := line.ended
	if want == 0 {
		want = http.StatusGone
	}
	got := s.asks(line, s.former, ended)
	assert.Equal(s.t, want, got.status, "%s %s after the end", line.method, line.name)
	got = s.asks(line, s.own(p), path)
	assert.Equal(s.t, line.want, got.status, "%s %s by whoever may: %.3000s", line.method, line.name, got.body)
}

func (s *scene) reachTeamPage(line row, path string) {
	s.t.Helper()
	for _, who := range []caller{{name: "nobody"}, s.bearer, s.own(s.ann), s.former} {
		got := s.asks(line, who, path)
		about := fmt.Sprintf("%s %s by %s", line.method, line.name, who.name)
		assert.Equal(s.t, http.StatusSeeOther, got.status, about)
		assert.True(s.t, strings.HasPrefix(got.header.Get("Location"), "/sign-in"), about)
		s.hides(got.without(path), about)
	}
	outsider := caller{name: s.outsider.name, cookie: s.outsider.cookie}
	got := s.asks(line, outsider, path)
	s.hides(got.without(path), line.name+" by "+s.outsider.name)
	if id := anID.FindString(path); id != "" {
		never := s.asks(line, outsider, strings.Replace(path, id, neverWas(id), 1))
		assert.Equal(s.t, never.like(neverWas(id)), got.like(id), "%s %s can be told from what never was", line.method, line.name)
		if line.who != "blind" {
			assert.Equal(s.t, http.StatusNotFound, got.status, "%s %s by %s", line.method, line.name, s.outsider.name)
		}
	}
	asked := false
	for _, who := range []caller{s.reviewer, s.author, s.owner} {
		about := fmt.Sprintf("%s %s by %s", line.method, line.name, who.name)
		got := s.asks(line, who, path)
		may := line.who == "user" || line.who == "blind" || platform.Role(who.name).May(platform.Role(line.who))
		want := line.want
		switch {
		case !may:
			want = http.StatusForbidden
		case asked && line.again != 0:
			want = line.again
		}
		asked = asked || may
		assert.Equal(s.t, want, got.status, "%s: %.2000s", about, got.body)
	}
}
