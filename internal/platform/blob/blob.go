// Package blob keeps files: submissions, reports, evidence. They lie in a folder or in an S3 bucket.
package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"strings"
	"time"

	"github.com/assay-run/assay/internal/platform"
)

// Store keeps bytes under keys. It may be used by several goroutines and processes at once.
//
// A key is made of names of letters, digits, '.', '_' and '-' with slashes between them, and none is the beginning of
// another up to a slash; see platform.BlobKey. What is not
// there gives a platform.NotFound error, a bad key a platform.Invalid one; any other error is a fault of the storage.
type Store interface {
	// Put stores all that r gives, max bytes at most: more is refused with ErrTooLarge. It is there as a whole and for good
	// when Put returns without an error, and otherwise not at all; what was under the key before is replaced.
	Put(ctx context.Context, key string, r io.Reader, max int64) (platform.Blob, error)
	// Open reads what is under a key, and tells its size in bytes. The caller closes it.
	Open(ctx context.Context, key string) (io.ReadCloser, int64, error)
	// Delete removes what is under a key. Nothing there is fine.
	Delete(ctx context.Context, key string) error
	// Walk calls do for everything whose key begins with prefix, in no particular order, until do fails; that error is
	// returned as it is. do may delete what it is told of. What comes or goes meanwhile may be told or not.
	Walk(ctx context.Context, prefix string, do func(Info) error) error
}

// Info is what Walk tells.
type Info struct {
	Key   string
	Bytes int64
	At    time.Time // when it was stored
}

// ErrTooLarge means that there was more to store than was allowed. Errors with it are also a *platform.Error.
var ErrTooLarge = errors.New("too large")

// tooLarge tells the bound to whoever sent too much.
func tooLarge(limit int64) error {
	return fmt.Errorf("%w: %w", ErrTooLarge, platform.Errorf(platform.Invalid, "This is larger than the %d bytes that are allowed.", limit))
}

func notFound() error { return platform.Errorf(platform.NotFound, "There is no such file.") }

// Erase removes everything whose key begins with prefix, and tells how much it was.
func Erase(ctx context.Context, s Store, prefix string) (n int, err error) {
	err = s.Walk(ctx, prefix, func(i Info) error {
		if err := s.Delete(ctx, i.Key); err != nil {
			return err
		}
		n++
		return nil
	})
	if err != nil {
		return n, fmt.Errorf("erase %s: %w", prefix, err)
	}
	return n, nil
}

// maxKey bounds a key, and maxName a name in it, in bytes. File systems have the same bounds.
const (
	maxKey  = 512
	maxName = 200
)

// CheckKey is nil for what may be a key. It keeps out what could lead elsewhere, or means something to a file system.
func CheckKey(key string) error {
	if len(key) > maxKey {
		return badKey(key)
	}
	for name := range strings.SplitSeq(key, "/") {
		if name == "" || name[0] == '.' || len(name) > maxName || strings.ContainsFunc(name, notInKey) {
			return badKey(key)
		}
	}
	return nil
}

// checkPrefix is CheckKey for the beginning of a key, which may end anywhere, or be empty.
func checkPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	return CheckKey(strings.TrimSuffix(prefix, "/"))
}

func badKey(key string) error {
	return platform.InvalidField("key", "%.80q is no key of a file.", key)
}

func notInKey(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
		return false
	}
	return true
}

// intake reads what is to be stored: it counts and hashes, stops at a bound and when ctx ends.
type intake struct {
	ctx   context.Context //nolint:containedctx // it lives as long as one Put
	from  io.Reader
	limit int64
	n     int64
	hash  hash.Hash
}

func newIntake(ctx context.Context, from io.Reader, limit int64) *intake {
	return &intake{ctx: ctx, from: from, limit: min(limit, math.MaxInt64-1), hash: sha256.New()}
}

// Read implements io.Reader.
func (i *intake) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, context.Cause(i.ctx)
	}
	if room := i.limit + 1 - i.n; int64(len(p)) > room {
		p = p[:room] // one more than allowed, to see that there is more
	}
	n, err := i.from.Read(p)
	i.n += int64(n)
	_, _ = i.hash.Write(p[:n]) // a hash never fails to write
	if i.n > i.limit {
		return 0, tooLarge(i.limit)
	}
	return n, err
}

func (i *intake) blob(key string) platform.Blob {
	return platform.Blob{Key: key, Digest: "sha256:" + hex.EncodeToString(i.hash.Sum(nil)), Bytes: i.n}
}
