package exportstream

import (
	"bytes"
	"fmt"
	"sync/atomic"

	"github.com/assay-run/assay/graders/signs"
)

// checker compares the body of an export with what it must be, while it streams. It implements readers.Verifier.
//
// A CSV field may be in quotation marks where it need not: what is compared is then what is between them.
type checker struct {
	extract
	format format

	number int64  // of the current block; -1 while the header line is due
	due    []byte // what is expected next is due[at:]
	at     int
	buffer []byte
	before int64 // bytes of the source that the blocks before make

	// Where due[at] is in its line; only kept up in the slow comparison, and found again when that begins.
	known      bool
	fieldBegin bool
	quoted     bool // inside a field that has to be in quotation marks
	extra      bool // inside one that need not, and is
	closed     bool // the extra quotation mark has been closed; its field ends next

	bytes  int64 // taken
	wrong  string
	source atomic.Int64 // of the source, that correspond to what was taken
	rate   float64      // bytes of the source for each of the export, about
}

func newChecker(e extract, f format) *checker {
	c := &checker{extract: e, format: f, number: -1, rate: 1}
	if f == formatCSV {
		b := e.table.at(0)
		c.rate = float64(len(b.source.bytes)) / float64(len(b.csv.bytes))
		c.due = []byte(header)
	}
	return c
}

// Source is how many bytes of the source correspond to what was taken so far. It may be called from other goroutines.
func (c *checker) Source() int64 { return c.source.Load() }

// Take implements readers.Verifier. The body of an answer that is no export is not looked at.
func (c *checker) Take(status int, chunk []byte) {
	c.bytes += int64(len(chunk))
	if status != 200 {
		return
	}
	for len(chunk) > 0 && c.wrong == "" {
		if c.at == len(c.due) && !c.next() {
			// An extra quotation mark never stays open here: its field ends before the line does.
			c.wrong = fmt.Sprintf("After the last row there is more: %s.", quoted(string(chunk[:min(len(chunk), 60)])))
			break
		}
		n := min(len(chunk), len(c.due)-c.at)
		if !c.extra && !c.closed && bytes.Equal(chunk[:n], c.due[c.at:c.at+n]) {
			c.at += n
			c.known = false
			chunk = chunk[n:]
			continue
		}
		chunk = chunk[c.compare(chunk):]
	}
	c.source.Store(c.position())
}

// next goes on to the next block. It returns false at the end.
func (c *checker) next() bool {
	if c.number >= 0 {
		c.before += int64(c.sourceOf(c.number))
	}
	c.number++
	n := c.part(c.number)
	if n == 0 {
		c.number--
		c.before -= int64(c.sourceOf(c.number))
		return false
	}
	b := c.table.at(c.number)
	form := &b.csv
	if c.format == formatNDJSON {
		form = &b.source
	}
	c.buffer = form.fill(c.buffer, c.base+c.number*c.table.blockRows, n)
	c.due, c.at, c.known = c.buffer, 0, false
	return true
}

// sourceOf is how many bytes of the source the block makes; 0 for the header line.
func (c *checker) sourceOf(number int64) int {
	if number < 0 || c.part(number) == 0 {
		return 0
	}
	return c.table.at(number).source.ends[c.part(number)-1]
}

// position turns what was taken into bytes of the source. Of a wrong export that is about right.
func (c *checker) position() int64 {
	if c.wrong != "" {
		return int64(float64(c.bytes) * c.rate)
	}
	if c.number < 0 || len(c.due) == 0 {
		return 0
	}
	return c.before + int64(float64(c.sourceOf(c.number))*float64(c.at)/float64(len(c.due)))
}

// compare goes byte by byte through what is due and what came, as far as both go, and returns how much of chunk it has used.
func (c *checker) compare(chunk []byte) int {
	if c.format == formatNDJSON {
		i := 0
		for c.due[c.at+i] == chunk[i] {
			i++
		}
		c.at += i
		c.differs(chunk[i:])
		return i
	}
	c.locate()
	i := 0
	for i < len(chunk) && c.at < len(c.due) {
		want, got := c.due[c.at], chunk[i]
		atEnd := want == ',' || want == '\r'
		switch {
		case c.extra && atEnd && got == '"':
			c.extra, c.closed = false, true
			i++
			continue
		case c.extra && atEnd, want != got && !(c.fieldBegin && got == '"'):
			c.differs(chunk[i:])
			return i
		case want != got: // a quotation mark that need not be there
			c.extra, c.fieldBegin = true, false
			i++
			continue
		}
		c.at++
		i++
		c.closed = false
		if want == '"' {
			c.quoted = !c.quoted
		}
		c.fieldBegin = !c.quoted && !c.extra && (want == ',' || want == '\n')
	}
	return i
}

// locate finds out where due[at] is in its line. The fast comparison does not keep that up.
func (c *checker) locate() {
	if c.known {
		return
	}
	c.known, c.quoted = true, false
	for _, b := range c.due[c.lineBegin():c.at] {
		if b == '"' {
			c.quoted = !c.quoted
		}
	}
	c.fieldBegin = c.at == 0 || !c.quoted && (c.due[c.at-1] == ',' || c.due[c.at-1] == '\n')
}

// lineBegin is where the row of due[at] begins.
func (c *checker) lineBegin() int {
	if c.number < 0 {
		return 0
	}
	return c.begin(c.rowAt())
}

// rowAt is the number of the row in the block that due[at] belongs to.
func (c *checker) rowAt() int {
	ends := c.ends()
	low, high := 0, len(ends)
	for low < high {
		if mid := (low + high) / 2; ends[mid] <= c.at {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

func (c *checker) ends() []int {
	b := c.table.at(c.number)
	if c.format == formatCSV {
		return b.csv.ends
	}
	return b.source.ends
}

func (c *checker) begin(row int) int {
	if row == 0 {
		return 0
	}
	return c.ends()[row-1]
}

// differs notes the first difference.
func (c *checker) differs(got []byte) {
	where := "In the header line"
	if c.number >= 0 {
		where = "In row " + signs.Number(c.number*c.table.blockRows+int64(c.rowAt())+1)
	}
	from := max(c.at-12, c.lineBegin())
	want := c.due[from:min(c.at+40, len(c.due))]
	c.wrong = fmt.Sprintf("%s, after %s, there is %s instead of %s.", where, quoted(string(c.due[from:c.at])),
		quoted(string(got[:min(len(got), 40)])), quoted(string(want[c.at-from:])))
}

// whole says whether everything has come.
func (c *checker) whole() bool {
	if c.wrong != "" || c.extra || c.at < len(c.due) {
		return false
	}
	return c.part(c.number+1) == 0
}
