package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// ValueKind is what a column holds, whichever the database.
type ValueKind string

// The kinds, with the type that a value has in Go. Each may also be nil.
const (
	Text    ValueKind = "text"    // string
	Integer ValueKind = "integer" // int64
	Number  ValueKind = "number"  // float64
	Boolean ValueKind = "boolean" // bool
	Bytes   ValueKind = "bytes"   // []byte
)

// Column is a column of a table.
type Column struct {
	Name string    `json:"name"`
	Kind ValueKind `json:"kind"`
}

// Table is a table as it is in the database.
type Table struct {
	Name    string
	Columns []Column
}

// engineTables is what the names of the job engine's tables begin with. They hold tokens, which it makes anew.
const engineTables = "river_"

// SystemTables are all tables of the schema as the database itself tells them, each after those that it refers to. Those of the
// job engine and of the migrations are left out.
func (tx *Tx) SystemTables(ctx context.Context) ([]Table, error) {
	names, err := tx.tableNames(ctx)
	if err != nil {
		return nil, err
	}
	delete(names, versionTable)
	for name := range names {
		if strings.HasPrefix(name, engineTables) {
			delete(names, name)
		}
	}
	references, err := tx.references(ctx)
	if err != nil {
		return nil, err
	}
	out := []Table{}
	for _, name := range inOrder(names, references) {
		t, err := tx.table(ctx, name)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	if len(out) != len(names) {
		return nil, fmt.Errorf("list tables: the schema has tables that refer to each other in a circle")
	}
	return out, nil
}

func (tx *Tx) tableNames(ctx context.Context) (map[string]bool, error) {
	query := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'`
	if tx.dialect == postgres {
		query = `SELECT tablename FROM pg_tables WHERE schemaname = current_schema()`
	}
	names, err := all(ctx, tx, func(r row) (name string, err error) { return name, r.Scan(&name) }, query)
	if err != nil {
		return nil, failed("list tables", err)
	}
	out := map[string]bool{}
	for _, n := range names {
		out[n] = true
	}
	return out, nil
}

// references are the tables that each table refers to.
func (tx *Tx) references(ctx context.Context) (map[string][]string, error) {
	query := `SELECT m.name, f."table" FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`
	if tx.dialect == postgres {
		query = `SELECT c.relname, r.relname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class r ON r.oid = k.confrelid
			JOIN pg_namespace n ON n.oid = k.connamespace WHERE k.contype = 'f' AND n.nspname = current_schema()`
	}
	pairs, err := all(ctx, tx, func(r row) (p [2]string, err error) { return p, r.Scan(&p[0], &p[1]) }, query)
	if err != nil {
		return nil, failed("list references of tables", err)
	}
	out := map[string][]string{}
	for _, p := range pairs {
		if p[0] != p[1] {
			out[p[0]] = append(out[p[0]], p[1])
		}
	}
	return out, nil
}

// inOrder puts names after those that they refer to, by name where that leaves a choice. What is in a circle is left out.
func inOrder(names map[string]bool, references map[string][]string) []string {
	left := make([]string, 0, len(names))
	for n := range names {
		left = append(left, n)
	}
	slices.Sort(left)
	var out []string
	for {
		i := slices.IndexFunc(left, func(n string) bool {
			return !slices.ContainsFunc(references[n], func(to string) bool { return slices.Contains(left, to) })
		})
		if i < 0 {
			return out
		}
		out = append(out, left[i])
		left = slices.Delete(left, i, i+1)
	}
}

// quoted is a name for a statement. It comes from the database's own catalogue.
func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func (tx *Tx) table(ctx context.Context, name string) (Table, error) {
	rows, err := tx.sql.QueryContext(ctx, `SELECT * FROM `+quoted(name)+` WHERE 1 = 0`) // #nosec G202 -- quoted
	if err != nil {
		return Table{}, failed("read columns of "+name, err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return Table{}, failed("read columns of "+name, err)
	}
	t := Table{Name: name}
	for _, c := range types {
		kind, ok := kindOf(c.DatabaseTypeName())
		if !ok {
			return Table{}, fmt.Errorf("read columns of %s: %s has the type %s, which has no kind here", name, c.Name(), c.DatabaseTypeName())
		}
		t.Columns = append(t.Columns, Column{c.Name(), kind})
	}
	return t, failed("read columns of "+name, rows.Err())
}

// kindOf is the kind of a type, by the name that either database has for it.
func kindOf(name string) (ValueKind, bool) {
	switch strings.ToUpper(name) {
	case "TEXT":
		return Text, true
	case "BIGINT", "INT8":
		return Integer, true
	case "DOUBLE PRECISION", "FLOAT8":
		return Number, true
	case "BOOLEAN", "BOOL":
		return Boolean, true
	case "BYTEA":
		return Bytes, true
	}
	return "", false
}

func columnNames(t Table) string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = quoted(c.Name)
	}
	return strings.Join(names, ", ")
}

// SystemRows tells do all rows of a table, in no particular order. do keeps nothing of what it is told.
func (tx *Tx) SystemRows(ctx context.Context, t Table, do func(values []any) error) error {
	rows, err := tx.sql.QueryContext(ctx, `SELECT `+columnNames(t)+` FROM `+quoted(t.Name)) // #nosec G202 -- quoted
	if err != nil {
		return failed("read "+t.Name, err)
	}
	defer rows.Close()
	values, into := make([]any, len(t.Columns)), make([]any, len(t.Columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return failed("read "+t.Name, err)
		}
		for i, c := range t.Columns {
			if values[i], err = ofKind(c.Kind, values[i]); err != nil {
				return fmt.Errorf("read %s.%s: %w", t.Name, c.Name, err)
			}
		}
		if err := do(values); err != nil {
			return err
		}
	}
	return failed("read "+t.Name, rows.Err())
}

// ofKind is a value as its kind says, however the driver gives it: SQLite has no booleans, and whole numbers may stand where
// others could.
func ofKind(k ValueKind, value any) (any, error) {
	switch v := value.(type) {
	case nil:
		return nil, nil
	case string:
		if k == Text {
			return v, nil
		}
	case []byte:
		switch k {
		case Bytes:
			return v, nil
		case Text:
			return string(v), nil
		}
	case int64:
		switch k {
		case Integer:
			return v, nil
		case Boolean:
			return v != 0, nil
		case Number:
			return float64(v), nil
		}
	case float64:
		if k == Number {
			return v, nil
		}
	case bool:
		if k == Boolean {
			return v, nil
		}
	}
	return nil, fmt.Errorf("%T is no %s", value, k)
}

// MaxInsert is how many rows SystemInsert takes at once: both databases bound the values of a statement.
const MaxInsert = 100

// SystemInsert writes rows of values of a table's kinds, MaxInsert at most. Text that PostgreSQL cannot keep is mended.
func (tx *Tx) SystemInsert(ctx context.Context, t Table, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	if len(rows) > MaxInsert {
		return fmt.Errorf("write %s: %d rows are too many at once", t.Name, len(rows))
	}
	p := &params{}
	places := make([]string, len(rows))
	for i, values := range rows {
		one := make([]string, len(values))
		for j, v := range values {
			if text, ok := v.(string); ok && tx.dialect == postgres {
				v = clean(text)
			}
			one[j] = p.add(v)
		}
		places[i] = "(" + strings.Join(one, ", ") + ")"
	}
	query := `INSERT INTO ` + quoted(t.Name) + ` (` + columnNames(t) + `) VALUES ` + strings.Join(places, ", ") // #nosec G202 -- quoted
	_, err := tx.exec(ctx, query, p.values...)
	return failed("write "+t.Name, err)
}

// SystemCount is how many rows a table has.
func (tx *Tx) SystemCount(ctx context.Context, t Table) (n int64, err error) {
	err = tx.sql.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+quoted(t.Name)).Scan(&n) // #nosec G202 -- quoted
	return n, failed("count "+t.Name, err)
}

// SystemClear removes all rows of all tables, also what migrations have put there.
func (tx *Tx) SystemClear(ctx context.Context) error {
	tables, err := tx.SystemTables(ctx)
	if err != nil {
		return err
	}
	for _, t := range slices.Backward(tables) {
		if _, err := tx.exec(ctx, `DELETE FROM `+quoted(t.Name)); err != nil { // #nosec G202 -- quoted
			return failed("empty "+t.Name, err)
		}
	}
	return nil
}

// SystemDrop removes all tables, so that the schema can be made anew. The job engine's stay.
func (tx *Tx) SystemDrop(ctx context.Context) error {
	tables, err := tx.SystemTables(ctx)
	if err != nil {
		return err
	}
	tables = slices.Insert(tables, 0, Table{Name: versionTable})
	for _, t := range slices.Backward(tables) {
		if _, err := tx.exec(ctx, `DROP TABLE IF EXISTS `+quoted(t.Name)); err != nil { // #nosec G202 -- quoted
			return failed("remove "+t.Name, err)
		}
	}
	return nil
}

// SystemUnused says whether nobody has set the installation up: then all there may be is what comes by itself.
func (tx *Tx) SystemUnused(ctx context.Context) (bool, error) {
	names, err := tx.tableNames(ctx)
	if err != nil {
		return false, err
	}
	for _, name := range []string{"organizations", "users"} {
		if !names[name] {
			continue
		}
		if n, err := tx.SystemCount(ctx, Table{Name: name}); err != nil || n > 0 {
			return false, err
		}
	}
	return true, nil
}
