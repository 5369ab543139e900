package stubs

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestUpstreams(t *testing.T) {
	t.Parallel()
	var all map[string]Upstream
	require.NoError(t, json.Unmarshal([]byte(`{
		"PAY_URL": {"body": {"ok": true}, "keep": ["Idempotency-Key"], "rules": [{"first": 2, "last": 2, "status": 503, "headers": {"Retry-After": "1"}, "body": "busy"}]},
		"CUT_URL": {"fault": "reset-after-body"}
	}`), &all))
	require.NoError(t, Check(all, nil))
	r, err := Start(t.Context(), all, []byte("seed"))
	require.NoError(t, err)
	t.Cleanup(r.Close)
	env := r.Env()
	require.Len(t, env, 2)

	ask := func(url, key string) (int, string, http.Header) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/pay", strings.NewReader(`{"cents": 5}`))
		require.NoError(t, err)
		req.Header.Set("Idempotency-Key", key)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, "", nil
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(body), resp.Header
	}
	status, body, header := ask(env["PAY_URL"], "a")
	assert.Equal(t, 200, status)
	assert.JSONEq(t, `{"ok": true}`, body)
	assert.Equal(t, "application/json", header.Get("Content-Type"))
	status, body, header = ask(env["PAY_URL"], "b")
	assert.Equal(t, 503, status)
	assert.Equal(t, "busy", body)
	assert.Equal(t, "1", header.Get("Retry-After"))
	status, _, _ = ask(env["CUT_URL"], "c")
	assert.Zero(t, status)

	calls := r.Calls()
	assert.Equal(t, 2, calls["PAY_URL"].Total)
	assert.Equal(t, 2, calls["PAY_URL"].Answered)
	require.Len(t, calls["PAY_URL"].Seen, 2)
	first := calls["PAY_URL"].Seen[0]
	assert.Equal(t, []string{"POST", "/pay", `{"cents": 5}`, "a"}, []string{first.Method, first.Path, first.Body, first.Header["Idempotency-Key"]})
	assert.Equal(t, 1, calls["CUT_URL"].Total)
	assert.Zero(t, calls["CUT_URL"].Answered)
}

func TestCheck(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, Check(map[string]Upstream{"A": {Down: []Window{{"2s", "1s"}}}}, []any{"upstreams"}), "with.upstreams.A.down[0]: times must ascend")
	require.ErrorContains(t, Check(map[string]Upstream{"A": {Down: []Window{{"1s", "3s"}, {"2s", "4s"}}}}, nil), "down[1]")
	require.ErrorContains(t, Check(map[string]Upstream{"A": {Rules: []Rule{{First: 3, Last: 2}}}}, nil), "rules[0].last: last is below first")
	assert.Contains(t, Defs(), "upstreams")
}
