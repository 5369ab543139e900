package service

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/assay-run/assay/internal/platform"
)

// maxReasonRunes bounds reasons that are not those of decisions.
const maxReasonRunes = 1000

// checkLine checks a text of one line: a name, mostly. It refuses what could break a mail's header or make a page say
// something else than it shows: line breaks, control characters, and signs that turn the direction of what follows.
func checkLine(field, text string, most int) error {
	switch {
	case !utf8.ValidString(text):
		return platform.InvalidField(field, "This is not text in UTF-8.")
	case utf8.RuneCountInString(text) > most:
		return platform.InvalidField(field, "It may have %d characters at most.", most)
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }):
		return platform.InvalidField(field, "It has line breaks or control characters.")
	case strings.ContainsFunc(text, turns):
		return platform.InvalidField(field, "It has invisible signs that turn the direction of text. Type it again without them.")
	}
	return nil
}

// turns says whether a sign overrides, embeds or isolates the direction of text. The marks that names in Arabic and
// Hebrew need are none of these.
func turns(r rune) bool { return r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' }

// checkText checks a text of several lines.
func checkText(field, text string, most int) error {
	flat := strings.NewReplacer("\r\n", " ", "\n", " ", "\t", " ").Replace(text)
	return checkLine(field, flat, most)
}

// safeName makes a name that was handed in fit for a page, a header and a log: its last part, without what checkLine
// refuses, and bounded.
func safeName(name string) string {
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || turns(r) || r == utf8.RuneError || strings.ContainsRune(`"<>:|?*;`, r) || r == '\u2028' || r == '\u2029' {
			return '_'
		}
		return r
	}, name)
	const most = 100
	if runes := []rune(name); len(runes) > most {
		name = string(runes[:most])
	}
	if strings.Trim(name, ". _") == "" {
		return "submission"
	}
	return name
}
