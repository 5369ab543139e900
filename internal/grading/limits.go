package grading

import (
	"fmt"

	"github.com/assay-run/assay/internal/evidence"
)

// limitFindings are the reason codes of the limits that a run reached. For memory and time the graders say more.
func limitFindings(run *evidence.Run) []evidence.Finding {
	var found []evidence.Finding
	for _, x := range run.Executions {
		for _, hit := range x.Limits {
			if hit.Limit == evidence.LimitMemory || hit.Limit == evidence.LimitTime {
				continue
			}
			found = append(found, evidence.Finding{
				Code: limitCode(hit.Limit), Scenario: run.Scenario, Execution: x.Name, Detail: limitSentence(hit), AtSeconds: hit.AtSeconds,
			})
		}
	}
	return found
}

// limitCode is the reason code of a limit.
func limitCode(l evidence.Limit) string {
	switch l {
	case evidence.LimitMemory:
		return evidence.CodeOOMCgroup
	case evidence.LimitTime:
		return evidence.CodeHang
	case evidence.LimitCPU:
		return evidence.CodeLimitCPU
	case evidence.LimitProcesses:
		return evidence.CodeLimitProcesses
	case evidence.LimitFiles:
		return evidence.CodeLimitFiles
	case evidence.LimitOutput:
		return evidence.CodeLimitOutput
	default: // what fills up
		return evidence.CodeLimitDisk
	}
}

// limitSentence says what was reached, and when.
func limitSentence(h evidence.LimitHit) string {
	at := fmt.Sprintf("%.1f s after its start", h.AtSeconds)
	room := func(where string) string {
		return fmt.Sprintf("%s was full %s; there is room for %s.", where, at, formatBytes(float64(h.Allowed)))
	}
	switch h.Limit {
	case evidence.LimitMemory:
		return fmt.Sprintf("It ran out of memory %s; it may use %s.", at, formatBytes(float64(h.Allowed)))
	case evidence.LimitTime:
		return fmt.Sprintf("Its time of %s was over %s.", formatDuration(float64(h.Allowed)), at)
	case evidence.LimitCPU:
		return fmt.Sprintf("It had used %s of CPU time %s, which is all that one execution may use.", formatDuration(float64(h.Allowed)), at)
	case evidence.LimitProcesses:
		return fmt.Sprintf("It wanted more than %d processes and threads at a time, for the first time %s; that was refused %s.", h.Allowed, at, times(h.Refused))
	case evidence.LimitFiles:
		return fmt.Sprintf("A process had %d files and connections open %s, which is all that it may have.", h.Allowed, at)
	case evidence.LimitTmp:
		return room("/tmp")
	case evidence.LimitShm:
		return room("/dev/shm")
	case evidence.LimitOut:
		return room("The output directory")
	case evidence.LimitOutput:
		return fmt.Sprintf("Output was dropped, for the first time %s: of each of stdout and stderr, %s are kept.", at, formatBytes(float64(h.Allowed)))
	case evidence.LimitDiskFiles:
		return fmt.Sprintf("Its folder had more than %d files %s.", h.Allowed, at)
	default:
		return fmt.Sprintf("It had written more than %s into its folder %s.", formatBytes(float64(h.Allowed)), at)
	}
}

func times(n int64) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
