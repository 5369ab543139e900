package loggen

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// forOracle is a truth without what the oracle cannot know.
func forOracle(t Truth) Truth {
	t.BadKinds = nil
	return t
}

func TestGenerateEqualsOracle(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		seed string
		size int64
	}{
		{"a", 3 << 20}, {"b", 1 << 20}, {"c", 1 << 20}, {"d", 2<<20 + 12345}, {"e", 100 << 10}, {"f", 1}, {"g", 0},
	} {
		t.Run(tt.seed, func(t *testing.T) {
			t.Parallel()
			var buf bytes.Buffer
			truth, err := Generate(t.Context(), &buf, Options{Seed: []byte(tt.seed), Bytes: tt.size})
			require.NoError(t, err)
			assert.Equal(t, int64(buf.Len()), truth.Bytes)
			assert.GreaterOrEqual(t, truth.Bytes, tt.size-1)
			assert.LessOrEqual(t, truth.Bytes, tt.size+(tt.size>>20+2)*lineRoom)
			want, err := Oracle(t.Context(), &buf)
			require.NoError(t, err)
			assert.Equal(t, want, forOracle(truth))
		})
	}
}

func TestGenerateDoesNotDependOnWorkers(t *testing.T) {
	t.Parallel()
	var one, many bytes.Buffer
	a, err := Generate(t.Context(), &one, Options{Seed: []byte("s"), Bytes: 5 << 20, Workers: 1})
	require.NoError(t, err)
	b, err := Generate(t.Context(), &many, Options{Seed: []byte("s"), Bytes: 5 << 20, Workers: 7})
	require.NoError(t, err)
	assert.Equal(t, a, b)
	assert.True(t, bytes.Equal(one.Bytes(), many.Bytes()))
}

func TestBlockCanBeMadeAlone(t *testing.T) {
	t.Parallel()
	l := newLayout([]byte("s"), 4<<20)
	var all bytes.Buffer
	var starts []int
	require.NoError(t, l.each(t.Context(), 2, func(b block) error {
		starts = append(starts, all.Len())
		all.Write(b.text)
		return nil
	}))
	require.GreaterOrEqual(t, len(starts), 4)
	b := l.block(2, nil)
	assert.True(t, bytes.Equal(b.text, all.Bytes()[starts[2]:starts[2]+len(b.text)]))
	for _, at := range starts[1:] {
		assert.NotZero(t, at%(64<<10), "a block starts on a boundary of 64 KiB")
	}
}

// TestProfilesStayInRange holds the promises of the generator over many seeds.
func TestProfilesStayInRange(t *testing.T) {
	t.Parallel()
	for i := range 40 {
		seed := []byte{byte(i)}
		truth, err := Generate(t.Context(), io.Discard, Options{Seed: seed, Bytes: 1 << 20})
		require.NoError(t, err)
		good := float64(truth.Good())
		mean := float64(truth.Bytes) / float64(truth.Lines)
		assert.InDelta(t, 157, mean, 25, "bytes a line, seed %d", i)
		assert.Less(t, float64(truth.Bad), 0.025*good)
		assert.GreaterOrEqual(t, len(truth.ByService), 8)
		assert.LessOrEqual(t, len(truth.ByService), 40)
		assert.GreaterOrEqual(t, len(truth.ByHour), 4)
		astral := float64(truth.MsgUTF16 - truth.MsgCodePoints)
		assert.Greater(t, astral/good, 0.003, "characters outside the BMP a line")

		require.Len(t, truth.Slowest, slowCount)
		ties := 0
		for j := 1; j < slowCount; j++ {
			assert.Negative(t, compareSlow(truth.Slowest[j-1], truth.Slowest[j]))
			if truth.Slowest[j].Ms == truth.Slowest[j-1].Ms {
				ties++
			}
		}
		assert.Positive(t, ties, "no tie among the slowest")
	}
}

func TestSeedsDiffer(t *testing.T) {
	t.Parallel()
	a, err := Generate(t.Context(), io.Discard, Options{Seed: []byte{1}, Bytes: 1 << 20})
	require.NoError(t, err)
	b, err := Generate(t.Context(), io.Discard, Options{Seed: []byte{2}, Bytes: 1 << 20})
	require.NoError(t, err)
	assert.NotEqual(t, a.MsgCodePoints, b.MsgCodePoints)
	assert.NotEqual(t, a.ByHour, b.ByHour)
}

type failingWriter struct{ after int }

var errFull = errors.New("disk is full")

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.after -= len(p); w.after < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestGenerateSadPaths(t *testing.T) {
	t.Parallel()
	t.Run("size out of range", func(t *testing.T) {
		t.Parallel()
		_, err := Generate(t.Context(), io.Discard, Options{Bytes: -1})
		require.ErrorContains(t, err, "out of range")
		_, err = Generate(t.Context(), io.Discard, Options{Bytes: maxBytes + 1})
		require.ErrorContains(t, err, "out of range")
	})
	t.Run("writer fails", func(t *testing.T) {
		t.Parallel()
		_, err := Generate(t.Context(), &failingWriter{after: 2 << 20}, Options{Bytes: 8 << 20})
		require.ErrorIs(t, err, errFull)
	})
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		cause := errors.New("stop it")
		ctx, cancel := context.WithCancelCause(t.Context())
		path := filepath.Join(t.TempDir(), "log")
		_, err := GenerateFile(ctx, path, Options{Bytes: 64 << 20, Progress: func(done int64) {
			if done > 2<<20 {
				cancel(cause)
			}
		}})
		require.ErrorIs(t, err, cause)
		require.NoFileExists(t, path)
	})
	t.Run("file exists", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "log")
		require.NoError(t, os.WriteFile(path, []byte("mine"), 0o600))
		_, err := GenerateFile(t.Context(), path, Options{Bytes: 1})
		require.ErrorIs(t, err, os.ErrExist)
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, "mine", string(text), "a file of somebody else was touched")
	})
}

// TestBytesAreFixed fails when the same seed gives other bytes. Version must go up then, and the sum here changes with it.
func TestBytesAreFixed(t *testing.T) {
	t.Parallel()
	hash := sha256.New()
	_, err := Generate(t.Context(), hash, Options{Seed: []byte("fixed"), Bytes: 3 << 20})
	require.NoError(t, err)
	for _, a := range anomalies() {
		text, _ := small(t, a.ID, 1)
		hash.Write(text)
	}
	assert.Equal(t, "version 1: e291e3f77143c571", fmt.Sprintf("version %d: %x", Version, hash.Sum(nil)[:8]))
}
