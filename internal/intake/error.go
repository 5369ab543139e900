package intake

import (
	"fmt"
	"strconv"
	"strings"
)

// maxEntryRunes bounds how much of a name an error repeats.
const maxEntryRunes = 200

// Error is a fault of the submission: what was found, which rule it breaks, and what to do. Any other error of this
// package is a fault of ours or of the machine.
type Error struct {
	Entry string // name within the submission; empty when it is about the whole
	Rule  string // what was found and what is allowed
	Hint  string // what to do next; may be empty
	Err   error  // the cause, e.g. schemas.Problems; may be nil
}

// Error returns one sentence a part. Names are quoted and bounded, so it is safe to print.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Entry != "" {
		name := []rune(strings.ToValidUTF8(e.Entry, "\ufffd"))
		if len(name) > maxEntryRunes {
			name = append(name[:maxEntryRunes], '…')
		}
		b.WriteString(strconv.Quote(string(name)))
		b.WriteString(": ")
	}
	b.WriteString(e.Rule)
	if e.Hint != "" {
		b.WriteString("; ")
		b.WriteString(e.Hint)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func refuse(entry, hint, format string, args ...any) error {
	return &Error{Entry: entry, Rule: fmt.Sprintf(format, args...), Hint: hint}
}
