// Package evidence holds what was measured, as plain data.
//
// It is the waist of Assay: everything before it runs things, everything after it is pure. A verdict is a
// function of a Grading value, so it can be recomputed from a stored one. The package imports the standard
// library only and contains no behaviour beyond small accessors.
//
// Units are part of every name: Ns is nanoseconds of a monotonic clock, Bytes is bytes, Seconds is seconds
// as a floating-point number since the start of the execution.
package evidence

import (
	"encoding/json"
	"time"
)

// Schema names the version of the stored form. A reader refuses any other.
const Schema = "assay.evidence/1"

// Role says whose code ran.
type Role string

// The roles of a run.
const (
	Reference Role = "reference" // the challenge's own good solution
	Candidate Role = "candidate" // the submission being graded
	Control   Role = "control"   // a known bad solution, which must fail
)

// Grading is everything measured for one submission on one challenge.
type Grading struct {
	Schema      string           `json:"schema"`
	ID          string           `json:"id"`
	Challenge   ChallengeVersion `json:"challenge"`
	Mode        string           `json:"mode"`
	Started     time.Time        `json:"started"`
	Finished    time.Time        `json:"finished"`
	Seed        Seed             `json:"seed"`
	Submission  Submission       `json:"submission"`
	Build       Build            `json:"build"`
	Environment Environment      `json:"environment"`
	// Attempts are the tries at this grading, oldest first. All but the last were invalid (see Attempt.Invalid);
	// the last one is judged.
	Attempts []Attempt `json:"attempts"`
	// Faults are those of ours or of the machine after which a step was made again, oldest first, e.g.
	// "run reference on scenario main: driver failed". None is the submission's.
	Faults []string `json:"faults,omitempty"`
	// Diagnosis is what an unscored run after them showed; nil when there was no reason for one.
	Diagnosis *Diagnosis `json:"diagnosis,omitempty"`
}

// Last returns the attempt that is judged, or a zero Attempt when none was made.
func (g *Grading) Last() Attempt {
	if len(g.Attempts) == 0 {
		return Attempt{}
	}
	return g.Attempts[len(g.Attempts)-1]
}

// Attempt is one complete session: alternating reference and candidate runs on one data seed, and the control.
type Attempt struct {
	Runs []Run `json:"runs"`
	// Truth is what the workloads expect, by scenario; only the workload's own judge reads it.
	Truth map[string]json.RawMessage `json:"truth"`
	// CalibrationNs are timings of one fixed CPU loop on the candidate's core: before, between and after the runs.
	CalibrationNs []int64 `json:"calibrationNs"`
	// Harness are the heartbeats of an idle server of ours, asked before the runs until one was as quick as it must be. The best
	// one counts: it is what harness and machine add to every latency.
	Harness []Heartbeat `json:"harness,omitempty"`
	// Invalid is the reason this attempt was discarded, in one sentence; empty for a valid one.
	Invalid string `json:"invalid,omitempty"`
	// ExtraPairs counts pairs that were added because the score lay on a band edge.
	ExtraPairs int `json:"extraPairs,omitempty"`
}

// ChallengeVersion identifies what was asked, exactly.
type ChallengeVersion struct {
	ID      string `json:"id"`
	Version int    `json:"version"`
	Title   string `json:"title"`
	Level   string `json:"level"`
	Minutes int    `json:"minutes"`
	// Digest is "sha256:" and the hash of every file that decides the grading (challenge.yaml, reference, control).
	Digest string `json:"digest"`
}

// Seed commits to the data of a grading before it starts and reveals it afterwards.
type Seed struct {
	// Commitment is "sha256:" + hex(SHA-256(salt || value)).
	Commitment string `json:"commitment"`
	Value      string `json:"value"` // hex
	Salt       string `json:"salt"`  // hex
}

// Submission is what was handed in.
type Submission struct {
	Name   string     `json:"name"`   // base name of the directory or archive, for people
	Digest string     `json:"digest"` // "sha256:" over sorted (path, mode, content)
	Start  []string   `json:"start"`  // command, e.g. ["node","src/main.mjs"]
	Build  [][]string `json:"build,omitempty"`
	// Notes are remarks of the intake, e.g. that the entry was taken from package.json.
	Notes []string     `json:"notes,omitempty"`
	Files []SourceFile `json:"files"`
}

// SourceFile is one file of the submission. Text is kept for the report up to a bound and is empty for binaries.
type SourceFile struct {
	Path      string `json:"path"`
	Bytes     int64  `json:"bytes"`
	Text      string `json:"text,omitempty"`
	Truncated bool   `json:"truncated,omitempty"` // Text is cut, or left out because of the bound
	Binary    bool   `json:"binary,omitempty"`
}

// Build is what the submission's build steps did.
type Build struct {
	Skipped bool        `json:"skipped"` // nothing to build
	Reason  string      `json:"reason,omitempty"`
	Steps   []BuildStep `json:"steps,omitempty"`
	// Failed says that a step failed, hung or broke a limit; the submission is then graded as not starting.
	Failed bool `json:"failed"`
}

// BuildStep is one command of the build.
type BuildStep struct {
	Argv       []string `json:"argv"`
	Exit       Exit     `json:"exit"`
	DurationNs int64    `json:"durationNs"`
	Output     Log      `json:"output"` // stdout and stderr, interleaved
	// Refused lists hosts the egress proxy refused, e.g. "example.com:443".
	Refused []string `json:"refused,omitempty"`
	// Limits are those that it reached.
	Limits []LimitHit `json:"limits,omitempty"`
}

// Environment describes the machine and the engine.
type Environment struct {
	Engine        string `json:"engine"` // "docker" or "process"
	EngineVersion string `json:"engineVersion"`
	APIVersion    string `json:"apiVersion,omitempty"`
	Sandboxed     bool   `json:"sandboxed"`
	Runtime       string `json:"runtime,omitempty"` // OCI runtime, e.g. "runc"
	// Seccomp is the profile of the containers: "assay default", "engine's own", "none" where the engine has no seccomp, or
	// "sha256:…" of the file that was given.
	Seccomp        string `json:"seccomp,omitempty"`
	Kernel         string `json:"kernel"`
	OS             string `json:"os"`
	Arch           string `json:"arch"`
	CPUModel       string `json:"cpuModel"`
	CgroupVersion  int    `json:"cgroupVersion"`  // 1, 2, or 0 where unknown
	Node           string `json:"node"`           // e.g. "v24.21.0"
	Image          string `json:"image"`          // name
	ImageDigest    string `json:"imageDigest"`    // "sha256:…"
	CandidateCores string `json:"candidateCores"` // cpuset list, e.g. "1"
	DriverCores    string `json:"driverCores"`
	MemoryBytes    int64  `json:"memoryBytes"` // limit of the candidate's container
	AssayVersion   string `json:"assayVersion"`
	PageCache      string `json:"pageCache"` // "warm" or "dropped": how input files were treated before each run
}

// Run is one pod: one role, one scenario.
type Run struct {
	Scenario string `json:"scenario"`
	Role     Role   `json:"role"`
	Pair     int    `json:"pair"` // 0-based; the closing reference run of ABAB…A has Pair = number of pairs
	// StartedNs is the time since the start of the grading, for drawing the order of the runs.
	StartedNs  int64       `json:"startedNs"`
	Executions []Execution `json:"executions"`
	// PhaseNs splits the wall time of the run: "pod", "handshake", "start", "execute", "collect", "close".
	PhaseNs map[string]int64 `json:"phaseNs"`
	// DriverNotes are oddities the driver saw, e.g. probe records it could not read.
	DriverNotes []string `json:"driverNotes,omitempty"`
}

// Execution is one process of the submission from start to end, with everything sampled while it lived.
type Execution struct {
	Name       string     `json:"name"` // unique within the run, e.g. "main" or "crlf"
	Exit       Exit       `json:"exit"`
	DurationNs int64      `json:"durationNs"` // from first seen alive to gone
	InputBytes int64      `json:"inputBytes"` // size of the work given, 0 where it has none
	Usage      Usage      `json:"usage"`
	Heartbeat  *Heartbeat `json:"heartbeat,omitempty"`
	Probe      *Probe     `json:"probe,omitempty"`
	Output     *File      `json:"output,omitempty"`
	Stdout     Log        `json:"stdout"`
	Stderr     Log        `json:"stderr"`
	Series     []Series   `json:"series"`
	// Facts is what the workload itself saw (e.g. answers of /progress); only its own judge reads it.
	Facts json.RawMessage `json:"facts,omitempty"`
	// Limits are those that it reached, in the order in which that was seen.
	Limits []LimitHit `json:"limits,omitempty"`
	// Diagnosis is set in a diagnostic run only.
	Diagnosis *Diagnosis `json:"diagnosis,omitempty"`
}

// ExitStatus is the closed set of ways an execution can end.
type ExitStatus string

// How an execution ended. Every one of them is a result of the submission; faults of ours are Go errors.
const (
	Exited     ExitStatus = "exited"      // Code is set
	Signaled   ExitStatus = "signaled"    // Signal is set
	OOMKilled  ExitStatus = "oom-killed"  // the kernel ended it at its memory limit
	Thrashing  ExitStatus = "thrashing"   // at its memory limit without progress; ended by the driver
	TimedOut   ExitStatus = "timed-out"   // ended by the driver after its time limit
	CPULimit   ExitStatus = "cpu-limit"   // ended by the driver after its CPU time
	DiskLimit  ExitStatus = "disk-limit"  // ended because it wrote more to disk than allowed
	NotStarted ExitStatus = "not-started" // the command could not be executed, or the build failed
)

// Exit is how a process ended.
type Exit struct {
	Status ExitStatus `json:"status"`
	Code   int        `json:"code"`             // exit code; 128+signal where a signal ended it
	Signal string     `json:"signal,omitempty"` // e.g. "SIGKILL"
	Detail string     `json:"detail,omitempty"` // one sentence more, e.g. why it could not start
	// Leftover counts processes of the submission that outlived its main process and were ended by the driver.
	Leftover int `json:"leftover,omitempty"`
}

// OK says whether the process ended by itself with code 0.
func (e Exit) OK() bool { return e.Status == Exited && e.Code == 0 }

// Usage is what the kernel says an execution used. All figures cover every process of the submission.
type Usage struct {
	// MemoryPeakBytes is the scored peak: the largest of the samples of anonymous + shared memory. It never
	// includes page cache.
	MemoryPeakBytes int64 `json:"memoryPeakBytes"`
	// ProcPeakBytes is the peak of the sum of RssAnon+RssShmem over processes; CgroupPeakBytes that of anon+shmem in
	// memory.stat (0 without a cgroup); HWMBytes the largest VmHWM of one process, which includes file pages.
	ProcPeakBytes   int64 `json:"procPeakBytes"`
	CgroupPeakBytes int64 `json:"cgroupPeakBytes"`
	HWMBytes        int64 `json:"hwmBytes"`
	CPUNs           int64 `json:"cpuNs"` // user + system, all processes and threads
	UserNs          int64 `json:"userNs"`
	SystemNs        int64 `json:"systemNs"`
	MainThreadNs    int64 `json:"mainThreadNs"` // main thread of the first process
	RunDelayNs      int64 `json:"runDelayNs"`   // runnable but not running, main thread of the first process
	ThrottledNs     int64 `json:"throttledNs"`
	StealNs         int64 `json:"stealNs"` // whole machine, while it ran
	// PressureNs is how long some task of the whole machine waited for a CPU while it ran (PSI); 0 where the kernel has none.
	PressureNs   int64   `json:"pressureNs,omitempty"`
	MaxThreads   int     `json:"maxThreads"`
	MaxProcesses int     `json:"maxProcesses"`
	ReadBytes    int64   `json:"readBytes"`  // through read-like calls (rchar), page cache included
	WriteBytes   int64   `json:"writeBytes"` // wchar
	Refaults     int64   `json:"refaults"`   // file pages that came back after being evicted
	Samples      int     `json:"samples"`
	SampleHz     float64 `json:"sampleHz"` // achieved
	// MaxGapNs is the longest time between two samples: how much a sampler of ours can have missed.
	MaxGapNs int64 `json:"maxGapNs"`
}

// Heartbeat is the event loop seen from outside: an open loop of requests on an intended schedule. Latencies are
// measured from the intended time of a request, so a request that could not be sent counts too.
type Heartbeat struct {
	Target   string  `json:"target"` // e.g. "GET /progress"
	Hz       float64 `json:"hz"`
	Sent     int     `json:"sent"`
	Answered int     `json:"answered"` // with the expected status and body
	Failed   int     `json:"failed"`   // refused, reset, wrong status or body
	// FirstAnswerNs is from the start of the process to the first good answer; -1 when none came.
	FirstAnswerNs int64 `json:"firstAnswerNs"`
	P50Ns         int64 `json:"p50Ns"`
	P99Ns         int64 `json:"p99Ns"`
	P999Ns        int64 `json:"p999Ns"`
	MaxNs         int64 `json:"maxNs"`
	// StallNs is the longest stall: from when the submission's main thread began the work during which no heartbeat was answered, by the
	// kernel's account, or from the middle between the last answer and the next heartbeat that was due, to the answer that ended it.
	StallNs int64 `json:"stallNs"`
	// StallErrorNs is what StallNs may be wrong by, either way.
	StallErrorNs int64 `json:"stallErrorNs,omitempty"`
	// Due counts the heartbeats that the latencies are of: those due after the start-up, sent or not. Answered is of these.
	Due int `json:"due"`
	// Prompt counts those of Due that were answered within one second.
	Prompt int `json:"prompt"`
	// OwnLateNs is how late our own sender was at worst: a stall no longer than this may be ours.
	OwnLateNs int64 `json:"ownLateNs"`
	// OwnPausedNs is how long our own sender did not run in all. The latencies are without it, unless it was more than a tenth
	// of the time: then it is 0, nothing was taken out, and OwnLateNs tells of it.
	OwnPausedNs int64 `json:"ownPausedNs"`
	// StolenNs is how long the machine kept the submission's main thread from running, by the kernel's account, while no other
	// thread of the submission ran either. It is taken out of the latencies under the same bound.
	StolenNs int64 `json:"stolenNs,omitempty"`
}

// Probe is what the preload inside the process said. It can be forged and never earns points.
type Probe struct {
	Records int `json:"records"`
	Dropped int `json:"dropped"` // malformed or over the bound
	// Forged counts records from another socket than the first one of the same thread: somebody else speaks for it.
	Forged      int    `json:"forged,omitempty"`
	Threads     int    `json:"threads"` // main thread and workers that reported
	NodeVersion string `json:"nodeVersion,omitempty"`
	DelayMaxNs  int64  `json:"delayMaxNs"` // largest event-loop delay it reported
	GapMaxNs    int64  `json:"gapMaxNs"`   // longest silence of the main thread, by our clock
	// StarvedNs is the longest delay of the main thread during which callbacks of process.nextTick or queueMicrotask ran all the
	// time: the loop was not stuck in one function, it was never given back.
	StarvedNs    int64   `json:"starvedNs,omitempty"`
	GCCount      int     `json:"gcCount"`
	GCNs         int64   `json:"gcNs"`
	RSSMaxBytes  int64   `json:"rssMaxBytes"`
	HeapMaxBytes int64   `json:"heapMaxBytes"`
	Utilization  float64 `json:"utilization"` // 0…1, over the life of the main thread
}

// FileState says what was found where a result was expected.
type FileState string

// The states of a File.
const (
	FileOK         FileState = "ok"
	FileMissing    FileState = "missing"
	FileNotRegular FileState = "not-regular" // link, directory, FIFO, device
	FileTooLarge   FileState = "too-large"   // Content holds nothing
	FileUnreadable FileState = "unreadable"
)

// File is a result file read back from a submission.
type File struct {
	Name    string    `json:"name"`
	State   FileState `json:"state"`
	Bytes   int64     `json:"bytes"`
	Content string    `json:"content,omitempty"` // base64-free text: invalid UTF-8 is replaced
	Detail  string    `json:"detail,omitempty"`
}

// Log is bounded program output. Text is the head and the tail; Dropped bytes between or after are gone.
type Log struct {
	Text    string `json:"text"`
	Bytes   int64  `json:"bytes"` // written by the program, kept or not
	Dropped int64  `json:"dropped,omitempty"`
}

// Series is a curve, thinned to a bounded number of buckets. Bucket i covers T[i] to T[i+1] and keeps both extremes.
type Series struct {
	Name string    `json:"name"` // see the Series… constants
	Unit string    `json:"unit"` // "bytes", "ns", "ratio", "count", "bytes/s"
	T    []float64 `json:"t"`    // seconds since the start of the execution, ascending
	Min  []float64 `json:"min"`
	Max  []float64 `json:"max"`
}

// Names of the series the driver and the instruments record.
const (
	SeriesMemory        = "memory"         // bytes, anonymous + shared, the scored figure
	SeriesMemoryProc    = "memory.proc"    // bytes, sum over processes
	SeriesCPU           = "cpu"            // ratio, CPU seconds per second, all threads
	SeriesMainCPU       = "cpu.main"       // ratio, main thread
	SeriesRunDelay      = "rundelay"       // ratio, share of time runnable but not running
	SeriesThrottled     = "throttled"      // ratio
	SeriesReadRate      = "read"           // bytes/s
	SeriesWriteRate     = "write"          // bytes/s
	SeriesThreads       = "threads"        // count
	SeriesProcesses     = "processes"      // count
	SeriesHeartbeat     = "heartbeat"      // ns, latency by intended time
	SeriesProbeDelay    = "probe.delay"    // ns, event-loop delay as the process saw it
	SeriesProbeGap      = "probe.gap"      // ns, silence of the probe by our clock
	SeriesProbeHeap     = "probe.heap"     // bytes
	SeriesProbeUtil     = "probe.elu"      // ratio
	SeriesProbeGC       = "probe.gc"       // ns of garbage collection per record
	SeriesProbeExternal = "probe.external" // bytes
)

// Find returns the series with that name, or nil.
func (e *Execution) Find(name string) *Series {
	for i := range e.Series {
		if e.Series[i].Name == name {
			return &e.Series[i]
		}
	}
	return nil
}
