package report

import (
	"cmp"
	"fmt"
	"html"
	"html/template"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/chroma/v2"
	"github.com/alecthomas/chroma/v2/lexers"

	"github.com/assay-run/assay/internal/evidence"
)

// Bounds of what is shown of a submission's text.
const (
	maxFiles      = 200       // listed
	maxFileText   = 96 << 10  // bytes of one file
	maxFilesText  = 700 << 10 // bytes of all files, before highlighting
	maxHighlight  = 48 << 10  // bytes of one file that are coloured; larger ones are shown plain
	lexTimePerRun = 2 * time.Second
)

// sourceView is one file of the submission.
type sourceView struct {
	Path, Size string
	Note       string        // why there is no or not all text
	Code       template.HTML // lines as <span class="l">; made by codeHTML, which escapes
}

// sourceViews lists the files, code first, and says how many more there are. Colouring stops after a fixed time: the
// lexers are regular expressions, and a submission could be written to make them slow.
func sourceViews(s evidence.Submission) (out []sourceView, more int) {
	files := slices.Clone(s.Files)
	slices.SortStableFunc(files, func(a, b evidence.SourceFile) int {
		return cmp.Or(cmp.Compare(sourceRank(s, a), sourceRank(s, b)), strings.Compare(a.Path, b.Path))
	})
	if len(files) > maxFiles {
		files, more = files[:maxFiles], len(files)-maxFiles
	}
	left, deadline := maxFilesText, time.Now().Add(lexTimePerRun)
	for _, f := range files {
		v := sourceView{Path: f.Path, Size: quantity(float64(f.Bytes), "bytes")}
		text := f.Text
		switch {
		case f.Binary:
			v.Note = "Binary file, not shown."
		case text == "" && f.Truncated, text != "" && left <= 0:
			v.Note, text = "Left out here because of its size; it is part of the submission.", ""
		case f.Truncated, len(text) > min(maxFileText, left):
			text = cutText(text, min(maxFileText, left))
			v.Note = "Cut: only the beginning is shown."
		case text == "":
			v.Note = "Empty file."
		}
		if text != "" {
			left -= len(text)
			v.Code = codeHTML(f.Path, text, deadline)
		}
		out = append(out, v)
	}
	return out, more
}

// sourceRank sorts what the candidate most likely wrote to the front.
func sourceRank(s evidence.Submission, f evidence.SourceFile) int {
	if slices.Contains(s.Start, f.Path) {
		return -1
	}
	switch path.Ext(f.Path) {
	case ".mjs", ".js", ".cjs", ".ts", ".mts", ".cts":
		if strings.Contains(f.Path, "test") {
			return 1
		}
		return 0
	case ".json", ".yaml", ".yml", ".md":
		if path.Base(f.Path) == "package-lock.json" {
			return 4
		}
		return 2
	}
	return 3
}

// cutText cuts after at most limit bytes, at the end of a line where there is one.
func cutText(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	s = s[:max(limit, 0)]
	if i := strings.LastIndexByte(s, '\n'); i > 0 {
		return s[:i+1]
	}
	return strings.ToValidUTF8(s, "")
}

// codeHTML renders code line by line. Everything from the file goes through html.EscapeString; the class names are ours.
func codeHTML(name, text string, deadline time.Time) template.HTML {
	tokens, ok := lex(name, text, deadline)
	if !ok {
		tokens = []chroma.Token{{Type: chroma.Text, Value: text}}
	}
	var b strings.Builder
	for _, line := range chroma.SplitTokensIntoLines(tokens) {
		b.WriteString(`<span class="l">`)
		for _, t := range line {
			escaped := html.EscapeString(strings.TrimSuffix(t.Value, "\n"))
			if class := tokenClass(t.Type); class != "" && escaped != "" {
				fmt.Fprintf(&b, `<span class="%s">%s</span>`, class, escaped)
			} else {
				b.WriteString(escaped)
			}
		}
		b.WriteString("\n</span>")
	}
	return template.HTML(b.String()) //nolint:gosec // escaped above
}

// lex splits code into tokens; ok is false where the language is unknown, the text is large, or it took too long.
func lex(name, text string, deadline time.Time) (tokens []chroma.Token, ok bool) {
	language := map[string]string{".mjs": "javascript", ".js": "javascript", ".cjs": "javascript", ".ts": "typescript",
		".mts": "typescript", ".cts": "typescript", ".json": "json", ".yaml": "yaml", ".yml": "yaml"}[path.Ext(name)]
	lexer := lexers.Get(language)
	if language == "" || lexer == nil || len(text) > maxHighlight || time.Now().After(deadline) {
		return nil, false
	}
	defer func() { // a lexer reports an error inside its iterator by panicking
		if recover() != nil {
			tokens, ok = nil, false
		}
	}()
	next, err := lexer.Tokenise(nil, text)
	if err != nil {
		return nil, false
	}
	for t := next(); t != chroma.EOF; t = next() {
		tokens = append(tokens, t)
		if len(tokens)%64 == 0 && time.Now().After(deadline) {
			return nil, false
		}
	}
	return tokens, true
}

// tokenClass maps the many token types to the four that the page colours.
func tokenClass(t chroma.TokenType) string {
	switch {
	case t.InCategory(chroma.Comment):
		return "tc"
	case t.InCategory(chroma.Keyword):
		return "tk"
	case t.InSubCategory(chroma.LiteralString):
		return "ts"
	case t.InSubCategory(chroma.LiteralNumber):
		return "tn"
	}
	return ""
}
