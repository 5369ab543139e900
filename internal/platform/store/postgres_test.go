//go:build integration

package store_test

import (
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
	"github.com/assay-run/assay/internal/platform/store/storetest"
)

func openPostgres(t *testing.T, now func() time.Time) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Address: storetest.Schema(t, os.Getenv("ASSAY_TEST_POSTGRES")), Now: now})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

func TestPostgres(t *testing.T) { storetest.Run(t, openPostgres) }

func TestMigrationPostgres(t *testing.T) {
	for _, version := range fixtures(t) {
		testMigration(t, storetest.Schema(t, os.Getenv("ASSAY_TEST_POSTGRES")), version)
	}
}

// Servers that start at once on an empty database migrate it once.
func TestPostgresMigratesOnce(t *testing.T) {
	address := storetest.Schema(t, os.Getenv("ASSAY_TEST_POSTGRES"))
	const n = 4
	errs := make(chan error, n)
	for range n {
		go func() {
			s, err := store.Open(t.Context(), store.Options{Address: address})
			if err == nil {
				err = s.Close()
			}
			errs <- err
		}()
	}
	for range n {
		assert.NoError(t, <-errs)
	}
}

// Two transactions that wait for each other: the database ends one of them, and it is repeated.
func TestPostgresDeadlock(t *testing.T) {
	w := storetest.NewWorld(t, openPostgres)
	other := w.Second("second")
	var met, all sync.WaitGroup
	met.Add(2)
	var calls atomic.Int32
	rename := func(first, second platform.OrgID) error {
		var once sync.Once
		return w.Store.Tx(t.Context(), func(tx *store.Tx) error {
			calls.Add(1)
			if err := tx.UpdateOrganization(t.Context(), first, "Renamed", 10); err != nil {
				return err
			}
			once.Do(func() {
				met.Done()
				met.Wait()
			})
			return tx.UpdateOrganization(t.Context(), second, "Renamed", 10)
		})
	}
	all.Go(func() { assert.NoError(t, rename(w.Org, other.Org)) })
	all.Go(func() { assert.NoError(t, rename(other.Org, w.Org)) })
	all.Wait()
	assert.Greater(t, calls.Load(), int32(2), "one was repeated")
}

// The database is restarted before a transaction, and in its middle: both times it is repeated, and nothing is there twice.
func TestPostgresRestart(t *testing.T) {
	for _, tt := range []struct {
		name    string
		restart func(*storetest.Cluster)
	}{{"in order", (*storetest.Cluster).Restart}, {"after a crash", (*storetest.Cluster).Crash}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := storetest.NewCluster(t)
			w := storetest.NewWorld(t, func(t *testing.T, now func() time.Time) *store.Store {
				s, err := store.Open(t.Context(), store.Options{Address: c.Address, Now: now})
				require.NoError(t, err)
				t.Cleanup(func() { assert.NoError(t, s.Close()) })
				return s
			})
			tt.restart(c)
			w.Second("before")
			calls := 0
			require.NoError(t, w.Store.Tx(t.Context(), func(tx *store.Tx) error {
				if calls++; calls == 1 {
					if _, err := tx.CreateOrganization(t.Context(), "In the middle"); err != nil {
						return err
					}
					tt.restart(c)
				}
				_, err := tx.CreateOrganization(t.Context(), "In the middle")
				return err
			}))
			assert.Greater(t, calls, 1)
			n := 0
			require.NoError(t, w.Store.View(t.Context(), func(tx *store.Tx) error {
				return tx.SQL().QueryRowContext(t.Context(), `SELECT COUNT(*) FROM organizations WHERE name = 'In the middle'`).Scan(&n)
			}))
			assert.Equal(t, 1, n)
		})
	}
}

func BenchmarkClaimPostgres(b *testing.B) {
	s, err := store.Open(b.Context(), store.Options{Address: storetest.Schema(b, os.Getenv("ASSAY_TEST_POSTGRES"))})
	require.NoError(b, err)
	b.Cleanup(func() { assert.NoError(b, s.Close()) })
	benchClaim(b, s)
}
