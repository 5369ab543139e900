package resilienthome

import (
	"fmt"

	shared "github.com/assay-run/assay/graders/settings"
)

// kind is what a scenario does.
type kind string

const (
	kindContract kind = "contract" // single requests, one after the other
	kindOutages  kind = "outages"  // an open load while services fail
)

// settings is "with:" of a scenario.
type settings struct {
	kind  kind
	scale float64 // how long the phases of the outages are; 1 is 29 s
}

const (
	minScale = 1
	maxScale = 8
)

// parseSettings reads "with:". Errors name the key.
func parseSettings(with map[string]any) (settings, error) {
	s := settings{scale: 1}
	for key := range with {
		if key != "kind" && key != "scale" {
			return s, fmt.Errorf("with.%s: unknown setting; there are kind and scale", key)
		}
	}
	text, _ := with["kind"].(string)
	s.kind = kind(text)
	if s.kind != kindContract && s.kind != kindOutages {
		return s, fmt.Errorf("with.kind: must be contract or outages, not %v", with["kind"])
	}
	given, ok := with["scale"]
	if !ok {
		return s, nil
	}
	if s.kind == kindContract {
		return s, fmt.Errorf("with.scale: the contract has no length")
	}
	s.scale = shared.Number(given)
	if !(s.scale >= minScale && s.scale <= maxScale) {
		return s, fmt.Errorf("with.scale: must be a number from %d to %d, not %v", minScale, maxScale, given)
	}
	return s, nil
}

// Check implements graders.Grader.
func (*Grader) Check(with map[string]any) error {
	_, err := parseSettings(with)
	return err
}
