// Package runner runs submissions: it stages them, builds them, opens pods, and returns evidence.
//
// It decides what runs when and with which limits; an Engine does the running. Errors of this package are faults
// of ours or of the machine (exit code 3). What a submission does, however bad, is evidence.
package runner

import (
	"context"
	"io"
	"time"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

// Engine runs pods. Implementations: runner/docker, runner/process, runner/runnertest.
//
// Order: Info and Sweep at any time; Stage, then Build when there is something to build, then any number of OpenPod
// on that Workspace. Methods may be called from several goroutines. Whatever an Engine creates carries the session
// of its Config, so that Sweep of a later process can remove what a crashed one left.
type Engine interface {
	// Info says what the engine is, and fails with ErrEngineDown when it does not answer.
	Info(ctx context.Context) (Info, error)
	// Stage copies the files of a submission to where its processes will see them, owned by the submission's user.
	Stage(ctx context.Context, s StageSpec) (Workspace, error)
	// Build runs build steps in the workspace. A step that fails is evidence, not an error.
	Build(ctx context.Context, w Workspace, b BuildSpec) (evidence.Build, error)
	// OpenPod starts a pod with its driver in it. The caller owns the Pod and must Close it.
	OpenPod(ctx context.Context, p PodSpec) (Pod, error)
	// Sweep removes everything that sessions of this machine which are no longer alive have left. It is idempotent.
	Sweep(ctx context.Context) (Swept, error)
}

// Workspace holds a staged submission. Close removes it and is idempotent.
type Workspace interface {
	ID() string
	Close(ctx context.Context) error
}

// Pod is a running driver and the namespaces that it owns.
type Pod interface {
	// Driver is the driver's protocol stream: writes go to its standard input, reads come from its standard output.
	// Reading ends with an error when the driver or the engine is gone.
	Driver() io.ReadWriter
	// DriverLog is what the driver has written to its standard error so far, bounded.
	DriverLog() string
	// Paths are the directories as processes in the pod see them.
	Paths() workload.Paths
	// StartCandidate starts a process of the submission in the pod.
	StartCandidate(ctx context.Context, c CandidateSpec) (Candidate, error)
	// StartService starts a service in the pod, which ends with the pod. It fails with ErrNoServices where the engine has none, and
	// with ErrImageMissing when set-up has not made the service's image.
	StartService(ctx context.Context, s workload.Service) (Service, error)
	// Close ends everything in the pod and removes it. It is idempotent.
	Close(ctx context.Context) error
}

// Candidate is one started process of the submission (with all it starts itself).
type Candidate interface {
	// ID is what the driver finds it by: the container's full id (part of the cgroup path of each of its processes),
	// or "pid:N" from the process engine.
	ID() string
	// Wait blocks until its main process has ended and its output has been read to the end. An exit that the
	// candidate caused is an Exit; an error means that the engine failed.
	Wait(ctx context.Context) (CandidateResult, error)
	// Close removes it, killing it first when it still runs. It is idempotent.
	Close(ctx context.Context) error
}

// Service is a started service of a pod.
type Service interface {
	// Wait blocks until the service has ended by itself, or by the end of the pod.
	Wait(ctx context.Context) (CandidateResult, error)
}

// CandidateResult is what the engine knows of an ended process.
type CandidateResult struct {
	Exit   evidence.Exit
	Stdout evidence.Log
	Stderr evidence.Log
	// CutAt is when the first of its output was dropped; zero when all was kept.
	CutAt time.Time
}

// Info describes an engine.
type Info struct {
	Name          string // "docker", "process", "fake"
	Version       string
	APIVersion    string
	CgroupVersion int
	Kernel        string
	OS            string
	Sandboxed     bool
	CPUs          int
	Root          string // where the engine stores data, for a check of free disk; empty when unknown
	Runtime       string // OCI runtime that submissions run under, e.g. "runc"; empty when unknown or without containers
	Seccomp       string // their seccomp profile, see evidence.Environment
}

// StageSpec is a submission to be copied in.
type StageSpec struct {
	Name string // for labels, e.g. "candidate"
	Dir  string // directory on this host that holds the files; only regular files and directories are copied
}

// BuildSpec is what to run before the measured runs.
type BuildSpec struct {
	Steps       [][]string
	Env         map[string]string
	MemoryBytes int64         // 1 GiB unless set
	Timeout     time.Duration // for all steps together; 120 s unless set
	Scripts     bool          // allow npm lifecycle scripts
	OutputBytes int64         // bound of the captured output of a step
	DiskBytes   int64         // what the workspace may take with all that the build puts there; 2 GiB unless set
	DiskFiles   int64         // how many files and directories may be in it; 300,000 unless set
}

// PodSpec describes a pod.
type PodSpec struct {
	Slot     Slot
	DataDir  string // directory on this host, mounted read-only as Paths().Data; empty for none
	OutBytes int64  // size of the output directory
}

// CandidateSpec describes a process of the submission.
type CandidateSpec struct {
	Name      string
	Workspace Workspace
	Argv      []string
	Env       map[string]string
	Limits    Limits
	Stdin     string // file on this host that it gets as standard input, read once; empty for one that has ended already
}

// Limits bound a submission. Zero means the default of Defaults.
type Limits struct {
	MemoryBytes   int64 // memory and swap together, so no swap
	Pids          int64
	TmpBytes      int64 // size of /tmp, charged to memory
	FileSizeBytes int64 // largest file that it may write
	OpenFiles     int64
	OutputBytes   int64 // kept of each of stdout and stderr; the rest is counted and dropped
	// CPUNs is how much CPU time one execution may use, all its processes and threads together. Zero means as much as it has wall
	// time, which only a program on several cores can use up.
	CPUNs int64
}

// DefaultLimits are the limits of the common contract (catalogue §1).
func DefaultLimits() Limits {
	return Limits{
		MemoryBytes:   256 << 20,
		Pids:          128,
		TmpBytes:      64 << 20,
		FileSizeBytes: 64 << 20,
		OpenFiles:     1024,
		OutputBytes:   8 << 20,
	}
}

// Slot is a set of cores with exclusive use for one measured run, as cpuset lists ("1", "0,2-3").
type Slot struct {
	CandidateCores string
	DriverCores    string
}

// Swept counts what a sweep removed.
type Swept struct {
	Containers, Volumes, Networks int
}

// UID is the user and group id of every process of a submission.
const UID = 10001

// ServiceUID is the user and group id of every process of a service, so that no submission may signal or read one.
const ServiceUID = 10002
