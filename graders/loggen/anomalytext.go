package loggen

import (
	"math/rand/v2"
	"strings"
)

// smallFile is how large most files of the pack are at least: several chunks of any usual size.
const smallFile = 200 << 10

const (
	// oversizeBytes is the length of the line that is far beyond the limit, longBytes that of the long lines that are valid.
	oversizeBytes = 300 << 20
	longBytes     = 9_990_000
)

// longLines writes three valid lines of almost 10 MB: of ASCII, of multi-byte text, and full of escapes.
func longLines(p *pack) {
	for _, token := range []func(*rand.Rand) message{plainToken, multiToken, escapedToken} {
		p.filler(p.rng.Int64N(100 << 10))
		piece := messages(p.rng, 1, 60_000, 64_000, token)[0]
		times := p.lengths.long / int64(len(piece.raw))
		p.good(p.saying(message{
			raw: strings.Repeat(piece.raw, int(times)), cps: piece.cps * times, utf16: piece.utf16 * times,
		}))
	}
	p.filler(p.rng.Int64N(100 << 10))
}

// oversize writes one line of 300 MiB that would be good if it were shorter.
func oversize(p *pack) {
	p.filler(10<<10 + p.rng.Int64N(100<<10))
	f := p.fresh()
	p.truth.bad("oversize")
	p.raw(f.head())
	piece := p.padding(1 << 20)
	for range p.lengths.oversize >> 20 {
		p.raw(piece)
	}
	p.raw(f.tail())
	p.raw(p.eol)
	p.filler(10<<10 + p.rng.Int64N(100<<10))
}

// utf8Boundaries puts a character across every multiple of 16 KiB, in all ways a character of 2, 3 or 4 bytes can be cut:
// each way at boundaries of 16 KiB, of 64 KiB and of 1 MiB.
func utf8Boundaries(p *pack) {
	type cut struct {
		chars  []string
		before int64 // bytes of the character before the boundary
	}
	two, three, four := []string{"é", "ß", "Ж", "ש"}, []string{"€", "東", "한", "ไ"}, []string{"😀", "🚀", "𝒳", "𐍈"}
	cuts := []cut{{two, 1}, {three, 1}, {three, 2}, {four, 1}, {four, 2}, {four, 3}}
	p.rng.Shuffle(len(cuts), func(i, j int) { cuts[i], cuts[j] = cuts[j], cuts[i] })
	const step, end = 16 << 10, 6<<20 + 1
	for at := int64(step); at < end; at += step {
		index := at / step
		for _, large := range []int64{1 << 20, 64 << 10} {
			if at%large == 0 {
				index = at / large
				break
			}
		}
		c := cuts[index%int64(len(cuts))]
		p.upTo(at)
		f := p.fresh()
		m := literal(p.padding(at - c.before - p.n - int64(len(f.head()))))
		m.add(literal(c.chars[p.rng.IntN(len(c.chars))]))
		m.add(multiToken(p.rng))
		f.say(m)
		p.good(f)
	}
	p.filler(p.rng.Int64N(step))
}

// utf8Dense has multi-byte text in every message, so that chunks of any size cut characters.
func utf8Dense(p *pack) {
	for p.n < 512<<10 {
		p.good(p.saying(messages(p.rng, 1, 20, 400, func(r *rand.Rand) message { return literal(foreign[r.IntN(len(foreign))]) })[0]))
	}
}

// crlf ends its lines with CRLF, some with LF alone; the CR of one is the last byte before each multiple of 16 KiB.
func crlf(p *pack) {
	p.eol = "\r\n"
	const step = 16 << 10
	for at := int64(step); at <= 12*step; at += step {
		p.eol = "\n"
		p.filler(p.rng.Int64N(1024))
		p.eol = "\r\n"
		p.raw("\r\n")
		p.upTo(at)
		f := p.saying(message{})
		f.say(literal(p.padding(at - 1 - p.n - int64(len(f.text())))))
		p.good(f)
		f = p.fresh()
		p.good(f, f.text()+"\r") // the second CR is white space
	}
	p.filler(p.rng.Int64N(4096))
}

// separators has what other programs take for the end of a line.
func separators(p *pack) {
	inside := func(c string) func() {
		return func() {
			m := plainToken(p.rng)
			m.add(literal(c))
			m.add(plainToken(p.rng))
			p.good(p.saying(m))
		}
	}
	around := func(c string, valid bool) func() {
		return func() {
			f := p.fresh()
			text := [...]string{
				c + f.text(), f.text() + c, strings.Replace(f.text(), `,"lvl"`, c+`,"lvl"`, 1), strings.Replace(f.text(), `"ms":`, `"ms":`+c, 1),
			}[p.rng.IntN(4)]
			if valid {
				p.good(f, text)
			} else {
				p.bad("no JSON white space", text)
			}
		}
	}
	p.scatter(smallFile,
		inside("\u2028"), inside("\u2029"), inside("\u0085"), inside("\u2028\u2029\u2028"), inside("\u00a0"),
		around("\r", true), around("\t", true), around(" \r \t", true),
		around("\f", false), around("\v", false), around("\u00a0", false), around("\u2028", false), around("\u0085", false),
		func() { p.bad("CR in a string", p.saying(message{raw: "a\rb"}).text()) },
		func() { f := p.fresh(); p.bad("two objects", f.text()+"\r"+f.text()) },
		func() { p.bad("CR only", "\r\r") }, // one CR is removed, and the rest is no empty line
		func() { p.eol = "\r\n" },
		func() { p.eol = "\n" },
	)
	p.eol = "\n"
}

func noFinalNewline(p *pack) {
	p.filler(smallFile + p.rng.Int64N(32<<10))
	p.eol = [...]string{"", "\r"}[p.rng.IntN(2)]
	p.good(p.fresh())
}

func oneLine(p *pack) {
	p.eol = [...]string{"", "\n"}[p.rng.IntN(2)]
	p.good(p.fresh())
}

// blankLines has lines with nothing in them, which do not count, and lines of spaces, which do.
func blankLines(p *pack) {
	p.raw("\n\r\n\n")
	p.scatter(smallFile,
		func() { p.raw("\n") },
		func() { p.raw("\r\n") },
		func() { p.raw(strings.Repeat("\n", 1+p.rng.IntN(5000))) },
		func() { p.raw(strings.Repeat("\r\n", 1+p.rng.IntN(3000))) },
		func() { p.bad("white space", strings.Repeat(" ", 1+p.rng.IntN(40))) },
		func() { p.bad("white space", "\t") },
		func() { f := p.fresh(); p.good(f, "  "+f.text()+"\t ") },
	)
	p.raw("\n\n\r\n")
}

// byteOrderMark has one at the start of the file, of other lines, and within messages.
func byteOrderMark(p *pack) {
	const bom = "\ufeff"
	f := p.fresh()
	p.bad("BOM", bom+f.text())
	p.scatter(smallFile,
		func() { f := p.fresh(); p.bad("BOM", bom+f.text()) },
		func() { f := p.fresh(); p.bad("BOM", f.text()+bom) },
		func() { m := literal(bom); m.add(plainToken(p.rng)); p.good(p.saying(m)) },
	)
}

// control has NUL and its neighbours. Within strings they must be escaped; DEL need not.
func control(p *pack) {
	raw := func(c string) func() {
		return func() { p.bad("control character", p.saying(message{raw: p.padding(5) + c + p.padding(3)}).text()) }
	}
	p.scatter(smallFile,
		raw("\x00"), raw("\x00\x00\x00\x00"), raw("\x01"), raw("\x08"), raw("\t"), raw("\x1b[31m"), raw("\x1f"),
		func() { f := p.fresh(); p.bad("NUL", f.text()+"\x00") },
		func() { f := p.fresh(); p.bad("NUL", "\x00"+f.text()) },
		func() { p.bad("NUL", strings.Repeat("\x00", 1+p.rng.IntN(300))) },
		func() { p.good(p.saying(message{raw: `a\u0000b`, cps: 3, utf16: 3})) },
		func() { p.good(p.saying(message{raw: `\u001b[0m\u007f`, cps: 5, utf16: 5})) },
		func() { p.good(p.saying(literal("a\x7fb"))) },
	)
}

// invalidUTF8 has bytes that are no UTF-8, with the number of U+FFFD that the maximal-subpart rule makes of them.
func invalidUTF8(p *pack) {
	parts := []struct {
		bytes    string
		replaced int64
	}{
		{"\xff", 1}, {"\xfe\xff", 2}, {"\x80", 1}, {"\x80\xbf", 2}, {"\xc3", 1}, {"\xc0\xaf", 2}, {"\xc1\xbf", 2},
		{"\xe2\x82", 1}, {"\xe2\x82\xe2\x82", 2}, {"\xe0\x80\x80", 3}, {"\xed\xa0\x80", 3}, {"\xed\xb0\x80\xed\xa0", 5},
		{"\xf0\x9f", 1}, {"\xf0\x9f\x98", 1}, {"\xf0\x80\x80\x80", 4}, {"\xf4\x90\x80\x80", 4}, {"\xf5\x80", 2},
		{"\xf8\x88\x80\x80\x80", 5},
	}
	specials := []func(){
		func() { f := p.fresh(); p.bad("invalid outside strings", "\xff"+f.text()) },
		func() { f := p.fresh(); p.bad("invalid outside strings", f.text()+"\xe2\x82") },
		func() { f := p.fresh(); p.bad("invalid in a key", strings.Replace(f.text(), `"ms"`, "\"m\xffs\"", 1)) },
		func() { f := p.fresh(); p.good(f, f.with("\"\xc3\":\"\xf0\x9f\"")) },
	}
	for _, part := range parts {
		specials = append(specials, func() {
			m := plainToken(p.rng)
			m.add(message{raw: part.bytes, cps: part.replaced, utf16: part.replaced})
			m.add([...]message{{}, literal("x"), literal("é"), literal("😀")}[p.rng.IntN(4)])
			p.good(p.saying(m))
		})
	}
	p.scatter(smallFile, specials...)
}

// mixedText is ordinary lines, half of them with multi-byte text, and some bad ones.
func mixedText(p *pack) {
	for p.n < 700<<10 {
		p.filler(p.rng.Int64N(400))
		p.good(p.saying(messages(p.rng, 1, 10, 200, multiToken)[0]))
		if p.rng.IntN(50) == 0 {
			f := p.fresh()
			p.bad("truncated", f.head())
		}
	}
}
