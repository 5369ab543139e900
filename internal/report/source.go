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

// Bounds of what is shown of a submission's files, in bytes where nothing else is said.
const (
	maxFiles     = 200             // files that are listed
	maxFileText  = 96 << 10        // of one file
	maxFilesText = 600 << 10       // of all files
	maxCodeHTML  = 900 << 10       // of the markup of all files: colouring can make a short text very long
	maxColoured  = 48 << 10        // of a file that is coloured; larger ones are shown plain
	maxLexTime   = 5 * time.Second // for colouring all files
)

// sourceView is one file of the submission.
type sourceView struct {
	Path, Size string
	Note       string        // why there is no or not all text
	Code       template.HTML // lines as <span class="l">; made by codeHTML, which escapes
}

// shownFiles sorts the files, those that the candidate most likely wrote first, and cuts them so that all together
// stay within the bounds.
func shownFiles(s evidence.Submission) []evidence.SourceFile {
	files := slices.Clone(s.Files)
	slices.SortStableFunc(files, func(a, b evidence.SourceFile) int {
		return cmp.Or(cmp.Compare(sourceRank(s, a), sourceRank(s, b)), strings.Compare(a.Path, b.Path))
	})
	left := maxFilesText
	for i := range files {
		f := &files[i]
		if limit := min(maxFileText, left); len(f.Text) > limit {
			f.Text, f.Truncated = cutText(f.Text, limit), true
		}
		left -= len(f.Text)
	}
	return files
}

// sourceViews shows files and says how many more there are. Colouring stops after a fixed time: the lexers are regular
// expressions, and a submission could be written to make them slow.
func sourceViews(files []evidence.SourceFile) (out []sourceView, more int) {
	if len(files) > maxFiles {
		files, more = files[:maxFiles], len(files)-maxFiles
	}
	left, deadline := maxCodeHTML, time.Now().Add(maxLexTime)
	for _, f := range files {
		v := sourceView{Path: f.Path, Size: quantity(float64(f.Bytes), "bytes")}
		if f.Text != "" && left > 0 {
			code, whole := codeHTML(f.Path, f.Text, left, deadline)
			v.Code = code
			left -= len(code)
			f.Truncated = f.Truncated || !whole
		}
		switch {
		case f.Binary:
			v.Note = "Binary file, not shown."
		case v.Code != "" && f.Truncated:
			v.Note = "Cut: only the beginning is shown."
		case v.Code == "" && (f.Truncated || f.Text != ""):
			v.Note = "Left out here because of its size; it is part of the submission."
		case f.Text == "":
			v.Note = "Empty file."
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
	if limit <= 0 {
		return ""
	}
	s = s[:limit]
	if i := strings.LastIndexByte(s, '\n'); i > 0 {
		return s[:i+1]
	}
	return strings.ToValidUTF8(s, "")
}

// codeHTML renders code line by line, at most about limit bytes of markup; whole is false when that cut it. Everything
// from the file goes through html.EscapeString; the class names are ours.
func codeHTML(name, text string, limit int, deadline time.Time) (code template.HTML, whole bool) {
	tokens, ok := lex(name, text, deadline)
	if !ok {
		tokens = []chroma.Token{{Type: chroma.Text, Value: text}}
	}
	var b strings.Builder
	for _, line := range chroma.SplitTokensIntoLines(tokens) {
		if b.Len() >= limit {
			return template.HTML(b.String()), false //nolint:gosec // escaped below
		}
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
	return template.HTML(b.String()), true //nolint:gosec // escaped above
}

// lex splits code into tokens; ok is false where the language is unknown, the text is large, or it took too long.
func lex(name, text string, deadline time.Time) (tokens []chroma.Token, ok bool) {
	language := map[string]string{".mjs": "javascript", ".js": "javascript", ".cjs": "javascript", ".ts": "typescript",
		".mts": "typescript", ".cts": "typescript", ".json": "json", ".yaml": "yaml", ".yml": "yaml"}[path.Ext(name)]
	if language == "" || len(text) > maxColoured || time.Now().After(deadline) {
		return nil, false
	}
	lexer := lexers.Get(language)
	if lexer == nil {
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
