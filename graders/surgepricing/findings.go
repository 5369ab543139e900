package surgepricing

import (
	"fmt"

	"github.com/assay-run/assay/graders/exchange"
	"github.com/assay-run/assay/graders/service"
	"github.com/assay-run/assay/graders/signs"
	"github.com/assay-run/assay/internal/evidence"
)

// A process for each request is seen by their number and by what they take together.
const (
	manyProcesses = 4
	muchMemory    = 150 << 20
)

// findings are the reason codes of a run. What needs the reference to be judged (LOOP_BLOCKED, STARVATION, THREAD_EXPLOSION) is in
// challenge.yaml.
func (r *run) findings(m *evidence.Measures) []evidence.Finding {
	var list []evidence.Finding
	add := func(code, detail string, at float64) {
		list = append(list, evidence.Finding{Code: code, Scenario: r.scenario, Execution: execution, Detail: detail, AtSeconds: at})
	}
	u := &r.exec.Usage
	forks := u.MaxProcesses >= manyProcesses && u.MemoryPeakBytes > muchMemory
	if forks {
		add(codeMemUnbounded, fmt.Sprintf("It had %d processes at a time, which took %s together: each request in work costs a process.",
			u.MaxProcesses, signs.Mebibytes(u.MemoryPeakBytes)), -1)
	}
	death := r.death()
	if death.Code != "" && !(forks && (death.Code == signs.OOMCgroup || death.Code == signs.OOMHeap)) {
		add(death.Code, death.Detail, float64(r.exec.DurationNs)/1e9)
	}
	if n := int(m.Values[metricChecksums]); n > 0 {
		add(codeWrongOutput, fmt.Sprintf("%d of %d rebuilds have a wrong answer. %s", n, len(r.truth.Loads), r.firstWrong()), -1)
	} else if len(r.wrong) > 0 {
		add(codeWrongOutput, fmt.Sprintf("%s of %s quotes mix two tables or go back. The first: %s",
			signs.Number(int64(m.Values[metricQuotesWrong])), signs.Number(int64(len(r.facts.Quotes.Number))), r.wrong[0]), -1)
	}
	if id, a := r.unanswered(); a != nil && death.Code == "" && !forks {
		add(codeHang, fmt.Sprintf("The rebuild %s was not answered within %.0f s, although there was room for it.", id, a.Got-a.Sent), r.sinceStart(a.Sent))
	}
	if !r.facts.Ended && r.facts.ReadyNs >= 0 {
		if reason, at, ok := signs.Contradiction(r.exec); ok {
			add(codeTamper, reason, at)
		}
	}
	return list
}

// death says how the service ended, when it ended before it was told to, or lost a process to its memory limit.
func (r *run) death() signs.Death {
	return service.Death(r.exec, r.facts.Ended, r.facts.ReadyNs, contractMemory)
}

// firstWrong describes the first wrong rebuild.
func (r *run) firstWrong() string {
	for _, k := range r.truth.Loads {
		if a := r.facts.Loads[k.ID]; a != nil && a.Status == 200 && r.epochs.wrong[k.ID] != "" {
			return fmt.Sprintf("The first, %s: %s", k.ID, r.epochs.wrong[k.ID])
		}
	}
	return ""
}

// unanswered is the first rebuild that had room and got no answer in all the time.
func (r *run) unanswered() (string, *answer) {
	for _, k := range r.truth.Loads {
		if a := r.facts.Loads[k.ID]; a != nil && a.Error == exchange.TimeUsedUp {
			return k.ID, a
		}
	}
	return "", nil
}

// sinceStart turns a time since the service was ready into one since the start of its process.
func (r *run) sinceStart(t float64) float64 { return t + float64(r.facts.ReadyNs)/1e9 }
