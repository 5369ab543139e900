//go:build unix

package dataset

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

const (
	shared    = unix.LOCK_SH
	exclusive = unix.LOCK_EX
)

// lock is a held flock. The kernel gives it up when the process ends, however it ends.
type lock struct{ f *os.File }

// tryLock takes a lock if it can be had at once.
func tryLock(path string, how int) (*lock, bool, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, false, err
		}
		l := &lock{f}
		switch err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB); {
		case errors.Is(err, unix.EWOULDBLOCK):
			return nil, false, f.Close()
		case errors.Is(err, unix.EINTR):
			l.unlock()
			continue
		case err != nil:
			l.unlock()
			return nil, false, fmt.Errorf("flock %s: %w", path, err)
		}
		// Between opening and locking the file may have been removed together with its set.
		mine, err := f.Stat()
		if err != nil {
			l.unlock()
			return nil, false, err
		}
		if current, err := os.Stat(path); err == nil && os.SameFile(mine, current) {
			return l, true, nil
		}
		l.unlock()
	}
}

// unlock gives the lock up. Closing is all it takes, and a file that was only locked has nothing to lose.
func (l *lock) unlock() { _ = l.f.Close() }

// freeBytes is how much may be written to the file system of a directory by this user.
func freeBytes(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("statfs %s: %w", dir, err)
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}
