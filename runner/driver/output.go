package driver

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/assay-run/assay/internal/evidence"
)

// maxOutputEntries bounds how many entries of one directory are looked at when the output is cleared.
const maxOutputEntries = 100_000

// readOutput reads a file that a submission wrote into dir. The submission may still run and may have put anything
// there, so nothing is trusted: no path leads out of dir, no link is followed, only a regular file is opened, opening
// does not block, and not more than limit bytes are read, however long the file says it is.
func readOutput(dir, name string, limit int64) evidence.File {
	out := evidence.File{Name: name}
	fail := func(state evidence.FileState, detail string) evidence.File {
		out.State, out.Detail = state, detail
		return out
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fail(evidence.FileUnreadable, "The output directory could not be opened.")
	}
	defer root.Close()
	found, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fail(evidence.FileMissing, "")
	case err != nil:
		return fail(evidence.FileUnreadable, plain(err))
	case !found.Mode().IsRegular():
		return fail(evidence.FileNotRegular, "It is a "+kind(found.Mode())+".")
	}
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return fail(evidence.FileUnreadable, plain(err))
	}
	defer f.Close()
	// What was opened must be what was looked at: it may have been exchanged for a link in between.
	opened, err := f.Stat()
	if err != nil || !opened.Mode().IsRegular() || !os.SameFile(found, opened) {
		return fail(evidence.FileNotRegular, "It was exchanged while it was read.")
	}
	out.Bytes = opened.Size()
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return fail(evidence.FileUnreadable, plain(err))
	}
	if int64(len(content)) > limit || out.Bytes > limit {
		return fail(evidence.FileTooLarge, fmt.Sprintf("It has more than %d bytes.", limit))
	}
	out.State, out.Bytes = evidence.FileOK, int64(len(content))
	out.Content = strings.ToValidUTF8(string(content), "\uFFFD")
	return out
}

// plain is an error without the path, which means nothing to a candidate.
func plain(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

func kind(m fs.FileMode) string {
	switch {
	case m&fs.ModeSymlink != 0:
		return "symbolic link"
	case m.IsDir():
		return "directory"
	case m&fs.ModeNamedPipe != 0:
		return "pipe"
	case m&fs.ModeSocket != 0:
		return "socket"
	}
	return "special file"
}

// clearOutput removes everything in dir, links as links.
func clearOutput(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("clear output: %w", err)
	}
	defer root.Close()
	top, err := root.Open(".")
	if err != nil {
		return fmt.Errorf("clear output: %w", err)
	}
	defer top.Close()
	names, err := top.Readdirnames(maxOutputEntries)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("clear output: %w", err)
	}
	var errs []error
	for _, name := range names {
		if err := root.RemoveAll(name); err == nil {
			continue
		}
		openDirectories(root, name) // a directory may shut out even its owner
		if err := root.RemoveAll(name); err != nil {
			errs = append(errs, fmt.Errorf("clear output: %w", err))
		}
	}
	return errors.Join(errs...)
}

// openDirectories makes the directories under name readable, as far as it goes.
func openDirectories(root *os.Root, name string) {
	left := maxOutputEntries
	_ = fs.WalkDir(root.FS(), filepath.ToSlash(name), func(path string, entry fs.DirEntry, err error) error {
		if left--; left < 0 {
			return fs.SkipAll
		}
		if entry != nil && entry.IsDir() {
			if info, serr := root.Lstat(path); serr == nil && info.IsDir() && info.Mode().Perm()&0o700 != 0o700 {
				_ = root.Chmod(path, 0o700) // what stays shut is reported by the removal
			}
		}
		if err != nil {
			return fs.SkipDir
		}
		return nil
	})
}
