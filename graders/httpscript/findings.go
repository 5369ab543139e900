package httpscript

import (
	"fmt"

	"github.com/assay-run/assay/graders/service"
	"github.com/assay-run/assay/graders/signs"
	"github.com/assay-run/assay/internal/evidence"
)

// findings are the reason codes of a run: each once, with the first step that shows it and how many do.
func (r *run) findings() []evidence.Finding {
	var list []evidence.Finding
	death, at := r.death()
	if death.Code != "" {
		e := &r.execs[at]
		list = append(list, evidence.Finding{
			Code: death.Code, Scenario: r.scenario, Execution: e.Name, Detail: death.Detail, AtSeconds: float64(e.DurationNs) / 1e9,
		})
	}
	count, first := map[string]int{}, map[string]*verdict{}
	var order []string
	for i := range r.verdicts {
		v := &r.verdicts[i]
		if v.code == "" || v.code == death.Code || (death.Code != "" && v.brokenByDeath()) {
			continue
		}
		if count[v.code]++; count[v.code] == 1 {
			first[v.code] = v
			order = append(order, v.code)
		}
	}
	for _, code := range order {
		v := first[code]
		list = append(list, evidence.Finding{
			Code: code, Scenario: r.scenario, Execution: "service", AtSeconds: -1,
			Detail: fmt.Sprintf("%d of %d steps. The first, %s: %s", count[code], len(r.verdicts), v.name, v.lost),
		})
	}
	for i := range r.execs {
		e := &r.execs[i]
		if e.Exit.Status != evidence.Signaled || i >= len(r.facts.ReadyNs) || r.facts.ReadyNs[i] < 0 || death.Code != "" {
			continue
		}
		if reason, at, ok := signs.Contradiction(e); ok {
			return append(list, evidence.Finding{Code: codeTamper, Scenario: r.scenario, Execution: e.Name, Detail: reason, AtSeconds: at})
		}
	}
	return list
}

// brokenByDeath says that a step is wrong because nobody answered, which the end of the service explains.
func (v *verdict) brokenByDeath() bool { return v.code == codeHang || v.unanswered }

// death says how the service ended, when one of its processes ended before it was told to, lost a process to its memory limit, or was not
// ready in time. at is the number of the execution.
func (r *run) death() (d signs.Death, at int) {
	for i := range r.execs {
		e := &r.execs[i]
		last := i == len(r.execs)-1
		byItself := last && r.facts.Ended || !last && e.Exit.Signal != "SIGKILL"
		switch {
		case e.Exit.Status == evidence.OOMKilled, e.Exit.Status == evidence.Thrashing, e.Exit.Status == evidence.NotStarted, byItself:
			if d = signs.Diagnose(e, 0, r.truth.MemoryBytes); d.Code == "" {
				d = signs.Death{Code: codeCrash, Detail: fmt.Sprintf("It ended by itself after %s, with exit code 0; a service goes on.", signs.Seconds(e.DurationNs))}
			}
			return d, i
		case i >= len(r.facts.ReadyNs) || r.facts.ReadyNs[i] < 0:
			return signs.Death{Code: codeHang, Detail: fmt.Sprintf("GET /healthz was not answered by 200 within %.0f s of the start.", service.ReadyWithin.Seconds())}, i
		}
	}
	return signs.Death{}, 0
}
