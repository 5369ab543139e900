package reporttest

import (
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/assay-run/assay/internal/evidence"
	"github.com/assay-run/assay/internal/grading"
)

const pairs = 3

// Grading is the evidence that belongs to Blocked: four scenarios, two of them measured in three pairs.
func Grading() *evidence.Grading {
	g := &evidence.Grading{
		Schema: evidence.Schema, ID: "01jd9x7f3a",
		Challenge: evidence.ChallengeVersion{ID: "log-aggregate", Version: 1, Title: "Summarise a 10 GB log", Level: "mid",
			Minutes: 75},
		Mode: "standard", Started: started(), Finished: started().Add(4 * time.Minute),
		Seed: seed(), Environment: environment(), Submission: submission(), Build: build(),
	}
	g.Attempts = []evidence.Attempt{{Runs: runs(), CalibrationNs: []int64{101e6, 100e6, 101.1e6}}}
	return g
}

// OutOfMemoryGrading is the evidence that belongs to OutOfMemory: the main file ends it at its limit.
func OutOfMemoryGrading() *evidence.Grading {
	g := Grading()
	for i := range g.Attempts[0].Runs {
		r := &g.Attempts[0].Runs[i]
		if r.Role != evidence.Candidate || r.Scenario != "main" {
			continue
		}
		e := &r.Executions[0]
		e.Exit = evidence.Exit{Status: evidence.OOMKilled, Code: 137, Signal: "SIGKILL"}
		e.DurationNs, e.Usage.MemoryPeakBytes = 9.1e9, 256*mib-100_000
		e.Series[0] = curve(evidence.SeriesMemory, "bytes", 9.1, 0.05, 7, func(t, _ float64) (float64, float64) {
			v := math.Min(38*mib+t*26*mib, 255.9*mib)
			return v * 0.99, v
		})
	}
	return g
}

type shape struct {
	seconds, memory, rate, cpu, wait float64
	blocked                          bool
	bytes                            int64
}

func runs() []evidence.Run {
	var out []evidence.Run
	add := func(scenario string, role evidence.Role, pair int, ex ...evidence.Execution) {
		out = append(out, evidence.Run{Scenario: scenario, Role: role, Pair: pair, StartedNs: int64(len(out)) * 12e9,
			Executions: ex, PhaseNs: map[string]int64{"pod": 21e7, "execute": ex[0].DurationNs}})
	}
	for p := range pairs + 1 {
		f := 1 + 0.012*float64(p-1)
		add("main", evidence.Reference, p, execution("main", uint64(p), reference(7.1*f, 1024*mib)))
		add("small", evidence.Reference, p, execution("main", uint64(p), reference(0.62*f, 64*mib)))
		if p == pairs {
			break
		}
		add("main", evidence.Candidate, p, execution("main", uint64(10+p), candidate(9.85*f, 1024*mib)))
		add("small", evidence.Candidate, p, execution("main", uint64(10+p), candidate(0.81*f, 64*mib)))
	}
	add("gzip", evidence.Reference, 0, execution("main", 31, reference(3.1, 256*mib)))
	add("gzip", evidence.Candidate, 0, execution("main", 32, candidate(4.2, 256*mib)))
	add("anomalies", evidence.Reference, 0, anomalyRuns(40, reference)...)
	add("anomalies", evidence.Candidate, 0, anomalyRuns(60, candidate)...)
	control := execution("main", 90, candidate(4.4, 1024*mib))
	control.Exit = evidence.Exit{Status: evidence.OOMKilled, Code: 137, Signal: "SIGKILL"}
	add("main", evidence.Control, 0, control)
	return out
}

func anomalyRuns(seed uint64, of func(float64, int64) shape) []evidence.Execution {
	var out []evidence.Execution
	for i, name := range []string{"crlf", "bom", "code-points", "oversize-line"} {
		out = append(out, execution(name, seed+uint64(i), of(0.4+0.1*float64(i), 12*mib)))
	}
	return out
}

func reference(s float64, bytes int64) shape {
	return shape{seconds: s, memory: 71 * mib, rate: float64(bytes) / s, cpu: 0.97, wait: 1.6 * ms, bytes: bytes}
}

func candidate(s float64, bytes int64) shape {
	return shape{seconds: s, memory: 92.4 * mib, rate: float64(bytes) / s, cpu: 0.94, wait: 2.1 * ms, blocked: true, bytes: bytes}
}

func execution(name string, seed uint64, s shape) evidence.Execution {
	peak := int64(s.memory)
	e := evidence.Execution{Name: name, Exit: evidence.Exit{Status: evidence.Exited}, DurationNs: int64(s.seconds * 1e9),
		InputBytes: s.bytes,
		Usage: evidence.Usage{MemoryPeakBytes: peak, ProcPeakBytes: peak, HWMBytes: peak + 40*mib,
			CPUNs: int64(s.cpu * s.seconds * 1e9), MainThreadNs: int64(s.cpu * 0.93 * s.seconds * 1e9), RunDelayNs: 3e6,
			MaxThreads: 11, MaxProcesses: 1, ReadBytes: s.bytes, Samples: int(s.seconds * 50), SampleHz: 50, MaxGapNs: 28e6},
		Heartbeat: &evidence.Heartbeat{Target: "GET /progress", Hz: 100, Sent: int(s.seconds * 100),
			Answered: int(s.seconds*100) - 1, P50Ns: int64(s.wait), P99Ns: 12.2 * ms, MaxNs: 14 * ms, StallNs: 14 * ms},
		Probe:  &evidence.Probe{Records: int(s.seconds * 20), Threads: 1, NodeVersion: "v24.21.0", DelayMaxNs: 13 * ms},
		Stdout: log("read " + name + "\n"),
	}
	if s.blocked {
		e.Heartbeat.P99Ns, e.Heartbeat.MaxNs, e.Heartbeat.StallNs = 1381*ms, 1402*ms, 1380*ms
		e.Stderr = log("(node:17) Warning: using a synchronous read in a server\n    at run (src/main.mjs:14:9)\n")
	}
	e.Series = series(seed, s)
	return e
}

func log(text string) evidence.Log { return evidence.Log{Text: text, Bytes: int64(len(text))} }

func series(seed uint64, s shape) []evidence.Series {
	stall := func(t float64) float64 { // how long a request that arrives at t waits for the end of a read
		if !s.blocked || s.seconds < 3 {
			return 0
		}
		return math.Max(0, 1.38-math.Mod(t+0.1, 2.05)) * 1e9
	}
	c := func(name, unit string, step float64, f func(t, noise float64) (float64, float64)) evidence.Series {
		seed++
		return curve(name, unit, s.seconds, step, seed, f)
	}
	return []evidence.Series{
		c(evidence.SeriesMemory, "bytes", 0.02, func(t, n float64) (float64, float64) {
			top := 34*mib + (s.memory-34*mib)*math.Min(1, t/(0.14*s.seconds))
			v := top - math.Mod(t*1.7, 1)*0.16*(top-30*mib)
			return v * (1 - 0.02*n), math.Min(v*(1+0.01*n), s.memory)
		}),
		c(evidence.SeriesHeartbeat, "ns", 0.01, func(t, n float64) (float64, float64) {
			v := s.wait*(0.6+n) + stall(t)
			return v, v
		}),
		c(evidence.SeriesProbeDelay, "ns", 0.05, func(t, n float64) (float64, float64) { return 1 * ms * n, 2*ms*n + stall(t)*0.98 }),
		c(evidence.SeriesProbeGap, "ns", 0.05, func(t, n float64) (float64, float64) { return 50 * ms, 52*ms + 2*ms*n + stall(t) }),
		c(evidence.SeriesReadRate, "bytes/s", 0.02, func(_, n float64) (float64, float64) {
			return s.rate * (0.8 + 0.1*n), s.rate * (1.05 + 0.15*n)
		}),
		c(evidence.SeriesCPU, "ratio", 0.02, func(_, n float64) (float64, float64) { return s.cpu - 0.06*n, math.Min(1, s.cpu+0.04*n) }),
		c(evidence.SeriesMainCPU, "ratio", 0.02, func(_, n float64) (float64, float64) {
			return s.cpu*0.93 - 0.08*n, math.Min(1, s.cpu*0.93+0.05*n)
		}),
		c(evidence.SeriesRunDelay, "ratio", 0.02, func(_, n float64) (float64, float64) { return 0, 0.004 * n * n * n }),
	}
}

// curve samples f every step seconds; noise is a repeatable number in [0, 1).
func curve(name, unit string, length, step float64, seed uint64, f func(t, noise float64) (float64, float64)) evidence.Series {
	r := rand.New(rand.NewPCG(seed, 7))
	s := evidence.Series{Name: name, Unit: unit}
	for t := 0.0; t < length; t += step {
		lo, hi := f(t, r.Float64())
		s.T, s.Min, s.Max = append(s.T, math.Round(t*1e3)/1e3), append(s.Min, math.Round(lo*1e4)/1e4), append(s.Max, math.Round(hi*1e4)/1e4)
	}
	return s
}

func cases() []grading.ScenarioCases {
	right := func(name, title string) evidence.Case {
		return evidence.Case{Name: name, Title: title, Weight: 1, Right: true}
	}
	return []grading.ScenarioCases{
		{Scenario: "main", Title: "The large log", Cases: []evidence.Case{right("plain", "1 GB, plain")}},
		{Scenario: "small", Title: "A small log, to see whether memory depends on size", Cases: []evidence.Case{right("plain", "64 MB, plain")}},
		{Scenario: "gzip", Title: "A compressed log", Cases: []evidence.Case{right("gzip", "256 MB, compressed")}},
		{Scenario: "anomalies", Title: "Files with everything that goes wrong in real logs", Cases: []evidence.Case{
			right("crlf", "Lines that end with CR LF"), right("bom", "A byte order mark at the start"),
			{Name: "code-points", Title: "Characters across read boundaries", Weight: 2,
				Detail: "msgCodePoints is 48,211 and should be 48,190"},
			{Name: "oversize-line", Title: "One line of 300 MB", Weight: 2, Detail: "bad is 0 and should be 1"}}},
	}
}

func runSummaries() []grading.RunSummary {
	var out []grading.RunSummary
	for _, r := range runs() {
		e := r.Executions[0]
		status := "exit 0"
		if !e.Exit.OK() {
			status = string(e.Exit.Status)
		}
		out = append(out, grading.RunSummary{Scenario: r.Scenario, Role: r.Role, Pair: r.Pair, Status: status,
			WallNs: e.DurationNs, Values: map[string]float64{"mem.peak": float64(e.Usage.MemoryPeakBytes)}})
	}
	return out
}

func submission() evidence.Submission {
	main := strings.Join([]string{
		"import { openSync, readSync, writeFileSync } from 'node:fs';",
		"import { createServer } from 'node:http';", "import { count } from './count.mjs';", "",
		"// Reads the whole file in one go: simple, and nothing else gets a turn.",
		"const file = process.argv[process.argv.indexOf('--input') + 1];",
		"const chunk = Buffer.allocUnsafe(64 * 1024);", "const fd = openSync(file, 'r');", "let bytes = 0;",
		"createServer((req, res) => res.end(JSON.stringify({ bytes }))).listen(process.env.STATUS_PORT);", "",
		"for (let n; (n = readSync(fd, chunk)) > 0; bytes += n) {", "  count(chunk.toString('utf8', 0, n));", "}",
		"writeFileSync('out.json', `${JSON.stringify(count.result)}\\n`);", ""}, "\n")
	return evidence.Submission{Name: "submission-7f3a", Start: []string{"node", "src/main.mjs"}, Files: []evidence.SourceFile{
		{Path: "package.json", Bytes: 63, Text: "{\n  \"name\": \"log-aggregate\",\n  \"type\": \"module\",\n  \"private\": true\n}\n"},
		{Path: "src/main.mjs", Bytes: int64(len(main)), Text: main},
		{Path: "src/count.mjs", Bytes: 70, Text: "export function count(text) {\n  for (const line of text.split('\\n')) JSON.parse(line);\n}\n"},
		{Path: "docs/diagram.png", Bytes: 18_233, Binary: true},
		{Path: "data/sample.ndjson", Bytes: 4 * mib, Truncated: true},
	}}
}

func build() evidence.Build {
	return evidence.Build{Steps: []evidence.BuildStep{{Argv: []string{"npm", "ci", "--ignore-scripts"},
		Exit: evidence.Exit{Status: evidence.Exited}, DurationNs: 2.9e9,
		Output: log("added 3 packages in 3s\n"), Refused: []string{"telemetry.example.invalid:443"}}}}
}
