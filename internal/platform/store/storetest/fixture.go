package storetest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/store"
)

// Fixture is what a database held at some version of the schema: rows by table, as JSON that both databases can be filled
// from. Bytes are strings behind bytesMark.
type Fixture []FixtureTable

// FixtureTable is a table of a fixture. Tables come after those that they refer to.
type FixtureTable struct {
	Table string
	Rows  []Row
}

const bytesMark = "base64:"

// Filled makes a store with two organisations and one of everything: there is a row in every table.
func Filled(t *testing.T, open Open) *World {
	w := NewWorld(t, open)
	fillRest(w, fill(w))
	fill(w.Second("second"))
	w.Do(func(tx *store.Tx) error {
		return tx.SystemSeen(w.ctx(), platform.Worker{ID: "wrk_1", Name: "grader-1", Slots: 2})
	})
	gone := w.Graded(w.Assessment(one()), "gone", 66)
	w.Do(func(tx *store.Tx) error { return tx.EraseCandidate(w.ctx(), w.Org, gone.CandidateID) })
	return w
}

// fillRest makes rows that other tests have no use for.
func fillRest(w *World, b belongings) {
	w.T.Helper()
	w.Do(func(tx *store.Tx) error {
		if err := tx.LinkIdentity(w.ctx(), platform.Identity{Issuer: "https://id.example.org", Subject: "rita", UserID: b.user}); err != nil {
			return err
		}
		if _, err := tx.ExtendAttempt(w.ctx(), w.Org, b.working, platform.Extension{By: 10 * time.Minute, Reason: "a fire alarm", GrantedBy: w.Owner}); err != nil {
			return err
		}
		if _, err := tx.CreditPause(w.ctx(), w.Org, b.working, tx.Now().Add(-time.Minute), tx.Now(), "The engine was down."); err != nil {
			return err
		}
		if _, err := tx.Once(w.ctx(), w.Org, "tok_1 POST /invitations", "key", "hash"); err != nil {
			return err
		}
		return tx.Remember(w.ctx(), w.Org, "tok_1 POST /invitations", "key", platform.Stored{Status: 201, Body: []byte{'{', 0, 0xff, '}'}})
	})
	require.NoError(w.T, w.Store.Sessions().Commit("token", []byte{0, 1, 2}, w.Clock.Now().Add(time.Hour)))
}

// Contents are all rows of a store of any version of the schema, by table, as the database itself tells them.
func Contents(w *World) map[string][]Row {
	w.T.Helper()
	out := map[string][]Row{}
	require.NoError(w.T, w.Store.Snapshot(w.ctx(), func(tx *store.Tx) error {
		tables, err := tx.SystemTables(w.ctx())
		if err != nil {
			return err
		}
		for _, t := range tables {
			out[t.Name] = []Row{}
			err := tx.SystemRows(w.ctx(), t, func(values []any) error {
				line := Row{}
				for i, c := range t.Columns {
					line[c.Name] = values[i]
				}
				out[t.Name] = append(out[t.Name], line)
				return nil
			})
			if err != nil {
				return err
			}
			sortRows(out[t.Name])
		}
		return nil
	}))
	return out
}

// WriteFixture writes all that a store holds.
func WriteFixture(w *World, path string) {
	w.T.Helper()
	dump, out := Dump(w), Fixture{}
	for _, table := range Tables() {
		rows := dump[table]
		for _, line := range rows {
			for column, value := range line {
				if b, ok := value.([]byte); ok {
					line[column] = bytesMark + base64.StdEncoding.EncodeToString(b)
				}
			}
		}
		out = append(out, FixtureTable{Table: table, Rows: rows})
	}
	text, err := json.MarshalIndent(out, "", " ")
	require.NoError(w.T, err)
	require.NoError(w.T, os.WriteFile(path, append(text, '\n'), 0o644))
}

// LoadFixture fills an empty store of the fixture's version of the schema, and returns the rows by table.
func LoadFixture(w *World, path string) map[string][]Row {
	w.T.Helper()
	text, err := os.ReadFile(path)
	require.NoError(w.T, err)
	var in Fixture
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	require.NoError(w.T, decoder.Decode(&in))
	out := map[string][]Row{}
	w.Do(func(tx *store.Tx) error {
		for _, table := range in {
			if table.Table == "queue_clock" { // the migration has made its row
				if _, err := tx.SQL().ExecContext(w.ctx(), `DELETE FROM queue_clock`); err != nil {
					return err
				}
			}
			for _, line := range table.Rows {
				for column, value := range line {
					if line[column], err = fixtureValue(value); err != nil {
						return fmt.Errorf("read %s.%s: %w", table.Table, column, err)
					}
				}
				if err := insertRow(w, tx, table.Table, line); err != nil {
					return fmt.Errorf("write %s: %w", table.Table, err)
				}
			}
			out[table.Table] = table.Rows
		}
		return nil
	})
	return out
}

func fixtureValue(value any) (any, error) {
	switch v := value.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n, nil
		}
		return v.Float64()
	case string:
		if text, ok := strings.CutPrefix(v, bytesMark); ok {
			return base64.StdEncoding.DecodeString(text)
		}
	}
	return value, nil
}

func insertRow(w *World, tx *store.Tx, table string, line Row) error {
	columns := slices.Sorted(maps.Keys(line))
	places, values := make([]string, len(columns)), make([]any, len(columns))
	for i, c := range columns {
		places[i], values[i] = fmt.Sprintf("$%d", i+1), line[c]
	}
	query := fmt.Sprintf(`INSERT INTO %s (%s) VALUES (%s)`, table, strings.Join(columns, ", "), strings.Join(places, ", "))
	_, err := tx.SQL().ExecContext(w.ctx(), query, values...)
	return err
}
