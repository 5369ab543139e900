package loggen

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"unicode/utf16"
)

// maxLineBytes is the size from which on a line is bad, whatever is in it.
const maxLineBytes = 16 << 20

// Oracle reads a plain log byte by byte and works out the result by the letter of the contract. It shares nothing
// with the generator but the Truth type, is slow (tens of MB/s), and holds at most one line. It returns the cause when
// ctx ends.
func Oracle(ctx context.Context, r io.Reader) (Truth, error) {
	return readLog(ctx, r, maxLineBytes)
}

// readLog is Oracle with a limit for lines.
func readLog(ctx context.Context, r io.Reader, limit int) (Truth, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	o := oracle{truth: newTruth(), limit: limit}
	for {
		c, err := in.ReadByte()
		if errors.Is(err, io.EOF) {
			o.endLine()
			o.truth.BadKinds = nil
			return o.truth, nil
		}
		if err != nil {
			return Truth{}, fmt.Errorf("read log: %w", err)
		}
		o.truth.Bytes++
		if c == '\n' {
			o.endLine()
			if err := ctx.Err(); err != nil {
				return Truth{}, fmt.Errorf("read log: %w", context.Cause(ctx))
			}
			continue
		}
		o.take(c)
	}
}

// oracle is the state of Oracle between two bytes.
type oracle struct {
	truth Truth
	limit int    // of a line, in bytes
	line  []byte // what is held of the current line: at most limit+1 bytes
	over  bool   // more than that came
}

func (o *oracle) take(c byte) {
	// One byte more than the limit is held, because the last one may be a CR that does not count.
	if len(o.line) > o.limit {
		o.over = true
		o.line[o.limit] = c
		return
	}
	o.line = append(o.line, c)
}

func (o *oracle) endLine() {
	line, over := o.line, o.over
	o.line, o.over = o.line[:0], false
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	switch {
	case over, len(line) > o.limit:
		o.truth.bad("")
	case len(line) == 0:
	default:
		if rec, ok := readRecord(replaceInvalid(line)); ok {
			o.truth.good(rec)
		} else {
			o.truth.bad("")
		}
	}
}

// readRecord reads a line that is valid UTF-8; false means that it is bad.
func readRecord(text []byte) (record, bool) {
	fields, ok := parseObject(text)
	if !ok {
		return record{}, false
	}
	for _, name := range [...]string{"svc", "lvl", "user", "msg", "id"} {
		if fields[name].kind != 's' {
			return record{}, false
		}
	}
	for _, name := range [...]string{"ts", "ms"} {
		if fields[name].kind != 'n' {
			return record{}, false
		}
	}
	msg := fields["msg"].text
	return record{
		svc:   string(utf16.Decode(fields["svc"].text)),
		lvl:   string(utf16.Decode(fields["lvl"].text)),
		id:    string(utf16.Decode(fields["id"].text)),
		ts:    int64(fields["ts"].number),
		ms:    int64(fields["ms"].number),
		cps:   codePoints(msg),
		utf16: int64(len(msg)),
	}, true
}

// codePoints counts a surrogate pair once and a lone surrogate once.
func codePoints(units []uint16) int64 {
	n := int64(0)
	for i := 0; i < len(units); i++ {
		n++
		high := units[i] >= 0xD800 && units[i] < 0xDC00
		if high && i+1 < len(units) && units[i+1] >= 0xDC00 && units[i+1] < 0xE000 {
			i++
		}
	}
	return n
}

// replaceInvalid decodes UTF-8 as the WHATWG standard does, without BOM handling: each maximal invalid part becomes one
// U+FFFD. It returns text itself when nothing had to be replaced. (The utf8 package replaces byte by byte.)
func replaceInvalid(text []byte) []byte {
	var out []byte // nil while text is valid
	for i := 0; i < len(text); {
		n, ok := sequence(text[i:])
		if !ok && out == nil {
			out = append(make([]byte, 0, len(text)+16), text[:i]...)
		}
		if !ok {
			out = append(out, "\uFFFD"...)
		} else if out != nil {
			out = append(out, text[i:i+n]...)
		}
		i += n
	}
	if out == nil {
		return text
	}
	return out
}

// sequence returns the length of the first character of b, or of its maximal invalid part.
func sequence(b []byte) (n int, ok bool) {
	low, high, more := byte(0x80), byte(0xBF), 0
	switch c := b[0]; {
	case c < 0x80:
		return 1, true
	case c >= 0xC2 && c <= 0xDF:
		more = 1
	case c >= 0xE0 && c <= 0xEF:
		more = 2
		switch c {
		case 0xE0:
			low = 0xA0
		case 0xED:
			high = 0x9F
		}
	case c >= 0xF0 && c <= 0xF4:
		more = 3
		switch c {
		case 0xF0:
			low = 0x90
		case 0xF4:
			high = 0x8F
		}
	default:
		return 1, false
	}
	for n = 1; n <= more; n++ {
		if n >= len(b) || b[n] < low || b[n] > high {
			return n, false
		}
		low, high = 0x80, 0xBF
	}
	return n, true
}
