//go:build integration

package backup_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform/backup"
	"github.com/assay-run/assay/internal/platform/store"
	"github.com/assay-run/assay/internal/platform/store/storetest"
)

func onPostgres(t *testing.T) string {
	t.Helper()
	return storetest.Schema(t, os.Getenv("ASSAY_TEST_POSTGRES"))
}

func TestRoundTripPostgres(t *testing.T) { testRoundTrip(t, onPostgres, onPostgres) }

// An installation that has outgrown SQLite goes on in PostgreSQL.
func TestFromSQLiteToPostgres(t *testing.T) { testRoundTrip(t, onSQLite, onPostgres) }

func TestFromPostgresToSQLite(t *testing.T) { testRoundTrip(t, onPostgres, onSQLite) }

func TestBackupWhileItIsInUsePostgres(t *testing.T) { testInUse(t, onPostgres, onPostgres) }

func TestPlacesThatAreTakenPostgres(t *testing.T) {
	i := newInstallation(t, onPostgres)
	name, _ := i.back()
	_, err := backup.Restore(t.Context(), (&installation{address: i.address, files: openFiles(t)}).target(t, name, i.Clock.Now))
	require.ErrorIs(t, err, backup.ErrNotEmpty)
	require.True(t, i.mentions("Example Logistics"), "nothing of it is touched")
	// One that was started and that nobody has set up is no hindrance; and when it fails, it can be tried again.
	fresh := &installation{address: onPostgres(t), files: openFiles(t)}
	s, err := store.Open(t.Context(), store.Options{Address: fresh.address})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	refused := writeMembers(t, replace("database.jsonl", `{"table":"users"`, `{"table":"people"`)(t, readMembers(t, name)))
	_, err = backup.Restore(t.Context(), fresh.target(t, refused, i.Clock.Now))
	require.ErrorIs(t, err, backup.ErrDamaged)
	_, err = backup.Restore(t.Context(), fresh.target(t, name, i.Clock.Now))
	require.NoError(t, err)
}
