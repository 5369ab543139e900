package store

import (
	"context"
	"fmt"
	"io/fs"
	"os"

	"github.com/pressly/goose/v3"
)

// versionTable is where goose keeps which migrations have run.
const versionTable = "schema_versions"

// NewestSchema is the version of the schema that this version of Assay makes.
func NewestSchema() (int64, error) {
	files, err := fs.ReadDir(migrationFiles, "migrations")
	if err != nil {
		return 0, fmt.Errorf("list migrations: %w", err)
	}
	newest := int64(0)
	for _, f := range files {
		n, err := goose.NumericComponent(f.Name())
		if err != nil {
			return 0, fmt.Errorf("read name of migration %s: %w", f.Name(), err)
		}
		newest = max(newest, n)
	}
	return newest, nil
}

// OpenAt is Open that leaves out the migrations after a version: for what was written by an older Assay.
func OpenAt(ctx context.Context, opts Options, version int64) (*Store, error) {
	return open(ctx, opts, func(s *Store) error {
		provider, err := s.dialect.migrator(s.write)
		if err != nil {
			return err
		}
		if _, err := provider.UpTo(ctx, version); err != nil {
			return fmt.Errorf("migrate database to version %d: %w", version, err)
		}
		return nil
	})
}

// OpenAsIs opens a database that exists and leaves its schema alone, whichever it is: see Schema. An older Assay may be at work
// with it.
func OpenAsIs(ctx context.Context, opts Options) (*Store, error) {
	if !isPostgres(opts.Address) {
		if _, err := os.Stat(opts.Address); err != nil {
			return nil, fmt.Errorf("open database: %w", err)
		}
	}
	return open(ctx, opts, func(*Store) error { return nil })
}

// Schema is the version of the database's schema; 0 when it has none.
func (s *Store) Schema(ctx context.Context) (version int64, err error) {
	err = s.View(ctx, func(tx *Tx) error {
		names, err := tx.tableNames(ctx)
		if err != nil || !names[versionTable] {
			return err
		}
		err = tx.sql.QueryRowContext(ctx, `SELECT COALESCE(MAX(version_id), 0) FROM `+versionTable+` WHERE is_applied`).Scan(&version)
		return failed("read version of the schema", err)
	})
	return version, err
}
