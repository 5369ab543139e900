package store_test

import (
	"flag"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
	"github.com/assay-run/assay/internal/platform/store/storetest"
)

// fixtureVersion is the version of the schema that the fixture holds data of. It is written once, by go test -run
// TestFixture -update, before the first migration that comes after it, and never again: it is what users have.
const fixtureVersion = 1

var update = flag.Bool("update", false, "write the fixture of the newest schema")

func fixturePath() string { return filepath.Join("testdata", "schema-1.json") }

// TestFixture keeps the fixture whole: it has rows in every table of its version.
func TestFixture(t *testing.T) {
	if *update {
		storetest.WriteFixture(storetest.Filled(t, openSQLite), fixturePath())
	}
	path := filepath.Join(t.TempDir(), "assay.db")
	s, err := store.OpenAt(t.Context(), store.Options{Address: path, Now: time.Now}, fixtureVersion)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	rows := storetest.LoadFixture(&storetest.World{T: t, Store: s}, fixturePath())
	empty := map[string]bool{"identities": true, "sessions": true, "idempotency_keys": true, "attempt_extensions": true, "attempt_pauses": true}
	for table, r := range rows {
		assert.Equal(t, empty[table], len(r) == 0, "%s: %d rows", table, len(r))
	}
}

func TestMigrationSQLite(t *testing.T) {
	t.Parallel()
	testMigration(t, filepath.Join(t.TempDir(), "assay.db"))
}

// testMigration brings a database that was in use at the fixture's version to the newest one, and uses it.
func testMigration(t *testing.T, address string) {
	ctx := t.Context()
	clock := storetest.NewClock(time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC))
	opts := store.Options{Address: address, Now: clock.Now}
	old, err := store.OpenAt(ctx, opts, fixtureVersion)
	require.NoError(t, err)
	rows := storetest.LoadFixture(&storetest.World{T: t, Store: old}, fixturePath())
	require.NoError(t, old.Close())

	s, err := store.Open(ctx, opts)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	current, newest, err := s.Newest(ctx)
	require.NoError(t, err)
	assert.Equal(t, newest, current)
	w := &storetest.World{T: t, Store: s, Clock: clock, Org: platform.OrgID(rows["installation"][0]["org_id"].(string))}
	after := storetest.Dump(w)
	for table, before := range rows {
		assert.Len(t, after[table], len(before), "%s has kept its rows", table)
	}

	var lists []platform.Assessment
	w.Do(func(tx *store.Tx) error {
		list, err := tx.Assessments(ctx, w.Org, false, platform.Page{})
		lists = list.Items
		return err
	})
	require.Len(t, lists, 3)
	candidates := 0
	for _, a := range lists {
		w.Do(func(tx *store.Tx) error {
			list, err := tx.Overview(ctx, w.Org, a.ID, platform.OverviewFilter{}, platform.ByScore, platform.Page{})
			candidates += len(list.Items)
			return err
		})
	}
	assert.Equal(t, 3, candidates)
	w.Do(func(tx *store.Tx) error {
		results, err := tx.Results(ctx, w.Org, store.ResultFilter{}, platform.Page{})
		if assert.Len(t, results.Items, 1) {
			assert.Len(t, results.Items[0].Criteria, 2)
		}
		return err
	})
	job := w.Claim("wrk_new")
	require.NotNil(t, job, "what was waiting is graded by the new version")
	w.Finish(job, 75)
}

// A database of a newer Assay is not touched.
func TestNewerSchema(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "assay.db")
	s, err := store.Open(t.Context(), store.Options{Address: path})
	require.NoError(t, err)
	write, _ := s.Databases()
	_, err = write.ExecContext(t.Context(), `INSERT INTO schema_versions (version_id, is_applied) VALUES (9999, TRUE)`)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	_, err = store.Open(t.Context(), store.Options{Address: path})
	require.ErrorContains(t, err, "use a newer Assay")
}
