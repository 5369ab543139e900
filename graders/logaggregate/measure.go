package logaggregate

import (
	"encoding/json"
	"fmt"

	"github.com/assay-run/assay/graders/heartbeat"
	"github.com/assay-run/assay/graders/loggen"
	"github.com/assay-run/assay/graders/signs"
	"github.com/assay-run/assay/internal/evidence"
)

// verdict is one file, judged.
type verdict struct {
	known known
	exec  *evidence.Execution // nil when it was not run
	death signs.Death
	right bool
	diffs []difference // what is wrong with the result; empty when there is none to compare
	got   *result      // nil when there is none
	lost  string       // why the case was lost
}

// Measure implements graders.Grader.
func (*Grader) Measure(run evidence.Run, raw json.RawMessage) (evidence.Measures, error) {
	var t truth
	if err := json.Unmarshal(raw, &t); err != nil {
		return evidence.Measures{}, fmt.Errorf("read truth of %s: %w", run.Scenario, err)
	}
	verdicts, err := judge(&run, &t)
	if err != nil {
		return evidence.Measures{}, fmt.Errorf("judge %s: %w", run.Scenario, err)
	}
	m := evidence.Measures{Values: map[string]float64{}}
	countCases(&m, verdicts)
	resources(&m, &run)
	if t.Kind != kindAnomalies && len(run.Executions) > 0 {
		speed(&m, &run.Executions[0])
		heartbeats(&m, &run.Executions[0])
	}
	m.Findings = findings(run.Scenario, &t, verdicts)
	return m, nil
}

// judge finds the execution of every file.
func judge(run *evidence.Run, t *truth) ([]verdict, error) {
	if len(t.Files) == 0 {
		return nil, fmt.Errorf("truth has no files")
	}
	byName := make(map[string]*evidence.Execution, len(run.Executions))
	for i := range run.Executions {
		byName[run.Executions[i].Name] = &run.Executions[i]
	}
	verdicts := make([]verdict, 0, len(t.Files))
	for _, k := range t.Files {
		if k.Exit == 0 && k.Want == nil {
			return nil, fmt.Errorf("truth of %s is missing", k.ID)
		}
		verdicts = append(verdicts, judgeFile(k, byName[k.ID]))
		delete(byName, k.ID)
	}
	for name := range byName {
		return nil, fmt.Errorf("execution %q is not of this scenario", name)
	}
	return verdicts, nil
}

// judgeFile judges one file.
func judgeFile(k known, e *evidence.Execution) verdict {
	v := verdict{known: k, exec: e}
	if e == nil {
		v.lost = "It was not run: the files before it had used up the time."
		return v
	}
	if v.death = signs.Diagnose(e, k.Exit, contractMemory); v.death.Code != "" {
		v.lost = v.death.Detail
		return v
	}
	if e.Exit.Code != k.Exit {
		v.lost = fmt.Sprintf("It ended with exit code %d, expected %d.", e.Exit.Code, k.Exit)
		return v
	}
	if k.Exit != 0 {
		v.right = e.Output == nil || e.Output.State == evidence.FileMissing
		if !v.right {
			v.lost = "It wrote a result although the input is damaged."
		}
		return v
	}
	got, err := parseResult(e.Output)
	if err != nil {
		v.lost = fmt.Sprintf("It ended with exit code 0, but %s.", err)
		return v
	}
	v.got, v.diffs = got, compare(got, k.Want)
	v.right = len(v.diffs) == 0
	if !v.right {
		v.lost = describe(v.diffs)
	}
	return v
}

// describe names what is wrong with a result: the first differences in full, the number of others.
func describe(diffs []difference) string {
	const full = 3
	text := ""
	for i, d := range diffs {
		switch {
		case i == full:
			return fmt.Sprintf("%s; %d more of the %d parts are wrong.", text, len(diffs)-full, partCount)
		case i > 0:
			text += "; "
		}
		text += d.detail
	}
	return text + "."
}

// countCases makes the cases and the figures that count them.
func countCases(m *evidence.Measures, verdicts []verdict) {
	var right, total, fields float64
	wrong, oom, crashes := 0, 0, 0
	for _, v := range verdicts {
		total += v.known.Weight
		switch {
		case v.right:
			right += v.known.Weight
			fields++
		case v.got != nil:
			wrong++
			fields += float64(partCount-len(v.diffs)) / partCount
		default:
			wrong++
		}
		switch v.death.Code {
		case codeOOMHeap, codeOOMCgroup:
			oom++
		case codeCrash:
			crashes++
		}
		m.Cases = append(m.Cases, evidence.Case{
			Name: v.known.ID, Title: v.known.Title, Weight: v.known.Weight, Right: v.right, Detail: v.lost,
		})
	}
	m.Values[metricCasesRight] = right / total
	m.Values[metricCasesWrong] = float64(wrong)
	m.Values[metricRightFields] = fields / float64(len(verdicts))
	m.Values[metricOOM] = float64(oom)
	m.Values[metricCrashes] = float64(crashes)
	m.Values[metricExact] = oneIf(wrong == 0)
}

// resources are figures over all executions.
func resources(m *evidence.Measures, run *evidence.Run) {
	peak := int64(0)
	for i := range run.Executions {
		peak = max(peak, run.Executions[i].Usage.MemoryPeakBytes)
	}
	if peak > 0 {
		m.Values[metricMemPeak] = float64(peak)
	}
}

// speed is how fast a file was read. Of a program that broke off it would say nothing.
func speed(m *evidence.Measures, e *evidence.Execution) {
	if !e.Exit.OK() || e.InputBytes <= 0 || e.DurationNs <= 0 {
		return
	}
	m.Values[metricThroughput] = float64(e.InputBytes) / (float64(e.DurationNs) / 1e9)
	m.Values[metricCPU] = float64(e.Usage.CPUNs) / (float64(e.InputBytes) / (1 << 30))
}

// heartbeats are the figures of GET /progress. When the program ended before a request counted, all it shows is whether it
// answered at all.
func heartbeats(m *evidence.Measures, e *evidence.Execution) {
	hb := e.Heartbeat
	if hb == nil {
		return
	}
	if hb.FirstAnswerNs >= 0 {
		m.Values[metricHBFirst] = float64(hb.FirstAnswerNs)
	}
	if !heartbeat.Measure(m.Values, hb) {
		m.Values[heartbeat.MetricAnswered] = oneIf(hb.FirstAnswerNs >= 0)
	}
	var f facts
	good := json.Unmarshal(e.Facts, &f) == nil && f.Progress != nil && f.Progress.Count > 0 && f.Progress.Violations == 0
	m.Values[metricMonotonic] = oneIf(good)
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// onlyCodePoints says whether everything is right but msgCodePoints.
func (v *verdict) onlyCodePoints() bool {
	return v.got != nil && len(v.diffs) == 1 && v.diffs[0].part == partCodePoints && v.got.codePoints != nil
}

// want is the truth of a file that has a result.
func (v *verdict) want() *loggen.Truth { return v.known.Want }
