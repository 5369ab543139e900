package httpscript

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/graders/backends"
	"github.com/assay-run/assay/graders/httpcheck"
	"github.com/assay-run/assay/graders/settings"
	"github.com/assay-run/assay/graders/stubs"
)

// params is what Drive gets: requests, and nothing of what is expected.
type params struct {
	Steps     []step                    `json:"steps"`
	Run       string                    `json:"run"`
	Env       map[string]string         `json:"env,omitempty"`
	Heartbeat *beats                    `json:"heartbeat,omitempty"`
	Upstreams map[string]stubs.Upstream `json:"upstreams,omitempty"`
	Seed      []byte                    `json:"seed"`
	Keep      []string                  `json:"keep"`
	Backends  backends.Plan             `json:"backends"`
	TimeoutNs time.Duration             `json:"timeoutNs"`
}

// truth is what Measure gets.
type truth struct {
	Steps       []step `json:"steps"`
	Run         string `json:"run"`
	MemoryBytes int64  `json:"memoryBytes"`
}

// contractMemory is taken for the memory limit where the preparation names none.
const contractMemory = 256 << 20

// alwaysKept are headers of answers that expressions may look at without being named anywhere.
var alwaysKept = []string{
	"Allow", "Cache-Control", "Content-Encoding", "Content-Language", "Content-Type", "Deprecation", "Etag", "Idempotency-Key", "Last-Modified", "Link",
	"Location", "Ratelimit", "Ratelimit-Limit", "Ratelimit-Remaining", "Ratelimit-Reset", "Retry-After", "Sunset", "Vary", "Www-Authenticate",
	"X-Cache", "X-Request-Id", "X-Total-Count",
}

// Prepare implements graders.Grader. There are no input files: requests are in the params.
func (*Grader) Prepare(_ context.Context, p graders.Preparation) (graders.Prepared, error) {
	fail := func(err error) (graders.Prepared, error) {
		return graders.Prepared{}, fmt.Errorf("prepare %s: %w", Name, err)
	}
	w, err := read(p.With)
	if err != nil {
		return fail(err)
	}
	var used []string
	if err := readSchemas(w.Steps, settings.At("steps"), p.Files, &used); err != nil {
		return fail(err)
	}
	seed := derive(p.Seed)
	t := truth{Steps: unroll(w.Steps), Run: hex.EncodeToString(seed[:4]), MemoryBytes: p.MemoryBytes}
	if t.MemoryBytes == 0 {
		t.MemoryBytes = contractMemory
	}
	d := params{Run: t.Run, Env: w.Env, Heartbeat: w.Heartbeat, Upstreams: w.Upstreams, Seed: seed, TimeoutNs: p.Timeout}
	if d.Backends, err = w.Database.Plan(p.Services, p.Files); err != nil {
		return fail(err)
	}
	kept := map[string]bool{}
	for _, name := range alwaysKept {
		kept[name] = true
	}
	for _, s := range t.Steps {
		sources := append(slices.Collect(maps.Values(s.Capture)), s.Until)
		if s.Expect != nil {
			sources = append(sources, s.Expect.That, s.Expect.All)
			for name := range s.Expect.Headers {
				kept[name] = true
			}
		}
		for _, source := range sources {
			for _, name := range httpcheck.HeaderNames(source) {
				kept[name] = true
			}
		}
		s.Expect, s.Name, s.Code = nil, "", ""
		d.Steps = append(d.Steps, s)
	}
	d.Keep = slices.Sorted(maps.Keys(kept))
	out := graders.Prepared{Bytes: int64(len(t.Steps))}
	if out.Truth, err = json.Marshal(t); err != nil {
		return fail(err)
	}
	if out.Params, err = json.Marshal(d); err != nil {
		return fail(err)
	}
	return out, nil
}

// derive makes a seed of its own for this workload.
func derive(seed []byte) []byte {
	mac := hmac.New(sha256.New, seed)
	mac.Write([]byte(Name))
	return mac.Sum(nil)
}
