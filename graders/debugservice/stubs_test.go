package debugservice

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNames(t *testing.T) {
	t.Parallel()
	s, err := startNames(rateHost)
	require.NoError(t, err)
	defer s.Close()
	r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", s.addr)
	}}
	found, err := r.LookupNetIP(t.Context(), "ip4", rateHost+".")
	require.NoError(t, err)
	require.Len(t, found, 1)
	assert.Equal(t, "127.0.0.1", found[0].String())
	assert.EqualValues(t, 1, s.asked.Load())
	_, err = r.LookupNetIP(t.Context(), "ip4", "elsewhere.internal.")
	require.Error(t, err)

	// What is no question is passed over, and counted.
	nc, err := net.Dial("udp", s.addr) //nolint:noctx // a test's own socket
	require.NoError(t, err)
	defer func() { _ = nc.Close() }()
	_, err = nc.Write([]byte("rubbish"))
	require.NoError(t, err)
	_, err = r.LookupNetIP(t.Context(), "ip4", rateHost+".")
	require.NoError(t, err)
}

func TestAuditLog(t *testing.T) {
	t.Parallel()
	a, err := openAudit(t.TempDir())
	require.NoError(t, err)
	defer a.Close()
	out, err := os.OpenFile(a.path, os.O_WRONLY, 0)
	require.NoError(t, err)
	line := func(id string) string { return fmt.Sprintf("{\"id\": %q, \"url\": \"/a\", \"status\": 200}\n", id) }
	_, err = io.WriteString(out, line("one")+"no line\n{\"id\": 7}\n"+line("two"))
	require.NoError(t, err)
	has := func(id string) func() bool { return func() bool { _, ok := a.line(id); return ok } }
	require.Eventually(t, has("two"), 5*time.Second, time.Millisecond)
	assert.True(t, has("one")())

	// While it is held, a writer fills the pipe and has to wait.
	a.hold()
	wrote := make(chan error, 1)
	go func() {
		_, err := out.Write(append(bytes.Repeat([]byte(line("three")), 10_000), line("four")...))
		wrote <- err
	}()
	select {
	case <-wrote:
		t.Fatal("400 kB went into a pipe that nobody reads")
	case <-time.After(100 * time.Millisecond):
	}
	a.release()
	require.NoError(t, <-wrote)
	require.Eventually(t, has("four"), 5*time.Second, time.Millisecond)
	require.NoError(t, out.Close())
}

func TestUpstreams(t *testing.T) {
	t.Parallel()
	u, err := startUpstreams()
	require.NoError(t, err)
	defer u.Close()
	fetch := func(name, method, path, body string) map[string]any {
		r, err := http.NewRequestWithContext(t.Context(), method, u.servers[name].URL()+path, bytes.NewReader([]byte(body)))
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		var v any
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&v))
		if list, ok := v.([]any); ok {
			return map[string]any{"list": list}
		}
		return v.(map[string]any)
	}
	from := u.mark()
	one := fetch(itemsName, "GET", "/items/QS-0001", "")
	many := fetch(itemsName, "POST", "/items/query", `{"ids": ["QS-0002", "QS-0001"]}`)["list"].([]any)
	require.Len(t, many, 2)
	assert.Equal(t, one, many[1], "one and many say the same")
	assert.Len(t, u.since(itemsName, from), 2)
	assert.Equal(t, 1, together(u.since(itemsName, from)))
	assert.Equal(t, 1, u.opened(itemsName, from), "the second call came over the connection of the first")
	assert.Empty(t, u.since(itemsName, u.mark()))

	u.set("/stock/QS-0009", 3)
	assert.InDelta(t, 3, fetch(stockName, "GET", "/stock/QS-0009", "")["onHand"], 0)
	document := fetch(configName, "GET", "/documents/tariffs", "")
	assert.Len(t, document["countries"], len(countries()))
	assert.True(t, slowCustomer("c-44"))
	assert.False(t, slowCustomer("c-45"))

	env := u.env()
	assert.Contains(t, env["RATES_URL"], "http://rates.internal:")
	for _, name := range []string{"CONFIG_URL", "ITEMS_URL", "LOYALTY_URL", "RELATED_URL", "REVIEWS_URL", "STOCK_URL", "WAREHOUSES_URL", "RESOLVER_URL"} {
		assert.NotEmpty(t, env[name], name)
	}
}
