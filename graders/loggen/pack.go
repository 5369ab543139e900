package loggen

import (
	"bufio"
	"context"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// lengths are those of the longest lines, in bytes.
type lengths struct {
	long     int64 // of the valid ones
	oversize int64 // of the one that is too long
}

// pack writes one file of the anomaly pack and keeps its truth. The first error of writing sticks and is returned by
// close; everything before is free of error handling for that.
type pack struct {
	w     *bufio.Writer
	rng   *rand.Rand
	truth Truth
	n     int64  // bytes written
	eol   string // ends every line
	names []string
	start int64 // ms since 1970

	lengths lengths
}

// stoppable is a writer that fails once stopped says why.
type stoppable struct {
	w       io.Writer
	stopped func() error
}

func (s stoppable) Write(b []byte) (int, error) {
	if err := s.stopped(); err != nil {
		return 0, err
	}
	return s.w.Write(b)
}

// newPack starts a file, which fails when ctx ends. rng decides everything in it.
func newPack(ctx context.Context, w io.Writer, rng *rand.Rand) *pack {
	w = stoppable{w, func() error { return context.Cause(ctx) }}
	return &pack{
		w: bufio.NewWriterSize(w, 256<<10), rng: rng, truth: newTruth(), eol: "\n", names: serviceNames(rng),
		start: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() + rng.Int64N(365*24)*hourMs,
	}
}

func (p *pack) close() (Truth, error) {
	p.truth.Bytes = p.n
	return p.truth, p.w.Flush()
}

// raw writes text that has no part in the truth: blank lines, or parts of a line counted elsewhere.
func (p *pack) raw(text string) {
	p.n += int64(len(text)) // also after an error, so that loops up to a size end
	//nolint:errcheck // bufio keeps the first error for Flush
	p.w.WriteString(text)
}

// fields are what a good line says: the record, and what else stands in the text.
type fields struct {
	record
	user   string
	svcRaw string // svc as written between quotes
	msgRaw string
}

// fresh makes up a line. Its ms are below 5000.
func (p *pack) fresh() fields {
	svc := p.names[p.rng.IntN(len(p.names))]
	f := fields{
		record: record{
			svc: svc,
			lvl: [...]string{"info", "info", "info", "warn", "error"}[p.rng.IntN(5)],
			ts:  p.start + p.rng.Int64N(30*hourMs),
			ms:  1 + p.rng.Int64N(4999),
		},
		user:   "u" + strconv.Itoa(p.rng.IntN(1000)),
		svcRaw: svc,
	}
	id := make([]byte, 14)
	for i := range id {
		id[i] = alphabet[p.rng.IntN(len(alphabet))]
	}
	f.id = string(id)
	f.say(messages(p.rng, 1, 10, 80, plainToken)[0])
	return f
}

// say sets the message.
func (f *fields) say(m message) {
	f.msgRaw, f.cps, f.utf16 = m.raw, m.cps, m.utf16
}

// saying is fresh with a message.
func (p *pack) saying(m message) fields {
	f := p.fresh()
	f.say(m)
	return f
}

// text is the line in the usual form.
func (f fields) text() string { return f.head() + f.msgRaw + f.tail() }

// head is what comes before the content of msg.
func (f fields) head() string {
	return `{"ts":` + strconv.FormatInt(f.ts, 10) + `,"svc":"` + f.svcRaw + `","lvl":"` + f.lvl + `","ms":` + strconv.FormatInt(f.ms, 10) +
		`,"user":"` + f.user + `","msg":"`
}

// tail is what comes after the content of msg.
func (f fields) tail() string { return `","id":"` + f.id + `"}` }

// with is the line with additional members, written before the last bracket.
func (f fields) with(members string) string {
	return strings.TrimSuffix(f.text(), "}") + "," + members + "}"
}

// good writes a good line. Without a text it has the usual form.
func (p *pack) good(f fields, text ...string) {
	p.truth.good(f.record)
	if len(text) == 0 {
		text = []string{f.text()}
	}
	p.raw(text[0])
	p.raw(p.eol)
}

// bad writes a bad line.
func (p *pack) bad(kind, text string) {
	p.truth.bad(kind)
	p.raw(text)
	p.raw(p.eol)
}

// filler writes ordinary good lines of ASCII, about n bytes.
func (p *pack) filler(n int64) {
	for end := p.n + n; p.n < end; {
		p.good(p.fresh())
	}
}

// scatter writes the specials in changing order between ordinary lines, each at least once, until the file has size bytes.
func (p *pack) scatter(size int64, specials ...func()) {
	for done := false; !done || p.n < size; done = true {
		p.rng.Shuffle(len(specials), func(i, j int) { specials[i], specials[j] = specials[j], specials[i] })
		for _, special := range specials {
			p.filler(p.rng.Int64N(4096))
			special()
		}
	}
	p.filler(1 + p.rng.Int64N(2048))
}

// upTo writes ordinary lines until the next line can be made to end in the room that is left before offset at: between
// 300 and about 600 bytes.
func (p *pack) upTo(at int64) {
	for at-p.n > 600 {
		p.good(p.fresh())
	}
}

// padding is n bytes of text.
func (p *pack) padding(n int64) string {
	var b strings.Builder
	for int64(b.Len()) < n {
		b.WriteString(words[p.rng.IntN(len(words))])
		b.WriteByte(' ')
	}
	return b.String()[:n]
}
