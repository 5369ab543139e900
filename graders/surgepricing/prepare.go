package surgepricing

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assay-run/assay/graders"
	"github.com/assay-run/assay/internal/workload"
)

// params is what Drive gets. The seed is that of the inputs: a submission that had it would know what it will be asked, but
// it stays in the driver, whose memory and files are out of a submission's reach, and the answers are not in it.
type params struct {
	Kind      kind          `json:"kind"`
	Seed      []byte        `json:"seed"`
	Loads     []load        `json:"loads"`
	TimeoutNs time.Duration `json:"timeoutNs"`
}

// truth is what Measure gets.
type truth struct {
	Kind    kind    `json:"kind"`
	Seed    []byte  `json:"seed"`
	Work    int64   `json:"work"` // cells times iterations of all loads
	Loads   []known `json:"loads"`
	Watched []int32 `json:"watched"` // cells that quotes are asked about, ascending
}

// known is a load with what is expected of it.
type known struct {
	load
	Checksum    string  `json:"checksum"`
	Multipliers []int32 `json:"multipliers"` // of the watched cells
}

// version is raised when the same seed gives other data.
const version = 1

// Prepare implements graders.Grader. There are no input files: the driver makes the bodies from the seed.
func (*Grader) Prepare(ctx context.Context, p graders.Preparation) (graders.Prepared, error) {
	s, err := parseSettings(p.With)
	if err != nil {
		return graders.Prepared{}, fmt.Errorf("prepare %s: %w", Name, err)
	}
	seed := derive(p.Seed, fmt.Sprintf("v%d %s %d", version, s.kind, s.work))
	t := truth{Kind: s.kind, Seed: seed, Watched: watched(seed)}
	if t.Loads, err = solve(ctx, seed, s.loads(), p.Report); err != nil {
		return graders.Prepared{}, fmt.Errorf("prepare %s: %w", Name, err)
	}
	for _, k := range t.Loads {
		t.Work += int64(k.Cells) * int64(k.Iterations)
	}
	out := graders.Prepared{Bytes: int64(len(t.Loads))}
	if out.Truth, err = json.Marshal(t); err != nil {
		return graders.Prepared{}, fmt.Errorf("write truth: %w", err)
	}
	if out.Params, err = json.Marshal(params{Kind: s.kind, Seed: seed, Loads: s.loads(), TimeoutNs: p.Timeout}); err != nil {
		return graders.Prepared{}, fmt.Errorf("write params: %w", err)
	}
	return out, nil
}

// solve computes what is expected of every load, on all cores.
func solve(ctx context.Context, seed []byte, loads []load, report func(workload.Progress)) ([]known, error) {
	list := make([]known, len(loads))
	ids := watched(seed)
	var next, done atomic.Int64
	var tell sync.Mutex
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(loads) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				result := rebuild(loads[i].cells(seed), loads[i].Iterations)
				k := known{load: loads[i], Checksum: result.checksum()}
				for _, id := range ids {
					k.Multipliers = append(k.Multipliers, result.multiplier(id))
				}
				list[i] = k
				if n := done.Add(1); report != nil {
					tell.Lock()
					report(workload.Progress{Phase: "computing what is right", Done: n, Total: int64(len(loads)), Unit: "rebuilds"})
					tell.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return list, nil
}
