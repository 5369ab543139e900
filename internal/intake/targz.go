package intake

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// tarPaddingBytes is how much may follow the end of a tar: the blocks of zeros that fill up its last record.
const tarPaddingBytes = 1 << 20

// unpackTarGz unpacks a gzip-compressed tar. What stands after the end of the archive is not looked at.
func unpackTarGz(ctx context.Context, archive io.Reader, into *tree) error {
	packed := &countingReader{source: until(ctx, archive)}
	gz, err := gzip.NewReader(bufio.NewReader(packed))
	if err != nil {
		return damaged(ctx, "gzip", err)
	}
	unpacked := &ratioReader{source: gz, packed: packed, limits: into.limits}
	entries := tar.NewReader(unpacked)
	for {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return drain(ctx, unpacked)
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) { // names are checked by our own rules
			return damaged(ctx, "tar", err)
		}
		if err := tarEntry(ctx, header, entries, into); err != nil {
			return damaged(ctx, "tar", err)
		}
	}
}

// drain reads to the end of the compressed stream, so that its check sum is verified.
func drain(ctx context.Context, unpacked io.Reader) error {
	n, err := io.Copy(io.Discard, io.LimitReader(unpacked, tarPaddingBytes+1))
	if errors.Is(err, gzip.ErrHeader) {
		return nil // bytes after the compressed stream; gzip itself ignores them as well
	}
	if err != nil {
		return damaged(ctx, "gzip", err)
	}
	if n > tarPaddingBytes {
		return refuse("", "make the archive again", "more than %d bytes follow the end of the archive", tarPaddingBytes)
	}
	return nil
}

func tarEntry(ctx context.Context, header *tar.Header, content io.Reader, into *tree) error {
	if header.Typeflag == tar.TypeXGlobalHeader {
		return nil // git archive writes the commit there
	}
	name, err := cleanName(header.Name, into.limits)
	if err != nil {
		return err
	}
	if what, ok := leftOut(name); ok {
		into.left[what] = true
		return nil
	}
	switch header.Typeflag {
	case tar.TypeDir:
		if name == "" {
			return nil
		}
		return into.addDir(name)
	case tar.TypeReg:
		if name == "" {
			return refuse(header.Name, "", "a file needs a name")
		}
		if err := checkMode(name, header.FileInfo().Mode()); err != nil {
			return err
		}
		return into.addFile(ctx, name, header.Mode&0o100 != 0, header.Size, content)
	default:
		return refuse(header.Name, linkHint(name), "it is %s; only files and directories are taken", tarKind(header.Typeflag))
	}
}

func tarKind(flag byte) string {
	switch flag {
	case tar.TypeSymlink:
		return "a symbolic link"
	case tar.TypeLink:
		return "a hard link"
	case tar.TypeChar:
		return "a character device"
	case tar.TypeBlock:
		return "a block device"
	case tar.TypeFifo:
		return "a FIFO"
	default:
		return "an entry of an unusual kind"
	}
}

// countingReader counts what was read.
type countingReader struct {
	source io.Reader
	bytes  int64
}

// Read implements io.Reader.
func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.source.Read(p)
	r.bytes += int64(n)
	return n, err
}

// ratioReader refuses a stream that grows too much when it is unpacked. It counts headers too, so an archive of
// nothing but names is bounded as well.
type ratioReader struct {
	source io.Reader
	packed *countingReader
	limits Limits
	bytes  int64
}

// Read implements io.Reader.
func (r *ratioReader) Read(p []byte) (int, error) {
	n, err := r.source.Read(p)
	r.bytes += int64(n)
	if r.bytes > r.limits.RatioFreeBytes && r.bytes > r.limits.Ratio*r.packed.bytes {
		return 0, tooDense(r.limits)
	}
	return n, err
}

func tooDense(limits Limits) error {
	return refuse("", "leave generated files out", "it unpacks to more than %d times its size", limits.Ratio)
}

// damaged turns an error of reading an archive into one of the submission. What already is one stays, and so do errors
// of the context and of our own disk.
func damaged(ctx context.Context, what string, err error) error {
	var own *Error
	var disk *fs.PathError
	switch {
	case errors.As(err, &own):
		return own
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &disk):
		return err
	}
	return &Error{Rule: fmt.Sprintf("the %s archive is damaged or cut off (%v)", what, err), Hint: "make the archive again", Err: err}
}
