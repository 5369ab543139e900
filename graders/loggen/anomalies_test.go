package loggen

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// short are lengths for tests, and testLimit the limit for lines that fits to them. The real ones take seconds to read byte by
// byte; the integration tests use them.
func short() lengths { return lengths{long: 300_000, oversize: 2 << 20} }

const testLimit = 1 << 20

func pathOf(a Anomaly) string { return a.ID }

// small makes one anomaly in memory.
func small(t *testing.T, id string, seed uint64) ([]byte, Truth) {
	t.Helper()
	for _, a := range anomalies() {
		if a.ID == id {
			var buf bytes.Buffer
			truth, err := fillPack(t.Context(), &buf, a, rand.New(rand.NewPCG(seed, 0)), short())
			require.NoError(t, err)
			return buf.Bytes(), truth
		}
	}
	require.Fail(t, "no such anomaly", id)
	return nil, Truth{}
}

// TestAnomaliesEqualOracle writes the whole pack, and reads every file back.
func TestAnomaliesEqualOracle(t *testing.T) {
	t.Parallel()
	done := int64(0)
	o := AnomalyOptions{Seed: []byte("s"), Path: pathOf, lengths: short(), Progress: func(n int64) { done = n }}
	files, err := Anomalies(t.Context(), t.TempDir(), o)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, len(files), 12)
	assert.LessOrEqual(t, len(files), 20)
	total := int64(0)
	for _, file := range files {
		info, err := os.Stat(file.Path)
		require.NoError(t, err)
		assert.Equal(t, info.Size(), file.Bytes, file.ID)
		total += info.Size()
		if file.Exit != 0 {
			assert.Nil(t, file.Truth, file.ID)
			continue
		}
		assert.Equal(t, oracleOf(t, file, testLimit), forOracle(*file.Truth), file.ID)
	}
	assert.Equal(t, done, total)
	total += oversizeBytes - o.lengths.oversize + 3*(longBytes-o.lengths.long)
	assert.LessOrEqual(t, total, int64(AnomalyBytes))
}

// oracleOf reads a file with the oracle.
func oracleOf(t *testing.T, file AnomalyFile, limit int) Truth {
	t.Helper()
	f, err := os.Open(file.Path)
	require.NoError(t, err)
	defer f.Close()
	r := io.Reader(f)
	if file.Gzip {
		r, err = gzip.NewReader(f)
		require.NoError(t, err)
	}
	truth, err := readLog(t.Context(), r, limit)
	require.NoError(t, err, file.ID)
	return truth
}

// TestAnomaliesEqualOracleOnManySeeds does the same for all files that are small.
func TestAnomaliesEqualOracleOnManySeeds(t *testing.T) {
	t.Parallel()
	for _, a := range anomalies() {
		if a.ID == "utf8-boundaries" { // large
			continue
		}
		t.Run(a.ID, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(3) {
				text, truth := small(t, a.ID, seed)
				want, err := readLog(t.Context(), bytes.NewReader(text), testLimit)
				require.NoError(t, err)
				require.Equal(t, want, forOracle(truth), "seed %d", seed)
			}
		})
	}
}

func TestCharactersLieAcrossBoundaries(t *testing.T) {
	t.Parallel()
	text, _ := small(t, "utf8-boundaries", 1)
	for _, step := range []int{16 << 10, 64 << 10, 1 << 20} {
		seen := map[[2]int]bool{} // length of the character, bytes before the boundary
		for at := step; at < len(text)-4; at += step {
			before := 0
			for !utf8.RuneStart(text[at-before]) {
				before++
			}
			_, n := utf8.DecodeRune(text[at-before:])
			seen[[2]int{n, before}] = true
		}
		for n := 2; n <= 4; n++ {
			for before := 1; before < n; before++ {
				assert.True(t, seen[[2]int{n, before}], "%d of %d bytes before a multiple of %d", before, n, step)
			}
		}
	}
}

func TestCRLFLiesAcrossBoundaries(t *testing.T) {
	t.Parallel()
	text, _ := small(t, "crlf", 1)
	for at := 16 << 10; at < 12*16<<10; at += 16 << 10 {
		assert.Equal(t, "\r\n", string(text[at-1:at+1]), "at %d", at)
	}
}

func TestOffsetsComeFromTheSeed(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"bom", "odd-json", "control"} {
		a, _ := small(t, id, 1)
		again, _ := small(t, id, 1)
		b, _ := small(t, id, 2)
		assert.True(t, bytes.Equal(a, again), id)
		assert.False(t, bytes.Equal(a[:1000], b[:1000]), id)
	}
}

func TestOnlyBadIsOnlyBad(t *testing.T) {
	t.Parallel()
	_, truth := small(t, "only-bad", 1)
	assert.Equal(t, truth.Lines, truth.Bad)
	assert.Positive(t, truth.Lines)
	assert.Empty(t, truth.Slowest)
	assert.NotNil(t, truth.Slowest, "an empty list, not null")
}

func TestZips(t *testing.T) {
	t.Parallel()
	text := bytes.Repeat([]byte("a line of text\n"), 1000)
	read := func(zipped []byte) ([]byte, error) {
		r, err := gzip.NewReader(bytes.NewReader(zipped))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(r)
	}
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 0))
		zipped, err := zipMembers(text, rng)
		require.NoError(t, err)
		got, err := read(zipped)
		require.NoError(t, err)
		require.Equal(t, text, got)
		require.GreaterOrEqual(t, bytes.Count(zipped, []byte{0x1f, 0x8b, 8}), 6, "members")

		zipped, err = zipTruncated(text, rng)
		require.NoError(t, err)
		_, err = read(zipped)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)

		zipped, err = zipDamaged(text, rng)
		require.NoError(t, err)
		got, err = read(zipped)
		require.ErrorIs(t, err, gzip.ErrChecksum)
		require.Equal(t, text, got, "all of the text can be read before the fault shows")
	}
}

func TestGenerateGzip(t *testing.T) {
	t.Parallel()
	var plain, zipped bytes.Buffer
	o := Options{Seed: []byte("z"), Bytes: 1 << 20}
	want, err := Generate(t.Context(), &plain, o)
	require.NoError(t, err)
	got, err := GenerateGzip(t.Context(), &zipped, o)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	r, err := gzip.NewReader(&zipped)
	require.NoError(t, err)
	r.Multistream(false)
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(plain.Bytes(), text))
	assert.Zero(t, zipped.Len(), "more than one member")
}

func TestGzipSadPaths(t *testing.T) {
	t.Parallel()
	_, err := GenerateGzip(t.Context(), &failingWriter{after: 10}, Options{Bytes: 1 << 20})
	require.ErrorIs(t, err, errFull)
	_, err = GenerateGzipFile(t.Context(), t.TempDir(), Options{Bytes: 1})
	require.ErrorIs(t, err, os.ErrExist)
}

func TestAnomaliesSadPaths(t *testing.T) {
	t.Parallel()
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		cause := errors.New("stop it")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		_, err := Anomalies(ctx, t.TempDir(), AnomalyOptions{Path: pathOf, lengths: short()})
		require.ErrorIs(t, err, cause)
	})
	t.Run("no directory", func(t *testing.T) {
		t.Parallel()
		_, err := Anomalies(t.Context(), t.TempDir()+"/none", AnomalyOptions{Path: pathOf})
		require.ErrorIs(t, err, os.ErrNotExist)
	})
	t.Run("two of one name", func(t *testing.T) {
		t.Parallel()
		_, err := Anomalies(t.Context(), t.TempDir(), AnomalyOptions{Path: func(Anomaly) string { return "same" }, lengths: short()})
		require.ErrorIs(t, err, os.ErrExist)
	})
}
