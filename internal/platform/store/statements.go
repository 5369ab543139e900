package store

import (
	"context"
	"database/sql"
	"sync"
)

// querier is a transaction whose statements are made ready once and used again: SQLite takes longer to read most of ours than to
// answer them.
type querier struct {
	*sql.Tx
	kept   *statements // nil: none are
	missed *[]string   // of this transaction
}

// QueryContext is that of the transaction.
func (q querier) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if s := q.ready(ctx, query); s != nil {
		return s.QueryContext(ctx, args...)
	}
	return q.Tx.QueryContext(ctx, query, args...)
}

// QueryRowContext is that of the transaction.
func (q querier) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if s := q.ready(ctx, query); s != nil {
		return s.QueryRowContext(ctx, args...)
	}
	return q.Tx.QueryRowContext(ctx, query, args...)
}

// ExecContext is that of the transaction.
func (q querier) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if s := q.ready(ctx, query); s != nil {
		return s.ExecContext(ctx, args...)
	}
	return q.Tx.ExecContext(ctx, query, args...)
}

// ready is a statement of this transaction; nil when it is not kept. What is wrong with a statement is said when it is run. Its
// rows are to be closed before it is used again: see all, which reads them to their end.
func (q querier) ready(ctx context.Context, query string) *sql.Stmt {
	if q.kept == nil {
		return nil
	}
	if s := q.kept.get(query); s != nil {
		return q.Tx.StmtContext(ctx, s) // it ends with the transaction; the kept one does not
	}
	*q.missed = append(*q.missed, query)
	return nil
}

// Bounds of the statements that are kept, and of those that are known to have come once: most are constant, but lists are filtered in
// many ways.
const (
	maxKept = 500
	maxSeen = 2000
)

// statements are those of a pool, by text. They may be used by several goroutines.
type statements struct {
	db  *sql.DB
	mu  sync.RWMutex
	all map[string]*sql.Stmt
	// seen are texts that came. Only what comes in a second transaction is kept.
	seen map[string]bool
}

func newStatements(db *sql.DB) *statements {
	return &statements{db: db, all: map[string]*sql.Stmt{}, seen: map[string]bool{}}
}

func (k *statements) get(query string) *sql.Stmt {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.all[query]
}

// keep makes statements ready that a transaction has missed. It is called after the transaction has given its connection back: the
// pool may have no other. What cannot be made ready now may be later.
func (k *statements) keep(ctx context.Context, missed []string) {
	for _, query := range missed {
		if !k.wanted(query) {
			continue
		}
		s, err := k.db.PrepareContext(ctx, query)
		if err != nil {
			return
		}
		k.mu.Lock()
		double := k.all[query] != nil
		if !double {
			k.all[query] = s
		}
		k.mu.Unlock()
		if double { // somebody else was faster
			_ = s.Close()
		}
	}
}

// wanted says whether a text has come before, and is not kept yet.
func (k *statements) wanted(query string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.all[query] != nil || len(k.all) >= maxKept:
		return false
	case k.seen[query]:
		return true
	case len(k.seen) < maxSeen:
		k.seen[query] = true
	}
	return false
}
