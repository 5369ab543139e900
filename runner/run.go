package runner

import (
	"encoding/json"
	"time"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/workload"
)

// RunSpec is one run: one role, one scenario, one pod.
type RunSpec struct {
	Scenario string
	Role     evidence.Role
	Pair     int

	Workload string          // name of the workload the driver is to use
	Params   json.RawMessage // its parameters

	Services []string // names of those that the workload may start

	Workspace Workspace
	Start     []string          // command of the submission
	Env       map[string]string // added to its environment
	Limits    Limits
	Slot      Slot
	DataDir   string
	StdinDir  string // directory on this host with the files that processes get as standard input; never mounted
	OutBytes  int64
	Probe     bool          // preload the probe
	Diagnose  bool          // preload the diagnosis too: the run explains, and must not be scored
	Timeout   time.Duration // of the whole run, a backstop above the time limits of its executions

	Progress func(workload.Progress)
}
