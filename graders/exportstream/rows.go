package exportstream

import (
	"crypto/hmac"
	"crypto/sha256"
	"math/rand/v2"
	"strconv"
	"strings"
	"unicode/utf8"
)

// derive makes a seed of its own for a purpose.
func derive(seed []byte, purpose string) []byte {
	mac := hmac.New(sha256.New, seed)
	mac.Write([]byte(Name + "/" + purpose))
	return mac.Sum(nil)
}

func random(seed []byte, purpose string) *rand.Rand {
	return rand.New(rand.NewChaCha8([32]byte(derive(seed, purpose)))) //nolint:gosec // data must be reproducible
}

// header is the first line of a CSV export.
const header = "id,placedAt,customer,city,product,quantity,price,gift,note\r\n"

// flavour is how unusual the values of rows are.
type flavour string

const (
	ordinary flavour = "ordinary" // what a shop has, now and then with a comma or a quotation mark
	nasty    flavour = "nasty"    // every value is a trap
	long     flavour = "long"     // some notes are longer than any chunk
)

// row is one order.
type row struct {
	placedAt                string
	customer, city, product string
	quantity                int
	price                   string // as JavaScript writes the number
	gift                    bool
	note                    *string
}

// idDigits is the length of an id: they are numbers without a leading zero, and all as long as each other, so that they can be put
// into a row that is there already.
const (
	idDigits = 10
	firstID  = 1_000_000_000
)

// writer makes rows of a seed.
type writer struct {
	rng     *rand.Rand
	flavour flavour
}

func (w *writer) pick(list []string) string { return list[w.rng.IntN(len(list))] }

// row makes the next row.
func (w *writer) row() row {
	r := row{
		placedAt: w.moment(), customer: w.pick(givenNames[:]) + " " + w.pick(familyNames[:]), city: w.pick(cities[:]), product: w.product(),
		quantity: 1 + w.rng.IntN(12), price: w.price(), gift: w.rng.IntN(5) == 0, note: w.note(),
	}
	if w.flavour == nasty {
		r.customer, r.city, r.product = w.pick(traps[:]), w.pick(traps[:]), w.pick(traps[:])+w.pick(traps[:])
		r.quantity = [...]int{0, -1, 1, 1 << 31, 9007199254740991, -9007199254740991}[w.rng.IntN(6)]
		r.price = w.pick([]string{"0", "0.1", "-0.5", "1234567.89", "0.000001", "100", "-17", "99999999999.99"})
	}
	return r
}

func (w *writer) moment() string {
	two := func(n int) string { return strconv.Itoa(100 + n)[1:] }
	return "2026-" + two(1+w.rng.IntN(12)) + "-" + two(1+w.rng.IntN(28)) + "T" + two(w.rng.IntN(24)) + ":" + two(w.rng.IntN(60)) + ":" +
		two(w.rng.IntN(60)) + "." + strconv.Itoa(1000 + w.rng.IntN(1000))[1:] + "Z"
}

func (w *writer) price() string {
	cents := 1 + w.rng.IntN(50_000)
	text := strconv.Itoa(cents / 100)
	switch rest := cents % 100; {
	case rest == 0:
		return text
	case rest%10 == 0:
		return text + "." + strconv.Itoa(rest/10)
	default:
		return text + "." + strconv.Itoa(100 + rest)[1:]
	}
}

func (w *writer) product() string {
	name := w.pick(things[:])
	switch w.rng.IntN(12) {
	case 0:
		return name + ` "` + w.pick(cities[:]) + `"`
	case 1:
		return name + ", " + strconv.Itoa(10+w.rng.IntN(190)) + " cm"
	}
	return name
}

func (w *writer) note() *string {
	text := ""
	switch n := w.rng.IntN(16); {
	case w.flavour == nasty && n > 0:
		text = w.pick(traps[:]) + w.pick(traps[:]) + w.pick(traps[:])
	case w.flavour == long && n < 5:
		text = w.longNote()
	case n < 8:
		return nil
	case n == 8:
		// empty, which is not the same as none in JSON and the same in CSV
	case n == 9:
		text = w.pick(remarks[:]) + "\r\n" + w.pick(remarks[:])
	case n == 10:
		text = w.pick(remarks[:]) + "\n" + w.pick(remarks[:])
	default:
		text = w.pick(remarks[:])
	}
	return &text
}

// longNote has 100 KB to 300 KB.
func (w *writer) longNote() string {
	var b strings.Builder
	for length := 100_000 + w.rng.IntN(200_000); b.Len() < length; {
		b.WriteString(w.pick(remarks[:]) + w.pick(traps[:]))
	}
	return b.String()
}

// appendJSON writes a row as JSON.stringify does, and a line feed. at is where the id is.
func (r *row) appendJSON(b []byte, id int64) (line []byte, at int) {
	b = append(b, `{"id":`...)
	at = len(b)
	b = strconv.AppendInt(b, id, 10)
	for _, f := range []struct{ name, text string }{
		{"placedAt", r.placedAt}, {"customer", r.customer}, {"city", r.city}, {"product", r.product},
	} {
		b = append(append(append(b, `,"`...), f.name...), `":`...)
		b = appendString(b, f.text)
	}
	b = append(append(b, `,"quantity":`...), strconv.Itoa(r.quantity)...)
	b = append(append(b, `,"price":`...), r.price...)
	b = strconv.AppendBool(append(b, `,"gift":`...), r.gift)
	b = append(b, `,"note":`...)
	if r.note == nil {
		b = append(b, "null"...)
	} else {
		b = appendString(b, *r.note)
	}
	return append(b, "}\n"...), at
}

// appendString writes a string as JSON.stringify does.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\b':
			b = append(b, `\b`...)
		case c == '\f':
			b = append(b, `\f`...)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c == '\t':
			b = append(b, `\t`...)
		case c < 0x20:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// appendCSV writes a row as RFC 4180 has it, with quotation marks only where they must be, and CRLF. at is where the id is.
func (r *row) appendCSV(b []byte, id int64) (line []byte, at int) {
	at = len(b)
	b = strconv.AppendInt(b, id, 10)
	note := ""
	if r.note != nil {
		note = *r.note
	}
	for _, f := range []string{
		r.placedAt, r.customer, r.city, r.product, strconv.Itoa(r.quantity), r.price, strconv.FormatBool(r.gift), note,
	} {
		b = append(b, ',')
		if strings.ContainsAny(f, "\",\r\n") {
			b = append(append(append(b, '"'), strings.ReplaceAll(f, `"`, `""`)...), '"')
		} else {
			b = append(b, f...)
		}
	}
	return append(b, '\r', '\n'), at
}

// insideRune says whether a cut before b[n] would split a character.
func insideRune(b []byte, n int) bool { return n > 0 && n < len(b) && !utf8.RuneStart(b[n]) }
