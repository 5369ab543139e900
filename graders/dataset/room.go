package dataset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Cleaned says what Clean did.
type Cleaned struct {
	Sets  int   // removed
	Bytes int64 // given back
	InUse int   // kept because somebody uses them
}

// Clean removes every set that nobody uses, and what crashed processes left.
func (c *Cache) Clean(ctx context.Context) (Cleaned, error) {
	var done Cleaned
	entries, err := c.entries()
	if err != nil {
		return done, err
	}
	if len(entries) > 0 { // somebody may have removed the locks by hand
		if err := c.makeDirs(); err != nil {
			return done, err
		}
	}
	for _, e := range entries {
		removed, err := c.evict(ctx, e)
		switch {
		case err != nil:
			return done, err
		case !removed:
			done.InUse++
		default:
			done.Sets++
			done.Bytes += e.bytes
		}
	}
	return done, nil
}

// makeRoom removes the sets used longest ago until need more bytes fit into the limit and onto the disk.
func (c *Cache) makeRoom(ctx context.Context, need int64) error {
	if need > c.limit {
		return fmt.Errorf("%w: it needs %s, the limit is %s; raise the limit of the cache", ErrLimit, size(need), size(c.limit))
	}
	entries, err := c.entries()
	if err != nil {
		return err
	}
	total := int64(0)
	for _, e := range entries {
		total += e.bytes
	}
	for {
		free, err := c.free(c.dir)
		if err != nil {
			return fmt.Errorf("ask for free disk space: %w", err)
		}
		if total+need <= c.limit && free >= need+spare {
			return nil
		}
		if len(entries) == 0 { // the limit bends for sets in use, the disk does not
			if free >= need+spare {
				return nil
			}
			return fmt.Errorf("%w: %s are needed in %s and %s must stay free, but only %s are free; run \"assay clean\", free some space, or choose another cache directory",
				ErrNoSpace, size(need), c.dir, size(spare), size(free))
		}
		e := entries[0]
		entries = entries[1:]
		removed, err := c.evict(ctx, e)
		if err != nil {
			return err
		}
		if removed {
			total -= e.bytes
		}
	}
}

// entry is a set on disk, complete or not.
type entry struct {
	key     string
	partial bool
	bytes   int64
	used    time.Time
}

// entries lists what is on disk, leftovers first, then the sets used longest ago.
func (c *Cache) entries() ([]entry, error) {
	list, err := os.ReadDir(filepath.Join(c.dir, "data"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list data sets: %w", err)
	}
	var entries []entry
	for _, d := range list {
		e := entry{key: strings.TrimPrefix(d.Name(), partialPrefix), partial: strings.HasPrefix(d.Name(), partialPrefix)}
		if !validKey(e.key) || !d.IsDir() {
			continue // not ours
		}
		if e.bytes, err = treeBytes(filepath.Join(c.dir, "data", d.Name())); err != nil {
			return nil, fmt.Errorf("measure data set: %w", err)
		}
		if info, err := os.Stat(c.truthPath(e.key)); err == nil {
			e.used = info.ModTime()
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Or(a.used.Compare(b.used), cmp.Compare(a.key, b.key)) })
	return entries, nil
}

// evict removes a set, unless somebody uses or makes it.
func (c *Cache) evict(ctx context.Context, e entry) (removed bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, context.Cause(ctx)
	}
	l, ok, err := tryLock(c.lockPath(e.key), exclusive)
	if err != nil {
		return false, fmt.Errorf("lock data set: %w", err)
	}
	if !ok {
		return false, nil
	}
	defer l.unlock()
	if e.partial {
		err = os.RemoveAll(c.partialPath(e.key))
	} else {
		err = c.remove(e.key)
	}
	if err != nil {
		return false, fmt.Errorf("remove data set: %w", err)
	}
	// Nobody can hold the file any more; who has opened it already sees that it is gone and opens it again.
	return true, removeIfThere(c.lockPath(e.key))
}

// treeBytes is the size of all files below a directory. What vanishes meanwhile does not count.
func treeBytes(dir string) (int64, error) {
	total := int64(0)
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return ignoreMissing(err)
		}
		info, err := d.Info()
		if err != nil {
			return ignoreMissing(err)
		}
		total += info.Size()
		return nil
	})
	return total, err
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// size is a number of bytes for people.
func size(bytes int64) string {
	switch {
	case bytes >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
	case bytes >= 1<<20:
		return fmt.Sprintf("%.0f MiB", float64(bytes)/(1<<20))
	}
	return fmt.Sprintf("%d bytes", bytes)
}
