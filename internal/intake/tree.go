package intake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

// tree is the fresh directory that a submission is copied to. All writing goes through an os.Root, and each entry is
// claimed before it is written, so nothing can be written twice, through a link, or outside.
type tree struct {
	root    *os.Root
	limits  Limits
	entries map[string]claimed // by folded name
	files   map[string]file    // by name
	bytes   int64
	left    map[string]bool // what was left out, for the notes
}

// claimed is a name that was taken.
type claimed struct {
	name  string
	isDir bool
}

// file is a file that was written.
type file struct {
	bytes      int64
	executable bool
	sum        [sha256.Size]byte
}

func newTree(root *os.Root, limits Limits) *tree {
	return &tree{root: root, limits: limits, entries: map[string]claimed{}, files: map[string]file{}, left: map[string]bool{}}
}

// claim takes a name and those of the directories above it.
func (t *tree) claim(name string, isDir bool) error {
	if parent := path.Dir(name); parent != "." {
		if err := t.claim(parent, true); err != nil {
			return err
		}
	}
	before, taken := t.entries[fold(name)]
	switch {
	case taken && before.name != name:
		return refuse(name, "rename one of them", "the name is the same as %+q but for upper and lower case or accents", before.name)
	case taken && before.isDir != isDir:
		return refuse(name, "", "the name is there as a file and as a directory")
	case taken && !isDir:
		return refuse(name, "", "the name is there twice")
	case taken:
		return nil
	case len(t.entries) >= t.limits.Entries:
		return refuse(name, "leave out what can be installed or built", "there are more than %d files and directories", t.limits.Entries)
	}
	t.entries[fold(name)] = claimed{name: name, isDir: isDir}
	return nil
}

// addDir makes a directory and those above it.
func (t *tree) addDir(name string) error {
	if err := t.claim(name, true); err != nil {
		return err
	}
	if err := t.root.MkdirAll(name, 0o755); err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	return nil
}

// addFile copies one file. size is what the source declares; -1 when it does not. A source with another size is
// refused.
func (t *tree) addFile(ctx context.Context, name string, executable bool, size int64, source io.Reader) error {
	if err := t.claim(name, false); err != nil {
		return err
	}
	if parent := path.Dir(name); parent != "." {
		if err := t.root.MkdirAll(parent, 0o755); err != nil {
			return fmt.Errorf("make directory: %w", err)
		}
	}
	if size > t.limits.FileBytes {
		return t.tooLarge(name)
	}
	mode := fs.FileMode(0o644)
	if executable {
		mode = 0o755
	}
	f, err := t.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	n, sum, err := t.copy(ctx, name, f, source)
	if err := errors.Join(err, f.Chmod(mode), f.Close()); err != nil {
		return err
	}
	if size >= 0 && n != size {
		return refuse(name, "make the archive again", "the archive says %d bytes, but there are %d", size, n)
	}
	t.files[name] = file{bytes: n, executable: executable, sum: sum}
	return nil
}

// copy copies source to f within the limits of one file and of the whole.
func (t *tree) copy(ctx context.Context, name string, f io.Writer, source io.Reader) (int64, [sha256.Size]byte, error) {
	var sum [sha256.Size]byte
	h := sha256.New()
	room := min(t.limits.FileBytes, t.limits.TotalBytes-t.bytes)
	n, err := io.Copy(io.MultiWriter(f, h), io.LimitReader(until(ctx, source), room+1))
	t.bytes += n
	if err != nil {
		return n, sum, err
	}
	if n > t.limits.FileBytes {
		return n, sum, t.tooLarge(name)
	}
	if n > room {
		return n, sum, refuse(name, "leave out what can be installed or built", "with it, the files have more than %d bytes in all", t.limits.TotalBytes)
	}
	h.Sum(sum[:0])
	return n, sum, nil
}

func (t *tree) tooLarge(name string) error {
	return refuse(name, "leave it out", "the file has more than %d bytes", t.limits.FileBytes)
}

// removeModules removes every node_modules directory and says whether there was one.
func (t *tree) removeModules() (bool, error) {
	dirs := map[string]bool{}
	for _, e := range t.entries {
		if dir, ok := modulesDir(e.name); ok {
			dirs[dir] = true
		}
	}
	for dir := range dirs {
		if err := t.root.RemoveAll(dir); err != nil {
			return false, fmt.Errorf("remove node_modules: %w", err)
		}
	}
	maps.DeleteFunc(t.files, func(name string, _ file) bool {
		_, ok := modulesDir(name)
		return ok
	})
	return len(dirs) > 0, nil
}

// enter makes the only directory at the top the root, when there is nothing beside it: archives of a repository are
// made that way. It returns the name of that directory, or nothing.
func (t *tree) enter() (string, error) {
	tops := map[string]bool{}
	for _, e := range t.entries {
		top, _, _ := strings.Cut(e.name, "/")
		tops[top] = true
	}
	if len(tops) != 1 {
		return "", nil
	}
	top := slices.Collect(maps.Keys(tops))[0]
	if _, isFile := t.files[top]; isFile {
		return "", nil
	}
	root, err := t.root.OpenRoot(top)
	if err != nil {
		return "", fmt.Errorf("enter directory: %w", err)
	}
	if err := t.root.Close(); err != nil {
		return "", errors.Join(fmt.Errorf("leave directory: %w", err), root.Close())
	}
	t.root = root
	files := make(map[string]file, len(t.files))
	for name, f := range t.files {
		files[strings.TrimPrefix(name, top+"/")] = f
	}
	t.files = files
	return top, nil
}

// digest returns "sha256:…" over name, mode and content of every file, sorted by name.
func (t *tree) digest() string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(t.files)) {
		f := t.files[name]
		mode := "644"
		if f.executable {
			mode = "755"
		}
		fmt.Fprintf(h, "%s\x00%s\x00%x\n", name, mode, f.sum) // a hash does not fail to be written
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// readerFunc is a reader made of a function.
type readerFunc func(p []byte) (int, error)

// Read implements io.Reader.
func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// until returns source, which fails once ctx is done.
func until(ctx context.Context, source io.Reader) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		return source.Read(p)
	})
}
