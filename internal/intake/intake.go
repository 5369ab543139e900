package intake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/scratch"
)

// Options say how a submission is taken in. The zero value is usable.
type Options struct {
	// Name is for people; it is the base name of the path unless set.
	Name string
	// Challenge is the id of the challenge that is graded; a submission for another one is refused. Empty accepts any.
	Challenge string
	// TempDir is where the copy is made; the system's directory for temporary files unless set.
	TempDir string
	// Limits are DefaultLimits unless set.
	Limits Limits
}

// Submission is a submission that was taken in. Close removes its copy.
type Submission struct {
	Name     string
	Dir      string // the copy; nobody but us has written to it
	Manifest Manifest
	Digest   string // "sha256:…" over sorted (path, mode, content)
	Files    []evidence.SourceFile
	Notes    []string // what was decided or left out, in sentences

	temp *scratch.Dir
}

// Open takes in the directory or archive at path. A fault of the submission is an *Error. The caller must Close the
// result.
func Open(ctx context.Context, path string, opts Options) (_ *Submission, err error) {
	if opts.Limits == (Limits{}) {
		opts.Limits = DefaultLimits()
	}
	if opts.Name == "" {
		opts.Name = baseName(path)
	}
	temp, err := scratch.Make(opts.TempDir, "intake")
	if err != nil {
		return nil, fmt.Errorf("make directory for the submission: %w", err)
	}
	s := &Submission{Name: opts.Name, Dir: temp.Path, temp: temp}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	root, err := os.OpenRoot(temp.Path)
	if err != nil {
		return nil, fmt.Errorf("open directory for the submission: %w", err)
	}
	into := newTree(root, opts.Limits)
	defer func() { err = errors.Join(err, into.root.Close()) }()
	if err := s.fill(ctx, path, into); err != nil {
		return nil, s.faultOf(err)
	}
	if err := s.describe(into, opts.Challenge); err != nil {
		return nil, s.faultOf(err)
	}
	return s, nil
}

// faultOf adds where the copy is made to a fault that is not the submission's: names below it say nothing to people.
func (s *Submission) faultOf(err error) error {
	var refused *Error
	if errors.As(err, &refused) {
		return err
	}
	return &fs.PathError{Op: "copy submission to", Path: s.temp.Path, Err: err}
}

// Close removes the copy. It is idempotent.
func (s *Submission) Close() error {
	if err := s.temp.Close(); err != nil {
		return fmt.Errorf("remove submission: %w", err)
	}
	return nil
}

// Evidence is what a grading records of the submission.
func (s *Submission) Evidence() evidence.Submission {
	return evidence.Submission{
		Name: s.Name, Digest: s.Digest, Start: s.Manifest.Start, Build: s.Manifest.Build, Notes: s.Notes, Files: s.Files,
	}
}

// fill copies the submission.
func (s *Submission) fill(ctx context.Context, path string, into *tree) error {
	info, err := os.Stat(path)
	if err != nil {
		return &Error{Entry: path, Rule: "there is no such file or directory", Hint: "check the path", Err: err}
	}
	if info.IsDir() {
		err = copyDirectory(ctx, path, into)
	} else {
		err = unpack(ctx, path, into)
	}
	if err != nil {
		return err
	}
	if len(into.files) == 0 {
		return refuse("", "hand in the directory that has assay.json", "the submission has no files")
	}
	return nil
}

func copyDirectory(ctx context.Context, path string, into *tree) error {
	source, err := os.OpenRoot(path)
	if err != nil {
		return readFailed(path, err)
	}
	defer func() { _ = source.Close() }() // it was only read
	d := directory{source: source, into: into, skipModules: hasBuild(source)}
	return d.copy(ctx, ".")
}

// unpack unpacks an archive. What it is follows from its first bytes, not from its name.
func unpack(ctx context.Context, path string, into *tree) error {
	f, err := os.OpenFile(path, os.O_RDONLY|noWait, 0)
	if err != nil {
		return readFailed(path, err)
	}
	defer f.Close() // only read
	info, err := f.Stat()
	if err != nil {
		return readFailed(path, err)
	}
	if !info.Mode().IsRegular() {
		return refuse(path, "hand in a directory, a .tar.gz or a .zip", "it is %s", kindOf(info.Mode()))
	}
	if info.Size() > into.limits.ArchiveBytes {
		return refuse(path, "leave out what can be installed or built", "the archive has %d bytes; at most %d are taken", info.Size(), into.limits.ArchiveBytes)
	}
	var magic [4]byte
	n, err := f.ReadAt(magic[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return readFailed(path, err)
	}
	switch start := magic[:n]; {
	case bytes.HasPrefix(start, []byte{0x1f, 0x8b}):
		err = unpackTarGz(ctx, f, into)
	case bytes.HasPrefix(start, []byte("PK")):
		err = unpackZip(ctx, f, info.Size(), into)
	default:
		return refuse(path, "hand in a directory, a .tar.gz or a .zip", "it is neither a directory nor an archive that is known")
	}
	if err != nil {
		return err
	}
	_, err = into.enter()
	return err
}

// describe reads what the submission says of itself.
func (s *Submission) describe(into *tree, challenge string) error {
	s.Dir = into.root.Name()
	m, notes, err := readManifest(into.root, challenge)
	if err != nil {
		return err
	}
	s.Manifest, s.Notes = m, notes
	if len(m.Build) > 0 {
		removed, err := into.removeModules()
		if err != nil {
			return err
		}
		if removed {
			into.left["node_modules (the build installs it)"] = true
		}
	}
	if note := into.leftNote(); note != "" {
		s.Notes = append(s.Notes, note)
	}
	s.Digest = into.digest()
	s.Files, err = sources(into)
	return err
}

// baseName is the name of a directory or archive without the ending of an archive.
func baseName(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	name := filepath.Base(path)
	for _, ending := range []string{".tar.gz", ".tgz", ".zip"} {
		if short, ok := strings.CutSuffix(name, ending); ok && short != "" {
			return short
		}
	}
	return name
}

// readSmall reads a file of at most limit bytes. Only a regular file is read and nothing waits at a FIFO, so it may be
// used on a directory that others write to. A file that is not there is fs.ErrNotExist.
func readSmall(root *os.Root, name string, limit int64) ([]byte, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, refuse(name, "", "it is %s instead of a file", kindOf(info.Mode()))
	}
	f, err := root.OpenFile(name, os.O_RDONLY|noFollow|noWait, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, refuse(name, "make it smaller", "the file has more than %d bytes", limit)
	}
	return data, nil
}
