package store_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
	"github.com/assay-run/assay/internal/platform/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openSQLite(t *testing.T, now func() time.Time) *store.Store {
	t.Helper()
	// The name has signs that mean something in an address.
	s, err := store.Open(t.Context(), store.Options{Address: filepath.Join(t.TempDir(), "a?b #1%20.db"), Now: now})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	storetest.Run(t, openSQLite)
}

func TestOpenTwice(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "assay.db")
	for range 2 {
		s, err := store.Open(t.Context(), store.Options{Address: path})
		require.NoError(t, err)
		require.NoError(t, s.Ready(t.Context()))
		require.NoError(t, s.Close())
		require.NoError(t, s.Close(), "closing is idempotent")
	}
	info, err := os.Stat(path)
	require.NoError(t, err, "the data are in the file that was named")
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "and nobody else reads them")
	_, err = store.Open(t.Context(), store.Options{})
	require.Error(t, err)
	_, err = store.Open(t.Context(), store.Options{Address: filepath.Join(t.TempDir(), "none", "assay.db")})
	require.Error(t, err)
}

// Writers wait for each other instead of failing, and readers see a whole state beside them.
func TestWritersAndReaders(t *testing.T) {
	t.Parallel()
	w := storetest.NewWorld(t, openSQLite)
	const writers, rounds = 8, 25
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range rounds {
				err := w.Store.Tx(t.Context(), func(tx *store.Tx) error {
					return tx.Audit(t.Context(), w.Org, platform.AuditEntry{Actor: platform.Actor{Kind: platform.ActorSystem}, Action: "test"})
				})
				if !assert.NoError(t, err) {
					return
				}
				err = w.Store.View(t.Context(), func(tx *store.Tx) error {
					_, err := tx.AuditLog(t.Context(), w.Org, "", platform.Page{})
					return err
				})
				if !assert.NoError(t, err) {
					return
				}
			}
		})
	}
	all.Wait()
	assert.Len(t, storetest.Dump(w)["audit_log"], writers*rounds)
}
