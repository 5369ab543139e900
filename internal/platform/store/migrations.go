package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrator makes the one that brings a database to the newest schema. On PostgreSQL several servers may start at once:
// an advisory lock lets one after the other migrate.
func (d dialect) migrator(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open migrations: %w", err)
	}
	options := []goose.ProviderOption{goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true)}
	kind := goose.DialectSQLite3
	if d == postgres {
		kind = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300)) // every second, for 5 min
		if err != nil {
			return nil, fmt.Errorf("make lock of migrations: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(kind, db, files, options...)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return provider, nil
}

// migrate brings the database to the newest schema. It refuses one that a newer version of Assay has made.
func (d dialect) migrate(ctx context.Context, db *sql.DB) error {
	provider, err := d.migrator(db)
	if err != nil {
		return err
	}
	// Mostly there is nothing to do, and many workers that start at once need not wait for each other. When that cannot be said,
	// say because somebody else is making the first tables, the migration says what is wrong.
	if pending, err := provider.HasPending(ctx); err != nil || pending {
		if _, err := provider.Up(ctx); err != nil {
			return fmt.Errorf("migrate database: %w", err)
		}
	}
	current, newest, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read version of the schema: %w", err)
	}
	if current > newest {
		return fmt.Errorf("open database: its schema has version %d, this version of Assay knows %d: use a newer Assay", current, newest)
	}
	return nil
}
