package evidence

// Diagnosis is what an extra run of a submission showed after it had been judged: what ran while nothing else could, and
// where memory came from. It comes from inside the process, so it can be forged; nothing of it is ever scored.
type Diagnosis struct {
	Scenario  string   `json:"scenario"`
	Execution string   `json:"execution"`
	Skills    []string `json:"skills"` // that lost points, and so the reason for the run
	// Note says in one sentence why there is no or not all of it; empty when it is complete.
	Note       string  `json:"note,omitempty"`
	DurationNs int64   `json:"durationNs"`
	Exit       Exit    `json:"exit"`
	Samples    int     `json:"samples"`   // looks at the stack of the main thread
	IdleShare  float64 `json:"idleShare"` // of the observed time in which the loop waited for work, 0…1
	GCShare    float64 `json:"gcShare"`   // of the observed time in which garbage was collected, 0…1
	// Stalls are the worst, one for each place that is to blame; StallCount counts all of them.
	Stalls     []Stall `json:"stalls"`
	StallCount int     `json:"stallCount"`
	// FromInside says that the stalls were seen by the process itself, because the workload asked it nothing.
	FromInside  bool         `json:"fromInside,omitempty"`
	Allocations []Allocation `json:"allocations"`
	// HeapBytes is by how much the sampled heap grew to its largest; BufferBytes the largest memory of buffers beside it,
	// 0 where this version of Node does not say.
	HeapBytes   int64 `json:"heapBytes"`
	BufferBytes int64 `json:"bufferBytes"`
	// Series are the curves to show: the heartbeat and the memory of the diagnostic run.
	Series []Series `json:"series"`
}

// StallCause is the closed set of reasons for a stall.
type StallCause string

// Why nothing else could run.
const (
	CauseOwnCode  StallCause = "own-code"           // the submission's own functions
	CausePackage  StallCause = "package"            // an installed package
	CauseSyncIO   StallCause = "synchronous-io"     // a call that waits for the disk or another process
	CauseSyncWork StallCause = "synchronous-work"   // a call that computes inside Node: hashing, compression
	CauseGC       StallCause = "garbage-collection" // V8 freed memory
	CauseNode     StallCause = "node"               // Node itself, with no function of the submission on the stack
	CauseNative   StallCause = "native"             // code without a stack
	CauseWaiting  StallCause = "waiting"            // the loop was free: the answer waited for something else
	CauseUnknown  StallCause = "unknown"            // no sample lies in it
)

// Stall is a time in which a request was not answered although one was due. Times are seconds since the start of the
// execution.
type Stall struct {
	From      float64    `json:"from"`
	To        float64    `json:"to"`
	LatencyNs int64      `json:"latencyNs"`
	Cause     StallCause `json:"cause"`
	Package   string     `json:"package,omitempty"` // for CausePackage
	Call      string     `json:"call,omitempty"`    // for a synchronous call, e.g. "fs.readFileSync"
	// Blame is the place that did not give way; Hot, where it is another one, took most of that time. Both are of the
	// submission, or of a package where none of its functions was on the stack.
	Blame    *Place  `json:"blame,omitempty"`
	Hot      *Place  `json:"hot,omitempty"`
	HotShare float64 `json:"hotShare,omitempty"`
	// Slices says that many short callbacks ran one after the other without the loop getting a turn in between, and
	// Turning that the loop did turn: work was queued, but no single piece of it was long.
	Slices    bool    `json:"slices,omitempty"`
	Turning   bool    `json:"turning,omitempty"`
	GCShare   float64 `json:"gcShare"`
	IdleShare float64 `json:"idleShare"`
	Samples   int     `json:"samples"`
	// Stack is the path on which most of the time was spent, innermost function first.
	Stack []StackFrame `json:"stack"`
	// Alike counts the stalls with the same place to blame, this one included, and AlikeNs adds them up.
	Alike   int   `json:"alike"`
	AlikeNs int64 `json:"alikeNs"`
}

// FrameKind says whose code a function is.
type FrameKind string

// Whose code a function is.
const (
	FrameOwn     FrameKind = "own"
	FramePackage FrameKind = "package" // below node_modules
	FrameNode    FrameKind = "node"    // part of Node, in JavaScript
	FrameNative  FrameKind = "native"  // part of Node or V8, not in JavaScript
	FrameOutside FrameKind = "outside" // a file that is not part of the submission
)

// Place is a line of code.
type Place struct {
	Function string `json:"function"` // empty for code outside of any function, or without a name
	File     string `json:"file"`     // relative to the submission, or "node:…"
	Line     int    `json:"line"`     // from 1; 0 when unknown
}

// StackFrame is one function of a stack.
type StackFrame struct {
	Place
	Kind  FrameKind `json:"kind"`
	Share float64   `json:"share"` // of the stall's samples that have it on the stack, 0…1
}

// Allocation is a place and how much of what it allocated was alive when most was.
type Allocation struct {
	Place
	Kind  FrameKind `json:"kind"`
	Via   string    `json:"via,omitempty"` // the function it called that allocated, e.g. "JSON.parse"
	Bytes int64     `json:"bytes"`         // more than at the start, estimated from samples
	Share float64   `json:"share"`         // of all that grew, 0…1
}
