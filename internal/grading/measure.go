package grading

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/internal/evidence"
)

// sample is one run with what its grader makes of it.
type sample struct {
	run      *evidence.Run
	values   map[string]float64 // finite only
	findings []evidence.Finding
	cases    []evidence.Case
	// compared says that other scenarios ran in the same pair, so that Compare could speak; joint are the metrics and
	// codes that came from it. An extra pair of one scenario alone must not count as a run without those.
	compared bool
	joint    map[string]bool
}

// subject is everything known about one role: its runs by scenario, ascending by pair.
type subject map[string][]*sample

// measured are the subjects of an attempt.
type measured map[evidence.Role]subject

// measureAttempt lets the graders judge every run, and then what only several scenarios together show.
// handIn are the files of the candidate.
func measureAttempt(
	ch *challenges.Challenge, kinds map[string]graders.Grader, a *evidence.Attempt, handIn []evidence.SourceFile,
) (measured, error) {
	workloads := map[string]string{}
	for _, sc := range ch.Scenarios {
		workloads[sc.ID] = sc.Workload
	}
	all := measured{evidence.Reference: {}, evidence.Candidate: {}, evidence.Control: {}}
	for i := range a.Runs {
		run := &a.Runs[i]
		g, ok := kinds[workloads[run.Scenario]]
		if !ok {
			return nil, fmt.Errorf("measure run of scenario %q: it is not part of challenge %s", run.Scenario, ch.ID)
		}
		subject, ok := all[run.Role]
		if !ok {
			return nil, fmt.Errorf("measure run of scenario %s: unknown role %q", run.Scenario, run.Role)
		}
		m, err := g.Measure(*run, a.Truth[run.Scenario])
		if err != nil {
			return nil, fmt.Errorf("measure %s run of scenario %s: %w", run.Role, run.Scenario, err)
		}
		s := &sample{run: run, values: map[string]float64{}, joint: map[string]bool{}}
		s.add(m)
		if reader, ok := g.(graders.HandInReader); ok && run.Role == evidence.Candidate {
			if m, err = reader.ReadHandIn(handIn, *run, a.Truth[run.Scenario]); err != nil {
				return nil, fmt.Errorf("read what was handed in, for scenario %s: %w", run.Scenario, err)
			}
			s.add(m)
		}
		s.findings = append(s.findings, limitFindings(run)...)
		subject[run.Scenario] = append(subject[run.Scenario], s)
	}
	for _, role := range []evidence.Role{evidence.Reference, evidence.Candidate, evidence.Control} {
		for _, samples := range all[role] {
			slices.SortStableFunc(samples, func(x, y *sample) int { return x.run.Pair - y.run.Pair })
		}
		if err := compareSubject(all[role], workloads, kinds, a.Truth); err != nil {
			return nil, fmt.Errorf("compare scenarios of the %s: %w", role, err)
		}
	}
	return all, nil
}

// add takes over what a grader found. Numbers that are not finite count as not measured.
func (s *sample) add(m evidence.Measures) {
	for name, v := range m.Values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			s.values[name] = v
		}
	}
	for _, f := range m.Findings {
		if f.Scenario == "" {
			f.Scenario = s.run.Scenario
		}
		s.findings = append(s.findings, f)
	}
	s.cases = append(s.cases, m.Cases...)
}

// compareSubject calls Compare for each pair of a role and each workload with at least two scenarios in that pair.
func compareSubject(
	sub subject, workloads map[string]string, kinds map[string]graders.Grader, truth map[string]json.RawMessage,
) error {
	type group struct {
		pair     int
		workload string
	}
	groups := map[group]map[string]*sample{}
	for id, samples := range sub {
		for _, s := range samples {
			key := group{s.run.Pair, workloads[id]}
			if groups[key] == nil {
				groups[key] = map[string]*sample{}
			}
			groups[key][id] = s
		}
	}
	for key, members := range groups {
		if len(members) < 2 {
			continue
		}
		runs := map[string]evidence.Run{}
		truths := map[string]json.RawMessage{}
		for id, s := range members {
			runs[id], truths[id] = *s.run, truth[id]
		}
		for _, s := range members {
			s.compared = true
		}
		found, err := kinds[key.workload].Compare(runs, truths)
		if err != nil {
			return fmt.Errorf("pair %d: %w", key.pair, err)
		}
		for id, m := range found {
			s, ok := members[id]
			if !ok {
				return fmt.Errorf("pair %d: workload %s judged scenario %q, which it was not given", key.pair, key.workload, id)
			}
			for name := range m.Values {
				s.joint[name] = true
			}
			for _, f := range m.Findings {
				s.joint[f.Code] = true
			}
			s.add(m)
		}
	}
	return nil
}

// chances counts the runs of a scenario that could have yielded a metric or a code.
func chances(samples []*sample, name string) int {
	joint, compared := false, 0
	for _, s := range samples {
		joint = joint || s.joint[name]
		if s.compared {
			compared++
		}
	}
	if joint {
		return compared
	}
	return len(samples)
}

// medians gives each metric its median over the runs of a scenario. A metric that fewer than half of the runs yield
// counts as not measured: what the few surviving runs of a crashing program say would flatter it.
func (sub subject) medians() map[string]map[string]float64 {
	out := map[string]map[string]float64{}
	for id, samples := range sub {
		values := map[string][]float64{}
		for _, s := range samples {
			for name, v := range s.values {
				values[name] = append(values[name], v)
			}
		}
		out[id] = map[string]float64{}
		for name, vs := range values {
			if 2*len(vs) >= chances(samples, name) {
				out[id][name] = median(vs)
			}
		}
	}
	return out
}

// ofPair is medians with the values of one pair laid over them: what the role looked like in that pair, as far as its
// scenarios ran again.
func (sub subject) ofPair(pair int, medians map[string]map[string]float64) map[string]map[string]float64 {
	out := maps.Clone(medians)
	for id, samples := range sub {
		for _, s := range samples {
			if s.run.Pair == pair {
				out[id] = s.values
			}
		}
	}
	return out
}

// pairs counts the runs of a scenario.
func (sub subject) pairs(scenario string) int { return len(sub[scenario]) }

// findings returns, by code, what was seen in at least half of the runs of a scenario. A single odd run out of three is
// not held against anybody.
func (sub subject) findings() map[string][]evidence.Finding {
	out := map[string][]evidence.Finding{}
	for _, id := range slices.Sorted(maps.Keys(sub)) {
		runs := map[string]int{}
		seen := map[string][]evidence.Finding{}
		for _, s := range sub[id] {
			inRun := map[string]bool{}
			for _, f := range s.findings {
				seen[f.Code] = append(seen[f.Code], f)
				inRun[f.Code] = true
			}
			for code := range inRun {
				runs[code]++
			}
		}
		for code, n := range runs {
			if 2*n >= chances(sub[id], code) {
				out[code] = append(out[code], seen[code]...)
			}
		}
	}
	return out
}

// median of at least one value; it does not change vs.
func median(vs []float64) float64 {
	s := slices.Sorted(slices.Values(vs))
	n := len(s)
	if n%2 == 1 {
		return s[n/2]
	}
	return s[n/2-1]/2 + s[n/2]/2
}
