//go:build integration

package api_test

import (
	"os"
	"testing"

	"github.com/assay-run/assay/internal/platform/store/storetest"
)

func newWorldOnPostgres(t *testing.T) *world {
	t.Helper()
	return newWorldAt(t, storetest.Schema(t, os.Getenv("ASSAY_TEST_POSTGRES")))
}

// On PostgreSQL all is answered as on SQLite.

func TestAnswersConformOnPostgres(t *testing.T)       { answersConform(newWorldOnPostgres(t)) }
func TestWhoReachesWhatOnPostgres(t *testing.T)       { reachOperations(newScene(newWorldOnPostgres(t))) }
func TestWhoReachesWhichPagesOnPostgres(t *testing.T) { reachPages(newScene(newWorldOnPostgres(t))) }
func TestHostileInputOnPostgres(t *testing.T)         { hostileInput(newWorldOnPostgres(t)) }
func TestHostileUploadsOnPostgres(t *testing.T)       { hostileUploads(newWorldOnPostgres(t)) }
