// Package reporttest makes reports and evidence for tests of the writers. Every figure is invented; the curves have the
// shape of real ones. The same call always returns equal values, and the caller owns them.
package reporttest

import (
	"time"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/grading"
)

func started() time.Time { return time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC) }

func ptr(v float64) *float64 { return &v }

const (
	mib = 1 << 20
	ms  = 1e6
)

// Blocked is an official run of a submission that counts right and stops answering while it reads: below the mark.
func Blocked() *grading.Report {
	rep := base()
	rep.Verdict, rep.Score, rep.Interval = grading.Fail, 62.3, grading.Interval{Low: 55.2, High: 66.8,
		Method: "Bootstrap over 3 pairs of runs and over the criteria, 90 %."}
	rep.Band = "mid-like"
	rep.Summary = grading.Summary{
		Headline: "The numbers are right, but nobody gets an answer while it counts.",
		Text: "While the large log was read, the question “how far are you?” waited up to 1.4 seconds. Our reference, on the same " +
			"machine minutes before and after, made it wait 12 milliseconds. Files with broken lines are mostly handled; two of " +
			"twelve are not.",
		Strengths: []string{"Every number about every large file is right.",
			"Memory stays flat: 92.4 MB for 1 GiB of input, 88.1 MB for 64 MB."},
		Risks: []string{"Any other request waits while a file is read (LOOP_BLOCKED).",
			"A character that lies across two reads is damaged (UTF8_SPLIT)."},
		Questions: []string{"What happens to a request that arrives while readSync is running? How would you find out?",
			"Where can a multi-byte character be cut in a stream, and who puts it together again?"},
	}
	rep.Codes = blockedCodes()
	rep.Gates = []grading.GateResult{
		{ID: "exact", Title: "Every number about the large log is right", Kind: "core", Passed: true, Judged: true},
		{ID: "survives", Title: "It stays within its memory", Kind: "core", Passed: true, Judged: true},
		{ID: "bounded", Title: "Memory does not grow with the file", Kind: "core", Passed: true, Judged: true},
		{ID: "progress", Title: "It answers while it works", Kind: "core", Passed: true, Judged: true},
	}
	rep.Criteria = blockedCriteria()
	rep.Cases = cases()
	rep.Runs = runSummaries()
	return rep
}

func base() *grading.Report {
	return &grading.Report{
		Schema: grading.ReportSchema,
		ID:     "01jd9x7f3a",
		Challenge: grading.ReportChallenge{ID: "log-aggregate", Version: 1, Title: "Summarise a 10 GB log", Level: "mid",
			Minutes: 75, Digest: "sha256:5d1c0f9be7b14d5f3f1a2c6a9f5ad37a51b3c1be8f5c25ea6d1f5e0d4a7c9b21"},
		Mode: "standard", Official: true,
		Started: started(), Finished: started().Add(4*time.Minute + 12*time.Second),
		Submission: grading.ReportSubmission{Name: "submission-7f3a",
			Digest: "sha256:9f2c4be07a55d3a9f6f0f0a4ce1b9f60e9d7d0c3d3b1b7e0a2f5a6c7d8e9f001",
			Start:  []string{"node", "src/main.mjs"}},
		PassMark: 65,
		Noise: grading.Noise{ReferenceRatio: 1.02, ReferenceMetric: "main.throughput", CalibrationDrift: 0.011,
			RunDelayShare: 0.0004, ControlFailed: true, ControlCodes: []string{"OOM_CGROUP"}, ExtraPairs: 0},
		Notes:       []string{"The start command was taken from package.json."},
		Environment: environment(),
		Seed:        seed(),
		Evidence: grading.EvidenceRef{File: "evidence.json.gz",
			Digest: "sha256:77ab0c3d5e9f1b2a4c6d8e0f1a3b5c7d9e1f3a5b7c9d1e3f5a7b9c1d3e5f7a9b"},
	}
}

func environment() evidence.Environment {
	return evidence.Environment{Engine: "docker", EngineVersion: "20.10.24", APIVersion: "1.41", Sandboxed: true,
		Runtime: "runc", Seccomp: "assay default",
		Kernel: "6.18.0", OS: "linux", Arch: "amd64", CPUModel: "Test CPU @ 2.40GHz", CgroupVersion: 1, Node: "v24.21.0",
		Image:          "assay-node:24",
		ImageDigest:    "sha256:1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90a",
		CandidateCores: "1", DriverCores: "0", MemoryBytes: 256 * mib, AssayVersion: "0.1.0", PageCache: "warm"}
}

// seed is a true pair of commitment and reveal: SHA-256 over the bytes of salt and value.
func seed() evidence.Seed {
	return evidence.Seed{
		Commitment: "sha256:630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd",
		Salt:       "000102030405060708090a0b0c0d0e0f",
		Value:      "101112131415161718191a1b1c1d1e1f",
	}
}

func blockedCodes() []grading.Code {
	return []grading.Code{
		{Code: "LOOP_BLOCKED",
			Engineer:  "JavaScript or a synchronous call held the main thread, so nothing else on it could run.",
			Recruiter: "While it works on one thing, everyone else waits.",
			Findings: []evidence.Finding{{Code: "LOOP_BLOCKED", Scenario: "main", Execution: "main", AtSeconds: 6.2,
				Detail: "No answer for 1.38 s at second 6.2, while 168 MB were read."}}},
		{Code: "UTF8_SPLIT",
			Engineer:  "Bytes were decoded chunk by chunk, so a character across a boundary became U+FFFD.",
			Recruiter: "Names with accents or emoji are sometimes damaged.",
			Findings: []evidence.Finding{{Code: "UTF8_SPLIT", Scenario: "anomalies", Execution: "code-points", AtSeconds: -1,
				Detail: "msgCodePoints is 48,211 and should be 48,190: 21 characters were cut at 64 KiB boundaries."}}},
	}
}

func blockedCriteria() []grading.CriterionResult {
	share := func(id, title, detail, skill string, v, max float64, said string) grading.CriterionResult {
		return grading.CriterionResult{ID: id, Title: title, Detail: detail, Skill: skill, Assessed: true, Value: ptr(v),
			Unit: "share", Reference: ptr(1), Score: v, Weight: max / 100, Points: v * max, MaxPoints: max, Low: v, High: v,
			Recruiter: said}
	}
	exact := share("exactness", "The large log is counted exactly", "Share of files with every number right",
		"correctness-under-concurrency", 1, 25, "Every number about every large file is right.")
	odd := share("anomalies", "Broken and unusual lines are handled", "Weighted share of twelve small files",
		"correctness-under-concurrency", 0.83, 20, "10 of 12 unusual files came out right.")
	odd.Engineer = "See the list of checks: code-points and oversize-line are wrong."
	odd.Ask = "Where can a multi-byte character be cut in a stream?"
	odd.Codes = []string{"UTF8_SPLIT"}
	odd.Points = 16.6
	relative := func(id, title, detail, skill, unit string, v, ref, ratio, score, max float64, said, why string) grading.CriterionResult {
		return grading.CriterionResult{ID: id, Title: title, Detail: detail, Skill: skill, Assessed: true, Value: ptr(v),
			Unit: unit, Reference: ptr(ref), Ratio: ptr(ratio), Score: score, Weight: max / 100, Points: score * max,
			MaxPoints: max, Low: score - 0.05, High: min(score+0.04, 1), Recruiter: said, Engineer: why}
	}
	loop := relative("responsive", "It answers while it works", "99th percentile of a heartbeat sent every 10 ms",
		"event-loop", "ns", 1381*ms, 12.2*ms, 113.2, 0, 10,
		"The question “how far are you?” waited up to 1.4 s (our reference: 12 ms, same machine).",
		"readSync in a loop: the main thread was never idle for more than 2 ms.")
	loop.Low, loop.High = 0, 0.02
	loop.Codes = []string{"LOOP_BLOCKED"}
	return []grading.CriterionResult{exact, odd,
		relative("memory", "Memory for the large log", "Peak of anonymous and shared memory", "memory-streams", "bytes",
			92.4*mib, 71*mib, 1.3, 0.52, 20, "It needs a third more memory than our reference, and stays flat.", ""),
		relative("size-independence", "Memory does not depend on the size of the file", "Peak at 1 GiB minus peak at 64 MB",
			"memory-streams", "bytes", 4.3*mib, 2.1*mib, 2.05, 0.2, 10, "The difference is within the noise.", ""),
		relative("throughput", "Speed", "Bytes of the large log a second", "memory-streams", "bytes/s", 104*mib, 144*mib,
			0.72, 0.41, 10, "It takes 10 seconds where our reference takes 7.", "Most time goes into JSON.parse of whole lines."),
		relative("cpu", "CPU time for a gigabyte", "User and system time of all threads", "memory-streams", "ns", 9.31e9,
			6.93e9, 1.34, 0.84, 5, "It costs a third more processor time.", ""),
		loop,
	}
}
