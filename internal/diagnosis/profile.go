package diagnosis

import (
	"cmp"
	"slices"
	"time"
)

// profile is the pieces of a recording put together: one tree of calls, and the samples in order of time.
type profile struct {
	funcs   []function
	nodes   []merged
	samples []sample
	pieces  []pieceNodes
}

// merged is a place in the common tree: a function with the path of its callers.
type merged struct {
	fn     int32
	parent int32 // -1 for the root
	depth  int32
	native []int32 // callees that are not JavaScript: their lines are lines of this function
}

// sample is one look at the stack. It stands for the time since the look before it: a signal that could not be delivered
// during a call into the kernel is delivered at its end.
type sample struct {
	at, took float64 // seconds since the start of the execution
	node     int32
}

// pieceNodes leads from a piece's own nodes to the common tree.
type pieceNodes struct {
	from, to float64
	nodes    []node
	merged   []int32
}

type edge struct{ parent, fn int32 }

// newProfile puts pieces together. started is when the execution began, by our clock.
func newProfile(r *Recording, started time.Duration) *profile {
	p := &profile{}
	funcs, edges := map[function]int32{}, map[edge]int32{}
	for _, pc := range r.pieces {
		at := pieceNodes{from: r.seconds(pc.from, started), to: r.seconds(pc.to, started), nodes: pc.nodes}
		for _, n := range pc.nodes {
			at.merged = append(at.merged, p.merge(funcs, edges, pc.funcs[n.fn], n.parent, at.merged))
		}
		p.pieces = append(p.pieces, at)
		now := pc.from
		for i, s := range pc.samples {
			before := now
			now += pc.deltas[i]
			took := max(now-before, 0) / 1e6
			p.samples = append(p.samples, sample{at: r.seconds(now, started), took: took, node: at.merged[s]})
		}
	}
	slices.SortStableFunc(p.samples, func(a, b sample) int { return cmp.Compare(a.at, b.at) })
	return p
}

// merge finds or makes the place of a function below its caller.
func (p *profile) merge(funcs map[function]int32, edges map[edge]int32, f function, parent int32, above []int32) int32 {
	fn, ok := funcs[f]
	if !ok {
		fn = int32(len(p.funcs))
		p.funcs = append(p.funcs, f)
		funcs[f] = fn
	}
	e := edge{-1, fn}
	if parent >= 0 {
		e.parent = above[parent]
	}
	if at, ok := edges[e]; ok {
		return at
	}
	at := int32(len(p.nodes))
	m := merged{fn: fn, parent: e.parent}
	if e.parent >= 0 {
		m.depth = p.nodes[e.parent].depth + 1
		if f.file == "" {
			p.nodes[e.parent].native = append(p.nodes[e.parent].native, at)
		}
	}
	p.nodes = append(p.nodes, m)
	edges[e] = at
	return at
}

func (p *profile) fn(n int32) function { return p.funcs[p.nodes[n].fn] }

// path is a node and its callers, the root first.
func (p *profile) path(n int32) []int32 {
	out := make([]int32, p.nodes[n].depth+1)
	for i := len(out) - 1; i >= 0; i-- {
		out[i] = n
		n = p.nodes[n].parent
	}
	return out
}

// between are the samples that stand for time between two moments, each cut to it.
func (p *profile) between(from, to float64) []sample {
	first, _ := slices.BinarySearchFunc(p.samples, from, func(s sample, t float64) int { return cmp.Compare(s.at, t) })
	var out []sample
	for _, s := range p.samples[first:] {
		began := s.at - s.took
		if began >= to {
			if s.at > to+1 { // a longer look may follow, but not after a second of others
				break
			}
			continue
		}
		s.took = min(s.at, to) - max(began, from)
		if s.took > 0 {
			out = append(out, s)
		}
	}
	return out
}

// lines counts the samples of a node by line, in the pieces that touch a time. What a native callee was sampled at is a
// line of its caller.
func (p *profile) lines(n int32, from, to float64) map[int]int {
	of := map[int32]bool{n: true}
	for _, c := range p.nodes[n].native {
		of[c] = true
	}
	out := map[int]int{}
	for _, pc := range p.pieces {
		if pc.to < from || pc.from > to {
			continue
		}
		for i, m := range pc.merged {
			if !of[m] {
				continue
			}
			for j := 0; j+1 < len(pc.nodes[i].lines); j += 2 {
				if line, ticks := int(pc.nodes[i].lines[j]), int(pc.nodes[i].lines[j+1]); line > 0 && ticks > 0 {
					out[line] += ticks
				}
			}
		}
	}
	return out
}
