package debugservice

import (
	"fmt"

	"github.com/assay-run/assay/graders/service"
	"github.com/assay-run/assay/graders/signs"
	"github.com/assay-run/assay/internal/evidence"
)

// manyThreads is more than a repair needs: a bare Node process has about twelve, a log in a worker adds two.
const manyThreads = 22

// findings are the reason codes of a run.
func (r *run) findings() []evidence.Finding {
	var list []evidence.Finding
	add := func(code, detail string, at float64) {
		list = append(list, evidence.Finding{Code: code, Scenario: r.scenario, Execution: execution, Detail: detail, AtSeconds: at})
	}
	if death := r.death(); death.Code != "" {
		add(death.Code, death.Detail, float64(r.exec.DurationNs)/1e9)
		return list // whatever it did not answer after that is no news
	}
	if len(r.wrong) > 0 {
		add(codeWrongOutput, fmt.Sprintf("%d answers are not what they were. The first: %s", len(r.wrong), r.wrong[0]), -1)
	}
	if len(r.stale) > 0 && r.facts.Fresh != nil {
		add(codeStaleRead, r.stale[0], -1)
	}
	for _, left := range r.left {
		add(left.cause.code, left.cause.name+": "+left.detail, -1)
	}
	u := &r.exec.Usage
	if (u.MaxProcesses > 1 || u.MaxThreads > manyThreads) && len(r.left) > 0 {
		add(codeMaskedFix, fmt.Sprintf("It has %d processes and %d threads, and %d of the causes are still there: the work is spread and not less.",
			u.MaxProcesses, u.MaxThreads, len(r.left)), -1)
	}
	if reason, at, ok := signs.Contradiction(r.exec); ok {
		add(codeTamper, reason, at)
	}
	return list
}

// death says how the service ended, when it ended before it was told to.
func (r *run) death() signs.Death {
	return service.Death(r.exec, r.facts.Ended, r.facts.ReadyNs, contractMemory)
}
