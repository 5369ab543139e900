//go:build integration

package store_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
