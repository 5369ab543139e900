package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// StagedFile is one entry of a submission as WalkStage finds it.
type StagedFile struct {
	Path string // slash-separated, relative to the submission
	Dir  bool
	Exec bool      // a file that its owner may execute
	Size int64     // of a file, in bytes
	Body io.Reader // of a file: yields exactly Size bytes or an error; valid during the visit only
}

// Mode is the mode the entry gets when it is staged: 0755 for directories and executables, 0644 for other files.
func (f StagedFile) Mode() fs.FileMode {
	if f.Dir || f.Exec {
		return 0o755
	}
	return 0o644
}

// WalkStage visits the regular files and directories below dir in lexical order, parents first, without dir itself.
// Links, sockets, FIFOs and devices are passed over. Nothing outside dir is ever opened, also when the tree changes
// meanwhile. The error of visit ends the walk.
func WalkStage(ctx context.Context, dir string, visit func(StagedFile) error) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open submission: %w", err)
	}
	defer func() { _ = root.Close() }()
	return fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("read submission: %w", err)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case path == ".":
			return nil
		case d.IsDir():
			return visit(StagedFile{Path: path, Dir: true})
		case d.Type().IsRegular():
			return visitFile(root, path, visit)
		}
		return nil
	})
}

func visitFile(root *os.Root, path string, visit func(StagedFile) error) (err error) {
	// Without O_NONBLOCK a FIFO that took the file's place since it was listed would block for ever.
	f, err := root.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("open submission file: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("stat submission file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	return visit(StagedFile{
		Path: path,
		Exec: info.Mode()&0o100 != 0,
		Size: info.Size(),
		Body: &exactReader{r: f, path: path, left: info.Size()},
	})
}

// exactReader yields exactly left bytes: a file that grows is cut at the size it was announced with, and one that
// shrinks is an error.
type exactReader struct {
	r    io.Reader
	path string
	left int64
}

func (e *exactReader) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.r.Read(p[:min(int64(len(p)), e.left)])
	e.left -= int64(n)
	if errors.Is(err, io.EOF) && e.left > 0 {
		return n, fmt.Errorf("read submission file %s: it became shorter while it was copied", e.path)
	}
	return n, err
}
