package grading

import (
	"errors"

	"github.com/assay-run/assay/challenges"
)

// The caps of failed gates (catalogue §5.2), in points of 100.
const (
	coreCap   = 40.0
	safetyCap = 25.0
)

func gateCap(kind string) float64 {
	if kind == "safety" {
		return safetyCap
	}
	return coreCap
}

// gateState is how somebody fared at a gate. The zero value is a gate that was not judged.
type gateState struct {
	judged bool
	passed bool
	// blocker is the failed gate because of which this one was not judged.
	blocker string
}

func (s gateState) failed() bool { return s.judged && !s.passed }

// judgeGates judges every gate. A gate that needs a failed one is not judged, and neither is one that needs that. A gate
// whose numbers are missing has failed: a program that does not live to show a figure does not pass by it.
func judgeGates(
	gates []challenges.Gate, when map[string]*challenges.Expression, env challenges.Env,
) (map[string]gateState, error) {
	states := map[string]gateState{}
	// Needs form no cycle (the loader refuses one), so every round settles at least one gate.
	for range gates {
		for _, g := range gates {
			if _, done := states[g.ID]; done || !settled(g.Needs, states) {
				continue
			}
			if blocker := blockedBy(g.Needs, states); blocker != "" {
				states[g.ID] = gateState{blocker: blocker}
				continue
			}
			failed, err := when[g.ID].EvalBool(env)
			var missing *challenges.NotMeasuredError
			if err != nil && !errors.As(err, &missing) {
				return nil, err
			}
			states[g.ID] = gateState{judged: true, passed: err == nil && !failed}
		}
	}
	return states, nil
}

func settled(needs []string, states map[string]gateState) bool {
	for _, id := range needs {
		if _, ok := states[id]; !ok {
			return false
		}
	}
	return true
}

// blockedBy returns the first failed gate that stands behind the needed ones, or "".
func blockedBy(needs []string, states map[string]gateState) string {
	for _, id := range needs {
		switch s := states[id]; {
		case s.failed():
			return id
		case s.blocker != "":
			return s.blocker
		}
	}
	return ""
}
