package loggen

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// value is what the oracle needs of a JSON value.
type value struct {
	kind   byte     // 's' string, 'n' number, 'o' anything else, 0 absent
	text   []uint16 // of a string, in UTF-16 units, because escapes may leave lone surrogates
	number float64  // of a number
}

// parseObject reads a JSON object by the rules of JSON.parse and returns its members; of equal keys the last one counts.
// False means that the text is not JSON or not an object. (encoding/json would differ: it matches keys without regard to
// case, replaces lone surrogates and limits nesting.)
func parseObject(text []byte) (map[string]value, bool) {
	p := parser{text: text}
	p.space()
	if !p.eat('{') {
		return nil, false
	}
	members := make(map[string]value, 8)
	p.space()
	if p.eat('}') {
		return members, p.end()
	}
	for {
		key, ok := p.key()
		if !ok {
			return nil, false
		}
		v, ok := p.value()
		if !ok {
			return nil, false
		}
		members[string(utf16.Decode(key))] = v
		p.space()
		if p.eat('}') {
			return members, p.end()
		}
		if !p.eat(',') {
			return nil, false
		}
	}
}

// parser walks over JSON text that is valid UTF-8.
type parser struct {
	text []byte
	at   int
}

// peek returns the next byte, or 0 at the end. (A real 0 is not allowed anywhere, so it is refused in any case.)
func (p *parser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *parser) eat(c byte) bool {
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *parser) space() {
	for p.eat(' ') || p.eat('\t') || p.eat('\r') || p.eat('\n') {
	}
}

// end says whether only white space is left.
func (p *parser) end() bool {
	p.space()
	return p.at == len(p.text)
}

// key reads white space, a string, and the colon behind it.
func (p *parser) key() ([]uint16, bool) {
	p.space()
	key, ok := p.str()
	p.space()
	return key, ok && p.eat(':')
}

// value reads a member's value.
func (p *parser) value() (value, bool) {
	p.space()
	switch c := p.peek(); {
	case c == '"':
		s, ok := p.str()
		return value{kind: 's', text: s}, ok
	case c == '-' || c >= '0' && c <= '9':
		n, ok := p.num()
		return value{kind: 'n', number: n}, ok
	}
	return value{kind: 'o'}, p.skip()
}

// skip reads any value. It keeps the open brackets itself, so that depth costs a byte a level and no stack.
func (p *parser) skip() bool {
	var open []byte
	for {
		p.space()
		switch c := p.peek(); {
		case c == '{' || c == '[':
			p.at++
			p.space()
			if p.eat(c + 2) { // the closing bracket is two after the opening one in ASCII, both times
				break
			}
			if c == '{' {
				if _, ok := p.key(); !ok {
					return false
				}
			}
			open = append(open, c)
			continue
		case !p.scalar():
			return false
		}
		for { // a value is complete: close what ends here, or go on behind a comma
			if len(open) == 0 {
				return true
			}
			top := open[len(open)-1]
			p.space()
			if p.eat(top + 2) {
				open = open[:len(open)-1]
				continue
			}
			if !p.eat(',') {
				return false
			}
			if top == '{' {
				if _, ok := p.key(); !ok {
					return false
				}
			}
			break
		}
	}
}

// scalar reads a string, number or literal.
func (p *parser) scalar() bool {
	switch p.peek() {
	case '"':
		_, ok := p.str()
		return ok
	case 't':
		return p.word("true")
	case 'f':
		return p.word("false")
	case 'n':
		return p.word("null")
	}
	_, ok := p.num()
	return ok
}

func (p *parser) word(w string) bool {
	if len(p.text)-p.at < len(w) || string(p.text[p.at:p.at+len(w)]) != w {
		return false
	}
	p.at += len(w)
	return true
}

// num reads a number. One that is too large is Infinity, as in JavaScript.
func (p *parser) num() (float64, bool) {
	start := p.at
	p.eat('-')
	if !p.eat('0') && !p.digits() {
		return 0, false
	}
	if p.eat('.') && !p.digits() {
		return 0, false
	}
	if p.eat('e') || p.eat('E') {
		if !p.eat('+') {
			p.eat('-')
		}
		if !p.digits() {
			return 0, false
		}
	}
	// The only error left is that of the range, and the value is right then.
	n, _ := strconv.ParseFloat(string(p.text[start:p.at]), 64)
	return n, true
}

// digits reads one digit or more.
func (p *parser) digits() bool {
	start := p.at
	for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
		p.at++
	}
	return p.at > start
}

// str reads a string.
func (p *parser) str() ([]uint16, bool) {
	if !p.eat('"') {
		return nil, false
	}
	out := []uint16{}
	for p.at < len(p.text) {
		c := p.text[p.at]
		switch {
		case c == '"':
			p.at++
			return out, true
		case c < 0x20:
			return nil, false
		case c == '\\':
			p.at++
			u, ok := p.escape()
			if !ok {
				return nil, false
			}
			out = append(out, u)
		default:
			r, n := utf8.DecodeRune(p.text[p.at:])
			out = utf16.AppendRune(out, r)
			p.at += n
		}
	}
	return nil, false
}

// escape reads what follows a backslash.
func (p *parser) escape() (uint16, bool) {
	c := p.peek()
	p.at++
	switch c {
	case '"', '\\', '/':
		return uint16(c), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'u':
		return p.hex()
	}
	return 0, false
}

func (p *parser) hex() (uint16, bool) {
	if len(p.text)-p.at < 4 {
		return 0, false
	}
	for _, c := range p.text[p.at : p.at+4] {
		digit := c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
		if !digit {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(string(p.text[p.at:p.at+4]), 16, 16)
	p.at += 4
	return uint16(n), err == nil
}
