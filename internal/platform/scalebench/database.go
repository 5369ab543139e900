package scalebench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/assay-run/assay/internal/platform/store"
)

// database watches the one that is measured.
type database struct {
	store *store.Store
	// head is the first process of a PostgreSQL on this machine; 0: it is elsewhere, or SQLite.
	head int
	// statements says that pg_stat_statements counts.
	statements bool
}

// watchDatabase finds out what can be measured of a database.
func watchDatabase(ctx context.Context, s *store.Store) (*database, error) {
	d := &database{store: s}
	if !s.Postgres() {
		return d, nil
	}
	pool, _ := s.Databases()
	var pid int
	if err := pool.QueryRowContext(ctx, `SELECT pg_backend_pid()`).Scan(&pid); err != nil {
		return nil, fmt.Errorf("ask database for its process: %w", err)
	}
	var folder string
	if err := pool.QueryRowContext(ctx, `SELECT current_setting('data_directory')`).Scan(&folder); err != nil {
		return nil, fmt.Errorf("ask database for its folder: %w", err)
	}
	if p, err := readProcess(pid); err == nil {
		if _, err := os.Stat(folder); err == nil { // the number means nothing on another machine
			d.head = p.parent
		}
	}
	// The module has to be loaded with the server; without it statements are not counted.
	if _, err := pool.ExecContext(ctx, `CREATE EXTENSION IF NOT EXISTS pg_stat_statements`); err == nil {
		var n int64
		d.statements = pool.QueryRowContext(ctx, `SELECT COUNT(*) FROM pg_stat_statements`).Scan(&n) == nil
	}
	return d, nil
}

// counters are what the database has done so far.
type counters struct {
	at           time.Time
	cpu          time.Duration
	transactions int64
	statements   int64
}

// count reads the counters. PostgreSQL reports transactions with a delay of up to a second.
func (d *database) count(ctx context.Context) (counters, error) {
	c := counters{at: time.Now()}
	if !d.store.Postgres() {
		return c, nil
	}
	var err error
	if d.head != 0 {
		if c.cpu, err = familyCPU(d.head); err != nil {
			return c, err
		}
	}
	pool, _ := d.store.Databases()
	err = pool.QueryRowContext(ctx, `SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()`).Scan(&c.transactions)
	if err != nil {
		return c, fmt.Errorf("count transactions: %w", err)
	}
	if d.statements {
		err = pool.QueryRowContext(ctx, `SELECT CAST(COALESCE(SUM(calls), 0) AS BIGINT) FROM pg_stat_statements`).Scan(&c.statements)
		if err != nil {
			return c, fmt.Errorf("count statements: %w", err)
		}
	}
	return c, nil
}

// bytes is how much disk the database takes; of SQLite with what is not written into the main file yet.
func (d *database) bytes(ctx context.Context) (n int64, err error) {
	pool, _ := d.store.Databases()
	query := `SELECT pg_database_size(current_database())`
	if !d.store.Postgres() {
		query = `SELECT page_count * page_size FROM pragma_page_count, pragma_page_size`
	}
	if err := pool.QueryRowContext(ctx, query).Scan(&n); err != nil {
		return 0, fmt.Errorf("ask for size of database: %w", err)
	}
	return n, nil
}

// Statement is what one kind of statement has cost the database.
type Statement struct {
	Text  string  `json:"text"`
	Calls int64   `json:"calls"`
	Ms    float64 `json:"ms"` // altogether
}

// dearest are the statements that took longest, by the time within the database.
func (d *database) dearest(ctx context.Context, n int) ([]Statement, error) {
	if !d.statements {
		return nil, nil
	}
	pool, _ := d.store.Databases()
	rows, err := pool.QueryContext(ctx, `SELECT LEFT(REGEXP_REPLACE(query, '\s+', ' ', 'g'), 140), calls, total_exec_time FROM pg_stat_statements
		ORDER BY total_exec_time DESC LIMIT $1`, n)
	if err != nil {
		return nil, fmt.Errorf("list statements: %w", err)
	}
	defer rows.Close()
	var out []Statement
	for rows.Next() {
		var s Statement
		if err := rows.Scan(&s.Text, &s.Calls, &s.Ms); err != nil {
			return nil, fmt.Errorf("list statements: %w", err)
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// forget begins to count statements anew.
func (d *database) forget(ctx context.Context) error {
	if !d.statements {
		return nil
	}
	pool, _ := d.store.Databases()
	if _, err := pool.ExecContext(ctx, `SELECT pg_stat_statements_reset()`); err != nil {
		return fmt.Errorf("reset statements: %w", err)
	}
	return nil
}

// Connections are those of a database while it was watched: of all who use it, this bench included.
type Connections struct {
	Most int `json:"most"`
	Last int `json:"last"` // when the watch ended
	// MostActive had a statement at work or waiting at the same time, MostLocked waited for a lock.
	MostActive int `json:"mostActive"`
	MostLocked int `json:"mostLocked"`
	Allowed    int `json:"allowed"` // by the server
}

const connectionsEvery = 250 * time.Millisecond

// connections watches the connections until the function that it returns is called, which tells what was seen.
func (d *database) connections(ctx context.Context) func() (Connections, error) {
	if !d.store.Postgres() {
		return func() (Connections, error) { return Connections{}, nil }
	}
	ctx, stop := context.WithCancel(ctx)
	var seen Connections
	var failed error
	var all sync.WaitGroup
	all.Go(func() {
		tick := time.NewTicker(connectionsEvery)
		defer tick.Stop()
		pool, _ := d.store.Databases()
		for failed == nil {
			failed = seen.add(ctx, pool)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	return func() (Connections, error) {
		stop()
		all.Wait()
		if errors.Is(failed, context.Canceled) {
			failed = nil
		}
		return seen, failed
	}
}

func (c *Connections) add(ctx context.Context, pool *sql.DB) error {
	var n, active, locked int
	err := pool.QueryRowContext(ctx, `SELECT COUNT(*), COUNT(*) FILTER (WHERE state <> 'idle'), COUNT(*) FILTER (WHERE wait_event_type = 'Lock'),
		CAST(current_setting('max_connections') AS BIGINT) FROM pg_stat_activity WHERE datname = current_database()`).Scan(&n, &active, &locked, &c.Allowed)
	if err != nil {
		return fmt.Errorf("count connections: %w", err)
	}
	c.Last = n
	c.Most, c.MostActive, c.MostLocked = max(c.Most, n), max(c.MostActive, active), max(c.MostLocked, locked)
	return nil
}
