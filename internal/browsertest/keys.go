package browsertest

import (
	"fmt"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// maxStops bounds how often Tab is pressed on one page.
const maxStops = 300

// focused is JavaScript that says where the focus is, whether that can be seen, and whether it is on what fits a selector and has a
// text.
const focused = `((selector, text) => {
	const e = document.activeElement;
	if (e === null || e === document.body) return {what: '', index: -1};
	const style = getComputedStyle(e);
	const r = e.getClientRects()[0] ?? new DOMRect();
	const [left, right] = [Math.max(r.left, 0), Math.min(r.right, innerWidth)];
	const [top, bottom] = [Math.max(r.top, 0), Math.min(r.bottom, innerHeight)];
	const hit = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
	const mine = (n) => n !== null && (e.contains(n) || [...(e.labels ?? [])].some((l) => l.contains(n)));
	const problems = [];
	if (style.outlineStyle === 'none' || parseFloat(style.outlineWidth) === 0) problems.push('has no outline');
	if (left >= right || top >= bottom) problems.push('is out of sight');
	else if (!mine(hit)) problems.push('lies behind ' + hit?.outerHTML.slice(0, 60));
	const words = [...(e.labels ?? []), e].map((n) => n.textContent).join(' ').replace(/\s+/g, ' ');
	return {
		what: (e.outerHTML.slice(0, 90) + ' ' + words.slice(0, 40)).trim(), problem: problems.join(', '),
		index: (window.assayOrder ?? []).indexOf(e), fits: selector !== '' && e.matches(selector) && words.includes(text),
	};
})`

// order is JavaScript that lists what must be reached by Tab, in the order of the page, and puts the focus before it. Of radio
// buttons one is reached, and the arrow keys lead to the others.
const order = `(() => {
	const groups = new Set();
	window.assayOrder = [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]')].filter((e) => {
		if (e.disabled || !e.checkVisibility({visibilityProperty: true})) return false;
		if (e.type !== 'radio') return true;
		const group = [...document.getElementsByName(e.name)];
		return e === (group.find((o) => o.checked) ?? group[0]);
	});
	document.body.tabIndex = -1;
	document.body.focus();
	document.body.removeAttribute('tabindex');
	scrollTo(0, 0);
	return window.assayOrder.map((e) => e.outerHTML.slice(0, 90));
})()`

// stop is where the focus is.
type stop struct {
	What, Problem string
	Index         int
	Fits          bool
}

// FocusProblems presses Tab from the top of the page to its end. What should be reached and is not, is reached out of order, or
// shows no focus where the eye can find it, is a problem.
func (p *Tab) FocusProblems() []string {
	p.t.Helper()
	expected := Eval[[]string](p, order)
	var problems []string
	next := 0
	for range maxStops {
		p.Press(kb.Tab)
		at := Eval[stop](p, call(focused, "", ""))
		if at.What == "" {
			break
		}
		if at.Index >= 0 && at.Index == next-1 {
			continue // a field with several parts, such as a date: the browser marks them
		}
		if at.Problem != "" {
			problems = append(problems, at.What+": "+at.Problem)
		}
		switch {
		case at.Index == next:
			next++
		case at.Index >= 0:
			problems = append(problems, fmt.Sprintf("%s: it is the %dth stop and should be the %dth", at.What, next+1, at.Index+1))
			next = at.Index + 1
		}
	}
	if next != len(expected) {
		problems = append(problems, fmt.Sprintf("%d of %d are reached; the next were %s", next, len(expected), expected[next]))
	}
	return problems
}

// TabTo presses Tab until the focus is on the element that fits a selector and has a text. The focus must be seen at every stop.
func (p *Tab) TabTo(selector, text string) {
	p.t.Helper()
	var path []string
	for range maxStops {
		p.Press(kb.Tab)
		at := Eval[stop](p, call(focused, selector, text))
		require.Empty(p.t, at.Problem, at.What)
		if at.Fits {
			return
		}
		path = append(path, at.What)
	}
	require.Fail(p.t, fmt.Sprintf("Tab does not lead to %s “%s”", selector, text), "%q", path)
}
