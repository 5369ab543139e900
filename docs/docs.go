// Package docs lets tests do what the documentation says.
package docs

import (
	_ "embed"
	"regexp"
	"strings"
)

//go:embed authoring.md
var authoring string

// Authoring is docs/authoring.md.
func Authoring() string { return authoring }

// Block is one fenced piece of code of a Markdown text.
type Block struct {
	Lang string
	// What is what follows the language: a file's path, "run", "output", or nothing.
	What string
	Text string
}

var fence = regexp.MustCompile("^(`{3,})(\\S*) ?(.*)$")

// Blocks are the fenced pieces of code of a text, in their order.
func Blocks(text string) []Block {
	var all []Block
	var open string
	for line := range strings.Lines(text) {
		bare := strings.TrimRight(line, "\n")
		m := fence.FindStringSubmatch(bare)
		switch {
		case open == "" && m != nil:
			open = m[1]
			all = append(all, Block{Lang: m[2], What: m[3]})
		case bare == open:
			open = ""
		case open != "":
			all[len(all)-1].Text += line
		}
	}
	return all
}
