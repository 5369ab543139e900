//go:build integration

package store_test

import (
	"context"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
	"github.com/assay-run/assay/internal/platform/store/storetest"
)

// freshSchema makes an empty schema in the test database that goes with the test, and gives its address.
func freshSchema(t *testing.T) string {
	t.Helper()
	address := os.Getenv("ASSAY_TEST_POSTGRES")
	require.NotEmpty(t, address, "ASSAY_TEST_POSTGRES has the address of a PostgreSQL to test on; scripts/with-postgres starts one")
	name := strings.ToLower(string(platform.NewTimelessID("test")))
	run := func(statement string) {
		t.Helper()
		ctx := context.WithoutCancel(t.Context()) // it also runs when the test is over
		db, err := pgx.Connect(ctx, address)
		require.NoError(t, err)
		defer db.Close(ctx)
		_, err = db.Exec(ctx, statement)
		require.NoError(t, err)
	}
	run("CREATE SCHEMA " + name)
	t.Cleanup(func() { run("DROP SCHEMA " + name + " CASCADE") })
	u, err := url.Parse(address)
	require.NoError(t, err)
	query := u.Query()
	query.Set("search_path", name)
	u.RawQuery = query.Encode()
	return u.String()
}

func openPostgres(t *testing.T, now func() time.Time) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Address: freshSchema(t), Now: now})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

func TestPostgres(t *testing.T) { storetest.Run(t, openPostgres) }

func TestMigrationPostgres(t *testing.T) { testMigration(t, freshSchema(t)) }

// Servers that start at once on an empty database migrate it once.
func TestPostgresMigratesOnce(t *testing.T) {
	address := freshSchema(t)
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
