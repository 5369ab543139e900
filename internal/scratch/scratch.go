// Package scratch makes folders for temporary files that do not outlive their process for long: a process that is killed
// cannot remove its own, so the next one does.
package scratch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// prefix begins the name of every folder of this package.
const prefix = "assay-tmp-"

// maxTries bounds how often Make begins anew because a sweep was quicker than its lock.
const maxTries = 100

// Dir is a folder that belongs to this process as long as it lives. Close removes it.
type Dir struct {
	Path string
	lock *os.File
}

// Make makes an empty folder in parent, the system's folder for temporary files when that is empty. The name says what
// it is for.
func Make(parent, name string) (*Dir, error) {
	for range maxTries {
		path, err := os.MkdirTemp(parent, prefix+name+"-")
		if err != nil {
			return nil, fmt.Errorf("make temporary folder: %w", err)
		}
		lock, err := tryLock(path)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("lock temporary folder: %w", err), os.Remove(path))
		}
		if lock != nil {
			return &Dir{Path: path, lock: lock}, nil
		}
	}
	return nil, errors.New("make temporary folder: each was removed at once by somebody else")
}

// Close removes the folder with everything in it. It is idempotent, and closing nil does nothing.
func (d *Dir) Close() error {
	if d == nil || d.lock == nil {
		return nil
	}
	err := errors.Join(os.RemoveAll(d.Path), d.lock.Close())
	d.lock = nil
	if err != nil {
		return fmt.Errorf("remove temporary folder: %w", err)
	}
	return nil
}

// Sweep removes the folders in parent whose processes have ended, those of this user alone, and returns how many.
func Sweep(parent string) (removed int, err error) {
	if parent == "" {
		parent = os.TempDir()
	}
	found, err := filepath.Glob(filepath.Join(parent, prefix+"*"))
	if err != nil {
		return 0, fmt.Errorf("list temporary folders: %w", err)
	}
	var errs []error
	for _, path := range found {
		if !mine(path) {
			continue
		}
		lock, err := tryLock(path)
		if err != nil || lock == nil {
			errs = append(errs, err)
			continue
		}
		if err := errors.Join(os.RemoveAll(path), lock.Close()); err != nil {
			errs = append(errs, err)
			continue
		}
		removed++
	}
	if err := errors.Join(errs...); err != nil {
		return removed, fmt.Errorf("remove temporary folders of ended processes: %w", err)
	}
	return removed, nil
}

// tryLock locks a folder for as long as the result is open; the kernel gives the lock up when the process ends, however
// it ends. Nil means that somebody else holds it, or that the folder is gone.
func tryLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, f.Close()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	held, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if current, err := os.Lstat(path); err != nil || !os.SameFile(held, current) {
		return nil, f.Close() // removed between opening and locking
	}
	return f, nil
}

// mine says whether a folder belongs to this user. What others have made is not ours to remove, though root could.
func mine(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}
