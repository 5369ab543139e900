package resilienthome

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/assay-run/assay/graders"
)

// params is what Drive gets. The seed makes users and tags; it stays in the driver, whose memory is out of a submission's reach.
type params struct {
	Kind      kind          `json:"kind"`
	Scale     float64       `json:"scale"`
	Rate      float64       `json:"rate"` // requests a second
	Seed      []byte        `json:"seed"`
	TimeoutNs time.Duration `json:"timeoutNs"`
}

// truth is what Measure gets: the plan, and the cases, follow from it.
type truth struct {
	Kind  kind    `json:"kind"`
	Scale float64 `json:"scale"`
}

// version is raised when the same seed gives other requests.
const version = 1

// Prepare implements graders.Grader. There are no input files.
func (*Grader) Prepare(_ context.Context, p graders.Preparation) (graders.Prepared, error) {
	s, err := parseSettings(p.With)
	if err != nil {
		return graders.Prepared{}, fmt.Errorf("prepare %s: %w", Name, err)
	}
	var out graders.Prepared
	seed := derive(p.Seed, fmt.Sprintf("v%d %s %g", version, s.kind, s.scale))
	if out.Params, err = json.Marshal(params{Kind: s.kind, Scale: s.scale, Rate: rate, Seed: seed, TimeoutNs: p.Timeout}); err != nil {
		return graders.Prepared{}, fmt.Errorf("write params: %w", err)
	}
	if out.Truth, err = json.Marshal(truth{Kind: s.kind, Scale: s.scale}); err != nil {
		return graders.Prepared{}, fmt.Errorf("write truth: %w", err)
	}
	return out, nil
}
