package knowntruth

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
)

//go:embed program
var program embed.FS

// Program is the program's files.
func Program() fs.FS {
	sub, err := fs.Sub(program, "program")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return sub
}

// Start is the program's start command. The collector is asked to run before memory is looked at, and the heap may
// become as large as the largest allocation.
func Start() []string {
	return []string{"node", "--expose-gc", "--max-old-space-size=1600", "main.mjs"}
}

// What a step does.
const (
	DoRest  = "rest"  // nothing, for a time
	DoBlock = "block" // keeps the event loop from going on
	DoHold  = "hold"  // takes memory and keeps it for a time
)

// The ways to block. All but Immediate keep the loop from turning for the whole time.
const (
	BlockCPU       = "cpu"
	BlockIO        = "io"   // synchronous reads and writes
	BlockWait      = "wait" // the thread sleeps in a synchronous call
	BlockNextTick  = "nextTick"
	BlockMicrotask = "microtask"
	BlockGC        = "gc" // makes garbage beside a large live heap
	BlockImmediate = "setImmediate"
)

// Blocks are the ways to block, in the order of a report.
func Blocks() []string {
	return []string{BlockCPU, BlockIO, BlockWait, BlockNextTick, BlockMicrotask, BlockGC, BlockImmediate}
}

// Holds are the ways to take memory, in the order of a report.
func Holds() []string {
	return []string{"buffer", "heap", "shared", "tmpfs", "child", "worker", HoldSpike}
}

// HoldSpike takes memory and gives it back at once, in one turn of the loop.
const HoldSpike = "spike"

// Step is one thing that the program does.
type Step struct {
	Do    string  `json:"do"`
	How   string  `json:"how,omitempty"`
	Ms    float64 `json:"ms"`
	Bytes int64   `json:"bytes,omitempty"`
}

// Serve are the steps of a program that only answers until it is ended, or for ten minutes when nobody does that.
func Serve() []Step { return []Step{{Do: DoRest, Ms: 600_000}} }

// Environment variables of the program.
const (
	scriptVariable = "KNOWN_SCRIPT"
	outVariable    = "KNOWN_OUT"
	portVariable   = "PORT"
)

// Environment makes the program play steps, answer on a port of 127.0.0.1 (none when empty), and write its truth to a file.
func Environment(steps []Step, port, out string) (map[string]string, error) {
	if steps == nil {
		steps = []Step{}
	}
	script, err := json.Marshal(steps)
	if err != nil {
		return nil, fmt.Errorf("write script: %w", err)
	}
	env := map[string]string{scriptVariable: string(script), outVariable: out}
	if port != "" {
		env[portVariable] = port
	}
	return env, nil
}

// Truth is what the program wrote at its end.
type Truth struct {
	Node   string  `json:"node"`
	Events []Event `json:"events"`
}

// Event is one step as it happened. Times are ns of CLOCK_MONOTONIC, by the program.
type Event struct {
	Do    string  `json:"do"`
	How   string  `json:"how"`
	Ms    float64 `json:"ms"` // as asked
	Bytes int64   `json:"bytes"`
	// From and To are the block, or the time in which all of the memory was held.
	From int64 `json:"from"`
	To   int64 `json:"to"`
	// Longest is the longest time of a block in which the loop did not turn.
	Longest int64 `json:"longest"`
	// Began is when the program started to take memory; the time from BaseFrom to BaseTo, just before, shows what it needs
	// anyway.
	Began    int64 `json:"began"`
	BaseFrom int64 `json:"baseFrom"`
	BaseTo   int64 `json:"baseTo"`
	// HeapGrown is by how many bytes V8 says that the pages of its heap grew meanwhile. They hold more than what was asked for.
	HeapGrown int64 `json:"heapGrown"`
}

// ReadTruth reads what the program wrote.
func ReadTruth(text string) (Truth, error) {
	var t Truth
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return t, fmt.Errorf("read truth of the known program: %w", err)
	}
	for i, e := range t.Events {
		if e.To < e.From || e.From == 0 {
			return t, fmt.Errorf("read truth of the known program: event %d ends before it begins", i)
		}
	}
	return t, nil
}
