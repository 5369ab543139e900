package debugservice

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMixDrawsMostOfWhatItAsks(t *testing.T) {
	t.Parallel()
	chance := func(seed byte) *rand.Rand { return rand.New(rand.NewChaCha8([32]byte{seed})) }
	list, again, other := mix(chance(1), 1_000), mix(chance(1), 1_000), mix(chance(2), 1_000)
	assert.Equal(t, list, again, "the same seed asks for the same")
	recorded := map[string]bool{}
	for _, c := range pool() {
		recorded[c.Method+c.Path+c.Body] = true
	}
	byRoute, known, twice := map[string]int{}, 0, 0
	seen := map[string]bool{}
	for _, c := range other {
		seen[c.Method+c.Path+c.Body] = true
	}
	for _, c := range list {
		byRoute[c.Route]++
		if recorded[c.Method+c.Path+c.Body] {
			known++
		} else if seen[c.Method+c.Path+c.Body] {
			twice++
		}
	}
	for _, m := range mixture() {
		assert.Equal(t, 10*m.share, byRoute[m.route], m.route)
	}
	assert.Less(t, known, 330, "most of the requests have no public answers")
	assert.Less(t, twice, 200, "another seed asks for other things")
}

// TestDrawnBaskets says that a basket has the pieces that are expected of it.
func TestDrawnBaskets(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewChaCha8([32]byte{3}))
	for range 40 {
		c, ok := draw("basket", r)
		require.True(t, ok)
		var body struct{ Lines []struct{ Quantity int } }
		require.NoError(t, json.Unmarshal([]byte(c.Body), &body))
		pieces := 0
		for _, l := range body.Lines {
			pieces += l.Quantity
		}
		var echo struct{ Pieces int }
		require.NoError(t, json.Unmarshal([]byte("{"+c.Echo+"}"), &echo))
		assert.Equal(t, pieces, echo.Pieces)
		assert.LessOrEqual(t, len(body.Lines), 2_813, "not larger than what a service must take")
	}
	_, ok := draw("related", r)
	assert.False(t, ok)
}
