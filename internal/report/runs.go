package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/grading"
)

// runRow is one run in figures, as text; a figure that was not measured is empty.
type runRow struct {
	Who, Ended                         string
	Own                                bool // the submission's
	Wall, Memory, Rate, CPU, Heartbeat string
}

// runGroup is the runs of one scenario, in the order in which they ran.
type runGroup struct {
	Title string
	Rows  []runRow
}

// runGroups lists every run beside the reference. With evidence the figures are the kernel's; without, what the report
// itself holds.
func runGroups(rep *grading.Report, ev *evidence.Grading) []runGroup {
	var groups []runGroup
	at := map[string]int{}
	group := func(scenario string) *runGroup {
		i, ok := at[scenario]
		if !ok {
			i = len(groups)
			at[scenario] = i
			groups = append(groups, runGroup{Title: scenarioTitle(rep, scenario)})
		}
		return &groups[i]
	}
	if ev != nil && len(ev.Attempts) > 0 {
		for _, r := range ev.Last().Runs {
			g := group(r.Scenario)
			g.Rows = append(g.Rows, measuredRow(r))
		}
		return groups
	}
	for _, r := range rep.Runs {
		g := group(r.Scenario)
		row := runRow{Who: who(r.Role, r.Pair), Own: r.Role == evidence.Candidate, Ended: r.Status}
		if r.WallNs > 0 {
			row.Wall = quantity(float64(r.WallNs), "ns")
		}
		row.Memory = known(r.Values, "mem.peak", "bytes")
		row.Heartbeat = known(r.Values, "hb.p99", "ns")
		g.Rows = append(g.Rows, row)
	}
	return groups
}

func known(values map[string]float64, name, unit string) string {
	v, ok := values[name]
	if !ok {
		return ""
	}
	return quantity(v, unit)
}

// measuredRow sums what the executions of a run used; peaks and waits are the worst of them.
func measuredRow(r evidence.Run) runRow {
	row := runRow{Who: who(r.Role, r.Pair), Own: r.Role == evidence.Candidate, Ended: endedText(r.Executions)}
	var wall, cpu, peak, wait, bytes int64
	for _, e := range r.Executions {
		wall += e.DurationNs
		cpu += e.Usage.CPUNs
		peak = max(peak, e.Usage.MemoryPeakBytes)
		bytes += cmp.Or(e.InputBytes, e.Usage.ReadBytes)
		if e.Heartbeat != nil {
			wait = max(wait, e.Heartbeat.P99Ns)
		}
	}
	if wall > 0 {
		row.Wall = quantity(float64(wall), "ns")
		row.CPU = quantity(float64(cpu), "ns")
		row.Memory = quantity(float64(peak), "bytes")
		if bytes > 0 {
			row.Rate = quantity(float64(bytes)/(float64(wall)/1e9), "bytes/s")
		}
	}
	if wait > 0 {
		row.Heartbeat = quantity(float64(wait), "ns")
	}
	return row
}

// endedText says how the executions of a run ended; of several, how many ended with code 0. That is no judgement: some
// are asked to end otherwise.
func endedText(ex []evidence.Execution) string {
	good := 0
	for _, e := range ex {
		if e.Exit.OK() {
			good++
		}
	}
	switch {
	case len(ex) == 0:
		return "did not start"
	case len(ex) == 1:
		return exitText(ex[0].Exit)
	default:
		return fmt.Sprintf("%d of %d exit 0", good, len(ex))
	}
}

// exitText says how a process ended, in words.
func exitText(e evidence.Exit) string {
	switch e.Status {
	case evidence.Exited:
		return "exit " + strconv.Itoa(e.Code)
	case evidence.Signaled:
		return "ended by " + e.Signal
	case evidence.OOMKilled:
		return "out of memory"
	case evidence.Thrashing:
		return "stuck at its memory limit"
	case evidence.TimedOut:
		return "time limit"
	case evidence.CPULimit:
		return "limit of CPU time"
	case evidence.DiskLimit:
		return "limit of disk"
	case evidence.NotStarted:
		return "did not start"
	default:
		return string(e.Status)
	}
}

func who(role evidence.Role, pair int) string {
	switch role {
	case evidence.Candidate:
		return "This submission, run " + strconv.Itoa(pair+1)
	case evidence.Reference:
		return "Reference, run " + strconv.Itoa(pair+1)
	case evidence.Control:
		return "Known bad solution"
	default:
		return string(role)
	}
}

// scenarioTitle is the scenario's title where the report has one, else its id.
func scenarioTitle(rep *grading.Report, id string) string {
	for _, c := range rep.Cases {
		if c.Scenario == id && c.Title != "" {
			return c.Title
		}
	}
	return id
}

// wallNs is how long the processes of a run lived, together.
func wallNs(r evidence.Run) int64 {
	var sum int64
	for _, e := range r.Executions {
		sum += e.DurationNs
	}
	return sum
}

// nearestMedian is the index of the run whose wall time is the median, or the nearer to it of two. runs is not empty.
func nearestMedian(runs []evidence.Run) int {
	order := make([]int, len(runs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(wallNs(runs[a]), wallNs(runs[b])) })
	return order[(len(order)-1)/2]
}

// runsOf picks the runs of one role and scenario, in order.
func runsOf(a evidence.Attempt, role evidence.Role, scenario string) []evidence.Run {
	var out []evidence.Run
	for _, r := range a.Runs {
		if r.Role == role && r.Scenario == scenario {
			out = append(out, r)
		}
	}
	return out
}

// executionOf finds an execution by name; nil when the run has none.
func executionOf(r *evidence.Run, name string) *evidence.Execution {
	if r == nil {
		return nil
	}
	for i := range r.Executions {
		if r.Executions[i].Name == name {
			return &r.Executions[i]
		}
	}
	return nil
}
