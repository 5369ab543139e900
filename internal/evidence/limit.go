package evidence

// Limit is the closed set of bounds that a submission can run into.
type Limit string

// The limits. Those of memory and of time end it; of the others only those of CPU time and disk do, and the rest is refused to it.
const (
	LimitMemory    Limit = "memory"     // bytes, swap included
	LimitTime      Limit = "time"       // ns of wall time
	LimitCPU       Limit = "cpu"        // ns of CPU time, all processes and threads
	LimitProcesses Limit = "processes"  // processes and threads at a time
	LimitFiles     Limit = "open-files" // open files of one process at a time
	LimitTmp       Limit = "tmp"        // bytes in /tmp, or files there
	LimitShm       Limit = "shm"        // bytes in /dev/shm
	LimitOut       Limit = "out"        // bytes in the output directory, or files there
	LimitOutput    Limit = "output"     // bytes of stdout, or of stderr, that are kept
	LimitDisk      Limit = "disk"       // bytes on disk, of a build
	LimitDiskFiles Limit = "disk-files" // files on disk, of a build
)

// LimitHit says that a submission has reached a limit.
type LimitHit struct {
	Limit Limit `json:"limit"`
	// AtSeconds is when that was first seen, since the start of the execution (or step). It is late by up to the time between two
	// looks, which is a tenth of a second.
	AtSeconds float64 `json:"atSeconds"`
	// Allowed is the limit in the unit of its constant, 0 where it is not known.
	Allowed int64 `json:"allowed,omitempty"`
	// Refused is how often the kernel refused because of it; 0 where nobody counts.
	Refused int64 `json:"refused,omitempty"`
}
