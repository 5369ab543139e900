package browsertest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// Tab is a page in a browser, with cookies of its own. It is used by one goroutine.
type Tab struct {
	t   testing.TB
	ctx context.Context //nolint:containedctx // chromedp's handle of the tab

	mu       sync.Mutex
	origins  []string
	problems []string
	requests []string
}

// Tab opens a tab. It may ask those origins alone, e.g. "http://127.0.0.1:80"; any other request is a problem.
func (b *Browser) Tab(t testing.TB, origins ...string) *Tab {
	t.Helper()
	ctx, end := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(end)
	p := &Tab{t: t, ctx: ctx, origins: origins}
	require.NoError(t, chromedp.Listen(ctx, p.note))
	for _, enable := range []func() error{
		func() error { _, err := chromedp.Call(ctx, cdplog.Enable, cdp.Empty{}); return err },
		func() error { _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); return err },
		func() error { _, err := chromedp.Call(ctx, runtime.Enable, cdp.Empty{}); return err },
	} {
		require.NoError(t, enable())
	}
	t.Cleanup(p.picture)
	return p
}

// note keeps what goes wrong. What Chromium merely recommends is no problem.
func (p *Tab) note(ev any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	problem := func(format string, args ...any) { p.problems = append(p.problems, fmt.Sprintf(format, args...)) }
	switch e := ev.(type) {
	case *cdplog.EventEntryAdded:
		if e.Entry.Level == cdplog.EntryLevelError || e.Entry.Level == cdplog.EntryLevelWarning {
			problem("%s: %s (%s)", e.Entry.Level, e.Entry.Text, e.Entry.URL)
		}
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		problem("exception: %s", text)
	case *runtime.EventConsoleAPICalled:
		problem("console.%s", e.Type)
	case *page.EventJavascriptDialogOpening:
		problem("dialog: %s", e.Message)
	case *network.EventRequestWillBeSent:
		p.requests = append(p.requests, e.Request.URL)
		if !p.mayAsk(e.Request.URL) {
			problem("request for %s", e.Request.URL)
		}
	}
}

// mayAsk says whether a request is one for what is allowed. Pictures within a page ask nobody.
func (p *Tab) mayAsk(url string) bool {
	return strings.HasPrefix(url, "data:") || strings.HasPrefix(url, "about:") ||
		slices.ContainsFunc(p.origins, func(o string) bool { return strings.HasPrefix(url, o+"/") })
}

// Problems are the errors, violations of the policy and requests for others since the last time.
func (p *Tab) Problems() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.problems
	p.problems = nil
	return out
}

// Requests are the addresses that were asked for since the tab was opened.
func (p *Tab) Requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// Look is how a page is looked at.
type Look struct {
	Width    int64 // of the window, in CSS pixels
	Dark     bool
	NoScript bool // the scripts of pages do not run
	Touch    bool // a phone: no mouse
}

// See changes how the tab is looked at, for the pages that are opened from now on. Nothing moves on them: what is looked at is where
// it will stay.
func (p *Tab) See(l Look) {
	p.t.Helper()
	scheme := "light"
	if l.Dark {
		scheme = "dark"
	}
	_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
	require.NoError(p.t, err)
	_, err = chromedp.Call(p.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: l.NoScript})
	require.NoError(p.t, err)
	var how []chromedp.EmulateViewportOption
	if l.Touch {
		how = append(how, chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	require.NoError(p.t, chromedp.Do(p.ctx, chromedp.EmulateViewport(l.Width, 900, how...)))
}

// Open opens an address and waits until the page is there.
func (p *Tab) Open(url string) {
	p.t.Helper()
	require.NoError(p.t, chromedp.Do(p.ctx, chromedp.Navigate(url)), url)
}

// Do runs actions of chromedp, for what has no method here.
func (p *Tab) Do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	require.NoError(p.t, chromedp.Do(p.ctx, actions...))
}

// Run runs an action of chromedp that has a result.
func Run[T any](p *Tab, a chromedp.Action[T]) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, a)
	require.NoError(p.t, err)
	return v
}

// Eval evaluates JavaScript in the page, also where the page's own scripts do not run; a promise is waited for.
func Eval[T any](p *Tab, expression string) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	require.NoError(p.t, err, "%.300s", expression)
	return v
}

// Until waits until an expression is true, on this page or on one that comes in its place. The test fails when it does not
// happen.
func (p *Tab) Until(expression, what string) {
	p.t.Helper()
	until(p, expression, what, func(yes bool) bool { return yes })
}

// until looks at an expression until done likes what it is. A page may be on its way out: what fails is tried again.
func until[T any](p *Tab, expression, what string, done func(T) bool) T {
	p.t.Helper()
	var last any
	for end := time.Now().Add(wait); time.Now().Before(end); {
		v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression))
		if err == nil && done(v) {
			return v
		}
		if last = v; err != nil {
			last = err
		}
		select {
		case <-p.ctx.Done():
			require.NoError(p.t, context.Cause(p.ctx), what)
		case <-time.After(again):
		}
	}
	var none T
	require.Fail(p.t, "it did not happen: "+what, "last: %v\n%s", last, p.state())
	return none
}

// Text waits until the page says something.
func (p *Tab) Text(words ...string) {
	p.t.Helper()
	for _, w := range words {
		p.Until(fmt.Sprintf(`document.body !== null && document.body.innerText.replace(/\s+/g, ' ').includes(%q)`, w), "the page says “"+w+"”")
	}
}

// state is where the tab is and what it shows, for whoever reads that a test has failed.
func (p *Tab) state() string {
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](`location.href + '\n' + document.body?.innerText.slice(0, 4000)`))
	if err != nil {
		return err.Error()
	}
	return v
}

var noFileName = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

// picture leaves a picture of the page when the test has failed.
func (p *Tab) picture() {
	if !p.t.Failed() {
		return
	}
	png, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err != nil { // it may be too large a page
		png, err = chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	}
	if err != nil {
		p.t.Logf("no picture of the page: %v", err)
		return
	}
	dir := filepath.Join(Root(p.t), ".test", "browser")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		p.t.Logf("no picture of the page: %v", err)
		return
	}
	f, err := os.CreateTemp(dir, noFileName.ReplaceAllString(p.t.Name(), "-")+"-*.png")
	if err == nil {
		_, err = f.Write(png)
		if err == nil {
			err = f.Close()
		}
	}
	if err != nil {
		p.t.Logf("no picture of the page: %v", err)
		return
	}
	p.t.Logf("the page as it was: %s", f.Name())
}
