package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Tx runs do in a transaction that may write. When do fails nothing of it is kept, and its error is returned as it is.
// The database may end a transaction to let another one go on, or be restarted in its middle; then do is called again, so
// it acts through tx alone. When the answer to a commit is lost nobody knows what became of it, and that is an error.
func (s *Store) Tx(ctx context.Context, do func(*Tx) error) error {
	return s.repeat(ctx, s.write, nil, do)
}

// View runs do in a transaction that only reads. It is called again as in Tx.
func (s *Store) View(ctx context.Context, do func(*Tx) error) error {
	var opts *sql.TxOptions
	if s.dialect == postgres {
		opts = &sql.TxOptions{ReadOnly: true} // on SQLite the pool is: see openSQLite
	}
	return s.repeat(ctx, s.read, opts, do)
}

// Snapshot is View in which all is as it was at its first statement, whatever others write meanwhile. What they write is kept
// beside until it ends: it is not held for longer than needed. It is not made again.
func (s *Store) Snapshot(ctx context.Context, do func(*Tx) error) error {
	var opts *sql.TxOptions
	if s.dialect == postgres {
		opts = &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead} // on SQLite every transaction is one
	}
	return s.once(ctx, s.read, opts, do)
}

// How a transaction is begun again.
const (
	// maxTxTries is how often one is that the database ends because of another one.
	maxTxTries = 5
	// reconnectWithin is how long a database is waited for that is being restarted. Requests of people wait meanwhile.
	reconnectWithin = 5 * time.Second
	firstTxPause    = 10 * time.Millisecond
	longTxPause     = 500 * time.Millisecond
)

// Patiently does something with the database that may be done again, as often as it fails because the database cannot be
// reached, for a while: who starts while a database is restarted need not start again. It is for what uses the pools
// themselves; Tx and View are patient already.
func (s *Store) Patiently(ctx context.Context, do func() error) error {
	return s.insist(ctx, func(err error, _ int, since time.Duration) bool {
		return s.dialect.gone(err) && since < reconnectWithin
	}, do)
}

func (s *Store) repeat(ctx context.Context, db *sql.DB, opts *sql.TxOptions, do func(*Tx) error) error {
	return s.insist(ctx, func(err error, try int, since time.Duration) bool {
		return s.dialect.again(err) && try < maxTxTries || s.dialect.gone(err) && !uncertain(err, opts) && since < reconnectWithin
	}, func() error { return s.once(ctx, db, opts, do) })
}

// insist does something until it succeeds, or again says no: it is told the error, the number of the try, from 1, and how long
// it has been going on.
func (s *Store) insist(ctx context.Context, again func(err error, try int, since time.Duration) bool, do func() error) error {
	begun, pause := time.Now(), firstTxPause
	for try := 1; ; try++ {
		err := do()
		if err == nil || !again(err, try, time.Since(begun)) {
			return err
		}
		// Two that were in each other's way should not meet again.
		wait := time.NewTimer(pause/2 + rand.N(pause)) // #nosec G404 -- no secret
		select {
		case <-ctx.Done():
			wait.Stop()
			return err
		case <-wait.C:
		}
		pause = min(2*pause, longTxPause)
	}
}

// commitError is a commit that failed. What the transaction has written may be there or not.
type commitError struct{ err error }

// Error implements error.
func (e *commitError) Error() string { return fmt.Sprintf("commit: %v", e.err) }

// Unwrap gives the database's error.
func (e *commitError) Unwrap() error { return e.err }

// uncertain says whether a transaction that failed may have written.
func uncertain(err error, opts *sql.TxOptions) bool {
	_, commit := errors.AsType[*commitError](err)
	return commit && (opts == nil || !opts.ReadOnly)
}

func (s *Store) once(ctx context.Context, db *sql.DB, opts *sql.TxOptions, do func(*Tx) error) error {
	raw, err := db.BeginTx(ctx, opts)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	q := querier{raw, s.kept[db], &[]string{}}
	defer func() {
		// After a commit this does nothing; after a panic it gives the connection back.
		_ = raw.Rollback()
		if len(*q.missed) > 0 {
			q.kept.keep(ctx, *q.missed)
		}
	}()
	if err := do(&Tx{sql: q, dialect: s.dialect, now: wholeMs(s.now())}); err != nil {
		return err
	}
	if err := raw.Commit(); err != nil {
		return &commitError{err}
	}
	return nil
}
