package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/internal/grading"
	"github.com/assay-run/assay/internal/intake"
	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/api"
	"github.com/assay-run/assay/internal/platform/auth"
	"github.com/assay-run/assay/internal/platform/blob"
	"github.com/assay-run/assay/internal/platform/pages"
	"github.com/assay-run/assay/internal/platform/seal"
	"github.com/assay-run/assay/internal/platform/service"
	"github.com/assay-run/assay/internal/platform/service/servicetest"
	"github.com/assay-run/assay/internal/platform/store"
	"github.com/assay-run/assay/internal/platform/web"
	"github.com/assay-run/assay/internal/platform/web/httpbase"
	"github.com/assay-run/assay/internal/report/reporttest"
)

// scs.New starts a goroutine for a store in memory that auth.NewSessions does not use, and that cannot be ended. What colours code in
// reports has a clock that ends itself a while after it was needed.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/alexedwards/scs/v2/memstore.(*MemStore).startCleanup"),
		goleak.IgnoreAnyFunction("github.com/dlclark/regexp2/v2.runClock"))
}

// passwords marks instead of hashing.
type passwords struct{}

func (passwords) Hash(_ context.Context, password string) (string, error) {
	return "hash of " + password, nil
}

func (passwords) Matches(_ context.Context, password, hash string) (bool, error) {
	return hash == "hash of "+password, nil
}

// rig is a server but its listener, API and pages, on a database of its own, with a clock that the test moves.
type rig struct {
	t        *testing.T
	service  *service.Service
	store    *store.Store
	blobs    *blob.Files
	api      *api.API
	site     *web.Web
	box      *seal.Box
	temp     string // where uploads are checked
	report   []byte // of the next grading; what was measured is in evidence
	measured []byte
	handler  http.Handler
	log      bytes.Buffer
	owner    service.Actor

	mu  sync.Mutex
	now time.Time
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

const maxUpload = 64 << 10

func newRig(t *testing.T) *rig { return newRigAt(t, filepath.Join(t.TempDir(), "assay.db"), 1e6, 1e6) }

// newRigAt makes one on the database at an address, whose tokens may do so much.
func newRigAt(t *testing.T, address string, perSecond float64, burst int) *rig {
	t.Helper()
	r := &rig{t: t, report: []byte(`{"report":true}`), measured: []byte("measured"), now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	var err error
	r.store, err = store.Open(t.Context(), store.Options{Address: address, Now: r.clock})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.store.Close()) })
	r.blobs, err = blob.OpenFiles(t.TempDir(), r.now)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.blobs.Close()) })
	box, err := seal.New(bytes.Repeat([]byte{1}, seal.KeyBytes))
	require.NoError(t, err)
	r.box = box
	r.temp = t.TempDir()
	limits := intake.DefaultLimits()
	limits.ArchiveBytes = maxUpload
	modes := map[string]challenges.Mode{"quick": {}, "standard": {}}
	r.service, err = service.New(service.Options{
		Store: r.store, Blobs: r.blobs, EraseFolder: func(ctx context.Context, prefix string) (int, error) { return blob.Erase(ctx, r.blobs, prefix) },
		Passwords: passwords{}, Sealer: box, ResetKey: bytes.Repeat([]byte{7}, 32), Now: r.clock, TempDir: r.temp, Intake: limits,
		Challenges: []*challenges.Challenge{
			{ID: "one", Version: 3, Title: "One", Level: "mid", Modes: modes, Skills: []string{"streams"}, Files: fstest.MapFS{
				"brief.md": {Data: []byte("# One\n\nDo it.\n")}, "starter/package.json": {Data: []byte(`{"name":"starter"}`)}, "starter/src/main.mjs": {Data: []byte("// begin\n")},
			}},
			{ID: "two", Version: 1, Modes: modes},
		},
	})
	require.NoError(t, err)
	texts, err := pages.New()
	require.NoError(t, err)
	tool := filepath.Join(t.TempDir(), "assay")
	require.NoError(t, os.WriteFile(tool, []byte("program"), 0o600))
	r.site, err = web.New(web.Options{
		Service: r.service, Pages: texts, Sessions: auth.NewSessions(r.store.Sessions(), false), URL: "https://assay.example", Now: r.clock,
		Tools: []web.Tool{{Platform: "linux-amd64", Name: "Linux", Path: tool, Bytes: 7}}, NewsEvery: 5 * time.Millisecond,
		HTTP: httpbase.Options{Log: slog.New(slog.NewTextHandler(&lockedWriter{w: &r.log}, nil)), PerSecond: 1e6, Burst: 1e6},
	})
	require.NoError(t, err)
	r.handler, err = r.site.Handler(func(mux *http.ServeMux, base *httpbase.Base) error {
		r.api, err = api.New(mux, api.Options{
			Service: r.service, Base: base, Sealer: box, Link: r.site.Link, PerSecond: perSecond, Burst: burst, Now: r.clock,
		})
		return err
	})
	require.NoError(t, err)
	session, err := r.service.SetUp(t.Context(), service.FirstOwner{Organization: "Acme", Name: "Olga", Email: "olga@acme.example", Password: "correct horse battery"})
	require.NoError(t, err)
	r.owner = r.user(session)
	return r
}

// lockedWriter is for a log that several requests write.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func (r *rig) user(session service.Session) service.Actor {
	r.t.Helper()
	a, err := r.service.UserActor(r.t.Context(), session)
	require.NoError(r.t, err)
	return a
}

// stranger is the owner of another organisation.
func (r *rig) stranger() service.Actor {
	r.t.Helper()
	var session service.Session
	require.NoError(r.t, r.store.Tx(r.t.Context(), func(tx *store.Tx) error {
		org, err := tx.CreateOrganization(r.t.Context(), "Other")
		if err != nil {
			return err
		}
		u, err := tx.CreateUser(r.t.Context(), platform.User{Name: "Eve", Email: "eve@other.example"})
		if err != nil {
			return err
		}
		session = service.Session{UserID: u.ID, Begun: tx.Now(), Org: org.ID}
		return tx.AddMember(r.t.Context(), org.ID, u.ID, platform.Owner)
	}))
	return r.user(session)
}

// token makes an API token with scopes; none: all of them.
func (r *rig) token(owner service.Actor, scopes ...platform.Scope) string {
	r.t.Helper()
	if len(scopes) == 0 {
		scopes = platform.Scopes()
	}
	_, secret, err := r.service.CreateToken(r.t.Context(), owner, "t", scopes, r.clock().AddDate(0, 1, 0))
	require.NoError(r.t, err)
	return secret
}

// call is a request.
type call struct {
	method, path, token string
	body                any // []byte as it is, anything else as JSON; nil: none
	headers             map[string]string
}

func (r *rig) do(c call) *httptest.ResponseRecorder {
	r.t.Helper()
	var body io.Reader
	media := "application/json"
	switch b := c.body.(type) {
	case nil:
	case []byte:
		body, media = bytes.NewReader(b), "application/octet-stream"
	case string:
		body = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		require.NoError(r.t, err)
		body = bytes.NewReader(text)
	}
	q := httptest.NewRequestWithContext(r.t.Context(), c.method, c.path, body)
	if body != nil {
		q.Header.Set("Content-Type", media)
	}
	if c.token != "" {
		q.Header.Set("Authorization", "Bearer "+c.token)
	}
	for name, value := range c.headers {
		q.Header.Set(name, value)
	}
	out := httptest.NewRecorder()
	r.handler.ServeHTTP(out, q)
	return out
}

// get reads an answer of 200.
func get[T any](r *rig, path, token string) T {
	r.t.Helper()
	answer := r.do(call{method: http.MethodGet, path: path, token: token})
	require.Equal(r.t, http.StatusOK, answer.Code, answer.Body.String())
	return read[T](r, answer)
}

func read[T any](r *rig, answer *httptest.ResponseRecorder) T {
	r.t.Helper()
	var out T
	require.NoError(r.t, json.Unmarshal(answer.Body.Bytes(), &out), answer.Body.String())
	return out
}

func settings() platform.Settings {
	return platform.Settings{
		Name: "Backend", RoleTitle: "Engineer", Mode: "standard", Challenges: []platform.AssessmentChallenge{{ChallengeID: "one", Weight: 1}},
		TimeLimit: time.Hour, Attempts: 1, PassMark: 60, Visible: platform.SeesReport, RetentionDays: 30,
	}
}

func (r *rig) assessment(a service.Actor, more ...platform.AssessmentChallenge) platform.ID {
	r.t.Helper()
	s := settings()
	s.Challenges = append(s.Challenges, more...)
	out, err := r.service.CreateAssessment(r.t.Context(), a, s)
	require.NoError(r.t, err)
	return out.ID
}

// person is a candidate with what there is of them.
type person struct {
	token                                                               string
	invitation, candidate, attempt, submission, job, dry, tried, result platform.ID
}

func (r *rig) invited(a service.Actor, assessment platform.ID, name string) person {
	r.t.Helper()
	out, err := r.service.Invite(r.t.Context(), a, service.NewInvitations{
		AssessmentID: assessment, Invitees: []platform.Invitee{{Name: name, Email: name + "@x.example"}},
	})
	require.NoError(r.t, err)
	return person{token: out[0].Token, invitation: out[0].Invitation.ID, candidate: out[0].Candidate.ID}
}

func (r *rig) actor(p person) service.Actor {
	r.t.Helper()
	a, err := r.service.CandidateActor(r.t.Context(), p.token)
	require.NoError(r.t, err)
	return a
}

func (r *rig) start(p *person) {
	r.t.Helper()
	own, err := r.service.Start(r.t.Context(), r.actor(*p), 1, service.ConsentVersion)
	require.NoError(r.t, err)
	p.attempt = own.Attempt.ID
}

// handIn hands a submission in, and gives it and its job.
func (r *rig) handIn(p person, kind platform.SubmissionKind, text string) (submission, job platform.ID) {
	r.t.Helper()
	out, err := r.service.Submit(r.t.Context(), r.actor(p), service.Upload{
		ChallengeID: "one", Kind: kind, FileName: "work.zip", Body: bytes.NewReader(servicetest.Archive(r.t, text)), ReceivedAt: r.clock(),
	})
	require.NoError(r.t, err)
	require.NotNil(r.t, out.Job, out.Submission.Intake.Problem)
	return out.Submission.ID, out.Job.ID
}

// grade gives a job its verdict, as a worker does.
func (r *rig) grade(org platform.OrgID, job platform.ID, score float64) platform.ID {
	r.t.Helper()
	ctx := r.t.Context()
	var out store.Finished
	require.NoError(r.t, r.store.Tx(ctx, func(tx *store.Tx) error {
		j, err := tx.ClaimJob(ctx, org, job, "wrk_1", time.Minute)
		if err != nil {
			return err
		}
		put := func(name string, text []byte) platform.Blob {
			b, err := r.blobs.Put(ctx, platform.BlobKey(org, j.AttemptID, "gradings/"+name), bytes.NewReader(text), 1<<20)
			require.NoError(r.t, err)
			return b
		}
		verdict := platform.Below
		if score >= 60 {
			verdict = platform.Passed
		}
		out, err = tx.Finish(ctx, org, j.ID, j.Fence, platform.Result{
			Verdict: verdict, Score: score, Low: score, High: score, PassMark: 60, Headline: "It held.", Codes: []string{"LOOP_BLOCKED"},
			Report: put(string(job)+".json", r.report), Evidence: put(string(job)+".gz", r.measured),
			Criteria: []platform.CriterionResult{{ID: "c", Title: "C", Skill: "memory", Assessed: true, Score: score / 100, Weight: 1, Points: score, MaxPoints: 100}},
		})
		if err != nil {
			return err
		}
		after, err := tx.Job(ctx, org, j.ID)
		if err != nil {
			return err
		}
		return r.service.GradingMoved(ctx, tx, after, &out.Result)
	}))
	return out.Result.ID
}

// world is an organisation with something of everything, and another one.
type world struct {
	*rig
	assessment, spare                      platform.ID
	ann, bob, cyd, dan, eve, fay, gus, hal person
	endpoint, delivery                     platform.ID
	member, leaver, keepsake               platform.ID // two users, and a token
	team, stranger, foreigner              string      // tokens
}

func newWorld(t *testing.T) *world { return newWorldAt(t, filepath.Join(t.TempDir(), "assay.db")) }

func newWorldAt(t *testing.T, address string) *world {
	t.Helper()
	w := &world{rig: newRigAt(t, address, 1e6, 1e6)}
	dir := filepath.Join(t.TempDir(), "grading")
	require.NoError(t, grading.WriteFiles(dir, reporttest.Grading(), reporttest.Blocked()))
	var err error
	w.report, err = os.ReadFile(filepath.Join(dir, grading.ReportFile))
	require.NoError(t, err)
	w.measured, err = os.ReadFile(filepath.Join(dir, grading.EvidenceFile))
	require.NoError(t, err)
	e, _, err := w.service.CreateEndpoint(t.Context(), w.owner, "https://ats.example/hook", platform.EventTypes())
	require.NoError(t, err)
	w.endpoint = e.ID
	w.assessment, w.spare = w.rig.assessment(w.owner), w.rig.assessment(w.owner, platform.AssessmentChallenge{ChallengeID: "two", Weight: 1})
	for i, p := range []*person{&w.ann, &w.bob, &w.cyd, &w.dan, &w.eve, &w.fay, &w.gus} {
		*p = w.invited(w.owner, w.assessment, fmt.Sprintf("cand%d", i))
	}
	w.hal = w.invited(w.owner, w.spare, "hal")
	for _, p := range []*person{&w.ann, &w.bob, &w.gus, &w.hal} { // at work or done
		w.start(p)
		p.tried, p.dry = w.handIn(*p, platform.DryRun, "dry "+string(p.attempt))
	}
	w.grade(w.owner.Org(), w.ann.dry, 50)
	w.ann.submission, w.ann.job = w.handIn(w.ann, platform.Final, "final")
	w.hal.submission, w.hal.job = w.handIn(w.hal, platform.Final, "one of two")
	w.ann.result = w.grade(w.owner.Org(), w.ann.job, 80)
	list, err := w.service.Deliveries(t.Context(), w.owner, w.endpoint, platform.Page{})
	require.NoError(t, err)
	w.delivery = list.Items[0].ID
	require.NoError(t, w.store.Tx(t.Context(), func(tx *store.Tx) error {
		return tx.SystemSeen(t.Context(), platform.Worker{ID: "wrk_1", Name: "grader", Version: "1", Slots: 2})
	}))
	for i, id := range []*platform.ID{&w.member, &w.leaver} {
		m, err := w.service.AddMember(t.Context(), w.owner, fmt.Sprintf("member%d@acme.example", i), fmt.Sprintf("Member %d", i), platform.Reviewer)
		require.NoError(t, err)
		*id = m.User.ID
	}
	kept, _, err := w.service.CreateToken(t.Context(), w.owner, "keepsake", platform.Scopes(), w.clock().AddDate(0, 1, 0))
	require.NoError(t, err)
	w.keepsake = kept.ID
	w.team = w.token(w.owner)
	other := w.rig.stranger()
	w.stranger = w.token(other)
	w.foreigner = w.invited(other, w.rig.assessment(other), "other0").token
	return w
}
