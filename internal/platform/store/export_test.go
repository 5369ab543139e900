package store

import (
	"context"
	"fmt"
)

// OpenAt opens a store whose schema has a version, without the migrations that come after it.
func OpenAt(ctx context.Context, opts Options, version int64) (*Store, error) {
	s := &Store{now: opts.Now}
	opts.MaxConns = defaultConns
	open := s.openSQLite
	if isPostgres(opts.Address) {
		s.dialect, open = postgres, s.openPostgres
	}
	if err := open(opts); err != nil {
		return nil, err
	}
	provider, err := s.dialect.migrator(s.write)
	if err != nil {
		return nil, err
	}
	if _, err := provider.UpTo(ctx, version); err != nil {
		return nil, fmt.Errorf("migrate to version %d: %w", version, err)
	}
	return s, nil
}

// Newest is the version of the newest migration.
func (s *Store) Newest(ctx context.Context) (current, newest int64, err error) {
	provider, err := s.dialect.migrator(s.write)
	if err != nil {
		return 0, 0, err
	}
	return provider.GetVersions(ctx)
}
