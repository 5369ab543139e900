// Package diagnosis says who blocked the loop: it takes what the diagnostic preload recorded inside a process (pieces of
// a CPU profile, stacks, samples of what is allocated) together with what was measured from outside, and names the lines
// of code behind the worst stalls and behind the growth of memory.
//
// It is pure. A recording comes from the submission's own process, so it can be forged: it is bounded and checked here,
// and it only ever explains.
package diagnosis

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
)

// Bounds of a recording.
const (
	MaxFrameBytes = 4 << 20  // of one message
	MaxTotalBytes = 32 << 20 // of all messages of one process

	maxPieces    = 100_000   // an empty one takes memory too
	maxSamples   = 2_000_000 // half an hour
	maxNodes     = 400_000   // of all pieces together
	maxFunctions = 400_000
	maxStacks    = 1000
	maxStackLen  = 64
	maxStalls    = 20_000
	maxHeaps     = 4000
	maxName      = 200 // bytes
	maxMicros    = 1 << 53
)

// ErrMessage means that a message is none that the preload sends. Compare with errors.Is.
var ErrMessage = errors.New("malformed message of the diagnosis")

// Recording collects the messages of one process. Its memory is bounded whatever comes. The zero value is ready to use;
// it is not safe for concurrent use.
type Recording struct {
	pieces []piece
	stacks []stack
	heaps  []heap
	stalls []span

	node     string
	messages int
	dropped  int  // malformed or over a bound
	left     int  // left out by the sender
	ended    bool // it said that it was complete
	samples  int
	nodes    int
	funcs    int
	// offset is what to add to the sender's clock to get ours: the smallest difference between arriving and sending, which
	// is the transport at its quickest.
	offset time.Duration
	timed  bool
}

// function is one function of a program, by where it begins.
type function struct {
	name, file string
	line       int
}

// piece is a stretch of a CPU profile. Times are the sender's clock in microseconds.
type piece struct {
	from, to float64
	funcs    []function
	nodes    []node
	samples  []int32   // nodes
	deltas   []float64 // since the sample before
}

// node is one place in the tree of calls. Its caller comes before it.
type node struct {
	fn, parent int32
	lines      []int32 // pairs: line, samples
}

// stack is one exact look at the main thread, innermost call first.
type stack struct {
	at    float64
	calls []call
	// ran is how many callbacks began in the counted microseconds before looked.
	looked, counted, ran float64
}

// call is a function on a stack and the line that it was at.
type call struct {
	fn   function
	line int
}

// heap is what was alive at a moment.
type heap struct {
	span    // in which it was asked for: V8 collected all garbage then
	used    float64
	backing float64 // buffers beside the heap
	funcs   []function
	nodes   []heapNode
}

type heapNode struct {
	fn, parent int32
	bytes      float64
}

// span is a time without a turn of the loop.
type span struct{ from, to float64 }

// message is the wire form of everything that the preload sends; see diagnose.mjs.
type message struct {
	Type    string       `json:"t"`
	Version int          `json:"v"`
	At      float64      `json:"at"`
	Left    int          `json:"left"`
	Node    string       `json:"node"`
	From    float64      `json:"from"`
	To      float64      `json:"to"`
	Asked   float64      `json:"asked"`
	Looked  float64      `json:"looked"`
	Counted float64      `json:"counted"`
	Ran     float64      `json:"ran"`
	Used    float64      `json:"used"`
	Backing float64      `json:"backing"`
	Funcs   []rawFunc    `json:"f"`
	Tree    []rawNode    `json:"n"`
	Samples []int32      `json:"s"`
	Deltas  []float64    `json:"d"`
	Calls   [][2]float64 `json:"k"`
}

type rawFunc function

// UnmarshalJSON reads [name, file, line].
func (f *rawFunc) UnmarshalJSON(b []byte) error {
	parts := []any{&f.name, &f.file, &f.line}
	return json.Unmarshal(b, &parts)
}

// rawNode is [function, caller, lines] in a profile and [function, caller, bytes] in a heap.
type rawNode struct {
	fn, parent int32
	rest       json.RawMessage
}

// UnmarshalJSON reads the three parts; the last one differs.
func (n *rawNode) UnmarshalJSON(b []byte) error {
	parts := []any{&n.fn, &n.parent, &n.rest}
	return json.Unmarshal(b, &parts)
}

// Add takes one message that arrived at a time of our clock. A message that is refused is counted.
func (r *Recording) Add(b []byte, arrived time.Duration) error {
	err := r.add(b, arrived)
	if err != nil {
		r.dropped++
	}
	return err
}

func (r *Recording) add(b []byte, arrived time.Duration) error {
	if len(b) > MaxFrameBytes {
		return fmt.Errorf("%w: %d bytes", ErrMessage, len(b))
	}
	var m message
	if err := json.Unmarshal(b, &m); err != nil {
		return fmt.Errorf("%w: %w", ErrMessage, err)
	}
	for _, v := range []float64{m.At, m.From, m.To, m.Asked, m.Looked, m.Counted, m.Ran, m.Used, m.Backing} {
		if v < 0 || v > maxMicros {
			return fmt.Errorf("%w: number out of range", ErrMessage)
		}
	}
	if err := r.take(&m); err != nil {
		return err
	}
	r.messages++
	r.left = max(r.left, m.Left)
	if offset := arrived - time.Duration(m.At*1e3); !r.timed || offset < r.offset {
		r.offset, r.timed = offset, true
	}
	return nil
}

func (r *Recording) take(m *message) error {
	switch m.Type {
	case "hello":
		if m.Version != 1 {
			return fmt.Errorf("%w: version %d", ErrMessage, m.Version)
		}
		r.node = short(m.Node)
	case "cpu":
		return r.takePiece(m)
	case "stack":
		return r.takeStack(m)
	case "heap":
		return r.takeHeap(m)
	case "stall":
		if m.To < m.From || len(r.stalls) >= maxStalls {
			return fmt.Errorf("%w: stall", ErrMessage)
		}
		r.stalls = append(r.stalls, span{m.From, m.To})
	case "end":
		r.ended = true
	default:
		return fmt.Errorf("%w: type %q", ErrMessage, short(m.Type))
	}
	return nil
}

func (r *Recording) takePiece(m *message) error {
	if m.To < m.From || len(m.Samples) != len(m.Deltas) || r.samples+len(m.Samples) > maxSamples || len(r.pieces) >= maxPieces {
		return fmt.Errorf("%w: samples of a profile", ErrMessage)
	}
	p := piece{from: m.From, to: m.To, samples: m.Samples, deltas: m.Deltas}
	var err error
	if p.funcs, err = r.takeFuncs(m); err != nil {
		return err
	}
	for i, raw := range m.Tree {
		n := node{fn: raw.fn, parent: raw.parent}
		if err := json.Unmarshal(raw.rest, &n.lines); err != nil || len(n.lines)%2 != 0 || !n.fits(i, len(p.funcs)) {
			return fmt.Errorf("%w: tree of a profile", ErrMessage)
		}
		p.nodes = append(p.nodes, n)
	}
	for i, s := range p.samples {
		if s < 0 || int(s) >= len(p.nodes) || math.Abs(p.deltas[i]) > maxMicros {
			return fmt.Errorf("%w: sample of a profile", ErrMessage)
		}
	}
	r.samples += len(p.samples)
	r.pieces = append(r.pieces, p)
	return nil
}

// fits says that a node may stand at position i: only the first has no caller.
func (n node) fits(i, funcs int) bool {
	return n.fn >= 0 && int(n.fn) < funcs && int(n.parent) < i && (n.parent >= 0) == (i > 0)
}

func (r *Recording) takeStack(m *message) error {
	if len(m.Calls) > maxStackLen || len(r.stacks) >= maxStacks {
		return fmt.Errorf("%w: stack", ErrMessage)
	}
	funcs, err := r.takeFuncs(m)
	if err != nil {
		return err
	}
	s := stack{at: m.At, looked: m.Looked, counted: m.Counted, ran: m.Ran}
	for _, k := range m.Calls {
		if k[0] < 0 || int(k[0]) >= len(funcs) || k[1] < 0 || k[1] > math.MaxInt32 {
			return fmt.Errorf("%w: call of a stack", ErrMessage)
		}
		s.calls = append(s.calls, call{funcs[int(k[0])], int(k[1])})
	}
	r.stacks = append(r.stacks, s)
	return nil
}

func (r *Recording) takeHeap(m *message) error {
	if len(r.heaps) >= maxHeaps || m.To < m.From {
		return fmt.Errorf("%w: heap", ErrMessage)
	}
	h := heap{span: span{m.From, m.To}, used: m.Used, backing: m.Backing}
	var err error
	if h.funcs, err = r.takeFuncs(m); err != nil {
		return err
	}
	for i, raw := range m.Tree {
		n := heapNode{fn: raw.fn, parent: raw.parent}
		err := json.Unmarshal(raw.rest, &n.bytes)
		if err != nil || n.bytes < 0 || n.bytes > maxMicros || !(node{fn: n.fn, parent: n.parent}).fits(i, len(h.funcs)) {
			return fmt.Errorf("%w: tree of a heap", ErrMessage)
		}
		h.nodes = append(h.nodes, n)
	}
	r.heaps = append(r.heaps, h)
	return nil
}

// takeFuncs checks and counts the functions and the nodes of a message.
func (r *Recording) takeFuncs(m *message) ([]function, error) {
	if r.funcs+len(m.Funcs) > maxFunctions || r.nodes+len(m.Tree) > maxNodes {
		return nil, fmt.Errorf("%w: too many functions", ErrMessage)
	}
	r.funcs += len(m.Funcs)
	r.nodes += len(m.Tree)
	out := make([]function, len(m.Funcs))
	for i, f := range m.Funcs {
		if f.line < 0 || f.line > math.MaxInt32 {
			return nil, fmt.Errorf("%w: line of a function", ErrMessage)
		}
		out[i] = function{short(f.name), short(f.file), f.line}
		if out[i].file != "" {
			out[i].line = max(f.line, 1) // V8 says 0 or 1 of a module's own code, by turns
		}
	}
	return out, nil
}

func short(s string) string {
	if len(s) <= maxName {
		return s
	}
	return s[:maxName]
}

// Empty says that nothing came that could be read.
func (r *Recording) Empty() bool { return r.messages == 0 }

// seconds turns the sender's clock into seconds since started, a time of our clock.
func (r *Recording) seconds(micros float64, started time.Duration) float64 {
	return micros/1e6 + (r.offset - started).Seconds()
}
