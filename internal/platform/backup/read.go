package backup

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/blob"
	"github.com/assay-run/assay/internal/platform/store"
)

// visitor hears of the members of an archive, in their order. What it is told may turn out to be damaged later.
type visitor interface {
	header(Header) error
	rows(ctx context.Context, from io.Reader) error
	file(ctx context.Context, key string, size int64, from io.Reader) error
	erased(platform.Erasure) error
	lost(Lost) error
}

// reading is an archive that is being read.
type reading struct {
	to    visitor
	tar   *tar.Reader
	stage int
	lines [][sha256.Size]byte // digests of the lines that SHA256SUMS must have
	seen  map[fingerprint]bool
}

// The members must come in this order.
const (
	atHeader = iota
	atRows
	atFiles
	atLost
	atSums
	atEnd
)

// read reads an archive from its first to its last byte and tells v of it. Whatever is not as Create writes it is ErrDamaged;
// errors of v are returned as they are.
func read(ctx context.Context, name, step string, progress Progress, v visitor) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("open archive: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("open archive: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("open archive: %s is no file", name)
	}
	counted := &counting{from: stopping{ctx, f}, total: info.Size(), step: step, progress: progress}
	source := bufio.NewReaderSize(counted, 1<<18)
	gz, err := gzip.NewReader(source)
	if err != nil {
		return fault(ctx, err)
	}
	gz.Multistream(false)
	r := &reading{to: v, tar: tar.NewReader(gz), seen: map[fingerprint]bool{}}
	for {
		h, err := r.tar.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fault(ctx, err)
		}
		if err := r.member(ctx, h); err != nil {
			return fault(ctx, err)
		}
	}
	if r.stage != atEnd {
		return fmt.Errorf("%w: it ends too early", ErrDamaged)
	}
	// What is behind the end of the tar are zeros, and the checksum of gzip.
	for _, rest := range []io.Reader{gz, source} {
		n, err := io.Copy(io.Discard, rest)
		if err != nil {
			return fault(ctx, err)
		}
		if rest == io.Reader(source) && n > 0 {
			return fmt.Errorf("%w: something follows its end", ErrDamaged)
		}
	}
	return nil
}

// fault says that an archive is damaged, where an error means that.
func fault(ctx context.Context, err error) error {
	var deflate flate.CorruptInputError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("%w: it ends too early", ErrDamaged)
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.Is(err, tar.ErrHeader), errors.Is(err, tar.ErrInsecurePath),
		errors.Is(err, bufio.ErrTooLong), errors.As(err, &deflate):
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

func (r *reading) member(ctx context.Context, h *tar.Header) error {
	if h.Typeflag != tar.TypeReg {
		return fmt.Errorf("%w: %.80q is no file", ErrDamaged, h.Name)
	}
	if h.Name == sumsName {
		return r.sums()
	}
	if r.seen[fingerprintOf(h.Name)] {
		return fmt.Errorf("%w: %.80q is there twice", ErrDamaged, h.Name)
	}
	r.seen[fingerprintOf(h.Name)] = true
	hash := sha256.New()
	from := io.TeeReader(r.tar, hash)
	if err := r.visit(ctx, h, from); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, from); err != nil {
		return err
	}
	r.lines = append(r.lines, sha256.Sum256([]byte(sumLine(hash.Sum(nil), h.Name))))
	return nil
}

// next goes on to the stage of a member, which is the one after a stage.
func (r *reading) next(name string, after, to int) error {
	if r.stage != after {
		return fmt.Errorf("%w: %.80q is not where it should be", ErrDamaged, name)
	}
	r.stage = to
	return nil
}

// visit tells of one member.
func (r *reading) visit(ctx context.Context, h *tar.Header, from io.Reader) error {
	if key, ok := strings.CutPrefix(h.Name, filesPrefix); ok {
		if err := blob.CheckKey(key); err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		if err := r.next(h.Name, atFiles, atFiles); err != nil {
			return err
		}
		return r.to.file(ctx, key, h.Size, from)
	}
	switch h.Name {
	case headerName:
		if err := r.next(h.Name, atHeader, atRows); err != nil {
			return err
		}
		return r.header(from)
	case rowsName:
		if err := r.next(h.Name, atRows, atFiles); err != nil {
			return err
		}
		return r.to.rows(ctx, from)
	case erasuresName:
		if err := r.next(h.Name, atFiles, atLost); err != nil {
			return err
		}
		return readList(from, r.to.erased)
	case lostName:
		if err := r.next(h.Name, atLost, atSums); err != nil {
			return err
		}
		return readList(from, r.to.lost)
	}
	return fmt.Errorf("%w: it has a member with the name %.80q", ErrDamaged, h.Name)
}

// maxHeader bounds the header, in bytes.
const maxHeader = 1 << 20

func (r *reading) header(from io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(from, maxHeader))
	if err != nil {
		return err
	}
	h := Header{}
	if err := json.Unmarshal(text, &h); err != nil {
		return fmt.Errorf("%w: %s cannot be read", ErrDamaged, headerName)
	}
	newest, err := store.NewestSchema()
	if err != nil {
		return err
	}
	switch {
	case h.Format > Format || h.Schema > newest:
		return fmt.Errorf("%w: it is of version %q with schema %d, this one knows schema %d", ErrNewer, h.Assay, h.Schema, newest)
	case h.Format < 1 || h.Schema < 1 || h.MadeAt.IsZero():
		return fmt.Errorf("%w: %s does not say what it is", ErrDamaged, headerName)
	}
	return r.to.header(h)
}

// readList reads what writeList has written.
func readList[T any](from io.Reader, to func(T) error) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxHeader)
	for lines.Scan() {
		var item T
		if err := strictly(lines.Bytes(), &item); err != nil {
			return fmt.Errorf("%w: a line cannot be read", ErrDamaged)
		}
		if err := to(item); err != nil {
			return err
		}
	}
	return lines.Err()
}

// sums compares the digests of all members with those that are told.
func (r *reading) sums() error {
	if err := r.next(sumsName, atSums, atEnd); err != nil {
		return err
	}
	lines := bufio.NewReader(r.tar)
	for _, want := range r.lines {
		line, err := lines.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if sha256.Sum256(line) != want {
			_, name, _ := bytes.Cut(bytes.TrimSpace(line), []byte("  "))
			return fmt.Errorf("%w: %.120q is not what was written", ErrDamaged, name)
		}
	}
	if n, err := io.Copy(io.Discard, lines); err != nil || n > 0 {
		return errors.Join(err, fmt.Errorf("%w: parts of it are missing", ErrDamaged))
	}
	return nil
}

// counting tells how much was read.
type counting struct {
	from        io.Reader
	done, total int64
	step        string
	progress    Progress
}

// Read implements io.Reader.
func (c *counting) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.done += int64(n)
	c.progress(c.step, c.done, c.total)
	return n, err
}
