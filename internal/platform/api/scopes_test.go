package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/api"
)

// Who may not is told so before the request is read: a wrong body tells nothing of what would be right.
func TestWhoMayNotIsRefusedFirst(t *testing.T) {
	r := newRig(t)
	answer := r.do(call{method: http.MethodPost, path: api.Prefix + "/assessments", token: r.token(r.owner, platform.ScopeResultsRead), body: "{"})
	require.Equal(t, http.StatusForbidden, answer.Code)
	require.Contains(t, answer.Body.String(), "assessments:write")
}

func TestATokenIsGoodUntilItIsRevoked(t *testing.T) {
	r := newRig(t)
	made, secret, err := r.service.CreateToken(t.Context(), r.owner, "t", platform.Scopes(), r.clock().AddDate(0, 1, 0))
	require.NoError(t, err)
	look := call{method: http.MethodGet, path: api.Prefix + "/queue", token: secret}
	require.Equal(t, http.StatusOK, r.do(look).Code)
	require.NoError(t, r.service.RevokeToken(t.Context(), r.owner, made.ID))
	require.Equal(t, http.StatusUnauthorized, r.do(look).Code)
}
