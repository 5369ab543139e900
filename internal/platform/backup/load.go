package backup

import (
	"context"
	"fmt"
	"slices"

	"github.com/assay-run/assay/internal/platform/store"
)

// loader is a rowReader that writes rows into a database whose schema is that of the rows.
type loader struct {
	ctx   context.Context //nolint:containedctx // it lives as long as one transaction
	tx    *store.Tx
	left  map[string]store.Table // tables that no rows have come for
	table store.Table
	batch [][]any
	n     int64
}

// open learns which tables there are.
func (l *loader) open(leftOut []string) error {
	tables, err := l.tx.SystemTables(l.ctx)
	if err != nil {
		return err
	}
	l.left = map[string]store.Table{}
	for _, t := range tables {
		if !slices.Contains(leftOut, t.Name) {
			l.left[t.Name] = t
		}
	}
	return nil
}

func (l *loader) begin(t store.Table) error {
	there, ok := l.left[t.Name]
	delete(l.left, t.Name)
	same := len(there.Columns) == len(t.Columns)
	for _, c := range t.Columns {
		same = same && slices.Contains(there.Columns, c)
	}
	if !ok || !same {
		return fmt.Errorf("%w: its table %.80q is not that of its schema", ErrDamaged, t.Name)
	}
	l.table, l.n = t, 0
	return nil
}

func (l *loader) row(values []any) error {
	l.batch = append(l.batch, values)
	l.n++
	if len(l.batch) == store.MaxInsert {
		return l.flush()
	}
	return nil
}

func (l *loader) flush() error {
	err := l.tx.SystemInsert(l.ctx, l.table, l.batch)
	l.batch = l.batch[:0]
	return err
}

func (l *loader) end() error {
	if err := l.flush(); err != nil {
		return err
	}
	n, err := l.tx.SystemCount(l.ctx, l.table)
	if err == nil && n != l.n {
		err = fmt.Errorf("restore %s: %d rows were written, and there are %d", l.table.Name, l.n, n)
	}
	return err
}

// close says whether all tables have come.
func (l *loader) close() error {
	for name := range l.left {
		return fmt.Errorf("%w: its schema has a table %s, of which it has nothing", ErrDamaged, name)
	}
	return nil
}
