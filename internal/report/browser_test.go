//go:build integration

package report_test

import (
	"context"
	_ "embed"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
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

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/grading"
	"github.com/assay-run/assay/internal/report"
	"github.com/assay-run/assay/internal/report/reporttest"
)

//go:embed testdata/axe-core/axe.min.js
var axe string

// tab is a page in a browser of its own, and everything it complained about or asked for.
type tab struct {
	ctx context.Context //nolint:containedctx // chromedp's handle of the tab

	mu       sync.Mutex
	problems []string
	requests []string
}

// openReport writes a report to a file and opens it.
func openReport(t *testing.T, rep *grading.Report, ev *evidence.Grading, width int64, before ...chromedp.Action[chromedp.Void]) *tab {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.html")
	f, err := os.Create(file)
	require.NoError(t, err)
	require.NoError(t, report.HTML(f, rep, ev, report.Options{}))
	require.NoError(t, f.Close())

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	ctx, cancelTab := chromedp.NewContext(ctx, chromedp.WithAllocatorOptions(chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true)))
	t.Cleanup(cancelTab)
	page := &tab{ctx: ctx}
	require.NoError(t, chromedp.Listen(ctx, page.note))
	for _, enable := range []func() error{
		func() error { _, err := chromedp.Call(ctx, cdplog.Enable, cdp.Empty{}); return err },
		func() error { _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); return err },
		func() error { _, err := chromedp.Call(ctx, runtime.Enable, cdp.Empty{}); return err },
	} {
		require.NoError(t, enable())
	}
	require.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(width, 900)))
	require.NoError(t, chromedp.Do(ctx, before...))
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate("file://"+file)))
	return page
}

func (p *tab) note(ev any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := ev.(type) {
	case *cdplog.EventEntryAdded:
		p.problems = append(p.problems, e.Entry.Text)
	case *runtime.EventExceptionThrown:
		p.problems = append(p.problems, e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		p.problems = append(p.problems, "console."+string(e.Type))
	case *network.EventRequestWillBeSent:
		p.requests = append(p.requests, e.Request.URL)
	}
}

// assertQuiet checks that nothing went wrong and that nothing but the file itself was asked for.
func (p *tab) assertQuiet(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	assert.Empty(t, p.problems, "errors and policy violations")
	for _, r := range p.requests {
		assert.True(t, strings.HasPrefix(r, "file://") || strings.HasPrefix(r, "data:"), "request for %s", r)
	}
	assert.NotEmpty(t, p.requests)
}

func eval[T any](t *testing.T, p *tab, expression string) T {
	t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	require.NoError(t, err)
	return v
}

func withoutScripts() chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return chromedp.Void{}, err
	}
}

func darkScheme() chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}})
		return chromedp.Void{}, err
	}
}

const openAll = `document.querySelectorAll('details').forEach(d => d.open = true); new Promise(r => setTimeout(r, 300)).then(() => true)`

func TestPageInBrowser(t *testing.T) {
	p := openReport(t, reporttest.Blocked(), reporttest.Grading(), 1100)
	assert.Equal(t, 6, eval[int](t, p, `document.querySelectorAll('.uplot canvas').length`), "the first scenario is drawn")
	require.True(t, eval[bool](t, p, openAll))
	drawn := eval[int](t, p, `document.querySelectorAll('.uplot canvas').length`)
	assert.Equal(t, eval[int](t, p, `document.querySelectorAll('figure[data-chart]').length`), drawn, "every chart is drawn once opened")
	assert.True(t, eval[bool](t, p, `[...document.querySelectorAll('.uplot canvas')].every(c => {
		const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
		return d.some(v => v !== 0);
	})`), "no canvas is empty")
	p.assertQuiet(t)
}

func TestRunsCanBeSwitched(t *testing.T) {
	p := openReport(t, reporttest.Blocked(), reporttest.Grading(), 1100)
	before := eval[string](t, p, `document.querySelector('figure.wide figcaption').textContent`)
	after := eval[string](t, p, `(() => { const s = document.querySelector('.choose select'); s.value = '2'; s.dispatchEvent(new Event('change'));
		return document.querySelector('figure.wide figcaption').textContent; })()`)
	assert.NotEqual(t, before, after)
	assert.Equal(t, 6, eval[int](t, p, `document.querySelectorAll('.uplot').length`), "drawn again, not twice")
	read := eval[string](t, p, `(() => { const h = document.querySelector('.live'); h.focus();
		for (let i = 0; i < 5; i++) h.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}));
		return new Promise(r => setTimeout(() => r(document.querySelector('.read').textContent), 200)); })()`)
	assert.Regexp(t, `s · this submission [0-9.]+ `, read, "arrow keys read values")
	p.assertQuiet(t)
}

func TestChartsFollowTheColourScheme(t *testing.T) {
	p := openReport(t, reporttest.Blocked(), reporttest.Grading(), 1100)
	const pixel = `(() => {
		const c = document.querySelector('.uplot canvas');
		return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data].reduce((a, b) => (a * 31 + b) % 1e9, 7);
	})()`
	light := eval[int](t, p, pixel)
	require.NoError(t, chromedp.Do(p.ctx, darkScheme()))
	dark := eval[int](t, p, `new Promise(r => setTimeout(r, 300)).then(() => `+pixel+`)`)
	assert.NotEqual(t, light, dark)
	p.assertQuiet(t)
}

func TestNarrowPageDoesNotOverflow(t *testing.T) {
	hostile := reporttest.Blocked()
	hostile.Submission.Name = strings.Repeat("averylongname", 30)
	hostile.Criteria[0].Title = strings.Repeat("Unbreakable", 20)
	for name, rep := range map[string]*grading.Report{"blocked": reporttest.Blocked(), "long words": hostile, "oom": reporttest.OutOfMemory()} {
		for _, width := range []int64{320, 390, 800} {
			p := openReport(t, rep, reporttest.Grading(), width)
			require.True(t, eval[bool](t, p, openAll))
			assert.LessOrEqual(t, eval[int](t, p, `document.documentElement.scrollWidth`), int(width), "%s at %d px", name, width)
			p.assertQuiet(t)
		}
	}
}

func TestPageWithoutJavaScript(t *testing.T) {
	p := openReport(t, reporttest.Blocked(), reporttest.Grading(), 1100, withoutScripts())
	// The protocol's own evaluation still works when scripts of the page do not.
	assert.Zero(t, eval[int](t, p, `document.querySelectorAll('.uplot').length`))
	assert.Equal(t, 6, eval[int](t, p, `[...document.querySelectorAll('.set[open] .plot')].filter(f => f.getBoundingClientRect().height > 100 &&
		[...f.querySelectorAll('path.line')].some(l => l.getBBox().width > 100)).length`), "each chart is there as SVG")
	assert.True(t, eval[bool](t, p, `document.querySelector('.choose').hidden`), "nothing is offered that cannot work")
	p.assertQuiet(t)
}

func TestHeadingsAreInOrder(t *testing.T) {
	for _, rep := range []*grading.Report{reporttest.Blocked(), reporttest.Invalid(), reporttest.Empty()} {
		p := openReport(t, rep, reporttest.Grading(), 1100)
		levels := eval[[]int](t, p, `[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => Number(h.tagName[1]))`)
		require.NotEmpty(t, levels)
		assert.Equal(t, 1, levels[0])
		for i := 1; i < len(levels); i++ {
			assert.LessOrEqual(t, levels[i], levels[i-1]+1, "heading %d skips a level: %v", i, levels)
		}
	}
}

func TestPageIsAccessible(t *testing.T) {
	type violation struct{ ID, Help, Target string }
	const check = `axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}).then(r =>
		JSON.stringify(r.violations.flatMap(v => v.nodes.map(n => ({ID: v.id, Help: v.help, Target: n.target.join(' ')})))))`
	dark := []chromedp.Action[chromedp.Void]{darkScheme()}
	for _, tt := range []struct {
		name   string
		rep    *grading.Report
		width  int64
		before []chromedp.Action[chromedp.Void]
	}{
		{"blocked", reporttest.Blocked(), 1100, nil},
		{"blocked, dark and narrow", reporttest.Blocked(), 390, dark},
		{"out of memory, dark", reporttest.OutOfMemory(), 1100, dark},
		{"practice, narrow", reporttest.Practice(), 390, nil},
		{"withheld", reporttest.Withheld(), 1100, nil},
	} {
		p := openReport(t, tt.rep, reporttest.Grading(), tt.width, tt.before...)
		require.True(t, eval[bool](t, p, openAll))
		eval[any](t, p, axe+"; null")
		var found []violation
		require.NoError(t, json.Unmarshal([]byte(eval[string](t, p, check)), &found))
		assert.Empty(t, found, tt.name)
	}
}

func TestPagePrints(t *testing.T) {
	p := openReport(t, reporttest.Blocked(), reporttest.Grading(), 1100, darkScheme())
	pdf, err := chromedp.Run(p.ctx, chromedp.PrintToPDF(chromedp.PDFPreferCSSPageSize()))
	require.NoError(t, err)
	pages := len(regexp.MustCompile(`/Type\s*/Page[^s]`).FindAll(pdf, -1))
	assert.Greater(t, pages, 2)
	assert.Less(t, pages, 20, "only what is open is printed")
	p.assertQuiet(t)
}
