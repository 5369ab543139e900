package diagnosis

import (
	"cmp"
	"slices"

	"github.com/assay-run/assay/internal/evidence"
)

// Shares from which something explains a stall.
const (
	mostlyIdle    = 0.6  // of the time: the loop was free
	mostlyGC      = 0.4  // of the busy time: the program could not run for a large part of it
	mostly        = 0.5  // of the busy time
	nearlyAll     = 0.8  // one function is to blame, whoever called it
	worthNaming   = 0.3  // a second place
	stillTurning  = 0.3  // less than this was without a turn of the loop
	mistakes      = 0.01 // of the looks may miss a function
	maxStackShown = 12
)

// look is a stall with its samples added up.
type look struct {
	p       *profile
	w       window
	samples []sample
	with    map[int32]float64 // seconds by node, callees included
	own     map[int32]float64 // seconds by the deepest node that people wrote
	calls   map[string]float64
	total   float64 // seconds
	idle    float64
	ours    float64 // what the diagnosis itself did
	gc      float64
	script  float64 // seconds with a stack
}

func (a *analysis) look(w window) *look {
	p := a.profile
	l := &look{
		p: p, w: w, samples: p.between(w.from, w.to),
		with: map[int32]float64{}, own: map[int32]float64{}, calls: map[string]float64{},
	}
	for _, s := range l.samples {
		l.total += s.took
		f := p.fn(s.node)
		switch {
		case f.name == nameIdle:
			l.idle += s.took
		case f.file == ourFile, f.name == nameGC && a.asked(s):
			l.ours += s.took
		case f.name == nameGC:
			l.gc += s.took
		case f.name == nameProgram || f.name == nameRoot:
		default:
			l.addStack(s)
		}
	}
	return l
}

func (l *look) addStack(s sample) {
	l.script += s.took
	user, call := int32(-1), ""
	for _, n := range l.p.path(s.node) {
		l.with[n] += s.took
		f := l.p.fn(n)
		switch name, _ := syncCall(f); {
		case f.user():
			user, call = n, ""
		case name != "" && call == "":
			call = name
		}
	}
	if user >= 0 {
		l.own[user] += s.took
	}
	if call != "" {
		l.calls[call] += s.took
	}
}

// asked says that a collection was one that the diagnosis asked for.
func (a *analysis) asked(s sample) bool {
	i, _ := slices.BinarySearchFunc(a.own, s.at-s.took, func(w window, t float64) int { return cmp.Compare(w.to, t) })
	return i < len(a.own) && a.own[i].from < s.at
}

// busy is the time in which the submission itself kept the thread.
func (l *look) busy() float64 { return l.total - l.idle - l.ours }

func share(part, whole float64) float64 {
	if whole <= 0 {
		return 0
	}
	return min(part/whole, 1)
}

// hotPath goes from the root to where the time was spent, as long as one callee has at least half of its caller's.
func (l *look) hotPath() []int32 {
	callees := map[int32][]int32{}
	root := int32(-1)
	for n := range l.with {
		parent := l.p.nodes[n].parent
		callees[parent] = append(callees[parent], n)
		if parent < 0 {
			root = n
		}
	}
	var path []int32
	for n := root; n >= 0; {
		path = append(path, n)
		next, most := int32(-1), 0.0
		for _, c := range callees[n] {
			if v := l.with[c]; v > most || v == most && c < next {
				next, most = c, v
			}
		}
		if most < mostly*l.with[n] {
			break
		}
		n = next
	}
	return path
}

// holder is the deepest function of people on a path that was on the stack all the time and so did not return; -1 when
// there is none.
func (l *look) holder(path []int32) int32 {
	for i := len(path) - 1; i >= 0; i-- {
		n := path[i]
		if l.p.fn(n).user() && l.stayed(n) {
			return n
		}
	}
	return -1
}

// stayed says that a function was on the stack nearly all the time, and that hardly a look between the first and the last one
// at it found it gone. A few do by mistake: V8 misses the caller of a function that is just beginning. Where much is built
// in that is one look in ten, so looks that found the function's own caller, and that always at the one line of its call, prove
// nothing.
func (l *look) stayed(n int32) bool {
	caller := l.p.nodes[n].parent
	oneLine := caller >= 0 && len(l.p.lines(caller, l.w.from, l.w.to)) <= 1
	on, gone, since, missed := 0, 0, 0, 0.0
	for _, s := range l.samples {
		switch {
		case l.unknown(s):
		case oneLine && s.node == caller:
			missed += s.took
		case l.on(s, n):
			on++
			gone += since
			since = 0
		case on > 0:
			since++
		}
	}
	return share(l.with[n], l.script-missed) >= nearlyAll && missed < l.with[n] && float64(gone) <= mistakes*float64(on)
}

// unknown says that a sample has no stack, as during a collection.
func (l *look) unknown(s sample) bool {
	f := l.p.fn(s.node)
	return f.name == nameGC || f.name == nameProgram || f.name == nameRoot || f.file == ourFile
}

func (l *look) on(s sample, n int32) bool {
	at, depth := s.node, l.p.nodes[n].depth
	for l.p.nodes[at].depth > depth {
		at = l.p.nodes[at].parent
	}
	return at == n
}

// slices says that the stall is made of many callbacks, none of them long: of ticks, promises or microtasks, since nothing else
// runs while the loop does not turn. The process counts them; a profile cannot tell a queue between two short callbacks from
// the beginning of a function.
func (a *analysis) slices(w window) bool {
	const (
		short   = 15_000 // microseconds a callback on average: several make a stall
		several = 3
		part    = 0.3 // of the stall must have been counted: the hook comes late where a call into Node took long
	)
	ran, counted := 0.0, 0.0
	for _, s := range a.recording.stacks {
		if at := a.recording.seconds(s.looked, a.started); s.counted > 0 && at <= w.to && at-s.counted/1e6 >= w.from {
			ran += s.ran
			counted += s.counted
		}
	}
	return ran >= several && counted/ran < short && counted/1e6 >= part*w.length()
}

// hottest is the function of people in which itself, with what it calls of Node, most time was spent; -1 when there is
// none.
func (l *look) hottest(keep func(function) bool) (int32, float64) {
	best, most := int32(-1), 0.0
	byFunction := map[int32]float64{}
	for n, v := range l.own {
		if keep(l.p.fn(n)) {
			byFunction[l.p.nodes[n].fn] += v
		}
	}
	for n, v := range l.own {
		sum := byFunction[l.p.nodes[n].fn]
		if sum > most || sum == most && sum > 0 && (v > l.own[best] || v == l.own[best] && n < best) {
			best, most = n, sum
		}
	}
	return best, most
}

// stall says what a stall was made of; false when that was the diagnosis itself.
func (a *analysis) stall(w window) (evidence.Stall, bool) {
	l := a.look(w)
	s := evidence.Stall{
		From: w.from, To: w.to, LatencyNs: int64(w.length() * 1e9), Samples: len(l.samples), Stack: []evidence.StackFrame{},
		GCShare: share(l.gc, l.busy()), IdleShare: share(l.idle, l.total), Cause: evidence.CauseUnknown, Alike: 1,
	}
	s.AlikeNs = s.LatencyNs
	if l.ours >= mostly*l.total && l.total > 0 {
		return s, false
	}
	if len(l.samples) == 0 || l.total <= 0 {
		return s, true
	}
	path := l.hotPath()
	s.Slices = a.slices(w)
	s.Turning = !s.Slices && len(a.inside) > 0 && covered(w, a.inside) < stillTurning
	a.place(l, path, &s)
	a.cause(l, &s)
	if s.Cause == evidence.CauseGC && s.Blame == nil { // who allocated is seen before and after
		const beside = 0.1 // seconds
		near := a.look(window{w.from - beside, w.to + beside})
		a.place(near, near.hotPath(), &s)
	}
	if s.Cause == evidence.CauseWaiting {
		return s, true // the code that ran beside it is not to blame
	}
	for i := len(path) - 1; i >= 0 && len(s.Stack) < maxStackShown; i-- {
		f := l.p.fn(path[i])
		if f.name == nameRoot {
			continue
		}
		s.Stack = append(s.Stack, evidence.StackFrame{
			Place: f.place(a.line(l, path[i])), Kind: f.kind(), Share: share(l.with[path[i]], l.script),
		})
	}
	return s, true
}

// place finds the lines: the one that did not give way, and the one that took the time.
func (a *analysis) place(l *look, path []int32, s *evidence.Stall) {
	own := func(f function) bool { return f.kind() == evidence.FrameOwn }
	hot, took := l.hottest(own)
	if hot < 0 { // packages only
		hot, took = l.hottest(function.user)
	}
	holder := l.holder(path)
	if holder >= 0 && !own(l.p.fn(holder)) {
		holder = l.ownCaller(holder)
	}
	if hot >= 0 && !own(l.p.fn(hot)) {
		if caller := l.ownCaller(hot); caller >= 0 {
			hot = caller
		}
	}
	blame := holder
	if blame < 0 || s.Slices || s.Turning || l.tookIt(hot, took) {
		blame = hot
	}
	if blame < 0 {
		return
	}
	at := l.p.fn(blame).place(a.line(l, blame))
	s.Blame = &at
	if part := share(took, l.script); hot >= 0 && l.p.nodes[hot].fn != l.p.nodes[blame].fn && part >= worthNaming {
		at := l.p.fn(hot).place(a.line(l, hot))
		s.Hot, s.HotShare = &at, part
	}
}

// tookIt says that one function took nearly all the time: itself, or, where it is most of it itself, together with what it
// calls. A sort and its comparator are one piece of work, however V8 divides them.
func (l *look) tookIt(n int32, own float64) bool {
	if n < 0 || share(own, l.script) < mostly {
		return false
	}
	all := 0.0
	for _, s := range l.samples {
		if !l.unknown(s) && l.calledIn(s.node, l.p.nodes[n].fn) {
			all += s.took
		}
	}
	return share(all, l.script) >= nearlyAll
}

// calledIn says that a function is on the stack of a node.
func (l *look) calledIn(n, fn int32) bool {
	for ; n >= 0; n = l.p.nodes[n].parent {
		if l.p.nodes[n].fn == fn {
			return true
		}
	}
	return false
}

// ownCaller is the nearest caller of a node that belongs to the submission; the node itself when there is none.
func (l *look) ownCaller(n int32) int32 {
	for at := n; at >= 0; at = l.p.nodes[at].parent {
		if l.p.fn(at).kind() == evidence.FrameOwn {
			return at
		}
	}
	return n
}

// cause names the kind of work.
func (a *analysis) cause(l *look, s *evidence.Stall) {
	byPackage, packages, users := map[string]float64{}, 0.0, 0.0
	for n, v := range l.own {
		users += v
		if f := l.p.fn(n); f.kind() == evidence.FramePackage {
			byPackage[packageName(f.file)] += v
			packages += v
		}
	}
	call, waited := largest(l.calls)
	switch busy := l.busy(); {
	case s.IdleShare >= mostlyIdle:
		s.Cause = evidence.CauseWaiting
	case s.GCShare >= mostlyGC:
		s.Cause = evidence.CauseGC
	case waited >= mostly*busy:
		s.Cause, s.Call = evidence.CauseSyncWork, call
		if isIO(call) {
			s.Cause = evidence.CauseSyncIO
		}
	case packages >= mostly*busy:
		s.Cause = evidence.CausePackage
		s.Package, _ = largest(byPackage)
	case users > 0 && users >= worthNaming*busy:
		s.Cause = evidence.CauseOwnCode
	case l.script >= mostly*busy:
		s.Cause = evidence.CauseNode
	default:
		s.Cause = evidence.CauseNative
	}
	if s.Cause == evidence.CauseWaiting {
		s.Blame, s.Hot, s.HotShare, s.Turning, s.Slices = nil, nil, 0, false, false
	}
	if s.Slices && s.Blame != nil && (s.Cause == evidence.CauseNode || s.Cause == evidence.CauseNative) {
		s.Cause = evidence.CauseOwnCode // the queue is busy with what the submission puts into it
	}
	if s.Call == "" && waited > 0 && s.Cause == evidence.CauseOwnCode {
		s.Call = call // in the same stretch, though not most of it
	}
}

// largest is the key with the largest value, the first by name of several.
func largest(of map[string]float64) (string, float64) {
	best, most := "", 0.0
	for k, v := range of {
		if v > most || v == most && k < best {
			best, most = k, v
		}
	}
	return best, most
}

func isIO(call string) bool {
	return slices.ContainsFunc([]string{"fs.", "child_process."}, func(m string) bool {
		return len(call) > len(m) && call[:len(m)] == m
	})
}
