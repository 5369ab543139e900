package signs

import (
	"fmt"
	"time"

	"github.com/assay-run/assay/internal/evidence"
)

// Thresholds of the comparison between what a process says of itself and what was measured from outside. They are wide,
// because an honest program must never be accused: a contradiction needs several signs at once.
const (
	tamperForged    = 3                      // records from another socket; the probe has one for its whole life
	tamperRecords   = 5                      // of the probe; fewer say nothing
	tamperMemory    = 60 << 20               // below it the shares of shared pages are too large
	tamperShare     = 0.7                    // of the kernel's figure
	tamperStall     = 200 * time.Millisecond // shorter ones have too many other causes
	tamperMargin    = 50 * time.Millisecond
	tamperInterval  = 100 * time.Millisecond // between two records of the probe
	tamperOwnLate   = 20 * time.Millisecond  // when our own sender was later, the stall may be ours
	tamperSilence   = time.Second            // of the probe, from which on it may have missed a peak
	tamperAfterward = time.Second            // for so long it must have answered again: a block at the end leaves no record
)

// Contradiction compares the probe (which a submission can forge) with the kernel and with the heartbeat. Without enough
// records of the probe there is nothing to compare, and that is no offence. It is for a process that lived as long as it should:
// one that died may not have come to say what happened.
func Contradiction(e *evidence.Execution) (reason string, atSeconds float64, found bool) {
	p := e.Probe
	if p == nil || p.Records < tamperRecords {
		return "", 0, false
	}
	if p.Forged >= tamperForged {
		return fmt.Sprintf("Somebody else spoke for its probe: %s records came from another socket than those before.", Number(int64(p.Forged))), -1, true
	}
	if hidesMemory(e) {
		return fmt.Sprintf("The process says that it used %s, the kernel says %s.", Mebibytes(p.RSSMaxBytes), Mebibytes(e.Usage.ProcPeakBytes)), -1, true
	}
	if at, ok := hidesBlock(e); ok {
		return fmt.Sprintf("It did not answer for %d ms and its own timer was silent, but it says that its event loop was never delayed by more than %d ms.",
			time.Duration(e.Heartbeat.StallNs).Milliseconds(), time.Duration(p.DelayMaxNs).Milliseconds()), at, true
	}
	return "", 0, false
}

// hidesMemory: resident memory can only be larger than its anonymous part. With several processes the probe sees one of
// them only, and while the loop was blocked it may have missed the peak.
func hidesMemory(e *evidence.Execution) bool {
	p := e.Probe
	return e.Usage.MaxProcesses <= 1 && p.GapMaxNs < int64(tamperSilence) && e.Usage.ProcPeakBytes > tamperMemory &&
		float64(p.RSSMaxBytes) < tamperShare*float64(e.Usage.ProcPeakBytes)
}

// hidesBlock: a block in the middle of a run shows as a gap in the answers, as a silence of the probe by our clock, and, if
// nobody interferes, as a delay that the process itself has measured.
func hidesBlock(e *evidence.Execution) (atSeconds float64, ok bool) {
	p, hb := e.Probe, e.Heartbeat
	if hb == nil || hb.StallNs < int64(tamperStall) || hb.OwnLateNs > int64(tamperOwnLate) {
		return 0, false
	}
	silent := p.GapMaxNs >= hb.StallNs/2
	// A stall may be several blocks in a row, between which the timers had their turn and the clients had not. The silence before a late
	// record is the delay and the time that is between two records anyway.
	admits := p.DelayMaxNs >= min(hb.StallNs, p.GapMaxNs-int64(tamperInterval))-int64(tamperMargin)
	if !silent || admits {
		return 0, false
	}
	return interiorStall(e)
}

// interiorStall finds the longest stall on the curve of the heartbeat, and says whether the process answered before it and
// for a while after it.
func interiorStall(e *evidence.Execution) (atSeconds float64, ok bool) {
	curve := e.Find(evidence.SeriesHeartbeat)
	if curve == nil || len(curve.T) == 0 {
		return 0, false
	}
	worst := 0
	for i := range curve.T {
		if curve.Max[i] > curve.Max[worst] {
			worst = i
		}
	}
	end := curve.T[worst] + curve.Max[worst]/1e9
	before := curve.T[worst] > float64(e.Heartbeat.FirstAnswerNs)/1e9+tamperAfterward.Seconds()/2
	after := curve.T[len(curve.T)-1] > end+tamperAfterward.Seconds()
	return curve.T[worst], e.Heartbeat.FirstAnswerNs >= 0 && before && after
}
