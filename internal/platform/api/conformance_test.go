package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/api"
	"github.com/assay-run/assay/internal/platform/service"
	"github.com/assay-run/assay/internal/platform/service/servicetest"
)

// document is what the tests read of the API's own document.
type document struct {
	OpenAPI    string                          `json:"openapi"`
	Paths      map[string]map[string]operation `json:"paths"`
	Components struct {
		Schemas map[string]any `json:"schemas"`
	} `json:"components"`

	compiled map[string]*jsonschema.Schema // by their text
}

type operation struct {
	ID          string                `json:"operationId"`
	Summary     string                `json:"summary"`
	Security    []map[string][]string `json:"security"`
	Responses   map[string]response   `json:"responses"`
	RequestBody *response             `json:"requestBody"`

	method, path string
}

type response struct {
	Content map[string]struct {
		Schema any `json:"schema"`
	} `json:"content"`
}

// candidates says whether it is for candidates.
func (o operation) candidates() bool { _, ok := o.Security[0]["invitation"]; return ok }

func readDocument(t *testing.T, raw []byte) (document, map[string]operation) {
	t.Helper()
	doc := document{compiled: map[string]*jsonschema.Schema{}}
	require.NoError(t, json.Unmarshal(raw, &doc))
	byID := map[string]operation{}
	for path, methods := range doc.Paths {
		for method, o := range methods {
			require.NotContains(t, byID, o.ID)
			o.method, o.path = strings.ToUpper(method), api.Prefix+path
			byID[o.ID] = o
		}
	}
	return doc, byID
}

// fits checks a text against a schema of the document.
func (d document) fits(t *testing.T, schema any, text []byte, what string) {
	t.Helper()
	require.NoError(t, d.check(t, schema, text), "%s: %s", what, text)
}

func (d document) check(t *testing.T, schema any, text []byte) error {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return d.compile(t, schema).Validate(value)
}

func (d document) compile(t *testing.T, schema any) *jsonschema.Schema {
	t.Helper()
	key, err := json.Marshal(schema)
	require.NoError(t, err)
	if there := d.compiled[string(key)]; there != nil {
		return there
	}
	raw, err := json.Marshal(map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": d.Components.Schemas, "allOf": []any{schema},
	})
	require.NoError(t, err)
	raw = bytes.ReplaceAll(raw, []byte("#/components/schemas/"), []byte("#/$defs/"))
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	require.NoError(t, c.AddResource("mem:///schema.json", parsed))
	out, err := c.Compile("mem:///schema.json")
	require.NoError(t, err)
	d.compiled[string(key)] = out
	return out
}

// conforms checks an answer against what the document says of the operation.
func (d document) conforms(t *testing.T, o operation, answer *httptest.ResponseRecorder) {
	t.Helper()
	what := fmt.Sprintf("%s answered %d", o.ID, answer.Code)
	said, ok := o.Responses[fmt.Sprint(answer.Code)]
	if !ok {
		require.GreaterOrEqual(t, answer.Code, 400, "%s, which the document does not know: %s", what, answer.Body)
		said = o.Responses["default"]
	}
	if len(said.Content) == 0 {
		require.Empty(t, answer.Body.String(), what)
		return
	}
	media, _, _ := strings.Cut(answer.Header().Get("Content-Type"), ";")
	content, ok := said.Content[media]
	require.True(t, ok, "%s as %q, which the document does not know", what, media)
	if strings.HasSuffix(media, "json") {
		d.fits(t, content.Schema, answer.Body.Bytes(), what)
	}
}

// try is one call of an operation. good ones are those whose want is below 400.
type try struct {
	op    string
	want  int
	id    platform.ID // in the path
	query string
	body  any
	token string // that of the team or of ann, unless set
}

type obj = map[string]any

func newSettings() obj {
	return obj{
		"name": "Backend", "mode": "standard", "challenges": []obj{{"id": "one", "weight": 1}}, "timeLimitSeconds": 3600, "attempts": 1, "passMark": 60,
		"visible": "report", "retentionDays": 30,
	}
}

func without(in obj, field string) obj {
	out := obj{}
	for k, v := range in {
		if k != field {
			out[k] = v
		}
	}
	return out
}

func newTokenBody(w *world, scope string) obj {
	return obj{"name": "ATS", "scopes": []string{scope}, "expiresAt": w.clock().AddDate(0, 0, 7)}
}

// tries are calls of every operation with good and bad input, in an order in which they work.
func tries(w *world) []try {
	nothing := platform.ID("asm_00000000000000000000000000")
	return append(append(teamTries(w, nothing), ownTries(w, nothing)...),
		try{"delete-endpoint", 404, nothing, "", nil, ""}, try{"delete-endpoint", 204, w.endpoint, "", nil, ""},
		try{"archive-assessment", 404, nothing, "", nil, ""}, try{"archive-assessment", 204, w.spare, "", nil, ""},
		try{"restore-assessment", 404, nothing, "", nil, ""}, try{"restore-assessment", 204, w.spare, "", nil, ""},
		try{"erase-candidate", 404, nothing, "", nil, ""}, try{"erase-candidate", 204, w.eve.candidate, "", nil, ""},
	)
}

func teamTries(w *world, nothing platform.ID) []try {
	return []try{
		{"list-challenges", 200, "", "", nil, ""}, {"list-challenges", 401, "", "", nil, "nonsense"},
		{"list-assessments", 200, "", "limit=1", nil, ""}, {"list-assessments", 422, "", "limit=1000", nil, ""}, {"list-assessments", 422, "", "after=x", nil, ""},
		{"create-assessment", 201, "", "", newSettings(), ""}, {"create-assessment", 422, "", "", without(newSettings(), "name"), ""},
		{"create-assessment", 400, "", "", "{", ""}, {"create-assessment", 415, "", "", []byte("x"), ""},
		{"get-assessment", 200, w.assessment, "", nil, ""}, {"get-assessment", 404, nothing, "", nil, ""},
		{"change-assessment", 200, w.spare, "", obj{"basedOn": 1, "settings": newSettings()}, ""},
		{"change-assessment", 409, w.spare, "", obj{"basedOn": 1, "settings": newSettings()}, ""},
		{"change-assessment", 422, w.spare, "", obj{"basedOn": 2, "settings": newSettings(), "more": 1}, ""},
		{"list-candidates", 200, w.assessment, "sort=score&stage=review,running&limit=3", nil, ""}, {"list-candidates", 422, w.assessment, "sort=luck", nil, ""},
		{"export-results", 200, w.assessment, "format=csv", nil, ""}, {"export-results", 200, w.assessment, "", nil, ""},
		{"export-results", 422, w.assessment, "format=pdf", nil, ""}, {"export-results", 404, nothing, "", nil, ""},

		{"invite", 201, "", "", obj{"assessmentId": w.assessment, "invitee": obj{"name": "Ida"}}, ""},
		{"invite", 422, "", "", obj{"assessmentId": w.assessment, "invitee": obj{"email": "none"}}, ""},
		{"invite", 404, "", "", obj{"assessmentId": nothing, "invitee": obj{"name": "Ida"}}, ""},
		{"invite-many", 201, "", "", obj{"assessmentId": w.assessment, "invitees": []obj{{"name": "Jo"}, {"email": "cand0@x.example"}}, "byMail": true}, ""},
		{"invite-many", 422, "", "", obj{"assessmentId": w.assessment, "invitees": []obj{}}, ""},
		{"invite-list", 201, "", "assessmentId=" + string(w.assessment), []byte("name,email\nKim,kim@x.example\nLea,\n"), ""},
		{"invite-list", 422, "", "assessmentId=" + string(w.assessment), []byte("name,email\nKim,none\n"), ""},
		{"invite-list", 404, "", "assessmentId=" + string(nothing), []byte("name\nKim\n"), ""},
		{"get-invitation", 200, w.ann.invitation, "", nil, ""}, {"get-invitation", 404, nothing, "", nil, ""},
		{"resend-invitation", 200, w.cyd.invitation, "", obj{}, ""}, {"resend-invitation", 409, w.ann.invitation, "", obj{}, ""},
		{"set-extra-time", 204, w.cyd.invitation, "", obj{"percent": 25}, ""}, {"set-extra-time", 422, w.cyd.invitation, "", obj{"percent": -1}, ""},
		{"give-attempt", 204, w.ann.invitation, "", nil, ""}, {"give-attempt", 404, nothing, "", nil, ""},
		{"revoke-invitation", 204, w.eve.invitation, "", nil, ""}, {"revoke-invitation", 409, w.eve.invitation, "", nil, ""},
		{"change-candidate", 204, w.ann.candidate, "", obj{"name": "Ann", "email": "ann@x.example"}, ""}, {"change-candidate", 422, w.ann.candidate, "", obj{}, ""},

		{"export-candidate", 200, w.ann.candidate, "", nil, ""}, {"export-candidate", 404, nothing, "", nil, ""},
		{"get-attempt", 200, w.ann.attempt, "", nil, ""}, {"get-attempt", 404, nothing, "", nil, ""},
		{"extend-attempt", 201, w.bob.attempt, "", obj{"seconds": 600, "reason": "fire alarm"}, ""}, {"extend-attempt", 422, w.bob.attempt, "", obj{"seconds": 0}, ""},
		{"decide", 201, w.ann.attempt, "", obj{"outcome": "advance", "reason": "Clear."}, ""}, {"decide", 422, w.ann.attempt, "", obj{"outcome": "maybe", "reason": "x"}, ""},
		{"decide", 409, w.bob.attempt, "", obj{"outcome": "hold", "reason": "x"}, ""},
		{"undecide", 204, w.ann.attempt, "", nil, ""}, {"undecide", 409, w.ann.attempt, "", nil, ""},

		{"get-submission", 200, w.ann.submission, "", nil, ""}, {"get-submission", 404, nothing, "", nil, ""},
		{"get-archive", 200, w.ann.submission, "", nil, ""}, {"get-archive", 404, nothing, "", nil, ""},
		{"get-grading", 200, w.ann.job, "", nil, ""}, {"get-grading", 404, nothing, "", nil, ""},
		{"cancel-grading", 200, w.gus.dry, "", nil, ""}, {"cancel-grading", 409, w.ann.job, "", nil, ""},
		{"list-results", 200, "", "minScore=10&code=LOOP_BLOCKED&kind=final", nil, ""}, {"list-results", 422, "", "kind=other", nil, ""},
		{"get-result", 200, w.ann.result, "", nil, ""}, {"get-result", 404, nothing, "", nil, ""},
		{"get-report", 200, w.ann.result, "", nil, ""}, {"get-report", 404, nothing, "", nil, ""},
		{"get-evidence", 200, w.ann.result, "", nil, ""}, {"get-evidence", 404, nothing, "", nil, ""},
		{"compare", 200, "", "challengeId=one&version=3&attempts=" + string(w.ann.attempt), nil, ""}, {"compare", 422, "", "challengeId=one", nil, ""},
		{"regrade", 202, w.ann.submission, "", nil, ""}, {"regrade", 404, nothing, "", nil, ""},

		{"list-endpoints", 200, "", "", nil, ""}, {"list-endpoints", 403, "", "", nil, w.token(w.owner, platform.ScopeResultsRead)},
		{"create-endpoint", 201, "", "", obj{"url": "https://ats.example/2", "events": []string{"attempt.graded"}}, ""},
		{"create-endpoint", 422, "", "", obj{"url": "http://ats.example", "events": []string{"attempt.graded"}}, ""},
		{"create-endpoint", 422, "", "", obj{"url": "https://ats.example", "events": []string{"lunch"}}, ""},
		{"enable-endpoint", 204, w.endpoint, "", obj{"enabled": false}, ""}, {"enable-endpoint", 422, w.endpoint, "", obj{"enabled": "no"}, ""},
		{"rotate-secret", 200, w.endpoint, "", nil, ""}, {"rotate-secret", 404, nothing, "", nil, ""},
		{"list-deliveries", 200, w.endpoint, "limit=2", nil, ""}, {"list-deliveries", 422, w.endpoint, "limit=0", nil, ""},
		{"replay-delivery", 201, w.delivery, "", nil, ""}, {"replay-delivery", 404, nothing, "", nil, ""},
		{"get-organization", 200, "", "", nil, ""}, {"get-organization", 403, "", "", nil, w.token(w.owner, platform.ScopeResultsRead)},
		{"change-organization", 204, "", "", obj{"name": "Acme & Sons", "retentionDays": 90}, ""}, {"change-organization", 422, "", "", obj{"name": "", "retentionDays": 90}, ""},
		{"list-members", 200, "", "", nil, ""}, {"list-members", 401, "", "", nil, "nonsense"},
		{"add-member", 201, "", "", obj{"name": "Rita", "email": "rita@acme.example", "role": "reviewer"}, ""},
		{"add-member", 409, "", "", obj{"name": "Rita", "email": "rita@acme.example", "role": "author"}, ""},
		{"add-member", 422, "", "", obj{"name": "Rita", "email": "r@acme.example", "role": "owner"}, ""},
		{"change-member", 204, w.member, "", obj{"role": "author"}, ""}, {"change-member", 403, w.owner.Identity().ID, "", obj{"role": "author"}, ""},
		{"remove-member", 204, w.leaver, "", nil, ""}, {"remove-member", 404, w.leaver, "", nil, ""}, {"remove-member", 403, w.owner.Identity().ID, "", nil, ""},
		{"list-tokens", 200, "", "", nil, ""}, {"list-tokens", 403, "", "", nil, w.token(w.owner, platform.ScopeAuditRead)},
		{"create-token", 201, "", "", newTokenBody(w, "results:read"), ""}, {"create-token", 422, "", "", newTokenBody(w, "everything"), ""},
		{"create-token", 403, "", "", newTokenBody(w, "results:read"), w.token(w.owner, platform.ScopeTokensWrite)},
		{"revoke-token", 204, w.keepsake, "", nil, ""}, {"revoke-token", 404, nothing, "", nil, ""},
		{"get-queue", 200, "", "", nil, ""}, {"get-queue", 422, "", "limit=x", nil, ""},
		{"list-audit", 200, "", "subject=" + string(w.ann.attempt), nil, ""}, {"list-audit", 200, "", "", nil, ""}, {"list-audit", 422, "", "after=x", nil, ""},
	}
}

func ownTries(w *world, nothing platform.ID) []try {
	final := "challenge=one&kind=final&fileName=x.zip"
	return []try{
		{"look", 200, "", "", nil, ""}, {"look", 200, "", "", nil, w.dan.token}, {"look", 410, "", "", nil, w.eve.token}, {"look", 401, "", "", nil, platform.InvitationToken + "x"},
		{"open", 200, "", "", nil, w.fay.token}, {"open", 410, "", "", nil, w.eve.token},
		{"get-brief", 409, "one", "", nil, w.dan.token}, {"get-brief", 200, "one", "", nil, ""}, {"get-brief", 404, "three", "", nil, ""},
		{"get-starter", 200, "one", "", nil, ""}, {"get-starter", 404, "two", "", nil, ""},
		{"get-draft", 200, "one", "", nil, ""}, {"get-draft", 404, "two", "", nil, ""},
		{"save-draft", 200, "one", "", obj{"revision": 0, "body": "so far"}, w.bob.token}, {"save-draft", 409, "one", "", obj{"revision": 0, "body": "so far"}, w.bob.token},
		{"save-draft", 410, "one", "", obj{"revision": 0, "body": "late"}, ""},
		{"start", 422, "1", "", obj{"consent": "0"}, w.dan.token}, {"start", 200, "1", "", obj{"consent": service.ConsentVersion}, w.dan.token},
		{"submit", 201, "", "challenge=one&kind=dry_run", servicetest.Archive(w.t, "x"), w.bob.token}, {"submit", 201, "", final, []byte("no archive"), w.bob.token},
		{"submit", 422, "", "challenge=one&kind=other", servicetest.Archive(w.t, "x"), w.bob.token}, {"submit", 404, "", "challenge=three&kind=final", servicetest.Archive(w.t, "x"), w.bob.token},
		{"submit", 422, "", final, bytes.Repeat([]byte("x"), maxUpload+1), w.bob.token}, {"submit", 422, "", final, bytes.Repeat([]byte("x"), 2*maxUpload), w.bob.token},
		{"get-own-grading", 200, w.ann.dry, "", nil, ""}, {"get-own-grading", 404, w.bob.dry, "", nil, ""},
		{"cancel-dry-run", 200, w.bob.dry, "", nil, w.bob.token}, {"cancel-dry-run", 409, w.ann.job, "", nil, ""},
		{"list-own-results", 200, "", "", nil, ""}, {"list-own-results", 403, "", "", nil, w.team},
		{"get-own-report", 404, nothing, "", nil, ""}, {"get-own-report", 403, w.ann.result, "", nil, w.team},
		{"finish", 409, "", "", nil, w.fay.token}, {"submit", 201, "", final, servicetest.Archive(w.t, "final"), w.bob.token}, {"finish", 409, "", "", nil, w.bob.token},
		{"export-own-data", 200, "", "", nil, ""}, {"export-own-data", 403, "", "", nil, w.team},
		{"withdraw", 204, "", "", nil, w.dan.token}, {"withdraw", 410, "", "", nil, w.dan.token},
		{"erase-own-data", 403, "", "", nil, w.team}, {"erase-own-data", 204, "", "", nil, w.fay.token},
	}
}

func (y try) call(w *world, o operation) call {
	c := call{method: o.method, path: o.path, token: y.token, body: y.body}
	if c.token == "" {
		c.token = w.team
		if o.candidates() {
			c.token = w.ann.token
		}
	}
	c.path = strings.NewReplacer("{id}", string(y.id), "{number}", string(y.id), "{challenge}", string(y.id)).Replace(c.path)
	if y.query != "" {
		c.path += "?" + y.query
	}
	return c
}

// Every operation is called with good and bad input, and every answer is checked against the document.
func TestAnswersConformToTheDocument(t *testing.T) { answersConform(newWorld(t)) }

func answersConform(w *world) {
	t := w.t
	// Things that the table cannot have in one order: the own report before the submission is graded again, and what is finished.
	doc, operations := readDocument(t, w.api.Document())
	require.Equal(t, "3.1.0", doc.OpenAPI)
	require.NotContains(t, doc.Components.Schemas, "ErrorModel", "problems have a form of their own")
	good, bad := map[string]bool{}, map[string]bool{}
	all := append([]try{{"get-own-report", 200, w.ann.result, "", nil, ""}, {"finish", 204, "", "", nil, w.hal.token}}, tries(w)...)
	for _, y := range all {
		o, ok := operations[y.op]
		require.True(t, ok, "there is no operation %s", y.op)
		c := y.call(w, o)
		answer := w.do(c)
		require.Equal(t, y.want, answer.Code, "%s %s: %s", y.op, c.path, answer.Body)
		doc.conforms(t, o, answer)
		if y.want >= 400 {
			bad[y.op] = true
			p := read[platform.Problem](w.rig, answer)
			require.Equal(t, y.want, p.Status)
			require.NotEmpty(t, p.RequestID)
			continue
		}
		good[y.op] = true
		if o.RequestBody != nil && o.RequestBody.Content["application/json"].Schema != nil {
			text, err := json.Marshal(y.body)
			require.NoError(t, err)
			doc.fits(t, o.RequestBody.Content["application/json"].Schema, text, y.op+" was asked")
		}
	}
	for id := range operations {
		require.True(t, good[id], "%s was not called with good input", id)
		require.True(t, bad[id], "%s was not called with bad input", id)
	}
}

// What the document lets ask for is what there is.
func TestTheDocumentKnowsAllScopes(t *testing.T) {
	r := newRig(t)
	_, operations := readDocument(t, r.api.Document())
	schema := operations["create-token"].RequestBody.Content["application/json"].Schema.(obj)
	var doc obj
	require.NoError(t, json.Unmarshal(r.api.Document(), &doc))
	at := any(doc)
	for _, name := range strings.Split(strings.TrimPrefix(schema["$ref"].(string), "#/"), "/") {
		at = at.(obj)[name]
	}
	items := at.(obj)["properties"].(obj)["scopes"].(obj)["items"].(obj)
	var want []any
	for _, s := range platform.Scopes() {
		want = append(want, string(s))
	}
	require.ElementsMatch(t, want, items["enum"])
}

// The check above would be worth nothing if it took anything.
func TestTheCheckRefusesWhatDoesNotConform(t *testing.T) {
	r := newRig(t)
	doc, operations := readDocument(t, r.api.Document())
	schema := operations["get-result"].Responses["200"].Content["application/json"].Schema
	require.Error(t, doc.check(t, schema, []byte(`{}`)), "what is needed is missing")
	schema = operations["look"].Responses["default"].Content["application/problem+json"].Schema
	problem := `{"type":"about:blank","title":"Gone","status":410,"detail":"x","code":%q}`
	require.NoError(t, doc.check(t, schema, fmt.Appendf(nil, problem, "gone")))
	require.Error(t, doc.check(t, schema, fmt.Appendf(nil, problem, "other")))
}
