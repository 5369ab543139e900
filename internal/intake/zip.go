package intake

import (
	"archive/zip"
	"context"
	"errors"
	"io"
)

// unpackZip unpacks a zip. Its list of entries at the end is what counts; the headers beside the data are not looked at.
func unpackZip(ctx context.Context, archive io.ReaderAt, size int64, into *tree) error {
	source := &boundedReaderAt{source: archive, left: into.limits.ListBytes}
	entries, err := zip.NewReader(source, size)
	if source.exhausted {
		return refuse("", "leave out what can be installed or built", "the list of its entries has more than %d bytes", into.limits.ListBytes)
	}
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // names are checked by our own rules
		return damaged(ctx, "zip", err)
	}
	source.unbounded = true
	for _, entry := range entries.File {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := zipEntry(ctx, entry, into); err != nil {
			return damaged(ctx, "zip", err)
		}
		if into.bytes > into.limits.RatioFreeBytes && into.bytes > into.limits.Ratio*size {
			return tooDense(into.limits)
		}
	}
	return nil
}

func zipEntry(ctx context.Context, entry *zip.File, into *tree) error {
	name, err := cleanName(entry.Name, into.limits)
	if err != nil {
		return err
	}
	if what, ok := leftOut(name); ok {
		into.left[what] = true
		return nil
	}
	mode := entry.Mode()
	switch {
	case mode.IsDir():
		if name == "" {
			return nil
		}
		return into.addDir(name)
	case !mode.IsRegular():
		return refuse(entry.Name, linkHint(name), "it is %s; only files and directories are taken", kindOf(mode))
	case name == "":
		return refuse(entry.Name, "", "a file needs a name")
	}
	if err := checkMode(name, mode); err != nil {
		return err
	}
	if err := checkStorage(name, entry, into.limits); err != nil {
		return err
	}
	content, err := entry.Open()
	if err != nil {
		return err
	}
	err = into.addFile(ctx, name, mode&0o100 != 0, int64(entry.UncompressedSize64), content)
	return errors.Join(err, content.Close())
}

// checkStorage refuses what cannot be unpacked, or would grow too much.
func checkStorage(name string, entry *zip.File, limits Limits) error {
	const encrypted = 0x1 | 0x40 // APPNOTE 4.4.4: bits 0 and 6
	if entry.Flags&encrypted != 0 {
		return refuse(name, "make the archive without a password", "it is encrypted")
	}
	if entry.Method != zip.Store && entry.Method != zip.Deflate {
		return refuse(name, "make the archive with the deflate method", "it is compressed with method %d; only store (0) and deflate (8) are known", entry.Method)
	}
	if entry.UncompressedSize64 > uint64(limits.FileBytes) {
		return refuse(name, "leave it out", "the file has more than %d bytes", limits.FileBytes)
	}
	unpacked, packed := int64(entry.UncompressedSize64), entry.CompressedSize64
	if unpacked > limits.RatioFreeBytes && packed < uint64(unpacked/limits.Ratio) {
		return refuse(name, "leave generated files out", "it unpacks to more than %d times its size", limits.Ratio)
	}
	return nil
}

// boundedReaderAt bounds how much the zip library reads while it builds its list of entries in memory.
type boundedReaderAt struct {
	source    io.ReaderAt
	left      int64
	unbounded bool
	exhausted bool
}

// ReadAt implements io.ReaderAt.
func (r *boundedReaderAt) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, zip.ErrFormat // the archive names a place before its beginning
	}
	if !r.unbounded {
		if r.left -= int64(len(p)); r.left < 0 {
			r.exhausted = true
			return 0, io.ErrUnexpectedEOF
		}
	}
	return r.source.ReadAt(p, off)
}
