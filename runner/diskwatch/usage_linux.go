package diskwatch

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

const (
	// maxDepth is how deep directories are followed; each level keeps one file of ours open.
	maxDepth = 200
	// maxOpen bounds how many open files of processes one look goes through.
	maxOpen = 200_000
	// statBlock is the unit of st_blocks.
	statBlock   = 512
	namesAtOnce = 1024
)

// counter adds up. What has several names counts once.
type counter struct {
	Over
	limits Limits
	device uint64
	linked map[uint64]struct{} // inodes that have several names, or none
	opened int                 // open files looked at
}

// Usage measures what a directory takes on its file system, with files of it that processes in proc hold open although they have been
// deleted. It stops as soon as limits are exceeded. What vanishes meanwhile is not there; an error is that of the directory itself.
func Usage(dir, proc string, limits Limits) (Over, error) {
	root, err := os.Open(dir)
	if err != nil {
		return Over{}, fmt.Errorf("watch disk: %w", err)
	}
	defer root.Close()
	var s unix.Stat_t
	if err := unix.Fstat(int(root.Fd()), &s); err != nil {
		return Over{}, fmt.Errorf("watch disk: %w", err)
	}
	c := counter{limits: limits, device: s.Dev, linked: map[uint64]struct{}{}}
	c.walk(root, 0)
	if !limits.exceeded(c.Over) {
		c.deleted(proc)
	}
	return c.Over, nil
}

// RoomOf asks for the room of a directory's file system.
func RoomOf(dir string) (Room, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return Room{}, fmt.Errorf("ask for room of %s: %w", dir, err)
	}
	r := Room{Bytes: int64(s.Bavail) * s.Bsize, Files: -1}
	if s.Files > 0 {
		r.Files = int64(s.Ffree)
	}
	return r, nil
}

// walk counts what is in a directory. No link is followed, and no other file system entered.
func (c *counter) walk(dir *os.File, depth int) {
	if depth > maxDepth {
		c.Deep = true
		return
	}
	for !c.limits.exceeded(c.Over) {
		names, err := dir.Readdirnames(namesAtOnce)
		for _, name := range names {
			c.entry(dir, name, depth)
			if c.limits.exceeded(c.Over) {
				return
			}
		}
		if err != nil || len(names) == 0 {
			return // io.EOF, or it is gone
		}
	}
}

func (c *counter) entry(dir *os.File, name string, depth int) {
	var s unix.Stat_t
	if err := unix.Fstatat(int(dir.Fd()), name, &s, unix.AT_SYMLINK_NOFOLLOW); err != nil || s.Dev != c.device {
		return
	}
	c.Files++
	if s.Mode&unix.S_IFMT != unix.S_IFDIR {
		c.add(&s, s.Nlink > 1)
		return
	}
	c.Bytes += s.Blocks * statBlock
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	below := os.NewFile(uintptr(fd), name)
	defer below.Close()
	c.walk(below, depth+1)
}

// add counts a file's blocks; once where it may be met again.
func (c *counter) add(s *unix.Stat_t, again bool) {
	if again {
		if _, known := c.linked[s.Ino]; known {
			return
		}
		c.linked[s.Ino] = struct{}{}
	}
	c.Bytes += s.Blocks * statBlock
}

// deleted adds files that have no name any more and are open.
func (c *counter) deleted(proc string) {
	dirs, err := os.ReadDir(proc)
	if err != nil {
		return
	}
	for _, d := range dirs {
		if _, err := strconv.Atoi(d.Name()); err == nil {
			c.openFiles(filepath.Join(proc, d.Name(), "fd"))
		}
	}
}

func (c *counter) openFiles(path string) {
	dir, err := os.Open(path)
	if err != nil {
		return // the process is gone
	}
	defer dir.Close()
	for {
		names, err := dir.Readdirnames(namesAtOnce)
		for _, name := range names {
			if c.opened++; c.opened > maxOpen || c.limits.exceeded(c.Over) {
				return
			}
			var s unix.Stat_t
			// The link leads to the open file itself, whatever became of its name.
			if unix.Fstatat(int(dir.Fd()), name, &s, 0) == nil && s.Dev == c.device && s.Nlink == 0 && s.Mode&unix.S_IFMT == unix.S_IFREG {
				c.add(&s, true)
			}
		}
		if err != nil || len(names) == 0 {
			return // io.EOF, or the process is gone
		}
	}
}
