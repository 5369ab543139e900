package blob

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/assay-run/assay/internal/platform"
)

// Files keeps blobs in a folder, which may be shared by several machines. Nothing in it is reached through a link that
// leads out of it.
type Files struct {
	root *os.Root
}

const (
	// partial is the folder of what is being written. No key begins with a dot.
	partial = ".partial"
	// abandonedAfter is when a partial file belongs to nobody any more.
	abandonedAfter = 24 * time.Hour
)

// OpenFiles opens the folder dir, which is made when missing, and removes what a crash has left half written a day or more
// before now. The caller closes it.
func OpenFiles(dir string, now time.Time) (_ *Files, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make folder of files: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open folder of files: %w", err)
	}
	f := &Files{root: root}
	if err := f.sweep(now); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Close closes the folder. It is idempotent.
func (f *Files) Close() error {
	if err := f.root.Close(); err != nil {
		return fmt.Errorf("close folder of files: %w", err)
	}
	return nil
}

func (f *Files) sweep(now time.Time) error {
	if err := f.root.MkdirAll(partial, 0o700); err != nil {
		return fmt.Errorf("make folder of files: %w", err)
	}
	left, err := fs.ReadDir(f.root.FS(), partial)
	if err != nil {
		return fmt.Errorf("list half-written files: %w", err)
	}
	for _, e := range left {
		info, err := e.Info()
		if err != nil || now.Sub(info.ModTime()) < abandonedAfter {
			continue // it is gone, or in use
		}
		if err := f.root.Remove(path.Join(partial, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove half-written file: %w", err)
		}
	}
	return nil
}

// Put implements Store. The file is written beside the others, brought to the disk and then renamed, and so is its name.
func (f *Files) Put(ctx context.Context, key string, r io.Reader, max int64) (_ platform.Blob, err error) {
	if err := CheckKey(key); err != nil {
		return platform.Blob{}, err
	}
	temp := path.Join(partial, rand.Text())
	file, err := f.root.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return platform.Blob{}, fmt.Errorf("make file: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.root.Remove(temp))
		}
	}()
	in := newIntake(ctx, r, max)
	if _, err := io.Copy(file, in); err != nil {
		return platform.Blob{}, errors.Join(fmt.Errorf("write file: %w", err), file.Close())
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return platform.Blob{}, fmt.Errorf("write file: %w", err)
	}
	if err := f.rename(temp, key); err != nil {
		return platform.Blob{}, fmt.Errorf("name file: %w", err)
	}
	return in.blob(key), f.syncAbove(key)
}

// maxRenames is how often a folder may vanish between its making and its use: Delete removes folders that are empty.
const maxRenames = 10

func (f *Files) rename(temp, key string) error {
	for try := 1; ; try++ {
		var err error
		if dir := path.Dir(key); dir != "." {
			err = f.root.MkdirAll(dir, 0o700)
		}
		if err == nil {
			err = f.root.Rename(temp, key)
		}
		if err == nil || try == maxRenames || !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
}

// syncAbove brings the folders above a key to the disk, so that a crash does not lose the name.
func (f *Files) syncAbove(key string) error {
	for dir := path.Dir(key); ; dir = path.Dir(dir) {
		d, err := f.root.Open(dir)
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // it was deleted again already
			}
			return fmt.Errorf("sync folder: %w", err)
		}
		if err := errors.Join(d.Sync(), d.Close()); err != nil {
			return fmt.Errorf("sync folder: %w", err)
		}
		if dir == "." {
			return nil
		}
	}
}

// Open implements Store.
func (f *Files) Open(_ context.Context, key string) (io.ReadCloser, int64, error) {
	if err := CheckKey(key); err != nil {
		return nil, 0, err
	}
	file, err := f.root.Open(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, notFound()
	}
	if err != nil {
		return nil, 0, fmt.Errorf("open file: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("open file: %w", err), file.Close())
	}
	if !info.Mode().IsRegular() {
		return nil, 0, errors.Join(notFound(), file.Close()) // a folder is what other keys begin with
	}
	return file, info.Size(), nil
}

// Delete implements Store. Folders that are empty then go too.
func (f *Files) Delete(_ context.Context, key string) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	info, err := f.root.Lstat(key)
	if err == nil && info.IsDir() {
		return nil // it is what other keys begin with
	}
	if err == nil {
		err = f.root.Remove(key)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete file: %w", err)
	}
	f.removeEmpty(path.Dir(key))
	return nil
}

// removeEmpty removes a folder and those above it, up to the first that has something in it.
func (f *Files) removeEmpty(dir string) {
	for dir != "." && f.root.Remove(dir) == nil {
		dir = path.Dir(dir)
	}
}

// Walk implements Store.
func (f *Files) Walk(ctx context.Context, prefix string, do func(Info) error) error {
	if err := checkPrefix(prefix); err != nil {
		return err
	}
	return fs.WalkDir(f.root.FS(), path.Dir(prefix), func(key string, e fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, fs.ErrNotExist):
			return nil // it has gone meanwhile, or was never there
		case err != nil:
			return fmt.Errorf("list files: %w", err)
		case e.IsDir() && (key == partial || leadsElsewhere(key, prefix)):
			return fs.SkipDir
		case !e.Type().IsRegular() || !strings.HasPrefix(key, prefix):
			return nil
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("list files: %w", err)
		}
		return do(Info{Key: key, Bytes: info.Size(), At: info.ModTime()})
	})
}

// leadsElsewhere says that nothing in the folder dir can begin with prefix.
func leadsElsewhere(dir, prefix string) bool {
	return dir != "." && !strings.HasPrefix(dir+"/", prefix) && !strings.HasPrefix(prefix, dir+"/")
}
