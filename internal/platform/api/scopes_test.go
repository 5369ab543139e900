package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/api"
)

// who may call which operation, written down a second time and by hand: the scope, or candidate.
func who() map[string]string {
	return map[string]string{
		"list-challenges": "assessments:read", "list-assessments": "assessments:read", "get-assessment": "assessments:read",
		"create-assessment": "assessments:write", "change-assessment": "assessments:write", "archive-assessment": "assessments:write",
		"restore-assessment": "assessments:write", "export-results": "results:read",
		"invite": "invitations:write", "invite-many": "invitations:write", "get-invitation": "invitations:read", "resend-invitation": "invitations:write",
		"revoke-invitation": "invitations:write", "give-attempt": "invitations:write", "set-extra-time": "invitations:write",
		"list-candidates": "results:read", "change-candidate": "invitations:write", "erase-candidate": "candidates:erase",
		"get-attempt": "results:read", "extend-attempt": "invitations:write", "decide": "decisions:write", "undecide": "decisions:write",
		"get-submission": "results:read", "get-archive": "results:read", "regrade": "decisions:write",
		"get-grading": "results:read", "cancel-grading": "decisions:write",
		"list-results": "results:read", "get-result": "results:read", "get-report": "results:read", "get-evidence": "results:read", "compare": "results:read",
		"list-endpoints": "webhooks:write", "create-endpoint": "webhooks:write", "enable-endpoint": "webhooks:write", "delete-endpoint": "webhooks:write",
		"rotate-secret": "webhooks:write", "list-deliveries": "webhooks:write", "replay-delivery": "webhooks:write",
		"get-organization": "organization:read", "change-organization": "organization:write", "list-members": "organization:read",
		"add-member": "organization:write", "change-member": "organization:write", "remove-member": "organization:write",
		"list-tokens": "tokens:write", "create-token": "tokens:write", "revoke-token": "tokens:write", "export-candidate": "candidates:export",
		"invite-list": "invitations:write", "open": "candidate", "get-brief": "candidate", "get-starter": "candidate", "get-draft": "candidate", "save-draft": "candidate",
		"get-queue": "queue:read", "list-audit": "audit:read",
		"look": "candidate", "start": "candidate", "finish": "candidate", "withdraw": "candidate", "export-own-data": "candidate", "erase-own-data": "candidate",
		"submit": "candidate", "get-own-grading": "candidate", "cancel-dry-run": "candidate", "list-own-results": "candidate", "get-own-report": "candidate",
	}
}

// Every operation is called with no token, with nonsense, with each scope alone, with all others, and by a candidate.
func TestRoutesAndScopes(t *testing.T) {
	r := newRig(t)
	_, operations := readDocument(t, r.api.Document())
	want := who()
	require.Len(t, operations, len(want))
	assessment := r.assessment(r.owner)
	tokens := map[string]string{}
	for _, scope := range platform.Scopes() {
		tokens[string(scope)] = r.token(r.owner, scope)
	}
	for id, o := range operations {
		rule, ok := want[id]
		require.True(t, ok, "%s is in the document and not in the test", id)
		if rule == "candidate" {
			require.Equal(t, []map[string][]string{{"invitation": {}}}, o.Security, id)
		} else {
			require.Equal(t, []map[string][]string{{"token": {rule}}}, o.Security, id)
		}
		tokens["candidate"] = r.invited(r.owner, assessment, id).token // some of them end with what they may do
		tokens["nobody"], tokens["nonsense"] = "", platform.AccessToken+"nonsense"
		path := strings.NewReplacer("{id}", "asm_0", "{number}", "1", "{challenge}", "one").Replace(o.path)
		for name, token := range tokens {
			answer := r.do(call{method: o.method, path: path, token: token})
			what := fmt.Sprintf("%s by %s: %s", id, name, answer.Body)
			switch {
			case name == "nobody" || name == "nonsense":
				require.Equal(t, http.StatusUnauthorized, answer.Code, what)
				require.Equal(t, `Bearer realm="assay"`, answer.Header().Get("WWW-Authenticate"))
			case name == rule:
				require.NotContains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, answer.Code, what)
				require.Less(t, answer.Code, 500, what)
			default:
				require.Equal(t, http.StatusForbidden, answer.Code, what)
				require.Equal(t, "application/problem+json", answer.Header().Get("Content-Type"))
			}
		}
	}
}

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
