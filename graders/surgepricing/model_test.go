package surgepricing

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sort"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// plainRebuild is the contract word by word, with other means than the model: maps, big steps, no shift.
func plainRebuild(cells []cell, iterations int) map[int32]int64 {
	byID := map[int32]cell{}
	var ids []int
	for _, c := range cells {
		byID[c.ID] = c
		ids = append(ids, int(c.ID))
	}
	sort.Ints(ids)
	n := len(ids)
	target := func(i int) int64 {
		c := byID[int32(ids[i%n])]
		supply := int64(c.Supply)
		if supply == 0 {
			supply = 1
		}
		return max(10_000, min(50_000, 10_000*int64(c.Demand)/supply))
	}
	m := make([]int64, n)
	for i := range m {
		m[i] = target(i)
	}
	for j := 1; j <= iterations; j++ {
		next := make([]int64, n)
		for i := range m {
			next[i] = (m[(i+n-1)%n] + 2*m[i] + m[(i+1)%n] + 4*target(i+j)) / 8
		}
		m = next
	}
	out := map[int32]int64{}
	for i, id := range ids {
		out[int32(id)] = m[i]
	}
	return out
}

func TestModelIsTheContract(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for n := 1; n <= 40; n++ {
		cells := fewCells([]byte{byte(n)}, n)
		iterations := 1 + rng.IntN(3*n)
		got, want := rebuild(cells, iterations), plainRebuild(cells, iterations)
		require.Len(t, want, n)
		for id, m := range want {
			require.Equal(t, m, int64(got.multiplier(id)), "%d cells, %d iterations, cell %d", n, iterations, id)
		}
	}
}

func TestChecksum(t *testing.T) {
	t.Parallel()
	// FNV-1a of the bytes 10 27 00 00 (10,000), worked out by hand from its definition.
	h := uint32(2166136261)
	for _, b := range []byte{0x10, 0x27, 0, 0} {
		h = (h ^ uint32(b)) * 16777619
	}
	assert.Equal(t, fmt.Sprintf("%08x", h), rebuild([]cell{{ID: 7}}, 1).checksum())
	assert.Len(t, rebuild(nil, 1).checksum(), 8)
}

func TestUnknownCellsHaveMultiplierOne(t *testing.T) {
	t.Parallel()
	table := rebuild([]cell{{ID: 7, Demand: 3, Supply: 1}}, 1)
	assert.Equal(t, int32(30_000), table.multiplier(7))
	assert.Equal(t, int32(unitMultiplier), table.multiplier(8))
}

func TestCents(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		base int64
		m    int32
		want int64
	}{{0, 50_000, 0}, {1, 14_999, 1}, {1, 15_000, 2}, {1250, 16_249, 2031}, {100_000_000, 50_000, 500_000_000}} {
		assert.Equal(t, tt.want, cents(tt.base, tt.m), "%d at %d", tt.base, tt.m)
	}
}

func TestLoadsAreTheirBodies(t *testing.T) {
	t.Parallel()
	seed := []byte("some seed")
	l := load{ID: "wave-1", Cells: 500, Iterations: 9}
	var body struct {
		Cells      []cell `json:"cells"`
		Iterations int    `json:"iterations"`
	}
	require.NoError(t, json.Unmarshal(l.body(seed), &body))
	assert.Equal(t, l.cells(seed), body.Cells)
	assert.Equal(t, 9, body.Iterations)
	ids := map[int32]bool{}
	for _, c := range body.Cells {
		ids[c.ID] = true
	}
	assert.Len(t, ids, 500, "no id twice")
	for _, id := range watched(seed) {
		assert.True(t, ids[id], "watched cells are in every table")
	}
	other := l
	other.ID = "wave-2"
	assert.NotEqual(t, l.cells(seed), other.cells(seed), "no rebuild is like another")
	assert.NotEqual(t, l.cells(seed), l.cells([]byte("another seed")))
}

func TestTheLargeBodyHasEightMegabytes(t *testing.T) {
	t.Parallel()
	loads := settings{kind: kindRebuild, work: minWork}.loads()
	size := len(loads[waveLoads].body([]byte("x")))
	assert.Greater(t, size, 8_000_000)
	assert.Less(t, size, 9_000_000)
}

func TestQuestions(t *testing.T) {
	t.Parallel()
	a := newAsker([]byte("seed"), "questions")
	unknown := 0
	for n := range 4_000 {
		q := a.question(n)
		assert.Equal(t, q, a.question(n))
		if _, ok := find(a.ids, q.Cell); !ok {
			unknown++
		}
	}
	assert.InDelta(t, 250, unknown, 80, "one in sixteen")
}

func find(ids []int32, id int32) (int, bool) {
	i := sort.Search(len(ids), func(i int) bool { return ids[i] >= id })
	return i, i < len(ids) && ids[i] == id
}

func TestSettings(t *testing.T) {
	t.Parallel()
	good, err := parseSettings(map[string]any{"kind": "burst", "work": 5_000_000})
	require.NoError(t, err)
	assert.Equal(t, settings{kindBurst, 5_000_000}, good)
	for _, tt := range []struct {
		with map[string]any
		want string
	}{
		{map[string]any{"kind": "rebuild"}, "with.work: must be a whole number"},
		{map[string]any{"kind": "rebuild", "work": 1.5e6 + 0.5}, "with.work"},
		{map[string]any{"kind": "rebuild", "work": 10}, "with.work"},
		{map[string]any{"kind": "rebuild", "work": "much"}, "with.work"},
		{map[string]any{"kind": "storm", "work": 5_000_000}, "with.kind: must be rebuild or burst"},
		{map[string]any{"kind": "burst", "work": 5_000_000, "size": 1}, "with.size: unknown setting"},
	} {
		assert.ErrorContains(t, New().Check(tt.with), tt.want)
	}
}
