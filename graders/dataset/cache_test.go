package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// write is a Fill of one file.
func write(bytes int) Fill {
	return func(_ context.Context, dir string) (json.RawMessage, error) {
		return json.RawMessage(`{"n":1}`), os.WriteFile(filepath.Join(dir, "a.log"), make([]byte, bytes), 0o600)
	}
}

// never is a Fill that must not be called.
func never(t *testing.T) Fill {
	return func(context.Context, string) (json.RawMessage, error) {
		assert.Fail(t, "made again")
		return nil, errors.New("made again")
	}
}

func get(t *testing.T, c *Cache, key string, bytes int) *Set {
	t.Helper()
	s, err := c.Get(t.Context(), key, int64(bytes), write(bytes))
	require.NoError(t, err)
	t.Cleanup(s.Release)
	return s
}

// age makes a set look as if it was used long ago.
func age(t *testing.T, c *Cache, key string, by time.Duration) {
	t.Helper()
	then := time.Now().Add(-by)
	require.NoError(t, os.Chtimes(c.truthPath(key), then, then))
}

func TestGetMakesOnceAndReuses(t *testing.T) {
	t.Parallel()
	c := Open(t.TempDir(), 0)
	first := get(t, c, "plain-1", 10)
	assert.FileExists(t, filepath.Join(first.Dir, "a.log"))
	assert.JSONEq(t, `{"n":1}`, string(first.Truth))

	again, err := c.Get(t.Context(), "plain-1", 10, never(t)) // while the first is in use
	require.NoError(t, err)
	defer again.Release()
	assert.Equal(t, first.Dir, again.Dir)
	assert.Equal(t, first.Truth, again.Truth)
	again.Release()
	again.Release() // twice is harmless
}

func TestTruthIsNotBesideTheFiles(t *testing.T) {
	t.Parallel()
	c := Open(t.TempDir(), 0)
	s := get(t, c, "k", 10)
	list, err := os.ReadDir(s.Dir)
	require.NoError(t, err)
	assert.Len(t, list, 1)
	info, err := os.Stat(c.truthPath("k"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	info, err = os.Stat(filepath.Dir(c.truthPath("k")))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())
}

func TestManyAtOnceMakeOneSet(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var made atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			s, err := Open(dir, 0).Get(t.Context(), "k", 1, func(ctx context.Context, dir string) (json.RawMessage, error) {
				made.Add(1)
				return write(1)(ctx, dir)
			})
			if assert.NoError(t, err) {
				s.Release()
			}
		})
	}
	wg.Wait()
	assert.Equal(t, int64(1), made.Load())
}

func TestFailureLeavesNothing(t *testing.T) {
	t.Parallel()
	broken := errors.New("generator is broken")
	tests := []struct {
		name string
		fill func(cancel context.CancelCauseFunc) Fill
	}{
		{"error", func(context.CancelCauseFunc) Fill {
			return func(ctx context.Context, dir string) (json.RawMessage, error) {
				_, err := write(10)(ctx, dir)
				return nil, errors.Join(err, broken)
			}
		}},
		{"cancelled", func(cancel context.CancelCauseFunc) Fill {
			return func(ctx context.Context, dir string) (json.RawMessage, error) {
				cancel(broken)
				return write(10)(ctx, dir)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := Open(t.TempDir(), 0)
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			_, err := c.Get(ctx, "k", 10, tt.fill(cancel))
			require.ErrorIs(t, err, broken)
			for _, sub := range []string{"data", "truth"} {
				list, err := os.ReadDir(filepath.Join(c.dir, sub))
				require.NoError(t, err)
				assert.Empty(t, list, sub)
			}
			get(t, c, "k", 10) // the lock was given up
		})
	}
}

func TestCrashLeavesNothingThatLooksComplete(t *testing.T) {
	t.Parallel()
	c := Open(t.TempDir(), 0)
	require.NoError(t, c.makeDirs())
	for _, dir := range []string{c.partialPath("k"), c.partialPath("other"), c.dataPath("k")} { // at any moment of a crash
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "files"), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "files", "old"), nil, 0o600))
	}
	s := get(t, c, "k", 10)
	assert.NoFileExists(t, filepath.Join(s.Dir, "old"))
	done, err := c.Clean(t.Context())
	require.NoError(t, err)
	assert.Equal(t, Cleaned{Sets: 1, InUse: 1}, done)
	assert.NoDirExists(t, c.partialPath("other"))
}

func TestOldestUnusedSetGoesFirst(t *testing.T) {
	t.Parallel()
	c := Open(t.TempDir(), 100)
	for _, key := range []string{"used", "old", "new"} {
		s := get(t, c, key, 30)
		if key != "used" {
			s.Release()
		}
	}
	age(t, c, "used", 3*time.Hour)
	age(t, c, "old", 2*time.Hour)
	age(t, c, "new", time.Hour)
	get(t, c, "more", 30)
	assert.DirExists(t, c.dataPath("used"), "a set in use was removed")
	assert.NoDirExists(t, c.dataPath("old"))
	assert.DirExists(t, c.dataPath("new"))
	assert.NoFileExists(t, c.lockPath("old"))
}

// TestOrderSurvivesASteppedClock uses a set while the clock is a day ahead, and another one when it is right again.
func TestOrderSurvivesASteppedClock(t *testing.T) {
	t.Parallel()
	c := Open(t.TempDir(), 100)
	get(t, c, "before", 40).Release()
	get(t, c, "ahead", 40).Release()
	age(t, c, "ahead", -24*time.Hour)
	get(t, c, "before", 40).Release()
	get(t, c, "more", 40)
	assert.NoDirExists(t, c.dataPath("ahead"), "it was used before the other one")
	assert.DirExists(t, c.dataPath("before"))
}

func TestLimitBendsForSetsInUse(t *testing.T) {
	t.Parallel()
	c := Open(t.TempDir(), 100)
	get(t, c, "a", 60)
	get(t, c, "b", 60)
	assert.DirExists(t, c.dataPath("a"))
	assert.DirExists(t, c.dataPath("b"))
}

func TestNoSpace(t *testing.T) {
	t.Parallel()
	c := Open(t.TempDir(), 0)
	get(t, c, "a", 60).Release()
	c.free = func(string) (int64, error) { return spare + 100, nil }
	_, err := c.Get(t.Context(), "b", 2<<30, never(t))
	require.ErrorIs(t, err, ErrNoSpace)
	assert.ErrorContains(t, err, "2.0 GiB are needed")
	assert.ErrorContains(t, err, `"assay clean"`)
	assert.NoDirExists(t, c.dataPath("a"), "an unused set was kept although the disk is full")
	get(t, c, "c", 50)

	_, err = c.Get(t.Context(), "d", DefaultLimit+1, never(t))
	require.ErrorIs(t, err, ErrLimit)

	broken := errors.New("no such file system")
	c.free = func(string) (int64, error) { return 0, broken }
	_, err = c.Get(t.Context(), "e", 1, never(t))
	require.ErrorIs(t, err, broken)
}

func TestWaitingEndsWithContext(t *testing.T) {
	t.Parallel()
	c := Open(t.TempDir(), 0)
	require.NoError(t, c.makeDirs())
	l, ok, err := tryLock(c.lockPath("k"), exclusive)
	require.NoError(t, err)
	require.True(t, ok)
	defer l.unlock()
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	_, err = c.Get(ctx, "k", 1, never(t))
	require.ErrorIs(t, err, cause)
}

func TestClean(t *testing.T) {
	t.Parallel()
	c := Open(t.TempDir(), 0)
	done, err := c.Clean(t.Context())
	require.NoError(t, err, "a cache that was never used")
	assert.Zero(t, done)
	get(t, c, "a", 30).Release()
	get(t, c, "b", 40)
	require.NoError(t, os.WriteFile(filepath.Join(c.dir, "data", "note.txt"), []byte("mine"), 0o600))
	done, err = c.Clean(t.Context())
	require.NoError(t, err)
	assert.Equal(t, Cleaned{Sets: 1, Bytes: 30, InUse: 1}, done)
	assert.FileExists(t, filepath.Join(c.dir, "data", "note.txt"), "a file that is not ours was removed")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Clean(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func TestKeys(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"", ".", "..", "../x", "a/b", ".partial-a", "a b", "-a", string(make([]byte, 200))} {
		_, err := Open(t.TempDir(), 0).Get(t.Context(), key, 1, never(t))
		require.ErrorContains(t, err, "data set key", key)
	}
}
