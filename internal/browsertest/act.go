package browsertest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// find is JavaScript that gives the point at which a person reaches the one element that fits. text is part of its words, of a
// field of those of its label.
const find = `((selector, text) => {
	const words = (e) => [...(e.labels ?? []), e].map((n) => n.textContent).join(' ').replace(/\s+/g, ' ');
	const seen = [...document.querySelectorAll(selector)].filter((e) => words(e).includes(text) && (e.labels?.[0] ?? e).getClientRects().length > 0);
	if (seen.length !== 1) return {n: seen.length};
	const e = seen[0].getClientRects().length > 0 ? seen[0] : seen[0].labels[0];
	e.scrollIntoView({block: 'center', inline: 'nearest', behavior: 'instant'});
	const r = e.getClientRects()[0];
	const [x, y] = [r.x + Math.min(r.width / 2, 60), r.y + r.height / 2];
	const hit = document.elementFromPoint(x, y);
	return {n: 1, x, y, free: hit !== null && (e.contains(hit) || hit.contains(e)), path: hit?.outerHTML.slice(0, 200)};
})`

// place is what find gives.
type place struct {
	N    int
	X, Y float64
	Free bool
	Path string
}

// reach waits until there is one such element and nothing lies above it.
func (p *Tab) reach(selector, text string) place {
	p.t.Helper()
	return until(p, call(find, selector, text), fmt.Sprintf("one %s “%s” can be reached", selector, text), func(at place) bool { return at.N == 1 && at.Free })
}

// call is JavaScript that calls a function with strings.
func call(function string, args ...string) string {
	list := make([]string, len(args))
	for i, a := range args {
		quoted, err := json.Marshal(a)
		if err != nil { // a string always can
			panic(err)
		}
		list[i] = string(quoted)
	}
	return function + "(" + strings.Join(list, ", ") + ")"
}

// Click clicks the one element that fits a CSS selector and has a text, once it is there.
func (p *Tab) Click(selector, text string) {
	p.t.Helper()
	at := p.reach(selector, text)
	p.Do(chromedp.MouseClickXY(at.X, at.Y))
}

// Follow clicks as Click does and waits for the page that it leads to.
func (p *Tab) Follow(selector, text string) {
	p.t.Helper()
	p.Leave(func() { p.Click(selector, text) })
}

// Leave does something that leads to another page, and waits until that is there.
func (p *Tab) Leave(do func()) {
	p.t.Helper()
	Eval[any](p, `window.assayLeft = true; null`)
	do()
	p.Until(`window.assayLeft === undefined && document.readyState === 'complete'`, "another page is there")
}

// Fill types a text into the field with a name or label, in place of what is in it.
func (p *Tab) Fill(selector, text string) {
	p.t.Helper()
	p.Click(selector, "")
	Eval[any](p, `document.activeElement.select(); null`)
	p.Type(text)
	require.Equal(p.t, text, Eval[string](p, fmt.Sprintf(`document.querySelector(%q).value`, selector)), selector)
}

// Type puts a text where the focus is.
func (p *Tab) Type(text string) {
	p.t.Helper()
	_, err := chromedp.Call(p.ctx, input.InsertText, input.InsertTextParams{Text: text})
	require.NoError(p.t, err)
}

// Press presses a key, e.g. kb.Tab.
func (p *Tab) Press(key string, modifiers ...chromedp.Modifier) {
	p.t.Helper()
	p.Do(chromedp.KeyEvent(key, chromedp.KeyModifiers(modifiers...)))
}

// Choose chooses one of a list by its value.
func (p *Tab) Choose(selector, value string) {
	p.t.Helper()
	p.reach(selector, "")
	got := Eval[string](p, call(`((selector, value) => { const e = document.querySelector(selector); e.value = value;
		e.dispatchEvent(new Event('input', {bubbles: true})); e.dispatchEvent(new Event('change', {bubbles: true})); return e.value; })`, selector, value))
	require.Equal(p.t, value, got, selector)
}

// Attach chooses a file for a field.
func (p *Tab) Attach(selector, file string) {
	p.t.Helper()
	p.reach(selector, "")
	p.Do(chromedp.SetUploadFiles(chromedp.CSS(selector), []string{file}))
}

// Download does something that begins a download, and gives what came, and its name.
func (p *Tab) Download(do func()) (name string, body []byte) {
	p.t.Helper()
	dir := p.t.TempDir()
	_, err := chromedp.CallBrowser(p.ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllow, BrowserContextID: chromedp.FromContext(p.ctx).BrowserContextID, DownloadPath: dir,
	})
	require.NoError(p.t, err)
	do()
	for end := time.Now().Add(wait); time.Now().Before(end); time.Sleep(again) {
		there, err := os.ReadDir(dir)
		require.NoError(p.t, err)
		if len(there) != 1 || strings.HasSuffix(there[0].Name(), ".crdownload") || strings.HasPrefix(there[0].Name(), ".") {
			continue
		}
		body, err := os.ReadFile(filepath.Join(dir, there[0].Name()))
		require.NoError(p.t, err)
		return there[0].Name(), body
	}
	require.Fail(p.t, "nothing was downloaded", p.state())
	return "", nil
}
