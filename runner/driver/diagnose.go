package driver

import (
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/runner/probe"
)

// maxRecorded bounds the executions of one run that are recorded: each may send many megabytes.
const maxRecorded = 4

// record listens for the diagnosis of an execution, the first few of a run. The caller holds mu.
func (p *pod) record(e *execution) error {
	if len(p.recorded) >= maxRecorded {
		return nil
	}
	r, err := probe.Record()
	if err != nil {
		return err
	}
	e.recorder = r
	p.recorded = append(p.recorded, e)
	return nil
}

// diagnose adds to the executions of a workload what was recorded of them. It comes after the workload, whose curves it
// needs, and after the executions have ended.
func (p *pod) diagnose(executions []evidence.Execution) {
	p.mu.Lock()
	recorded := p.recorded
	p.mu.Unlock()
	for _, e := range recorded {
		select {
		case <-e.finished:
		default:
			continue // the workload did not wait for it, so it is not part of the evidence
		}
		for i := range executions {
			if x := &executions[i]; x.Name == e.cmd.Name {
				x.Diagnosis = e.recorder.Diagnose(x, e.startedAt)
			}
		}
	}
}
