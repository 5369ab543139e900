package browsertest

import (
	"os"
	"path/filepath"

	"github.com/stretchr/testify/require"
)

// OpenAll opens everything on the page that can be folded.
const OpenAll = `document.querySelectorAll('details').forEach(d => d.open = true)`

// What axe checks: the rules of WCAG 2.0, 2.1 and 2.2 at A and AA, and what is good practice. That target-size, which is off
// unless it is asked for, was looked at shows that the rules are those.
const axeRun = `axe.run(document, {
	runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'], rules: {'target-size': {enabled: true}},
}).then(r => [r.passes, r.violations, r.incomplete, r.inapplicable].flat().some(x => x.id === 'target-size')
	? r.violations.flatMap(v => v.nodes.map(n => v.id + ': ' + v.help + ': ' + n.target.join(' ') + ': ' + n.failureSummary))
	: ['axe has not looked at the size of targets'])`

// Violations are what axe finds on the page, everything that can be folded opened.
func (p *Tab) Violations() []string {
	p.t.Helper()
	found, err := filepath.Glob(filepath.Join(Root(p.t), ".tools", "axe-core-*", "axe.min.js"))
	require.NoError(p.t, err)
	require.Len(p.t, found, 1, "axe-core is not in .tools: make tools puts it there")
	axe, err := os.ReadFile(found[0])
	require.NoError(p.t, err)
	Eval[any](p, string(axe)+"; "+OpenAll+"; null")
	return Eval[[]string](p, axeRun)
}

// overflowing is JavaScript that lists what sticks out of a page that is wider than its window, unless it can be scrolled by itself.
const overflowing = `(() => {
	const wide = document.documentElement.scrollWidth;
	if (wide <= innerWidth) return [];
	const inside = (e) => { for (let p = e.parentElement; p !== null && p !== document.body; p = p.parentElement) if (getComputedStyle(p).overflowX !== 'visible') return true; return false; };
	const found = [];
	const note = (e, right) => { if (right > innerWidth + 1 && !inside(e)) found.push(right + ' px: ' + e.outerHTML.slice(0, 200)); };
	for (const e of document.body.querySelectorAll('*')) note(e, e.getBoundingClientRect().right);
	const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let n = texts.nextNode(); n !== null; n = texts.nextNode()) {
		const r = document.createRange();
		r.selectNodeContents(n);
		note(n.parentElement, r.getBoundingClientRect().right);
	}
	return ['the page has ' + wide + ' px'].concat(found.slice(-3));
})()`

// Overflow is what makes the page wider than its window; empty when it is not.
func (p *Tab) Overflow() []string {
	p.t.Helper()
	return Eval[[]string](p, overflowing)
}
