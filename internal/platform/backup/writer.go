package backup

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// fingerprint stands for a name where there may be very many.
type fingerprint [16]byte

func fingerprintOf(name string) fingerprint {
	sum := sha256.Sum256([]byte(name))
	return fingerprint(sum[:16])
}

// writer writes members and keeps their digests.
type writer struct {
	gzip *gzip.Writer
	tar  *tar.Writer
	sums *os.File
	list *bufio.Writer // of sums
	at   time.Time     // of all members
}

func newWriter(to io.Writer, sums *os.File, at time.Time) *writer {
	// Most of it is compressed already: what costs little is enough.
	gz, _ := gzip.NewWriterLevel(to, gzip.BestSpeed) // this level exists
	return &writer{gzip: gz, tar: tar.NewWriter(gz), sums: sums, list: bufio.NewWriter(sums), at: at}
}

// add writes a member of a size, and tells its digest.
func (w *writer) add(ctx context.Context, name string, size int64, from io.Reader) (digest string, err error) {
	sum, err := w.member(ctx, name, size, from)
	if err != nil {
		return "", err
	}
	if _, err := w.list.WriteString(sumLine(sum, name)); err != nil {
		return "", fmt.Errorf("write %s: %w", sumsName, err)
	}
	return "sha256:" + hex.EncodeToString(sum), nil
}

// sumLine is a line of SHA256SUMS.
func sumLine(sum []byte, name string) string { return hex.EncodeToString(sum) + "  " + name + "\n" }

func (w *writer) member(ctx context.Context, name string, size int64, from io.Reader) ([]byte, error) {
	err := w.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: w.at, Format: tar.FormatPAX})
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(w.tar, hash), io.LimitReader(stopping{ctx, from}, size))
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	if n != size {
		return nil, fmt.Errorf("write %s: it ended after %d of %d bytes", name, n, size)
	}
	return hash.Sum(nil), nil
}

// close writes the digests and ends the archive.
func (w *writer) close() error {
	if err := w.list.Flush(); err != nil {
		return err
	}
	size, err := w.sums.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if _, err := w.sums.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := w.member(context.Background(), sumsName, size, w.sums); err != nil {
		return err
	}
	return errors.Join(w.tar.Close(), w.gzip.Close())
}

// writeList writes a member with a line of JSON for each item.
func writeList[T any](ctx context.Context, w *writer, name string, items []T) error {
	var text bytes.Buffer
	lines := json.NewEncoder(&text)
	for _, item := range items {
		if err := lines.Encode(item); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	_, err := w.add(ctx, name, int64(text.Len()), &text)
	return err
}

// stopping reads until ctx is done.
type stopping struct {
	ctx  context.Context //nolint:containedctx // it lives as long as one copy
	from io.Reader
}

// Read implements io.Reader.
func (s stopping) Read(p []byte) (int, error) {
	if s.ctx.Err() != nil {
		return 0, context.Cause(s.ctx)
	}
	return s.from.Read(p)
}
