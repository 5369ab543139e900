package debugservice

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"time"

	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/internal/forms"
)

// params is what Drive gets. No answer is in it, nor where the causes are.
type params struct {
	Kind      kind          `json:"kind"`
	Seed      []byte        `json:"seed"`
	Rate      float64       `json:"rate,omitempty"`
	OpenNs    time.Duration `json:"openNs,omitempty"`
	FullNs    time.Duration `json:"fullNs,omitempty"`
	TimeoutNs time.Duration `json:"timeoutNs"`
	// Only names the checks to make; all of them when empty.
	Only []string `json:"only,omitempty"`
}

// truth is what Measure gets.
type truth struct {
	Kind    kind             `json:"kind"`
	Answers map[string]known `json:"answers"` // by name of the call
	// Forms are the places of the causes, by form; of the checks only.
	Forms [][]forms.Place `json:"forms,omitempty"`
}

// Prepare implements graders.Grader. There are no input files.
func (*Grader) Prepare(_ context.Context, p graders.Preparation) (graders.Prepared, error) {
	s, err := parseSettings(p.With)
	if err != nil {
		return graders.Prepared{}, fmt.Errorf("prepare %s: %w", Name, err)
	}
	t := truth{Kind: s.kind, Answers: answers()}
	if s.kind == kindChecks {
		if t.Forms, err = places(p.Files); err != nil {
			return graders.Prepared{}, fmt.Errorf("prepare %s: %w", Name, err)
		}
	}
	out := graders.Prepared{Bytes: int64(len(t.Answers))}
	if out.Truth, err = json.Marshal(t); err != nil {
		return graders.Prepared{}, fmt.Errorf("write truth: %w", err)
	}
	out.Params, err = json.Marshal(params{Kind: s.kind, Seed: p.Seed, Rate: s.rate, OpenNs: s.open, FullNs: s.full, TimeoutNs: p.Timeout})
	if err != nil {
		return graders.Prepared{}, fmt.Errorf("write params: %w", err)
	}
	return out, nil
}

// places are those of every form.
func places(challenge fs.FS) ([][]forms.Place, error) {
	set, err := forms.Load(challenge)
	if err != nil {
		return nil, err
	}
	list := make([][]forms.Place, set.Count())
	for i := range list {
		if _, list[i], err = set.Form(i); err != nil {
			return nil, err
		}
	}
	return list, nil
}
