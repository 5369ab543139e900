package intake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
)

// readBatch is how many entries of a directory are read at once.
const readBatch = 512

// directory copies a directory. Reading goes through an os.Root, so nothing outside is reached, whatever is exchanged
// meanwhile: each file is opened without following a link and without waiting, and must then be the regular file that
// was seen before.
type directory struct {
	source *os.Root
	into   *tree
	// skipModules leaves node_modules out: the build makes it.
	skipModules bool
	seen        int
}

// copy copies everything below dir ("." for all).
func (d *directory) copy(ctx context.Context, dir string) error {
	infos, err := d.list(ctx, dir)
	if err != nil {
		return err
	}
	for _, info := range infos {
		if err := d.entry(ctx, path.Join(dir, info.Name()), info); err != nil {
			return err
		}
	}
	return nil
}

// list returns what is in a directory, by name. All directories together have at most limits.Entries entries, or twice
// that when those which are left out are counted.
func (d *directory) list(ctx context.Context, dir string) ([]fs.FileInfo, error) {
	f, err := d.source.Open(dir)
	if err != nil {
		return nil, readFailed(dir, err)
	}
	defer f.Close() // only read
	var infos []fs.FileInfo
	for {
		names, err := f.Readdirnames(readBatch)
		for _, name := range names {
			info, err := d.source.Lstat(path.Join(dir, name))
			if err != nil {
				return nil, readFailed(path.Join(dir, name), err)
			}
			infos = append(infos, info)
		}
		d.seen += len(names)
		switch {
		case errors.Is(err, io.EOF):
			slices.SortFunc(infos, func(a, b fs.FileInfo) int { return cmp.Compare(a.Name(), b.Name()) })
			return infos, nil
		case err != nil:
			return nil, readFailed(dir, err)
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case d.seen > 2*d.into.limits.Entries:
			return nil, refuse(dir, "leave out what can be installed or built", "there are more than %d files and directories", d.into.limits.Entries)
		}
	}
}

func (d *directory) entry(ctx context.Context, name string, info fs.FileInfo) error {
	if what, ok := leftOut(name); ok {
		d.into.left[what] = true
		return nil
	}
	if d.skipModules && info.Name() == "node_modules" {
		d.into.left["node_modules (the build installs it)"] = true
		return nil
	}
	if dir, ok := modulesDir(name); ok && dir != name && info.Name() == ".bin" {
		d.into.left["node_modules/.bin"] = true // links of npm; start and build name their programs otherwise
		return nil
	}
	clean, err := cleanName(name, d.into.limits)
	if err != nil {
		return err
	}
	switch {
	case info.IsDir():
		if err := d.into.addDir(clean); err != nil {
			return err
		}
		return d.copy(ctx, name)
	case info.Mode().IsRegular():
		return d.file(ctx, clean, info)
	default:
		return refuse(name, linkHint(name), "it is %s; only files and directories are taken", kindOf(info.Mode()))
	}
}

func (d *directory) file(ctx context.Context, name string, seen fs.FileInfo) error {
	if err := checkMode(name, seen.Mode()); err != nil {
		return err
	}
	f, err := d.source.OpenFile(name, os.O_RDONLY|noFollow|noWait, 0)
	if err != nil {
		return readFailed(name, err)
	}
	defer f.Close() // only read
	now, err := f.Stat()
	if err != nil {
		return readFailed(name, err)
	}
	if !now.Mode().IsRegular() || !os.SameFile(seen, now) {
		return refuse(name, "hand it in again", "it was exchanged while it was read")
	}
	return d.into.addFile(ctx, name, now.Mode()&0o100 != 0, -1, f)
}

// readFailed says why something of the submission cannot be read. That is for its owner to mend.
func readFailed(name string, err error) error {
	var cause *fs.PathError
	if errors.As(err, &cause) {
		err = cause.Err
	}
	return &Error{Entry: name, Rule: fmt.Sprintf("it cannot be read: %v", err), Hint: "check its permissions", Err: err}
}

// checkMode refuses the bits that change who a program runs as.
func checkMode(name string, mode fs.FileMode) error {
	if mode&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
		return refuse(name, "clear it with chmod ug-s", "the file has the setuid or setgid bit")
	}
	return nil
}

func linkHint(name string) string {
	if _, ok := modulesDir(name); ok {
		return "leave node_modules out and let the build install it"
	}
	return "replace it by what it stands for"
}

// kindOf names what an entry is when it is neither file nor directory.
func kindOf(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	case mode&fs.ModeNamedPipe != 0:
		return "a FIFO"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeCharDevice != 0:
		return "a character device"
	case mode&fs.ModeDevice != 0:
		return "a block device"
	default:
		return "neither a file nor a directory"
	}
}
