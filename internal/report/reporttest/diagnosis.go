package reporttest

import (
	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/grading"
)

// Diagnosed is Blocked with a diagnosis: a loop that reads synchronously, and a large parse.
func Diagnosed() *grading.Report {
	rep := Blocked()
	rep.Diagnosis = &grading.DiagnosisReport{
		Scenario: "main", Execution: "main", Skills: []string{"event-loop", "memory-streams"},
		Headline: "6 waits of 50 ms or more; the longest took 1.4 s.",
		Memory:   "At its largest, the heap held 41 MB more than at the start.",
		Note:     "The process ended without warning, so its last second is missing.",
		Stalls: []grading.StallReport{
			{Number: 1, AtSeconds: 3.95, LatencyNs: 1402 * ms, Cause: evidence.CauseOwnCode, Function: "", File: "src/main.mjs", Line: 13,
				Sentence: "For 1.4 s nothing else ran: src/main.mjs:13. Most of that time (61 %) went to count, src/count.mjs:2. " +
					"In it, fs.readSync was called, which does not give way either. 5 waits like it, 6.6 s together.",
				Stack: []string{"count, src/count.mjs:2", "src/main.mjs:13", "run, node:internal/modules/esm/module_job:325"}},
			{Number: 2, AtSeconds: 8.2, LatencyNs: 96 * ms, Cause: evidence.CauseGC, Function: "count", File: "src/count.mjs", Line: 2,
				Sentence: "For 96 ms nothing else ran: V8 was freeing memory (garbage collection, 72 %) for what was allocated in count, " +
					"src/count.mjs:2.",
				Stack: []string{"count, src/count.mjs:2"}},
		},
		Sites: []grading.AllocationReport{
			{Function: "count", File: "src/count.mjs", Line: 1, Via: "split", Bytes: 33 * mib, Share: 0.8},
			{Function: "", File: "node_modules/fast-lines/index.js", Line: 7, Bytes: 8 * mib, Share: 0.2},
		},
	}
	return rep
}

// DiagnosedGrading is the evidence that belongs to Diagnosed.
func DiagnosedGrading() *evidence.Grading {
	g := Grading()
	x := execution("main", 77, candidate(9.85, 1024*mib))
	count := evidence.Place{Function: "count", File: "src/count.mjs", Line: 2}
	loop := evidence.Place{File: "src/main.mjs", Line: 13}
	g.Diagnosis = &evidence.Diagnosis{
		Scenario: "main", Execution: "main", Skills: []string{"event-loop", "memory-streams"}, DurationNs: x.DurationNs, Exit: x.Exit,
		Samples: 9412, GCShare: 0.04, StallCount: 6, HeapBytes: 41 * mib,
		Note: "The process ended without warning, so its last second is missing.",
		Stalls: []evidence.Stall{
			{From: 3.95, To: 5.352, LatencyNs: 1402 * ms, Cause: evidence.CauseOwnCode, Call: "fs.readSync", Blame: &loop, Hot: &count,
				HotShare: 0.61, Samples: 1391, Alike: 5, AlikeNs: 6600 * ms, Stack: []evidence.StackFrame{
					{Place: count, Kind: evidence.FrameOwn, Share: 0.61}, {Place: loop, Kind: evidence.FrameOwn, Share: 1},
					{Place: evidence.Place{Function: "run", File: "node:internal/modules/esm/module_job", Line: 325},
						Kind: evidence.FrameNode, Share: 1}}},
			{From: 8.2, To: 8.296, LatencyNs: 96 * ms, Cause: evidence.CauseGC, Blame: &count, GCShare: 0.72, Samples: 95, Alike: 1,
				AlikeNs: 96 * ms, Stack: []evidence.StackFrame{{Place: count, Kind: evidence.FrameOwn, Share: 0.9}}},
		},
		Allocations: []evidence.Allocation{
			{Place: evidence.Place{Function: "count", File: "src/count.mjs", Line: 1}, Kind: evidence.FrameOwn, Via: "split",
				Bytes: 33 * mib, Share: 0.8},
			{Place: evidence.Place{File: "node_modules/fast-lines/index.js", Line: 7}, Kind: evidence.FramePackage, Bytes: 8 * mib, Share: 0.2},
		},
		Series: []evidence.Series{*x.Find(evidence.SeriesHeartbeat), *x.Find(evidence.SeriesMemory)},
	}
	return g
}
