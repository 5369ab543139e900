package surgepricing

import (
	"crypto/hmac"
	"crypto/sha256"
	"math/rand/v2"
	"slices"
	"strconv"
)

const (
	// watchedCells is how many cells quotes are asked about. All tables have them, so that what a quote must say can be told from
	// a few numbers of each table; nobody can know beforehand which they are.
	watchedCells = 48
	// cellBytes is about what a cell takes in a body.
	cellBytes = 45
	maxID     = 1<<31 - 1
)

// derive makes a seed of its own for a purpose.
func derive(seed []byte, purpose string) []byte {
	mac := hmac.New(sha256.New, seed)
	mac.Write([]byte(Name + "/" + purpose))
	return mac.Sum(nil)
}

func random(seed []byte, purpose string) *rand.Rand {
	return rand.New(rand.NewChaCha8([32]byte(derive(seed, purpose)))) //nolint:gosec // data must be reproducible
}

// watched are the cells that quotes are asked about, ascending.
func watched(seed []byte) []int32 {
	rng := random(seed, "watched")
	ids := map[int32]bool{}
	for len(ids) < watchedCells {
		ids[rng.Int32N(maxID)] = true
	}
	list := make([]int32, 0, len(ids))
	for id := range ids {
		list = append(list, id)
	}
	slices.Sort(list)
	return list
}

// load is one rebuild that the driver sends.
type load struct {
	ID         string `json:"id"`
	Cells      int    `json:"cells"`
	Iterations int    `json:"iterations"`
}

// cells are those of a load, in the order in which they are sent: the watched ones and others, all ids different.
func (l load) cells(seed []byte) []cell {
	rng := random(seed, "load "+l.ID)
	list := make([]cell, 0, l.Cells)
	taken := make(map[int32]struct{}, l.Cells)
	add := func(id int32) {
		if _, twice := taken[id]; twice || len(list) == l.Cells {
			return
		}
		taken[id] = struct{}{}
		list = append(list, cell{ID: id, Demand: demand(rng), Supply: rng.Int32N(2_000)})
	}
	for _, id := range watched(seed) {
		add(id)
	}
	for len(list) < l.Cells {
		add(rng.Int32N(maxID))
	}
	rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// demand is mostly ordinary, sometimes none, and sometimes a football match.
func demand(rng *rand.Rand) int32 {
	switch n := rng.Int32N(20); n {
	case 0:
		return 0
	case 1:
		return rng.Int32N(1_000_001)
	default:
		return rng.Int32N(4_000)
	}
}

// body is the JSON that is sent for a load.
func (l load) body(seed []byte) []byte {
	list := l.cells(seed)
	b := make([]byte, 0, 64+(cellBytes+8)*len(list))
	b = append(b, `{"cells":[`...)
	for i, c := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"id":`...)
		b = strconv.AppendInt(b, int64(c.ID), 10)
		b = append(b, `,"demand":`...)
		b = strconv.AppendInt(b, int64(c.Demand), 10)
		b = append(b, `,"supply":`...)
		b = strconv.AppendInt(b, int64(c.Supply), 10)
		b = append(b, '}')
	}
	b = append(b, `],"iterations":`...)
	b = strconv.AppendInt(b, int64(l.Iterations), 10)
	return append(b, '}')
}

// question is one quote that the driver asks for. Its number decides it, so that the judge knows it too.
type question struct {
	Cell int32
	Base int64
}

// asker makes the questions of a run. It is safe for concurrent use.
type asker struct {
	seed []byte
	ids  []int32
}

func newAsker(seed []byte, purpose string) asker {
	return asker{seed: derive(seed, purpose), ids: watched(seed)}
}

// question returns the question with a number. One in sixteen asks for a cell that no table is likely to have.
func (a asker) question(n int) question {
	mac := hmac.New(sha256.New, a.seed)
	mac.Write(strconv.AppendInt(nil, int64(n), 10))
	h := mac.Sum(nil)
	pick := int(h[0])<<8 | int(h[1])
	q := question{Cell: a.ids[pick%len(a.ids)], Base: int64(h[2])<<16 | int64(h[3])<<8 | int64(h[4])}
	if h[5]%16 == 0 {
		q.Cell = (int32(h[6])<<16 | int32(h[7])<<8 | int32(h[8])) + 1
		for slices.Contains(a.ids, q.Cell) {
			q.Cell++
		}
	}
	return q
}

// body is the JSON of a question.
func (q question) body() []byte {
	b := append([]byte(nil), `{"cell":`...)
	b = strconv.AppendInt(b, int64(q.Cell), 10)
	b = append(b, `,"baseCents":`...)
	b = strconv.AppendInt(b, q.Base, 10)
	return append(b, '}')
}
