package auth_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/auth"
)

// cheap keeps tests quick; the cost is part of every hash.
func cheap() auth.Cost { return auth.Cost{MemoryKiB: 64, Iterations: 1} }

func TestPasswords(t *testing.T) {
	p, err := auth.NewPasswords(cheap(), 2)
	require.NoError(t, err)
	hash, err := p.Hash(t.Context(), "correct horse")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(hash, "$argon2id$v=19$m=64,t=1,p=1$"), hash)
	again, err := p.Hash(t.Context(), "correct horse")
	require.NoError(t, err)
	require.NotEqual(t, hash, again)
	for _, c := range []struct {
		password, hash string
		want           bool
	}{{"correct horse", hash, true}, {"correct horse ", hash, false}, {"", hash, false}, {"", "", false}, {"x", "", false}} {
		got, err := p.Matches(t.Context(), c.password, c.hash)
		require.NoError(t, err)
		require.Equal(t, c.want, got, "%q", c.password)
	}
	_, err = p.Matches(t.Context(), "x", "no hash")
	require.Error(t, err)
}

func TestAFloodOfHashesIsRefusedAndNotQueued(t *testing.T) {
	p, err := auth.NewPasswords(auth.Cost{MemoryKiB: 8 << 10, Iterations: 4}, 1)
	require.NoError(t, err)
	var wg sync.WaitGroup
	codes := make([]platform.Code, 60)
	for i := range codes {
		wg.Go(func() {
			_, err := p.Hash(t.Context(), "x")
			codes[i] = platform.ErrorCode(err)
		})
	}
	wg.Wait()
	count := map[platform.Code]int{}
	for _, c := range codes {
		count[c]++
	}
	require.GreaterOrEqual(t, count[""], 17, "one at a time, and those who may wait")
	require.Equal(t, 60, count[""]+count[platform.RateLimited])
	require.Positive(t, count[platform.RateLimited])
}

func TestWhoeverLeavesDoesNotHash(t *testing.T) {
	p, err := auth.NewPasswords(auth.Cost{MemoryKiB: 8 << 10, Iterations: 8}, 1)
	require.NoError(t, err)
	gone, leave := context.WithCancel(t.Context())
	leave()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { _, _ = p.Hash(t.Context(), "x") })
	}
	for range 20 {
		if _, err := p.Hash(gone, "x"); err != nil {
			require.ErrorIs(t, err, context.Canceled)
		}
	}
	wg.Wait()
	_, err = p.Hash(t.Context(), "x") // nobody has kept a place
	require.NoError(t, err)
}
