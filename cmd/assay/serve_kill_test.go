package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/graders/loopback"
	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/service/servicetest"
	"github.com/assay-run/assay/internal/platform/store"
	"github.com/assay-run/assay/internal/platform/worker"
	"github.com/assay-run/assay/internal/platform/worker/workertest"
)

// serverEnv makes the test binary a server: `assay serve` with its settings from the environment, and a scripted grader.
const serverEnv = "ASSAY_TEST_SERVER"

func scriptedServer() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	a := &app{stdio: stdio{out: io.Discard, err: os.Stderr}, env: os.LookupEnv, second: &secondSignal{told: make(chan struct{})}}
	a.grader = func(context.Context, []*challenges.Challenge, *slog.Logger) (inProcess, error) {
		return inProcess{Slots: 2, Ready: func(context.Context) error { return nil }, Grader: &workertest.Grader{Script: func(worker.Task, int) workertest.Step {
			return workertest.Step{Takes: 250 * time.Millisecond, Score: 70}
		}}}, nil
	}
	set, err := a.serveSettings(serveSettings{})
	if err == nil {
		err = a.serve(ctx, set)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		return 1
	}
	return 0
}

const killChallenge = "log-aggregate"

// killed is an installation whose server is killed now and then.
type killed struct {
	t         *testing.T
	dir, base string
	cmd       *exec.Cmd
	log       *os.File
}

func (k *killed) start() {
	k.t.Helper()
	k.cmd = exec.Command(os.Args[0])
	k.cmd.Env = append(os.Environ(), serverEnv+"=1", "ASSAY_DATA_DIR="+k.dir, "ASSAY_LISTEN="+strings.TrimPrefix(k.base, "http://"), "TMPDIR="+k.dir)
	k.cmd.Stderr = k.log
	require.NoError(k.t, k.cmd.Start())
	ready := func() bool {
		out, err := http.Get(k.base + "/readyz")
		if err != nil {
			return false
		}
		defer out.Body.Close()
		return out.StatusCode == http.StatusOK
	}
	for begun := time.Now(); !ready(); time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > time.Minute {
			said, _ := os.ReadFile(k.log.Name())
			require.Fail(k.t, "the server is not ready", "%s", said)
		}
	}
}

// kill ends the server as a power cut does, and lets the leases of its worker run out, as if it had been away for a minute.
func (k *killed) kill() {
	k.t.Helper()
	require.NoError(k.t, k.cmd.Process.Kill())
	_ = k.cmd.Wait() // it was killed
	k.look(func(tx *store.Tx) error {
		state := ""
		if err := tx.SQL().QueryRowContext(k.t.Context(), `PRAGMA integrity_check`).Scan(&state); err != nil {
			return err
		}
		assert.Equal(k.t, "ok", state)
		_, err := tx.SQL().ExecContext(k.t.Context(), `UPDATE jobs SET lease_until = 0 WHERE state = 'running'`)
		return err
	})
}

// awaitGrading waits for a moment at which the server grades, for a while: there may be nothing left.
func (k *killed) awaitGrading() {
	k.t.Helper()
	s, err := store.Open(k.t.Context(), store.Options{Address: filepath.Join(k.dir, "assay.db")})
	require.NoError(k.t, err)
	defer func() { require.NoError(k.t, s.Close()) }()
	for begun := time.Now(); time.Since(begun) < 5*time.Second; time.Sleep(5 * time.Millisecond) {
		running := 0
		require.NoError(k.t, s.View(k.t.Context(), func(tx *store.Tx) error {
			return tx.SQL().QueryRowContext(k.t.Context(), `SELECT COUNT(*) FROM jobs WHERE state = 'running'`).Scan(&running)
		}))
		if running > 0 {
			return
		}
	}
}

// look opens the database beside the server.
func (k *killed) look(do func(*store.Tx) error) {
	k.t.Helper()
	s, err := store.Open(k.t.Context(), store.Options{Address: filepath.Join(k.dir, "assay.db")})
	require.NoError(k.t, err)
	defer func() { require.NoError(k.t, s.Close()) }()
	require.NoError(k.t, s.Tx(k.t.Context(), do))
}

// uploader is a candidate who hands in until the server says that it was taken.
type uploader struct {
	org        platform.OrgID
	invitation platform.Invitation
	token      string
	attempt    platform.ID
	taken      map[platform.SubmissionKind]int // what the server has acknowledged
}

// fill makes an organisation whose candidates have begun.
func (k *killed) fill(n int) []*uploader {
	k.t.Helper()
	var out []*uploader
	ctx := k.t.Context()
	k.look(func(tx *store.Tx) error {
		out = nil
		org, owner, err := tx.SetUp(ctx, "Example", platform.User{Email: "owner@example.org", Name: "Olga"})
		if err != nil {
			return err
		}
		as, err := tx.CreateAssessment(ctx, org.ID, owner.ID, platform.Settings{
			Name: "Backend", RoleTitle: "Engineer", Mode: "quick", TimeLimit: time.Hour, Attempts: 1, PassMark: 60, Visible: platform.SeesScore,
			RetentionDays: 30, Challenges: []platform.AssessmentChallenge{{ChallengeID: killChallenge, Version: 1, Weight: 1}},
		})
		if err != nil {
			return err
		}
		for i := range n {
			made, err := tx.Invite(ctx, org.ID, store.Invite{
				AssessmentID: as.ID, Invitees: []platform.Invitee{{Name: fmt.Sprint("Candidate ", i)}}, ExpiresAt: tx.Now().Add(time.Hour), By: owner.ID,
			})
			if err != nil {
				return err
			}
			t, _, err := tx.StartAttempt(ctx, org.ID, made[0].Invitation.ID, 1, "1")
			if err != nil {
				return err
			}
			out = append(out, &uploader{org.ID, made[0].Invitation, made[0].Token, t.ID, map[platform.SubmissionKind]int{}})
		}
		return nil
	})
	return out
}

// handIn sends a submission until the server answers. Whoever got no answer sends it again: of what is final, the server then says
// that it is there, or that the attempt is over.
func (u *uploader) handIn(ctx context.Context, base string, kind platform.SubmissionKind, body []byte) error {
	for ctx.Err() == nil {
		status, err := u.send(ctx, base, kind, body)
		switch {
		case err != nil || status >= http.StatusInternalServerError && status != http.StatusNotImplemented:
			time.Sleep(20 * time.Millisecond) // the server is away
		case status == http.StatusSeeOther, kind == platform.Final && (status == http.StatusGone || status == http.StatusConflict):
			u.taken[kind]++
			return nil
		case status == http.StatusTooManyRequests: // so many dry runs wait, some of them without our knowing
			time.Sleep(50 * time.Millisecond)
		default:
			return fmt.Errorf("hand in %s: status %d", kind, status)
		}
	}
	return ctx.Err()
}

func (u *uploader) send(ctx context.Context, base string, kind platform.SubmissionKind, body []byte) (int, error) {
	var form bytes.Buffer
	parts := multipart.NewWriter(&form)
	for _, f := range [][2]string{{"kind", string(kind)}, {"sure", "on"}} {
		if err := parts.WriteField(f[0], f[1]); err != nil {
			return 0, err
		}
	}
	file, err := parts.CreateFormFile("archive", "work.zip")
	if err != nil {
		return 0, err
	}
	if _, err := file.Write(body); err != nil {
		return 0, err
	}
	if err := parts.Close(); err != nil {
		return 0, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/my/"+string(u.invitation.ID)+"/work/"+killChallenge+"/submissions", &form)
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", parts.FormDataContentType())
	r.AddCookie(&http.Cookie{Name: "assay_my", Value: u.token})
	out, err := http.DefaultTransport.RoundTrip(r) // redirects are answers here
	if err != nil {
		return 0, err
	}
	defer out.Body.Close()
	if _, err := io.Copy(io.Discard, out.Body); err != nil {
		return 0, err
	}
	return out.StatusCode, nil
}

// The server is killed at random moments while candidates hand in. What it has acknowledged is there after it was started again,
// and is graded once.
func TestServeIsKilled(t *testing.T) {
	t.Parallel()
	const candidates, dryRuns, kills = 16, 3, 6
	port, err := loopback.FreePort()
	require.NoError(t, err)
	k := &killed{t: t, dir: t.TempDir(), base: "http://127.0.0.1:" + port}
	k.log, err = os.Create(filepath.Join(k.dir, "server.log"))
	require.NoError(t, err)
	defer k.log.Close()
	all := k.fill(candidates)
	k.start()
	defer func() { _ = k.cmd.Process.Kill() }()

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var uploads sync.WaitGroup
	for _, u := range all {
		uploads.Go(func() {
			for n := range dryRuns {
				time.Sleep(rand.N(700 * time.Millisecond))
				assert.NoError(t, u.handIn(ctx, k.base, platform.DryRun, servicetest.Archive(t, fmt.Sprint("try ", n))))
			}
			time.Sleep(rand.N(700 * time.Millisecond))
			assert.NoError(t, u.handIn(ctx, k.base, platform.Final, servicetest.Archive(t, "done")))
		})
	}
	for n := range kills {
		time.Sleep(100*time.Millisecond + rand.N(400*time.Millisecond))
		if n%2 == 1 {
			k.awaitGrading()
		}
		k.kill()
		k.start()
	}
	uploads.Wait()
	require.Eventually(t, func() bool {
		n := 0
		k.look(func(tx *store.Tx) error {
			return tx.SQL().QueryRowContext(ctx, `SELECT COUNT(*) FROM jobs WHERE state IN ('queued', 'retrying', 'running')`).Scan(&n)
		})
		return n == 0
	}, time.Minute, 100*time.Millisecond, "everything is graded")
	require.NoError(t, k.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, k.cmd.Wait())
	k.check(all, dryRuns)
}

// check compares what was acknowledged with what is there.
func (k *killed) check(all []*uploader, dryRuns int) {
	t, ctx := k.t, k.t.Context()
	t.Helper()
	results, tries := 0, 0
	k.look(func(tx *store.Tx) error {
		for _, u := range all {
			list, err := tx.Submissions(ctx, u.org, u.attempt, platform.Page{Limit: platform.MaxPage})
			if err != nil {
				return err
			}
			there := map[platform.SubmissionKind]int{}
			for _, s := range list.Items {
				there[s.Kind]++
				jobs, err := tx.Jobs(ctx, u.org, store.JobFilter{SubmissionID: s.ID}, platform.Page{})
				if err != nil {
					return err
				}
				found, err := tx.Results(ctx, u.org, store.ResultFilter{SubmissionID: s.ID, Superseded: true}, platform.Page{})
				if err != nil {
					return err
				}
				if assert.Len(t, jobs.Items, 1) && assert.Len(t, found.Items, 1) {
					assert.Equal(t, platform.JobGraded, jobs.Items[0].State)
					tries += jobs.Items[0].Tries
				}
				results += len(found.Items)
			}
			assert.Equal(t, []int{1, 1}, []int{u.taken[platform.Final], there[platform.Final]})
			assert.Equal(t, dryRuns, u.taken[platform.DryRun])
			assert.GreaterOrEqual(t, there[platform.DryRun], dryRuns, "whoever got no answer may have handed in twice")
		}
		return nil
	})
	files, err := filepath.Glob(filepath.Join(k.dir, "files", "orgs", "*", "attempts", "*", "gradings", "*", "*", "*.json*"))
	require.NoError(t, err)
	assert.Len(t, files, 2*results, "each verdict has its two files, and there are no others")
	t.Logf("%d results of %d tries", results, tries)
	assert.Greater(t, tries, results, "the kills have hit gradings, or this test says nothing")
}
