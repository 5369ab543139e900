package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/blob"
	"github.com/assay-run/assay/internal/platform/store"
)

// Options say what is copied and where to.
type Options struct {
	// Store may have any schema that has existed: nothing of it is changed.
	Store *store.Store
	Blobs blob.Store
	To    string // the archive, which does not exist yet, in a folder that does
	Assay string // version of this program
	Now   func() time.Time
	// Progress may be nil.
	Progress Progress
}

// Create makes an archive. It is there as a whole, for nobody else to read, when Create returns without an error, and otherwise
// not at all. The installation may be in use. Memory grows by some 50 bytes for each file.
func Create(ctx context.Context, o Options) (_ Content, err error) {
	if o.Progress == nil {
		o.Progress = func(string, int64, int64) {}
	}
	if _, err := os.Lstat(o.To); !errors.Is(err, os.ErrNotExist) {
		return Content{}, fmt.Errorf("make archive: %w: %s", ErrNotEmpty, o.To)
	}
	dir := filepath.Dir(o.To)
	out, err := os.CreateTemp(dir, ".assay-backup-*") // mode 0600
	if err != nil {
		return Content{}, fmt.Errorf("make archive: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, out.Close(), os.Remove(out.Name()))
		}
	}()
	rows, err := scratchFile(dir)
	if err != nil {
		return Content{}, err
	}
	defer rows.Close()
	sums, err := scratchFile(dir)
	if err != nil {
		return Content{}, err
	}
	defer sums.Close()
	c := &creation{Options: o, rows: rows.File, known: map[fingerprint]bool{}}
	if err := c.snapshot(ctx); err != nil {
		return Content{}, err
	}
	c.out = newWriter(out, sums.File, c.content.Header.MadeAt)
	if err := c.write(ctx); err != nil {
		return Content{}, err
	}
	if err := errors.Join(c.out.close(), out.Sync()); err != nil {
		return Content{}, fmt.Errorf("write archive: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return Content{}, context.Cause(ctx)
	}
	if err := out.Close(); err != nil {
		return Content{}, fmt.Errorf("write archive: %w", err)
	}
	if err := os.Rename(out.Name(), o.To); err != nil {
		return Content{}, fmt.Errorf("name archive: %w", err)
	}
	return c.content, syncDir(dir)
}

// scratch is a file that goes with its closing.
type scratch struct{ *os.File }

// scratchFile makes a file in a folder that is as private as the archive. Where the system allows it, it has no name: a crash
// leaves nothing.
func scratchFile(dir string) (scratch, error) {
	f, err := os.CreateTemp(dir, ".assay-backup-*")
	if err != nil {
		return scratch{}, fmt.Errorf("make temporary file: %w", err)
	}
	_ = os.Remove(f.Name()) // Close tries again
	return scratch{f}, nil
}

// Close closes and removes the file.
func (s scratch) Close() error {
	err := s.File.Close()
	if removed := os.Remove(s.Name()); removed != nil && !errors.Is(removed, os.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return nil
}

// creation is an archive that is being made.
type creation struct {
	Options
	content Content
	rows    *os.File
	out     *writer
	known   map[fingerprint]bool // files that are in the archive
	total   int64                // bytes of files, as far as rows tell
	lost    []Lost
}

// snapshot reads all rows as they are at one moment.
func (c *creation) snapshot(ctx context.Context) error {
	c.Progress("reading the database", 0, 0)
	schema, err := c.Store.Schema(ctx)
	if err != nil {
		return err
	}
	newest, err := store.NewestSchema()
	if err != nil {
		return err
	}
	switch {
	case schema == 0:
		return errors.New("read database: there is no installation in it")
	case schema > newest:
		return fmt.Errorf("read database: its schema has version %d, this version of Assay knows %d: use a newer Assay", schema, newest)
	}
	h := Header{Format: Format, Schema: schema, MadeAt: c.Now().UTC().Truncate(time.Millisecond), Assay: c.Assay, Database: "sqlite"}
	if c.Store.Postgres() {
		h.Database = "postgres"
	}
	h.LeftOut = slices.Sorted(maps.Keys(LeftOut()))
	c.content.Header = h
	err = c.Store.Snapshot(ctx, func(tx *store.Tx) (err error) {
		c.content.Tables, c.content.Rows, err = writeRows(ctx, tx, c.rows)
		return err
	})
	if err != nil {
		return err
	}
	return c.eachNamed(ctx, func(f namedFile) error {
		c.total += f.bytes
		return nil
	})
}

// eachNamed tells of every file that the rows name.
func (c *creation) eachNamed(ctx context.Context, found func(namedFile) error) error {
	if _, err := c.rows.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read rows again: %w", err)
	}
	if _, _, err := readRows(ctx, c.rows, &files{found: found}); err != nil {
		return fmt.Errorf("read rows again: %w", err)
	}
	return nil
}

// write writes all members.
func (c *creation) write(ctx context.Context) error {
	if err := writeList(ctx, c.out, headerName, []Header{c.content.Header}); err != nil {
		return err
	}
	size, err := c.rows.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("read rows again: %w", err)
	}
	if _, err := c.rows.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read rows again: %w", err)
	}
	if _, err := c.out.add(ctx, rowsName, size, c.rows); err != nil {
		return err
	}
	if err := c.eachNamed(ctx, func(f namedFile) error { return c.named(ctx, f) }); err != nil {
		return err
	}
	if err := c.eachNamed(ctx, func(f namedFile) error { return c.beside(ctx, f) }); err != nil {
		return err
	}
	if err := c.erasures(ctx); err != nil {
		return err
	}
	return writeList(ctx, c.out, lostName, c.lost)
}

// named copies a file that a row names.
func (c *creation) named(ctx context.Context, f namedFile) error {
	if c.known[fingerprintOf(f.key)] {
		return nil
	}
	c.known[fingerprintOf(f.key)] = true
	digest, err := c.copyFile(ctx, f.key)
	switch {
	case platform.ErrorCode(err) == platform.NotFound:
		c.lost = append(c.lost, Lost{f.key, missing})
	case err != nil:
		return err
	case digest != f.digest:
		c.lost = append(c.lost, Lost{f.key, changed})
	}
	return nil
}

// beside copies what lies beside a named file: each submission and each try of a grading has a folder of its own, so that is
// theirs.
func (c *creation) beside(ctx context.Context, f namedFile) error {
	dir := path.Dir(f.key) + "/"
	if dir == "./" || c.known[fingerprintOf(dir)] {
		return nil
	}
	c.known[fingerprintOf(dir)] = true
	return c.Blobs.Walk(ctx, dir, func(i blob.Info) error {
		if path.Dir(i.Key)+"/" != dir || c.known[fingerprintOf(i.Key)] {
			return nil
		}
		_, err := c.copyFile(ctx, i.Key)
		if platform.ErrorCode(err) == platform.NotFound {
			return nil // it went just now
		}
		return err
	})
}

// copyFile copies one file and tells its digest.
func (c *creation) copyFile(ctx context.Context, key string) (digest string, err error) {
	in, size, err := c.Blobs.Open(ctx, key)
	if err != nil {
		return "", fmt.Errorf("open file: %w", err)
	}
	defer in.Close()
	c.Progress("copying files", c.content.FileBytes, c.total)
	if digest, err = c.out.add(ctx, filesPrefix+key, size, in); err != nil {
		return "", err
	}
	c.content.Files++
	c.content.FileBytes += size
	c.Progress("copying files", c.content.FileBytes, max(c.total, c.content.FileBytes))
	return digest, nil
}

// erasures writes what was erased since the rows were read, and finds out which files are missing for that reason.
func (c *creation) erasures(ctx context.Context) error {
	gone := map[string]bool{}
	err := c.Store.Snapshot(ctx, func(tx *store.Tx) (err error) {
		if c.content.Erasures, err = tx.SystemErasures(ctx, c.content.Header.MadeAt); err != nil {
			return err
		}
		for _, l := range c.lost {
			attempt, ok := attemptOf(l.Key)
			if !ok {
				continue
			}
			still, err := tx.SystemNamedFiles(ctx, attempt)
			if err != nil {
				return err
			}
			gone[l.Key] = !slices.Contains(still, l.Key)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, l := range c.lost {
		if l.Why == missing && gone[l.Key] {
			c.lost[i].Why = erased
		} else {
			c.content.Lost = append(c.content.Lost, l)
		}
	}
	return writeList(ctx, c.out, erasuresName, c.content.Erasures)
}

// attemptOf is the attempt that a file belongs to, by its key; see platform.BlobKey.
func attemptOf(key string) (store.Ref, bool) {
	parts := strings.SplitN(key, "/", 5)
	if len(parts) < 5 || parts[0] != "orgs" || parts[2] != "attempts" {
		return store.Ref{}, false
	}
	return store.Ref{Org: platform.OrgID(parts[1]), ID: platform.ID(parts[3])}, true
}
