package storetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform/store"
)

// Tables are all tables of the newest schema, each after those that it refers to.
func Tables() []string {
	return []string{
		"organizations", "installation", "users", "identities", "memberships", "sessions", "api_tokens", "assessments", "assessment_versions",
		"assessment_challenges", "candidates", "invitations", "attempts", "attempt_extensions", "attempt_pauses", "drafts", "submissions", "jobs",
		"queue_clock", "queue_turns", "results", "result_criteria", "result_codes", "decisions", "idempotency_keys", "webhook_endpoints",
		"webhook_deliveries", "outbox", "audit_log", "workers", "blob_erasures", "statistics", "statistic_criteria",
	}
}

// Row is a row of a table, by column.
type Row map[string]any

// Dump reads everything there is, by table. The rows of a table are sorted by what is in them.
func Dump(w *World) map[string][]Row {
	w.T.Helper()
	require.ElementsMatch(w.T, Tables(), schemaTables(w), "Tables knows every table of the schema")
	out := map[string][]Row{}
	w.Do(func(tx *store.Tx) error {
		for _, table := range Tables() {
			rows, err := dumpTable(w, tx, table)
			if err != nil {
				return fmt.Errorf("dump %s: %w", table, err)
			}
			out[table] = rows
		}
		return nil
	})
	return out
}

func schemaTables(w *World) []string {
	query := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'schema_versions'`
	if w.Store.Postgres() {
		query = `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() AND table_name <> 'schema_versions'`
	}
	out := []string{}
	w.Do(func(tx *store.Tx) error {
		rows, err := tx.SQL().QueryContext(w.ctx(), query)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			name := ""
			if err := rows.Scan(&name); err != nil {
				return err
			}
			out = append(out, name)
		}
		return rows.Err()
	})
	return out
}

func dumpTable(w *World, tx *store.Tx, table string) ([]Row, error) {
	rows, err := tx.SQL().QueryContext(w.ctx(), "SELECT * FROM "+table) // #nosec G202 -- one of Tables
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	var out []Row
	for rows.Next() {
		values, into := make([]any, len(types)), make([]any, len(types))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		line := Row{}
		for i, c := range types {
			if n, ok := values[i].(int64); ok && strings.HasPrefix(c.DatabaseTypeName(), "BOOL") {
				values[i] = n != 0
			}
			line[c.Name()] = values[i]
		}
		out = append(out, line)
	}
	sortRows(out)
	return out, rows.Err()
}

// sortRows sorts rows by what is in them.
func sortRows(rows []Row) {
	slices.SortFunc(rows, func(a, b Row) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
}

// mentions are the places where a text occurs in what is stored, as "table.column".
func mentions(dump map[string][]Row, text string) []string {
	found := map[string]bool{}
	for table, rows := range dump {
		for _, line := range rows {
			for column, value := range line {
				if b, ok := value.([]byte); ok {
					value = string(b)
				}
				if strings.Contains(strings.ToLower(fmt.Sprint(value)), strings.ToLower(text)) {
					found[table+"."+column] = true
				}
			}
		}
	}
	out := []string{}
	for place := range found {
		out = append(out, place)
	}
	slices.Sort(out)
	return out
}
