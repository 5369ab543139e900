package grading

import (
	"context"
	"fmt"
	"time"

	"github.com/assay-run/assay/internal/evidence"
)

// What our own harness may add to the latencies of a server with nothing to do.
const (
	// On a quiet machine it adds no more than this. A check that finds more is made again, quietTries times in all.
	quietP99   = 2 * time.Millisecond
	quietMax   = 10 * time.Millisecond
	quietTries = 2
	// Latencies below the floor of every criterion about them (10 ms, catalogue "Notation") are equal, so that much can decide
	// nothing: a grading goes on, and its report tells the figures. Beyond it, also after harnessTries checks, the attempt is
	// invalid. Taken as the bound, quietP99 would discard every grading on a virtual machine that shares its cores.
	maxHarnessP99 = 10 * time.Millisecond
	harnessTries  = 6
)

// checkHarness measures the harness against an idle server before anything else is measured.
func (t *trial) checkHarness(ctx context.Context) error {
	if t.deps.Harness == nil {
		return nil
	}
	for try := 1; try <= harnessTries; try++ {
		message := "checking the harness on an idle server"
		if try > 1 {
			message = fmt.Sprintf("waiting for the machine to be quiet (check %d of %d)", try, harnessTries)
		}
		t.tell(Event{Kind: EventPreparing, Message: message})
		var hb evidence.Heartbeat
		err := t.retry(ctx, "check harness", func() (err error) {
			hb, err = t.deps.Harness(ctx)
			return err
		})
		if err != nil {
			return fmt.Errorf("check harness: %w", err)
		}
		t.result.Harness = append(t.result.Harness, hb)
		best := bestCheck(t.result.Harness)
		if isQuiet(best) || try >= quietTries && harnessAdds(best) == "" {
			return nil
		}
	}
	e := evaluation{attempt: &t.result}
	t.result.Invalid = e.harnessLate()
	t.tell(Event{Kind: EventInvalid, Message: t.result.Invalid})
	return nil
}

// bestCheck is the check with the smallest 99th percentile: what the harness adds when nobody disturbs it.
func bestCheck(checks []evidence.Heartbeat) evidence.Heartbeat {
	best := checks[0]
	for _, hb := range checks[1:] {
		if answers(hb) && (!answers(best) || hb.P99Ns < best.P99Ns) {
			best = hb
		}
	}
	return best
}

// answers says whether the server was there at all.
func answers(hb evidence.Heartbeat) bool { return hb.Due > 0 && hb.Answered >= hb.Due*9/10 }

func isQuiet(hb evidence.Heartbeat) bool {
	return answers(hb) && hb.P99Ns <= int64(quietP99) && hb.MaxNs <= int64(quietMax)
}

// harnessAdds says what is too much about a check, or nothing.
func harnessAdds(hb evidence.Heartbeat) string {
	switch {
	case !answers(hb):
		return "an idle server of ours was not answering"
	case hb.P99Ns > int64(maxHarnessP99):
		return fmt.Sprintf("an idle server of ours took %s to answer (99th percentile; allowed: %s)",
			FormatValue(float64(hb.P99Ns), "ns"), FormatValue(float64(maxHarnessP99), "ns"))
	}
	return ""
}

// harnessLate is the reason for which an attempt is invalid because of the harness; evidence of before the check has none.
func (e *evaluation) harnessLate() string {
	checks := e.attempt.Harness
	if len(checks) == 0 {
		return ""
	}
	if adds := harnessAdds(bestCheck(checks)); adds != "" {
		return fmt.Sprintf("The machine was too busy to measure anything: in the best of %d checks before the runs, %s.", len(checks), adds)
	}
	return ""
}
