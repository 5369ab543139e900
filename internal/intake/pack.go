package intake

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Pack writes the submission as a .tar.gz that Open takes in and that has the same Digest. What intake leaves out is not in it.
// The same submission gives the same bytes: times and owners are left out, and names are sorted.
func (s *Submission) Pack(ctx context.Context, to io.Writer) error {
	gz := gzip.NewWriter(to)
	into := tar.NewWriter(gz)
	err := filepath.WalkDir(s.Dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case name == s.Dir:
			return nil
		}
		return s.packEntry(into, name, d)
	})
	if err := errors.Join(err, into.Close(), gz.Close()); err != nil {
		return fmt.Errorf("pack submission: %w", err)
	}
	return nil
}

func (s *Submission) packEntry(into *tar.Writer, name string, d fs.DirEntry) error {
	rel, err := filepath.Rel(s.Dir, name)
	if err != nil {
		return err
	}
	if d.IsDir() { // it may be empty
		return into.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: filepath.ToSlash(rel) + "/", Mode: 0o755})
	}
	info, err := d.Info()
	if err != nil {
		return err
	}
	mode := int64(0o644)
	if info.Mode()&0o100 != 0 {
		mode = 0o755
	}
	header := &tar.Header{Typeflag: tar.TypeReg, Name: filepath.ToSlash(rel), Mode: mode, Size: info.Size()}
	if err := into.WriteHeader(header); err != nil {
		return err
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close() // only read
	_, err = io.Copy(into, f)
	return err
}
