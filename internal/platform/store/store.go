// Package store keeps the platform's data in a database: SQLite in a file, or PostgreSQL.
//
// Everything happens in a transaction: Store.Tx for what writes, Store.View for what only reads. The methods are on the
// transaction, so that a service does several things at once or none of them, and may put rows of its own beside them
// through Tx.SQL (a job engine's, say).
//
// Every method that reads or writes an organisation's data takes its id and has it in its SQL. Rows are found by id
// alone nowhere; by the hash of a token, an invitation and an API token are. Methods named System… serve the
// installation itself (workers, senders, sweepers) and must not be reached with ids that somebody handed in.
//
// Failures that a caller can do something about are *platform.Error; what another organisation has is not found. Any
// other error is a fault of the database.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Options say how to open a store.
type Options struct {
	// Address is where the data are: a file of SQLite (which is made when missing), or a PostgreSQL address that begins
	// with postgres:// or postgresql://.
	Address string
	// Now is the clock; time.Now unless set.
	Now func() time.Time
	// MaxConns bounds the connections for reading on SQLite, and all of them on PostgreSQL; 8 unless set.
	MaxConns int
}

// defaultConns is enough for a server that is busy: a transaction lasts milliseconds.
const defaultConns = 8

// Store keeps the platform's data. It may be used by several goroutines.
type Store struct {
	dialect dialect
	// write has one connection on SQLite, which has one writer at a time: whoever waits, waits here and not in the
	// database. read is another pool there; on PostgreSQL both are the same.
	write, read *sql.DB
	// kept are statements that are ready, of each pool of SQLite; nil on PostgreSQL, whose driver keeps them.
	kept map[*sql.DB]*statements
	now  func() time.Time
}

// Open opens the database and brings its schema to the newest version. The caller closes the store.
func Open(ctx context.Context, opts Options) (*Store, error) {
	return open(ctx, opts, func(s *Store) error { return s.dialect.migrate(ctx, s.write) })
}

// open opens the database and does to its schema what is to be done.
func open(ctx context.Context, opts Options, schema func(*Store) error) (_ *Store, err error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.MaxConns <= 0 {
		opts.MaxConns = defaultConns
	}
	s := &Store{now: opts.Now}
	if isPostgres(opts.Address) {
		s.dialect = postgres
		err = s.openPostgres(opts)
	} else {
		s.dialect = sqlite
		err = s.openSQLite(opts)
	}
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	err = s.Patiently(ctx, func() error {
		if err := s.write.PingContext(ctx); err != nil {
			return fmt.Errorf("reach database: %w", err)
		}
		return schema(s)
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func isPostgres(address string) bool {
	return strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://")
}

// Close ends all connections. It is idempotent.
func (s *Store) Close() error {
	err := s.write.Close()
	if s.read != s.write {
		err = errors.Join(err, s.read.Close())
	}
	if err != nil {
		return fmt.Errorf("close database: %w", err)
	}
	return nil
}

// Ready says whether the database answers.
func (s *Store) Ready(ctx context.Context) error {
	var one int
	if err := s.read.QueryRowContext(ctx, "SELECT 1").Scan(&one); err != nil {
		return fmt.Errorf("ask database: %w", err)
	}
	return nil
}

// Databases are the pools, for what brings its own SQL: a job engine, a backup. They are the same on PostgreSQL.
func (s *Store) Databases() (write, read *sql.DB) { return s.write, s.read }

// Scrub makes what was erased leave the files of SQLite: until then it is in the log of the newest changes. done is false when
// somebody who reads stood in the way. On PostgreSQL that is for the server's own housekeeping.
func (s *Store) Scrub(ctx context.Context) (done bool, err error) {
	if s.dialect == postgres {
		return true, nil
	}
	var busy, pages, moved int
	err = s.write.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &pages, &moved)
	return busy == 0, failed("scrub database", err)
}

// Postgres says whether the data are in PostgreSQL.
func (s *Store) Postgres() bool { return s.dialect == postgres }

// Tx is a transaction. It is for one goroutine, and ends with the function that it was handed to.
type Tx struct {
	sql     querier
	dialect dialect
	// now is the time of the whole transaction, to the millisecond, in UTC.
	now time.Time
}

// SQL is the transaction itself.
func (tx *Tx) SQL() *sql.Tx { return tx.sql.Tx }

// Now is the transaction's time.
func (tx *Tx) Now() time.Time { return tx.now }
