package backup_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/backup"
	"github.com/assay-run/assay/internal/platform/blob"
	"github.com/assay-run/assay/internal/platform/store"
	"github.com/assay-run/assay/internal/platform/store/storetest"
)

func now() time.Time { return time.Date(2026, 12, 2, 9, 0, 0, 0, time.UTC) }

func TestBackupWhileItIsInUseSQLite(t *testing.T) {
	t.Parallel()
	testInUse(t, onSQLite, onSQLite)
}

// testInUse makes archives while candidates hand in and are erased. Whatever is restored fits together: every file that a row
// names is there with its digest, and who was erased is not.
func testInUse(t *testing.T, from, to place) {
	i := newInstallation(t, from)
	as := i.Assessment(storetest.Settings())
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var all sync.WaitGroup
	const writers = 3
	var handedIn atomic.Int64
	for n := range writers {
		all.Go(func() {
			for k := 1; ctx.Err() == nil; k++ {
				if !assert.NoError(t, i.handIn(t.Context(), as, fmt.Sprintf("w%d-%d", n, k), k%3 == 0)) {
					return
				}
				handedIn.Add(1)
			}
		})
	}
	const least = 12
	var names []string
	for !t.Failed() && (len(names) < 3 || handedIn.Load() < least) {
		name, made := i.back()
		assert.Empty(t, made.Lost)
		names = append(names, name)
	}
	stop()
	all.Wait()
	most := 0
	names = names[max(0, len(names)-3):]
	for _, name := range names {
		after, _ := restored(t, name, to, i.Clock.Now)
		have := contents(t, after.files)
		rows := storetest.Contents(after.World)
		for _, row := range rows["submissions"] {
			key := row["archive_key"].(string)
			require.Equal(t, strings.TrimPrefix(row["archive_digest"].(string), "sha256:"), have[key], key)
		}
		assert.Len(t, rows["jobs"], len(rows["submissions"]), "a submission and its job come together")
		most = max(most, len(rows["submissions"]))
	}
	assert.Greater(t, most, 4, "and some of it is in an archive")
}

// handIn is what somebody does who comes, hands in, and perhaps wants to be forgotten.
func (i *installation) handIn(ctx context.Context, as platform.Assessment, name string, forget bool) error {
	var a platform.Attempt
	err := i.Store.Tx(ctx, func(tx *store.Tx) error {
		in, err := tx.Invite(ctx, as.Org, store.Invite{
			AssessmentID: as.ID, Invitees: []platform.Invitee{{Name: name, Email: name + "@example.org"}}, ExpiresAt: tx.Now().Add(time.Hour), By: i.Owner,
		})
		if err != nil {
			return err
		}
		a, _, err = tx.StartAttempt(ctx, as.Org, in[0].Invitation.ID, 1, "2026-11")
		return err
	})
	if err != nil {
		return err
	}
	key := platform.BlobKey(a.Org, a.ID, "submissions/"+string(platform.NewTimelessID(platform.KindSubmission))+"/archive")
	b, err := i.files.Put(ctx, key, strings.NewReader("what "+name+" has made"), 1000)
	if err != nil {
		return err
	}
	err = i.Store.Tx(ctx, func(tx *store.Tx) error {
		in := i.Upload(a, "log-aggregate", platform.DryRun)
		in.Archive = b
		_, err := tx.Submit(ctx, a.Org, in)
		return err
	})
	if err != nil || !forget {
		return err
	}
	err = i.Store.Tx(ctx, func(tx *store.Tx) error {
		if err := tx.EraseCandidate(ctx, a.Org, a.CandidateID); err != nil {
			return err
		}
		return tx.Audit(ctx, a.Org, platform.AuditEntry{Actor: platform.Actor{Kind: platform.ActorSystem}, Action: platform.ActionErase, Subject: a.CandidateID})
	})
	if err != nil {
		return err
	}
	_, err = blob.Erase(ctx, i.files, platform.BlobPrefix(a.Org, a.ID))
	return err
}

// An archive of an older schema is migrated.
func TestOlderSchema(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	old, err := store.OpenAt(ctx, store.Options{Address: onSQLite(t), Now: now}, 1)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, old.Close()) })
	w := &storetest.World{T: t, Store: old}
	storetest.LoadFixture(w, "../store/testdata/schema-1.json")
	name := archive(t)
	// Its files are not kept beside it: they are told as lost.
	made, err := backup.Create(ctx, backup.Options{Store: old, Blobs: openFiles(t), To: name, Now: now})
	require.NoError(t, err)
	assert.EqualValues(t, 1, made.Header.Schema)
	assert.NotEmpty(t, made.Lost)
	after, done := restored(t, name, onSQLite, now)
	assert.Equal(t, made.Rows, done.Rows)
	version, err := after.Store.Schema(ctx)
	require.NoError(t, err)
	newest, err := store.NewestSchema()
	require.NoError(t, err)
	assert.Equal(t, newest, version)
	require.NotNil(t, after.World.Claim("wrk_new"), "what waited is graded")
}
