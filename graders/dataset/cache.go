package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"
)

// DefaultLimit is how much all sets together may take: 30 GiB.
const DefaultLimit = 30 << 30

// spare is what must stay free on the disk.
const spare = 512 << 20

// lockPoll is how often a lock that somebody else holds is tried again.
const lockPoll = 50 * time.Millisecond

// timeStep is a difference that the times of files can hold everywhere but on FAT.
const timeStep = time.Millisecond

// Errors that a user can do something about; each wraps a sentence that says what.
var (
	// ErrNoSpace means that the disk has not enough room.
	ErrNoSpace = errors.New("not enough disk space for the data set")
	// ErrLimit means that the set is larger than the whole cache may be.
	ErrLimit = errors.New("the data set is larger than the cache may be")
)

// Cache is a directory of data sets. Its methods may be called from several goroutines and processes.
type Cache struct {
	dir   string
	limit int64
	free  func(dir string) (int64, error) // bytes that may be written at dir
}

// Open returns the cache at a directory, which is made when it is first needed. A limit of 0 means DefaultLimit.
func Open(dir string, limit int64) *Cache {
	if limit <= 0 {
		limit = DefaultLimit
	}
	return &Cache{dir: dir, limit: limit, free: freeBytes}
}

// Set is a complete data set in use. It is not removed before Release.
type Set struct {
	Dir   string          // holds the files and nothing else
	Truth json.RawMessage // as Fill returned it

	release sync.Once
	lock    *lock
}

// Release gives the set up. It is idempotent.
func (s *Set) Release() {
	s.release.Do(func() { s.lock.unlock() })
}

// Fill writes the files of a set into dir and returns what is expected of them. It may leave anything behind when it
// fails or when ctx ends.
type Fill func(ctx context.Context, dir string) (truth json.RawMessage, err error)

// Get returns the set of a key, made by fill when it is not there yet. need is how many bytes fill writes at most. Older
// sets that nobody uses are removed where the limit or the disk asks for it. When another process is making the same set,
// Get waits for it. The caller must Release the set.
func (c *Cache) Get(ctx context.Context, key string, need int64, fill Fill) (*Set, error) {
	if !validKey(key) {
		return nil, fmt.Errorf("data set key %q: only letters, digits, dots and dashes are allowed", key)
	}
	if err := c.makeDirs(); err != nil {
		return nil, err
	}
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for {
		set, err := c.use(key)
		if set != nil || err != nil {
			return set, err
		}
		made, err := c.makeAlone(ctx, key, need, fill)
		if err != nil {
			return nil, err
		}
		if made {
			continue
		}
		select { // somebody else makes it
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for data set: %w", context.Cause(ctx))
		}
	}
}

// use returns a complete set with its shared lock held, or nil when there is none.
func (c *Cache) use(key string) (set *Set, err error) {
	l, ok, err := tryLock(c.lockPath(key), shared)
	if err != nil || !ok {
		return nil, err
	}
	defer func() {
		if set == nil {
			l.unlock()
		}
	}()
	s := &Set{Dir: filepath.Join(c.dataPath(key), "files"), lock: l}
	s.Truth, err = os.ReadFile(c.truthPath(key))
	if errors.Is(err, fs.ErrNotExist) || err == nil && !isDir(s.Dir) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read data set: %w", err)
	}
	if err := c.touch(key); err != nil {
		return nil, fmt.Errorf("touch data set: %w", err)
	}
	return s, nil
}

// touch notes that a set is the one used last, so that it is removed last: also when the clock has been set back since others
// were used.
func (c *Cache) touch(key string) error {
	now := time.Now()
	others, err := os.ReadDir(filepath.Dir(c.truthPath(key)))
	if err != nil {
		return err
	}
	for _, o := range others {
		if info, err := o.Info(); err == nil && !now.After(info.ModTime()) {
			now = info.ModTime().Add(timeStep)
		}
	}
	return os.Chtimes(c.truthPath(key), now, now)
}

// makeAlone makes a set while holding its exclusive lock; false means that somebody else holds one.
func (c *Cache) makeAlone(ctx context.Context, key string, need int64, fill Fill) (bool, error) {
	l, ok, err := tryLock(c.lockPath(key), exclusive)
	if err != nil || !ok {
		return false, err
	}
	defer l.unlock()
	if _, err := os.Stat(c.truthPath(key)); err == nil && isDir(c.dataPath(key)) {
		return true, nil // somebody else was quicker
	}
	if err := c.remove(key); err != nil { // half of a set, from a crash between two renames
		return false, err
	}
	if err := c.makeRoom(ctx, need); err != nil {
		return false, err
	}
	if err := c.make(ctx, key, fill); err != nil {
		return false, fmt.Errorf("make data set: %w", err)
	}
	return true, nil
}

// make fills a directory beside the place of the set, and renames it when it is complete.
func (c *Cache) make(ctx context.Context, key string, fill Fill) (err error) {
	partial := c.partialPath(key)
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(partial), c.remove(key))
		}
	}()
	if err := os.RemoveAll(partial); err != nil {
		return err
	}
	files := filepath.Join(partial, "files")
	if err := os.MkdirAll(files, 0o755); err != nil {
		return err
	}
	truth, err := fill(ctx, files)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	hidden := c.truthPath(key) + ".partial"
	if err := os.WriteFile(hidden, truth, 0o600); err != nil {
		return errors.Join(err, removeIfThere(hidden))
	}
	if err := os.Rename(partial, c.dataPath(key)); err != nil {
		return errors.Join(err, removeIfThere(hidden))
	}
	return os.Rename(hidden, c.truthPath(key))
}

// remove removes what there is of a set, the mark of completeness first. The caller holds its exclusive lock.
func (c *Cache) remove(key string) error {
	if err := errors.Join(removeIfThere(c.truthPath(key)), os.RemoveAll(c.dataPath(key))); err != nil {
		return fmt.Errorf("remove data set: %w", err)
	}
	return nil
}

func (c *Cache) makeDirs() error {
	for _, d := range []struct {
		name string
		mode fs.FileMode
	}{{"data", 0o755}, {"truth", 0o700}, {"locks", 0o700}} {
		if err := os.MkdirAll(filepath.Join(c.dir, d.name), d.mode); err != nil {
			return fmt.Errorf("make cache directory: %w", err)
		}
	}
	return nil
}

func (c *Cache) dataPath(key string) string { return filepath.Join(c.dir, "data", key) }
func (c *Cache) partialPath(key string) string {
	return filepath.Join(c.dir, "data", partialPrefix+key)
}
func (c *Cache) truthPath(key string) string { return filepath.Join(c.dir, "truth", key+".json") }
func (c *Cache) lockPath(key string) string  { return filepath.Join(c.dir, "locks", key+".lock") }

// partialPrefix marks directories of sets that are being made. A key does not start with a dot.
const partialPrefix = ".partial-"

func validKey(key string) bool {
	return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]{0,150}$`).MatchString(key)
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
