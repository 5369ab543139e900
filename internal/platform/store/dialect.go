package store

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	driver "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"
)

// dialect is a kind of database.
type dialect int

const (
	sqlite dialect = iota
	postgres
)

// openSQLite opens two pools on one file. WAL lets readers read while somebody writes; a transaction that writes takes
// the lock when it begins, so it never finds in its middle that another one was faster.
func (s *Store) openSQLite(opts Options) error {
	if opts.Address == "" {
		return errors.New("open database: it needs the name of a file")
	}
	// Nobody else on the machine reads it; the files beside it get the same mode.
	file, err := os.OpenFile(opts.Address, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	// What is erased is overwritten: SQLite would leave it where it was until the place is used again.
	pragmas := []string{"journal_mode(WAL)", "busy_timeout(10000)", "foreign_keys(1)", "synchronous(NORMAL)", "secure_delete(1)"}
	if s.write, err = openFile(opts.Address, url.Values{"_txlock": {"immediate"}, "_pragma": pragmas}); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	if s.read, err = openFile(opts.Address, url.Values{"_pragma": append(pragmas, "query_only(1)")}); err != nil {
		return errors.Join(err, s.write.Close())
	}
	s.read.SetMaxOpenConns(opts.MaxConns)
	s.read.SetMaxIdleConns(opts.MaxConns) // a connection that is closed takes its statements with it
	s.kept = map[*sql.DB]*statements{s.write: newStatements(s.write), s.read: newStatements(s.read)}
	return nil
}

func openFile(path string, query url.Values) (*sql.DB, error) {
	query.Set("_time_format", "sqlite")
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: query.Encode()}).String())
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return db, nil
}

// idleConnTime is after how long a connection to PostgreSQL is given back that nobody needs: a server has a few for each of
// its workers, and a worker that is busy needs one or two.
const idleConnTime = 10 * time.Second

func (s *Store) openPostgres(opts Options) error {
	config, err := pgx.ParseConfig(opts.Address)
	if err != nil {
		return fmt.Errorf("open database: %w", err) // pgx leaves the password out
	}
	s.write = stdlib.OpenDB(*config)
	s.write.SetMaxOpenConns(opts.MaxConns)
	s.write.SetMaxIdleConns(opts.MaxConns)
	s.write.SetConnMaxIdleTime(idleConnTime)
	s.read = s.write
	return nil
}

// forUpdate ends a SELECT whose rows are changed afterwards: nobody else changes them meanwhile. On SQLite a transaction
// that writes is alone anyway.
func (tx *Tx) forUpdate() string {
	if tx.dialect == postgres {
		return " FOR UPDATE"
	}
	return ""
}

// constraint is a rule of the schema that a statement has broken.
type constraint int

const (
	noConstraint constraint = iota
	uniqueConstraint
	foreignConstraint
	otherConstraint
	unstorable // a text has a zero byte, or is not UTF-8; PostgreSQL's alone
)

// broken tells which kind of rule err is about, by the driver's code.
func broken(err error) constraint {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pg.Code {
		case "23505":
			return uniqueConstraint
		case "23503":
			return foreignConstraint
		case "23502", "23514":
			return otherConstraint
		case "22021":
			return unstorable
		}
	}
	if lite, ok := errors.AsType[*driver.Error](err); ok {
		switch lite.Code() {
		case codes.SQLITE_CONSTRAINT_UNIQUE, codes.SQLITE_CONSTRAINT_PRIMARYKEY:
			return uniqueConstraint
		case codes.SQLITE_CONSTRAINT_FOREIGNKEY:
			return foreignConstraint
		case codes.SQLITE_CONSTRAINT_NOTNULL, codes.SQLITE_CONSTRAINT_CHECK:
			return otherConstraint
		}
	}
	return noConstraint
}

// again says whether a transaction failed only because of another one.
func (d dialect) again(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pg.Code == "40P01" || pg.Code == "40001") // deadlock, serialization
}

// gone says whether a statement failed because the database could not be reached, or left: it is restarted, its network is
// away, or it has no connection left to give. SQLite is a file; it does not leave.
func (d dialect) gone(err error) bool {
	if d != postgres {
		return false
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pg.Code {
		case "57P01", "57P02", "57P03", "53300": // it ends, it crashed, it starts, too many connections
			return true
		}
		return strings.HasPrefix(pg.Code, "08") // the connection broke
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if broken, ok := errors.AsType[net.Error](err); ok {
		return !broken.Timeout() // that is ours
	}
	return errors.Is(err, sqldriver.ErrBadConn) || errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// exec runs a statement and tells how many rows it changed.
func (tx *Tx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	result, err := tx.sql.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// row is what one row is read from.
type row interface{ Scan(into ...any) error }

// all reads every row of a query.
func all[T any](ctx context.Context, tx *Tx, scan func(row) (T, error), query string, args ...any) ([]T, error) {
	rows, err := tx.sql.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []T{}
	for rows.Next() {
		item, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, item)
	}
	return out, rows.Err()
}
