package report

import (
	"strings"

	"github.com/rivo/uniseg"
)

// wrap breaks text into lines of at most width columns, at spaces, and inside a word only when it is longer than a
// line. Line feeds break too. Empty text has no lines.
func wrap(text string, width int) []string {
	width = max(width, 8)
	var out []string
	for _, paragraph := range strings.Split(text, "\n") {
		line, used := "", 0
		for _, word := range strings.Fields(paragraph) {
			for _, piece := range pieces(word, width) {
				n := uniseg.StringWidth(piece)
				switch {
				case used == 0:
					line, used = piece, n
				case used+1+n <= width:
					line, used = line+" "+piece, used+1+n
				default:
					out = append(out, line)
					line, used = piece, n
				}
			}
		}
		if used > 0 {
			out = append(out, line)
		}
	}
	return out
}

// pieces cuts a word that is wider than a line, between characters as people see them.
func pieces(word string, width int) []string {
	if uniseg.StringWidth(word) <= width {
		return []string{word}
	}
	var out []string
	var b strings.Builder
	used := 0
	for g := uniseg.NewGraphemes(word); g.Next(); {
		if used+g.Width() > width && used > 0 {
			out = append(out, b.String())
			b.Reset()
			used = 0
		}
		b.WriteString(g.Str())
		used += g.Width()
	}
	return append(out, b.String())
}

// pad fills a short text with spaces on the left up to width columns.
func pad(s string, width int) string {
	return strings.Repeat(" ", max(width-uniseg.StringWidth(s), 0)) + s
}
