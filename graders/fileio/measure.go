package fileio

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/assay-run/assay/graders/signs"
	"github.com/assay-run/assay/internal/evidence"
)

// verdict is what came of one case.
type verdict struct {
	known *known
	exec  *evidence.Execution // nil when there was no time left for it
	death signs.Death
	lost  string // what is wrong; empty when it is right
}

// Measure implements graders.Grader.
func (*Grader) Measure(run evidence.Run, raw json.RawMessage) (evidence.Measures, error) {
	var t truth
	if err := json.Unmarshal(raw, &t); err != nil {
		return evidence.Measures{}, fmt.Errorf("read truth of %s: %w", run.Scenario, err)
	}
	byName := map[string]*evidence.Execution{}
	for i := range run.Executions {
		byName[run.Executions[i].Name] = &run.Executions[i]
	}
	var verdicts []verdict
	for i := range t.Cases {
		v := verdict{known: &t.Cases[i], exec: byName[t.Cases[i].Name]}
		delete(byName, v.known.Name)
		v.judge(t.MemoryBytes)
		verdicts = append(verdicts, v)
	}
	if len(byName) > 0 {
		return evidence.Measures{}, fmt.Errorf("judge %s: the run is not of this workload", run.Scenario)
	}
	m := evidence.Measures{Values: values(verdicts), Findings: findings(run.Scenario, verdicts)}
	for i := range verdicts {
		v := &verdicts[i]
		m.Cases = append(m.Cases, evidence.Case{
			Name: v.known.Name, Title: v.known.title(), Weight: v.known.Weight, Right: v.lost == "", Detail: v.lost,
		})
	}
	return m, nil
}

func (k *known) title() string {
	if k.Group == groupOther {
		return "Case " + k.Name
	}
	return fmt.Sprintf("Case %s (%s)", k.Name, k.Group)
}

// judge decides a case.
func (v *verdict) judge(memory int64) {
	if v.exec == nil {
		v.lost = "It was not run: the time of the scenario was used up by the cases before it."
		return
	}
	v.death = death(v.exec, time.Duration(v.known.TimeNs), memory)
	if v.death.Code != "" {
		v.lost = v.death.Detail
		return
	}
	output, lost := v.exec.Stdout.Text, ""
	switch {
	case v.known.OutputFile:
		output, lost = written(v.exec.Output)
	case v.exec.Stdout.Dropped > 0:
		lost = fmt.Sprintf("It wrote %s bytes to standard output, many times what is expected.", signs.Number(v.exec.Stdout.Bytes))
	}
	if lost == "" {
		lost = differ(v.known.Rules, v.known.Input, output, v.known.Expected)
	}
	v.lost = lost
}

// written is the content of an output file, or what is wrong with it.
func written(f *evidence.File) (text, lost string) {
	if f == nil {
		return "", "There is no output file."
	}
	switch f.State {
	case evidence.FileOK:
		return f.Content, ""
	case evidence.FileMissing:
		return "", "It did not write the output file."
	case evidence.FileTooLarge:
		return "", fmt.Sprintf("The output file has %s bytes, many times what is expected.", signs.Number(f.Bytes))
	case evidence.FileNotRegular, evidence.FileUnreadable:
	}
	return "", "The output is not a plain file that can be read."
}

// busyShare is the share of its time from which on a program that was not done in time was computing rather than waiting.
const busyShare = 0.5

// death says how a program died. One that was not done in time is slow when it computed all the time, and hangs when it waited.
func death(e *evidence.Execution, limit time.Duration, memory int64) signs.Death {
	d := signs.Diagnose(e, 0, memory)
	// It may have wanted to compute and found its core taken.
	busy := float64(e.Usage.CPUNs+e.Usage.RunDelayNs) >= busyShare*float64(e.DurationNs)
	switch {
	case e.Exit.Status == evidence.CPULimit:
		d = signs.Death{Code: codeSlow, Detail: fmt.Sprintf("It was not done when it had computed for %s.", signs.Seconds(e.Usage.CPUNs))}
	case e.Exit.Status == evidence.TimedOut && busy:
		d = signs.Death{Code: codeSlow, Detail: fmt.Sprintf("It was not done within %s; it computed for %s of that.", limit, signs.Seconds(e.Usage.CPUNs))}
	case e.Exit.Status == evidence.TimedOut:
		d.Detail = fmt.Sprintf("It was not done within %s, and computed for only %s of that: it waited for something.", limit, signs.Seconds(e.Usage.CPUNs))
	}
	return d
}

// values are the metrics.
func values(verdicts []verdict) map[string]float64 {
	m := map[string]float64{metricWrong: 0, metricTimeout: 0, metricCrashed: 0}
	right, all := map[string]float64{}, map[string]float64{}
	clean := true
	var wall, cpu, longest, memory int64
	for i := range verdicts {
		v := &verdicts[i]
		for _, group := range []string{"", v.known.Group} {
			all[group] += v.known.Weight
			if v.lost == "" {
				right[group] += v.known.Weight
			}
		}
		if v.lost != "" {
			m[metricWrong]++
		}
		if v.exec == nil {
			clean = false
			continue
		}
		wall += v.exec.DurationNs
		cpu += v.exec.Usage.CPUNs
		longest = max(longest, v.exec.DurationNs)
		memory = max(memory, v.exec.Usage.MemoryPeakBytes)
		clean = clean && v.exec.Exit.OK()
		switch {
		case v.exec.Exit.Status == evidence.TimedOut, v.exec.Exit.Status == evidence.CPULimit:
			m[metricTimeout]++
		case !v.exec.Exit.OK():
			m[metricCrashed]++
		}
	}
	for group, weight := range all {
		name := metricRight
		if group != "" {
			name = group + rightOf
		}
		m[name] = right[group] / weight
	}
	if longest > 0 {
		m[metricTimeMax] = float64(longest)
	}
	if memory > 0 {
		m[metricMemPeak] = float64(memory)
	}
	if clean {
		m[metricTimeAll], m[metricCPU] = float64(wall), float64(cpu)
	}
	return m
}

// findings are the reason codes of a run: each once, with the first case that shows it and how many do.
func findings(scenario string, verdicts []verdict) []evidence.Finding {
	var list []evidence.Finding
	first, count := map[string]*verdict{}, map[string]int{}
	var order []string
	add := func(code string, v *verdict) {
		if count[code]++; count[code] == 1 {
			first[code] = v
			order = append(order, code)
		}
	}
	for i := range verdicts {
		v := &verdicts[i]
		switch {
		case v.exec == nil:
		case v.death.Code != "":
			add(v.death.Code, v)
		case v.lost != "":
			add(codeWrongOutput, v)
		}
	}
	for _, code := range order {
		v := first[code]
		at := -1.0
		if v.death.Code != "" {
			at = float64(v.exec.DurationNs) / 1e9
		}
		list = append(list, evidence.Finding{
			Code: code, Scenario: scenario, Execution: v.known.Name, AtSeconds: at,
			Detail: fmt.Sprintf("%d of %d cases. The first, %s: %s", count[code], len(verdicts), v.known.Name, v.lost),
		})
	}
	for i := range verdicts {
		if v := &verdicts[i]; v.exec != nil && v.exec.Exit.OK() {
			if reason, at, ok := signs.Contradiction(v.exec); ok {
				return append(list, evidence.Finding{Code: codeTamper, Scenario: scenario, Execution: v.known.Name, Detail: reason, AtSeconds: at})
			}
		}
	}
	return list
}
