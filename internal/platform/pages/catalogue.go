package pages

import (
	"fmt"
	"html"
	"html/template"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// catalogue holds the texts of one language. It is a file of keys and sentences, because translators work with files, and
// named gaps ("{name}") may change places in another language. golang.org/x/text/message was left out: it falls back to
// the key without a word when a text is missing, and its gaps are verbs in the order of the English sentence. Its plural
// rules are used.
type catalogue struct {
	tag   language.Tag
	texts map[string]entry
}

// entry is one text. One that counts something has a form for each plural category of the language.
type entry struct {
	plain string
	forms map[string]string
}

// UnmarshalYAML reads a sentence, or the sentences of a plural.
func (e *entry) UnmarshalYAML(unmarshal func(any) error) error {
	if err := unmarshal(&e.plain); err == nil {
		return nil
	}
	return unmarshal(&e.forms)
}

func newCatalogue(lang string, raw []byte) (*catalogue, error) {
	tag, err := language.Parse(lang)
	if err != nil {
		return nil, fmt.Errorf("read language %q: %w", lang, err)
	}
	c := &catalogue{tag: tag}
	if err := yaml.UnmarshalWithOptions(raw, &c.texts, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("read texts of %s: %w", lang, err)
	}
	return c, nil
}

// text fills the gaps of a text. What is filled in is made safe to show first; it is not escaped for HTML.
func (c *catalogue) text(key string, args ...any) (string, error) {
	e, ok := c.texts[key]
	if !ok || e.forms != nil {
		return "", fmt.Errorf("text %q: there is no such text", key)
	}
	return fill(key, e.plain, func(s string) string { return s }, args)
}

// count is text for something that is counted: it picks the form for n, which fills the gap {n}.
func (c *catalogue) count(key string, n int, args ...any) (string, error) {
	e, ok := c.texts[key]
	if !ok || e.forms == nil {
		return "", fmt.Errorf("text %q: there is no such counted text", key)
	}
	form, ok := e.forms[c.category(n)]
	if !ok {
		form = e.forms["other"]
	}
	return fill(key, form, func(s string) string { return s }, append([]any{"n", whole(n)}, args...))
}

// category is the name of the plural form for n in the language.
func (c *catalogue) category(n int) string {
	n = max(n, -n)
	switch plural.Cardinal.MatchPlural(c.tag, n, 0, 0, 0, 0) {
	case plural.Zero:
		return "zero"
	case plural.One:
		return "one"
	case plural.Two:
		return "two"
	case plural.Few:
		return "few"
	case plural.Many:
		return "many"
	default:
		return "other"
	}
}

var (
	gap    = regexp.MustCompile(`\{[a-zA-Z]+\}`)
	ticked = regexp.MustCompile("`([^`]+)`")
)

// rich is text as HTML: what stands between backticks becomes code. Backticks in what is filled in stay backticks.
func (c *catalogue) rich(key string, args ...any) (template.HTML, error) {
	e, ok := c.texts[key]
	if !ok || e.forms != nil {
		return "", fmt.Errorf("text %q: there is no such text", key)
	}
	marked := ticked.ReplaceAllString(html.EscapeString(e.plain), "<code>$1</code>")
	s, err := fill(key, marked, html.EscapeString, args)
	return template.HTML(s), err //nolint:gosec // everything in it was escaped
}

func fill(key, s string, escape func(string) string, args []any) (string, error) {
	if len(args)%2 != 0 {
		return "", fmt.Errorf("text %q: a name without a value", key)
	}
	values := map[string]string{}
	for i := 0; i < len(args); i += 2 {
		values[fmt.Sprint("{", args[i], "}")] = escape(oneLine(fmt.Sprint(args[i+1])))
	}
	var missing []string
	s = gap.ReplaceAllStringFunc(s, func(g string) string {
		v, ok := values[g]
		if !ok {
			missing = append(missing, g)
		}
		return v
	})
	if missing != nil {
		return "", fmt.Errorf("text %q: nothing was given for %s", key, strings.Join(missing, ", "))
	}
	return s, nil
}
