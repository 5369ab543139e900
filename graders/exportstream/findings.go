package exportstream

import (
	"fmt"

	"github.com/assay-run/assay/graders/readers"
	"github.com/assay-run/assay/graders/service"
	"github.com/assay-run/assay/graders/signs"
	"github.com/assay-run/assay/internal/evidence"
)

// findings are the reason codes of a run.
func (r *run) findings(left []departure) []evidence.Finding {
	var list []evidence.Finding
	add := func(code, detail string, at float64) {
		list = append(list, evidence.Finding{Code: code, Scenario: r.scenario, Execution: execution, Detail: detail, AtSeconds: at})
	}
	death := r.death()
	if death.Code != "" {
		add(death.Code, death.Detail, float64(r.exec.DurationNs)/1e9)
	}
	if n, first := r.wrongExports(); n > 0 {
		add(codeWrongOutput, fmt.Sprintf("%s have wrong content. The first, %s", counted(n, "export"), first), -1)
	}
	if n, first := r.silentFailures(); n > 0 {
		add(codeTruncation, fmt.Sprintf("%s of a source ended as if the export were complete. The first: %s", counted(n, "failure"), first), -1)
	}
	if n, all, first := leaks(left); n >= 2 && 2*n >= all {
		add(codeSourceLeak, fmt.Sprintf("Of %d exports whose client left, %d still had a connection to the source %.0f s later. The first: %s",
			all, n, leakAfter.Seconds(), first), -1)
	}
	if n, first := r.hanging(); n > 0 && death.Code == "" {
		add(codeHang, fmt.Sprintf("%s did not end. The first: %s", counted(n, "export"), first), -1)
	}
	if !r.facts.Ended && r.facts.ReadyNs >= 0 {
		if reason, at, ok := signs.Contradiction(r.exec); ok {
			add(codeTamper, reason, at)
		}
	}
	return list
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// death says how the service ended, when it ended before it was told to, or lost a process to its memory limit.
func (r *run) death() signs.Death {
	return service.Death(r.exec, r.facts.Ended, r.facts.ReadyNs, contractMemory)
}

// wrongExports counts those that have other bytes than they must, or that are complete and lack rows. What came of a source that failed
// is not among them.
func (r *run) wrongExports() (n int, first string) {
	for i := range r.specs {
		s := &r.specs[i]
		st := r.facts.Streams[s.ID]
		if s.Group == groupFailure || s.Group == groupDown || st == nil || st.Client == nil || st.Client.Status != 200 {
			continue
		}
		lost := st.Wrong
		if lost == "" && st.Client.End == readers.Complete && !st.Whole {
			lost = fmt.Sprintf("It ended after %d bytes as if it were complete, but rows are missing.", st.Client.Bytes)
		}
		if lost == "" {
			continue
		}
		if n++; n == 1 {
			first = s.ID + ": " + lost
		}
	}
	return n, first
}

// silentFailures counts sources that failed while the client was told that all is well.
func (r *run) silentFailures() (n int, first string) {
	for i := range r.specs {
		s := &r.specs[i]
		st := r.facts.Streams[s.ID]
		if s.Group != groupFailure && s.Group != groupDown || st == nil || st.Client == nil || st.Client.Status != 200 {
			continue
		}
		if end := st.Client.End; end != readers.Complete && end != readers.Unframed {
			continue
		}
		if n++; n == 1 {
			first = s.Title + ". " + s.ending(st)
		}
	}
	return n, first
}

// hanging counts exports that must come to an end and did not.
func (r *run) hanging() (n int, first string) {
	for i := range r.specs {
		s := &r.specs[i]
		st := r.facts.Streams[s.ID]
		if s.Group.isLeaving() || st == nil || st.Client == nil || st.Client.End != readers.TimedOut {
			continue
		}
		if n++; n == 1 {
			first = s.ID + ": " + s.ending(st)
		}
	}
	return n, first
}

// leaks counts the departures after which the source stays: not those that were slow to tell it, because there was so much else to do.
func leaks(list []departure) (n, all int, first string) {
	for _, d := range list {
		if !d.judged {
			continue
		}
		all++
		if d.late >= 0 && d.late <= leakAfter {
			continue
		}
		if n++; n == 1 {
			first = d.spec.ID + ": " + d.detail()
		}
	}
	return n, all, first
}
