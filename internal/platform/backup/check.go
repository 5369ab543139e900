package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/assay-run/assay/internal/platform"
)

// Check reads an archive from its first to its last byte and says what is in it. It is whole when there is no error: all digests
// are right, all rows can be read, and every file that a row names is there or known to be lost. progress may be nil.
//
// The digests show what was damaged. They do not show who wrote the archive: whoever can change it can also make them anew.
func Check(ctx context.Context, name string, progress Progress) (Content, error) {
	c := newChecker()
	if err := read(ctx, name, "checking the archive", orSilent(progress), c); err != nil {
		return Content{}, err
	}
	return c.content, c.finish()
}

func orSilent(p Progress) Progress {
	if p == nil {
		return func(string, int64, int64) {}
	}
	return p
}

// checker is a visitor that compares files with the rows that name them.
type checker struct {
	content Content
	// want are the digests of files that rows name and that have not come yet, wrong the names of those that came with another.
	want  map[fingerprint]fingerprint
	wrong map[string]bool
}

func newChecker() *checker {
	return &checker{want: map[fingerprint]fingerprint{}, wrong: map[string]bool{}}
}

func (c *checker) header(h Header) error {
	c.content.Header = h
	return nil
}

func (c *checker) rows(ctx context.Context, from io.Reader) (err error) {
	c.content.Tables, c.content.Rows, err = readRows(ctx, from, &files{found: func(f namedFile) error {
		c.want[fingerprintOf(f.key)] = fingerprintOf(f.digest)
		return nil
	}})
	return err
}

func (c *checker) file(_ context.Context, key string, size int64, from io.Reader) error {
	hash := sha256.New()
	if _, err := io.Copy(hash, from); err != nil {
		return err
	}
	c.came(key, "sha256:"+hex.EncodeToString(hash.Sum(nil)), size)
	return nil
}

// came keeps that a file was in the archive.
func (c *checker) came(key, digest string, size int64) {
	c.content.Files++
	c.content.FileBytes += size
	name := fingerprintOf(key)
	want, named := c.want[name]
	delete(c.want, name)
	if named && want != fingerprintOf(digest) {
		c.wrong[key] = true
	}
}

func (c *checker) erased(e platform.Erasure) error {
	c.content.Erasures = append(c.content.Erasures, e)
	return nil
}

func (c *checker) lost(l Lost) error {
	delete(c.want, fingerprintOf(l.Key))
	delete(c.wrong, l.Key)
	if l.Why != erased {
		c.content.Lost = append(c.content.Lost, l)
	}
	return nil
}

// finish says what is missing when all was read.
func (c *checker) finish() error {
	for key := range c.wrong {
		return fmt.Errorf("%w: %s is not the file that its row names", ErrDamaged, key)
	}
	if len(c.want) > 0 {
		return fmt.Errorf("%w: %d files that its rows name are not in it", ErrDamaged, len(c.want))
	}
	return nil
}
