package web

import (
	"bytes"
	"fmt"
	"html/template"
	"regexp"
	"strings"
	"sync"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/internal/platform/service"
)

// briefs makes the briefs of challenges into HTML, each once. A challenge may be somebody's own folder, so nothing in it is
// trusted: HTML in the Markdown is left out, and what is made of the rest goes through a list of what is allowed.
type briefs struct {
	markdown goldmark.Markdown
	policy   *bluemonday.Policy

	mu   sync.Mutex
	made map[string]template.HTML // by id and digest of the challenge: as many as are offered
}

func newBriefs() *briefs {
	return &briefs{
		markdown: goldmark.New(
			goldmark.WithExtensions(extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute)), extension.Strikethrough),
			goldmark.WithParserOptions(parser.WithASTTransformers(util.Prioritized(headings{}, 100))),
		),
		policy: briefPolicy(), made: map[string]template.HTML{},
	}
}

// briefPolicy is what a brief may have: text, lists, tables, code, and links that say nothing of where they were followed.
func briefPolicy() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "hr", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code", "em", "strong", "del",
		"table", "thead", "tbody", "tr", "th", "td")
	p.AllowAttrs("align").Matching(regexp.MustCompile(`^(left|center|right)$`)).OnElements("th", "td")
	p.AllowAttrs("start").Matching(bluemonday.Integer).OnElements("ol")
	p.AllowAttrs("href").OnElements("a")
	p.AllowURLSchemes("https", "mailto")
	p.AllowRelativeURLs(false)
	p.RequireParseableURLs(true)
	p.RequireNoReferrerOnLinks(true)
	p.RequireNoFollowOnLinks(true)
	return p
}

// headings takes the title away, which the page has already, and makes the others fit under the page's: from h3 on.
type headings struct{}

// Transform implements parser.ASTTransformer.
func (headings) Transform(doc *ast.Document, _ text.Reader, _ parser.Context) {
	if first, ok := doc.FirstChild().(*ast.Heading); ok && first.Level == 1 {
		doc.RemoveChild(doc, first)
	}
	for n := doc.FirstChild(); n != nil; n = n.NextSibling() {
		if h, ok := n.(*ast.Heading); ok {
			h.Level = min(max(h.Level+1, 3), 6)
		}
	}
}

// html is the brief of a challenge.
func (b *briefs) html(c *challenges.Challenge) (template.HTML, error) {
	key := c.ID + " " + c.Digest
	b.mu.Lock()
	defer b.mu.Unlock()
	if out, ok := b.made[key]; ok {
		return out, nil
	}
	source, err := service.Brief(c)
	if err != nil {
		return "", err
	}
	var made bytes.Buffer
	if err := b.markdown.Convert(source, &made); err != nil {
		return "", fmt.Errorf("make page of brief %s: %w", c.ID, err)
	}
	out := template.HTML(accessible(b.policy.Sanitize(made.String()))) //nolint:gosec // it was just made safe
	b.made[key] = out
	return out, nil
}

var (
	emptyHead = regexp.MustCompile(`<thead>\s*<tr>\s*(?:<th[^>]*></th>\s*)+</tr>\s*</thead>`)
	emptyCell = regexp.MustCompile(`<th( [^>]*)?></th>`)
)

// accessible mends what Markdown cannot say, in HTML that has gone through the policy: a column without a name has no heading, and
// code that is wider than the page can be scrolled with the keyboard.
func accessible(html string) string {
	html = emptyHead.ReplaceAllString(html, "")
	html = emptyCell.ReplaceAllString(html, "<td$1></td>")
	return strings.ReplaceAll(html, "<pre>", `<pre tabindex="0">`)
}
