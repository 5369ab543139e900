package intake

import (
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// cleanName checks the name of an entry and returns it as a slash-separated path without a leading "./" and a trailing
// "/". The result is empty for the root itself.
func cleanName(name string, limits Limits) (string, error) {
	if err := checkText(name, limits); err != nil {
		return "", err
	}
	if strings.HasPrefix(name, "/") {
		return "", refuse(name, "", "the name is absolute; only names within the submission are taken")
	}
	for strings.HasPrefix(name, "./") {
		name = strings.TrimPrefix(name, "./")
	}
	name = strings.TrimSuffix(name, "/")
	if name == "" || name == "." {
		return "", nil
	}
	parts := strings.Split(name, "/")
	if len(parts) > limits.Depth {
		return "", refuse(name, "", "the path is %d levels deep; at most %d are taken", len(parts), limits.Depth)
	}
	for _, part := range parts {
		switch {
		case part == "..":
			return "", refuse(name, "", `the name has ".."; only names within the submission are taken`)
		case part == "" || part == ".":
			return "", refuse(name, "", "the name has an empty part or a single dot")
		case len(part) > limits.NameBytes:
			return "", refuse(name, "", "a part of the name has %d bytes; at most %d are taken", len(part), limits.NameBytes)
		}
	}
	return name, nil
}

// checkText refuses names that are no plain text: they could hide in a log, a report or another file system.
func checkText(name string, limits Limits) error {
	if len(name) > limits.PathBytes {
		return refuse(name, "", "the name has %d bytes; at most %d are taken", len(name), limits.PathBytes)
	}
	if !utf8.ValidString(name) {
		return refuse(name, "rename it", "the name is not valid UTF-8")
	}
	for _, r := range name {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return refuse(name, "rename it", "the name has the control character %U", r)
		}
	}
	if strings.Contains(name, `\`) {
		return refuse(name, "make the archive with a tool that writes / between directories", "the name has a backslash")
	}
	if len(name) >= 2 && name[1] == ':' && unicode.IsLetter(rune(name[0])) {
		return refuse(name, "", "the name has a drive letter; only names within the submission are taken")
	}
	return nil
}

// fold maps names that some file system takes for one to the same text: case, and composed or decomposed accents.
func fold(name string) string {
	return norm.NFC.String(strings.ToLower(name))
}

// leftOut says whether an entry is never part of a submission: version control, and what macOS adds to archives. It
// returns the name to mention in a note.
func leftOut(name string) (string, bool) {
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == ".git" || part == "__MACOSX" || part == ".DS_Store":
			return part, true
		case strings.HasPrefix(part, "._"):
			return "._* files of macOS", true
		}
	}
	return "", false
}

// modulesDir returns the path of the outermost node_modules directory that name is or lies in.
func modulesDir(name string) (string, bool) {
	parts := strings.Split(name, "/")
	for i, part := range parts {
		if part == "node_modules" {
			return path.Join(parts[:i+1]...), true
		}
	}
	return "", false
}
