package backup

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/assay-run/assay/internal/platform/store"
)

// tableHead begins a table.
type tableHead struct {
	Table   string         `json:"table"`
	Columns []store.Column `json:"columns"`
}

// tableEnd ends it.
type tableEnd struct {
	Rows *int64 `json:"rows"`
}

// odd is a text that JSON has no letters for.
type odd struct {
	Base64 []byte `json:"base64"`
}

// maxLine bounds a row, in bytes. The largest values are drafts, a quarter of a MiB.
const maxLine = 64 << 20

// writeRows writes all rows of a transaction.
func writeRows(ctx context.Context, tx *store.Tx, to io.Writer) (tables int, rows int64, err error) {
	all, err := tx.SystemTables(ctx)
	if err != nil {
		return 0, 0, err
	}
	w := bufio.NewWriterSize(to, 1<<16)
	lines := json.NewEncoder(w)
	leftOut := LeftOut()
	for _, t := range all {
		if _, left := leftOut[t.Name]; left {
			continue
		}
		if err := lines.Encode(tableHead{t.Name, t.Columns}); err != nil {
			return 0, 0, fmt.Errorf("write rows: %w", err)
		}
		n := int64(0)
		line := make([]any, len(t.Columns))
		err := tx.SystemRows(ctx, t, func(values []any) error {
			for i, v := range values {
				line[i] = encoded(v)
			}
			n++
			return lines.Encode(line)
		})
		if err == nil {
			err = lines.Encode(tableEnd{&n})
		}
		if err != nil {
			return 0, 0, fmt.Errorf("write rows of %s: %w", t.Name, err)
		}
		tables++
		rows += n
	}
	if err := w.Flush(); err != nil {
		return 0, 0, fmt.Errorf("write rows: %w", err)
	}
	return tables, rows, nil
}

// encoded is a value for JSON.
func encoded(value any) any {
	switch v := value.(type) {
	case string:
		if !utf8.ValidString(v) {
			return odd{[]byte(v)}
		}
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return strconv.FormatFloat(v, 'g', -1, 64)
		}
	}
	return value
}

// decoded is a value of a kind.
func decoded(kind store.ValueKind, raw json.RawMessage) (any, error) {
	if string(raw) == "null" {
		return nil, nil
	}
	var err error
	switch kind {
	case store.Text:
		if raw[0] == '{' {
			var v odd
			err = json.Unmarshal(raw, &v)
			return string(v.Base64), err
		}
		var v string
		err = json.Unmarshal(raw, &v)
		return v, err
	case store.Integer:
		var v int64
		err = json.Unmarshal(raw, &v)
		return v, err
	case store.Number:
		if text, isText := strings.CutPrefix(string(raw), `"`); isText {
			return strconv.ParseFloat(strings.TrimSuffix(text, `"`), 64)
		}
		var v float64
		err = json.Unmarshal(raw, &v)
		return v, err
	case store.Boolean:
		var v bool
		err = json.Unmarshal(raw, &v)
		return v, err
	case store.Bytes:
		v := []byte{}
		err = json.Unmarshal(raw, &v)
		return v, err
	}
	return nil, fmt.Errorf("%q is no kind of a value", kind)
}

// rowReader hears of rows. What it is told of a row is its to keep.
type rowReader interface {
	begin(t store.Table) error
	row(values []any) error
	end() error
}

// readRows reads what writeRows has written. Errors of the reader are passed on as they are, all others are ErrDamaged.
func readRows(ctx context.Context, from io.Reader, to rowReader) (tables int, rows int64, err error) {
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 1<<16), maxLine)
	var open *store.Table
	n, number := int64(0), 0
	for lines.Scan() {
		number++
		if err := ctx.Err(); err != nil {
			return tables, rows, context.Cause(ctx)
		}
		line := lines.Bytes()
		switch {
		case open == nil:
			head := tableHead{}
			if err := strictly(line, &head); err != nil || head.Table == "" {
				return tables, rows, damagedLine(number, "no table begins here")
			}
			open, n = &store.Table{Name: head.Table, Columns: head.Columns}, 0
			if err := to.begin(*open); err != nil {
				return tables, rows, err
			}
			tables++
		case len(line) > 0 && line[0] == '[':
			values, err := rowOf(*open, line)
			if err != nil {
				return tables, rows, damagedLine(number, err.Error())
			}
			if err := to.row(values); err != nil {
				return tables, rows, err
			}
			n++
		default:
			end := tableEnd{}
			if err := strictly(line, &end); err != nil || end.Rows == nil || *end.Rows != n {
				return tables, rows, damagedLine(number, fmt.Sprintf("%s does not have the rows that it should", open.Name))
			}
			if err := to.end(); err != nil {
				return tables, rows, err
			}
			open, rows = nil, rows+n
		}
	}
	if err := lines.Err(); err != nil {
		return tables, rows, err
	}
	if open != nil {
		return tables, rows, damagedLine(number, open.Name+" does not end")
	}
	return tables, rows, nil
}

func rowOf(t store.Table, line []byte) ([]any, error) {
	var raw []json.RawMessage
	if err := json.Unmarshal(line, &raw); err != nil {
		return nil, fmt.Errorf("this is no row: %w", err)
	}
	if len(raw) != len(t.Columns) {
		return nil, fmt.Errorf("a row of %s has %d values, not %d", t.Name, len(raw), len(t.Columns))
	}
	out := make([]any, len(raw))
	for i, c := range t.Columns {
		var err error
		if out[i], err = decoded(c.Kind, raw[i]); err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t.Name, c.Name, err)
		}
	}
	return out, nil
}

// strictly decodes one JSON object and nothing else.
func strictly(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return fmt.Errorf("there is more than one value")
	}
	return nil
}

func damagedLine(number int, why string) error {
	return fmt.Errorf("%w: %s, line %d: %s", ErrDamaged, rowsName, number, why)
}

// namedFile is a file as a row names it.
type namedFile struct {
	key    string
	digest string // "sha256:…"
	bytes  int64
}

// fileColumns are where the rows of a table name a file: columns NAME_key, NAME_digest and NAME_bytes.
type fileColumns struct{ key, digest, bytes int }

func filesIn(t store.Table) []fileColumns {
	at := map[string]int{}
	for i, c := range t.Columns {
		at[c.Name] = i
	}
	var out []fileColumns
	for i, c := range t.Columns {
		name, ok := strings.CutSuffix(c.Name, "_key")
		if !ok || c.Kind != store.Text {
			continue
		}
		digest, hasDigest := at[name+"_digest"]
		bytes, hasBytes := at[name+"_bytes"]
		if hasDigest && hasBytes && t.Columns[digest].Kind == store.Text && t.Columns[bytes].Kind == store.Integer {
			out = append(out, fileColumns{i, digest, bytes})
		}
	}
	return out
}

// files is a rowReader that hears of the files that rows name.
type files struct {
	found func(namedFile) error
	in    []fileColumns
}

func (f *files) begin(t store.Table) error {
	f.in = filesIn(t)
	return nil
}

func (f *files) row(values []any) error {
	for _, c := range f.in {
		key, _ := values[c.key].(string)
		digest, _ := values[c.digest].(string)
		bytes, _ := values[c.bytes].(int64)
		if key == "" {
			continue
		}
		if err := f.found(namedFile{key, digest, bytes}); err != nil {
			return err
		}
	}
	return nil
}

func (f *files) end() error { return nil }
