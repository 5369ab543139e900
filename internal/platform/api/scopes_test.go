package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/api"
	"github.com/assay-run/assay/internal/platform/service"
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

// What the service can do the API can do, but for what belongs to people at a browser, and to the installation itself.
func TestEveryUseCaseHasAnOperation(t *testing.T) {
	r := newRig(t)
	have := r.api.UseCases()
	without := map[service.UseCase]string{
		service.SetUpInstallation: "before there is a token", service.SignInUser: "a token is no session", service.ResetPassword: "by a link in a mail",
		service.ListMemberships: "a token has one organisation", service.ChangePassword: "a user's own", service.EndSessions: "a user's own",
		service.HouseKeep: "the installation's own",
	}
	for use, rule := range service.Rules() {
		if why := without[use]; why != "" {
			require.Empty(t, have[use], "%s: %s", use, why)
			require.Empty(t, rule.Scope, "%s: no token can do it", use)
			continue
		}
		require.NotEmpty(t, have[use], "%s has no operation", use)
		require.True(t, rule.Scope != "" || rule.Candidate, "%s: nobody with a token may", use)
	}
}
