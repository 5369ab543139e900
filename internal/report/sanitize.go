package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxLine  = 2000 // characters of one line; a longer one is cut and says so
	cutRoom  = 48   // of those, kept free for the sentence that says so
	maxMarks = 6    // combining marks on one character; more would draw over the lines around it
)

// Visible returns text that is safe to show to a person. Line feeds and tabs stay, CRLF becomes LF. Every other control
// character is shown as a symbol (ESC as ␛), every character that reorders or hides text (bidirectional controls,
// zero-width and other format characters) as ⟨U+202E⟩. Invalid UTF-8 becomes U+FFFD. A line of more than 2,000
// characters is cut and ends with how much was left out. Visible is idempotent. It does not escape markup.
func Visible(s string) string {
	if isPlain(s) {
		return boundLines(s)
	}
	var b strings.Builder
	b.Grow(len(s) + len(s)/8)
	marks := 0
	for i, r := range s {
		if unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r) {
			if marks++; marks > maxMarks {
				continue
			}
		} else {
			marks = 0
		}
		if r == '\r' && strings.HasPrefix(s[i+1:], "\n") {
			continue
		}
		writeVisible(&b, r)
	}
	return boundLines(b.String())
}

// isPlain says that s needs no replacement at all, which is the common case.
func isPlain(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c >= utf8.RuneSelf || c == 0x7f || (c < 0x20 && c != '\n' && c != '\t') {
			return false
		}
	}
	return true
}

func writeVisible(b *strings.Builder, r rune) {
	const (
		controlPictures = '\u2400' // ␀, followed by one picture a C0 control
		deletePicture   = '\u2421' // ␡
		nonJoiner       = '\u200c' // shapes letters in several scripts
		joiner          = '\u200d' // holds emoji together
	)
	switch {
	case r == '\n', r == '\t', r == nonJoiner, r == joiner:
		b.WriteRune(r)
	case r < 0x20:
		b.WriteRune(controlPictures + r)
	case r == 0x7f:
		b.WriteRune(deletePicture)
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp):
		fmt.Fprintf(b, "⟨U+%04X⟩", r)
	default:
		b.WriteRune(r)
	}
}

func boundLines(s string) string {
	if len(s) <= maxLine {
		return s
	}
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = boundLine(l, maxLine)
	}
	return strings.Join(lines, "\n")
}

// boundLine cuts one line to at most limit characters, the sentence about the cut included.
func boundLine(l string, limit int) string {
	if len(l) <= limit {
		return l
	}
	n := utf8.RuneCountInString(l)
	if n <= limit {
		return l
	}
	keep, at := max(limit-cutRoom, 0), 0
	for i := range l {
		if at == keep {
			return fmt.Sprintf("%s … (%d more characters)", l[:i], n-keep)
		}
		at++
	}
	return l
}

// oneLine is Visible for text that belongs on one line: a line feed is shown as ␊, a tab becomes a space.
func oneLine(s string) string {
	return strings.NewReplacer("\n", "␊", "\t", " ").Replace(Visible(s))
}
