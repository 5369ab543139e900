package grading

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestCommitmentCanBeCheckedByAnybody(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.SliceOfN(rapid.Byte(), seedBytes, seedBytes).Draw(t, "seed")
		salt := rapid.SliceOfN(rapid.Byte(), saltBytes, saltBytes).Draw(t, "salt")
		s := commit(seed, salt)
		value, err := hex.DecodeString(s.Value)
		require.NoError(t, err)
		prefix, err := hex.DecodeString(s.Salt)
		require.NoError(t, err)
		sum := sha256.Sum256(append(prefix, value...))
		require.Equal(t, "sha256:"+hex.EncodeToString(sum[:]), s.Commitment)
	})
}

func TestScenarioSeeds(t *testing.T) {
	t.Parallel()
	seed := make([]byte, seedBytes)
	again := scenarioSeed(bytes.Clone(seed), 0, "main")
	assert.Equal(t, again, scenarioSeed(seed, 0, "main"))
	seen := map[string]bool{}
	for attempt := range 3 {
		for _, id := range []string{"main", "small", "attempt 1"} {
			seen[string(scenarioSeed(seed, attempt, id))] = true
		}
	}
	assert.Len(t, seen, 9, "no two share their data")
	assert.Equal(t, make([]byte, seedBytes), seed, "the seed is not changed")
}
