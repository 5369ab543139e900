package service_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/internal/intake"
	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/service"
	"github.com/assay-run/assay/internal/platform/service/servicetest"
	"github.com/assay-run/assay/internal/platform/store"
)

// bench is a service on a database of its own, with a clock that the test moves.
type bench struct {
	*service.Service
	t     *testing.T
	store *store.Store
	blobs *blobs
	queue *queue

	mu  sync.Mutex
	now time.Time
}

func (b *bench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

// passwords marks instead of hashing, and counts what it was asked to compare.
type passwords struct {
	mu       sync.Mutex
	compared []string
}

func (p *passwords) Hash(_ context.Context, password string) (string, error) {
	return "hash of " + password, nil
}

func (p *passwords) Matches(_ context.Context, password, hash string) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.compared = append(p.compared, hash)
	return hash == "hash of "+password, nil
}

// sealer turns bytes round and writes the purpose before them.
type sealer struct{}

func (sealer) Seal(plain []byte, purpose string) []byte {
	out := []byte(purpose + ":")
	for i := len(plain) - 1; i >= 0; i-- {
		out = append(out, plain[i])
	}
	return out
}

func (s sealer) Open(sealed []byte, purpose string) ([]byte, error) {
	text, ok := bytes.CutPrefix(sealed, []byte(purpose+":"))
	if !ok {
		return nil, errors.New("sealed for something else")
	}
	return bytes.TrimPrefix(s.Seal(text, ""), []byte(":")), nil
}

// blobs keeps files in memory.
type blobs struct {
	mu     sync.Mutex
	files  map[string][]byte
	broken error
}

func (b *blobs) Put(_ context.Context, key string, r io.Reader, most int64) (platform.Blob, error) {
	data, err := io.ReadAll(io.LimitReader(r, most))
	if err != nil {
		return platform.Blob{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken != nil {
		return platform.Blob{}, b.broken
	}
	b.files[key] = data
	return platform.Blob{Key: key, Digest: "sha256:" + platform.HashToken(string(data)), Bytes: int64(len(data))}, nil
}

func (b *blobs) Open(_ context.Context, key string) (io.ReadCloser, int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	data, ok := b.files[key]
	if !ok {
		return nil, 0, errors.New("no such file")
	}
	return io.NopCloser(bytes.NewReader(data)), int64(len(data)), nil
}

func (b *blobs) Delete(_ context.Context, key string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.files, key)
	return nil
}

func (b *blobs) erase(_ context.Context, prefix string) (n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key := range b.files {
		if strings.HasPrefix(key, prefix) {
			delete(b.files, key)
			n++
		}
	}
	return n, nil
}

func (b *blobs) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.files)
}

// queue remembers the jobs that it was told of.
type queue struct {
	mu     sync.Mutex
	jobs   []platform.ID
	broken error
}

func (q *queue) Enqueue(_ context.Context, _ *sql.Tx, j platform.Job) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.broken != nil {
		return q.broken
	}
	q.jobs = append(q.jobs, j.ID)
	return nil
}

func newBench(t *testing.T, change ...func(*service.Options)) *bench {
	t.Helper()
	return newBenchWith(t, "", change...)
}

// newBenchWith makes one that is set up with a token.
func newBenchWith(t *testing.T, setUpToken string, change ...func(*service.Options)) *bench {
	t.Helper()
	b := &bench{
		t: t, blobs: &blobs{files: map[string][]byte{}}, queue: &queue{},
		now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC),
	}
	var err error
	b.store, err = store.Open(t.Context(), store.Options{Address: filepath.Join(t.TempDir(), "assay.db"), Now: b.clock})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.store.Close()) })
	limits := intake.DefaultLimits()
	limits.ArchiveBytes = 1 << 20
	modes := map[string]challenges.Mode{"quick": {}, "standard": {}}
	opts := service.Options{
		Store: b.store, Blobs: b.blobs, EraseFolder: b.blobs.erase, Queue: b.queue, Passwords: &passwords{}, Sealer: sealer{},
		Challenges: []*challenges.Challenge{{ID: "one", Version: 3, Modes: modes}, {ID: "two", Version: 1, Modes: modes}},
		SetUpToken: setUpToken, ResetKey: bytes.Repeat([]byte{7}, 32), Now: b.clock, TempDir: t.TempDir(), Intake: limits,
	}
	for _, c := range change {
		c(&opts)
	}
	b.Service, err = service.New(opts)
	require.NoError(t, err)
	return b
}

const password = "correct horse battery"

// owner sets the installation up, or is the owner of one more organisation.
func (b *bench) owner() service.Actor {
	b.t.Helper()
	session, err := b.SetUp(b.t.Context(), service.FirstOwner{Organization: "Acme", Name: "Olga", Email: "olga@acme.example", Password: password})
	require.NoError(b.t, err)
	return b.user(session)
}

func (b *bench) user(session service.Session) service.Actor {
	b.t.Helper()
	a, err := b.UserActor(b.t.Context(), session)
	require.NoError(b.t, err)
	return a
}

// stranger is the owner of another organisation.
func (b *bench) stranger() service.Actor {
	b.t.Helper()
	var session service.Session
	require.NoError(b.t, b.store.Tx(b.t.Context(), func(tx *store.Tx) error {
		org, err := tx.CreateOrganization(b.t.Context(), "Other")
		if err != nil {
			return err
		}
		u, err := tx.CreateUser(b.t.Context(), platform.User{Name: "Eve", Email: "eve@other.example"})
		if err != nil {
			return err
		}
		session = service.Session{UserID: u.ID, Begun: tx.Now(), Org: org.ID}
		return tx.AddMember(b.t.Context(), org.ID, u.ID, platform.Owner)
	}))
	return b.user(session)
}

// member adds somebody with a role.
func (b *bench) member(owner service.Actor, role platform.Role) service.Actor {
	b.t.Helper()
	m, err := b.AddMember(b.t.Context(), owner, string(role)+"@acme.example", string(role), role)
	require.NoError(b.t, err)
	return b.user(service.Session{UserID: m.User.ID, Begun: b.clock(), Org: owner.Org()})
}

func settings() platform.Settings {
	return platform.Settings{
		Name: "Backend", RoleTitle: "Engineer", Mode: "standard", Challenges: []platform.AssessmentChallenge{{ChallengeID: "one", Weight: 1}},
		TimeLimit: time.Hour, Attempts: 1, PassMark: 60, Visible: platform.SeesReport, RetentionDays: 30,
	}
}

func (b *bench) assessment(a service.Actor, s platform.Settings) platform.Assessment {
	b.t.Helper()
	out, err := b.CreateAssessment(b.t.Context(), a, s)
	require.NoError(b.t, err)
	return out
}

// invited invites somebody, and gives the actor that the link makes.
func (b *bench) invited(a service.Actor, assessment platform.ID, email string) (service.Actor, store.InviteResult) {
	b.t.Helper()
	out, err := b.Invite(b.t.Context(), a, service.NewInvitations{AssessmentID: assessment, Invitees: []platform.Invitee{{Name: "Cand", Email: email}}, ByMail: true})
	require.NoError(b.t, err)
	require.Len(b.t, out, 1)
	c, err := b.CandidateActor(b.t.Context(), out[0].Token)
	require.NoError(b.t, err)
	return c, out[0]
}

func (b *bench) upload(kind platform.SubmissionKind, body []byte) service.Upload {
	return service.Upload{ChallengeID: "one", Kind: kind, FileName: "work.zip", Body: bytes.NewReader(body), ReceivedAt: b.clock()}
}

// handIn hands a submission in that is accepted.
func (b *bench) handIn(c service.Actor, kind platform.SubmissionKind, text string) store.HandedIn {
	b.t.Helper()
	out, err := b.Submit(b.t.Context(), c, b.upload(kind, servicetest.Archive(b.t, text)))
	require.NoError(b.t, err)
	require.True(b.t, out.Submission.Intake.Accepted, out.Submission.Intake.Problem)
	require.NotNil(b.t, out.Job)
	return out
}

func (b *bench) start(c service.Actor) service.Own {
	b.t.Helper()
	own, err := b.Start(b.t.Context(), c, 1, service.ConsentVersion)
	require.NoError(b.t, err)
	return own
}

const lease = time.Minute

// claim is what a worker does first.
func (b *bench) claim() platform.Job {
	b.t.Helper()
	var j *platform.Job
	require.NoError(b.t, b.store.Tx(b.t.Context(), func(tx *store.Tx) (err error) {
		j, err = tx.Claim(b.t.Context(), "wrk_1", lease)
		return err
	}))
	require.NotNil(b.t, j)
	return *j
}

// finish gives the newest claim of a job a verdict.
func (b *bench) finish(j platform.Job, verdict platform.Verdict, score float64) platform.Result {
	b.t.Helper()
	report, err := b.blobs.Put(b.t.Context(), platform.BlobKey(j.Org, j.AttemptID, "gradings/"+string(j.ID)), strings.NewReader(`{"report":true}`), 100)
	require.NoError(b.t, err)
	var out store.Finished
	require.NoError(b.t, b.store.Tx(b.t.Context(), func(tx *store.Tx) (err error) {
		out, err = tx.Finish(b.t.Context(), j.Org, j.ID, j.Fence, platform.Result{
			Verdict: verdict, Score: score, Low: score, High: score, Headline: "It held.", Report: report,
			Criteria: []platform.CriterionResult{{ID: "c", Title: "C", Skill: "memory", Assessed: true, Score: score / 100, Weight: 1, Points: score, MaxPoints: 100}},
		})
		if err != nil {
			return err
		}
		if j, err = tx.Job(b.t.Context(), j.Org, j.ID); err != nil {
			return err
		}
		return b.GradingMoved(b.t.Context(), tx, j, &out.Result)
	}))
	return out.Result
}

// fault ends a try without a verdict.
func (b *bench) fault(j platform.Job) platform.Job {
	b.t.Helper()
	require.NoError(b.t, b.store.Tx(b.t.Context(), func(tx *store.Tx) (err error) {
		if j, _, err = tx.Faulted(b.t.Context(), j.Org, j.ID, j.Fence, platform.FaultInfrastructure, "The engine is down."); err != nil {
			return err
		}
		return b.GradingMoved(b.t.Context(), tx, j, nil)
	}))
	return j
}

func (b *bench) requireCode(want platform.Code, err error) {
	b.t.Helper()
	require.Equal(b.t, want, platform.ErrorCode(err), "%v", err)
}

// actions are what the audit log says.
func (b *bench) actions(owner service.Actor) []string {
	b.t.Helper()
	list, err := b.AuditLog(b.t.Context(), owner, "", platform.Page{Limit: platform.MaxPage})
	require.NoError(b.t, err)
	out := make([]string, len(list.Items))
	for i, e := range list.Items {
		out[i] = e.Action
	}
	return out
}
