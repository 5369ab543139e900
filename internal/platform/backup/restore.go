package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/blob"
	"github.com/assay-run/assay/internal/platform/store"
)

// RestoreOptions say what is restored and where to.
type RestoreOptions struct {
	From string // the archive
	// Database is the address of an empty database, see store.Options. A file of SQLite is made.
	Database string
	Blobs    blob.Store // without a file
	// Again are erasures that are done again, beside those that the archive itself knows of: see Erasures.
	Again []platform.Erasure
	// TempDir is where the rows wait, for nobody else to read; the system's folder for temporary files unless set.
	TempDir  string
	Now      func() time.Time
	Progress Progress // may be nil
}

// Restored is what Restore has done.
type Restored struct {
	Content
	store.Restored
	ErasedAgain int
}

// Restore makes an installation of an archive, with the newest schema. The archive is read twice: nothing is written before it is
// known to be whole. When Restore fails, what it has written is removed. Nobody else uses the database or the files meanwhile.
//
// Gradings that ran are queued again, candidates with a running clock get the time since the backup back, and what was erased
// meanwhile, as far as the archive or Again tell, is erased again. Nobody is signed in.
func Restore(ctx context.Context, o RestoreOptions) (_ Restored, err error) {
	o.Progress = orSilent(o.Progress)
	if _, err := Check(ctx, o.From, o.Progress); err != nil {
		return Restored{}, err
	}
	if err := checkNoFiles(ctx, o.Blobs); err != nil {
		return Restored{}, err
	}
	db, err := prepare(ctx, o)
	if err != nil {
		return Restored{}, err
	}
	rows, err := scratchFile(o.TempDir)
	if err != nil {
		return Restored{}, err
	}
	defer rows.Close()
	defer func() {
		if err != nil {
			err = errors.Join(err, undo(context.WithoutCancel(ctx), o.Blobs, db))
		}
	}()
	r := &restorer{checker: newChecker(), blobs: o.Blobs, kept: rows.File}
	if err := read(ctx, o.From, "restoring files", o.Progress, r); err != nil {
		return Restored{}, err
	}
	if err := r.finish(); err != nil {
		return Restored{}, err
	}
	o.Progress("writing the database", 0, 0)
	if err := db.fill(ctx, r.content.Header, rows.File); err != nil {
		return Restored{}, err
	}
	out := Restored{Content: r.content}
	if err := db.settle(ctx, o, &out); err != nil {
		return Restored{}, err
	}
	return out, db.publish()
}

// checkNoFiles refuses a store that has a file.
func checkNoFiles(ctx context.Context, files blob.Store) error {
	return files.Walk(ctx, "", func(i blob.Info) error {
		return fmt.Errorf("restore files: %w: %s", ErrNotEmpty, i.Key)
	})
}

// undo removes what was written.
func undo(ctx context.Context, files blob.Store, db *database) error {
	_, err := blob.Erase(ctx, files, "")
	return errors.Join(err, db.remove(ctx))
}

// restorer is a visitor that writes files, and keeps the rows for later.
type restorer struct {
	*checker
	blobs blob.Store
	kept  *os.File
}

func (r *restorer) rows(ctx context.Context, from io.Reader) error {
	return r.checker.rows(ctx, io.TeeReader(from, r.kept))
}

func (r *restorer) file(ctx context.Context, key string, size int64, from io.Reader) error {
	b, err := r.blobs.Put(ctx, key, from, size)
	if err != nil {
		return fmt.Errorf("restore file: %w", err)
	}
	r.came(key, b.Digest, b.Bytes)
	return nil
}

// database is where rows are restored to.
type database struct {
	opts store.Options // where rows are written
	// file is what that becomes in the end; empty for PostgreSQL, where it is the place itself.
	file string
}

// prepare finds out whether the place is empty, and makes it so where there is an installation that nobody has set up.
func prepare(ctx context.Context, o RestoreOptions) (*database, error) {
	db := &database{opts: store.Options{Address: o.Database, Now: o.Now}}
	info, err := os.Stat(o.Database)
	there := err == nil && info.Size() > 0
	s, err := store.OpenAsIs(ctx, db.opts)
	if errors.Is(err, os.ErrNotExist) {
		return db.beside()
	}
	if err != nil {
		return nil, err
	}
	if s.Postgres() {
		return db, errors.Join(db.clear(ctx, s), s.Close())
	}
	if there {
		err = checkUnused(ctx, s)
	}
	if err := errors.Join(err, s.Close()); err != nil {
		return nil, err
	}
	return db.beside()
}

// beside lets rows be written to a file beside the one that is asked for, so that this is there as a whole or not at all.
func (d *database) beside() (*database, error) {
	d.file = d.opts.Address
	d.opts.Address += ".restoring"
	return d, removeSQLite(d.opts.Address) // what a crash has left
}

func checkUnused(ctx context.Context, s *store.Store) error {
	return s.View(ctx, func(tx *store.Tx) error {
		unused, err := tx.SystemUnused(ctx)
		if err == nil && !unused {
			err = fmt.Errorf("restore database: %w: an installation that is in use", ErrNotEmpty)
		}
		return err
	})
}

// clear removes the tables of an installation that nobody has set up, so that an older schema can be made.
func (d *database) clear(ctx context.Context, s *store.Store) error {
	if err := checkUnused(ctx, s); err != nil {
		return err
	}
	return s.Tx(ctx, func(tx *store.Tx) error { return tx.SystemDrop(ctx) })
}

// fill writes all rows in one transaction, with the schema that they are of.
func (d *database) fill(ctx context.Context, h Header, rows *os.File) (err error) {
	s, err := store.OpenAt(ctx, d.opts, h.Schema)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return s.Tx(ctx, func(tx *store.Tx) error {
		if _, err := rows.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("read rows again: %w", err)
		}
		if err := tx.SystemClear(ctx); err != nil {
			return err
		}
		l := &loader{ctx: ctx, tx: tx}
		if err := l.open(h.LeftOut); err != nil {
			return err
		}
		if _, _, err := readRows(ctx, rows, l); err != nil {
			return err
		}
		return l.close()
	})
}

// settle migrates to the newest schema and makes what was then fit for now.
func (d *database) settle(ctx context.Context, o RestoreOptions, out *Restored) (err error) {
	s, err := store.Open(ctx, d.opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	var folders []store.BlobErasure
	err = s.Tx(ctx, func(tx *store.Tx) (err error) {
		if out.Restored, err = tx.SystemRestored(ctx, out.Header.MadeAt); err != nil {
			return err
		}
		out.ErasedAgain = 0
		for _, list := range [][]platform.Erasure{out.Erasures, o.Again} {
			for _, e := range list {
				done, err := tx.SystemEraseAgain(ctx, e)
				if err != nil {
					return err
				}
				if done {
					out.ErasedAgain++
				}
			}
		}
		folders, err = tx.SystemBlobErasures(ctx, maxFolders)
		return err
	})
	if err != nil {
		return err
	}
	// They stay on the list, and housekeeping looks at them again.
	for _, f := range folders {
		if _, err := blob.Erase(ctx, o.Blobs, f.Prefix); err != nil {
			return err
		}
	}
	return nil
}

// maxFolders bounds the folders of files that are emptied before anybody can look at them; housekeeping empties the rest.
const maxFolders = 100_000

// publish gives a file of SQLite its name.
func (d *database) publish() error {
	if d.file == "" {
		return nil
	}
	if err := removeSQLite(d.file); err != nil { // it has nothing in it, see prepare
		return err
	}
	if err := os.Rename(d.opts.Address, d.file); err != nil {
		return fmt.Errorf("name database: %w", err)
	}
	return syncDir(filepath.Dir(d.file))
}

// remove removes what was written.
func (d *database) remove(ctx context.Context) error {
	if d.file != "" {
		return removeSQLite(d.opts.Address)
	}
	s, err := store.OpenAsIs(ctx, d.opts)
	if err != nil {
		return err
	}
	return errors.Join(s.Tx(ctx, func(tx *store.Tx) error { return tx.SystemDrop(ctx) }), s.Close())
}

// removeSQLite removes a database with the files beside it.
func removeSQLite(file string) error {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(file + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove empty database: %w", err)
		}
	}
	return nil
}
