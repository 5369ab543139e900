package service

import (
	"encoding/json"
	"fmt"

	"github.com/assay-run/assay/graders/signs"
	"github.com/assay-run/assay/internal/evidence"
)

// Read returns the only execution of a run, which has the given name, and fills facts with what Drive left in it. Without facts (the service
// could not be watched) they stay as they are. An error means that the run is not of the workload.
func Read(ev *evidence.Run, name string, facts any) (*evidence.Execution, error) {
	if len(ev.Executions) != 1 || ev.Executions[0].Name != name {
		return nil, fmt.Errorf("judge %s: the run is not of this workload", ev.Scenario)
	}
	e := &ev.Executions[0]
	if len(e.Facts) > 0 {
		if err := json.Unmarshal(e.Facts, facts); err != nil {
			return nil, fmt.Errorf("read facts of %s: %w", ev.Scenario, err)
		}
	}
	return e, nil
}

// Death says how a service ended, when it ended before it was told to (ended), was not ready in time (readyNs below 0), or lost a process to its
// limit of memory, in bytes. Its code is empty when it did none of that.
func Death(e *evidence.Execution, ended bool, readyNs, memory int64) signs.Death {
	switch {
	case e.Exit.Status == evidence.OOMKilled || e.Exit.Status == evidence.Thrashing || e.Exit.Status == evidence.NotStarted:
		return signs.Diagnose(e, 0, memory)
	case ended:
		if d := signs.Diagnose(e, 0, memory); d.Code != "" {
			return d
		}
		return signs.Death{
			Code:   evidence.CodeCrash,
			Detail: fmt.Sprintf("It ended by itself after %s, with exit code 0; a service goes on.", signs.Seconds(e.DurationNs)),
		}
	case readyNs < 0:
		return signs.Death{Code: signs.Hang, Detail: fmt.Sprintf("GET /healthz was not answered by 200 within %.0f s of the start.", ReadyWithin.Seconds())}
	}
	return signs.Death{}
}
