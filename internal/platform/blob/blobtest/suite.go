// Package blobtest is the suite that every blob store must pass.
package blobtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/blob"
)

// Run runs the suite; open opens a fresh, empty store that goes with the test.
func Run(t *testing.T, open func(*testing.T) blob.Store) {
	for _, tt := range []struct {
		name string
		test func(*testing.T, blob.Store)
	}{
		{"round trip", testRoundTrip},
		{"bounds", testBounds},
		{"whole or not at all", testWhole},
		{"keys", testKeys},
		{"walk", testWalk},
		{"erase", testErase},
		{"at once", testAtOnce},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.test(t, open(t))
		})
	}
}

func put(t *testing.T, s blob.Store, key, text string) platform.Blob {
	t.Helper()
	b, err := s.Put(t.Context(), key, strings.NewReader(text), 1<<20)
	require.NoError(t, err)
	return b
}

func read(t *testing.T, s blob.Store, key string) string {
	t.Helper()
	r, n, err := s.Open(t.Context(), key)
	require.NoError(t, err)
	defer r.Close()
	data, err := io.ReadAll(r)
	require.NoError(t, err)
	assert.EqualValues(t, len(data), n, "the size that was told")
	return string(data)
}

func missing(t *testing.T, s blob.Store, key string) {
	t.Helper()
	_, _, err := s.Open(t.Context(), key)
	assert.Equal(t, platform.NotFound, platform.ErrorCode(err), "%s: %v", key, err)
}

func keys(t *testing.T, s blob.Store, prefix string) []string {
	t.Helper()
	out := []string{}
	require.NoError(t, s.Walk(t.Context(), prefix, func(i blob.Info) error {
		assert.Positive(t, i.Bytes)
		assert.False(t, i.At.IsZero())
		out = append(out, i.Key)
		return nil
	}))
	slices.Sort(out)
	return out
}

func testRoundTrip(t *testing.T, s blob.Store) {
	missing(t, s, "a/b.json")
	b := put(t, s, "a/b.json", "hello")
	sum := sha256.Sum256([]byte("hello"))
	assert.Equal(t, platform.Blob{Key: "a/b.json", Digest: "sha256:" + hex.EncodeToString(sum[:]), Bytes: 5}, b)
	assert.Equal(t, "hello", read(t, s, "a/b.json"))
	put(t, s, "a/b.json", "replaced")
	assert.Equal(t, "replaced", read(t, s, "a/b.json"))
	put(t, s, "empty", "")
	assert.Empty(t, read(t, s, "empty"))
	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	_, err := s.Put(t.Context(), "large", bytes.NewReader(large), int64(len(large)))
	require.NoError(t, err)
	assert.Equal(t, sha256.Sum256(large), sha256.Sum256([]byte(read(t, s, "large"))), "a megabyte comes back as it was")
	missing(t, s, "a")
	require.NoError(t, s.Delete(t.Context(), "a"), "what other keys begin with is no file")
	assert.Equal(t, "replaced", read(t, s, "a/b.json"))
	require.NoError(t, s.Delete(t.Context(), "a/b.json"))
	missing(t, s, "a/b.json")
	require.NoError(t, s.Delete(t.Context(), "a/b.json"), "twice is fine")
}

func testBounds(t *testing.T, s blob.Store) {
	_, err := s.Put(t.Context(), "exact", strings.NewReader("12345"), 5)
	require.NoError(t, err)
	for _, r := range []io.Reader{strings.NewReader("123456"), iotest.OneByteReader(strings.NewReader("123456")), endless{}} {
		_, err := s.Put(t.Context(), "more", r, 5)
		assert.ErrorIs(t, err, blob.ErrTooLarge)
		assert.Equal(t, platform.Invalid, platform.ErrorCode(err))
		missing(t, s, "more")
	}
	_, err = s.Put(t.Context(), "nothing", strings.NewReader(""), 0)
	require.NoError(t, err)
}

// endless never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func testWhole(t *testing.T, s blob.Store) {
	put(t, s, "kept", "before")
	broken := errors.New("the network went away")
	_, err := s.Put(t.Context(), "kept", io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken)), 100)
	require.ErrorIs(t, err, broken)
	assert.Equal(t, "before", read(t, s, "kept"))

	ctx, cancel := context.WithCancelCause(t.Context())
	_, err = s.Put(ctx, "kept", io.MultiReader(strings.NewReader("half"), readerFunc(func() { cancel(broken) }), endless{}), 1<<40)
	require.ErrorIs(t, err, broken)
	assert.Equal(t, "before", read(t, s, "kept"))
	assert.Equal(t, []string{"kept"}, keys(t, s, ""), "nothing half written is left")
}

// readerFunc calls itself once when it is read, and is then at its end.
type readerFunc func()

func (f readerFunc) Read([]byte) (int, error) {
	f()
	return 0, io.EOF
}

func testKeys(t *testing.T, s blob.Store) {
	for _, bad := range []string{
		"", "/", "/etc/passwd", "a/", "a//b", "..", "a/../b", "./a", ".hidden", "a/.partial", "a b", "a\x00b", "ä", `a\b`, "a:b", "a?b", "a%2e",
		strings.Repeat("a", 201), strings.Repeat("a/", 300) + "a",
	} {
		_, err := s.Put(t.Context(), bad, strings.NewReader("x"), 10)
		assert.Equal(t, platform.Invalid, platform.ErrorCode(err), "put %q", bad)
		_, _, err = s.Open(t.Context(), bad)
		assert.Equal(t, platform.Invalid, platform.ErrorCode(err), "open %q", bad)
		assert.Equal(t, platform.Invalid, platform.ErrorCode(s.Delete(t.Context(), bad)), "delete %q", bad)
	}
	key := platform.BlobKey(platform.NewOrgID(time.Now()), platform.NewID(platform.KindAttempt, time.Now()), "report.json")
	put(t, s, key, "{}")
	assert.Equal(t, "{}", read(t, s, key))
	assert.Equal(t, platform.Invalid, platform.ErrorCode(s.Walk(t.Context(), "../", func(blob.Info) error { return nil })))
}

func testWalk(t *testing.T, s blob.Store) {
	all := []string{"a/1", "a/2", "a/b/3", "a-b/4", "ab/5", "c"}
	for _, k := range all {
		put(t, s, k, "x")
	}
	for prefix, want := range map[string][]string{
		"":     {"a-b/4", "a/1", "a/2", "a/b/3", "ab/5", "c"},
		"a/":   {"a/1", "a/2", "a/b/3"},
		"a":    {"a-b/4", "a/1", "a/2", "a/b/3", "ab/5"},
		"a/b":  {"a/b/3"},
		"a/b/": {"a/b/3"},
		"a/1":  {"a/1"},
		"c":    {"c"},
		"c/":   {},
		"d/e/": {},
	} {
		assert.Equal(t, want, keys(t, s, prefix), "%q", prefix)
	}
	stop := errors.New("stop")
	n := 0
	require.ErrorIs(t, s.Walk(t.Context(), "", func(blob.Info) error { n++; return stop }), stop)
	assert.Equal(t, 1, n)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Walk(ctx, "", func(blob.Info) error { return nil }), context.Canceled)
}

func testErase(t *testing.T, s blob.Store) {
	for i := range 25 {
		put(t, s, fmt.Sprintf("orgs/1/attempts/att_%d/%d/report.json", i%3, i), "x")
	}
	n, err := blob.Erase(t.Context(), s, "orgs/1/attempts/att_1/")
	require.NoError(t, err)
	assert.Equal(t, 8, n)
	assert.Empty(t, keys(t, s, "orgs/1/attempts/att_1/"))
	assert.Len(t, keys(t, s, "orgs/"), 17)
	n, err = blob.Erase(t.Context(), s, "orgs/1/attempts/att_1/")
	require.NoError(t, err)
	assert.Zero(t, n)
}

// testAtOnce lets several write, replace and delete in the same folder.
func testAtOnce(t *testing.T, s blob.Store) {
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			key, shared := fmt.Sprintf("dir/own-%d", i), "dir/shared"
			for range 10 {
				_, err := s.Put(t.Context(), key, strings.NewReader(key), 100)
				assert.NoError(t, err)
				_, err = s.Put(t.Context(), shared, strings.NewReader(strings.Repeat(fmt.Sprint(i), 50)), 100)
				assert.NoError(t, err)
				assert.NoError(t, s.Delete(t.Context(), key))
			}
		})
	}
	all.Wait()
	text := read(t, s, "dir/shared")
	assert.Equal(t, strings.Repeat(text[:1], 50), text, "one of them, and whole")
	assert.Equal(t, []string{"dir/shared"}, keys(t, s, ""))
}
