//go:build integration

package pages

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// site serves the pages of the demo under the policy that they are made for.
func site(t *testing.T) *httptest.Server {
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
	mux.HandleFunc("GET "+"/my/inv_9/events", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		ends := after(200 * time.Minute).UnixMilli()
		news, _ := json.Marshal(map[string]int64{"now": now.UnixMilli(), "ends": ends})
		w.Write([]byte("retry: 600000\nevent: clock\ndata: " + string(news) + "\n\n"))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func pagePath(v variant) string {
	return "/look/" + string(v.page) + strings.TrimSuffix("-"+v.label, "-")
}

// tab is a page in a browser, and everything it complained about or asked others for.
type tab struct {
	ctx context.Context //nolint:containedctx // chromedp's handle of the tab

	mu       sync.Mutex
	problems []string
}

func newTab(t *testing.T, host string) *tab {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	ctx, cancelTab := chromedp.NewContext(ctx, chromedp.WithAllocatorOptions(chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true)))
	t.Cleanup(cancelTab)
	p := &tab{ctx: ctx}
	require.NoError(t, chromedp.Listen(ctx, func(ev any) { p.note(host, ev) }))
	for _, enable := range []func() error{
		func() error { _, err := chromedp.Call(ctx, cdplog.Enable, cdp.Empty{}); return err },
		func() error { _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); return err },
		func() error { _, err := chromedp.Call(ctx, runtime.Enable, cdp.Empty{}); return err },
	} {
		require.NoError(t, enable())
	}
	return p
}

func (p *tab) note(host string, ev any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := ev.(type) {
	case *cdplog.EventEntryAdded:
		p.problems = append(p.problems, e.Entry.Text)
	case *runtime.EventExceptionThrown:
		p.problems = append(p.problems, e.ExceptionDetails.Text)
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, host+"/") && !strings.HasPrefix(e.Request.URL, "about:") {
			p.problems = append(p.problems, "request for "+e.Request.URL)
		}
	}
}

func (p *tab) open(t *testing.T, url string, width int64, dark bool) {
	t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	require.NoError(t, err)
	require.NoError(t, chromedp.Do(p.ctx, chromedp.EmulateViewport(width, 900)))
	require.NoError(t, chromedp.Do(p.ctx, chromedp.Navigate(url)))
}

// complaints are those since the last time.
func (p *tab) complaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.problems
	p.problems = nil
	return out
}

func eval[T any](t *testing.T, p *tab, expression string) T {
	t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	require.NoError(t, err)
	return v
}

func TestPagesAreAccessible(t *testing.T) {
	axe, err := os.ReadFile("../../report/testdata/axe-core/axe.min.js")
	require.NoError(t, err)
	const check = `document.querySelectorAll('details').forEach(d => d.open = true);
		axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}).then(r =>
		r.violations.flatMap(v => v.nodes.map(n => v.id + ': ' + v.help + ': ' + n.target.join(' '))))`
	server := site(t)
	p := newTab(t, server.URL)
	for i, v := range demo() {
		// Each page once wide and once narrow, the colours in turn.
		for j, width := range []int64{1180, 390} {
			p.open(t, server.URL+pagePath(v), width, (i+j)%2 == 1)
			eval[any](t, p, string(axe)+"; null")
			assert.Empty(t, eval[[]string](t, p, check), "%s at %d px", pagePath(v), width)
			assert.Empty(t, p.complaints(), "%s: errors, violations of the policy, requests to others", pagePath(v))
		}
	}
}

func TestNoPageIsWiderThanItsWindow(t *testing.T) {
	server := site(t)
	p := newTab(t, server.URL)
	for _, v := range demo() {
		for _, path := range []string{pagePath(v), pagePath(v) + "/hostile"} {
			p.open(t, server.URL+path, 320, false)
			assert.LessOrEqual(t, eval[int](t, p, `document.documentElement.scrollWidth`), 320, path)
		}
	}
}

func TestClockFollowsTheServer(t *testing.T) {
	server := site(t)
	p := newTab(t, server.URL)
	p.open(t, server.URL+"/look/work", 1180, false)
	// The page says 2 h 41 min; the news of an extension says 3 h 20 min.
	got := eval[string](t, p, `new Promise(r => { const look = () => { const s = document.querySelector('.left').textContent;
		s.startsWith('3 h') ? r(s) : setTimeout(look, 50); }; look(); })`)
	assert.Regexp(t, `^3 h (20|19) min$`, got)
}
