//go:build integration

package browsertest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/browsertest"
)

// serve serves one page at / under a policy, and an answer to its form at /next.
func serve(t *testing.T, body string) string {
	t.Helper()
	mux := http.NewServeMux()
	page := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Content-Security-Policy", "script-src 'self'")
			w.Write([]byte(`<!doctype html><html lang="en"><head><title>x</title><link rel="icon" href="data:,"></head><body><main><h1>x</h1>` + body + `</main></body></html>`))
		}
	}
	mux.HandleFunc("GET /{$}", page(body))
	mux.HandleFunc("GET /next", page("<p>There we are.</p>"))
	mux.HandleFunc("GET /script.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		w.Write([]byte(`document.querySelector('output').textContent = 'it runs';`))
	})
	mux.HandleFunc("GET /broken.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		w.Write([]byte(`throw new Error('broken');`))
	})
	mux.HandleFunc("GET /file", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Disposition", `attachment; filename="a.txt"`)
		w.Write([]byte("content"))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// What can go wrong on a page is seen, each by its instrument.
func TestProblemsAreSeen(t *testing.T) {
	b := browsertest.Start(t)
	for name, tt := range map[string]struct{ body, says string }{
		"an exception":                {`<output></output><script src="/broken.js"></script>`, "broken"},
		"a script within the page":    {`<script>document.title = 'y'</script>`, "Content Security Policy"},
		"a handler within the page":   {`<img src="/none.png" alt="" onerror="document.title = 'y'">`, "Content Security Policy"},
		"something that is not there": {`<img src="/none.png" alt="">`, "404"},
		"a request to somebody else":  {`<img src="http://127.0.0.2:9/x.png" alt="">`, "request for http://127.0.0.2:9/x.png"},
	} {
		base := serve(t, tt.body)
		p := b.Tab(t, base)
		p.Open(base + "/")
		found := strings.Join(p.Problems(), "\n")
		assert.Contains(t, found, tt.says, name)
		assert.Equal(t, "x", browsertest.Eval[string](p, `document.title`), name)
		assert.Empty(t, p.Problems(), "each is told once")
	}
}

func TestViolationsAndWidthAreSeen(t *testing.T) {
	b := browsertest.Start(t)
	for name, tt := range map[string]struct {
		body, says string
		wide       bool
	}{
		"nothing":         {body: `<p>All is well.</p>`},
		"a field":         {body: `<input name="a">`, says: "label: "},
		"a pale word":     {body: `<p style="color:#ccc">pale</p>`, says: "color-contrast: "},
		"small targets":   {body: `<button style="width:9px;height:9px;padding:0">a</button><button style="width:9px;height:9px;padding:0">b</button>`, says: "target-size: "},
		"what is folded":  {body: `<details><summary>more</summary><img src="data:," ></details>`, says: "image-alt: "},
		"something wide":  {body: `<p style="width:600px">wide</p>`, wide: true},
		"a heading twice": {body: `<h1 id="a">y</h1><div role="region" aria-labelledby="none"></div><h4>z</h4>`, says: "heading-order: "},
	} {
		base := serve(t, tt.body)
		p := b.Tab(t, base)
		p.See(browsertest.Look{Width: 390})
		p.Open(base + "/")
		found := strings.Join(p.Violations(), "\n")
		if tt.says == "" {
			assert.Empty(t, found, name)
		} else {
			assert.Contains(t, found, tt.says, name)
		}
		assert.Equal(t, tt.wide, strings.Contains(strings.Join(p.Overflow(), " "), "wide"), name)
	}
}

func TestActing(t *testing.T) {
	base := serve(t, `<script src="/script.js" defer></script><output></output><form action="/next"><label for="a">First</label><input id="a" value="old">
		<label for="b"><input id="b" type="checkbox"> Agree</label><select id="c" aria-label="c"><option>1<option>2</select><button>Go</button></form><a href="/file">A file</a>`)
	p := browsertest.Start(t).Tab(t, base)
	p.Open(base + "/")
	p.Text("it runs")
	p.Fill("#a", "new")
	p.Press(kb.Tab)
	assert.Equal(t, "b", browsertest.Eval[string](p, `document.activeElement.id`))
	p.Click("#b", "Agree")
	assert.True(t, browsertest.Eval[bool](p, `document.querySelector('#b').checked`))
	p.Choose("#c", "2")
	name, body := p.Download(func() { p.Click("a", "A file") })
	assert.Equal(t, [2]string{"a.txt", "content"}, [2]string{name, string(body)})
	p.Follow("button", "Go")
	p.Text("There we are.")

	quiet := browsertest.Start(t).Tab(t, base)
	quiet.See(browsertest.Look{Width: 390, NoScript: true})
	quiet.Open(base + "/")
	quiet.Follow("button", "Go")
	quiet.Text("There we are.")
	require.NotContains(t, strings.Join(quiet.Requests(), " "), "script.js", "no script is even asked for")
}
