package seal_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/assay-run/assay/internal/platform/seal"
)

func box(t require.TestingT, fill byte) *seal.Box {
	b, err := seal.New(bytes.Repeat([]byte{fill}, seal.KeyBytes))
	require.NoError(t, err)
	return b
}

func TestWhatIsSealedOpensForItsPurposeAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		b := box(t, 1)
		sealed := b.Seal(plain, "mail")
		got, err := b.Open(sealed, "mail")
		require.NoError(t, err)
		require.True(t, bytes.Equal(plain, got))
		_, err = b.Open(sealed, "webhook")
		require.Error(t, err)
		_, err = box(t, 2).Open(sealed, "mail")
		require.Error(t, err)
		at := rapid.IntRange(0, len(sealed)-1).Draw(t, "at")
		sealed[at] ^= 1
		_, err = b.Open(sealed, "mail")
		require.Error(t, err)
	})
}

func TestSealingTwiceDiffers(t *testing.T) {
	b := box(t, 1)
	first, second := b.Seal([]byte("x"), "p"), b.Seal([]byte("x"), "p")
	require.NotEqual(t, first, second)
}

func TestAKeyOfAnotherLengthIsRefused(t *testing.T) {
	for _, n := range []int{0, 16, 31, 33} {
		_, err := seal.New(make([]byte, n))
		require.ErrorContains(t, err, "32 bytes")
	}
}

func TestUsesOfAKeyDiffer(t *testing.T) {
	key := make([]byte, seal.KeyBytes)
	a, err := seal.Derive(key, "seal")
	require.NoError(t, err)
	b, err := seal.Derive(key, "reset")
	require.NoError(t, err)
	require.NotEqual(t, a, b)
}
