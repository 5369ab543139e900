package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/api"
	"github.com/assay-run/assay/internal/platform/service/servicetest"
	"github.com/assay-run/assay/internal/platform/store"
)

type invitedAnswer struct{ InvitationID, Token, Link, Outcome string }

func TestARequestWithAKeyIsDoneOnce(t *testing.T) {
	r := newRig(t)
	assessment, token := r.assessment(r.owner), r.token(r.owner)
	ask := call{
		method: http.MethodPost, path: api.Prefix + "/invitations", token: token, headers: map[string]string{"Idempotency-Key": "k1"},
		body: obj{"assessmentId": assessment, "invitee": obj{"name": "Ida"}},
	}
	answers := make([]*httptest.ResponseRecorder, 8)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = r.do(ask) })
	}
	all.Wait()
	first := 0
	for _, a := range answers {
		require.Equal(t, http.StatusCreated, a.Code, a.Body.String())
		require.JSONEq(t, answers[0].Body.String(), a.Body.String())
		if a.Header().Get("Idempotency-Replayed") == "" {
			first++
		}
	}
	require.Equal(t, 1, first, "one has done it, the others were told")
	got := read[invitedAnswer](r, answers[0])
	require.Equal(t, "https://assay.example/i/"+got.Token, got.Link)
	list := get[struct{ Items []any }](r, api.Prefix+"/assessments/"+string(assessment)+"/candidates", token)
	require.Len(t, list.Items, 1)

	ask.body = obj{"assessmentId": assessment, "invitee": obj{"name": "Another"}}
	require.Equal(t, http.StatusConflict, r.do(ask).Code, "the same key for another request")
	ask.token = r.token(r.owner)
	require.Equal(t, http.StatusCreated, r.do(ask).Code, "keys belong to a token")
	ask.headers = nil
	require.Equal(t, http.StatusCreated, r.do(ask).Code)
	list = get[struct{ Items []any }](r, api.Prefix+"/assessments/"+string(assessment)+"/candidates", token)
	require.Len(t, list.Items, 3)

	r.pass(25 * time.Hour)
	ask.headers, ask.token = map[string]string{"Idempotency-Key": "k1"}, token
	again := r.do(ask)
	require.Equal(t, http.StatusCreated, again.Code, "keys are forgotten")
	require.Empty(t, again.Header().Get("Idempotency-Replayed"))
}

// What an idempotency key remembers may hold a secret that is shown once: nobody reads it in the database.
func TestRememberedAnswersAreSealed(t *testing.T) {
	r := newRig(t)
	answer := r.do(call{
		method: http.MethodPost, path: api.Prefix + "/webhook-endpoints", token: r.token(r.owner), headers: map[string]string{"Idempotency-Key": "k"},
		body: obj{"url": "https://ats.example", "events": []string{"attempt.graded"}},
	})
	require.Equal(t, http.StatusCreated, answer.Code, answer.Body.String())
	secret := read[struct{ Secret string }](r, answer).Secret
	require.True(t, strings.HasPrefix(secret, "whsec_"))
	var kept []byte
	require.NoError(t, r.store.View(t.Context(), func(tx *store.Tx) error {
		return tx.SQL().QueryRowContext(t.Context(), `SELECT body FROM idempotency_keys`).Scan(&kept)
	}))
	require.NotEmpty(t, kept)
	require.NotContains(t, string(kept), secret)
	require.NotContains(t, string(kept), "ats.example")
}

func TestARequestThatFailedMayBeSentAgainWithItsKey(t *testing.T) {
	r := newRig(t)
	assessment, token := r.assessment(r.owner), r.token(r.owner)
	ask := call{
		method: http.MethodPost, path: api.Prefix + "/invitations", token: token, headers: map[string]string{"Idempotency-Key": "k"},
		body: obj{"assessmentId": assessment, "invitee": obj{"name": "Ida"}, "expiresAt": r.clock().Add(time.Hour)},
	}
	require.NoError(t, r.service.ArchiveAssessment(t.Context(), r.owner, assessment, true))
	require.Equal(t, http.StatusConflict, r.do(ask).Code)
	require.NoError(t, r.service.ArchiveAssessment(t.Context(), r.owner, assessment, false))
	require.Equal(t, http.StatusCreated, r.do(ask).Code)
}

func TestAnUploadWithAKeyIsTakenOnce(t *testing.T) {
	r := newRig(t)
	p := r.invited(r.owner, r.assessment(r.owner), "ann")
	r.start(&p)
	ask := call{
		method: http.MethodPost, path: api.Prefix + "/candidate/submissions?challenge=one&kind=final", token: p.token, body: servicetest.Archive(t, "x"),
		headers: map[string]string{"Idempotency-Key": "k"},
	}
	type handed struct {
		Submission struct{ ID string }
		Grading    struct{ ID, State string }
		Complete   bool
	}
	first := r.do(ask)
	require.Equal(t, http.StatusCreated, first.Code, first.Body.String())
	second := r.do(ask)
	require.Equal(t, http.StatusCreated, second.Code, "also when the attempt is over by now: "+second.Body.String())
	a, b := read[handed](r, first), read[handed](r, second)
	require.Equal(t, a, b)
	require.True(t, a.Complete)
	require.Equal(t, "queued", a.Grading.State)
	ask.body = servicetest.Archive(t, "y")
	require.Equal(t, http.StatusConflict, r.do(ask).Code)
}

// walk reads a list page by page, and returns the ids in their order.
func walk(r *rig, path, token string, id func(obj) string) []string {
	r.t.Helper()
	var out []string
	next := ""
	for range 100 {
		sep := "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		at := path + sep + "limit=2"
		if next != "" {
			at += "&after=" + next
		}
		page := get[struct {
			Items []obj
			Next  string
		}](r, at, token)
		require.LessOrEqual(r.t, len(page.Items), 2)
		for _, item := range page.Items {
			out = append(out, id(item))
		}
		if next = page.Next; next == "" {
			return out
		}
		require.NotEmpty(r.t, page.Items, "a page that is not the last has something")
	}
	r.t.Fatal("the list does not end")
	return nil
}

func TestListsAreReadToTheEndWithoutDoubles(t *testing.T) {
	r := newRig(t)
	token := r.token(r.owner)
	endpoint, _, err := r.service.CreateEndpoint(t.Context(), r.owner, "https://ats.example", platform.EventTypes())
	require.NoError(t, err)
	assessments := map[string]bool{}
	var assessment platform.ID
	for i := range 7 {
		assessment = r.assessment(r.owner)
		assessments[string(assessment)] = true
		if i%3 == 0 { // some at the same time, some later
			r.pass(time.Second)
		}
	}
	invitations, results := map[string]bool{}, map[string]bool{}
	for i := range 7 {
		p := r.invited(r.owner, assessment, fmt.Sprintf("c%d", i%3+i))
		invitations[string(p.invitation)] = true
		if i < 5 {
			r.start(&p)
			_, job := r.handIn(p, platform.Final, fmt.Sprint(i))
			results[string(r.grade(r.owner.Org(), job, float64(50+10*(i%2))))] = true // several have the same score
		}
	}
	byID := func(o obj) string { return o["id"].(string) }
	byInvitation := func(o obj) string { return o["invitation"].(obj)["id"].(string) }
	candidates := api.Prefix + "/assessments/" + string(assessment) + "/candidates?sort="
	for path, c := range map[string]struct {
		want map[string]bool
		id   func(obj) string
	}{
		api.Prefix + "/assessments": {assessments, byID}, api.Prefix + "/results": {results, byID},
		candidates + "name": {invitations, byInvitation}, candidates + "score": {invitations, byInvitation},
		candidates + "invited": {invitations, byInvitation}, candidates + "handedIn": {invitations, byInvitation},
	} {
		got := walk(r, path, token, c.id)
		require.Len(t, got, len(c.want), path)
		for _, id := range got {
			require.True(t, c.want[id], path)
		}
		seen := map[string]bool{}
		for _, id := range got {
			require.False(t, seen[id], "%s twice in %s", id, path)
			seen[id] = true
		}
	}
	for _, path := range []string{"/audit", "/webhook-endpoints/" + string(endpoint.ID) + "/deliveries"} {
		all := get[struct{ Items []obj }](r, api.Prefix+path+"?limit=200", token)
		var want []string
		for _, o := range all.Items {
			want = append(want, byID(o))
		}
		require.Greater(t, len(want), 10)
		require.Equal(t, want, walk(r, api.Prefix+path, token, byID))
	}
}

func TestWhatHasNotChangedIsNotSentAgain(t *testing.T) {
	r := newRig(t)
	token, assessment := r.token(r.owner), r.assessment(r.owner)
	ask := call{method: http.MethodGet, path: api.Prefix + "/assessments/" + string(assessment), token: token}
	first := r.do(ask)
	tag := first.Header().Get("ETag")
	require.NotEmpty(t, tag)
	ask.headers = map[string]string{"If-None-Match": `"other", W/` + tag}
	second := r.do(ask)
	require.Equal(t, http.StatusNotModified, second.Code, second.Body.String())
	require.Empty(t, second.Body.String())
	require.Equal(t, tag, second.Header().Get("ETag"))
	r.invited(r.owner, assessment, "ann") // one more candidate
	third := r.do(ask)
	require.Equal(t, http.StatusOK, third.Code)
	require.NotEqual(t, tag, third.Header().Get("ETag"))
}

func TestATokenHasItsRate(t *testing.T) {
	r := newRigAt(t, filepath.Join(t.TempDir(), "assay.db"), 1, 3)
	one, two := r.token(r.owner), r.token(r.owner)
	look := func(token string) *httptest.ResponseRecorder {
		return r.do(call{method: http.MethodGet, path: api.Prefix + "/queue", token: token})
	}
	for range 3 {
		require.Equal(t, http.StatusOK, look(one).Code)
	}
	refused := look(one)
	require.Equal(t, http.StatusTooManyRequests, refused.Code)
	require.Equal(t, "1", refused.Header().Get("Retry-After"))
	require.Equal(t, platform.RateLimited, read[platform.Problem](r, refused).Code)
	require.Equal(t, http.StatusOK, look(two).Code, "another token has its own")
	r.pass(time.Second)
	require.Equal(t, http.StatusOK, look(one).Code)
}

// What a request held is not told back: it may be a secret that was put into the wrong place.
func TestProblemsQuoteNoValues(t *testing.T) {
	r := newRig(t)
	answer := r.do(call{
		method: http.MethodPost, path: api.Prefix + "/webhook-endpoints", token: r.token(r.owner), body: obj{"url": obj{"secret": "hunter2"}, "events": "hunter2"},
	})
	require.Equal(t, http.StatusUnprocessableEntity, answer.Code)
	require.NotContains(t, answer.Body.String(), "hunter2")
	p := read[platform.Problem](r, answer)
	require.NotEmpty(t, p.Errors)
	require.True(t, strings.HasPrefix(p.Errors[0].Location, "body."), p.Errors[0].Location)
}

func TestWhatIsTooLargeIsRefused(t *testing.T) {
	r := newRig(t)
	answer := r.do(call{method: http.MethodPost, path: api.Prefix + "/assessments", token: r.token(r.owner), body: `{"name":"` + strings.Repeat("x", 2<<20) + `"}`})
	require.Equal(t, http.StatusRequestEntityTooLarge, answer.Code, answer.Body.String())
	require.Equal(t, "application/problem+json", answer.Header().Get("Content-Type"))
}

func TestThereIsNoSuchOperation(t *testing.T) {
	r := newRig(t)
	for _, c := range []call{{method: http.MethodGet, path: api.Prefix + "/nothing"}, {method: http.MethodPatch, path: api.Prefix + "/assessments"}} {
		answer := r.do(c)
		require.Equal(t, http.StatusNotFound, answer.Code)
		require.Equal(t, "application/problem+json", answer.Header().Get("Content-Type"))
	}
}

func TestDocumentAndReferenceNeedNothingElse(t *testing.T) {
	r := newRig(t)
	document := r.do(call{method: http.MethodGet, path: api.Prefix + "/openapi.json"})
	require.Equal(t, http.StatusOK, document.Code)
	require.Equal(t, string(r.api.Document()), document.Body.String())
	_, operations := readDocument(t, document.Body.Bytes())
	page := r.do(call{method: http.MethodGet, path: api.Prefix + "/reference"})
	require.Equal(t, http.StatusOK, page.Code)
	text := page.Body.String()
	for _, outside := range []string{"<script", "//", "style=", "ZgotmplZ"} {
		require.NotContains(t, strings.ReplaceAll(text, "https://", ""), outside)
	}
	require.NotContains(t, text, `src="http`)
	require.NotContains(t, text, `href="http`)
	for id, o := range operations {
		require.Contains(t, text, `id="`+id+`"`)
		require.Contains(t, text, o.method+" "+o.path+"</code>")
	}
	style := r.do(call{method: http.MethodGet, path: api.Prefix + "/reference.css"})
	require.Equal(t, "text/css; charset=utf-8", style.Header().Get("Content-Type"))
	require.NotContains(t, style.Body.String(), "url(")
	again := r.do(call{method: http.MethodGet, path: api.Prefix + "/reference", headers: map[string]string{"If-None-Match": page.Header().Get("ETag")}})
	require.Equal(t, http.StatusNotModified, again.Code)
}

// A candidate's whole way, as the assay command goes it.
func TestTheWayOfASubmission(t *testing.T) {
	r := newRig(t)
	p := r.invited(r.owner, r.assessment(r.owner), "ann")
	type own struct {
		State, Consent string
		NextAttempt    int
		Attempt        *struct{ ID, State string }
		Gradings       []struct{ ID, State string }
	}
	look := func() own { return get[own](r, api.Prefix+"/candidate/invitation", p.token) }
	before := look()
	require.Equal(t, 1, before.NextAttempt)
	require.Nil(t, before.Attempt)
	begun := r.do(call{method: http.MethodPut, path: api.Prefix + "/candidate/attempts/1", token: p.token, body: obj{"consent": before.Consent}})
	require.Equal(t, http.StatusOK, begun.Code, begun.Body.String())
	require.Equal(t, "running", look().Attempt.State)
	hand := func(kind string, body []byte) obj {
		answer := r.do(call{method: http.MethodPost, path: api.Prefix + "/candidate/submissions?challenge=one&kind=" + kind, token: p.token, body: body})
		require.Equal(t, http.StatusCreated, answer.Code, answer.Body.String())
		return read[obj](r, answer)
	}
	refused := hand("final", []byte("no archive"))
	require.Equal(t, false, refused["submission"].(obj)["intake"].(obj)["accepted"])
	require.NotEmpty(t, refused["submission"].(obj)["intake"].(obj)["problem"])
	require.NotContains(t, refused, "grading")
	dry := hand("dry_run", servicetest.Archive(t, "try"))["grading"].(obj)["id"].(string)
	r.grade(r.owner.Org(), platform.ID(dry), 40)
	require.Equal(t, true, get[obj](r, api.Prefix+"/candidate/gradings/"+dry, p.token)["over"])
	final := hand("final", servicetest.Archive(t, "done"))
	require.Equal(t, true, final["complete"])
	job := final["grading"].(obj)["id"].(string)
	require.Equal(t, "queued", get[obj](r, api.Prefix+"/candidate/gradings/"+job, p.token)["state"])
	result := r.grade(r.owner.Org(), platform.ID(job), 80)
	results := get[struct{ Items []obj }](r, api.Prefix+"/candidate/results", p.token)
	require.Len(t, results.Items, 2)
	require.JSONEq(t, `{"report":true}`, r.do(call{method: http.MethodGet, path: api.Prefix + "/candidate/results/" + string(result) + "/report", token: p.token}).Body.String())
	require.NotContains(t, r.log.String(), p.token, "no token in the log")
}
