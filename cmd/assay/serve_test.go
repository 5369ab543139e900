package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/internal/platform/worker"
	"github.com/assay-run/assay/internal/platform/worker/workertest"
)

// environmentOf is an environment of its own.
func environmentOf(pairs ...string) func(string) (string, bool) {
	all := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return func(name string) (string, bool) {
		value, ok := all[name]
		return value, ok
	}
}

func TestServeSettings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	require.NoError(t, os.WriteFile(secret, []byte("postgres://u:p@db.example/assay\nmore\n"), 0o600))
	a := &app{env: environmentOf(
		"ASSAY_DATA_DIR", filepath.Join(dir, "data"), "ASSAY_URL", "https://assay.example/", "ASSAY_DATABASE_FILE", secret,
		"ASSAY_PROXIES", "10.0.0.0/8, ::1/128", "ASSAY_WORKER", "off", "ASSAY_MAIL_FROM", "Robin <robin@example.org>", "ASSAY_SMTP_HOST", "mail.example",
		"ASSAY_SMTP_PORT", "465", "ASSAY_LISTEN", "0.0.0.0:80",
	)}
	set, err := a.serveSettings(serveSettings{Listen: "127.0.0.1:9"})
	require.NoError(t, err)
	assert.Equal(t, []any{"127.0.0.1:9", "https://assay.example", "postgres://u:p@db.example/assay", 2, false, "robin@example.org", 465, true},
		[]any{set.Listen, set.URL, set.database, len(set.Proxies), set.Worker, set.From.Email, set.SMTP.Port, set.secure()})
	assert.Len(t, set.SetUpCode, 16)
	again, err := a.serveSettings(serveSettings{})
	require.NoError(t, err)
	assert.Equal(t, set.Key, again.Key, "the key is made once")
	assert.NotEqual(t, set.SetUpCode, again.SetUpCode)
	info, err := os.Stat(filepath.Join(dir, "data", "key"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestServeSettingsThatCannotBe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, pairs := range map[string][]string{
		"an address with a path":        {"ASSAY_URL", "https://assay.example/x"},
		"no address":                    {"ASSAY_URL", "assay.example"},
		"a secret twice":                {"ASSAY_DATABASE", "x", "ASSAY_DATABASE_FILE", filepath.Join(dir, "y")},
		"a secret that is not there":    {"ASSAY_DATABASE_FILE", filepath.Join(dir, "nothing")},
		"a short key":                   {"ASSAY_KEY", "abcd"},
		"no network":                    {"ASSAY_PROXIES", "10.0.0.1"},
		"no port":                       {"ASSAY_SMTP_PORT", "0"},
		"neither on nor off":            {"ASSAY_WORKER", "maybe"},
		"half a bucket":                 {"ASSAY_S3_ENDPOINT", "s3.example"},
		"half a provider":               {"ASSAY_OIDC_ISSUER", "https://id.example", "ASSAY_URL", "https://a.example"},
		"a provider without a way back": {"ASSAY_OIDC_ISSUER", "https://id.example", "ASSAY_OIDC_CLIENT_ID", "x", "ASSAY_OIDC_CLIENT_SECRET", "y"},
		"no sender":                     {"ASSAY_MAIL_FROM", "nobody"},
	} {
		a := &app{env: environmentOf(append(pairs, "ASSAY_DATA_DIR", filepath.Join(dir, "data"))...)}
		_, err := a.serveSettings(serveSettings{})
		usage := (*usageError)(nil)
		assert.ErrorAs(t, err, &usage, name)
	}
}

func TestTheAddressOfAServer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		given, at, want, from string
		secure, exposed       bool
	}{
		{"", "127.0.0.1:8080", "http://127.0.0.1:8080", "assay@localhost", false, false},
		{"", "[::]:8080", "http://localhost:8080", "assay@localhost", false, false},
		{"https://assay.example", "127.0.0.1:8080", "https://assay.example", "assay@assay.example", true, false},
		{"http://assay.example", "127.0.0.1:8080", "http://assay.example", "assay@assay.example", false, true},
		{"http://10.0.0.1:80", "127.0.0.1:8080", "http://10.0.0.1:80", "assay@localhost", false, true},
	} {
		set := serveSettings{URL: tt.given}
		set.settleURL(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(tt.at)))
		assert.Equal(t, []any{tt.want, tt.from, tt.secure, tt.exposed}, []any{set.URL, set.From.Email, set.secure(), set.exposed()}, tt.at)
	}
}

// console is what a server writes while it runs.
type console struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(p)
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

// serving runs a server on a folder until end is called; base is its address, and out what it writes for its operator. Without a grader
// it has no worker.
func serving(t *testing.T, dir string, slots int, grader worker.Grader) (out *console, base string, end func()) {
	t.Helper()
	out = &console{}
	a := &app{second: &secondSignal{told: make(chan struct{})}, stdio: stdio{out: out, err: io.Discard}, env: environmentOf(
		"ASSAY_DATA_DIR", dir, "ASSAY_WEBHOOK_NETWORKS", "127.0.0.1/32", "ASSAY_WEBHOOK_PLAIN", "on",
	)}
	if grader == nil {
		a.env = environmentOf("ASSAY_DATA_DIR", dir, "ASSAY_WORKER", "off")
	}
	a.grader = func(context.Context, []*challenges.Challenge, *slog.Logger) (inProcess, error) {
		return inProcess{Slots: slots, Ready: func(context.Context) error { return nil }, Grader: grader}, nil
	}
	set, err := a.serveSettings(serveSettings{Listen: "127.0.0.1:0"})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- a.serve(ctx, set) }()
	require.Eventually(t, func() bool { return strings.Contains(out.String(), "grading") }, time.Minute, 5*time.Millisecond, "the server says that it is there")
	return out, regexp.MustCompile(`http://\S+`).FindString(out.String()), func() {
		cancel()
		select {
		case err := <-over:
			require.NoError(t, err)
		case <-time.After(time.Minute):
			require.Fail(t, "the server does not end")
		}
	}
}

// setUpCode is the code that a server shows at its first start.
func setUpCode(t *testing.T, out *console) string {
	t.Helper()
	code := regexp.MustCompile(`this code: (\S+)`).FindStringSubmatch(out.String())
	require.NotNil(t, code, out.String())
	return code[1]
}

// A server on a fresh folder says where it is and shows a code; it is set up in a browser, and ends in order when it is told to.
// Another start on the same folder knows who it belongs to.
func TestServe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start := func() (*console, string, func()) {
		return serving(t, dir, 2, &workertest.Grader{Script: func(worker.Task, int) workertest.Step { return workertest.Step{Score: 70} }})
	}
	out, base, end := start()
	code := setUpCode(t, out)
	require.Contains(t, out.String(), "2 at a time")
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	client := &http.Client{Jar: jar}
	answer := func(out *http.Response, err error) (int, string) {
		require.NoError(t, err)
		defer out.Body.Close()
		body, err := io.ReadAll(out.Body)
		require.NoError(t, err)
		return out.StatusCode, string(body)
	}
	status, body := answer(client.Get(base + "/readyz"))
	require.Equal(t, http.StatusOK, status, body)
	status, body = answer(client.PostForm(base+"/setup", url.Values{
		"code": {code}, "organisation": {"Acme"}, "name": {"Olga"}, "email": {"olga@acme.example"}, "password": {"correct horse battery"},
	}))
	require.Equal(t, http.StatusOK, status, body)
	require.Contains(t, body, "Acme")
	_, body = answer(client.Get(base + "/assessments/new"))
	require.Contains(t, body, "log-aggregate", "the built-in challenges are offered")
	told := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		event, _ := io.ReadAll(r.Body)
		told <- string(event)
	}))
	defer receiver.Close()
	status, body = answer(client.PostForm(base+"/webhooks", url.Values{"url": {receiver.URL}, "event": {"invitation.created"}}))
	require.Equal(t, http.StatusOK, status, body)
	_, body = answer(client.PostForm(base+"/assessments/new", url.Values{
		"name": {"Backend"}, "use.log-aggregate": {"on"}, "weight.log-aggregate": {"1"}, "mode": {"quick"}, "attempts": {"1"}, "passMark": {"65"},
		"visible": {"report"}, "retentionDays": {"30"},
	}))
	invite := regexp.MustCompile(`/assessments/asm_[0-9a-z]+/invite`).FindString(body)
	require.NotEmpty(t, invite, body)
	status, body = answer(client.PostForm(base+invite, url.Values{"name": {"Cora"}}))
	require.Equal(t, http.StatusOK, status, body)
	select {
	case event := <-told:
		require.Contains(t, event, "invitation.created")
	case <-time.After(time.Minute):
		require.Fail(t, "the webhook is not told of")
	}
	status, body = answer(client.Get(base + "/api/v1/openapi.json"))
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, `"openapi":"3.1.0"`)
	client.CloseIdleConnections()
	end()
	out, _, end = start()
	require.NotContains(t, out.String(), "code")
	end()
}
