package surgepricing

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"slices"
)

// The bounds of the contract, in ten-thousandths.
const (
	unitMultiplier = 10_000
	mostMultiplier = 50_000
)

// cell is one entry of a rebuild.
type cell struct {
	ID     int32 `json:"id"`
	Demand int32 `json:"demand"`
	Supply int32 `json:"supply"`
}

// table is the result of a rebuild: multipliers by id, ids ascending.
type table struct {
	ids         []int32
	multipliers []int32
}

// target is rule 3 of the contract.
func (c cell) target() int32 {
	raw := unitMultiplier * int64(c.Demand) / max(int64(c.Supply), 1)
	return int32(min(mostMultiplier, max(unitMultiplier, raw))) //nolint:gosec // bounded
}

// rebuild is the executable form of rules 2 to 4. No id may occur twice.
func rebuild(cells []cell, iterations int) table {
	sorted := slices.SortedFunc(slices.Values(cells), func(a, b cell) int { return cmp.Compare(a.ID, b.ID) })
	n := len(sorted)
	t := table{ids: make([]int32, n), multipliers: make([]int32, n)}
	if n == 0 {
		return t
	}
	targets := make([]int32, n)
	for i, c := range sorted {
		t.ids[i], targets[i] = c.ID, c.target()
	}
	copy(t.multipliers, targets)
	next := make([]int32, n)
	for j := 1; j <= iterations; j++ {
		smooth(next, t.multipliers, targets, j%n)
		t.multipliers, next = next, t.multipliers
	}
	return t
}

// smooth is one iteration of rule 4, with the demand moved shift places along the ring, 0 ≤ shift < n.
func smooth(next, m, targets []int32, shift int) {
	n := len(m)
	at := shift
	for i := range m {
		left, right := i-1, i+1
		if left < 0 {
			left = n - 1
		}
		if right == n {
			right = 0
		}
		next[i] = (m[left] + 2*m[i] + m[right] + 4*targets[at]) >> 3
		if at++; at == n {
			at = 0
		}
	}
}

// checksum is rule 6.
func (t table) checksum() string {
	h := fnv.New32a()
	buf := make([]byte, 0, 4*len(t.multipliers))
	for _, m := range t.multipliers {
		buf = binary.LittleEndian.AppendUint32(buf, uint32(m)) //nolint:gosec // 10,000 to 50,000
	}
	_, _ = h.Write(buf) // never fails, by its documentation
	return fmt.Sprintf("%08x", h.Sum32())
}

// multiplier is that of a cell, also of one that the table does not have.
func (t table) multiplier(id int32) int32 {
	i, ok := slices.BinarySearch(t.ids, id)
	if !ok {
		return unitMultiplier
	}
	return t.multipliers[i]
}

// cents is rule 2 of a quote.
func cents(base int64, multiplier int32) int64 {
	return (base*int64(multiplier) + unitMultiplier/2) / unitMultiplier
}
