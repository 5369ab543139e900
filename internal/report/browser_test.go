//go:build integration

package report_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/browsertest"
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/grading"
	"github.com/assay-run/assay/internal/report"
	"github.com/assay-run/assay/internal/report/reporttest"
)

// openReport writes a report to a file and opens it in a tab of its own.
func openReport(t *testing.T, b *browsertest.Browser, rep *grading.Report, ev *evidence.Grading, look browsertest.Look) *browsertest.Tab {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.html")
	f, err := os.Create(file)
	require.NoError(t, err)
	require.NoError(t, report.HTML(f, rep, ev, report.Options{}))
	require.NoError(t, f.Close())
	page := b.Tab(t, "file://")
	page.See(look)
	page.Open("file://" + file)
	return page
}

// assertQuiet checks that nothing went wrong and that nothing but the file itself was asked for.
func assertQuiet(t *testing.T, p *browsertest.Tab) {
	t.Helper()
	assert.Empty(t, p.Problems(), "errors, violations of the policy, requests for others")
	assert.NotEmpty(t, p.Requests())
}

const openAll = `document.querySelectorAll('details').forEach(d => d.open = true); new Promise(r => setTimeout(r, 300)).then(() => true)`

func TestPageInBrowser(t *testing.T) {
	p := openReport(t, browsertest.Start(t), reporttest.Blocked(), reporttest.Grading(), browsertest.Look{Width: 1100})
	assert.Equal(t, 6, browsertest.Eval[int](p, `document.querySelectorAll('.uplot canvas').length`), "the first scenario is drawn")
	require.True(t, browsertest.Eval[bool](p, openAll))
	drawn := browsertest.Eval[int](p, `document.querySelectorAll('.uplot canvas').length`)
	assert.Equal(t, browsertest.Eval[int](p, `document.querySelectorAll('figure[data-chart]').length`), drawn, "every chart is drawn once opened")
	assert.True(t, browsertest.Eval[bool](p, `[...document.querySelectorAll('.uplot canvas')].every(c => {
		const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
		return d.some(v => v !== 0);
	})`), "no canvas is empty")
	assertQuiet(t, p)
}

func TestRunsCanBeSwitched(t *testing.T) {
	p := openReport(t, browsertest.Start(t), reporttest.Blocked(), reporttest.Grading(), browsertest.Look{Width: 1100})
	before := browsertest.Eval[string](p, `document.querySelector('figure.wide figcaption').textContent`)
	after := browsertest.Eval[string](p, `(() => { const s = document.querySelector('.choose select'); s.value = '2'; s.dispatchEvent(new Event('change'));
		return document.querySelector('figure.wide figcaption').textContent; })()`)
	assert.NotEqual(t, before, after)
	assert.Equal(t, 6, browsertest.Eval[int](p, `document.querySelectorAll('.uplot').length`), "drawn again, not twice")
	read := browsertest.Eval[string](p, `(() => { const h = document.querySelector('.live'); h.focus();
		for (let i = 0; i < 5; i++) h.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}));
		return new Promise(r => setTimeout(() => r(document.querySelector('.read').textContent), 200)); })()`)
	assert.Regexp(t, `s · this submission [0-9.]+ `, read, "arrow keys read values")
	assertQuiet(t, p)
}

func TestChartsFollowTheColourScheme(t *testing.T) {
	p := openReport(t, browsertest.Start(t), reporttest.Blocked(), reporttest.Grading(), browsertest.Look{Width: 1100})
	const pixel = `(() => {
		const c = document.querySelector('.uplot canvas');
		return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data].reduce((a, b) => (a * 31 + b) % 1e9, 7);
	})()`
	light := browsertest.Eval[int](p, pixel)
	p.See(browsertest.Look{Width: 1100, Dark: true})
	dark := browsertest.Eval[int](p, `new Promise(r => setTimeout(r, 300)).then(() => `+pixel+`)`)
	assert.NotEqual(t, light, dark)
	assertQuiet(t, p)
}

func TestNarrowPageDoesNotOverflow(t *testing.T) {
	hostile := reporttest.Blocked()
	hostile.Submission.Name = strings.Repeat("averylongname", 30)
	hostile.Criteria[0].Title = strings.Repeat("Unbreakable", 20)
	b := browsertest.Start(t)
	for name, rep := range map[string]*grading.Report{"blocked": reporttest.Blocked(), "long words": hostile, "oom": reporttest.OutOfMemory()} {
		for _, width := range []int64{320, 390, 800} {
			p := openReport(t, b, rep, reporttest.Grading(), browsertest.Look{Width: width})
			require.True(t, browsertest.Eval[bool](p, openAll))
			assert.Empty(t, p.Overflow(), "%s at %d px", name, width)
			assertQuiet(t, p)
		}
	}
}

func TestPageWithoutJavaScript(t *testing.T) {
	p := openReport(t, browsertest.Start(t), reporttest.Blocked(), reporttest.Grading(), browsertest.Look{Width: 1100, NoScript: true})
	// The protocol's own evaluation still works when scripts of the page do not.
	assert.Zero(t, browsertest.Eval[int](p, `document.querySelectorAll('.uplot').length`))
	assert.Equal(t, 6, browsertest.Eval[int](p, `[...document.querySelectorAll('.set[open] .plot')].filter(f => f.getBoundingClientRect().height > 100 &&
		[...f.querySelectorAll('path.line')].some(l => l.getBBox().width > 100)).length`), "each chart is there as SVG")
	assert.True(t, browsertest.Eval[bool](p, `document.querySelector('.choose').hidden`), "nothing is offered that cannot work")
	assertQuiet(t, p)
}

func TestHeadingsAreInOrder(t *testing.T) {
	b := browsertest.Start(t)
	for _, rep := range []*grading.Report{reporttest.Blocked(), reporttest.Invalid(), reporttest.Empty()} {
		p := openReport(t, b, rep, reporttest.Grading(), browsertest.Look{Width: 1100})
		levels := browsertest.Eval[[]int](p, `[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => Number(h.tagName[1]))`)
		require.NotEmpty(t, levels)
		assert.Equal(t, 1, levels[0])
		for i := 1; i < len(levels); i++ {
			assert.LessOrEqual(t, levels[i], levels[i-1]+1, "heading %d skips a level: %v", i, levels)
		}
	}
}

func TestPageIsAccessible(t *testing.T) {
	b := browsertest.Start(t)
	for _, tt := range []struct {
		name string
		rep  *grading.Report
		look browsertest.Look
	}{
		{"blocked", reporttest.Blocked(), browsertest.Look{Width: 1100}},
		{"blocked, dark and narrow", reporttest.Blocked(), browsertest.Look{Width: 390, Dark: true}},
		{"out of memory, dark", reporttest.OutOfMemory(), browsertest.Look{Width: 1100, Dark: true}},
		{"practice, narrow", reporttest.Practice(), browsertest.Look{Width: 390}},
		{"withheld", reporttest.Withheld(), browsertest.Look{Width: 1100}},
	} {
		p := openReport(t, b, tt.rep, reporttest.Grading(), tt.look)
		require.True(t, browsertest.Eval[bool](p, openAll))
		assert.Empty(t, p.Violations(), tt.name)
	}
}

func TestPagePrints(t *testing.T) {
	p := openReport(t, browsertest.Start(t), reporttest.Blocked(), reporttest.Grading(), browsertest.Look{Width: 1100, Dark: true})
	pdf := browsertest.Run(p, chromedp.PrintToPDF(chromedp.PDFPreferCSSPageSize()))
	pages := len(regexp.MustCompile(`/Type\s*/Page[^s]`).FindAll(pdf, -1))
	assert.Greater(t, pages, 2)
	assert.Less(t, pages, 20, "only what is open is printed")
	assertQuiet(t, p)
}
