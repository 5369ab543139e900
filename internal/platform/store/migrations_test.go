package store_test

import (
	"flag"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
	"github.com/assay-run/assay/internal/platform/store/storetest"
)

var update = flag.Bool("update", false, "write the fixture of the newest schema")

// fixture is what a database of a version of the schema held that was in use. It is written once, by go test -run TestFixtures
// -update, before the migration that comes after that version, and never again: it is what users have.
func fixture(version int64) string {
	return filepath.Join("testdata", fmt.Sprintf("schema-%d.json", version))
}

// fixtures are the versions that somebody may come from: all but the newest, and the first in any case.
func fixtures(t *testing.T) (versions []int64) {
	t.Helper()
	newest, err := store.NewestSchema()
	require.NoError(t, err)
	for v := int64(1); v < max(newest, 2); v++ {
		require.FileExists(t, fixture(v), "the migration after version %d needs a database of before: see docs/platform-data.md", v)
		versions = append(versions, v)
	}
	return versions
}

// TestFixtures keeps the fixtures whole: each has rows in every table of its version.
func TestFixtures(t *testing.T) {
	if *update {
		newest, err := store.NewestSchema()
		require.NoError(t, err)
		storetest.WriteFixture(storetest.Filled(t, openSQLite), fixture(newest))
	}
	for _, version := range fixtures(t) {
		w := ofFixture(t, filepath.Join(t.TempDir(), "assay.db"), version)
		for table, rows := range storetest.Contents(w) {
			assert.NotEmpty(t, rows, "version %d: %s", version, table)
		}
	}
}

// ofFixture is a store of a version of the schema with the rows of its fixture.
func ofFixture(t *testing.T, address string, version int64) *storetest.World {
	t.Helper()
	clock := storetest.NewClock(time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC))
	s, err := store.OpenAt(t.Context(), store.Options{Address: address, Now: clock.Now}, version)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	current, err := s.Schema(t.Context())
	require.NoError(t, err)
	require.Equal(t, version, current)
	w := &storetest.World{T: t, Store: s, Clock: clock}
	rows := storetest.LoadFixture(w, fixture(version))
	w.Org = platform.OrgID(rows["installation"][0]["org_id"].(string))
	return w
}

func TestMigrationSQLite(t *testing.T) {
	t.Parallel()
	for _, version := range fixtures(t) {
		testMigration(t, filepath.Join(t.TempDir(), "assay.db"), version)
	}
}

// changes are what migrations are meant to change of rows that were there: table.column by the version that does it. What is not
// named here must come through as it was.
func changes() map[string]int64 { return map[string]int64{} }

// requireKept checks that rows are as they were, in the columns that they had.
func requireKept(t *testing.T, version int64, before, after map[string][]storetest.Row) {
	t.Helper()
	for table, rows := range before {
		var was, is []string
		for i, row := range rows {
			for column := range row {
				if changes()[table+"."+column] > version {
					delete(row, column)
				}
			}
			was = append(was, fmt.Sprint(row))
			if i < len(after[table]) {
				kept := storetest.Row{}
				for column := range row {
					kept[column] = after[table][i][column]
				}
				is = append(is, fmt.Sprint(kept))
			}
		}
		assert.Len(t, after[table], len(rows), "%s has its rows", table)
		assert.ElementsMatch(t, was, is, "%s is as it was", table)
	}
}

// testMigration brings a database that was in use at a version to the newest one, and uses it.
func testMigration(t *testing.T, address string, version int64) {
	ctx := t.Context()
	old := ofFixture(t, address, version)
	before := storetest.Contents(old)
	require.NoError(t, old.Store.Close())
	clock := old.Clock
	opts := store.Options{Address: address, Now: clock.Now}

	s, err := store.Open(ctx, opts)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	current, err := s.Schema(ctx)
	require.NoError(t, err)
	newest, err := store.NewestSchema()
	require.NoError(t, err)
	assert.Equal(t, newest, current)
	w := &storetest.World{T: t, Store: s, Clock: clock, Org: old.Org}
	requireKept(t, version, before, storetest.Contents(w))

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
