// Package workload is the contract between the driver, which runs things inside a pod, and the graders, which
// know what to run. Neither imports the other: cmd hands the driver its workloads.
package workload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/assay-run/assay/internal/evidence"
)

// Workload makes the work of one scenario and drives one submission through it. It runs in the driver, inside the
// pod, and must not hold anything a submission may not know: expected values stay on the host.
type Workload interface {
	// Name is what a scenario calls in challenge.yaml, e.g. "log-aggregate".
	Name() string
	// Drive puts the work described by params on the submission and returns one Execution a process started, in
	// order. A submission that crashes, hangs or lies is not an error: errors are faults of ours. Drive returns
	// soon after ctx is done.
	Drive(ctx context.Context, pod Pod, params json.RawMessage) ([]evidence.Execution, error)
}

// Pod is what a workload may do. Its methods may be called from several goroutines.
type Pod interface {
	// Start starts the submission: its start command with c.Args appended. Sampling begins with it. The caller
	// must call Wait on the result.
	Start(ctx context.Context, c Command) (Process, error)
	// ReadOutput reads a file that the submission wrote into the output directory. Only a regular file is read,
	// no link is followed, and not more than limit bytes.
	ReadOutput(name string, limit int64) evidence.File
	// ClearOutput empties the output directory.
	ClearOutput() error
	// Paths are directories as the submission sees them.
	Paths() Paths
	// Report tells the host how far the work is; it is cheap and may be called often.
	Report(p Progress)
}

// Paths are directories as the submission sees them.
type Paths struct {
	Data string `json:"data"` // input files, read-only
	Out  string `json:"out"`  // where results go, writable, small
	App  string `json:"app"`  // the submission, its working directory
}

// Command is one start of the submission.
type Command struct {
	Name       string            `json:"name"` // of the Execution
	Args       []string          `json:"args"`
	Env        map[string]string `json:"env"`
	Timeout    time.Duration     `json:"timeout"`    // ends it as evidence.TimedOut
	InputBytes int64             `json:"inputBytes"` // recorded; 0 where the work has no size
	// Stdin names the file of the scenario's input directory (graders.Prepared.StdinDir) that it gets as standard input, followed
	// by its end; empty for a standard input that has ended already.
	Stdin string `json:"stdin,omitempty"`
	// OutputBytes is how much is kept of each of its standard output and its standard error; 0 for what is kept of every program.
	OutputBytes int64 `json:"outputBytes,omitempty"`
}

// Process is a started submission.
type Process interface {
	// Started is the moment the process was first seen alive, on the driver's monotonic clock.
	Started() time.Time
	// Done is closed when its main process has ended.
	Done() <-chan struct{}
	// Wait waits for the end, ends what the submission left running, and returns everything sampled. Heartbeat,
	// Output and Facts are for the workload to fill in.
	Wait(ctx context.Context) (evidence.Execution, error)
	// Kill ends every process of the submission at once.
	Kill() error
	// Stolen are the times so far in which its main thread was ready to run, did not, and its core was not with another thread of
	// the submission: the machine gave it to somebody else. Ascending; empty where the kernel does not tell.
	Stolen() []Pause
	// Began is when its main thread began the work that it was at without a break from at to until, and had not begun at after. ok is
	// false when the thread was not at work (it slept in a system call, say), or the kernel does not tell.
	Began(after, at, until time.Time) (began time.Time, ok bool)
	// ReadBytes is how much the submission has read so far, from the kernel; for progress.
	ReadBytes() int64
}

// ServiceHost is a Pod that can start services beside the submission: every Pod of the driver is one.
type ServiceHost interface {
	// StartService starts a service that the scenario asks for in challenge.yaml. It returns when the service's process runs;
	// whether it answers is for the caller to ask. The service ends with the pod. An error is a fault of ours.
	StartService(ctx context.Context, s Service) error
}

// Service is one start of a service: a server of ours, such as a database, in a container of its own. Its memory and its CPU time are not
// the submission's, and the submission can neither signal it nor read its environment.
type Service struct {
	Name        string            `json:"name"` // e.g. "postgres"
	Env         map[string]string `json:"env"`  // what its image's start script reads: where to listen, secrets of this run
	MemoryBytes int64             `json:"memoryBytes"`
	DataBytes   int64             `json:"dataBytes"` // of its data, which are in memory and count as such
}

// abandonWithin bounds how long a killed submission may take to be gone.
const abandonWithin = 5 * time.Second

// Abandon kills a submission whose run has been given up, also when ctx has ended, and waits until it is gone.
func Abandon(ctx context.Context, p Process) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonWithin)
	defer cancel()
	err := p.Kill()
	_, werr := p.Wait(ctx)
	if err = errors.Join(err, werr); err != nil {
		return fmt.Errorf("end submission: %w", err)
	}
	return nil
}

// Pause is a time in which somebody was kept from running.
type Pause struct{ From, To time.Time }

// Progress is how far a run is.
type Progress struct {
	Phase string `json:"phase"` // e.g. "main file"
	Done  int64  `json:"done"`
	Total int64  `json:"total"` // 0 when unknown
	Unit  string `json:"unit"`  // "bytes", "files", "requests"
}
