//go:build integration

package pages

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/browsertest"
)

// site serves the pages of the demo under the policy that they are made for. news is what candidates' pages are told.
func site(t *testing.T, news string) *httptest.Server {
	t.Helper()
	p, err := New()
	require.NoError(t, err)
	mux := http.NewServeMux()
	for _, a := range p.Assets() {
		mux.HandleFunc("GET "+a.Path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", a.ContentType)
			w.Write(a.Bytes)
		})
	}
	serve := func(path string, v variant) {
		page := render(t, p, v.page, v.model)
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Content-Security-Policy", Policy)
			w.Write([]byte(page))
		})
	}
	for _, v := range demo() {
		serve(pagePath(v), v)
		serve(pagePath(v)+"/hostile", variant{v.page, v.label, hostile(v.model)})
	}
	mux.HandleFunc("GET /my/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Write([]byte("retry: 600000\n" + news + "\n\n"))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func pagePath(v variant) string {
	return "/look/" + string(v.page) + strings.TrimSuffix("-"+v.label, "-")
}

// looks are all ways in which a page is looked at.
func looks() []browsertest.Look {
	return []browsertest.Look{{Width: 1280}, {Width: 1280, Dark: true}, {Width: 390}, {Width: 390, Dark: true}}
}

func TestPagesAreAccessible(t *testing.T) {
	server := site(t, "")
	p := browsertest.Start(t).Tab(t, server.URL)
	for _, look := range looks() {
		p.See(look)
		for _, v := range demo() {
			p.Open(server.URL + pagePath(v))
			assert.Empty(t, p.Violations(), "%s, %+v", pagePath(v), look)
			assert.Empty(t, p.Overflow(), "%s, %+v", pagePath(v), look)
			assert.Empty(t, p.Problems(), "%s: errors, violations of the policy, requests to others", pagePath(v))
		}
	}
}

func TestNoPageIsWiderThanItsWindow(t *testing.T) {
	server := site(t, "")
	p := browsertest.Start(t).Tab(t, server.URL)
	for _, width := range []int64{320, 390} {
		p.See(browsertest.Look{Width: width})
		for _, v := range demo() {
			for _, path := range []string{pagePath(v), pagePath(v) + "/hostile"} {
				p.Open(server.URL + path)
				browsertest.Eval[any](p, browsertest.OpenAll+"; null")
				assert.Empty(t, p.Overflow(), "%s at %d px", path, width)
				// A field for a number says so when it is given a text.
				assert.Empty(t, slices.DeleteFunc(p.Problems(), func(s string) bool { return strings.HasPrefix(s, "warning: The specified value ") }), path)
			}
		}
	}
}

func TestClockFollowsTheServer(t *testing.T) {
	data, err := json.Marshal(map[string]int64{"now": now.UnixMilli(), "ends": after(200 * time.Minute).UnixMilli()})
	require.NoError(t, err)
	server := site(t, "event: clock\ndata: "+string(data))
	p := browsertest.Start(t).Tab(t, server.URL)
	p.See(browsertest.Look{Width: 1280})
	p.Open(server.URL + "/look/work")
	// The page says 2 h 41 min; the news of an extension says 3 h 20 min.
	p.Until(`/^3 h (20|19) min$/.test(document.querySelector('.left').textContent)`, "the clock shows the extension")
}
