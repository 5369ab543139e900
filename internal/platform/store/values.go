package store

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/assay-run/assay/internal/platform"
)

// wholeMs is what the store keeps of a time.
func wholeMs(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// ms is a time as it is stored.
func ms(t time.Time) int64 { return t.UnixMilli() }

// orNull is a time that may be none.
func orNull(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMilli(), Valid: !t.IsZero()}
}

// instant reads a time; NULL is the zero time.
type instant struct{ to *time.Time }

// Scan implements sql.Scanner.
func (i instant) Scan(value any) error {
	var n sql.NullInt64
	if err := n.Scan(value); err != nil {
		return err
	}
	*i.to = time.Time{}
	if n.Valid {
		*i.to = time.UnixMilli(n.Int64).UTC()
	}
	return nil
}

// span reads a duration in milliseconds.
type span struct{ to *time.Duration }

// Scan implements sql.Scanner.
func (s span) Scan(value any) error {
	var n sql.NullInt64
	if err := n.Scan(value); err != nil {
		return err
	}
	*s.to = time.Duration(n.Int64) * time.Millisecond
	return nil
}

// joined is a list of names without spaces as it is stored.
func joined[T ~string](names []T) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = string(n)
	}
	return strings.Join(out, " ")
}

func split[T ~string](text string) []T {
	out := []T{}
	for _, w := range strings.Fields(text) {
		out = append(out, T(w))
	}
	return out
}

// optional is NULL for an empty id.
func optional(id platform.ID) sql.NullString {
	return sql.NullString{String: string(id), Valid: id != ""}
}

// optionalID reads an id that may be NULL.
type optionalID struct{ to *platform.ID }

// Scan implements sql.Scanner.
func (o optionalID) Scan(value any) error {
	var s sql.NullString
	if err := s.Scan(value); err != nil {
		return err
	}
	*o.to = platform.ID(s.String)
	return nil
}

// found turns "no such row" into a NotFound error about a thing.
func found(err error, thing string) error {
	if errors.Is(err, sql.ErrNoRows) || broken(err) == unstorable { // nothing is called so
		return platform.Errorf(platform.NotFound, "There is no such %s.", thing)
	}
	return failed("read "+thing, err)
}

// failed says what could not be done. What may be told to others is passed on as it is.
func failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	if broken(err) == unstorable {
		return platform.Errorf(platform.Invalid, "A text has a zero byte, or is not UTF-8. Send it without.")
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// changedOne is nil when a statement changed a row, and a NotFound error about a thing otherwise.
func changedOne(n int64, err error, thing string) error {
	if err != nil {
		return failed("change "+thing, err)
	}
	if n == 0 {
		return platform.Errorf(platform.NotFound, "There is no such %s.", thing)
	}
	return nil
}

// page cuts a list that was read with one row more than asked for.
func page[T any](items []T, p platform.Page, mark func(T) platform.Mark) platform.List[T] {
	if len(items) <= p.Size() {
		return platform.List[T]{Items: items}
	}
	items = items[:p.Size()]
	return platform.List[T]{Items: items, Next: mark(items[len(items)-1]).Encode()}
}

// params collects arguments while a query is put together.
type params struct{ values []any }

// add gives the place of a value.
func (p *params) add(value any) string {
	p.values = append(p.values, value)
	return fmt.Sprintf("$%d", len(p.values))
}

// in is a list of places.
func in[T any](p *params, values []T) string {
	places := make([]string, len(values))
	for i, v := range values {
		places[i] = p.add(v)
	}
	return "(" + strings.Join(places, ", ") + ")"
}

// older is the condition of a page that goes from new to old, and its order and bound.
func (p *params) older(ask platform.Page, time, id string) (where, tail string, err error) {
	mark, err := ask.After.Decode()
	if err != nil {
		return "", "", err
	}
	if mark.ID != "" {
		at, than := p.add(ms(mark.At)), p.add(mark.ID)
		where = fmt.Sprintf(" AND (%s < %s OR (%s = %s AND %s < %s))", time, at, time, at, id, than)
	}
	return where, fmt.Sprintf(" ORDER BY %s DESC, %s DESC LIMIT %d", time, id, ask.Size()+1), nil
}

// clean makes a text storable that was not checked: PostgreSQL takes neither broken UTF-8 nor a zero byte.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
}

// maxText bounds texts that programs write about what happened, in bytes.
const maxText = 2000

// bounded is clean and cut to maxText.
func bounded(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return clean(s)
}
