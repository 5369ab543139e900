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

// Width is how wide the page is, in CSS pixels; what overflows it is in it.
func (p *Tab) Width() int {
	p.t.Helper()
	return Eval[int](p, `document.documentElement.scrollWidth`)
}
