package surgepricing

import (
	"fmt"
	"math"

	shared "github.com/assay-run/assay/graders/settings"
)

// kind is what a scenario does.
type kind string

const (
	kindRebuild kind = "rebuild" // quotes while tables are rebuilt; measured
	kindBurst   kind = "burst"   // the contract, more rebuilds than there is room for, poisoned ones
)

// The rebuilds of a scenario.
const (
	waveLoads   = 4       // at once
	waveCells   = 2_000   // each
	bigBytes    = 8 << 20 // of the body of the large one
	burstLoads  = 30      // at once
	burstCells  = 1_500   // each
	burstRoom   = 2 + 8   // that a service has room for
	warmUpShare = 10      // the rebuild that comes first does this part of the work of a burst's
)

// settings is "with:" of a scenario.
type settings struct {
	kind kind
	work int64 // cells times iterations of each rebuild
}

const (
	minWork = 1_000_000
	maxWork = 5_000_000_000
)

// parseSettings reads "with:". Errors name the key.
func parseSettings(with map[string]any) (settings, error) {
	var s settings
	for key := range with {
		if key != "kind" && key != "work" {
			return s, fmt.Errorf("with.%s: unknown setting; there are kind and work", key)
		}
	}
	text, _ := with["kind"].(string)
	s.kind = kind(text)
	if s.kind != kindRebuild && s.kind != kindBurst {
		return s, fmt.Errorf("with.kind: must be rebuild or burst, not %v", with["kind"])
	}
	work := shared.Number(with["work"])
	if !(work >= minWork && work <= maxWork) || work != math.Trunc(work) {
		return s, fmt.Errorf("with.work: must be a whole number from %d to %d, the cells times iterations of each rebuild, not %v", minWork, maxWork, with["work"])
	}
	s.work = int64(work)
	return s, nil
}

// Check implements graders.Grader.
func (*Grader) Check(with map[string]any) error {
	_, err := parseSettings(with)
	return err
}

// loads are the rebuilds of a scenario, in the order of their numbers.
func (s settings) loads() []load {
	make1 := func(id string, cells int, work int64) load {
		return load{ID: id, Cells: cells, Iterations: int(max(work/int64(cells), 1))}
	}
	var list []load
	if s.kind == kindRebuild {
		for i := range waveLoads {
			list = append(list, make1(fmt.Sprintf("wave-%d", i+1), waveCells, s.work))
		}
		return append(list, make1("large", bigBytes/cellBytes, s.work))
	}
	list = append(list, make1("first", burstCells, s.work/warmUpShare))
	for i := range burstLoads {
		list = append(list, make1(fmt.Sprintf("burst-%d", i+1), burstCells, s.work))
	}
	return append(list, make1("last", burstCells, s.work/warmUpShare))
}
