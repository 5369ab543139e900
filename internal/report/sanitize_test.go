package report

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-run/assay/internal/report/reporttest"
)

func TestVisible(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"plain", "two lines\n\tand a tab", "two lines\n\tand a tab"},
		{"escape sequence", "\x1b[31mred", "␛[31mred"},
		{"nul and del", "a\x00b\x7f", "a␀b␡"},
		{"crlf becomes lf", "a\r\nb", "a\nb"},
		{"lone cr overwrites a line", "good\rbad", "good␍bad"},
		{"c1 control", "x\u009b31m", "x⟨U+009B⟩31m"},
		{"right-to-left override", "a\u202egnp.exe", "a⟨U+202E⟩gnp.exe"},
		{"isolate", "\u2066x\u2069", "⟨U+2066⟩x⟨U+2069⟩"},
		{"zero width space", "pass\u200bword", "pass⟨U+200B⟩word"},
		{"byte order mark", "\ufeffx", "⟨U+FEFF⟩x"},
		{"tag characters", "x\U000e0041", "x⟨U+E0041⟩"},
		{"line separator", "a\u2028b", "a⟨U+2028⟩b"},
		{"emoji with joiner stays", "👩‍🚀", "👩‍🚀"},
		{"other scripts stay", "שלום Привет 日本語", "שלום Привет 日本語"},
		{"invalid utf-8", "a\xffb", "a\ufffdb"},
		{"stacked marks", "z" + strings.Repeat("\u0301", 50), "z" + strings.Repeat("\u0301", maxMarks)},
		{"empty", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, Visible(tt.in))
		})
	}
}

func TestVisibleBoundsLines(t *testing.T) {
	t.Parallel()
	got := Visible("short\n" + strings.Repeat("é", 5000) + "\nend")
	lines := strings.Split(got, "\n")
	require.Len(t, lines, 3)
	assert.LessOrEqual(t, utf8.RuneCountInString(lines[1]), maxLine)
	assert.Contains(t, lines[1], "(3048 more characters)")
	assert.Equal(t, "end", lines[2])
}

func TestOneLine(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "a␊b c", oneLine("a\nb\tc"))
}

// safe says that text cannot move the cursor, reorder or hide anything.
func safe(s string) bool {
	for _, r := range s {
		if r != '\n' && r != '\t' && r != '\u200c' && r != '\u200d' &&
			unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return false
		}
	}
	return utf8.ValidString(s)
}

func TestVisibleProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOfN(rapid.Byte(), 0, 5000).Draw(t, "bytes")) + rapid.String().Draw(t, "text")
		v := Visible(s)
		if !safe(v) {
			t.Fatalf("unsafe: %q", v)
		}
		if Visible(v) != v {
			t.Fatalf("not idempotent: %q", v)
		}
	})
}

func FuzzVisible(f *testing.F) {
	for _, s := range reporttest.Attacks() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v := Visible(s)
		if !safe(v) || Visible(v) != v {
			t.Fatalf("%q became %q", s, v)
		}
	})
}
