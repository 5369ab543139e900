//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

// readLimit bounds what is read of a file.
const readLimit = 1 << 20

// attack runs a submission once.
type attack struct{}

// Name implements workload.Workload.
func (attack) Name() string { return "attack" }

// attackParams say what to run, and what to read of it.
type attackParams struct {
	workload.Command
	// Read is a file of the output directory, read when the submission has ended; empty for none.
	Read string `json:"read"`
	// During says that it is read all the time while the submission runs as well; progress is told when it is there.
	During bool `json:"during"`
	// Own are the characters that the submission writes into it: whatever else is read of it is not the submission's.
	Own string `json:"own"`
	// Secret is what a submission must not find. It lies in this process' memory, as seeds and scripts of faults do.
	Secret string `json:"secret"`
}

// attackFacts is what was seen of the file.
type attackFacts struct {
	// Reads counts how often each state was found while the submission ran.
	Reads map[evidence.FileState]int `json:"reads,omitempty"`
	// Foreign counts contents that the submission had not written.
	Foreign int `json:"foreign"`
	// Moved says that the file changed after everything of the submission had been ended.
	Moved bool `json:"moved"`
}

// Drive implements workload.Workload.
func (attack) Drive(ctx context.Context, pod workload.Pod, raw json.RawMessage) ([]evidence.Execution, error) {
	var p attackParams
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, fmt.Errorf("read params: %w", err)
	}
	proc, err := pod.Start(ctx, p.Command)
	if err != nil {
		return nil, err
	}
	facts := attackFacts{Reads: map[evidence.FileState]int{}}
	if p.During {
		facts.readDuring(ctx, pod, proc, p)
	}
	x, err := proc.Wait(ctx)
	if err != nil {
		return nil, err
	}
	if p.Read != "" {
		facts.readAfter(pod, p, &x)
	}
	if x.Facts, err = json.Marshal(facts); err != nil {
		return nil, fmt.Errorf("write facts: %w", err)
	}
	return []evidence.Execution{x}, nil
}

// readDuring reads the file until the main process has ended.
func (f *attackFacts) readDuring(ctx context.Context, pod workload.Pod, proc workload.Process, p attackParams) {
	const pause = 200 * time.Microsecond
	for ctx.Err() == nil {
		select {
		case <-proc.Done():
			return
		case <-time.After(pause):
		}
		f.look(pod.ReadOutput(p.Read, readLimit), p.Own)
		pod.Report(workload.Progress{Phase: "reading", Done: int64(f.Reads[evidence.FileOK])})
	}
}

func (f *attackFacts) look(file evidence.File, own string) {
	f.Reads[file.State]++
	if own != "" && strings.Trim(file.Content, own) != "" {
		f.Foreign++
	}
}

// readAfter reads the file when nothing of the submission is left, and again: it must stay as it is.
func (f *attackFacts) readAfter(pod workload.Pod, p attackParams, x *evidence.Execution) {
	const times, pause = 20, 5 * time.Millisecond
	first := pod.ReadOutput(p.Read, readLimit)
	x.Output = &first
	if p.Own != "" && strings.Trim(first.Content, p.Own) != "" {
		f.Foreign++
	}
	for range times {
		time.Sleep(pause)
		f.Moved = f.Moved || pod.ReadOutput(p.Read, readLimit) != first
	}
}
