package exportstream

import (
	"bytes"
	"strconv"

	"github.com/assay-run/assay/graders/signs"
)

// quoted is a short piece of text from a submission, in quotation marks, one printable line.
func quoted(text string) string {
	return strconv.Quote(signs.Quotable(string(bytes.ToValidUTF8([]byte(text), []byte("\uFFFD")))))
}
