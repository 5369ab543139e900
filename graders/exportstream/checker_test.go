package exportstream

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var testSeed = []byte("0123456789abcdef0123456789abcdef")

// body is what a right export holds.
func body(e extract, f format) []byte {
	var out []byte
	if f == formatCSV {
		out = []byte(header)
	}
	for number := int64(0); e.part(number) > 0; number++ {
		b := e.table.at(number)
		form := &b.csv
		if f == formatNDJSON {
			form = &b.source
		}
		out = append(out, form.fill(nil, e.base+number*e.table.blockRows, e.part(number))...)
	}
	return out
}

// sent is what the source sends.
func sent(f *feed) []byte {
	var out []byte
	for b := f.Next(); len(b) > 0; b = f.Next() {
		out = append(out, b...)
	}
	return out
}

// TestBothFormsAreTheSameRows compares them by ways of the standard library, which know nothing of ours.
func TestBothFormsAreTheSameRows(t *testing.T) {
	t.Parallel()
	for _, f := range []flavour{ordinary, nasty, long} {
		tab := newTable(testSeed, f)
		e := newExtract(tab, testSeed, 700)
		lines := bytes.Split(bytes.TrimSuffix(sent(&feed{extract: e}), []byte("\n")), []byte("\n"))
		require.Len(t, lines, 700, f)
		text := body(e, formatCSV)
		// encoding/csv makes LF of the CR LF in values; a mark in its place brings it through.
		marked := strings.ReplaceAll(string(text), "\r\n", "\n")
		records, err := csv.NewReader(strings.NewReader(marked)).ReadAll()
		require.NoError(t, err, f)
		require.Len(t, records, 701)
		assert.Equal(t, strings.TrimSpace(header), strings.Join(records[0], ","))
		for i, line := range lines {
			var row struct {
				ID                                json.Number
				PlacedAt, Customer, City, Product string
				Quantity, Price                   json.Number
				Gift                              bool
				Note                              *string
			}
			require.NoError(t, json.Unmarshal(line, &row))
			note := ""
			if row.Note != nil {
				note = *row.Note
			}
			want := []string{
				fmt.Sprint(e.base + int64(i)), row.PlacedAt, row.Customer, row.City, row.Product, row.Quantity.String(), row.Price.String(), fmt.Sprint(row.Gift), note,
			}
			for j := range want {
				want[j] = strings.ReplaceAll(want[j], "\r\n", "\n")
			}
			require.Equal(t, want, records[i+1], "row %d of %s", i, f)
			require.Equal(t, row.ID.String(), want[0])
		}
		assert.Equal(t, int64(len(sent(&feed{extract: e}))), e.sourceBytes(700))
		assert.True(t, bytes.HasSuffix(text, []byte("\r\n")))
	}
}

func TestFeed(t *testing.T) {
	t.Parallel()
	tab := newTable(testSeed, ordinary)
	e := newExtract(tab, testSeed, 300)
	whole := sent(&feed{extract: e})
	assert.Equal(t, whole, body(e, formatNDJSON))
	assert.Equal(t, whole[:len(whole)-1], sent(&feed{extract: e, bare: true}))
	assert.Empty(t, sent(&feed{extract: newExtract(tab, testSeed, 0)}))
	again := newExtract(newTable(testSeed, ordinary), testSeed, 300)
	assert.Equal(t, whole, sent(&feed{extract: again}), "the same seed, the same rows")
	other := newExtract(newTable(derive(testSeed, "x"), ordinary), derive(testSeed, "x"), 300)
	assert.NotEqual(t, whole, sent(&feed{extract: other}))
	assert.NotEqual(t, e.base, newExtract(tab, testSeed, 301).base)
}

// feedIn gives a checker a body in pieces.
func feedIn(t *rapid.T, c *checker, text []byte) {
	for len(text) > 0 {
		n := rapid.IntRange(1, len(text)).Draw(t, "piece")
		c.Take(200, text[:n])
		text = text[n:]
	}
}

// TestCheckerTakesWhatIsRight in whatever pieces it comes, and with quotation marks wherever they may be.
func TestCheckerTakesWhatIsRight(t *testing.T) {
	t.Parallel()
	tables := map[flavour]*table{ordinary: newTable(testSeed, ordinary), nasty: newTable(testSeed, nasty)}
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.SampledFrom([]flavour{ordinary, nasty}).Draw(t, "flavour")
		form := rapid.SampledFrom([]format{formatCSV, formatNDJSON}).Draw(t, "format")
		e := newExtract(tables[f], testSeed, rapid.Int64Range(0, 600).Draw(t, "rows"))
		c := newChecker(e, form)
		text := body(e, form)
		if form == formatCSV {
			text = withQuotes(text, rapid.IntRange(0, 4).Draw(t, "quote each"))
		}
		feedIn(t, c, text)
		assert.Empty(t, c.wrong)
		assert.True(t, c.whole())
		assert.Equal(t, e.sourceBytes(e.rows), c.Source())
		c.Take(200, []byte("x"))
		assert.Contains(t, c.wrong, "After the last row there is more")
		assert.False(t, c.whole())
	})
}

// withQuotes puts each n-th field that has no quotation marks into some; 0 leaves all as they are.
func withQuotes(text []byte, n int) []byte {
	if n == 0 {
		return text
	}
	var out []byte
	quoted, begin, fields := false, 0, 0
	for i, b := range text {
		if b == '"' {
			quoted = !quoted
		}
		if quoted || b != ',' && b != '\n' {
			continue
		}
		field, end := text[begin:i], []byte{b}
		if b == '\n' {
			field, end = text[begin:i-1], []byte("\r\n")
		}
		fields++
		if fields%n == 0 && !bytes.HasPrefix(field, []byte(`"`)) {
			field = append(append([]byte{'"'}, field...), '"')
		}
		out = append(append(out, field...), end...)
		begin = i + 1
	}
	return out
}

// TestCheckerRefusesWhatIsWrong, be it one byte: changed, lost, or one too many.
func TestCheckerRefusesWhatIsWrong(t *testing.T) {
	t.Parallel()
	tables := map[flavour]*table{ordinary: newTable(testSeed, ordinary), nasty: newTable(testSeed, nasty)}
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.SampledFrom([]flavour{ordinary, nasty}).Draw(t, "flavour")
		form := rapid.SampledFrom([]format{formatCSV, formatNDJSON}).Draw(t, "format")
		e := newExtract(tables[f], testSeed, rapid.Int64Range(1, 600).Draw(t, "rows"))
		right := body(e, form)
		text := bytes.Clone(right)
		at := rapid.IntRange(0, len(text)-1).Draw(t, "at")
		switch rapid.SampledFrom([]string{"change", "lose", "add", "cut", "double a row"}).Draw(t, "how") {
		case "change":
			text[at] ^= byte(1 + rapid.IntRange(0, 254).Draw(t, "bits"))
		case "lose":
			text = append(text[:at], text[at+1:]...)
		case "add":
			text = bytes.Join([][]byte{text[:at], {byte(rapid.IntRange(0, 255).Draw(t, "byte"))}, text[at:]}, nil)
		case "cut":
			text = text[:at]
		case "double a row":
			line := bytes.IndexByte(text, '\n') + 1
			text = append(bytes.Clone(text), text[len(text)-min(line, len(text)):]...)
		}
		c := newChecker(e, form)
		feedIn(t, c, text)
		assert.False(t, c.whole() && c.wrong == "", "%q", text)
		assert.LessOrEqual(t, len(c.wrong), 1000)
	})
}

func TestCheckerSaysWhere(t *testing.T) {
	t.Parallel()
	e := newExtract(newTable(testSeed, ordinary), testSeed, 400)
	text := body(e, formatCSV)
	rows := bytes.SplitAfter(text, []byte("\r\n"))
	// Line ends in values split rows as well, so the row is found by its id.
	id := fmt.Sprint(e.base + 299)
	at := bytes.Index(text, []byte(id))
	require.Positive(t, at)
	require.Greater(t, len(rows), 400)
	c := newChecker(e, formatCSV)
	c.Take(200, append(bytes.Clone(text[:at]), "oops"...))
	assert.Equal(t, `In row 300, after "", there is "oops" instead of `+quoted(string(text[at:at+40]))+".", c.wrong)

	c = newChecker(e, formatCSV)
	c.Take(200, []byte("ID,placedAt"))
	assert.Contains(t, c.wrong, "In the header line")

	c = newChecker(e, formatCSV)
	c.Take(502, []byte(`{"status":502}`))
	assert.Empty(t, c.wrong, "an error is no export")
	assert.False(t, c.whole())
	assert.Zero(t, c.Source())
}

// TestPositionFollows what was taken, also when it is wrong.
func TestPositionFollows(t *testing.T) {
	t.Parallel()
	e := newExtract(newTable(testSeed, ordinary), testSeed, 5000)
	text, source := body(e, formatCSV), e.sourceBytes(5000)
	c, wrong := newChecker(e, formatCSV), newChecker(e, formatCSV)
	wrong.Take(200, []byte("x"))
	r := bytes.NewReader(text)
	piece := make([]byte, 10_000)
	for before := int64(0); ; before = c.Source() {
		n, err := r.Read(piece)
		if err == io.EOF {
			break
		}
		c.Take(200, piece[:n])
		wrong.Take(200, piece[:n])
		assert.GreaterOrEqual(t, c.Source(), before)
		assert.InDelta(t, float64(c.bytes)/float64(len(text)), float64(c.Source())/float64(source), 0.03)
	}
	assert.Equal(t, source, c.Source())
	assert.InDelta(t, source, wrong.Source(), float64(source)*0.05, "about, for who has another form")
}

// TestPiecesSplitCharacters is what a source in pieces is there for.
func TestPiecesSplitCharacters(t *testing.T) {
	t.Parallel()
	all := sent(&feed{extract: newExtract(newTable(testSeed, nasty), testSeed, 70)})
	cut := piecesInsideRunes()
	inside, pieces := 0, 0
	for b := all; len(b) > 0; {
		n := min(max(cut(b), 1), len(b))
		if insideRune(b, n) {
			inside++
		}
		pieces++
		b = b[n:]
	}
	assert.Greater(t, inside, 50)
	assert.Greater(t, pieces, inside)
}
