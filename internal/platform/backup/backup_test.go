package backup_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/backup"
	"github.com/assay-run/assay/internal/platform/blob"
	"github.com/assay-run/assay/internal/platform/store"
	"github.com/assay-run/assay/internal/platform/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// place says where a database is to be: each call tells another one, which is empty.
type place func(t *testing.T) string

func onSQLite(t *testing.T) string { return filepath.Join(t.TempDir(), "assay.db") }

func openAt(t *testing.T, address string, now func() time.Time) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Address: address, Now: now})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

func openFiles(t *testing.T) *blob.Files {
	t.Helper()
	f, err := blob.OpenFiles(t.TempDir(), time.Now())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, f.Close()) })
	return f
}

// installation is one that is in use, with a row in every table and all files that rows name.
type installation struct {
	*storetest.World
	address string
	files   blob.Store
}

func newInstallation(t *testing.T, at place) *installation {
	t.Helper()
	i := &installation{address: at(t), files: openFiles(t)}
	i.World = storetest.Filled(t, func(t *testing.T, now func() time.Time) *store.Store { return openAt(t, i.address, now) })
	i.putFiles()
	return i
}

// putFiles makes the files that rows name, with the names that they have in use, and a page beside each report.
func (i *installation) putFiles() {
	i.T.Helper()
	i.run(`UPDATE submissions SET archive_key = 'orgs/' || org_id || '/attempts/' || attempt_id || '/submissions/' || id || '/archive' WHERE archive_key <> ''`)
	for _, name := range []string{"report", "evidence"} {
		i.run(`UPDATE results SET ` + name + `_key = 'orgs/' || org_id || '/attempts/' || attempt_id || '/gradings/' || job_id || '/1/` + name + `' WHERE ` + name + `_key <> ''`)
	}
	for _, c := range [][2]string{{"submissions", "archive"}, {"results", "report"}, {"results", "evidence"}} {
		for _, row := range storetest.Contents(i.World)[c[0]] {
			key := row[c[1]+"_key"].(string)
			if key == "" {
				continue
			}
			b := i.put(key, strings.Repeat(c[1]+" of "+key+"\n", 20))
			i.run(`UPDATE `+c[0]+` SET `+c[1]+`_digest = $1, `+c[1]+`_bytes = $2 WHERE `+c[1]+`_key = $3`, b.Digest, b.Bytes, key)
			if c[1] == "report" {
				i.put(strings.TrimSuffix(key, "report")+"report.html", "<p>the page of "+key)
			}
		}
	}
}

func (i *installation) put(key, text string) platform.Blob {
	i.T.Helper()
	b, err := i.files.Put(i.T.Context(), key, strings.NewReader(text), 1<<20)
	require.NoError(i.T, err)
	return b
}

func (i *installation) run(statement string, args ...any) {
	i.T.Helper()
	i.Do(func(tx *store.Tx) error {
		_, err := tx.SQL().ExecContext(i.T.Context(), statement, args...)
		return err
	})
}

// contents are all files of a store with their digests.
func contents(t *testing.T, s blob.Store) map[string]string {
	t.Helper()
	out := map[string]string{}
	require.NoError(t, s.Walk(t.Context(), "", func(i blob.Info) error {
		f, _, err := s.Open(t.Context(), i.Key)
		require.NoError(t, err)
		defer f.Close()
		hash := sha256.New()
		_, err = io.Copy(hash, f)
		require.NoError(t, err)
		out[i.Key] = hex.EncodeToString(hash.Sum(nil))
		return nil
	}))
	return out
}

// archive is a name for one.
func archive(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "backup.tar.gz")
}

func (i *installation) options(to string) backup.Options {
	return backup.Options{Store: i.Store, Blobs: i.files, To: to, Assay: "test", Now: i.Clock.Now}
}

// back makes an archive of the installation.
func (i *installation) back() (string, backup.Content) {
	i.T.Helper()
	to := archive(i.T)
	made, err := backup.Create(i.T.Context(), i.options(to))
	require.NoError(i.T, err)
	return to, made
}

// restored is an installation that was made of an archive.
func restored(t *testing.T, from string, at place, now func() time.Time, again ...platform.Erasure) (*installation, backup.Restored) {
	t.Helper()
	i := &installation{address: at(t), files: openFiles(t)}
	done, err := backup.Restore(t.Context(), i.target(t, from, now, again...))
	require.NoError(t, err)
	i.World = &storetest.World{T: t, Store: openAt(t, i.address, now)}
	return i, done
}

func (i *installation) target(t *testing.T, from string, now func() time.Time, again ...platform.Erasure) backup.RestoreOptions {
	return backup.RestoreOptions{From: from, Database: i.address, Blobs: i.files, Again: again, TempDir: t.TempDir(), Now: now}
}

func TestRoundTripSQLite(t *testing.T) {
	t.Parallel()
	testRoundTrip(t, onSQLite, onSQLite)
}

// testRoundTrip restores an installation elsewhere, and compares every row of every table and every file.
func testRoundTrip(t *testing.T, from, to place) {
	i := newInstallation(t, from)
	// Values that are easy to lose.
	i.run(`UPDATE users SET name = $1`, "Zoë \u2028 \"<&>\\ \U0001F600\n\ttail ")
	i.run(`UPDATE results SET score = $1`, 1.0/3)
	i.run(`UPDATE audit_log SET at = $1 WHERE id = (SELECT MIN(id) FROM audit_log)`, int64(1)<<53+1)
	before, files := storetest.Contents(i.World), contents(t, i.files)
	name, made := i.back()
	require.Empty(t, made.Lost)
	require.Len(t, files, made.Files, "every file, also those that no column names")
	info, err := os.Stat(name)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "nobody else reads it")
	checked, err := backup.Check(t.Context(), name, nil)
	require.NoError(t, err)
	assert.Equal(t, made.Rows, checked.Rows)
	assert.Equal(t, made.Files, checked.Files)

	after, done := restored(t, name, to, i.Clock.Now)
	assert.Equal(t, made.Rows, done.Rows)
	assert.Equal(t, files, contents(t, after.files))
	got := storetest.Contents(after.World)
	for table, rows := range before {
		want, is := rows, got[table]
		if _, left := backup.LeftOut()[table]; left {
			assert.Empty(t, is, "%s is left out", table)
			assert.NotEmpty(t, rows, "%s had something to leave out", table)
			continue
		}
		require.NotEmpty(t, rows, "%s has rows, or this test shows nothing about it", table)
		switch table {
		case "audit_log":
			is = without(is, func(r storetest.Row) bool { return r["action"] == platform.ActionRestore })
			assert.Len(t, got[table], len(rows)+2, "each organisation's log says that it was restored")
		case "jobs":
			want, is = steady(want), steady(is)
		}
		assert.Equal(t, want, is, table)
	}
	assert.Len(t, got, len(before))
}

func without(rows []storetest.Row, drop func(storetest.Row) bool) []storetest.Row {
	out := []storetest.Row{}
	for _, r := range rows {
		if !drop(r) {
			out = append(out, r)
		}
	}
	return out
}

// steady are jobs without what restoring changes of those that wait or run.
func steady(rows []storetest.Row) []storetest.Row {
	out := []storetest.Row{}
	for _, r := range rows {
		kept := storetest.Row{}
		for column, v := range r {
			kept[column] = v
		}
		if s := r["state"]; s == "running" || s == "queued" || s == "retrying" {
			for _, column := range []string{"state", "fence", "tries", "worker_id", "lease_until", "progress", "why"} {
				delete(kept, column)
			}
		}
		out = append(out, kept)
	}
	return out
}

// A table that comes with a later migration is in the archive without anybody having thought of it.
func TestEveryTableIsInIt(t *testing.T) {
	t.Parallel()
	i := newInstallation(t, onSQLite)
	i.run(`CREATE TABLE later (org_id TEXT NOT NULL REFERENCES organizations (id), n BIGINT, photo_key TEXT, photo_digest TEXT, photo_bytes BIGINT)`)
	b := i.put("orgs/x/attempts/y/photos/1/photo", "a photo")
	i.run(`INSERT INTO later VALUES ($1, 7, $2, $3, $4)`, string(i.Org), b.Key, b.Digest, b.Bytes)
	name, _ := i.back()
	members := membersOf(t, name)
	for _, table := range append(storetest.Tables(), "later") {
		_, left := backup.LeftOut()[table]
		assert.Equal(t, !left, strings.Contains(string(members["database.jsonl"]), fmt.Sprintf(`{"table":%q,`, table)), table)
	}
	assert.Equal(t, "a photo", string(members["files/"+b.Key]), "and so are the files that it names")
}

// What goes on after a restoring: gradings, clocks, people.
func TestWhatGoesOn(t *testing.T) {
	t.Parallel()
	i := newInstallation(t, onSQLite)
	a := i.Working(i.Assessment(storetest.Settings()), "dora")
	i.Submit(a, "log-aggregate", platform.DryRun)
	var claimed []platform.Job
	for j := i.Claim("wrk_old"); j != nil; j = i.Claim("wrk_old") {
		claimed = append(claimed, *j)
	}
	require.NotEmpty(t, claimed)
	i.putFiles()
	name, _ := i.back()
	i.Clock.Move(5 * time.Hour)
	after, done := restored(t, name, onSQLite, i.Clock.Now)
	w := after.World
	assert.GreaterOrEqual(t, done.Queued, len(claimed))
	assert.NotZero(t, done.Credited)
	require.NoError(t, w.Store.View(t.Context(), func(tx *store.Tx) error {
		for _, was := range claimed {
			j, err := tx.Job(t.Context(), was.Org, was.ID)
			require.NoError(t, err)
			assert.Equal(t, []any{platform.JobQueued, was.Tries - 1, platform.ID("")}, []any{j.State, j.Tries, j.WorkerID})
			assert.Greater(t, j.Fence, was.Fence)
		}
		now, err := tx.Attempt(t.Context(), a.Org, a.ID)
		require.NoError(t, err)
		assert.Equal(t, a.Clock.Ends(a.Clock.Started).Add(5*time.Hour), now.Clock.Ends(i.Clock.Now()), "the time since the backup is given back")
		return nil
	}))
	// A worker of before that comes back cannot write, not even after somebody else has taken the job.
	next := w.Claim("wrk_new")
	require.NotNil(t, next)
	for _, was := range claimed {
		err := w.Try(func(tx *store.Tx) error {
			_, err := tx.Finish(t.Context(), was.Org, was.ID, was.Fence, storetest.Verdict(99))
			return err
		})
		assert.Equal(t, platform.Conflict, platform.ErrorCode(err), "%v", err)
	}
	assert.Empty(t, storetest.Contents(w)["sessions"], "nobody is signed in")
}

// Erasures that came after the backup are done again, from the database that was in use or from a newer archive.
func TestErasedPeopleStayErased(t *testing.T) {
	t.Parallel()
	i := newInstallation(t, onSQLite)
	a := i.Graded(i.Assessment(one()), "erased", 80)
	due := i.Graded(i.Assessment(one()), "overdue", 70)
	own := i.Graded(i.Assessment(one()), "own", 70)
	i.putFiles()
	old, _ := i.back()
	i.Clock.Move(time.Hour)
	i.Do(func(tx *store.Tx) error {
		for _, err := range []error{
			tx.EraseCandidate(t.Context(), a.Org, a.CandidateID),
			tx.EraseInvitation(t.Context(), a.Org, due.InvitationID),
			tx.EraseInvitation(t.Context(), a.Org, own.InvitationID),
			log(t, tx, a.Org, platform.ActionErase, a.CandidateID, ""),
			log(t, tx, a.Org, platform.ActionEraseDue, due.InvitationID, ""),
			log(t, tx, a.Org, platform.ActionEraseOwn, own.CandidateID, fmt.Sprintf(`{"invitation":%q}`, own.InvitationID)),
		} {
			if err != nil {
				return err
			}
		}
		return nil
	})
	newer, _ := i.back()
	back, _ := restored(t, old, onSQLite, i.Clock.Now)
	require.True(t, back.mentions("erased@example.org"), "an old backup alone brings people back")

	for _, source := range []string{i.address, newer} {
		again, err := backup.Erasures(t.Context(), source, nil)
		require.NoError(t, err)
		after, done := restored(t, old, onSQLite, i.Clock.Now, again...)
		assert.Equal(t, 3, done.ErasedAgain)
		for _, who := range []string{"erased@example.org", "overdue@example.org", "own@example.org"} {
			assert.False(t, after.mentions(who), who)
		}
		for key := range contents(t, after.files) {
			for _, gone := range []platform.Attempt{a, due, own} {
				assert.NotContains(t, key, string(gone.ID))
			}
		}
		// What was done again is known to the next restoring too.
		once, err := backup.Erasures(t.Context(), after.address, nil)
		require.NoError(t, err)
		assert.Len(t, once, 3)
	}
}

// one are settings with a single challenge.
func one() platform.Settings {
	s := storetest.Settings()
	s.Challenges = s.Challenges[:1]
	return s
}

func log(t *testing.T, tx *store.Tx, org platform.OrgID, action string, subject platform.ID, detail string) error {
	return tx.Audit(t.Context(), org, platform.AuditEntry{Actor: platform.Actor{Kind: platform.ActorSystem}, Action: action, Subject: subject, Detail: detail})
}

// mentions says whether a text is anywhere in the database.
func (i *installation) mentions(text string) bool {
	i.T.Helper()
	return strings.Contains(fmt.Sprint(storetest.Contents(i.World)), text)
}

// erasing is a blob store in which somebody is erased as soon as the first file is read.
type erasing struct {
	blob.Store
	erase func()
}

func (e *erasing) Open(ctx context.Context, key string) (io.ReadCloser, int64, error) {
	if e.erase != nil {
		e.erase()
		e.erase = nil
	}
	return e.Store.Open(ctx, key)
}

func TestErasedWhileItIsMade(t *testing.T) {
	t.Parallel()
	i := newInstallation(t, onSQLite)
	a := i.Graded(i.Assessment(one()), "erased", 80)
	i.putFiles()
	opts := i.options(archive(t))
	opts.Blobs = &erasing{i.files, func() {
		i.Do(func(tx *store.Tx) error {
			if err := tx.EraseCandidate(t.Context(), a.Org, a.CandidateID); err != nil {
				return err
			}
			return log(t, tx, a.Org, platform.ActionErase, a.CandidateID, "")
		})
		_, err := blob.Erase(t.Context(), i.files, platform.BlobPrefix(a.Org, a.ID))
		require.NoError(t, err)
	}}
	made, err := backup.Create(t.Context(), opts)
	require.NoError(t, err)
	assert.Empty(t, made.Lost, "nobody misses these files")
	after, done := restored(t, opts.To, onSQLite, i.Clock.Now)
	assert.Equal(t, 1, done.ErasedAgain)
	assert.False(t, after.mentions("erased@example.org"))
}

// A file that is missing or was changed is told, and the rest is kept.
func TestLostFiles(t *testing.T) {
	t.Parallel()
	i := newInstallation(t, onSQLite)
	var reports []string
	for _, row := range storetest.Contents(i.World)["results"] {
		reports = append(reports, row["report_key"].(string), row["evidence_key"].(string))
	}
	require.NoError(t, i.files.Delete(t.Context(), reports[0]))
	i.put(reports[1], "something else")
	name, made := i.back()
	want := []backup.Lost{{Key: reports[0], Why: "missing"}, {Key: reports[1], Why: "changed"}}
	assert.ElementsMatch(t, want, made.Lost)
	after, done := restored(t, name, onSQLite, i.Clock.Now)
	assert.ElementsMatch(t, want, done.Lost)
	assert.Equal(t, contents(t, i.files), contents(t, after.files))
}
