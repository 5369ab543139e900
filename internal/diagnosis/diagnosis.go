package diagnosis

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/assay-run/assay/internal/evidence"
)

// maxPlaces bounds the stalls and the allocations of a diagnosis.
const (
	maxPlaces      = 5
	maxAllocations = 8
)

// analysis is a recording beside what was measured from outside.
type analysis struct {
	recording *Recording
	profile   *profile
	started   time.Duration
	inside    []window // stalls that the process saw
	own       []window // what the diagnosis itself made the process do, in order of time
}

// Diagnose explains an execution that began at started, a time of the clock by which messages arrived. The result is
// never nil.
func Diagnose(r *Recording, x *evidence.Execution, started time.Duration) *evidence.Diagnosis {
	d := &evidence.Diagnosis{
		Execution: x.Name, DurationNs: x.DurationNs, Exit: x.Exit, Skills: []string{},
		Stalls: []evidence.Stall{}, Allocations: []evidence.Allocation{}, Series: curves(x),
	}
	if r.Empty() {
		d.Note = "The process sent nothing: it ended too soon, or did not allow its inspector to be used."
		return d
	}
	a := &analysis{recording: r, profile: newProfile(r, started), started: started, inside: r.fromInside(started)}
	for _, h := range r.heaps {
		a.own = append(a.own, window{r.seconds(h.from, started), r.seconds(h.to, started)})
	}
	slices.SortFunc(a.own, func(x, y window) int { return cmp.Compare(x.to, y.to) })
	whole := a.look(window{0, float64(x.DurationNs) / 1e9})
	d.Samples = len(whole.samples)
	d.IdleShare, d.GCShare = share(whole.idle, whole.total), share(whole.gc, whole.total)
	seen := fromHeartbeat(x.Find(evidence.SeriesHeartbeat))
	if x.Heartbeat == nil {
		seen, d.FromInside = a.inside, true
	}
	a.stalls(d, worst(seen))
	a.allocations(d)
	switch {
	case r.dropped > 0 || r.left > 0:
		d.Note = fmt.Sprintf("It is not complete: messages that were too many or too large are left out (%d).", r.dropped+r.left)
	case !r.ended:
		d.Note = "The process ended without warning, so its last second is missing."
	}
	return d
}

// curves are those that the report shows.
func curves(x *evidence.Execution) []evidence.Series {
	out := []evidence.Series{}
	for _, name := range []string{evidence.SeriesHeartbeat, evidence.SeriesMemory} {
		if s := x.Find(name); s != nil {
			out = append(out, *s)
		}
	}
	return out
}

// stalls explains the stalls and keeps the longest of each place that is to blame.
func (a *analysis) stalls(d *evidence.Diagnosis, all []window) {
	type key struct {
		cause evidence.StallCause
		pkg   string
		place evidence.Place
	}
	at := map[key]int{}
	var out []evidence.Stall
	for _, w := range all { // the longest first
		s, ok := a.stall(w)
		if !ok || d.FromInside && s.Cause == evidence.CauseWaiting {
			continue // a late timer beside an idle loop is the machine's doing
		}
		d.StallCount++
		k := key{cause: s.Cause, pkg: s.Package}
		if s.Blame != nil {
			k.place = *s.Blame
			k.place.Line = 0 // lines differ from one look to the next
		}
		if i, ok := at[k]; ok {
			out[i].Alike++
			out[i].AlikeNs += s.LatencyNs
			continue
		}
		at[k] = len(out)
		out = append(out, s)
	}
	d.Stalls = append(d.Stalls, out[:min(len(out), maxPlaces)]...)
}

// line is the line at which a function was most of the time in a stall: by the samples where it was the innermost, by
// exact stacks where it had called another. 0 when neither is known.
func (a *analysis) line(l *look, n int32) int {
	f, w := l.p.fn(n), l.w
	if f.file == "" {
		return 0
	}
	own := l.p.lines(n, w.from, w.to)
	if self := l.self(n); self >= mostly*l.with[n] && len(own) > 0 {
		return mode(own)
	}
	const late = 0.5                              // seconds: a stack may have to wait for the end of a call into Node
	called, alike := map[int]int{}, map[int]int{} // by place, and by name where Node does not say where a function begins
	for _, s := range a.recording.stacks {
		if at := a.recording.seconds(s.at, a.started); at < w.from || at > w.to+late {
			continue
		}
		for _, c := range s.calls {
			if c.fn.file != f.file {
				continue
			}
			if c.fn.line == f.line {
				called[c.line]++
				break
			}
			if c.fn.name == f.name {
				alike[c.line]++
			}
		}
	}
	if len(called) == 0 {
		called = alike
	}
	if len(called) > 0 {
		return mode(called)
	}
	return mode(own)
}

// self is the time in which a node was the innermost function that is JavaScript.
func (l *look) self(n int32) float64 {
	sum := l.with[n]
	for c, v := range l.with {
		if l.p.nodes[c].parent == n && l.p.fn(c).file != "" {
			sum -= v
		}
	}
	return sum
}

// mode is the key with the largest count, the smallest of several; 0 when there is none.
func mode(counts map[int]int) int {
	best, most := 0, 0
	for k, n := range counts {
		if n > most || n == most && k < best {
			best, most = k, n
		}
	}
	return best
}

// allocations compares what was alive when most was with what was alive at the start.
func (a *analysis) allocations(d *evidence.Diagnosis) {
	heaps := a.recording.heaps
	if len(heaps) < 2 {
		return
	}
	top := slices.MaxFunc(heaps[1:], func(x, y heap) int { return cmp.Compare(x.total(), y.total()) })
	before, after := heaps[0].sites(), top.sites()
	grown := 0.0
	for site, bytes := range after {
		more := bytes - before[site]
		if more <= 0 {
			continue
		}
		grown += more
		if !site.fn.user() {
			continue // what Node needs for itself
		}
		d.Allocations = append(d.Allocations, evidence.Allocation{
			Place: site.fn.place(0), Kind: site.fn.kind(), Via: site.via, Bytes: int64(more),
		})
	}
	d.HeapBytes = int64(max(0, grown))
	for _, h := range heaps {
		d.BufferBytes = max(d.BufferBytes, int64(h.backing))
	}
	slices.SortFunc(d.Allocations, func(x, y evidence.Allocation) int {
		return cmp.Or(cmp.Compare(y.Bytes, x.Bytes), cmp.Compare(x.File, y.File), cmp.Compare(x.Line, y.Line),
			cmp.Compare(x.Function, y.Function), cmp.Compare(x.Via, y.Via))
	})
	d.Allocations = d.Allocations[:min(len(d.Allocations), maxAllocations)]
	for i := range d.Allocations {
		d.Allocations[i].Share = share(float64(d.Allocations[i].Bytes), grown)
	}
}

// site is a function of people, or of Node where none was on the stack, and what it called to allocate.
type site struct {
	fn  function
	via string
}

func (h heap) total() float64 {
	sum := 0.0
	for _, n := range h.nodes {
		sum += n.bytes
	}
	return sum
}

// sites adds up what is alive by the innermost function of the submission, or else of a package.
func (h heap) sites() map[site]float64 {
	out := map[site]float64{}
	at := make([]site, len(h.nodes)) // by node: the site that allocates there
	for i, n := range h.nodes {
		f := h.funcs[n.fn]
		var s site
		if n.parent >= 0 {
			s = at[n.parent]
		}
		switch {
		case f.kind() == evidence.FrameOwn, s.fn.kind() != evidence.FrameOwn && f.kind() == evidence.FramePackage:
			s = site{fn: f}
		case s.fn.user() && s.via == "":
			s.via = f.name
			if name := packageName(f.file); name != "" {
				s.via = name
			}
		case !s.fn.user() && f.name != nameRoot:
			s = site{fn: f}
		}
		at[i] = s
		if n.bytes > 0 && s.fn.file != ourFile {
			out[s] += n.bytes
		}
	}
	return out
}
