package loggen

import (
	"math/rand/v2"
	"strconv"
)

const (
	// blockBytes is the mean size of a block; jitterBytes how much a block may be smaller or larger, so that line ends
	// and file offsets that are powers of two have nothing to do with each other.
	blockBytes  = 1 << 20
	jitterBytes = 8 << 10
	// lineRoom is more than the longest line that a block holds.
	lineRoom = 4 << 10
	// minPeaks is how many of the planted slowest lines a file has at least, spread over its blocks.
	minPeaks = 24
	// meanLineBytes is about what a line has; it only sets how fast the time in the log passes.
	meanLineBytes = 150
	// peakValues is how many different ms the planted lines have, so that there are ties for certain.
	peakValues = 3
)

// layout cuts a log of a size into blocks.
type layout struct {
	seed  []byte
	p     *profile
	sizes []int64 // wanted bytes of each block
	cut   bool    // the last line lacks its LF
}

// newLayout lays out a log of about size bytes.
func newLayout(seed []byte, size int64) *layout {
	l := &layout{seed: seed, p: newProfile(seed)}
	rng := rand.New(stream(seed, "layout", 0))
	l.cut = rng.IntN(2) == 0
	for left := size; left > 0; {
		n := blockBytes - jitterBytes + rng.Int64N(2*jitterBytes+1)
		if left < n+blockBytes/4 {
			n = left
		}
		l.sizes = append(l.sizes, n)
		left -= n
	}
	return l
}

// tally is the truth of one block, in the form in which it is fastest to count.
type tally struct {
	lines, cps, utf16 int64
	bad               [badKinds]int64
	services          []Service // by index in the profile
	hours             []int64   // by hour since the start
	slowest           []Slow
}

// block is a piece of a log with its truth.
type block struct {
	text  []byte
	tally tally
}

// blockWriter makes one block.
type blockWriter struct {
	p     *profile
	rng   *rand.ChaCha8
	buf   []byte
	tally tally
	base  int64 // time of the first line, ms since 1970
	step  int64 // time between lines, in 1/1024 ms
	line  int64
	peaks []int64 // offsets after which a planted slowest line is due, ascending
}

// block makes block i of the log, appending its text to buf[:0].
func (l *layout) block(i int, buf []byte) block {
	w := &blockWriter{p: l.p, rng: stream(l.seed, "block", uint64(i)), buf: buf[:0]}
	w.tally.services = make([]Service, len(l.p.services))
	w.tally.hours = make([]int64, l.p.hours)
	size, blocks := l.sizes[i], int64(len(l.sizes))
	w.base = l.p.start + l.p.spanMs*int64(i)/blocks
	w.step = l.p.spanMs / blocks * 1024 * meanLineBytes / size
	for range (minPeaks + blocks - 1) / blocks {
		w.peaks = append(w.peaks, int64(w.rng.Uint64()%uint64(size)))
	}
	for int64(len(w.buf)) < size {
		w.next()
	}
	if l.cut && i == len(l.sizes)-1 {
		w.buf = w.buf[:len(w.buf)-1]
	}
	return block{text: w.buf, tally: w.tally}
}

// entry is the fields of a line that is about to be written.
type entry struct {
	svc  int
	lvl  string
	ts   int64
	ms   int64
	user uint64 // 6 bits a character
	id   [2]uint64
	msg  message
	num  int64 // written after the message; negative for none
}

// next writes one line.
func (w *blockWriter) next() {
	p := w.p
	r, q := w.rng.Uint64(), w.rng.Uint64()
	e := entry{svc: int(p.svcTable[r&1023]), ts: w.now(), user: w.rng.Uint64()}
	e.id[0], e.id[1] = w.rng.Uint64(), w.rng.Uint64()
	w.line++
	r >>= 10
	e.lvl = p.level(r & 0xFFFF)
	r >>= 16
	e.ms = 1 + int64(p.latency[r&4095])*p.scale[e.svc]>>4
	r >>= 12
	kind := r & (1<<20 - 1)

	e.msg, e.num = p.plain[q&511], int64(q>>32&0xFFFFF)
	if len(w.peaks) > 0 && w.peakDue() {
		e.ms = p.peak - int64(q>>52)%peakValues
		kind = 1<<20 - 1
	}
	switch {
	case kind < p.badCut:
		w.bad(e, q)
	case kind < p.blankCut:
		w.buf = append(w.buf, '\n')
	case kind < p.oddCut:
		w.odd(e, q)
	default:
		if kind < p.escapeCut {
			e.msg = p.escaped[q&127]
		} else if kind < p.multiCut {
			e.msg = p.multi[q&255]
		}
		w.usual(e)
	}
}

// now is the time of the current line. Time stands still at the end of the span.
func (w *blockWriter) now() int64 {
	return min(w.base+w.line*w.step>>10, w.p.start+w.p.spanMs-1)
}

// peakDue says whether a planted line is due, and takes it.
func (w *blockWriter) peakDue() bool {
	for i, at := range w.peaks {
		if at <= int64(len(w.buf)) {
			w.peaks[i] = w.peaks[len(w.peaks)-1]
			w.peaks = w.peaks[:len(w.peaks)-1]
			return true
		}
	}
	return false
}

func (p *profile) level(r uint64) string {
	switch {
	case r < p.errorCut:
		return "error"
	case r < p.warnCut:
		return "warn"
	}
	return "info"
}

// usual writes a good line in the usual form.
func (w *blockWriter) usual(e entry) {
	b := append(w.buf, `{"ts":`...)
	b = strconv.AppendInt(b, e.ts, 10)
	b = append(b, `,"svc":"`...)
	b = append(b, w.p.services[e.svc]...)
	b = append(b, `","lvl":"`...)
	b = append(b, e.lvl...)
	b = append(b, `","ms":`...)
	b = strconv.AppendInt(b, e.ms, 10)
	b = append(b, `,"user":"`...)
	b = w.p.appendUser(b, e.user)
	b = append(b, `","msg":"`...)
	b = appendMessage(b, e)
	b = append(b, `","id":"`...)
	at := len(b)
	b = w.p.appendID(b, e.id)
	id := b[at:]
	w.buf = append(b, '"', '}', '\n')
	w.count(e, id)
}

// count adds a good line to the truth.
func (w *blockWriter) count(e entry, id []byte) {
	t := &w.tally
	t.lines++
	t.services[e.svc].add(e.ms, e.lvl == "error")
	t.hours[(e.ts-w.p.start)/hourMs]++
	digits := e.digits()
	t.cps += e.msg.cps + digits
	t.utf16 += e.msg.utf16 + digits
	if slowEnough(t.slowest, e.ms, id) {
		t.slowest = insertSlow(t.slowest, Slow{ID: string(id), Ms: e.ms})
	}
}

// digits is the number of digits of the number after the message.
func (e *entry) digits() int64 {
	if e.num < 0 {
		return 0
	}
	n := int64(1)
	for v := e.num; v >= 10; v /= 10 {
		n++
	}
	return n
}

func appendMessage(b []byte, e entry) []byte {
	b = append(b, e.msg.raw...)
	if e.num < 0 {
		return b
	}
	return strconv.AppendInt(b, e.num, 10)
}

// alphabet holds 64 characters whose order by bytes differs from their order by locale.
const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz-"

func (p *profile) appendUser(b []byte, r uint64) []byte {
	b = append(b, p.userPrefix...)
	for range p.userLen {
		b = append(b, alphabet[r&31]) // half of the alphabet: users come back
		r >>= 5
	}
	return b
}

func (p *profile) appendID(b []byte, r [2]uint64) []byte {
	half := p.idLen / 2
	for range half {
		b = append(b, alphabet[r[0]&63])
		r[0] >>= 6
	}
	for range p.idLen - half {
		b = append(b, alphabet[r[1]&63])
		r[1] >>= 6
	}
	return b
}
