package exportstream

import (
	"encoding/binary"
	"strconv"
)

// format is that of an export.
type format string

const (
	formatCSV    format = "csv"
	formatNDJSON format = "ndjson"
)

// table is an endless number of rows: blocks of them, made once from a seed, that follow each other in an order of the seed. Only the
// ids, which count up, are put in when a block is used, so that a stream costs little more than copying it.
type table struct {
	blocks    []block
	blockRows int64
	order     uint64
}

// block is a number of rows in both forms.
type block struct {
	source, csv form
}

// form is the bytes of a block's rows.
type form struct {
	bytes []byte
	ends  []int // where each row ends
	ids   []int // where the digits of its id are
}

// newTable makes a table. It has as many blocks as it takes to be unlike itself for a while.
func newTable(seed []byte, f flavour) *table {
	blocks, rows := 64, 256
	switch f {
	case nasty:
		blocks = 4
	case long:
		blocks, rows = 1, 32
	}
	w := writer{rng: random(seed, "rows "+string(f)), flavour: f}
	t := &table{blockRows: int64(rows), order: binary.BigEndian.Uint64(derive(seed, "order "+string(f)))}
	for range blocks {
		var b block
		for range rows {
			r := w.row()
			var at int
			b.source.bytes, at = r.appendJSON(b.source.bytes, firstID)
			b.source.add(at)
			b.csv.bytes, at = r.appendCSV(b.csv.bytes, firstID)
			b.csv.add(at)
		}
		t.blocks = append(t.blocks, b)
	}
	return t
}

func (f *form) add(id int) {
	f.ids = append(f.ids, id)
	f.ends = append(f.ends, len(f.bytes))
}

// at is the block with a number, which anybody can tell at any time.
func (t *table) at(number int64) *block {
	x := (uint64(number) + t.order) * 0x9e3779b97f4a7c15
	x ^= x >> 29
	x *= 0xbf58476d1ce4e5b9
	return &t.blocks[(x>>32)%uint64(len(t.blocks))]
}

// fill writes n rows of a form into b, with ids from first on, and returns it.
func (f *form) fill(b []byte, first int64, n int) []byte {
	b = append(b[:0], f.bytes[:f.ends[n-1]]...)
	var digits [20]byte
	for i := range n {
		copy(b[f.ids[i]:], strconv.AppendInt(digits[:0], first+int64(i), 10))
	}
	return b
}

// extract is the rows of one export: the first of them has the id base.
type extract struct {
	table *table
	base  int64
	rows  int64
}

// newExtract are the rows that belong to a number of them, in a run.
func newExtract(t *table, seed []byte, rows int64) extract {
	at := binary.BigEndian.Uint64(derive(seed, "base "+strconv.FormatInt(rows, 10)))
	return extract{table: t, base: firstID + int64(at%5_000_000_000), rows: rows}
}

// part is how many rows block number holds of it, 0 behind the end.
func (e extract) part(number int64) int {
	return int(max(min(e.rows-number*e.table.blockRows, e.table.blockRows), 0))
}

// sourceBytes is how many bytes the source sends for the first rows of it.
func (e extract) sourceBytes(rows int64) int64 {
	sum := int64(0)
	for number := int64(0); rows > 0; number++ {
		n := int(min(rows, e.table.blockRows))
		sum += int64(e.table.at(number).source.ends[n-1])
		rows -= int64(n)
	}
	return sum
}

// feed makes the bytes of the source. It implements rowsource.Feed.
type feed struct {
	extract
	number int64
	buffer []byte
	// change alters what is sent, for a source that sends nonsense; nil for nothing.
	change func(number int64, b []byte) []byte
	// bare leaves out the line feed of the last row.
	bare bool
}

// Next implements rowsource.Feed.
func (f *feed) Next() []byte {
	n := f.part(f.number)
	if n == 0 {
		return nil
	}
	first := f.number * f.table.blockRows
	f.buffer = f.table.at(f.number).source.fill(f.buffer, f.base+first, n)
	b := f.buffer
	if f.change != nil {
		b = f.change(f.number, b)
	}
	if f.bare && first+int64(n) == f.rows {
		b = b[:len(b)-1]
	}
	f.number++
	return b
}
