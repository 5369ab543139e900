//go:build integration

package storetest

import (
	"context"
	"database/sql"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
)

// Schema makes an empty schema in the database at address, ASSAY_TEST_POSTGRES of the environment, which goes with the test, and gives its address.
func Schema(t testing.TB, address string) string {
	t.Helper()
	require.NotEmpty(t, address, "ASSAY_TEST_POSTGRES has the address of a PostgreSQL to test on; scripts/with-postgres starts one")
	name := strings.ToLower(string(platform.NewTimelessID("test")))
	run := func(statement string) {
		t.Helper()
		ctx := context.WithoutCancel(t.Context()) // it also runs when the test is over
		db, err := sql.Open("pgx", address)
		require.NoError(t, err)
		defer db.Close()
		_, err = db.ExecContext(ctx, statement)
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
