package exportstream

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/assay-run/assay/graders"
)

// params is what Drive gets. The seed is that of the rows: it stays in the driver, whose memory and files are out of a submission's
// reach. The clients check what they read as it comes, so the driver knows what is right; it is no more than the source makes.
type params struct {
	Kind      kind          `json:"kind"`
	Seed      []byte        `json:"seed"`
	ReadNs    time.Duration `json:"readNs"` // how long clients read
	Specs     []spec        `json:"specs"`
	TimeoutNs time.Duration `json:"timeoutNs"`
}

// truth is what Measure gets.
type truth struct {
	Kind  kind   `json:"kind"`
	Specs []spec `json:"specs"`
}

// version is raised when the same seed gives other data.
const version = 1

// Prepare implements graders.Grader. There are no input files: the driver makes the rows from the seed.
func (*Grader) Prepare(_ context.Context, p graders.Preparation) (graders.Prepared, error) {
	s, err := parseSettings(p.With)
	if err != nil {
		return graders.Prepared{}, fmt.Errorf("prepare %s: %w", Name, err)
	}
	seed := derive(p.Seed, fmt.Sprintf("v%d %s", version, s.kind))
	specs := contractSpecs(seed)
	if s.kind == kindReaders {
		specs = readersSpecs(seed, s)
	}
	out := graders.Prepared{Bytes: int64(len(specs))}
	if out.Truth, err = json.Marshal(truth{Kind: s.kind, Specs: specs}); err != nil {
		return graders.Prepared{}, fmt.Errorf("write truth: %w", err)
	}
	if out.Params, err = json.Marshal(params{Kind: s.kind, Seed: seed, ReadNs: s.seconds, Specs: specs, TimeoutNs: p.Timeout}); err != nil {
		return graders.Prepared{}, fmt.Errorf("write params: %w", err)
	}
	return out, nil
}
