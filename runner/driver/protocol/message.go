package protocol

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

// Kind is the type of a frame.
type Kind byte

// The kinds. The first group goes from the host to the driver, the second back.
const (
	KindHello Kind = 1 + iota
	KindRun
	KindCandidateStarted
	KindCandidateExited
	KindStop
	KindServiceStarted
)

// Kinds that go from the driver to the host.
const (
	KindWelcome Kind = 65 + iota
	KindStartCandidate
	KindKill
	KindProgress
	KindLog
	KindResult
	KindFailure
	KindStartService
)

// Message is the payload of a frame.
type Message interface{ Kind() Kind }

// Hello is the first frame of a session. It carries the key that authenticates every frame, itself included.
type Hello struct {
	Key     []byte         `json:"key"` // KeyBytes random bytes
	Version string         `json:"version"`
	Paths   workload.Paths `json:"paths"`
	// CgroupRoots are directories at which the engine's control groups may be mounted in the pod, best first; none
	// for the usual places.
	CgroupRoots []string `json:"cgroupRoots,omitempty"`
	// Workloads are the ones that will be asked for. A driver that lacks one fails the handshake.
	Workloads []string `json:"workloads"`
}

// Run starts a workload. There is one at a time.
type Run struct {
	Workload    string          `json:"workload"`
	Params      json.RawMessage `json:"params"`
	MemoryBytes int64           `json:"memoryBytes"` // limit of a submission
	CPUNs       int64           `json:"cpuNs"`       // CPU time of one execution; as much as its wall time when 0
	Pids        int64           `json:"pids"`        // how many processes and threads it may have, for the record
	OpenFiles   int64           `json:"openFiles"`   // how many files a process may have open, for the record
	// EnforceMemory asks the driver to end a submission above MemoryBytes, for an engine whose kernel does not.
	EnforceMemory bool          `json:"enforceMemory"`
	SampleHz      int           `json:"sampleHz"` // 100 when 0
	Probe         bool          `json:"probe"`    // listen for the probe
	Diagnose      bool          `json:"diagnose"` // record for a diagnosis, and add it to the executions
	Timeout       time.Duration `json:"timeout"`  // of the run; none when 0
}

// CandidateStarted answers StartCandidate.
type CandidateStarted struct {
	Ref uint64 `json:"ref"`
	// ID is how the driver finds its processes: a container's id, or "pid:N".
	ID string `json:"id"`
	// Failed says that the engine could not start anything; CandidateExited does not follow.
	Failed string `json:"failed,omitempty"`
}

// CandidateExited is the end of a candidate's main process, as the engine saw it.
type CandidateExited struct {
	Ref  uint64        `json:"ref"`
	Exit evidence.Exit `json:"exit"`
	// Failed says that the engine lost it; Exit is then worth nothing.
	Failed string `json:"failed,omitempty"`
}

// Stop ends the driver.
type Stop struct{}

// Welcome answers Hello.
type Welcome struct {
	Version   string   `json:"version"`
	PID       int      `json:"pid"`
	Workloads []string `json:"workloads"` // every one the driver has
	UID       int      `json:"uid"`
	CPUs      int      `json:"cpus"`
}

// StartCandidate asks for a process of the submission. Ref is unique in the session and names it from then on.
type StartCandidate struct {
	Ref  uint64            `json:"ref"`
	Name string            `json:"name"` // of the Execution; unique in the run
	Args []string          `json:"args"`
	Env  map[string]string `json:"env"`
	// Stdin names the file of the run's input directory that it gets as standard input; empty for none.
	Stdin string `json:"stdin,omitempty"`
	// OutputBytes is how much is kept of each of its streams; 0 for the limit of the run.
	OutputBytes int64 `json:"outputBytes,omitempty"`
	// ProbePort is where the driver listens for the probe of this process; 0 when it does not.
	ProbePort int `json:"probePort"`
	// DiagnosePort is where the driver records for the diagnosis of this process; 0 when it does not.
	DiagnosePort int `json:"diagnosePort,omitempty"`
}

// StartService asks for a service in the pod. Ref is unique among those of the session.
type StartService struct {
	Ref     uint64           `json:"ref"`
	Service workload.Service `json:"service"`
}

// ServiceStarted answers StartService. A service that cannot be started ends the run instead.
type ServiceStarted struct {
	Ref uint64 `json:"ref"`
}

// Kill asks the engine to end a candidate that the driver could not end itself.
type Kill struct {
	Ref uint64 `json:"ref"`
}

// Progress is how far the run is.
type Progress struct {
	Progress workload.Progress `json:"progress"`
}

// Log is one line for the run's notes.
type Log struct {
	Text string `json:"text"`
}

// Result ends a run. The program output of the executions is left to the host to fill in.
type Result struct {
	Executions []evidence.Execution `json:"executions"`
	Notes      []string             `json:"notes,omitempty"`
}

// Failure ends a run, or the handshake, because of a fault of ours.
type Failure struct {
	Message string `json:"message"`
}

// Kind implements Message.
func (*Hello) Kind() Kind { return KindHello }

// Kind implements Message.
func (*Run) Kind() Kind { return KindRun }

// Kind implements Message.
func (*CandidateStarted) Kind() Kind { return KindCandidateStarted }

// Kind implements Message.
func (*CandidateExited) Kind() Kind { return KindCandidateExited }

// Kind implements Message.
func (*Stop) Kind() Kind { return KindStop }

// Kind implements Message.
func (*Welcome) Kind() Kind { return KindWelcome }

// Kind implements Message.
func (*StartCandidate) Kind() Kind { return KindStartCandidate }

// Kind implements Message.
func (*Kill) Kind() Kind { return KindKill }

// Kind implements Message.
func (*Progress) Kind() Kind { return KindProgress }

// Kind implements Message.
func (*Log) Kind() Kind { return KindLog }

// Kind implements Message.
func (*Result) Kind() Kind { return KindResult }

// Kind implements Message.
func (*Failure) Kind() Kind { return KindFailure }

// Kind implements Message.
func (*StartService) Kind() Kind { return KindStartService }

// Kind implements Message.
func (*ServiceStarted) Kind() Kind { return KindServiceStarted }

// fromHost says which way a kind goes.
func (k Kind) fromHost() bool { return k < KindWelcome }

// newMessage returns an empty message of a kind.
func newMessage(k Kind) (Message, error) {
	switch k {
	case KindHello:
		return new(Hello), nil
	case KindRun:
		return new(Run), nil
	case KindCandidateStarted:
		return new(CandidateStarted), nil
	case KindCandidateExited:
		return new(CandidateExited), nil
	case KindStop:
		return new(Stop), nil
	case KindWelcome:
		return new(Welcome), nil
	case KindStartCandidate:
		return new(StartCandidate), nil
	case KindKill:
		return new(Kill), nil
	case KindProgress:
		return new(Progress), nil
	case KindLog:
		return new(Log), nil
	case KindResult:
		return new(Result), nil
	case KindFailure:
		return new(Failure), nil
	case KindStartService:
		return new(StartService), nil
	case KindServiceStarted:
		return new(ServiceStarted), nil
	}
	return nil, fmt.Errorf("%w: %d", ErrUnexpected, k)
}
