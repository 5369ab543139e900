package postgres

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/graders/service/servicetest"
)

// TestStartWithoutServices says so, where a pod has none. Everything else needs the real server: see e2e, TestServicesInAPod.
func TestStartWithoutServices(t *testing.T) {
	t.Parallel()
	_, err := Start(t.Context(), &servicetest.Pod{}, 1)
	require.ErrorContains(t, err, "has no services")
}
